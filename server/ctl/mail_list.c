#include "server/ctl/mail_list.h"

#include "maildir/filename.h"
#include "maildir/name.h"
#include "maildir/special_use.h"
#include "maildir/subscriptions.h"
#include "server/ctl/mail.h"

enum { NUMBER_BYTES = 24, NUMBERS = 8, LIST_CELLS = 6, STATUS_CELLS = 9 };

static struct slice number(char *text, uint64_t value)
{
	snprintf(text, NUMBER_BYTES, "%llu", (unsigned long long)value);
	return slice_str(text);
}

static struct slice flag(bool value)
{
	return value ? SLICE("1") : SLICE("0");
}

/* list */

struct list_progress {
	struct mail *mail;
	struct slice *subscribed;
	size_t n_subscribed;
	struct slice uses[SPECIAL_USE_COUNT]; /* the mailbox that each is of */
};

static void find_special_uses(struct list_progress *list)
{
	const struct mail *mail = list->mail;
	unsigned best[SPECIAL_USE_COUNT], rank;

	for (size_t i = 0; i < mail->n_entries; i++) {
		enum special_use use = special_use_of_name(
			mail->entries[i].name, mail->task->conf->mail.hierarchy_separator, &rank);

		if (use == SPECIAL_USE_NONE || !mail->entries[i].exists ||
			(list->uses[use].n > 0 && best[use] <= rank))
			continue;
		list->uses[use] = mail->entries[i].name;
		best[use] = rank;
	}
}

static struct slice special_use_of(const struct list_progress *list, struct slice name)
{
	for (unsigned use = SPECIAL_USE_NONE + 1; use < SPECIAL_USE_COUNT; use++)
		if (list->uses[use].n > 0 && slice_equal(list->uses[use], name))
			return slice_str(special_use_attribute((enum special_use)use));
	return SLICE("");
}

static bool is_subscribed(const struct list_progress *list, struct slice name)
{
	for (size_t i = 0; i < list->n_subscribed; i++)
		if (slice_equal(list->subscribed[i], name))
			return true;
	return false;
}

static bool is_mailbox(const struct mail *mail, struct slice name)
{
	for (size_t i = 0; i < mail->n_entries; i++)
		if (slice_equal(mail->entries[i].name, name))
			return true;
	return false;
}

static void add_list_row(
	struct list_progress *list, struct slice name, bool exists, const struct survey *survey)
{
	char texts[2][NUMBER_BYTES];
	uint64_t unseen = 0;
	struct slice cells[LIST_CELLS] = {
		name,
		flag(exists),
		flag(is_subscribed(list, name)),
		special_use_of(list, name),
	};

	for (size_t i = 0; survey && i < survey->n_files; i++)
		unseen += (survey->files[i].letters & LETTER_SEEN) == 0;
	if (survey) {
		cells[4] = number(texts[0], survey->n_files);
		cells[5] = number(texts[1], unseen);
	}
	report_row(
		list->mail->report, cells, list->mail->task->counts ? LIST_CELLS : LIST_CELLS - 2);
}

static enum mail_status list_counted(void *arg, struct slice name, struct survey *survey)
{
	add_list_row(arg, name, true, survey);
	return MAIL_DONE;
}

enum mail_status mail_task_list(void *arg, struct report *report)
{
	static const char *const columns[LIST_CELLS] = { "mailbox:s", "exists:b", "subscribed:b",
		"special_use:s", "messages:n", "unseen:n" };
	struct mail mail;
	struct list_progress list = { .mail = &mail };
	enum mail_status status = MAIL_FAILED;
	const struct mail_task *task = arg;

	if (mail_open(&mail, task, report) && subscriptions_read(mail.store, &mail.arena,
						      &list.subscribed, &list.n_subscribed) == 0) {
		status = MAIL_DONE;
		find_special_uses(&list);
		report_table(
			report, "mailboxes", columns, task->counts ? LIST_CELLS : LIST_CELLS - 2);
		if (task->counts)
			status = mail_each(&mail, list_counted, &list);
		for (size_t i = 0; i < mail.n_entries; i++)
			if (!task->counts || !mail.entries[i].exists)
				add_list_row(
					&list, mail.entries[i].name, mail.entries[i].exists, NULL);
		for (size_t i = 0; i < list.n_subscribed; i++)
			if (!is_mailbox(&mail, list.subscribed[i]))
				add_list_row(&list, list.subscribed[i], false, NULL);
	}
	mail_close(&mail);
	return status;
}

/* status */

/* By the name, where it tells: a stat() for each of 100,000 files takes its time. */
static uint64_t size_of(const struct survey *survey, const struct survey_file *file)
{
	uint64_t bytes;
	struct stat st;

	if (filename_size(file->base, 'S', &bytes))
		return bytes;
	return survey_stat(survey, file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void add_keywords(const struct survey *survey, struct buf *out)
{
	unsigned end = keyword_table_end(&survey->keywords);

	for (unsigned i = 0; i < end; i++)
		if (survey->keywords.names[i] &&
			(buf_add_str(out, out->n > 0 ? " " : "") < 0 ||
				buf_add_str(out, survey->keywords.names[i]) < 0))
			return;
}

static enum mail_status status_of(void *arg, struct slice name, struct survey *survey)
{
	struct mail *mail = arg;
	_cleanup_buf_ struct buf keywords = BUF(LIMIT_KEYWORDS * (KEYWORD_MAX_BYTES + 1));
	char texts[NUMBERS][NUMBER_BYTES];
	uint64_t unseen = 0, recent = 0, unassigned = 0, bytes = 0;

	for (size_t i = 0; i < survey->n_files; i++) {
		const struct survey_file *file = &survey->files[i];

		report_progress(mail->report, name, i, survey->n_files);
		unseen += (file->letters & LETTER_SEEN) == 0;
		recent += file->in_new;
		unassigned += file->msg_uid == 0;
		bytes += size_of(survey, file);
	}
	add_keywords(survey, &keywords);
	report_row(mail->report,
		(const struct slice[STATUS_CELLS]){
			name,
			number(texts[0], survey->n_files),
			number(texts[1], unseen),
			number(texts[2], recent),
			number(texts[3], unassigned),
			survey->has_uidlist ? number(texts[4], survey->header.uidvalidity)
					    : SLICE(""),
			survey->has_uidlist ? number(texts[5], survey->header.uidnext) : SLICE(""),
			number(texts[6], bytes),
			buf_slice(&keywords),
		},
		STATUS_CELLS);
	return MAIL_DONE;
}

enum mail_status mail_task_status(void *arg, struct report *report)
{
	static const char *const columns[STATUS_CELLS] = { "mailbox:s", "messages:n", "unseen:n",
		"recent:n", "without_uid:n", "uidvalidity:n", "uidnext:n", "bytes:n",
		"keywords:s" };
	struct mail mail;
	enum mail_status status = MAIL_FAILED;

	if (mail_open(&mail, arg, report)) {
		report_table(report, "mailboxes", columns, STATUS_CELLS);
		status = mail_each(&mail, status_of, &mail);
	}
	mail_close(&mail);
	return status;
}
