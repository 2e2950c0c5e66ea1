#include "server/imap/cmd_mailbox.h"

#include "maildir/card.h"
#include "maildir/copy.h"
#include "maildir/metadata_file.h"
#include "maildir/special_uses.h"
#include "maildir/subscriptions.h"
#include "maildir/tree.h"
#include "server/imap/connection.h"

#include <errno.h>

enum { UNDO_BUDGET = 100 };

/* What only changes of the tree come to. RFC 5530 section 3. */
static enum run tree_failed(struct imap *imap, int error)
{
	switch (error) {
	case -EEXIST:
		return imap_no(imap, "ALREADYEXISTS", "There is a mailbox of that name");
	case -ENOTEMPTY:
		return imap_no(imap, "HASCHILDREN",
			"This is no mailbox, only the beginning of the names of others");
	case -ENFILE:
		return imap_no(imap, "LIMIT", "There are too many mailboxes");
	default:
		return imap_failed(imap, error);
	}
}

static bool is_inbox(struct slice name)
{
	return slice_equal_nocase(name, SLICE("INBOX"));
}

/* A delimiter at the end says that mailboxes below it will follow (RFC 9051 section 6.3.4): nothing is to be done for that. */
static struct slice without_delimiter(const struct imap *imap, struct slice name)
{
	bool has =
		name.n > 0 && name.p[name.n - 1] == store_hierarchy_separator(imap->settings.store);

	return slice_head(name, name.n - has);
}

struct create_progress {
	struct mailbox *mailbox; /* made, and open for its id */
};

void end_create(struct imap *imap)
{
	struct create_progress *p = imap->command.progress;

	if (p && p->mailbox)
		mailbox_close(p->mailbox);
}

static enum run begin_create(struct imap *imap)
{
	const struct create_arguments *a = &imap->command.arguments.create;
	struct slice given = without_delimiter(imap, a->name), name;
	struct create_progress *p = arena_alloc(&imap->arena, sizeof *p);

	if (!connection_new_name(imap, given, &name))
		return tree_failed(imap, -EINVAL);
	if (a->unknown_use)
		return imap_no(imap, "USEATTR", "No mailbox can have such a use here");

	int r = a->has_uses ? special_uses_create(imap->settings.store, name, a->uses)
			    : tree_create(imap->settings.store, name);

	if (r == -EMLINK)
		return imap_no(imap, "USEATTR", "Another mailbox has that use");

	if (r < 0)
		return tree_failed(imap, r);
	connection_tell_name(imap, "", given, name);
	imap->command.progress = p;
	if (mailbox_open(imap->settings.store, name, &p->mailbox) < 0)
		return imap_ok(imap, NULL, NULL); /* gone at once: it was made */
	return RUN_STEP;
}

/* A mailbox gets its id with its uidlist, by a sync. MAILBOXID: RFC 8474 section 4.1. */
enum run cmd_create(struct imap *imap)
{
	struct create_progress *p = imap->command.progress;
	char id[OBJECTID_BYTES];

	if (!p) {
		enum run run = begin_create(imap);

		if (run != RUN_STEP)
			return run;
		p = imap->command.progress;
	}

	int r = mailbox_sync(p->mailbox, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r < 0)
		return imap_ok(imap, NULL, NULL);
	mailbox_mailboxid(p->mailbox, id);

	struct slice code = arena_format(&imap->arena, "MAILBOXID (%s)", id);

	return imap_ok(imap, arena_str(&imap->arena, code), NULL);
}

static enum run purge(struct imap *imap)
{
	int r = tree_purge(imap->settings.store, &imap->work);
	enum run wait = imap_wait(imap, &r);

	return wait != RUN_DONE ? wait : imap_ok(imap, NULL, NULL);
}

enum run cmd_delete(struct imap *imap)
{
	struct slice given = imap->command.arguments.mailbox.name, name;

	if (imap->command.progress) /* deleted; its files go */
		return purge(imap);
	name = connection_name(imap, given);
	if (is_inbox(name))
		return imap_no(imap, "CANNOT", "INBOX cannot be deleted");

	int r = tree_delete(imap->settings.store, name, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r < 0)
		return tree_failed(imap, r);
	if (imap->state == IMAP_SELECTED && mailbox_is_stale(imap->mailbox)) {
		imap_deselect(imap);
		write_raw(&imap->out,
			SLICE("* OK [CLOSED] The mailbox that was selected is deleted\r\n"));
	}
	connection_tell_name(imap, "\\NonExistent", given, name);
	imap->command.progress = arena_alloc(&imap->arena, 1);
	return purge(imap);
}

/* The messages of INBOX on their way to a new mailbox. */
struct rename_progress {
	struct mailbox *inbox, *target;
	bool inbox_synced;
	struct copy *copy;
};

void end_rename(struct imap *imap)
{
	struct rename_progress *p = imap->command.progress;

	if (!p)
		return;
	if (p->copy)
		copy_free(p->copy);
	if (p->target)
		mailbox_close(p->target);
	if (p->inbox)
		mailbox_close(p->inbox);
}

/* Annotations are INBOX's and the new mailbox's (RFC 5464 section 4.1); its use is not. */
static int copy_annotations(struct imap *imap, struct slice to)
{
	struct store *store = imap->settings.store;
	struct metadata metadata;
	int r = metadata_read(store, SLICE("INBOX"), &imap->arena, &metadata);

	if (r < 0)
		return r;
	(void)metadata_set(
		&metadata, &(struct metadata_entry){ .name = SLICE(SPECIAL_USES_ENTRY) });
	if (metadata.n == 0)
		return 0;
	return metadata_change(store,
		&(struct metadata_changes){
			.mailbox_name = to, .entries = metadata.entries, .n = metadata.n },
		&imap->work);
}

static int begin_rename_inbox(struct imap *imap, struct slice to)
{
	struct store *store = imap->settings.store;
	struct rename_progress *p = arena_alloc(&imap->arena, sizeof *p);
	int r = tree_create(store, to);

	if (r < 0)
		return r;
	imap->command.progress = p;
	r = mailbox_open(store, SLICE("INBOX"), &p->inbox);
	if (r == 0)
		r = mailbox_open(store, to, &p->target);
	return r < 0 ? r : copy_annotations(imap, to);
}

static struct copy *move_all(struct imap *imap, const struct rename_progress *p)
{
	const struct message *messages;
	size_t n = mailbox_messages(p->inbox, &messages);
	uint32_t *uids = arena_array(&imap->arena, n + 1, sizeof *uids);

	for (size_t i = 0; i < n; i++)
		uids[i] = messages[i].msg_uid;
	return copy_new(&(struct copy_order){
		.source = p->inbox, .target = p->target, .uids = uids, .n = n, .move = true });
}

static int step_rename_inbox(struct imap *imap, struct rename_progress *p)
{
	int r = 0;

	if (!p->inbox_synced) {
		r = mailbox_sync(p->inbox, &imap->work);
		if (r < 0)
			return r;
		p->inbox_synced = true;
	}
	if (!p->copy) {
		r = mailbox_sync(p->target, &imap->work);
		if (r < 0)
			return r;
		p->copy = move_all(imap, p);
	}
	return copy_step(p->copy, &imap->work);
}

/* A command that failed leaves no new mailbox, unless messages are in it that could not be moved back, or may be. */
static void undo_rename_inbox(struct imap *imap, struct rename_progress *p, struct slice to)
{
	struct work work = { .now_usec = imap->work.now_usec, .budget = UNDO_BUDGET };
	const struct message *messages;

	if (p->copy)
		copy_free(p->copy);
	p->copy = NULL;
	if (p->target && (mailbox_sync(p->target, &work) != 0 || mailbox_messages(p->target, &messages) > 0))
		return;
	if (tree_delete(imap->settings.store, to, &work) < 0 ||
		tree_purge(imap->settings.store, &work) < 0)
		log_line(imap->settings.log, LOG_PRIORITY_WARNING,
			"%s: %.*s: what is left of a RENAME that failed cannot be removed now",
			imap->settings.user, SLICE_FMT(to));
}

/* RFC 9051 section 6.3.6: the messages move, INBOX and what is below it stay. */
static enum run rename_inbox(struct imap *imap, struct slice to)
{
	int r = imap->command.progress ? 0 : begin_rename_inbox(imap, to);

	if (r < 0 && imap->command.progress)
		undo_rename_inbox(imap, imap->command.progress, to);
	if (r < 0)
		return tree_failed(imap, r);
	r = step_rename_inbox(imap, imap->command.progress);

	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r < 0)
		undo_rename_inbox(imap, imap->command.progress, to);
	return r < 0 ? imap_failed(imap, r) : imap_ok(imap, NULL, NULL);
}

enum run cmd_rename(struct imap *imap)
{
	const struct rename_arguments *a = &imap->command.arguments.rename;
	struct slice to = without_delimiter(imap, a->to), from, used;

	if (!connection_new_name(imap, to, &used))
		return tree_failed(imap, -EINVAL);
	if (is_inbox(a->from))
		return rename_inbox(imap, used);
	from = connection_name(imap, a->from);

	int r = tree_rename(imap->settings.store, from, used);

	if (r < 0)
		return tree_failed(imap, r);
	connection_tell_name(imap, "", slice_equal(to, used) && slice_equal(from, a->from) ? used : a->from,
		used);
	return imap_ok(imap, NULL, NULL);
}

static enum run change_subscription(struct imap *imap, bool subscribed)
{
	int r = subscriptions_change(imap->settings.store,
		connection_name(imap, imap->command.arguments.mailbox.name), subscribed,
		&imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r == -EFBIG)
		return imap_no(imap, "LIMIT", "There are too many subscriptions");
	return r < 0 ? imap_failed(imap, r) : imap_ok(imap, NULL, NULL);
}

enum run cmd_subscribe(struct imap *imap)
{
	struct mailbox *mailbox;
	int r = mailbox_open(imap->settings.store,
		connection_name(imap, imap->command.arguments.mailbox.name), &mailbox);

	if (r < 0)
		return imap_failed(imap, r);
	mailbox_close(mailbox);
	return change_subscription(imap, true);
}

enum run cmd_unsubscribe(struct imap *imap)
{
	return change_subscription(imap, false);
}
