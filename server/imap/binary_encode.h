/*
 * binary_encode.h - the parts of a message that would not be stored octet for octet, in base64 instead: parts with
 * Content-Transfer-Encoding binary and an LF that no CR stands before, which the store takes for a line end
 * (maildir/append.h). RFC 3516 section 4.4: the encoding may be changed where nothing is lost. As Dovecot does. Pure.
 */
#pragma once

#include "base/buf.h"
#include "maildir/message/mime.h"

enum binary_need {
	BINARY_KEPT,   /* all is kept as it is */
	BINARY_ENCODE, /* some parts must be encoded */
	BINARY_REFUSED, /* such a part is a multipart or a message, which have no encoding of their own */
};

/* What a message needs, by its tree: parsed from the octets as they were sent. */
enum binary_need binary_need(const struct mime_part *root);

/*
 * Which line ends of a message were sent as CRLF and which as LF: so that it can be had back, octet for octet, from what
 * append_write() stored. All zeros at first.
 */
struct line_ends {
	uint32_t *runs; /* how many of one kind follow each other; CRLF, then LF, and so on */
	size_t n, cap;
	bool overflow;         /* they change too often: BINARY_RUNS_MAX */
	unsigned char last[2]; /* octets */

	size_t at;
	uint32_t left; /* of the run under way */
	bool after_cr;
};
enum { BINARY_RUNS_MAX = 1024 * 1024 };

void line_ends_done(struct line_ends *ends);

/* Take note of the next octets that are stored. */
void line_ends_note(struct line_ends *ends, struct slice octets);

/* Begin to restore; then restore the next bytes of the file, whatever their number. out has room for twice as many. */
void line_ends_rewind(struct line_ends *ends);
void line_ends_restore(struct line_ends *ends, struct slice stored, struct buf *out);

/* The encoder of one message. */
struct binary_encoder {
	const struct mime_part
		*part;          /* the next one to be encoded, or the one under way; NULL: none */
	uint64_t offset;        /* octets taken so far */
	struct buf header;      /* of the part */
	unsigned char held[57]; /* of its body: less than a line */
	size_t held_n;
};

/* Begin with a tree for which BINARY_ENCODE was found; it must stay. Released by binary_encoder_done(). */
void binary_encoder_init(struct binary_encoder *encoder, const struct mime_part *root);
void binary_encoder_done(struct binary_encoder *encoder);

/* Take the next octets of the message, at most BINARY_TAKEN_BYTES; at most BINARY_OUT_BYTES are appended to out. */
void binary_encoder_feed(struct binary_encoder *encoder, struct slice in, struct buf *out);
enum {
	BINARY_TAKEN_BYTES = 32 * 1024,
	BINARY_OUT_BYTES = 2 * BINARY_TAKEN_BYTES + LIMIT_HEADER_BYTES,
};

/* Whether all parts were met: false behind the last octet if these were not those that the tree was made from. */
bool binary_encoder_is_done(const struct binary_encoder *encoder);
