/*
 * notify.h - tells a client what happens to its mailboxes, whether a command runs or not: NOTIFY (RFC 5465).
 *
 * Of the selected mailbox it is told as ever (updates.h), as far as it asked for it, and between commands, too. Others are
 * watched by name (maildir/watch.h) and looked at when something happened there: STATUS tells what is new. Names,
 * subscriptions and annotations: what this process did is known by maildir/events.h, what others did by comparing names
 * and subscriptions with those known. Annotations that another program changes are not noticed.
 */
#pragma once

#include "maildir/mailbox.h"
#include "server/imap/command.h"

struct notify;

/*
 * Begin what the arguments ask for; what was asked for before goes on until notify_use(). The mailboxes are chosen, not yet
 * looked at.
 * Returns 0; -E2BIG: more than LIMIT_NOTIFY_MAILBOXES; -errno, logged.
 */
_must_check_ int notify_new(
	struct imap *imap, const struct notify_arguments *arguments, struct notify **ret_notify);
void notify_free(struct imap *imap, struct notify *notify);

/* Look at all mailboxes for the first time; with SET STATUS, tell them. Returns RUN_DONE, RUN_STEP, RUN_RETRY, RUN_OUTPUT. */
enum run notify_prepare(struct imap *imap, struct notify *notify);

/* Replace what was asked for. */
void notify_use(struct imap *imap, struct notify *notify);

/*
 * Tell what is new. Between commands of the selected mailbox, too; while IDLE runs, which tells that itself, only of
 * others. Costs nothing while nothing happened.
 * Returns RUN_DONE: all is told; RUN_STEP, RUN_OUTPUT, RUN_RETRY: call it again, before anything else is written; RUN_CLOSE.
 */
enum run notify_run(struct imap *imap);

/* Whether notify_run() returned in the middle. */
bool notify_is_busy(const struct imap *imap);

/* Whether the client wants to hear of anything at any time. */
bool notify_listens(const struct imap *imap);

/* Whether changes of the selected mailbox are to be told at all, and of those flags. True without NOTIFY. */
bool notify_wants_selected(const struct imap *imap);
bool notify_wants_flags(const struct imap *imap);

/* Whether NOTIFY is the command under way: it tells all that came together, whatever it asks for. RFC 5465 section 3.1. */
bool notify_is_answered(const struct imap *imap);

/* The view is about to take in what is new: what comes now is new to the client. */
void notify_note_view(struct imap *imap);
/* Another mailbox will be selected, or none. */
void notify_note_deselected(struct imap *imap);

/* This client put n messages into a mailbox itself, from that UID on: it need not be told. RFC 5465 section 5. */
void notify_note_own(
	struct imap *imap, const struct mailbox *mailbox, uint32_t first_uid, uint32_t n);
