#include "maildir/message/text.h"

#include "base/must.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/html_text.h"
#include "maildir/message/rfc2047.h"
#include "maildir/message/transfer.h"

#include <errno.h>

enum {
	NEEDLE_BYTES = 256 * 1024, /* prepared; above what a command can carry */
	CHUNK_BYTES = 4096,        /* of a body, decoded at once */
	PLAIN_BYTES = 512,         /* of a header field that is looked at where it stands */
};

int text_header(struct slice value, struct buf *out)
{
	return rfc2047_decode(value, out);
}

int text_needle_init(struct text_needle *needle, struct slice utf8)
{
	needle->folded = BUF(NEEDLE_BYTES);
	return casemap_append(utf8, &needle->folded);
}

void text_needle_done(struct text_needle *needle)
{
	buf_done(&needle->folded);
}

bool text_contains(struct slice utf8, const struct text_needle *needle)
{
	_cleanup_buf_ struct buf folded = BUF(utf8.n * CASEMAP_GROWTH);

	if (needle->folded.n == 0)
		return true;
	must(casemap_append(utf8, &folded) == 0);
	return slice_find_slice(buf_slice(&folded), buf_slice(&needle->folded)) >= 0;
}

/* Whether a value is what it says: neither encoded words nor folding nor other charsets. */
static bool is_plain(struct slice value)
{
	unsigned found = 0;

	for (size_t i = 0; i < value.n; i++)
		found |= (unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f;
	return !found && slice_find_slice(value, SLICE("=?")) < 0;
}

/* Most header fields are plain, and short: they need no memory. Returns false: this one has to be decoded. */
static bool plain_contains(
	struct slice value, const struct text_needle *needle, bool *ret_contains)
{
	char folded[PLAIN_BYTES];

	value = slice_trim(value);
	if (value.n > sizeof folded || !is_plain(value) || !casemap_ascii(value, folded))
		return false;
	*ret_contains = slice_find_slice(
				slice_from(folded, value.n), buf_slice(&needle->folded)) >= 0;
	return true;
}

bool text_header_contains(struct slice value, const struct text_needle *needle)
{
	bool contains;

	if (plain_contains(value, needle, &contains))
		return contains;

	_cleanup_buf_ struct buf text = BUF(value.n * TEXT_GROWTH + CHARSET_HELD_BYTES);

	if (text_header(value, &text) < 0)
		return false;
	return text_contains(buf_slice(&text), needle);
}

struct text_decoder {
	struct transfer_decoder transfer;
	struct charset_decoder *charset;
};

struct text_decoder *text_decoder_new(const struct mime_part *part)
{
	struct text_decoder *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->transfer.encoding = transfer_encoding_from(part->encoding);
	d->charset = charset_decoder_new(mime_param_value(part->params, SLICE("charset")));
	return d;
}

void text_decoder_free(struct text_decoder *decoder)
{
	if (!decoder)
		return;
	charset_decoder_free(decoder->charset);
	free(decoder);
}

int text_decoder_feed(struct text_decoder *decoder, struct slice in, struct buf *out)
{
	_cleanup_buf_ struct buf bytes = BUF(CHUNK_BYTES + TRANSFER_HELD_BYTES);
	int r = 0;

	if (decoder->transfer.encoding == TRANSFER_IDENTITY)
		return charset_decoder_feed(decoder->charset, in, out);
	while (r == 0 && in.n > 0) {
		struct slice piece = slice_take(&in, in.n < CHUNK_BYTES ? in.n : CHUNK_BYTES);

		buf_clear(&bytes);
		must(transfer_feed(&decoder->transfer, piece, &bytes) == 0);
		r = charset_decoder_feed(decoder->charset, buf_slice(&bytes), out);
	}
	return r;
}

int text_decoder_finish(struct text_decoder *decoder, struct buf *out)
{
	_cleanup_buf_ struct buf bytes = BUF(TRANSFER_HELD_BYTES);

	must(transfer_finish(&decoder->transfer, &bytes) == 0);

	int r = charset_decoder_feed(decoder->charset, buf_slice(&bytes), out);

	return r < 0 ? r : charset_decoder_finish(decoder->charset, out);
}

struct text_search {
	struct text_decoder *decoder; /* borrowed, as is the needle */
	const struct text_needle *needle;
	struct buf text;   /* decoded */
	bool is_html;
	struct html_text html;
	struct buf plain; /* of HTML, its text */
	struct buf folded; /* the end of what was looked through, shorter than the needle, and what follows */
	bool found;
};

struct text_search *text_search_new(struct text_decoder *decoder, const struct text_needle *needle)
{
	struct text_search *s = calloc(1, sizeof *s);
	size_t most = CHUNK_BYTES * TEXT_GROWTH + CHARSET_HELD_BYTES;

	must(s != NULL);
	s->decoder = decoder;
	s->needle = needle;
	s->text = BUF(most);
	s->plain = BUF(most + 2 * HTML_TEXT_HELD_BYTES);
	s->folded = BUF(needle->folded.n + (most + 2 * HTML_TEXT_HELD_BYTES) * CASEMAP_GROWTH);
	s->found = needle->folded.n == 0;
	return s;
}

void text_search_free(struct text_search *search)
{
	if (!search)
		return;
	buf_done(&search->text);
	buf_done(&search->plain);
	buf_done(&search->folded);
	free(search);
}

void text_search_html(struct text_search *search)
{
	search->is_html = true;
}

/* Look through text, which is whole characters. */
static void look_at(struct text_search *s, struct slice text)
{
	must(casemap_append(text, &s->folded) == 0);
	s->found = slice_find_slice(buf_slice(&s->folded), buf_slice(&s->needle->folded)) >= 0;
	if (s->folded.n >= s->needle->folded.n)
		buf_consume(&s->folded, s->folded.n - (s->needle->folded.n - 1));
}

/* Look through s->text. */
static void look(struct text_search *s, bool ends)
{
	if (s->is_html) {
		must(html_text_feed(&s->html, buf_slice(&s->text), &s->plain) == 0);
		if (ends)
			must(html_text_finish(&s->html, &s->plain) == 0);
		look_at(s, buf_slice(&s->plain));
		buf_clear(&s->plain);
	} else {
		look_at(s, buf_slice(&s->text));
	}
	buf_clear(&s->text);
}

bool text_search_feed(struct text_search *search, struct slice in)
{
	while (!search->found && in.n > 0) {
		struct slice piece = slice_take(&in, in.n < CHUNK_BYTES ? in.n : CHUNK_BYTES);

		must(text_decoder_feed(search->decoder, piece, &search->text) == 0);
		look(search, false);
	}
	return search->found;
}

bool text_search_finish(struct text_search *search)
{
	if (search->found)
		return true;
	must(text_decoder_finish(search->decoder, &search->text) == 0);
	look(search, true);
	return search->found;
}
