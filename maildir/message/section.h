/* section.h - section numbers to parts, and parts to the stretches of the message that FETCH sends. Pure. */
#pragma once

#include "maildir/message/mime.h"

/* What section numbers led to. */
enum section_place {
	SECTION_MESSAGE,   /* no numbers: the message */
	SECTION_PART,      /* a part of a multipart */
	SECTION_ONLY_BODY, /* part 1 of a message that is no multipart: its body; the part returned is the message's */
	SECTION_NO_BODY,   /* part 1 of a multipart without parts: nothing; the part returned is the multipart */
};

/*
 * Find the part that section numbers name: n of them, "2.1" being {2, 1}; n 0 is the message itself.
 * Part 1 of a message that is no multipart is its body. The numbers below a message/rfc822 part are those of the
 * embedded message. A multipart without parts has a part 1, since BODYSTRUCTURE shows one.
 *
 * Returns  the part; NULL: there is none, *ret_place is untouched.
 * RFC      9051 section 6.4.5.1.
 */
const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *numbers, size_t n,
	enum section_place *ret_place);

enum section_kind {
	SECTION_ALL,    /* BODY[], BODY[1.2]: a message whole; a part's body */
	SECTION_HEADER, /* BODY[HEADER], BODY[1.2.HEADER]: of the message, or of a message/rfc822 part's message */
	SECTION_TEXT,   /* BODY[TEXT], BODY[1.2.TEXT] */
	SECTION_MIME,   /* BODY[1.2.MIME]: the part's own header */
};

struct stretch {
	uint64_t offset, end; /* in the file */
	uint64_t octets;      /* with CRLF line ends */
	bool has_nul;
};

/*
 * Say which bytes a section is. HEADER.FIELDS and HEADER.FIELDS.NOT use SECTION_HEADER and then header_select().
 * Returns false if there is no such section: no such part, HEADER or TEXT of a part that is no message, MIME without
 * numbers. (Clients get NIL then.)
 */
bool section_stretch(const struct mime_part *root, const uint32_t *numbers, size_t n, enum section_kind kind,
	struct stretch *ret_stretch);
