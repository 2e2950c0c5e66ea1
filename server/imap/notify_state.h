/* notify_state.h - what the files that implement notify.h share; of no use to anyone else. */
#pragma once

#include "maildir/watch.h"
#include "server/imap/fetch_beside.h"
#include "server/imap/listing.h"
#include "server/imap/notify.h"
#include "server/imap/status_look.h"

enum {
	NOTIFY_POLL_USEC = 1000 * 1000, /* between two looks at what the kernel does not tell of */
	NOTIFY_OWN_RANGES = 16,         /* messages of its own that a client is not told: older ones it is told again */
};

enum notify_stage {
	NOTIFY_QUIET,
	NOTIFY_EVENTS,    /* what this process did */
	NOTIFY_DIFFERENT, /* what others did to names and subscriptions */
	NOTIFY_CHOOSE,    /* which mailboxes are watched now */
	NOTIFY_LOOK,
	NOTIFY_SELECTED,
	NOTIFY_FETCH,
};

/* A mailbox that is told of by STATUS, and what the client knows. */
struct notify_mailbox {
	struct slice name; /* in the arena of the names */
	unsigned events;   /* enum notify_event, of messages */
	struct watched *watched;
	bool known, unseen_known;
	uint64_t count, modseq_seen; /* when it was looked at last */
	uint32_t messages, uidnext, uidvalidity, unseen;
	uint64_t highestmodseq;
};

/* All names, as they were last told. */
struct notify_names {
	struct arena arena;
	struct listing listing;
};

struct notify {
	struct arena arena; /* of the arguments */
	const struct notify_group *groups; /* NULL: NONE */
	bool tells_status; /* at the beginning */
	const struct notify_group *selected; /* of groups; NULL: SELECTED NONE */
	unsigned other_events; /* asked for of any other mailbox */

	enum notify_stage stage;
	uint64_t changes_seen, looked_usec;
	bool polled; /* this look is by time: at what the kernel does not tell of, too */

	struct notify_names names, next_names;
	uint64_t first_event, next_event; /* those from first on are being told */
	uint64_t tree_seen;
	size_t old_at, new_at; /* where names differ so far */

	struct notify_mailbox *mailboxes; /* on the heap, in the order of names */
	size_t n, look_at;
	struct status_look look;
	bool looking;

	uint32_t fetched_uid; /* of the selected mailbox: up to it the client knows what is there */
	bool has_fetched_uid;
	struct seq_range own[NOTIFY_OWN_RANGES];
	size_t own_n; /* how many there were */
	struct arena fetch_arena; /* of what is fetched beside */
	struct fetch_beside fetch; /* of new messages */
};

/* The events asked for of a mailbox, but for the selected one. */
unsigned notify_events_of(
	const struct imap *imap, const struct notify *notify, struct slice name, bool subscribed);

/* notify_names.c */
int notify_names_read(struct imap *imap, struct notify_names *names);
bool notify_names_are_due(const struct imap *imap, const struct notify *notify);
enum run notify_tell_events(struct imap *imap, struct notify *notify);
enum run notify_tell_different(struct imap *imap, struct notify *notify);

/* notify_watch.c */
_must_check_ int notify_choose(struct imap *imap, struct notify *notify);
void notify_forget_mailboxes(struct imap *imap, struct notify *notify);
enum run notify_look_all(struct imap *imap, struct notify *notify, bool first);
