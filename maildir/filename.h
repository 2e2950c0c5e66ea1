/* filename.h - the name of a message file: BASE[,S=BYTES][,W=BYTES][:2,FLAGS]. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

/*
 * The letters of an info part as one number: bits 0 to 25 are the keyword letters a to z, the bits
 * above them the standard flags.
 */
enum {
	LETTER_DRAFT = 1 << 26,     /* D */
	LETTER_FLAGGED = 1 << 27,   /* F */
	LETTER_FORWARDED = 1 << 28, /* P */
	LETTER_ANSWERED = 1 << 29,  /* R */
	LETTER_SEEN = 1 << 30,      /* S */
};
#define LETTER_DELETED   ((uint32_t)1 << 31) /* T */
#define LETTERS_KEYWORDS (((uint32_t)1 << 26) - 1)

enum { FILENAME_KEYWORD_LETTERS = 26 };

/* A name taken apart; slices point into it. */
struct filename {
	struct slice
		base; /* what identifies the message: all before the info part, comma fields included */
	struct slice info; /* with its colon; empty if there is none */
};

/* Split a name at its first colon. Total: every name has a base, which may be empty. */
struct filename filename_parse(struct slice name);

/*
 * Whether a name may be that of a message: not empty, not beginning with "." or ":", without slash, NUL, CR and LF
 * (the uidlist could not hold it).
 */
bool filename_is_message(struct slice name);

/* Find the comma field "S=" or "W=" in a base name. Returns false if it has none that is a plain number. */
bool filename_size(struct slice base, char key, uint64_t *ret_bytes);

/*
 * The letters of an info part. Letters other than those known, and anything behind a second comma, are not among them.
 * An info part that does not begin with ":2," has no letters.
 */
uint32_t filename_letters(struct slice info);

/* Whether info is exactly what filename_format() writes for filename_letters(info) without an old info part. */
bool filename_is_canonical(struct slice info);

/*
 * Append base and an info part with letters, sorted by ASCII.
 * old_info  the info part the name had, or empty: what it holds beside known letters is kept.
 * Returns 0, or -ENOBUFS.
 */
_must_check_ int filename_format(
	struct slice base, struct slice old_info, uint32_t letters, struct buf *out);

/*
 * The order in which new files get their UIDs: by the seconds the name begins with, then by the microseconds
 * behind ".M", where both have them, then by bytes. As Dovecot orders them, so that both give the same UIDs.
 * Returns <0, 0 or >0.
 */
int filename_compare_arrival(struct slice a, struct slice b);

/* The seconds since 1970 a base name begins with: when the message was delivered here. 0 if it does not. */
uint64_t filename_seconds(struct slice base);

/* What makes a new base name one of its own. */
struct filename_unique {
	uint64_t now_usec;
	int pid;
	unsigned count; /* of the names this process made */
	const char *hostname;
};

/*
 * Append a new base name, with the comma fields of an old one (or of an empty one: none).
 * Slash, colon, comma and control characters of the host name are written as Maildir asks: \057, \072, ...
 * Returns 0, or -ENOBUFS.
 */
_must_check_ int filename_format_unique(
	const struct filename_unique *unique, struct slice old_base, struct buf *out);
