/* metadata.h - annotations of a mailbox or of the server: their names, values, limits, and the text they lie in. Pure. RFC 5464. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

/*
 *   restante-metadata = "1 restante-metadata" LF *(name TAB value LF)
 *
 * In a value a backslash is written twice, and a control character as a backslash and two hex digits. A line that is not
 * understood is passed over; of two with one name (in any case of ASCII letters) the later counts; a last line
 * without its LF does not count.
 */
struct metadata_entry {
	struct slice name;
	struct slice value; /* any bytes; p is NULL: none */
};

struct metadata {
	struct metadata_entry *entries; /* n of them, each with a value; room for LIMIT_METADATA_ENTRIES */
	size_t n;
};

/* No annotations, in arena. */
struct metadata metadata_none(struct arena *arena);

/*
 * Read a file. Made in arena; beyond LIMIT_METADATA_ENTRIES lines are passed over.
 * Returns false if this is no such file.
 */
bool metadata_parse(struct slice text, struct arena *arena, struct metadata *ret_metadata);

/* Append a file. Returns 0, or -ENOBUFS. */
_must_check_ int metadata_format(const struct metadata *metadata, struct buf *out);

/* Find an entry, in any case. NULL: there is none. Valid until the next change. */
const struct metadata_entry *metadata_find(const struct metadata *metadata, struct slice name);

/*
 * Set or (value.p NULL) remove an entry. What it points to must live as long as metadata.
 * Returns false if there are LIMIT_METADATA_ENTRIES already.
 */
bool metadata_set(struct metadata *metadata, const struct metadata_entry *entry);

/*
 * Whether an entry may have that name: 7-bit without controls, "*" and "%", levels not empty, the first "private" or
 * "shared", two levels at least, four below "vendor"; at most LIMIT_METADATA_NAME_BYTES. RFC 5464 section 3.2.
 */
bool metadata_name_is_valid(struct slice name);

/* The same for a name to look below of: "/shared" and "/shared/vendor" will do. */
bool metadata_name_is_prefix(struct slice name);

enum metadata_depth { METADATA_DEPTH_0, METADATA_DEPTH_1, METADATA_DEPTH_INFINITY };

/* Whether name lies below parent, at most that deep. RFC 5464 section 4.2.2. */
bool metadata_is_below(struct slice name, struct slice parent, enum metadata_depth depth);
