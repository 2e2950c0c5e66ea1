/* binary_part.h - a part of a message with its transfer encoding undone, in steps and in bounded memory. RFC 3516; 9051 section 6.4.5. */
#pragma once

#include "maildir/message/section.h"
#include "maildir/message/transfer.h"
#include "maildir/reader.h"

/*
 * What FETCH BINARY sends. Of text/... all line ends are CRLF (RFC 9051 section 7.5.2), whatever was encoded. Multiparts, and the message
 * itself, have no encoding of their own: they are sent as they are, but for NUL, which stays.
 */
struct binary_facts {
	bool exists;  /* there is such a part */
	bool encoded; /* else stretch is what is sent */
	enum transfer_encoding encoding;
	bool is_text;
	struct stretch stretch; /* in the file */
	bool known;             /* what follows */
	uint64_t octets;        /* decoded */
	bool has_nul;
};

/*
 * Find a part. Where nothing is encoded all facts are known.
 * Returns 0; -EOPNOTSUPP: its encoding cannot be undone (UNKNOWN-CTE).
 */
_must_check_ int binary_part_find(const struct mime_part *root, const uint32_t *numbers, size_t n,
	struct binary_facts *ret_facts);

/* The decoder of one part. All zeros is a valid one of none; release it with binary_part_close(). */
struct binary_part {
	bool is_open;
	struct binary_facts facts;
	uint64_t offset; /* in the file: read up to here */
	struct transfer_decoder decoder;
	bool encoded_cr, decoded_cr; /* crlf.h's state */
	bool finished;               /* no more comes behind decoded */
	uint64_t position;           /* of decoded's first octet */
	struct buf decoded;          /* a part of up to BINARY_KEPT_BYTES is kept whole */
};

enum { BINARY_KEPT_BYTES = 128 * 1024 };

/* Begin to decode a part, or keep the decoder if it is of this one. */
void binary_part_open(struct binary_part *part, const struct binary_facts *facts);
void binary_part_close(struct binary_part *part);

/*
 * Decode all of it, to know its octets and whether NUL is among them.
 * Returns 0: facts->known is true; -EINPROGRESS; -ESTALE: the file shrank; -errno.
 */
_must_check_ int binary_part_measure(
	struct binary_part *part, struct reader *reader, struct work *work);

/* Octets to be sent: first moves on, left counts down. */
struct binary_range {
	uint64_t first, left;
	struct buf *out;
	size_t high_water; /* out is not filled beyond */
};

/*
 * Append them to out, until none are left, out is full or the budget is used up. Going on where an earlier range ended costs
 * nothing; before it the part is decoded anew from its start.
 * Returns 0: none are left; -EINPROGRESS; -ESTALE: there are fewer than there were, the file was changed; -errno.
 */
_must_check_ int binary_part_send(struct binary_part *part, struct reader *reader,
	struct binary_range *range, struct work *work);
