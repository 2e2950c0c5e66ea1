/* charset.h - text of any charset to UTF-8, by iconv and a few decoders of our own. Does no I/O once preloaded. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Names are those of mail, in any case, with the aliases and the mislabelling of practice: what calls itself
 * iso-8859-1 is read as windows-1252, shift_jis as CP932, euc-jp as EUC-JP-MS, gb2312 as GB18030, euc-kr as CP949.
 * ISO-2022-JP is read with half-width kana, NEC and IBM characters, JIS X 0212 and 8-bit kana.
 * A charset that is not known, none at all, and us-ascii with 8-bit bytes are guessed: ISO-2022-JP by its escapes,
 * UTF-8, EUC-JP and Shift_JIS by what is valid and likely, else windows-1252.
 * What is no character becomes U+FFFD. Output is always valid UTF-8.
 */
struct charset_preload;

/*
 * Open a converter of every charset we know and keep it, so that the files of libc's converters are loaded now and
 * never in a sandbox. Call once, before any fork.
 * Returns  what keeps them loaded; hold it for the life of the process. *ret_missing: how many this libc lacks.
 */
struct charset_preload *charset_preload(unsigned *ret_missing);
void charset_preload_free(struct charset_preload *preload);

/* Whether the name is one of those we know: for BADCHARSET of SEARCH (RFC 9051 section 6.4.4). */
bool charset_known(struct slice name);

/* For the list of BADCHARSET: the i-th of the preferred names; NULL behind the last. */
const char *charset_name(size_t i);

/* A conversion under way, resumable at any byte. */
struct charset_decoder;

/* Start. Never fails: an unknown name, or a converter that cannot be had, means guessing. */
struct charset_decoder *charset_decoder_new(struct slice name);
void charset_decoder_free(struct charset_decoder *decoder);

/*
 * Convert in and append it to out, whole characters only; what is cut at the end is kept for the next call.
 * Returns 0; -ENOBUFS: part of the text is lost, do not go on. Needs room for at most 4 * in.n + CHARSET_HELD_BYTES.
 */
enum { CHARSET_HELD_BYTES = 4096 };
_must_check_ int charset_decoder_feed(struct charset_decoder *decoder, struct slice in, struct buf *out);

/* Say that the text has ended: what was kept is a cut character. The decoder is then as new. */
_must_check_ int charset_decoder_finish(struct charset_decoder *decoder, struct buf *out);

/* Convert a whole text. Returns 0 or -ENOBUFS: out is as before. */
_must_check_ int charset_to_utf8(struct slice name, struct slice in, struct buf *out);

static inline void charset_decoder_cleanup(struct charset_decoder **decoder)
{
	charset_decoder_free(*decoder);
}
#define _cleanup_charset_decoder_ _cleanup_(charset_decoder_cleanup)
