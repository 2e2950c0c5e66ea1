#include "server/ctl/mail_list.h"

#include "base/must.h"
#include "maildir/filename.h"
#include "maildir/name.h"
#include "maildir/special_uses.h"
#include "maildir/subscriptions.h"
#include "server/ctl/mail.h"
#include "server/ctl/mail_index.h"
#include "server/ctl/mail_verify_index.h"

enum { NUMBER_BYTES = 24, NUMBERS = 8, LIST_CELLS = 6, STATUS_CELLS = 11, USES_BYTES = 200 };

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
	const unsigned *uses; /* of each entry of the mail: sets of special_use_bit() */
};

static unsigned uses_of(const struct list_progress *list, struct slice name)
{
	const struct mail *mail = list->mail;

	for (size_t i = 0; i < mail->n_entries; i++)
		if (slice_equal(mail->entries[i].name, name))
			return list->uses[i];
	return 0;
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
	_cleanup_buf_ struct buf uses = BUF(USES_BYTES);
	char texts[2][NUMBER_BYTES];
	uint64_t unseen = 0;

	must(special_use_format(uses_of(list, name), &uses) == 0);
	struct slice cells[LIST_CELLS] = {
		name,
		flag(exists),
		flag(is_subscribed(list, name)),
		buf_slice(&uses),
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
		list.uses =
			special_uses_find(mail.store, &mail.arena, mail.entries, mail.n_entries);
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

struct status_progress {
	struct mail *mail;
	struct index_records records;
};

static const char *view_word(enum index_view view)
{
	return view == INDEX_VIEW_CURRENT ? "current" : view == INDEX_VIEW_BEHIND ? "behind" : "none";
}

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
	const struct status_progress *progress = arg;
	struct mail *mail = progress->mail;
	_cleanup_buf_ struct buf keywords = BUF(LIMIT_KEYWORDS * (KEYWORD_MAX_BYTES + 1));
	char texts[NUMBERS][NUMBER_BYTES];
	uint64_t unseen = 0, recent = 0, unassigned = 0, bytes = 0;
	struct snapshot_header header;
	enum index_view view;

	for (size_t i = 0; i < survey->n_files; i++) {
		const struct survey_file *file = &survey->files[i];

		report_progress(mail->report, name, i, survey->n_files);
		unseen += (file->letters & LETTER_SEEN) == 0;
		recent += file->in_new;
		unassigned += file->msg_uid == 0;
		bytes += size_of(survey, file);
	}
	add_keywords(survey, &keywords);
	view = verify_index_view(&progress->records, survey, &header);
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
			view == INDEX_VIEW_NONE ? SLICE("") : number(texts[7], header.highestmodseq),
			slice_str(view_word(view)),
		},
		STATUS_CELLS);
	return MAIL_DONE;
}

enum mail_status mail_task_status(void *arg, struct report *report)
{
	static const char *const columns[STATUS_CELLS] = { "mailbox:s", "messages:n", "unseen:n",
		"recent:n", "without_uid:n", "uidvalidity:n", "uidnext:n", "bytes:n",
		"keywords:s", "highestmodseq:n", "index:s" };
	struct mail mail;
	struct status_progress progress = { .mail = &mail };
	enum mail_status status = MAIL_FAILED;

	if (mail_open(&mail, arg, report)) {
		const char *path = mail.task->account->index_path;
		struct mail_index index = mail_index_look(path);

		report_table(report, "mailboxes", columns, STATUS_CELLS);
		if ((index.state == MAIL_INDEX_READY || index.state == MAIL_INDEX_IN_USE) &&
			index_records_read(path, 1u << INDEX_MAILBOXES | 1u << INDEX_HEADERS,
				&progress.records) < 0)
			index_records_done(&progress.records);
		status = mail_each(&mail, status_of, &progress);
		index_records_done(&progress.records);
		mail_index_report(&index, path, report);
	}
	mail_close(&mail);
	return status;
}
