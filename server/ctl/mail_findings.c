#include "server/ctl/mail_findings.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/name.h"
#include "server/ctl/mail.h"
#include "server/ctl/mail_index.h"
#include "server/ctl/mail_verify.h"
#include "server/ctl/mail_verify_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { FINDING_CELLS = 6, TRIES = 3 };

struct verification {
	struct mail *mail;
	uint64_t n_mailboxes, n_messages, n_problems, n_notes;
	struct index_records records; /* of the index as it was before the files are looked at */
	int index_error;              /* -errno: why there are none */
	bool *is_known;               /* of the mailboxes that the index has: whether one of this GUID is there */
};

static struct verify_order order_of(const struct mail *mail, struct slice name)
{
	return (struct verify_order){
		.name = name,
		.quick = mail->task->quick,
		.hostname = mail->task->hostname,
		.now_usec = clock_realtime_usec(),
		.report = mail->report,
	};
}

static void tell_finding(
	struct verification *v, struct slice mailbox, const struct finding *finding)
{
	char text[24];

	v->n_notes += finding->is_note;
	v->n_problems += !finding->is_note;
	snprintf(text, sizeof text, "%u", finding->msg_uid);
	if (finding->msg_uid == 0)
		text[0] = '\0';
	report_row(v->mail->report,
		(const struct slice[FINDING_CELLS]){
			mailbox,
			slice_str(finding->kind),
			finding->is_note ? SLICE("note") : SLICE("problem"),
			slice_str(text),
			finding->file,
			finding->detail,
		},
		FINDING_CELLS);
}

static void tell_findings(struct verification *v, struct slice mailbox, const struct survey *survey)
{
	for (size_t i = 0; i < survey->n_findings; i++)
		tell_finding(v, mailbox, &survey->findings[i]);
}

/* What the index says may be old: it is compared only with the state it describes. */
static void verify_both(
	const struct verification *v, struct survey *survey, const struct verify_order *order)
{
	verify_mailbox(survey, order);
	verify_index_mailbox(&v->records, survey);
}

static void note_known(struct verification *v, const struct survey *survey)
{
	size_t n;
	const struct index_item *items = index_records_of(&v->records, INDEX_MAILBOXES, 0, &n);

	for (size_t i = 0; i < n && survey->has_uidlist; i++)
		v->is_known[i] |= slice_equal(items[i].value, slice_str(survey->header.guid));
}

static enum mail_status verify_one(void *arg, struct slice name, struct survey *survey)
{
	struct verification *v = arg;
	struct verify_order order = order_of(v->mail, name);
	char directory[NAME_DIRECTORY_BYTES];
	int tries = 1;

	verify_both(v, survey, &order);
	/* What a running session changes meanwhile looks like disagreement: look again. */
	while (survey->n_findings > 0 && !survey_is_current(survey) && tries < TRIES) {
		survey_done(survey);
		if (name_to_directory(
			    name, v->mail->task->conf->mail.hierarchy_separator, directory) < 0 ||
			survey_read(v->mail->root_fd, directory, survey) < 0) {
			report_error(v->mail->report, "%.*s: it disappeared while it was read",
				SLICE_FMT(name));
			return MAIL_FAILED;
		}
		verify_both(v, survey, &order);
		tries++;
	}
	if (survey->n_findings > 0 && !survey_is_current(survey))
		report_message(v->mail->report,
			"%.*s: it is being changed; what is found there may be of that moment only",
			SLICE_FMT(name));
	tell_findings(v, name, survey);
	note_known(v, survey);
	v->n_mailboxes++;
	v->n_messages += survey->n_files;
	return MAIL_DONE;
}

/* What looks like a mailbox in the root, and is none. */
static void find_odd_directory(struct survey *root, const struct mail *mail, const char *name)
{
	_cleanup_buf_ struct buf mailbox = BUF(NAME_UTF8_BYTES);
	const char *why = NULL;
	struct stat st, cur;
	int r = name_from_directory(
		slice_str(name), mail->task->conf->mail.hierarchy_separator, &mailbox);
	_cleanup_close_ int fd = -1;

	if (fstatat(mail->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	fd = S_ISDIR(st.st_mode) ? dirs_open(mail->root_fd, name, false) : -1;
	if (S_ISLNK(st.st_mode))
		why = "a symbolic link: it is never followed, and no mailbox";
	else if (fd >= 0 && fstatat(fd, "cur", &cur, AT_SYMLINK_NOFOLLOW) == 0 &&
		 S_ISLNK(cur.st_mode))
		why = "its cur is a symbolic link, which is never followed";
	else if (fd >= 0 && r < 0 && fstatat(fd, "cur", &cur, AT_SYMLINK_NOFOLLOW) == 0)
		why = "it has a cur, but its name is that of no mailbox";
	else if (fd < 0 && S_ISDIR(st.st_mode) && r == 0)
		why = "it cannot be opened";
	if (why)
		survey_find(root, &(struct finding){
					  .kind = "odd-directory",
					  .file = slice_str(name),
					  .detail = slice_str(why),
				  });
}

/* A cache that will be dropped is no disagreement; one that is damaged tells of a disk or a crash. */
static void verify_index(const struct verification *v, struct survey *root)
{
	const char *path = v->mail->task->account->index_path;
	struct mail_index index = mail_index_look(path);
	const char *kind = index.state == MAIL_INDEX_DAMAGED   ? "index-damaged"
			   : index.state == MAIL_INDEX_STALE   ? "index-stale"
			   : index.state == MAIL_INDEX_UNKNOWN ? "index-unknown"
							       : NULL;

	if (kind)
		survey_find(root, &(struct finding){
					  .kind = kind,
					  .is_note = index.state == MAIL_INDEX_STALE,
					  .file = slice_str(path),
					  .detail = survey_text(root, "%s",
						  index.error < 0 ? strerror(-index.error)
								  : "dropped and made anew when "
								    "the mail is next opened"),
				  });
}

/* As index_open() does: what it would drop tells nothing. */
static void read_index(struct verification *v)
{
	const char *path = v->mail->task->account->index_path;
	enum mail_index_state state = mail_index_look(path).state;
	size_t n;

	v->index_error = -ENOENT;
	if (state == MAIL_INDEX_READY || state == MAIL_INDEX_IN_USE)
		v->index_error = index_records_read(path, (1u << INDEX_TABLES) - 1, &v->records);
	if (v->index_error < 0)
		index_records_done(&v->records);
	(void)index_records_of(&v->records, INDEX_MAILBOXES, 0, &n);
	v->is_known = calloc(n + 1, sizeof *v->is_known);
	must(v->is_known != NULL);
}

static void find_index_error(const struct verification *v, struct survey *root, const char *path)
{
	if (v->index_error == -EAGAIN)
		report_message(v->mail->report,
			"the index %s is written to all the time; it was not compared", path);
	else if (v->index_error < 0 && v->index_error != -ENOENT)
		survey_find(root, &(struct finding){
					  .kind = v->index_error == -EBADMSG ? "index-damaged" : "index-unknown",
					  .file = slice_str(path),
					  .detail = survey_text(root, "%s",
						  v->index_error == -EBADMSG
							  ? "it cannot be read to its end"
							  : strerror(-v->index_error)),
				  });
}

static void find_forgotten(const struct verification *v, struct survey *root, const char *path)
{
	size_t n, forgotten = 0;
	const struct index_item *items = index_records_of(&v->records, INDEX_MAILBOXES, 0, &n);

	for (size_t i = 0; i < n; i++) {
		forgotten += !items[i].is_damaged && !v->is_known[i];
		if (items[i].is_damaged)
			survey_find(root, &(struct finding){
						  .kind = "index-record",
						  .file = slice_str(path),
						  .detail = SLICE("the record of a mailbox's number does not fit its checksum"),
					  });
	}
	if (forgotten > 0)
		survey_find(root, &(struct finding){
					  .kind = "index-leftover",
					  .is_note = true,
					  .file = slice_str(path),
					  .detail = survey_text(root,
						  "it has records of %zu mailboxes that are gone; they go when a session ends",
						  forgotten),
				  });
}

/* Beside the mailboxes: the root itself. */
static void verify_root(struct verification *v)
{
	struct survey root = { .dir_fd = -1, .cur_fd = -1, .new_fd = -1 };
	struct verify_order order = order_of(v->mail, SLICE(""));
	int fd = dirs_open(v->mail->root_fd, ".", false);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 &&
			strcmp(e->d_name, "..") != 0)
			find_odd_directory(&root, v->mail, e->d_name);
	if (dir)
		closedir(dir);
	verify_lock(&root, v->mail->root_fd, "subscriptions.lock", &order);
	verify_index(v, &root);
	find_index_error(v, &root, v->mail->task->account->index_path);
	find_forgotten(v, &root, v->mail->task->account->index_path);
	tell_findings(v, SLICE(""), &root);
	survey_done(&root);
}

enum mail_status mail_task_verify(void *arg, struct report *report)
{
	static const char *const columns[FINDING_CELLS] = { "mailbox:s", "kind:s", "level:s",
		"uid:n", "file:s", "detail:s" };
	const struct mail_task *task = arg;
	struct mail mail;
	struct verification v = { .mail = &mail };
	enum mail_status status = MAIL_FAILED;

	if (mail_open(&mail, task, report)) {
		report_table(report, "findings", columns, FINDING_CELLS);
		read_index(&v);
		status = mail_each(&mail, verify_one, &v);
		if (task->n_mailboxes == 0)
			verify_root(&v);
		report_message(report, "%llu mailboxes, %llu messages: %llu problems, %llu notes",
			(unsigned long long)v.n_mailboxes, (unsigned long long)v.n_messages,
			(unsigned long long)v.n_problems, (unsigned long long)v.n_notes);
		if (status == MAIL_DONE && (v.n_problems > 0 || (task->strict && v.n_notes > 0)))
			status = MAIL_FINDINGS;
	}
	index_records_done(&v.records);
	free(v.is_known);
	mail_close(&mail);
	return status;
}
