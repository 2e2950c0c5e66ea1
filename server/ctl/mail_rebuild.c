#include "server/ctl/mail_rebuild.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/card.h"
#include "maildir/mailbox.h"
#include "server/ctl/mail.h"
#include "server/ctl/mail_index.h"

#include <errno.h>

enum { STEP_BUDGET = 2000, CARDS_AT_ONCE = 500 };

struct rebuild {
	struct mail *mail;
	struct store *store;
	uint64_t n_mailboxes, n_messages;
};

/* What a step said: whether it is to be called again. A lock is waited for, but not for ever. */
static bool wants_more(
	struct rebuild *rebuild, int r, const struct work *work, uint64_t *waited_usec)
{
	(void)store_rest(rebuild->store);
	if (r == -EINPROGRESS)
		return true;
	if (r != -EAGAIN || *waited_usec > REBUILD_LOCK_SECONDS * USEC_PER_SEC)
		return false;
	*waited_usec += work->retry_usec;
	usleep((useconds_t)(work->retry_usec < USEC_PER_SEC ? work->retry_usec : USEC_PER_SEC - 1));
	return true;
}

static struct work new_work(void)
{
	return (struct work){ .now_usec = clock_realtime_usec(), .budget = STEP_BUDGET };
}

static int sync_all(struct rebuild *rebuild, struct mailbox *mailbox)
{
	uint64_t waited_usec = 0;
	struct work work;
	int r;

	do {
		work = new_work();
		r = mailbox_sync(mailbox, &work);
	} while (wants_more(rebuild, r, &work, &waited_usec));
	return r;
}

static int fill_cards(struct rebuild *rebuild, struct mailbox *mailbox)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);
	_cleanup_free_ uint32_t *uids = calloc(n + 1, sizeof *uids);
	int r = 0;

	must(uids != NULL);
	for (size_t i = 0; i < n; i++)
		uids[i] = messages[i].msg_uid;
	for (size_t at = 0; at < n && r == 0; at += CARDS_AT_ONCE) {
		size_t done = 0, some = n - at < CARDS_AT_ONCE ? n - at : (size_t)CARDS_AT_ONCE;
		uint64_t waited_usec = 0;
		struct work work;

		report_progress(rebuild->mail->report, mailbox_name(mailbox), at, n);
		do {
			work = new_work();
			r = mailbox_cards_fill(mailbox, uids + at, some, &done, &work);
		} while (wants_more(rebuild, r, &work, &waited_usec));
	}
	rebuild->n_messages += r == 0 ? n : 0;
	return r;
}

static int rebuild_one(struct rebuild *rebuild, struct slice name)
{
	struct mailbox *mailbox;
	int r = mailbox_open(rebuild->store, name, &mailbox);

	if (r < 0)
		return r;
	r = sync_all(rebuild, mailbox);
	if (r == 0)
		r = fill_cards(rebuild, mailbox);
	mailbox_close(mailbox);
	rebuild->n_mailboxes += r == 0;
	return r;
}

static enum mail_status rebuild_all(struct rebuild *rebuild)
{
	const struct mail *mail = rebuild->mail;
	enum mail_status status = MAIL_DONE;

	for (size_t i = 0; i < mail->n_entries; i++) {
		int r = mail->entries[i].exists ? rebuild_one(rebuild, mail->entries[i].name) : 0;

		if (r == 0 || r == -ENOENT) /* deleted meanwhile */
			continue;
		report_error(mail->report, "%.*s: %s%s", SLICE_FMT(mail->entries[i].name),
			strerror(-r),
			r == -EAGAIN ? "; another program has had it locked for a minute" : "");
		status = MAIL_FINDINGS;
	}
	return status;
}

static struct store_settings settings_of(const struct mail_task *task, const char *boot_id)
{
	return (struct store_settings){
		.path = task->account->mail_path,
		.index_path = task->account->index_path,
		.boot_id = boot_id[0] ? boot_id : NULL,
		.drop_index = true,
		.hierarchy_separator = task->conf->mail.hierarchy_separator,
		.fsync = FSYNC_OPTIMIZED,
		.hostname = task->hostname,
		.uidl_format = task->conf->pop3.uidl_format,
		.quota_bytes = task->conf->mail.quota_storage_bytes,
		.quota_messages = task->conf->mail.quota_messages,
		.quota_ignore = task->conf->mail.quota_ignore.values,
		.quota_ignore_n = task->conf->mail.quota_ignore.n,
		.must_exist = true,
	};
}

static enum mail_status open_and_rebuild(struct mail *mail)
{
	const struct mail_task *task = mail->task;
	char boot_id[MAIL_BOOT_ID_BYTES];
	struct store_settings settings;
	struct rebuild rebuild = { .mail = mail };
	enum mail_status status;
	struct mail_index index;

	mail_boot_id(boot_id);
	settings = settings_of(task, boot_id);
	index = mail_index_look(settings.index_path);

	if (index.state == MAIL_INDEX_IN_USE) {
		report_error(mail->report,
			"%s: a session of %s has the index open; close its connections with "
			"`restantectl kick %s', and try again %llu s later, when it has ended "
			"(linger in "
			"[session])",
			settings.index_path, task->account->user, task->account->user,
			(unsigned long long)(task->conf->session.linger_usec / USEC_PER_SEC));
		return MAIL_FAILED;
	}
	if (store_open(&settings, &mail->log, &rebuild.store) < 0)
		return MAIL_FAILED;
	status = rebuild_all(&rebuild);
	(void)store_rest(rebuild.store);
	store_close(rebuild.store);
	index = mail_index_look(settings.index_path);
	mail_index_report(&index, settings.index_path, mail->report);
	report_message(mail->report, "%llu mailboxes, %llu messages",
		(unsigned long long)rebuild.n_mailboxes, (unsigned long long)rebuild.n_messages);
	return status;
}

enum mail_status mail_task_rebuild(void *arg, struct report *report)
{
	struct mail mail;
	enum mail_status status = MAIL_FAILED;

	if (mail_open(&mail, arg, report))
		status = open_and_rebuild(&mail);
	mail_close(&mail);
	return status;
}
