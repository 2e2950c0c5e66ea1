#include "server/ctl/mailbox.h"

#include "server/ctl/mail_account.h"
#include "server/ctl/mail_export.h"
#include "server/ctl/mail_findings.h"
#include "server/ctl/mail_list.h"
#include "server/ctl/mail_rebuild.h"
#include "server/ctl/output.h"

#include <errno.h>
#include <fcntl.h>

/* Which arguments and options a verb takes beside USER or --path. */
enum {
	TAKES_MAILBOXES = 1,
	NEEDS_MAILBOXES = 2,
	TAKES_COUNTS = 4,
	TAKES_VERIFY = 8,
	TAKES_EXPORT = 16
};

struct mailbox_verb {
	const char *name, *arguments, *help;
	unsigned takes;
	enum mail_status (*run)(void *arg, struct report *report);
};

static const struct mailbox_verb verbs[] = {
	{ "list", "[--counts]", "mailboxes: subscribed, special use; with --counts, messages",
		TAKES_COUNTS, mail_task_list },
	{ "status", "MAILBOX... | --all", "messages, unseen, UIDs, size and keywords of mailboxes",
		TAKES_MAILBOXES | NEEDS_MAILBOXES, mail_task_status },
	{ "verify", "[MAILBOX...] [--quick] [--strict]",
		"find what disagrees between files and uidlist; changes nothing",
		TAKES_MAILBOXES | TAKES_VERIFY, mail_task_verify },
	{ "rebuild", "", "drop the index and fill it anew, while no session of the user runs", 0,
		mail_task_rebuild },
	{ "export", "MAILBOX... | --all [--format mbox|tar] [-o FILE]",
		"write messages to a file, or to a pipe",
		TAKES_MAILBOXES | NEEDS_MAILBOXES | TAKES_EXPORT, mail_task_export },
};

void mailbox_print_usage(FILE *to)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		fprintf(to, "  mailbox %s USER|--path DIR %s\n  %-20s %s\n", verbs[i].name,
			verbs[i].arguments, "", verbs[i].help);
}

bool mailbox_has_options(const struct mailbox_options *options)
{
	return options->path || options->format || options->output || options->all ||
	       options->counts || options->quick || options->strict;
}

static const struct mailbox_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool options_fit(
	const struct mailbox_verb *verb, const struct mailbox_options *options, int n_mailboxes)
{
	if (n_mailboxes > 0 && (!(verb->takes & TAKES_MAILBOXES) || options->all))
		return false;
	if ((verb->takes & NEEDS_MAILBOXES) && n_mailboxes == 0 && !options->all)
		return false;
	return !(options->all && !(verb->takes & TAKES_MAILBOXES)) &&
	       !(options->counts && !(verb->takes & TAKES_COUNTS)) &&
	       !((options->quick || options->strict) && !(verb->takes & TAKES_VERIFY)) &&
	       !((options->format || options->output) && !(verb->takes & TAKES_EXPORT));
}

static int usage(const struct mailbox_verb *verb)
{
	if (verb)
		fprintf(stderr, "restantectl: usage: restantectl mailbox %s USER|--path DIR %s\n",
			verb->name, verb->arguments);
	else
		fprintf(stderr,
			"restantectl: mailbox wants list, status, verify, rebuild or export; try "
			"restantectl "
			"help\n");
	return MAIL_FAILED;
}

/* With output_error(): it was told, and this is the exit status. */
static int failed(int told)
{
	(void)told;
	return MAIL_FAILED;
}

/* What was not asked for is the one that fits: an mbox is one mailbox. Returns 0, or the exit status. */
static int find_format(
	const struct mailbox_options *options, size_t n_mailboxes, enum mail_format *ret_format)
{
	bool is_mbox = options->format ? strcmp(options->format, "mbox") == 0 : n_mailboxes == 1;

	if (options->format && !is_mbox && strcmp(options->format, "tar") != 0)
		return failed(output_error(
			options->json, "--format %.100s: mbox and tar are known", options->format));
	if (is_mbox && n_mailboxes != 1)
		return failed(output_error(options->json,
			"an mbox holds one mailbox: name one, or write --format tar"));
	*ret_format = is_mbox ? MAIL_FORMAT_MBOX : MAIL_FORMAT_TAR;
	return 0;
}

/* Never onto what is there: as root that could be anything, by a link. Returns 0, or the exit status. */
static int open_output(const struct mailbox_options *options, int *ret_fd)
{
	int fd;

	if (!options->output && isatty(STDOUT_FILENO))
		return failed(output_error(options->json,
			"messages are not written to a terminal: name a file with -o, or redirect "
			"the output"));
	if (options->output)
		fd = open(options->output, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	else
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return failed(output_error(options->json, "%.1000s: %s%s",
			options->output ? options->output : "standard output", strerror(errno),
			errno == EEXIST
				? "; it is not written over: take it away, or choose another name"
				: ""));
	*ret_fd = fd;
	return 0;
}

static int show(struct buf *reply_text, bool json, enum mail_status status)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reply reply;

	/* The process that made it belonged to the mail user: it is no more trusted than the mail. */
	if (reply_parse(buf_slice(reply_text), &arena, &reply) < 0 || !reply.complete) {
		return failed(output_error(json,
			"what the process that looked at the mail reported is not understood"));
	}
	if (output_reply(&reply, json) != 0 && reply.n_errors == 0)
		return MAIL_FAILED; /* the output could not be written */
	return (int)status;
}

static int run_as_user(const struct mailbox_options *options, const struct mailbox_verb *verb,
	struct mail_task *task, int out_fd)
{
	_cleanup_buf_ struct buf reply = BUF(CONTROL_REPLY_BYTES + 4 * (size_t)REPORT_LINE_BYTES);
	enum mail_status status = mail_child_run(
		&(struct mail_work){
			.run = verb->run,
			.arg = task,
			.account = task->account,
			.progress = isatty(STDERR_FILENO) == 1,
			.out_fd = out_fd,
		},
		&reply);

	/* Standard output is the export: what there is to say goes beside it. */
	if (out_fd >= 0 && !options->output && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return MAIL_FAILED;
	return show(&reply, options->json, status);
}

static int run_export(const struct mailbox_options *options, const struct mailbox_verb *verb,
	struct mail_task *task)
{
	_cleanup_close_ int fd = -1;
	int status;

	if (find_format(options, task->n_mailboxes, &task->format) != 0)
		return MAIL_FAILED;
	status = open_output(options, &fd);
	if (status != 0)
		return status;
	status = run_as_user(options, verb, task, fd);
	if (options->output && status != MAIL_FAILED && fsync(fd) < 0 && errno != EINVAL)
		status = failed(output_error(
			options->json, "%.1000s: %s", options->output, strerror(errno)));
	if (options->output && status == MAIL_FAILED)
		unlink(options->output); /* a part would look like the whole */
	return status;
}

int mailbox_run(const struct mailbox_options *options, char **words, int n)
{
	const struct mailbox_verb *verb = n > 0 ? find_verb(words[0]) : NULL;
	int first = options->path ? 1 : 2;
	char cause[MAIL_CAUSE_BYTES], hostname[256] = "localhost";
	struct mail_account account;

	if (!verb || n < first || !options_fit(verb, options, n - first))
		return usage(verb);
	if (mail_account_find(options->config, options->path ? NULL : words[1], options->path,
		    &account, cause) < 0)
		return failed(output_error(options->json, "%s", cause));
	if (gethostname(hostname, sizeof hostname - 1) < 0)
		hostname[0] = '\0';

	struct mail_task task = {
		.account = &account.account,
		.conf = account.conf,
		.hostname = hostname,
		.mailboxes = words + first,
		.n_mailboxes = (size_t)(n - first),
		.counts = options->counts,
		.quick = options->quick,
		.strict = options->strict,
	};
	int status = (verb->takes & TAKES_EXPORT) ? run_export(options, verb, &task)
						  : run_as_user(options, verb, &task, -1);

	mail_account_done(&account);
	return status;
}
