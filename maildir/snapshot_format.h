/* snapshot_format.h - records of a mailbox in the index: from memory to bytes and back. Pure. */
#pragma once

#include "maildir/dirs.h"
#include "maildir/keywords.h"
#include "maildir/list.h"

enum {
	SNAPSHOT_CHUNK = 1 << 8, /* messages of one chunk, at most: UIDs that differ in their last 8 bits */
	SNAPSHOT_HEADER_MAX_BYTES = 64 * 1024,
	SNAPSHOT_CHUNK_MAX_BYTES = SNAPSHOT_CHUNK * 8192,
};

/*
 * What a process that has the mailbox in memory knows of it as a whole. Compared by memcmp(): all bytes are set, and
 * there are none between the members.
 */
struct snapshot_header {
	uint64_t format; /* SNAPSHOT_FORMAT */
	struct stamp cur, new, uidlist, keywords, beyond;
	uint64_t read_bytes, records, tail; /* of the uidlist; tail: a checksum over its last bytes read */
	uint64_t letters_seen, beyond_lines;
	uint64_t highestmodseq, vanished_from, vanished_n;
	uint64_t n, n_in_new, new_ino;
	uint64_t octets; /* RFC822.SIZE of all messages but those whose size is not known */
	uint32_t uidvalidity, uidnext, uidlist_uidnext, recent_from;
	uint32_t unseen, deleted, recent, unsized;
	int32_t forwarded;
	uint8_t is_whole; /* 0: chunks are being written, of a later state than this says */
	uint8_t cur_young, must_rewrite, beyond_stale;
	uint8_t hash_key[16];
	char guid[32];
};

_Static_assert(sizeof(struct snapshot_header) == 8 + 5 * sizeof(struct stamp) + 12 * 8 + 40 + 48,
	"bytes between the members");

/* Grows with every change of struct snapshot_header, struct message or what is below; and holds the sizes. */
#define SNAPSHOT_FORMAT                                                                            \
	((uint64_t)2 << 32 | (uint64_t)sizeof(struct snapshot_header) << 8 | sizeof(struct message))

/* header and the keywords' names. Appends. Returns 0, or -ENOBUFS. */
_must_check_ int snapshot_format_header(const struct snapshot_header *header,
	const struct keyword_table *keywords, struct buf *out);

/* Returns false if it is not one of this format. keywords: names are added. */
bool snapshot_parse_header(
	struct slice record, struct snapshot_header *ret_header, struct keyword_table *keywords);

/* What the header has the sums of: sizes of the messages of a chunk. */
struct snapshot_sizes {
	uint64_t octets;
	uint32_t unsized;
};

/* INDEX_MESSAGES: the messages first to first + n - 1 of a list, all in one chunk, which must be loaded. Appends. */
_must_check_ int snapshot_format_messages(
	const struct list *list, size_t first, size_t n, struct buf *out);

/* The sizes of the messages that such a record has. Returns false: it is none. */
bool snapshot_parse_sizes(struct slice record, struct snapshot_sizes *ret_sizes);

/*
 * Read them behind those that the list has. chunk: their UIDs' leading bits; below: no UID may be so high.
 * Returns how many there were; -EBADMSG: not such a record, or not in order.
 */
_must_check_ ssize_t snapshot_restore_messages(
	struct list *list, struct slice record, uint32_t chunk, uint32_t below);

/* INDEX_NAMES: entries and names of the same messages, which must be loaded. Appends. */
_must_check_ int snapshot_format_names(
	const struct list *list, size_t first, size_t n, struct buf *out);

/*
 * Load the entries that are not loaded. Records of messages the list does not have are passed over.
 * Returns 0; -EBADMSG: some may be loaded, and are right.
 */
_must_check_ int snapshot_load_names(struct list *list, struct slice record);
