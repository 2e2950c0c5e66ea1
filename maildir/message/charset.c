/*
 * A decoder is one of: UTF-8, checked here; ISO-2022-JP, rewritten here as EUC and given to libc, whose own decoder
 * knows none of the vendors' characters; any other, given to libc; or a guess that is not yet made, which gathers
 * bytes from the first that is not ASCII, until there are enough to judge.
 */
#include "maildir/message/charset.h"

#include "base/must.h"
#include "maildir/message/charset_guess.h"
#include "maildir/message/charset_names.h"
#include "maildir/message/iso2022jp.h"

#include <errno.h>
#include <iconv.h>

enum { GUESS_BYTES = 1024, HELD_BYTES = 16, CHUNK_BYTES = 1024 };

static const struct slice replacement = SLICE("\xef\xbf\xbd"); /* U+FFFD */

struct charset_decoder {
	const struct charset *asked; /* what it starts with again after a finish */
	enum charset_kind kind;
	iconv_t cd;
	bool has_cd;
	size_t held_n;
	char held[HELD_BYTES];  /* the beginning of a character */
	struct iso2022jp jis;
	struct buf undecided;   /* CHARSET_GUESS */
};

struct charset_preload {
	size_t n;
	iconv_t kept[];
};

struct charset_preload *charset_preload(unsigned *ret_missing)
{
	size_t count = 0;

	while (charset_at(count))
		count++;

	struct charset_preload *preload = calloc(1, sizeof *preload + count * sizeof(iconv_t));
	unsigned missing = 0;

	must(preload != NULL);
	for (size_t i = 0; i < count; i++) {
		const char *name = charset_at(i)->iconv_name;
		iconv_t cd = name ? iconv_open("UTF-8", name) : (iconv_t)-1;

		if (cd != (iconv_t)-1)
			preload->kept[preload->n++] = cd;
		else
			missing += name != NULL;
	}
	*ret_missing = missing;
	return preload;
}

void charset_preload_free(struct charset_preload *preload)
{
	if (!preload)
		return;
	for (size_t i = 0; i < preload->n; i++)
		iconv_close(preload->kept[i]);
	free(preload);
}

bool charset_known(struct slice name)
{
	return charset_find(name) != NULL;
}

const char *charset_name(size_t i)
{
	const struct charset *charset = charset_at(i);

	return charset ? charset->name : NULL;
}

static void close_converter(struct charset_decoder *d)
{
	if (d->has_cd)
		iconv_close(d->cd);
	d->has_cd = false;
}

/* eucJP-ms is Microsoft's; JIS X 0213 has its own characters where vendors put theirs. */
static bool is_vendor_jis(const struct charset *charset)
{
	return charset && charset->iconv_name && strcmp(charset->iconv_name, "EUC-JP-MS") == 0;
}

/* Turn to a charset. One that cannot be had is guessed instead; a guess itself is never one of those. */
static void use_charset(struct charset_decoder *d, const struct charset *charset)
{
	close_converter(d);
	d->kind = charset ? charset->kind : CHARSET_GUESS;
	d->held_n = 0;
	d->jis = (struct iso2022jp){ .vendor_rows = is_vendor_jis(charset) };
	if (!charset || !charset->iconv_name)
		return;
	d->cd = iconv_open("UTF-8", charset->iconv_name);
	d->has_cd = d->cd != (iconv_t)-1;
	if (!d->has_cd)
		d->kind = CHARSET_UTF8;
}

struct charset_decoder *charset_decoder_new(struct slice name)
{
	struct charset_decoder *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->undecided = BUF(GUESS_BYTES);
	d->asked = charset_find(name);
	use_charset(d, d->asked);
	return d;
}

void charset_decoder_free(struct charset_decoder *decoder)
{
	if (!decoder)
		return;
	close_converter(decoder);
	buf_done(&decoder->undecided);
	free(decoder);
}

/* Take whole characters off the front of *in; what is left is the beginning of one, or nothing. */
static int take_utf8(struct slice *in, struct buf *out)
{
	while (in->n > 0) {
		size_t good = 0;
		int n = 1, r;

		while (good < in->n && (n = utf8_character(slice_tail(*in, good))) > 0)
			good += (size_t)n;
		r = buf_add(out, slice_take(in, good));
		if (r < 0)
			return r;
		if (n == 0)
			return 0;
		if (n > 0)
			continue;
		*in = slice_tail(*in, (size_t)-n);
		r = buf_add(out, replacement);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * How much to pass over where libc finds no character. In EUC of our own making that is a whole one, as it was
 * written; in what others wrote it is one byte, since the next may begin a character.
 */
static size_t bad_bytes(const struct charset_decoder *d, struct slice in)
{
	uint8_t first = (uint8_t)in.p[0];
	size_t n = first == 0x8f ? 3 : first >= 0x80 && first != 0xff ? 2 : 1;

	return d->kind == CHARSET_ISO_2022_JP && n <= in.n ? n : 1;
}

/* As take_utf8(), by libc. */
static int take_iconv(struct charset_decoder *d, struct slice *in, struct buf *out)
{
	while (in->n > 0) {
		char text[4 * CHUNK_BYTES], *to = text, *from = (char *)(uintptr_t)in->p;
		size_t left = in->n, room = sizeof text;
		size_t converted = iconv(d->cd, &from, &left, &to, &room);
		int error = converted == (size_t)-1 ? errno : 0;
		int r = buf_add(out, slice_from(text, (size_t)(to - text)));

		*in = slice_tail(*in, in->n - left);
		if (r == 0 && error == EILSEQ) {
			*in = slice_tail(*in, bad_bytes(d, *in));
			r = buf_add(out, replacement);
		}
		if (r < 0 || error == EINVAL)
			return r;
	}
	return 0;
}

/* Rewrite as EUC by chunks. */
static int take_iso2022jp(struct charset_decoder *d, struct slice *in, struct buf *out)
{
	while (in->n > 0) {
		char euc[3 * CHUNK_BYTES];
		size_t used = in->n < CHUNK_BYTES ? in->n : CHUNK_BYTES;
		struct slice text = slice_from(euc, iso2022jp_to_euc(&d->jis, slice_head(*in, used), euc));
		int r = take_iconv(d, &text, out);

		*in = slice_tail(*in, used);
		if (r == 0 && text.n > 0)
			r = buf_add(out, replacement); /* never cut: only whole characters were written */
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_characters(struct charset_decoder *d, struct slice *in, struct buf *out)
{
	switch (d->kind) {
	case CHARSET_ICONV:
		return take_iconv(d, in, out);
	case CHARSET_ISO_2022_JP:
		return take_iso2022jp(d, in, out);
	case CHARSET_UTF8:
	case CHARSET_GUESS:
		break;
	}
	return take_utf8(in, out);
}

/* Complete the held character byte by byte, until nothing is held or in is used up. */
static int feed_held(struct charset_decoder *d, struct slice *in, struct buf *out)
{
	while (d->held_n > 0 && in->n > 0) {
		struct slice held = { d->held, d->held_n + 1 };

		d->held[d->held_n++] = in->p[0];
		*in = slice_tail(*in, 1);

		int r = take_characters(d, &held, out);

		if (r < 0)
			return r;
		if (held.n == HELD_BYTES) { /* no character is that long */
			held.n = 0;
			r = buf_add(out, replacement);
		}
		if (held.n > 0)
			memmove(d->held, held.p, held.n);
		d->held_n = held.n;
		if (r < 0)
			return r;
	}
	return 0;
}

static int feed_known(struct charset_decoder *d, struct slice in, struct buf *out)
{
	int r = feed_held(d, &in, out);

	if (r == 0 && in.n > 0)
		r = take_characters(d, &in, out);
	if (r < 0)
		return r;
	if (in.n >= HELD_BYTES)
		return buf_add(out, replacement);
	if (in.n > 0)
		memcpy(d->held, in.p, in.n);
	if (in.n > 0)
		d->held_n = in.n;
	return 0;
}

/* Make the guess by what was gathered, and convert that. */
static int decide(struct charset_decoder *d, bool more_follows, struct buf *out)
{
	use_charset(d, charset_find(charset_guess(buf_slice(&d->undecided), more_follows)));

	int r = feed_known(d, buf_slice(&d->undecided), out);

	buf_clear(&d->undecided);
	return r;
}

static bool says_nothing(char c)
{
	return (uint8_t)c < 0x80 && c != 0x1b;
}

static int feed_guess(struct charset_decoder *d, struct slice in, struct buf *out)
{
	size_t plain = 0;

	while (d->undecided.n == 0 && plain < in.n && says_nothing(in.p[plain]))
		plain++;

	int r = buf_add(out, slice_take(&in, plain));

	if (r < 0)
		return r;

	struct slice more = slice_head(in, buf_room(&d->undecided));

	must(buf_add(&d->undecided, more) == 0);
	if (buf_room(&d->undecided) > 0)
		return 0;
	r = decide(d, true, out);
	return r < 0 ? r : feed_known(d, slice_tail(in, more.n), out);
}

int charset_decoder_feed(struct charset_decoder *decoder, struct slice in, struct buf *out)
{
	if (in.n == 0)
		return 0;
	return decoder->kind == CHARSET_GUESS ? feed_guess(decoder, in, out) : feed_known(decoder, in, out);
}

/* Have libc write what it holds back, and return to its first state. */
static int flush_iconv(struct charset_decoder *d, struct buf *out)
{
	char text[64], *to = text;
	size_t room = sizeof text;

	if (!d->has_cd)
		return 0;
	iconv(d->cd, NULL, NULL, &to, &room);
	return buf_add(out, slice_from(text, (size_t)(to - text)));
}

int charset_decoder_finish(struct charset_decoder *decoder, struct buf *out)
{
	int r = decoder->undecided.n > 0 ? decide(decoder, false, out) : 0;

	if (r == 0)
		r = flush_iconv(decoder, out);
	if (r == 0 && (decoder->held_n > 0 || iso2022jp_is_cut(&decoder->jis)))
		r = buf_add(out, replacement);
	if (decoder->asked && decoder->kind == decoder->asked->kind) {
		decoder->held_n = 0;
		decoder->jis = (struct iso2022jp){ .vendor_rows = is_vendor_jis(decoder->asked) };
	} else {
		use_charset(decoder, decoder->asked);
	}
	buf_clear(&decoder->undecided);
	return r;
}

int charset_to_utf8(struct slice name, struct slice in, struct buf *out)
{
	_cleanup_charset_decoder_ struct charset_decoder *decoder = charset_decoder_new(name);
	size_t before = out->n;
	int r = charset_decoder_feed(decoder, in, out);

	if (r == 0)
		r = charset_decoder_finish(decoder, out);
	if (r < 0)
		buf_truncate(out, before);
	return r;
}
