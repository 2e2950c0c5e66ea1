#include "maildir/message/html_text.h"

#include "base/must.h"
#include "maildir/message/html_entities.h"

#include <errno.h>

/* What is left out with its content. Row i is meant by hidden i + 1. */
static const struct slice hidden_elements[] = {
	{ "script", 6 },
	{ "style", 5 },
	{ "title", 5 },
	{ "template", 8 },
};
enum { HIDDEN_ELEMENTS = sizeof hidden_elements / sizeof *hidden_elements };

/* What begins a line; of table cells, a blank. */
static const char line_elements[] = " address article aside blockquote body br center dd details "
				    "dir div dl dt fieldset figcaption"
				    " figure footer form h1 h2 h3 h4 h5 h6 header hr html legend "
				    "li main menu nav ol option p pre section"
				    " select summary table tbody tfoot thead tr ul ";
static const char blank_elements[] = " td th img input button ";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_among(struct slice name, const char *words)
{
	char padded[HTML_TEXT_NAME_BYTES + 3];

	padded[0] = ' ';
	memcpy(padded + 1, name.p, name.n);
	padded[name.n + 1] = ' ';
	return slice_find_slice(slice_str(words), slice_from(padded, name.n + 2)) >= 0;
}

static bool shows(const struct html_text *h)
{
	return h->hidden == 0 && h->quoted == 0;
}

/* There is room: what is appended never is longer than what was read for it. */
static void put(struct html_text *h, struct slice text, struct buf *out)
{
	if (shows(h))
		must(buf_add(out, text) == 0);
}

static void put_char(struct html_text *h, char c, struct buf *out)
{
	put(h, slice_from(&c, 1), out);
}

static void put_code_point(struct html_text *h, uint32_t c, struct buf *out)
{
	char text[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		text[i] = (char)(0x80 | (c & 0x3f));
	text[0] = (char)(lead[n] | c);
	put(h, slice_from(text, n), out);
}

/* Without ";" only what is no other word. */
static bool needs_no_end(struct slice name)
{
	return name.p[0] == '#' ||
	       is_among(slice_head(name, HTML_TEXT_NAME_BYTES), " amp lt gt quot nbsp ");
}

/* What follows "&" has ended: by ";" or not. */
static void end_entity(struct html_text *h, bool ended, struct buf *out)
{
	struct slice name = slice_from(h->held, h->held_n);
	uint32_t c = name.n > 0 && (ended || needs_no_end(name)) ? html_entity(name) : 0;

	h->state = HTML_TEXT_PLAIN;
	if (c > 0) {
		put_code_point(h, c, out);
		return;
	}
	put_char(h, '&', out);
	put(h, name, out);
	if (ended)
		put_char(h, ';', out);
}

static void begin_element(struct html_text *h, struct slice name)
{
	for (uint8_t i = 0; !h->closing && i < HIDDEN_ELEMENTS; i++)
		if (slice_equal(name, hidden_elements[i]))
			h->hidden = (uint8_t)(i + 1);
	if (!h->skip_quoted || !slice_equal(name, SLICE("blockquote")))
		return;
	if (!h->closing)
		h->quoted += h->quoted < UINT32_MAX;
	else if (h->quoted > 0)
		h->quoted--;
}

/* The name of a tag is complete. */
static void take_name(struct html_text *h, struct buf *out)
{
	struct slice name = slice_from(h->name, h->name_n);

	h->state = HTML_TEXT_TAG;
	if (h->hidden > 0) { /* nothing counts but its own end */
		if (h->closing && slice_equal(name, hidden_elements[h->hidden - 1]))
			h->hidden = 0;
		else
			h->state = HTML_TEXT_PLAIN;
		return;
	}
	if (is_among(name, line_elements))
		put_char(h, '\n', out);
	else if (is_among(name, blank_elements))
		put_char(h, ' ', out);
	begin_element(h, name);
}

/* The functions below take c and say whether it was consumed: if not, it is for the new state. */

static bool on_entity(struct html_text *h, char c, struct buf *out)
{
	if (c == ';') {
		end_entity(h, true, out);
		return true;
	}
	if (h->held_n < HTML_TEXT_NAME_BYTES &&
		(ascii_is_alpha(c) || ascii_is_digit(c) || (c == '#' && h->held_n == 0))) {
		h->held[h->held_n++] = c;
		return true;
	}
	end_entity(h, false, out);
	return false;
}

static bool on_open(struct html_text *h, char c, struct buf *out)
{
	if (c == '/' && !h->closing) {
		h->closing = true;
		return true;
	}
	if (ascii_is_alpha(c) && (h->hidden == 0 || h->closing)) {
		h->state = HTML_TEXT_TAG_NAME;
		h->name_n = 0;
		return false;
	}
	if (h->hidden == 0 && !h->closing && (c == '!' || c == '?')) {
		h->state = c == '!' ? HTML_TEXT_COMMENT_START : HTML_TEXT_DECLARATION;
		h->dashes = 0;
		return true;
	}
	h->state = HTML_TEXT_PLAIN;
	put_char(h, '<', out);
	if (h->closing)
		put_char(h, '/', out);
	return false;
}

static bool on_tag_name(struct html_text *h, char c, struct buf *out)
{
	if (is_blank(c) || c == '/' || c == '>') {
		take_name(h, out);
		return false;
	}
	if (h->name_n < HTML_TEXT_NAME_BYTES)
		h->name[h->name_n++] = ascii_lower(c);
	return true;
}

static void on_tag(struct html_text *h, char c)
{
	if (c == '>')
		h->state = HTML_TEXT_PLAIN;
	else if (c == '=')
		h->quote = '=';
	else if ((c == '"' || c == '\'') && h->quote == '=') { /* elsewhere it is a stray one */
		h->quote = c;
		h->state = HTML_TEXT_QUOTED;
	} else if (!is_blank(c))
		h->quote = 0;
}

static bool on_comment_start(struct html_text *h, char c)
{
	if (c != '-') {
		h->state = HTML_TEXT_DECLARATION;
		return false;
	}
	if (++h->dashes == 2)
		h->state = HTML_TEXT_COMMENT;
	return true;
}

static void on_comment(struct html_text *h, char c)
{
	if (c == '>' && h->dashes >= 2)
		h->state = HTML_TEXT_PLAIN;
	h->dashes = c != '-' ? 0 : h->dashes < 2 ? (uint8_t)(h->dashes + 1) : 2;
}

/* Text, as far as it goes, and what ends it. */
static void on_plain(struct html_text *h, struct slice *in, struct buf *out)
{
	size_t n = 0;

	while (n < in->n && in->p[n] != '<' && in->p[n] != '&')
		n++;
	put(h, slice_take(in, n), out);
	if (in->n == 0)
		return;

	char c = slice_take(in, 1).p[0];

	h->state = c == '<' ? HTML_TEXT_OPEN : HTML_TEXT_ENTITY;
	h->closing = false;
	h->held_n = 0;
	h->quote = 0;
}

/* Returns whether c was consumed. */
static bool take_char(struct html_text *h, char c, struct buf *out)
{
	switch (h->state) {
	case HTML_TEXT_ENTITY:
		return on_entity(h, c, out);
	case HTML_TEXT_OPEN:
		return on_open(h, c, out);
	case HTML_TEXT_TAG_NAME:
		return on_tag_name(h, c, out);
	case HTML_TEXT_TAG:
		on_tag(h, c);
		return true;
	case HTML_TEXT_QUOTED:
		if (c == h->quote) {
			h->quote = 0;
			h->state = HTML_TEXT_TAG;
		}
		return true;
	case HTML_TEXT_DECLARATION:
		if (c == '>')
			h->state = HTML_TEXT_PLAIN;
		return true;
	case HTML_TEXT_COMMENT_START:
		return on_comment_start(h, c);
	case HTML_TEXT_COMMENT:
		on_comment(h, c);
		return true;
	case HTML_TEXT_PLAIN:
		break;
	}
	return false;
}

int html_text_feed(struct html_text *html, struct slice in, struct buf *out)
{
	if (buf_room(out) < in.n + HTML_TEXT_HELD_BYTES)
		return -ENOBUFS;
	while (in.n > 0) {
		if (html->state == HTML_TEXT_PLAIN)
			on_plain(html, &in, out);
		else if (take_char(html, in.p[0], out))
			in = slice_tail(in, 1);
	}
	return 0;
}

int html_text_finish(struct html_text *html, struct buf *out)
{
	if (buf_room(out) < HTML_TEXT_HELD_BYTES)
		return -ENOBUFS;
	if (html->state == HTML_TEXT_ENTITY)
		end_entity(html, false, out);
	if (html->state == HTML_TEXT_OPEN)
		put(html, html->closing ? SLICE("</") : SLICE("<"), out);
	html->state = HTML_TEXT_PLAIN;
	return 0;
}
