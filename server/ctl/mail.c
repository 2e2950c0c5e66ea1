#include "server/ctl/mail.h"

#include "maildir/name.h"

#include <errno.h>
#include <fcntl.h>

static void on_log(void *arg, enum log_priority priority, struct slice line)
{
	struct report *report = arg;

	if (priority <= LOG_PRIORITY_ERROR)
		report_error(report, "%.*s", SLICE_FMT(line));
	else if (priority == LOG_PRIORITY_WARNING)
		report_message(report, "%.*s", SLICE_FMT(line));
}

static const char *remedy(int error)
{
	switch (error) {
	case ENOENT:
		return "nothing was delivered there, and nobody logged in yet; or it is not "
		       "mounted";
	case EACCES:
	case EPERM:
		return "the mail must belong to the user, who must be able to pass every directory "
		       "above it";
	case ENOTDIR:
		return "it must be a Maildir; an mbox must be converted first";
	case ELOOP:
		return "mailboxes, and cur, new and tmp in them, must be directories, not symbolic "
		       "links";
	default:
		return "see path in [mail]";
	}
}

bool mail_open(struct mail *mail, const struct mail_task *task, struct report *report)
{
	struct store_settings settings = {
		.path = task->account->mail_path,
		.hierarchy_separator = task->conf->mail.hierarchy_separator,
		.fsync = FSYNC_NEVER,
		.hostname = task->hostname,
		.uidl_format = task->conf->pop3.uidl_format,
		.must_exist = true,
	};

	*mail = (struct mail){ .task = task, .report = report, .log = { on_log, report } };
	mail->root_fd = open(settings.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mail->root_fd < 0) {
		report_error(report, "%s: %s; %s", settings.path, strerror(errno), remedy(errno));
		return false;
	}
	return store_open(&settings, &mail->log, &mail->store) == 0 &&
	       tree_list(mail->store, &mail->arena, &mail->entries, &mail->n_entries) == 0;
}

void mail_close(struct mail *mail)
{
	if (mail->store)
		store_close(mail->store);
	if (mail->root_fd >= 0)
		close(mail->root_fd);
	arena_done(&mail->arena);
}

static enum mail_status worse(enum mail_status a, enum mail_status b)
{
	return a > b ? a : b;
}

static enum mail_status survey_one(struct mail *mail, struct slice name,
	enum mail_status (*each)(void *arg, struct slice name, struct survey *survey), void *arg)
{
	char directory[NAME_DIRECTORY_BYTES];
	struct survey survey;
	enum mail_status status = MAIL_FAILED;
	int r = name_to_directory(name, mail->task->conf->mail.hierarchy_separator, directory);

	if (r < 0) {
		report_error(mail->report, "%.*s: no mailbox can have this name", SLICE_FMT(name));
		return MAIL_FAILED;
	}
	r = survey_read(mail->root_fd, directory, &survey);
	if (r == 0)
		status = each(arg, name, &survey);
	else if (r == -ENOENT)
		report_error(mail->report,
			"%.*s: no such mailbox in %s; `restantectl mailbox list' shows those there "
			"are",
			SLICE_FMT(name), mail->task->account->mail_path);
	else
		report_error(mail->report, "%.*s (%s/%s): %s; %s", SLICE_FMT(name),
			mail->task->account->mail_path, directory, strerror(-r), remedy(-r));
	survey_done(&survey);
	return status;
}

enum mail_status mail_each(struct mail *mail,
	enum mail_status (*each)(void *arg, struct slice name, struct survey *survey), void *arg)
{
	const struct mail_task *task = mail->task;
	enum mail_status status = MAIL_DONE;

	for (size_t i = 0; i < task->n_mailboxes; i++)
		status = worse(status, survey_one(mail, slice_str(task->mailboxes[i]), each, arg));
	for (size_t i = 0; task->n_mailboxes == 0 && i < mail->n_entries; i++)
		if (mail->entries[i].exists)
			status = worse(status, survey_one(mail, mail->entries[i].name, each, arg));
	return status;
}
