/* index_walk.h - all records of an index whoever has it, without lock, and without changing anything: for restantectl. */
#pragma once

#include "maildir/index_record.h"

struct index_walk {
	unsigned tables; /* bits 1 << enum index_table: which are wanted */
	/* In the order of keys. stored: for index_record_check(). Returns false: no more. */
	bool (*each)(void *arg, const struct index_key *key, struct slice stored);
	void *arg;
};

/*
 * Walk over the records that were committed last. Others may commit meanwhile: then what was walked over may be
 * anything, which index_file_check_data() before and behind it tells by the transaction. For as long as that is the same,
 * no page of it is written over: the next transaction takes only pages that were free before it.
 * Returns 0; -ENOENT: there is no data.mdb; -EBADMSG: it is damaged; -errno.
 * Limits   a file that is damaged, or changes, may end the process by SIGBUS, SIGSEGV or SIGABRT: to be called in one of its own.
 */
_must_check_ int index_walk(int dir_fd, const struct index_walk *walk);
