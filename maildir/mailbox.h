/* mailbox.h - one mailbox: its messages by UID, kept in step with the directory and dovecot-uidlist. */
#pragma once

#include "base/arena.h"
#include "base/limits.h"
#include "maildir/store.h"

struct mailbox;

/* RFC 9051 section 2.3.2. \Recent is a matter of the view. */
enum message_flag {
	FLAG_ANSWERED = 1 << 0,
	FLAG_DELETED = 1 << 1,
	FLAG_DRAFT = 1 << 2,
	FLAG_FLAGGED = 1 << 3,
	FLAG_SEEN = 1 << 4,
	FLAG_FORWARDED = 1 << 5, /* IMAP $Forwarded: the letter P, or the letter of a keyword of that name */
	FLAGS_ALL = (1 << 6) - 1,
};

struct message {
	uint32_t msg_uid;
	uint32_t flags;    /* enum message_flag */
	uint64_t keywords; /* bit n: the keyword mailbox_keyword(n); $Forwarded is never among them */
	uint64_t modseq;
};

/*
 * Open a mailbox by its UTF-8 name; "INBOX" in any case is the root. Opened twice, it is the same object.
 * Does not read the directory yet: mailbox_sync() does.
 * Returns 0; -ENOENT; -EINVAL: the name is not allowed; -EACCES, -ELOOP, ...
 */
_must_check_ int mailbox_open(struct store *store, struct slice name, struct mailbox **ret_mailbox);
void mailbox_close(struct mailbox *mailbox);

/* The mailbox of that UTF-8 name, in its canonical form, if somebody has it open; else NULL. Not opened once more. */
struct mailbox *mailbox_opened(const struct store *store, struct slice name);

/* The name towards clients, UTF-8. Valid until the mailbox is closed or renamed. */
struct slice mailbox_name(const struct mailbox *mailbox);

struct store *mailbox_store(const struct mailbox *mailbox);

/*
 * Bring the list of messages in step with the files: new mail from new/ to cur/ (UIDs are given and the uidlist is
 * durable before anything is shown), flags changed by other programs, messages added and removed.
 * Costs a few stat() calls when nothing changed.
 * Returns as struct work says; -ESTALE: the UIDs clients were told mean nothing any more (a new UIDVALIDITY): close the
 *         mailbox, and what has it open towards clients; a mailbox_open() gives a fresh one; another -errno: the list
 *         is as before, the fault was logged.
 */
_must_check_ int mailbox_sync(struct mailbox *mailbox, struct work *work);

/*
 * mailbox_sync() for who answers a client: what other programs changed before the first call is seen, also where a sync
 * that another connection began is under way.
 * round    0 at the first call; left alone until the answer is another than -EINPROGRESS or -EAGAIN.
 * Returns  as mailbox_sync(); with -EAGAIN flags that other programs changed are known, what needs the lock is not.
 * Limits   on file systems that other hosts change too, what came with a change of our own shows as late as their times
 *          are coarse: up to 3 s.
 */
_must_check_ int mailbox_sync_anew(struct mailbox *mailbox, uint64_t *round, struct work *work);

/* Whether it was deleted or made anew under those who have it open: mailbox_sync() answers -ESTALE. */
bool mailbox_is_stale(const struct mailbox *mailbox);

/* Facts as of the last mailbox_sync(). */
uint32_t mailbox_uidvalidity(const struct mailbox *mailbox);
uint32_t mailbox_uidnext(const struct mailbox *mailbox);
uint64_t mailbox_highestmodseq(const struct mailbox *mailbox);
/* The mailbox GUID, 32 hex digits. Valid until the next sync. */
struct slice mailbox_guid(const struct mailbox *mailbox);

/* The messages, ascending by UID; valid until the next call that may change the mailbox. */
size_t mailbox_messages(const struct mailbox *mailbox, const struct message **ret_messages);
/* One message, or NULL if there is none (any more). Binary search. */
const struct message *mailbox_message(const struct mailbox *mailbox, uint32_t msg_uid);

/*
 * The messages expunged with a modseq above the one given (RFC 7162 3.2.5.1, 3.2.10), ascending, in the arena.
 * Returns 0: these are all; -ENODATA: the log does not reach back so far: name every UID of the set asked for that
 *         does not exist.
 */
_must_check_ int mailbox_vanished(struct mailbox *mailbox, uint64_t modseq, struct arena *arena,
	const uint32_t **ret_uids, size_t *ret_n);

/*
 * The message's GUID: the uidlist's field G, else the base name. It stays when the message is copied or moved.
 * Valid until the next call that may change the mailbox. Returns an empty slice if there is no such message.
 */
struct slice mailbox_message_guid(struct mailbox *mailbox, uint32_t msg_uid);

/*
 * When the message came into this mailbox (RFC 8514): the leading seconds of its base name, since 1970.
 * Returns 0; -ENOENT: there is no such message; -ENODATA: its name does not tell.
 */
_must_check_ int mailbox_savedate(
	const struct mailbox *mailbox, uint32_t msg_uid, int64_t *ret_seconds);

/* How many keywords the mailbox has, and the name of keyword n (NULL slice: a hole). */
unsigned mailbox_keywords(const struct mailbox *mailbox);
struct slice mailbox_keyword(const struct mailbox *mailbox, unsigned n);
/*
 * Find the number of a keyword, in any case; with create, add it (durably) if it is new.
 * Returns the number; -ENOENT: unknown and create is false; -EINVAL: no keyword can have that name; -E2BIG:
 *         LIMIT_KEYWORDS reached; -EAGAIN as struct work; other -errno.
 */
_must_check_ int mailbox_find_keyword(struct mailbox *mailbox, struct slice name, bool create, struct work *work);

/* RFC822.SIZE: octets with CRLF line ends. From the name or uidlist; else counted once (costs a read). Returns 0, -ENOENT (gone), -EINPROGRESS, -errno. */
_must_check_ int mailbox_rfc822_size(struct mailbox *mailbox, uint32_t msg_uid, struct work *work, uint64_t *ret_octets);
/* What the file takes: as its name says, else by stat. Returns 0, -ENOENT (gone), -errno. */
_must_check_ int mailbox_file_size(struct mailbox *mailbox, uint32_t msg_uid, uint64_t *ret_bytes);
/* INTERNALDATE: the file's mtime, seconds since 1970. Returns 0, -ENOENT (gone), -errno. */
_must_check_ int mailbox_internaldate(struct mailbox *mailbox, uint32_t msg_uid, int64_t *ret_seconds);

/*
 * Open the file of a message for reading. Follows a rename by another program (looks again in the directory).
 * Returns the descriptor, the caller's to close; -ENOENT: the message is gone; -EINVAL: not a regular file; -errno.
 */
_must_check_ int mailbox_open_file(struct mailbox *mailbox, uint32_t msg_uid);

/*
 * The POP3 unique-id of a message: its preserved one (uidlist field P), else by the store's uidl_format. 1 to 70
 * characters 0x21 to 0x7E (RFC 1939 section 7).
 * Allocated in arena. Returns 0, or -ENOENT.
 */
_must_check_ int mailbox_uidl(struct mailbox *mailbox, uint32_t msg_uid, struct arena *arena, struct slice *ret_uidl);

/*
 * The order of messages for POP3: ascending by uidlist field O where given, then by UID.
 * Writes mailbox_messages() UIDs to ret_uids.
 */
void mailbox_pop3_order(const struct mailbox *mailbox, uint32_t *ret_uids);

enum flags_operation { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
struct flags_change {
	enum flags_operation operation;
	uint32_t flags;
	uint64_t keywords;
	/*
	 * modseq; UINT64_MAX: unconditional (RFC 7162 section 3.1.3). Of FLAGS_ADD and FLAGS_REMOVE it is about those flags, as
	 * far as their changes are remembered; else about the message (section 3.1.12).
	 */
	uint64_t unchangedsince;
};

/*
 * Change flags of messages by renaming their files, under the lock of the uidlist: while another program has it, as
 * Dovecot while it reads cur/, -EAGAIN. Messages that are gone are passed over.
 * uids  n of them, ascending. done: cursor, 0 at first, kept from call to call until 0 is returned.
 * modified  if not NULL: n bools, set true where unchangedsince forbade the change.
 * Returns as struct work; -ESTALE as mailbox_sync(); -EACCES, -EROFS, ...: *done tells the message at fault, those before it are changed.
 */
_must_check_ int mailbox_store_flags(struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done,
	const struct flags_change *change, bool *modified, struct work *work);

/* Remove messages (files and uidlist records), same arguments. Whether they carry \Deleted is the caller's to check. */
_must_check_ int mailbox_expunge(struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done, struct work *work);
/* The same for those of them that carry \Deleted at the moment they are removed: one that anybody undeleted before stays. */
_must_check_ int mailbox_expunge_deleted(struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done, struct work *work);
