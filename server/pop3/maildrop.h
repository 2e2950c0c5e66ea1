/* maildrop.h - a mailbox as POP3 sees it: frozen message numbers and sizes, and marks that count at QUIT only. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "maildir/mailbox.h"

/*
 * What holds while a maildrop is open:
 *
 * 1. A msgno means the same message, with the same size and unique-id, whatever else happens to the mailbox.
 * 2. Nothing is changed in the mailbox before maildrop_update().
 */
struct maildrop;

struct maildrop_message {
	uint32_t msg_uid;
	bool is_deleted;
	bool is_retrieved; /* gets \Seen in maildrop_update() */
	uint64_t octets;   /* with CRLF line ends; 0 if the file cannot be read */
};

/* Make one that is not open yet. log and user (for its lines) outlive it. */
struct maildrop *maildrop_new(struct store *store, const struct log *log, const char *user);
/* Close the mailbox. Marks are forgotten: no message is removed. */
void maildrop_free(struct maildrop *maildrop);

/*
 * Read INBOX: list, order and sizes. Call until it returns 0.
 * Returns as struct work says; another -errno: it cannot be opened (the cause was logged by the mailbox).
 */
_must_check_ int maildrop_open(struct maildrop *maildrop, struct work *work);

/* All messages there were, and the totals of those that are not marked as deleted. */
uint32_t maildrop_count(const struct maildrop *maildrop);
uint32_t maildrop_undeleted(const struct maildrop *maildrop);
uint64_t maildrop_octets(const struct maildrop *maildrop);

/* The message of a msgno, 1 to maildrop_count(). */
const struct maildrop_message *maildrop_message(const struct maildrop *maildrop, uint32_t msgno);

struct mailbox *maildrop_mailbox(const struct maildrop *maildrop);

/*
 * Give every message its unique-id, once; call until it returns 0. A message that another client removed before is
 * given one that no message can have ("gone-" and its UIDVALIDITY and UID), so that listings agree with each other.
 * Returns 0 or -EINPROGRESS.
 */
_must_check_ int maildrop_load_unique_ids(struct maildrop *maildrop, struct work *work);

/* The unique-id of a msgno, after maildrop_load_unique_ids(). Lives as long as the maildrop. RFC 1939 section 7, UIDL. */
struct slice maildrop_unique_id(const struct maildrop *maildrop, uint32_t msgno);

/* Mark a message, which is not marked yet, as deleted. */
void maildrop_delete(struct maildrop *maildrop, uint32_t msgno);
/* Note that a message was retrieved whole. */
void maildrop_retrieved(struct maildrop *maildrop, uint32_t msgno);
/* Unmark all that are marked as deleted. */
void maildrop_reset(struct maildrop *maildrop);

/*
 * The UPDATE state: set \Seen on what was retrieved (as far as that is possible without waiting for long), then remove what is marked.
 * Call until it does not return -EINPROGRESS or -EAGAIN. Messages after one that cannot be removed are still tried.
 * Returns as struct work says; 0: all were removed; another -errno: some were not (the first fault was logged).
 * RFC 1939 section 6.
 */
_must_check_ int maildrop_update(struct maildrop *maildrop, struct work *work);
