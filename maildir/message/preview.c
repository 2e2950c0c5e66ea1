#include "maildir/message/preview.h"

#include "base/must.h"
#include "base/utf8.h"
#include "maildir/message/charset.h"
#include "maildir/message/html_text.h"
#include "maildir/message/text.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 4096, LINE_BYTES = 4096, HELD_LINES = 2, RULE_BYTES = 4 };

/* Text as it grows: blanks are written when something follows. */
struct squeezed {
	char text[PREVIEW_TEXT_BYTES];
	size_t n, characters;
	bool blank;
};

/*
 * The lines of the message go to everything; those worth showing go to chosen, the last two of them later: they
 * may prove to introduce a quotation.
 */
struct preview {
	struct text_decoder *decoder;
	bool is_html;
	struct html_text html;
	size_t fed_bytes;
	struct buf line;
	struct buf held[HELD_LINES]; /* the older one first */
	bool ended;                  /* the signature, or a message quoted whole, has begun */
	struct squeezed chosen, everything;
};

static bool is_shown(const struct mime_part *part)
{
	return part->kind == MIME_TEXT &&
	       !slice_equal_nocase(part->disposition, SLICE("attachment")) &&
	       (slice_equal_nocase(mime_subtype(part), SLICE("plain")) ||
		       slice_equal_nocase(mime_subtype(part), SLICE("html")));
}

/* The part behind this one, as the message runs; embedded messages are stepped over. */
static const struct mime_part *part_behind(const struct mime_part *part)
{
	if (part->children && part->kind == MIME_MULTIPART)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

const struct mime_part *preview_part(const struct mime_part *root, const struct mime_part *after)
{
	const struct mime_part *part = after ? part_behind(after) : root;

	while (part && !is_shown(part))
		part = part_behind(part);
	return part;
}

struct preview *preview_new(const struct mime_part *part)
{
	struct preview *preview = calloc(1, sizeof *preview);

	must(preview != NULL);
	preview->decoder = text_decoder_new(part);
	preview->is_html = slice_equal_nocase(mime_subtype(part), SLICE("html"));
	preview->html.skip_quoted = true;
	preview->line = BUF(LINE_BYTES);
	for (size_t i = 0; i < HELD_LINES; i++)
		preview->held[i] = BUF(LINE_BYTES);
	return preview;
}

void preview_free(struct preview *preview)
{
	if (!preview)
		return;
	text_decoder_free(preview->decoder);
	buf_done(&preview->line);
	for (size_t i = 0; i < HELD_LINES; i++)
		buf_done(&preview->held[i]);
	free(preview);
}

static bool is_blank(uint32_t c)
{
	return c <= ' ' || (c >= 0x7f && c <= 0xa0) || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

/* What newsletters fill the space behind their first words with, and what would turn the list around it to the left. */
static bool is_invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || c == 0x180e ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static bool is_full(const struct squeezed *to)
{
	return to->characters == PREVIEW_CHARACTERS;
}

static void add_character(struct squeezed *to, struct slice character)
{
	if (to->blank && to->characters > 0 && to->characters + 1 < PREVIEW_CHARACTERS) {
		to->text[to->n++] = ' ';
		to->characters++;
	} else if (to->blank &&
		   to->characters > 0) { /* nothing may follow the blank: that is the end */
		to->characters = PREVIEW_CHARACTERS;
		return;
	}
	to->blank = false;
	memcpy(to->text + to->n, character.p, character.n);
	to->n += character.n;
	to->characters++;
}

/* text: valid UTF-8. */
static void add(struct squeezed *to, struct slice text)
{
	while (text.n > 0 && !is_full(to)) {
		struct slice before = text;
		uint32_t c = utf8_take_valid(&text);

		if (is_blank(c))
			to->blank = true;
		else if (!is_invisible(c))
			add_character(to, slice_head(before, before.n - text.n));
	}
	to->blank = true;
}

static void release_held(struct preview *preview)
{
	for (size_t i = 0; i < HELD_LINES; i++) {
		add(&preview->chosen, buf_slice(&preview->held[i]));
		buf_clear(&preview->held[i]);
	}
}

static void hold(struct preview *preview, struct slice line)
{
	struct buf oldest = preview->held[0];

	add(&preview->chosen, buf_slice(&oldest));
	buf_clear(&oldest);
	preview->held[0] = preview->held[1];
	preview->held[1] = oldest;
	must(buf_add(&preview->held[1], line) == 0);
}

/* "On Friday, A wrote:", perhaps on two lines, before a quotation. */
static void drop_introduction(struct preview *preview)
{
	struct slice last = slice_trim(buf_slice(&preview->held[1]));
	struct slice before = slice_trim(buf_slice(&preview->held[0]));

	if (!slice_ends_with(last, SLICE(":")) && !slice_ends_with(last, SLICE("\xef\xbc\x9a")))
		return;
	buf_clear(&preview->held[1]);
	if (slice_starts_with(before, SLICE("On ")) && !slice_starts_with(last, SLICE("On ")))
		buf_clear(&preview->held[0]);
}

/* A line of dashes, underscores and the like. Returns how many it begins with. */
static size_t rule_bytes(struct slice line)
{
	size_t n = 0;

	while (n < line.n && slice_find(SLICE("-_=*#~+"), line.p[n]) >= 0)
		n++;
	return n;
}

static bool has_text(const struct preview *preview)
{
	return preview->chosen.characters > 0 || preview->held[0].n > 0 || preview->held[1].n > 0;
}

static void take_line(struct preview *preview, struct slice whole)
{
	struct slice line = slice_trim(whole);
	size_t rule = rule_bytes(line);

	add(&preview->everything, line);
	if (preview->ended || line.n == 0)
		return;
	if (line.p[0] == '>') {
		drop_introduction(preview);
		release_held(preview);
	} else if (slice_equal(line, SLICE("--"))) {
		preview->ended = has_text(preview);
	} else if (rule >= RULE_BYTES) { /* "-----Original Message-----", or a rule */
		preview->ended = has_text(preview) && line.p[0] == '-' && rule < line.n;
		if (!preview->ended && rule < line.n)
			hold(preview, slice_tail(line, rule));
	} else {
		hold(preview, line);
	}
}

/* A line too long for the buffer is taken in pieces, cut at a character. */
static void take_long_line(struct preview *preview)
{
	struct slice line = buf_slice(&preview->line);
	size_t n = line.n - 1;

	while (n > 0 && ((uint8_t)line.p[n] & 0xc0) == 0x80)
		n--;
	take_line(preview, slice_head(line, n));
	buf_consume(&preview->line, n);
}

static void take_text(struct preview *preview, struct slice text)
{
	while (text.n > 0) {
		size_t room = buf_room(&preview->line);
		struct slice head = slice_head(text, room);
		ssize_t lf = slice_find(head, '\n');
		size_t n = lf >= 0 ? (size_t)lf : head.n;

		must(buf_add(&preview->line, slice_take(&text, n)) == 0);
		if (lf >= 0) {
			text = slice_tail(text, 1);
			take_line(preview, buf_slice(&preview->line));
			buf_clear(&preview->line);
		} else if (buf_room(&preview->line) == 0) {
			take_long_line(preview);
		}
	}
}

/* Decoded text: HTML is undone. */
static void take_decoded(struct preview *preview, struct slice text)
{
	_cleanup_buf_ struct buf plain = BUF(text.n + HTML_TEXT_HELD_BYTES);

	if (!preview->is_html) {
		take_text(preview, text);
		return;
	}
	must(html_text_feed(&preview->html, text, &plain) == 0);
	take_text(preview, buf_slice(&plain));
}

bool preview_feed(struct preview *preview, struct slice in)
{
	_cleanup_buf_ struct buf decoded = BUF(TEXT_GROWTH * CHUNK_BYTES + CHARSET_HELD_BYTES);

	while (in.n > 0 && !is_full(&preview->chosen) && preview->fed_bytes < PREVIEW_INPUT_BYTES) {
		struct slice chunk = slice_head(in, CHUNK_BYTES);

		in = slice_tail(in, chunk.n);
		preview->fed_bytes += chunk.n;
		buf_clear(&decoded);
		must(text_decoder_feed(preview->decoder, chunk, &decoded) == 0);
		take_decoded(preview, buf_slice(&decoded));
	}
	return is_full(&preview->chosen) || preview->fed_bytes >= PREVIEW_INPUT_BYTES;
}

static void finish_text(struct preview *preview)
{
	_cleanup_buf_ struct buf rest = BUF(TEXT_GROWTH * CHUNK_BYTES + CHARSET_HELD_BYTES);

	must(text_decoder_finish(preview->decoder, &rest) == 0);
	take_decoded(preview, buf_slice(&rest));
	buf_clear(&rest);
	must(html_text_finish(&preview->html, &rest) == 0);
	take_text(preview, buf_slice(&rest));
	take_text(preview, SLICE("\n"));
	release_held(preview);
}

struct slice preview_finish(struct preview *preview)
{
	finish_text(preview);

	const struct squeezed *best =
		preview->chosen.characters > 0 ? &preview->chosen : &preview->everything;

	return slice_from(best->text, best->n);
}
