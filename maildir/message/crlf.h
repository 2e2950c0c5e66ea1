/* crlf.h - line ends as the protocols count and send them: a bare LF becomes CRLF. Pure, resumable at any byte. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * One rule everywhere: an LF that does not follow a CR becomes CRLF; CRLF stays; a CR elsewhere stays. So the only
 * state that passes from one stretch of bytes to the next is whether the last byte was a CR. Start with all zeros.
 */
struct crlf_count {
	uint64_t octets;  /* after conversion */
	uint64_t lines;   /* LFs seen */
	bool last_was_cr;
	bool has_nul;     /* a NUL was among the bytes */
};

/* Count in, as the bytes that follow what was counted before. At memory speed. */
void crlf_count(struct crlf_count *count, struct slice in);

/*
 * Convert from the front of in as much as fits into out_bytes at out.
 *
 * last_was_cr  the state; false at the start of a stretch. It is moved on. When only the CR of an LF fits, the CR is
 *              written, the LF stays unconsumed and the state is true: the next call then writes the LF alone.
 * replace_nul  write 0x80 for NUL (an IMAP literal cannot carry NUL: RFC 9051 section 4.3).
 * Returns      how many bytes of in were consumed; *ret_written: how many were written to out.
 */
size_t crlf_convert(struct slice in, bool replace_nul, bool *last_was_cr, char *out, size_t out_bytes,
	size_t *ret_written);

/* As crlf_convert() into a buf, all of in. Returns 0, or -ENOBUFS: out and the state are as before. */
_must_check_ int crlf_append(struct slice in, bool replace_nul, bool *last_was_cr, struct buf *out);

/*
 * Pass over converted octets without writing them: the start of a partial.
 * Consumes from the front of in until *octets, which counts down, is 0 or in is used up. May stop between the CR and
 * the LF of a converted LF; the state says so, as above.
 * Returns how many bytes of in were consumed.
 */
size_t crlf_skip(struct slice in, bool *last_was_cr, uint64_t *octets);
