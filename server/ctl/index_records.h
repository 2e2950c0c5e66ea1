/*
 * index_records.h - the records of a user's index, whoever has it: read by a process of its own, which a damaged index
 * may end, without lock, and taken only if nobody wrote meanwhile (maildir/index_walk.h). Changes nothing.
 */
#pragma once

#include "maildir/index_record.h"

struct index_item {
	struct index_key key;
	struct slice value;
	bool is_damaged; /* it does not fit its checksum; there is no value then */
};

/* Ascending by key. All zeros: none. */
struct index_records {
	struct index_item *items;
	size_t n;
	void *map;
	size_t map_bytes;
};

/*
 * Read those of some tables (bits 1 << enum index_table).
 * Returns 0; -ENOENT: there is no index; -EAGAIN: it is written to all the time; -EBADMSG: it is damaged, or what read it
 *         died of it; -errno. index_records_done() in any case. Blocks.
 */
_must_check_ int index_records_read(
	const char *path, unsigned tables, struct index_records *ret_records);
void index_records_done(struct index_records *records);

/* The first of a table and mailbox; *ret_n: so many follow each other. NULL: none. */
const struct index_item *index_records_of(const struct index_records *records,
	enum index_table table, uint32_t mailbox, size_t *ret_n);

/* The number of a mailbox, by its GUID; 0: it has none. */
uint32_t index_records_mailbox(const struct index_records *records, struct slice guid);
