/* index.h - the cache of one user: an LMDB environment in a directory of its own. Everything in it may be gone at any moment. */
#pragma once

#include "base/cleanup.h"
#include "base/log.h"
#include "base/slice.h"

/*
 *   DIR/lock       held by the one process that uses the index (an open file description's lock)
 *   DIR/mark       "restante-index VERSION BOOT TXN": the format; the boot under which data.mdb was written last;
 *                  the transaction that was made durable at an orderly end, 0 while there is none
 *   DIR/data.mdb   records of (table, mailbox number, key); each value is kept with a checksum over all of these
 *
 * An index of another format, one that another boot left unsynced, or one that is damaged, is removed and made anew;
 * each fault is logged once. Where that fails too, there is none until the next index_open(): callers notice only
 * that index_get() knows nothing. Nothing waits: the lock is taken or not, and nothing is synced before the end.
 */
struct index;

enum index_table {
	INDEX_MAILBOXES, /* which GUID has a number: mailbox 0, key: the number */
	INDEX_HEADERS,    /* what is known of a mailbox as a whole: key 0 */
	INDEX_MESSAGES,   /* key: UID >> INDEX_CHUNK_SHIFT */
	INDEX_NAMES,      /* key: UID >> INDEX_CHUNK_SHIFT */
	INDEX_EXPUNGED,   /* key: modseq */
	INDEX_CARDS,      /* key: UID << 1 | enum card_kind */
	INDEX_DIGESTS,    /* key: UID >> INDEX_CHUNK_SHIFT */
	INDEX_TABLES
};

enum { INDEX_CHUNK_SHIFT = 8, INDEX_GUID_CHARS = 32 };

struct index_settings {
	const char *path;    /* of the directory; made (mode 0700) if it is not there, its parent must be */
	const char *boot_id; /* of this boot; NULL: not known, then what was not made durable is dropped */
	size_t max_bytes;    /* of data.mdb; 0: LIMIT_INDEX_BYTES */
	bool sync;           /* make it durable when it is closed */
	bool drop;           /* the last process that had it died of it, perhaps */
};

/*
 * Open the index; what it cannot use of an older one it removes.
 * Returns NULL if there can be none now: another process holds it, or the directory cannot be written. Logged.
 */
struct index *index_open(const struct index_settings *settings, const struct log *log);

/* Make all durable (with settings.sync), so that it outlives a reboot. index may be NULL. Blocks: for the disk. */
void index_sync(struct index *index);

/* index_sync(), unless nothing was written since, and close. */
void index_close(struct index *index);

/* Whether it can still take anything; false after a fault that a new one did not mend. */
bool index_works(const struct index *index);

/*
 * Grows with every loss of what was in it (it was dropped and made anew): what was known to be stored is not any more.
 */
unsigned index_losses(const struct index *index);

/*
 * The number of a mailbox, by its GUID (INDEX_GUID_CHARS hex digits). With make, one that has none gets it.
 * Returns the number, from 1 on; 0: it has none.
 */
uint32_t index_mailbox(struct index *index, struct slice guid, bool make);

/*
 * Get a record. index may be NULL.
 * Valid    until the next index_put(), index_delete() or index_rest().
 * Returns  0, or -ENOENT: there is none, or it was damaged and is deleted now.
 */
_must_check_ int index_get(struct index *index, enum index_table table, uint32_t mailbox,
	uint64_t key, struct slice *ret_value);

/* The same for the first record of the table and mailbox whose key is at least *key; *key becomes its. Damaged ones are passed over. */
_must_check_ int index_next(struct index *index, enum index_table table, uint32_t mailbox,
	uint64_t *key, struct slice *ret_value);

/* Put a record in place of what was there. It is seen by index_get() at once, by other processes after index_rest(). */
void index_put(struct index *index, enum index_table table, uint32_t mailbox, uint64_t key,
	struct slice value);

/* Delete the records whose key is from first to last. */
void index_delete(struct index *index, enum index_table table, uint32_t mailbox, uint64_t first,
	uint64_t last);

/* Commit what was put, and end reading: at the end of each time slice. */
void index_rest(struct index *index);
