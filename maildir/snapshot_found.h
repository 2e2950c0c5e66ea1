/* snapshot_found.h - the header of a mailbox in the index, beside the uidlist that lies in its directory now. */
#pragma once

#include "maildir/index.h"
#include "maildir/snapshot_format.h"
#include "maildir/uidlist.h"

struct snapshot_found {
	uint32_t number; /* of the mailbox in the index; 0: none */
	struct snapshot_header header;
	struct uidlist_header uidlist; /* as the file has it */
	struct stamp stamp;            /* of the file */
	int fd;                        /* of the file; the caller's to close, unless it is -1 */
	bool is_same_file;             /* as far as the header says that it was read */
};

/*
 * Find the header of the mailbox in a directory, by the uidlist's GUID and UIDVALIDITY. number is set also when there is
 * no header. keywords: names are added, also when it is not found in the end.
 * Returns whether there is one.
 */
_must_check_ bool snapshot_find(struct index *index, int dir_fd, struct keyword_table *keywords,
	struct snapshot_found *found);

/*
 * A checksum over the first line of a uidlist and the last bytes of what was read: no other file of that UIDVALIDITY has
 * both in the same places. Returns false: the file has no such bytes.
 */
_must_check_ bool snapshot_read_tail(int fd, uint64_t read_bytes, uint64_t *ret_sum);
