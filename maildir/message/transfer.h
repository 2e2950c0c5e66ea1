/* transfer.h - undoes Content-Transfer-Encoding: base64 and quoted-printable. Pure, resumable at any byte. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

enum transfer_encoding {
	TRANSFER_IDENTITY, /* 7bit, 8bit, binary, none */
	TRANSFER_BASE64,
	TRANSFER_QUOTED_PRINTABLE,
	TRANSFER_UNKNOWN,  /* cannot be undone (RFC 9051 UNKNOWN-CTE); bytes pass as they are. uuencode too */
};

/* Recognise the value of the field, in any case, comments allowed; p NULL is TRANSFER_IDENTITY. RFC 2045 section 6. */
enum transfer_encoding transfer_encoding_from(struct slice value);

/* Start with all zeros but encoding. */
struct transfer_decoder {
	enum transfer_encoding encoding;
	uint32_t bits;   /* base64: digits not yet written */
	uint8_t n_bits;
	bool broken;     /* something was not the encoding: it was passed over, or passed through */
	uint8_t held_n;  /* quoted-printable: a started "=" */
	char held[2];
	uint8_t blanks_n; /* quoted-printable: blanks that may turn out to be at the end of a line */
	char blanks[80];
};

enum { TRANSFER_HELD_BYTES = 82 };

/*
 * Decode in and append it to out.
 * Tolerant: base64 passes over what is no digit and goes on behind padding; quoted-printable lets pass what is no
 * valid "=" sequence, drops blanks at line ends, and keeps line ends as they are.
 * Returns 0, or -ENOBUFS: out and decoder are as before. It needs room for in.n + TRANSFER_HELD_BYTES.
 * RFC     2045 sections 6.7 and 6.8.
 */
_must_check_ int transfer_feed(struct transfer_decoder *decoder, struct slice in, struct buf *out);

/* Say that the body has ended; append what was held back. Returns 0 or -ENOBUFS. */
_must_check_ int transfer_finish(struct transfer_decoder *decoder, struct buf *out);

/*
 * Undo MARK HEX HEX in a parameter or an encoded word; what is no such sequence stays.
 * mark   '%' (RFC 2231 section 4) or '=' (RFC 2047 section 4.2)
 * blank  the character that stands for a blank ('_'), or 0
 * Writes at most s.n bytes, which may be those of s. Returns how many.
 */
size_t transfer_undo_hex(struct slice s, char mark, char blank, char *out);
