/* uidlist.h - the text of dovecot-uidlist (versions 3 and 1) and Courier's courierimapuiddb. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

/*
 *   file     = header LF *(record LF)
 *   header   = "3" *(SP key value)          version 3; keys V, N and G, others are kept
 *            / "1" SP uidvalidity SP uidnext version 1, and Courier
 *   record   = uid *(SP key value) SP ":" base_name        version 3; key: A to Z
 *            / uid SP base_name                            version 1
 *
 * UIDs ascend strictly. A last line without its LF is one that is just being written, or was when the power went:
 * it is not part of the file.
 */
enum { UIDLIST_GUID_CHARS = 32, UIDLIST_FIELDS_MAX_BYTES = 4096, UIDLIST_HEADER_MAX_BYTES = 1024 };

struct uidlist_header {
	unsigned version;                  /* 3 or 1 */
	uint32_t uidvalidity;              /* not 0 */
	uint32_t uidnext;                  /* not 0; a record at or above it raises it */
	char guid[UIDLIST_GUID_CHARS + 1]; /* lower case; "" if there is none */
	char others
		[UIDLIST_HEADER_MAX_BYTES]; /* fields not understood, separated by spaces, as they stood */
};

struct uidlist_record {
	uint32_t msg_uid;
	struct slice fields; /* "W123 O5", without the space around; points into the line */
	struct slice base;   /* points into the line */
};

/* Read a header line, without its LF. Returns false if it is not one: the file must not be used. */
bool uidlist_parse_header(struct slice line, struct uidlist_header *ret_header);

/* Read a record line, without its LF. Returns false if it is not one: the file must not be used. */
bool uidlist_parse_record(unsigned version, struct slice line, struct uidlist_record *ret_record);

/* Append a header (version 3, with its LF). Returns 0, or -ENOBUFS. */
_must_check_ int uidlist_format_header(const struct uidlist_header *header, struct buf *out);

/* Append a record line (version 3, with its LF). Returns 0, or -ENOBUFS, nothing was appended. */
_must_check_ int uidlist_format_record(const struct uidlist_record *record, struct buf *out);

/*
 * Find a field of a record by its key letter.
 * Returns whether it is there; *ret_value, which may be empty, points into fields.
 */
bool uidlist_field(struct slice fields, char key, struct slice *ret_value);

/* Append fields with the value of one key replaced, or put behind the others. Returns 0, or -ENOBUFS. */
_must_check_ int uidlist_fields_with(
	struct slice fields, char key, struct slice value, struct buf *out);
