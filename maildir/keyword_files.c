#include "maildir/keyword_files.h"

#include "base/clock.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>

#define NAMES_FILE       "dovecot-keywords"
#define NAMES_TEMPORARY  "dovecot-keywords.lock"
#define BEYOND_FILE      "restante-keywords"
#define BEYOND_TEMPORARY "restante-keywords.tmp"

enum {
	NAMES_MAX_BYTES = 1024 * 1024,
	BEYOND_MAX_BYTES = 256 * 1024 * 1024,
	BEYOND_WASTE_MIN = 256, /* lines, before a rewrite is thought of */
};

static const struct slice FORWARDED = { "$Forwarded", 10 };
#define LOW_KEYWORDS ((uint64_t)LETTERS_KEYWORDS)

bool keyword_files_unchanged(int dir_fd, const struct stamp *names, const struct stamp *beyond)
{
	struct stamp now;

	return dirs_stamp(dir_fd, NAMES_FILE, &now) == 0 && stamp_equal(&now, names) &&
	       dirs_stamp(dir_fd, BEYOND_FILE, &now) == 0 && stamp_equal(&now, beyond);
}

bool keyword_files_changed(const struct mailbox *mailbox)
{
	return mailbox->keywords.beyond_stale ||
	       !keyword_files_unchanged(mailbox->dir_fd, &mailbox->keywords.stamp,
		       &mailbox->keywords.beyond_stamp);
}

/* Read a file if its stamp says that it changed. Returns 1: read; 0: it did not; -errno. A file not there is empty. */
static int read_changed(struct mailbox *mailbox, const char *name, const struct stamp *known,
	struct buf *out, struct stamp *ret_stamp)
{
	struct stamp stamp;
	int r = dirs_stamp(mailbox->dir_fd, name, &stamp);

	if (r < 0)
		return r;
	if (stamp_equal(&stamp, known))
		return 0;
	r = dirs_read_file(mailbox->dir_fd, name, out, ret_stamp);
	if (r == -ENOENT) {
		*ret_stamp = (struct stamp){ 0 };
		return 1;
	}
	return r < 0 ? r : 1;
}

static void name_unknown_letters(struct mailbox *mailbox)
{
	struct keyword_state *keywords = &mailbox->keywords;
	char name[32];

	for (unsigned n = 0; n < FILENAME_KEYWORD_LETTERS; n++) {
		if (keywords->table.names[n] || !(keywords->letters_seen >> n & 1))
			continue;
		snprintf(name, sizeof name, "unknown-%u", n);
		while (keyword_table_find(&keywords->table, slice_str(name)) >= 0 &&
			strlen(name) + 1 < sizeof name)
			strcat(name, "?");
		keyword_table_set(&keywords->table, n, slice_str(name));
	}
}

static void set_forwarded(struct mailbox *mailbox, uint64_t now_usec)
{
	int before = mailbox->keywords.forwarded;
	int number = keyword_table_find(&mailbox->keywords.table, FORWARDED);

	mailbox->keywords.forwarded = number < FILENAME_KEYWORD_LETTERS ? number : -1;
	if (mailbox->keywords.forwarded != before)
		keyword_files_recompute(mailbox, now_usec);
}

void keyword_files_recompute(struct mailbox *mailbox, uint64_t now_usec)
{
	struct list *list = &mailbox->list;

	for (size_t i = 0; i < list->n; i++) {
		struct message_flags now;

		mailbox_flags_from_letters(
			mailbox, list_entry(list, i)->letters, &now.flags, &now.keywords);
		now.keywords |= list->messages[i].keywords & ~LOW_KEYWORDS;
		mailbox_set_flags(mailbox, i, now, now_usec);
	}
}

/* What the file says of every message, then one pass over the messages: a line that is gone counts as well. */
static void apply_beyond(struct mailbox *mailbox, struct slice text, uint64_t now_usec)
{
	struct list *list = &mailbox->list;
	struct keyword_state *keywords = &mailbox->keywords;
	_cleanup_free_ uint64_t *beyond = calloc(list->n + 1, sizeof *beyond);
	struct keyword_line_values values;
	struct slice line;

	must(beyond != NULL);
	list_index(list);
	keywords->beyond_lines = 0;
	for (unsigned n = KEYWORD_FIRST_BEYOND; n < LIMIT_KEYWORDS; n++)
		keyword_table_set(&keywords->table, n, SLICE(""));
	for (ssize_t end; (end = slice_find(text, '\n')) >= 0;) {
		line = slice_take(&text, (size_t)end);
		slice_skip(&text, '\n');
		keywords->beyond_lines++;

		enum keyword_line kind = keywords_parse_line(line, &values);

		if (kind == KEYWORD_LINE_NAME) {
			keyword_table_set(&keywords->table, values.number, values.name);
		} else if (kind == KEYWORD_LINE_MESSAGE) {
			ssize_t number = list_find_base(list, values.name);

			if (number >= 0)
				beyond[number] = values.keywords;
		}
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct message *message = &list->messages[i];
		struct message_flags now = { message->flags,
			(message->keywords & LOW_KEYWORDS) | beyond[i] };

		mailbox_set_flags(mailbox, i, now, now_usec);
	}
}

static int refresh_beyond(struct mailbox *mailbox, uint64_t now_usec)
{
	struct keyword_state *keywords = &mailbox->keywords;
	_cleanup_buf_ struct buf text = BUF(BEYOND_MAX_BYTES);
	struct stamp stamp, none = { 0 };
	bool again = keywords->beyond_stale && keywords->beyond_stamp.ino != 0;
	int r = read_changed(
		mailbox, BEYOND_FILE, again ? &none : &keywords->beyond_stamp, &text, &stamp);

	if (r < 0)
		return r;
	if (r > 0) {
		flag_log_done(&mailbox->flag_log); /* numbers may mean other keywords */
		apply_beyond(mailbox, buf_slice(&text), now_usec);
		keywords->beyond_stamp = stamp;
		if (stamp_is_young(&stamp, now_usec, mailbox->is_local))
			keywords->beyond_stamp.size = 0; /* read it once more when it is older */
	}
	keywords->beyond_stale = false;
	return 0;
}

int keyword_files_refresh(struct mailbox *mailbox, uint64_t now_usec)
{
	struct keyword_state *keywords = &mailbox->keywords;
	_cleanup_buf_ struct buf text = BUF(NAMES_MAX_BYTES);
	struct stamp stamp;
	int r = read_changed(mailbox, NAMES_FILE, &keywords->stamp, &text, &stamp);

	if (r < 0)
		return r;
	if (r > 0) {
		flag_log_done(&mailbox->flag_log);
		keywords_parse_dovecot(buf_slice(&text), &keywords->table);
		keywords->stamp =
			stamp; /* its mtime grows with every change: no need to read it twice */
	}
	r = refresh_beyond(mailbox, now_usec);
	name_unknown_letters(mailbox);
	set_forwarded(mailbox, now_usec);
	return r;
}

static int write_names(struct mailbox *mailbox)
{
	_cleanup_buf_ struct buf text = BUF(NAMES_MAX_BYTES);
	int r = keywords_format_dovecot(&mailbox->keywords.table, &text);

	if (r < 0)
		return r;
	return dirs_replace_file(mailbox->dir_fd,
		&(struct replacement){ .name = NAMES_FILE,
			.temporary_name = NAMES_TEMPORARY,
			.text = buf_slice(&text),
			.sync = !mailbox_fsync_never(mailbox),
			.mtime_above_sec = mailbox->keywords.stamp.mtime_sec },
		&mailbox->keywords.stamp);
}

static int write_beyond(struct mailbox *mailbox)
{
	struct keyword_state *keywords = &mailbox->keywords;
	const struct list *list = &mailbox->list;
	_cleanup_buf_ struct buf text = BUF(BEYOND_MAX_BYTES);
	size_t lines = 1;
	int r = keywords_format_first_line(&text);

	for (unsigned n = KEYWORD_FIRST_BEYOND; r == 0 && n < LIMIT_KEYWORDS; n++)
		if (keywords->table.names[n] && ++lines)
			r = keywords_format_name(n, slice_str(keywords->table.names[n]), &text);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		if ((list->messages[i].keywords & ~LOW_KEYWORDS) && !list_entry(list, i)->orphan &&
			++lines)
			r = keywords_format_message(
				list_base(list, i), list->messages[i].keywords, &text);
	if (r == 0)
		r = dirs_replace_file(mailbox->dir_fd,
			&(struct replacement){ .name = BEYOND_FILE,
				.temporary_name = BEYOND_TEMPORARY,
				.text = buf_slice(&text),
				.sync = !mailbox_fsync_never(mailbox) },
			&keywords->beyond_stamp);
	if (r == 0)
		keywords->beyond_lines = lines;
	return r;
}

int keyword_files_sync(struct mailbox *mailbox)
{
	_cleanup_close_ int fd = dirs_open_append(mailbox->dir_fd, BEYOND_FILE);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return fdatasync(fd) < 0 ? -errno : 0;
}

/* A line that was half written when the power went: the end given to it makes it one that says nothing. */
static int end_broken_line(int fd, uint64_t size)
{
	char last;
	ssize_t n = size > 0 ? dirs_read_at(fd, &last, 1, size - 1) : 0;

	if (n < 0)
		return (int)n;
	return n == 0 || last == '\n' ? 0 : dirs_write(fd, SLICE(" \n"));
}

static int append_lines(struct mailbox *mailbox, int fd, struct slice lines, bool sync)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;

	int r = end_broken_line(fd, (uint64_t)st.st_size);

	if (r == 0)
		r = dirs_write(fd, lines);
	if (r == 0 && sync && fdatasync(fd) < 0)
		r = -errno;
	if (r < 0 && ftruncate(fd, st.st_size) < 0)
		mailbox_log(mailbox, LOG_PRIORITY_ERROR,
			"%s: cannot take back what was written: %m", BEYOND_FILE);
	return r;
}

int keyword_files_append(struct mailbox *mailbox, struct slice lines, bool sync)
{
	struct keyword_state *keywords = &mailbox->keywords;
	struct stat st;

	must(mailbox->lock_count > 0);
	_cleanup_close_ int fd = dirs_open_append(mailbox->dir_fd, BEYOND_FILE);

	if (fd == -ENOENT) {
		int r = write_beyond(mailbox);

		if (r < 0)
			return r;
		fd = dirs_open_append(mailbox->dir_fd, BEYOND_FILE);
	}
	if (fd < 0)
		return fd;

	int r = append_lines(mailbox, fd, lines, sync);

	if (r == 0 && fstat(fd, &st) == 0)
		keywords->beyond_stamp = stamp_from_stat(&st);
	for (size_t i = 0; r == 0 && i < lines.n; i++)
		keywords->beyond_lines += lines.p[i] == '\n';
	return r;
}

static bool is_wasteful(const struct mailbox *mailbox)
{
	size_t lines = mailbox->keywords.beyond_lines;

	return lines >= BEYOND_WASTE_MIN && lines / 2 >= mailbox->list.n;
}

/* What others wrote before the lock was ours, and what is there of messages that are new, is not known yet. */
int keyword_files_compact(struct mailbox *mailbox, uint64_t now_usec)
{
	must(mailbox->lock_count > 0);
	if (!is_wasteful(mailbox))
		return 0;
	mailbox->keywords.beyond_stale |= mailbox->list.n > mailbox->list.n_shown;

	int r = keyword_files_refresh(mailbox, now_usec);

	return r == 0 && is_wasteful(mailbox) ? write_beyond(mailbox) : r;
}

static int append_name(struct mailbox *mailbox, unsigned number, struct slice name)
{
	_cleanup_buf_ struct buf line = BUF(KEYWORD_MAX_BYTES + 32);
	int r = keywords_format_name(number, name, &line);

	return r < 0 ? r : keyword_files_append(mailbox, buf_slice(&line), !mailbox_fsync_never(mailbox));
}

static int create_locked(
	struct mailbox *mailbox, struct slice name, unsigned end, uint64_t now_usec)
{
	struct keyword_state *keywords = &mailbox->keywords;
	int r = keyword_files_refresh(mailbox, now_usec);

	if (r < 0)
		return r;

	int number = keyword_table_find(&keywords->table, name);

	if (number >= 0)
		return number;
	number = keyword_table_free_number(&keywords->table, keywords->letters_seen);
	if (number < 0 || (unsigned)number >= end)
		return -E2BIG;
	keyword_table_set(&keywords->table, (unsigned)number, name);
	r = number < KEYWORD_FIRST_BEYOND ? write_names(mailbox)
					  : append_name(mailbox, (unsigned)number, name);
	if (r < 0) {
		keyword_table_set(&keywords->table, (unsigned)number, SLICE(""));
		return r;
	}
	set_forwarded(mailbox, now_usec);
	return number;
}

int keyword_files_create(
	struct mailbox *mailbox, struct slice name, unsigned end, struct work *work)
{
	int r = mailbox_lock(mailbox, work);

	if (r < 0)
		return r;
	r = create_locked(mailbox, name, end, work->now_usec);
	mailbox_unlock(mailbox);
	return r;
}
