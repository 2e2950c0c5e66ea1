#include "server/imap/replace.h"

#include "maildir/quota_file.h"
#include "server/imap/connection.h"

#include <errno.h>
#include <unistd.h>

static enum run gone(struct imap *imap)
{
	return imap_no(imap, "EXPUNGEISSUED", "The message to be replaced was expunged");
}

static struct quota_sum freed_by(struct imap *imap, uint32_t msg_uid)
{
	uint64_t bytes;

	if (!quota_counts_mailbox(imap->settings.store, mailbox_name(imap->mailbox)) ||
		mailbox_file_size(imap->mailbox, msg_uid, &bytes) < 0)
		return (struct quota_sum){ 0 };
	return (struct quota_sum){ .bytes = (int64_t)bytes, .messages = 1 };
}

int replace_freed_octets(
	struct imap *imap, const struct replace *replace, struct quota_sum *ret_freed)
{
	uint64_t octets;
	int r;

	*ret_freed = (struct quota_sum){ 0 };
	if (!quota_counts_mailbox(imap->settings.store, mailbox_name(imap->mailbox)))
		return 0;
	r = mailbox_rfc822_size(imap->mailbox, replace->old_uid, &imap->work, &octets);
	if (r == 0)
		*ret_freed = (struct quota_sum){ .bytes = (int64_t)octets, .messages = 1 };
	return r == -EINPROGRESS ? r : 0;
}

enum run replace_begin(struct imap *imap, struct replace *replace, struct quota_sum *ret_freed)
{
	uint32_t number = imap->command.arguments.append.replaced, seqnum = number;

	if (imap->command.type->flags & COMMAND_BY_UID)
		seqnum = view_seqnum(imap->view, number);
	else if (seqnum > view_exists(imap->view))
		return imap_bad(imap, "No such sequence number");
	if (seqnum == 0)
		return imap_no(imap, "NONEXISTENT", "There is no message with that UID");
	if (!view_message(imap->view, seqnum))
		return gone(imap);
	replace->old_uid = view_uid(imap->view, seqnum);
	*ret_freed = freed_by(imap, replace->old_uid);
	return RUN_DONE;
}

enum run replace_check(struct imap *imap, const struct replace *replace)
{
	int r = mailbox_sync(imap->mailbox, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r < 0)
		return imap_failed(imap, r);
	return mailbox_message(imap->mailbox, replace->old_uid) ? RUN_DONE : gone(imap);
}

/*
 * What a fault of the removal left. The new message goes only if the old one is surely there: a file that is removed, though
 * that cannot be made durable, must not be the last of the two.
 */
static enum replace_stage stage_after_fault(struct imap *imap, const struct replace *replace)
{
	int fd = mailbox_open_file(imap->mailbox, replace->old_uid);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? REPLACE_UNDO : fd == -ENOENT ? REPLACE_TELL : REPLACE_KEEP;
}

static enum run remove_old(
	struct imap *imap, struct replace *replace, struct mailbox *target, uint32_t new_uid)
{
	int r = mailbox_expunge(
		imap->mailbox, &replace->old_uid, 1, &replace->done, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	replace->error = r;
	replace->done = 0;
	replace->stage = r < 0 ? stage_after_fault(imap, replace) : REPLACE_TELL;
	if (replace->stage != REPLACE_TELL)
		return RUN_DONE;
	write_format(&imap->out, "* OK [APPENDUID %u %u] Replacement message ready\r\n",
		mailbox_uidvalidity(target), new_uid);
	updates_begin(imap, false);
	return RUN_DONE;
}

/* EXISTS comes first, as in the examples of the RFC; EXPUNGE last: nothing but the answer follows it. */
static enum run tell(struct imap *imap)
{
	enum run run = updates_run(imap);

	return run == RUN_DONE ? imap_ok(imap, NULL, NULL) : run;
}

static enum run undo(
	struct imap *imap, struct replace *replace, struct mailbox *target, uint32_t new_uid)
{
	int r = replace->stage == REPLACE_KEEP
			? replace->error
			: mailbox_expunge(target, &new_uid, 1, &replace->done, &imap->work);
	enum run wait = imap_wait(imap, &r), run;

	if (wait != RUN_DONE)
		return wait;
	run = imap_change_failed(imap, imap->mailbox, "a message cannot be replaced", replace->error);
	if (r < 0 && run == RUN_DONE)
		imap->command.text = "The new message was added, but the old one cannot be removed";
	return run;
}

enum run replace_finish(
	struct imap *imap, struct replace *replace, struct mailbox *target, uint32_t new_uid)
{
	enum run run = RUN_DONE;

	while (run == RUN_DONE && imap->command.completion == COMPLETION_NONE)
		run = replace->stage == REPLACE_REMOVE ? remove_old(imap, replace, target, new_uid)
		      : replace->stage == REPLACE_TELL ? tell(imap)
						       : undo(imap, replace, target, new_uid);
	return run;
}
