#include "server/imap/cmd_expunge.h"

#include "server/imap/connection.h"

/* What is removed is chosen once, at the start, of what is \Deleted; what is not any more when its turn comes stays. */
struct expunge_progress {
	uint32_t *uids;
	size_t n, done;
};

static struct expunge_progress *choose(struct imap *imap, const struct seq_ranges *seqnums)
{
	struct expunge_progress *p = arena_alloc(&imap->arena, sizeof *p);
	struct seq_range whole = { 1, view_exists(imap->view) };
	struct seq_ranges all = { .ranges = &whole, .n = whole.last > 0 };
	size_t n, kept = 0;
	uint32_t *uids = imap_uids(imap, seqnums ? seqnums : &all, &n);

	for (size_t i = 0; i < n; i++) {
		const struct message *message = mailbox_message(imap->mailbox, uids[i]);

		if (message && (message->flags & FLAG_DELETED))
			uids[kept++] = uids[i];
	}
	if (seqnums && kept > imap->settings.message_limit) { /* EXPUNGE itself knows no limit */
		uids += kept - imap->settings.message_limit;
		kept = imap->settings.message_limit;
		imap->command.limited_uid = uids[0];
	}
	*p = (struct expunge_progress){ .uids = uids, .n = kept };
	return p;
}

enum run expunge_deleted(struct imap *imap, const struct seq_ranges *seqnums)
{
	struct expunge_progress *p = imap->command.progress;

	if (!p)
		p = imap->command.progress = choose(imap, seqnums);
	if (p->n == 0)
		return imap_ok(imap, NULL, NULL);

	connection_progress(imap, p->done, p->n);

	int r = mailbox_expunge_deleted(imap->mailbox, p->uids, p->n, &p->done, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	return r < 0 ? imap_change_failed(imap, imap->mailbox, "messages cannot be expunged", r)
		     : imap_ok(imap, NULL, NULL);
}

enum run cmd_expunge(struct imap *imap)
{
	return expunge_deleted(imap, NULL);
}

enum run cmd_uid_expunge(struct imap *imap)
{
	struct seq_ranges seqnums = { 0 };

	if (!imap->command.progress &&
		imap_seqnums(imap, imap->command.arguments.set.set, true, &seqnums) != PARSE_OK)
		return imap_bad(imap, "Invalid UID set");
	return expunge_deleted(imap, &seqnums);
}
