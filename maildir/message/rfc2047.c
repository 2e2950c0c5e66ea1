#include "maildir/message/rfc2047.h"

#include "base/must.h"
#include "maildir/message/charset.h"
#include "maildir/message/header.h"
#include "maildir/message/transfer.h"

#include <errno.h>

enum { WORD_CHARSET_BYTES = 64 };

struct encoded_word {
	struct slice charset; /* without the language */
	struct slice text;
	bool is_base64;
};

struct word_scan {
	struct slice in;
	struct buf *out;
	bool no_more_ends; /* no "?=" follows: nothing from here on is an encoded word */

	/* Of the run of words under way. */
	struct charset_decoder *decoder;
	struct slice charset;
	struct transfer_decoder base64;
};

/* Take an encoded word off the front of s->in. RFC 2047 section 2, but blanks and any length are let pass. */
static bool take_word(struct word_scan *s, struct encoded_word *ret_word)
{
	struct slice in = s->in, charset, encoding;

	if (s->no_more_ends || !slice_skip_nocase(&in, SLICE("=?")))
		return false;

	ssize_t n = slice_find(slice_head(in, WORD_CHARSET_BYTES), '?');

	if (n <= 0)
		return false;
	slice_split(&in, '?', &charset);
	if (in.n < 2 || in.p[1] != '?' || !strchr("bBqQ", in.p[0]) || slice_find(charset, ' ') >= 0)
		return false;
	encoding = slice_take(&in, 2);
	n = slice_find_slice(in, SLICE("?="));
	s->no_more_ends = n < 0;
	if (n < 0)
		return false;
	ret_word->text = slice_take(&in, (size_t)n);
	ret_word->is_base64 = ascii_lower(encoding.p[0]) == 'b';
	slice_split(&charset, '*', &ret_word->charset);
	s->in = slice_tail(in, 2);
	return true;
}

static int end_run(struct word_scan *s)
{
	int r = s->decoder ? charset_decoder_finish(s->decoder, s->out) : 0;

	charset_decoder_free(s->decoder);
	s->decoder = NULL;
	return r;
}

/* Go on with the run's converter, or begin another. */
static int begin_word(struct word_scan *s, const struct encoded_word *word)
{
	int r = 0;

	if (s->decoder && slice_equal_nocase(s->charset, word->charset))
		return 0;
	r = end_run(s);
	s->decoder = charset_decoder_new(word->charset);
	s->charset = word->charset;
	s->base64 = (struct transfer_decoder){ .encoding = TRANSFER_BASE64 };
	return r;
}

static int add_word(struct word_scan *s, const struct encoded_word *word)
{
	_cleanup_buf_ struct buf bytes = BUF(word->text.n + TRANSFER_HELD_BYTES);
	int r = begin_word(s, word);

	if (r < 0 || word->text.n == 0)
		return r;
	if (word->is_base64) {
		must(transfer_feed(&s->base64, word->text, &bytes) == 0);
	} else {
		char *at = buf_reserve(&bytes, word->text.n);

		must(at != NULL);
		buf_grown(&bytes, transfer_undo_hex(word->text, '=', '_', at));
	}
	return charset_decoder_feed(s->decoder, buf_slice(&bytes), s->out);
}

static size_t count_blanks(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n;
}

/* Take the words in front, and the blanks between them. Returns 1 if there was one, 0 if none, -ENOBUFS. */
static int take_words(struct word_scan *s)
{
	struct encoded_word word;
	int r = 0, any = 0;

	while (r == 0 && take_word(s, &word)) {
		struct slice behind = s->in;

		any = 1;
		r = add_word(s, &word);
		s->in = slice_tail(s->in, count_blanks(s->in));
		if (!slice_starts_with(s->in, SLICE("=?"))) {
			s->in = behind;
			break;
		}

		struct slice before = s->in;
		struct encoded_word next;

		if (!take_word(s, &next)) {
			s->in = behind;
			break;
		}
		s->in = before;
	}
	if (r == 0)
		r = end_run(s);
	return r < 0 ? r : any;
}

/* What stands outside words says no charset. */
static int add_plain(struct slice plain, struct buf *out)
{
	return plain.n > 0 ? charset_to_utf8(slice_from(NULL, 0), plain, out) : 0;
}

/* Bytes in front that begin no encoded word: up to the next "=?" behind the first byte. */
static size_t plain_bytes(struct slice in)
{
	ssize_t n = slice_find_slice(slice_tail(in, 1), SLICE("=?"));

	return n < 0 ? in.n : (size_t)n + 1;
}

static void blank_controls(struct buf *out, size_t from)
{
	for (size_t i = from; i < out->n; i++)
		if (((uint8_t)out->p[i] < ' ' && out->p[i] != '\t') || out->p[i] == 0x7f)
			out->p[i] = ' ';
}

static int decode(struct slice unfolded, struct buf *out)
{
	struct word_scan s = { .in = unfolded, .out = out };
	struct slice plain = { unfolded.p, 0 };
	int r = 0;

	/* Plain text is converted as a whole where no word interrupts it: a guess needs all there is. */
	while (r == 0 && s.in.n > 0) {
		struct encoded_word word;
		struct word_scan probe = s;

		if (take_word(&probe, &word)) {
			r = add_plain(plain, out);
			if (r == 0)
				r = take_words(&s);
			r = r < 0 ? r : 0;
			plain = slice_from(s.in.p, 0);
			continue;
		}
		s.no_more_ends = probe.no_more_ends;
		plain.n += slice_take(&s.in, plain_bytes(s.in)).n;
	}
	if (r == 0)
		r = add_plain(plain, out);
	charset_decoder_free(s.decoder);
	return r;
}

int rfc2047_decode(struct slice value, struct buf *out)
{
	_cleanup_buf_ struct buf unfolded = BUF(value.n);
	size_t before = out->n;

	must(header_unfold(value, &unfolded) == 0);

	int r = decode(buf_slice(&unfolded), out);

	if (r < 0)
		buf_truncate(out, before);
	else
		blank_controls(out, before);
	return r;
}
