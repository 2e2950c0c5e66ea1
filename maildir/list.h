/* list.h - the messages of one mailbox in memory: compact, ascending by UID, found by base name too. No I/O. */
#pragma once

#include "base/buf.h"
#include "maildir/chunk_set.h"
#include "maildir/filename.h"
#include "maildir/mailbox.h"

/*
 * Messages 0 to n_shown - 1 are what clients see. Those behind have a UID in the uidlist, but their file was not yet
 * seen, or they wait for the end of a sync. UIDs ascend over all of them.
 * Bytes of names and fields lie in one block; 100,000 messages with names of 60 bytes take about 14 MB.
 *
 * A list that comes from the index has its messages and the hashes of their names; entries and names are loaded when
 * they are asked for. An entry that is not loaded is all zeros: not in new/, not an orphan as far as is known, and
 * met by no scan. So whoever reads an entry does it by list_entry().
 */
struct entry {
	uint32_t base_at; /* in bytes[] */
	uint32_t
		info_at; /* the info part as it stands, NUL-terminated; 0: the canonical form of letters */
	uint32_t fields_at; /* the uidlist's fields, if fields_bytes > 0 */
	uint32_t letters;   /* of the info part: filename.h */
	uint16_t fields_bytes;
	uint8_t base_bytes; /* 0: not loaded */
	bool in_new : 1;  /* the file lies in new/ */
	bool no_info : 1; /* the file's name has no info part */
	bool orphan : 1; /* the uidlist does not give this UID to this file (any more): never found by name */
	uint32_t seen;        /* the number of the last scan that met the file */
	uint64_t rfc822_size; /* ENTRY_SIZE_UNKNOWN */
	int64_t internaldate; /* ENTRY_DATE_UNKNOWN */
};
#define ENTRY_SIZE_UNKNOWN UINT64_MAX
#define ENTRY_DATE_UNKNOWN INT64_MIN

struct list_key {
	uint32_t hash, number;
};

struct list {
	struct message *messages;
	struct entry *entries; /* entries[i] belongs to messages[i] */
	uint32_t *hashes;      /* of base names: hashes[i] belongs to messages[i] */
	size_t n, n_shown, cap;
	char *bytes;
	size_t bytes_n, bytes_cap, bytes_dead;
	struct list_key *
		keys; /* by hash, of messages 0 to n_keys - 1; list_index() takes in the others */
	size_t n_keys, keys_cap;
	size_t looked_through; /* messages, one by one, since list_index() */
	uint32_t *
		starts; /* where in keys[] hashes with the same leading bits begin; 1 << start_bits, and one more */
	unsigned start_bits;
	uint8_t hash_key[16];
	struct chunk_set changed; /* chunks of UIDs (index.h) in which something is not as the index has it */

	/* Loads the entry of a message and those about it, by list_load(); must have done it when it returns. NULL: all are loaded. */
	void (*load)(void *arg, size_t number); /* list_done() forgets it */
	void *load_arg;
};

void list_init(struct list *list);
void list_done(struct list *list);

/* Make room for so many messages, and bytes of names and fields, in all. */
void list_reserve(struct list *list, size_t n, size_t bytes);

/*
 * Add a message behind the others; msg_uid is above all of them. It has no flags, and is not shown.
 * Returns its number. Returns SIZE_MAX if names would take 4 GiB.
 */
size_t list_add(struct list *list, uint32_t msg_uid, struct slice base, struct slice fields);

/* Find a message by UID. Returns its number, or -1. */
ssize_t list_find_uid(const struct list *list, uint32_t msg_uid);

/* The number of the first message whose UID is at least msg_uid; n if there is none. */
size_t list_lower_bound(const struct list *list, uint32_t msg_uid);

/*
 * Begin an empty list anew, with what the index has: the key of the hashes; then, some at a time, ascending, n messages
 * in all that are shown, and the hashes of their base names.
 */
void list_restore(struct list *list, const uint8_t hash_key[16], size_t n);
void list_restore_messages(struct list *list, const struct message *messages,
	const uint32_t *hashes, size_t n);

/* Fill an entry that is not loaded. Returns false: names would take 4 GiB, or its parts are not what an entry can have. */
_must_check_ bool list_load(struct list *list, size_t number, const struct entry *entry,
	const struct slice parts[3]);

/* The entry of a message, loaded. Valid until the list changes. */
struct entry *list_entry(const struct list *list, size_t number);
static inline bool list_is_loaded(const struct list *list, size_t number)
{
	return list->entries[number].base_bytes > 0;
}

/* The hash of a base name, as in hashes[]. */
uint32_t list_hash(const struct list *list, struct slice base);

/* Note that a message, or its entry, is not any more as the index has it; or all of them. */
void list_touch(struct list *list, size_t number);
void list_touch_all(struct list *list);

/* Get ready for finding many messages by name. */
void list_index(struct list *list);

/* One is to be looked for by name: what has no index yet gets one when looking through it costs more by now. */
void list_expect_find(struct list *list);

/* Find a message by base name; orphans are not found; of two the one with the higher UID. Returns its number, or -1. */
ssize_t list_find_base(const struct list *list, struct slice base);

/* Make orphans of messages whose base name one with a higher UID has too, one of those from number first on. */
void list_orphan_duplicates(struct list *list, size_t first);

struct slice list_base(const struct list *list, size_t number);
struct slice list_fields(const struct list *list, size_t number);
/* The info part as it stands, if it is not canonical; else an empty slice. */
struct slice list_odd_info(const struct list *list, size_t number);

/*
 * What is known of a message's size with CRLF line ends: counted, or recorded in its name or the uidlist.
 * Returns false: it must be counted.
 */
bool list_rfc822_size(const struct list *list, size_t number, uint64_t *ret_octets);

/* Change what the uidlist says of a message. */
void list_set_fields(struct list *list, size_t number, struct slice fields);

/* Remember the info part of the file's name, and its letters. Flags of the message are the caller's to change. */
void list_set_info(struct list *list, size_t number, struct slice info);

/* Append the file's name. Returns 0, or -ENOBUFS. */
_must_check_ int list_file_name(const struct list *list, size_t number, struct buf *out);

/* Whether the file's name is that. */
bool list_has_file_name(const struct list *list, size_t number, struct slice name);

/*
 * Remove all messages for which gone() says so.
 * Calls it for every message, ascending, once. Numbers change; the rest stays as it is.
 */
void list_remove_if(struct list *list, bool (*gone)(void *arg, size_t number), void *arg);

/* Forget the messages from number first on. */
void list_truncate(struct list *list, size_t first);
