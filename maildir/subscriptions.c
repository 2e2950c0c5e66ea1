#include "maildir/subscriptions.h"

#include "base/limits.h"
#include "maildir/events.h"
#include "maildir/name.h"
#include "maildir/store_state.h"
#include "maildir/subscriptions_file.h"

#include <errno.h>

static const char FILE_NAME[] = "subscriptions";
static const char TEMPORARY_NAME[] = "subscriptions.tmp";
static const char LOCK_NAME[] = "subscriptions.lock";
static const char COURIER_NAME[] = "courierimapsubscribed";

/* The file's text, and what it is. */
struct file {
	struct buf text;
	enum subscriptions_form form;
	struct slice lines;
};
#define FILE_INIT ((struct file){ .text = BUF(LIMIT_SUBSCRIPTIONS_BYTES) })

static void file_done(struct file *file)
{
	buf_done(&file->text);
}
#define _cleanup_file_ _cleanup_(file_done)

static int complain(const struct store *store, int error)
{
	if (error < 0 && error != -EAGAIN)
		log_line(store->log, LOG_PRIORITY_ERROR, "maildir %s/%s: %s", store->settings.path,
			FILE_NAME, strerror(-error));
	return error;
}

static int load(const struct store *store, struct file *file)
{
	struct stamp stamp;
	int r = dirs_read_file(store->root_fd, FILE_NAME, &file->text, &stamp);

	if (r == 0) {
		file->form = subscriptions_read_header(buf_slice(&file->text), &file->lines);
		return 0;
	}
	if (r != -ENOENT)
		return r;
	file->form = SUBSCRIPTIONS_COURIER;
	r = dirs_read_file(store->root_fd, COURIER_NAME, &file->text, &stamp);
	file->lines = buf_slice(&file->text);
	return r == -ENOENT ? 0 : r;
}

static size_t count_lines(struct slice lines)
{
	struct slice line;
	size_t n = 0;

	while (slice_split(&lines, '\n', &line))
		n++;
	return n;
}

/* qsort_r: the separator is the order's. */
static int compare(const void *a, const void *b, void *separator)
{
	return name_compare(*(const struct slice *)a, *(const struct slice *)b, *(char *)separator);
}

static size_t without_repeats(struct slice *names, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !slice_equal(names[kept - 1], names[i]))
			names[kept++] = names[i];
	return kept;
}

int subscriptions_read(
	struct store *store, struct arena *arena, struct slice **ret_names, size_t *ret_n)
{
	_cleanup_file_ struct file file = FILE_INIT;
	_cleanup_buf_ struct buf name = BUF(NAME_UTF8_BYTES);
	char separator = store->settings.hierarchy_separator;
	int r = load(store, &file);
	struct slice line;
	size_t n = 0;

	if (r < 0)
		return complain(store, r);

	struct slice *names = arena_array(arena, count_lines(file.lines) + 1, sizeof *names);

	while (slice_split(&file.lines, '\n', &line)) {
		buf_clear(&name);
		if (subscriptions_parse_line(file.form, line, separator, &name) == 0)
			names[n++] = arena_copy(arena, buf_slice(&name));
	}
	qsort_r(names, n, sizeof *names, compare, &separator);
	*ret_names = names;
	*ret_n = without_repeats(names, n);
	return 0;
}

/* The form to write: Courier's file is taken over once. */
static enum subscriptions_form form_to_write(const struct file *file)
{
	return file->form == SUBSCRIPTIONS_COURIER ? SUBSCRIPTIONS_2 : file->form;
}

/* Copy a line that stays; one of Courier's is written anew. */
static int add_line(const struct file *file, struct slice line, struct slice name, char separator,
	struct buf *out)
{
	if (file->form == SUBSCRIPTIONS_COURIER)
		return name.n > 0 ? subscriptions_format_line(
					    form_to_write(file), name, separator, out)
				  : 0;

	int r = buf_add(out, line);

	return r < 0 ? r : buf_add_char(out, '\n');
}

/* Returns 1: out is the text to write; 0: nothing changes; -errno. */
static int change_text(const struct file *file, struct slice name, bool subscribed, char separator,
	struct buf *out)
{
	_cleanup_buf_ struct buf one = BUF(NAME_UTF8_BYTES);
	struct slice lines = file->lines, line;
	bool found = false;
	int r = subscriptions_format_header(form_to_write(file), out);

	while (r == 0 && slice_split(&lines, '\n', &line)) {
		buf_clear(&one);
		if (subscriptions_parse_line(file->form, line, separator, &one) < 0)
			buf_clear(&one);
		if (slice_equal(buf_slice(&one), name)) {
			found = true;
			if (!subscribed)
				continue;
		}
		r = add_line(file, line, buf_slice(&one), separator, out);
	}
	if (r == 0 && found == subscribed)
		return 0;
	if (r == 0 && subscribed)
		r = subscriptions_format_line(form_to_write(file), name, separator, out);
	return r < 0 ? (r == -ENOBUFS ? -EFBIG : r) : 1;
}

/* Returns 1: changed; 0: it is so already; -errno. */
static int change_locked(struct store *store, struct slice name, bool subscribed)
{
	_cleanup_file_ struct file file = FILE_INIT;
	_cleanup_buf_ struct buf text = BUF(LIMIT_SUBSCRIPTIONS_BYTES);
	struct stamp stamp;
	int r = load(store, &file);

	if (r == 0)
		r = change_text(
			&file, name, subscribed, store->settings.hierarchy_separator, &text);
	if (r <= 0)
		return r;
	r = dirs_replace_file(store->root_fd,
		&(struct replacement){ FILE_NAME, TEMPORARY_NAME, buf_slice(&text),
			store->settings.fsync != FSYNC_NEVER, 0 },
		&stamp);
	return r < 0 ? r : 1;
}

int subscriptions_change(struct store *store, struct slice name, bool subscribed, struct work *work)
{
	char separator = store->settings.hierarchy_separator, directory[NAME_DIRECTORY_BYTES];
	_cleanup_buf_ struct buf canonical = BUF(NAME_UTF8_BYTES);
	struct lock lock = LOCK_INIT;
	int r = name_to_directory(name, separator, directory);

	if (r == 0)
		r = name_from_directory(slice_str(directory), separator, &canonical);
	if (r < 0)
		return r;
	r = lock_take(&lock, store->root_fd, LOCK_NAME, store->settings.hostname, work);
	if (r == 0)
		r = change_locked(store, buf_slice(&canonical), subscribed);
	lock_release(&lock, store->root_fd, LOCK_NAME);
	if (r > 0)
		store_event_add(store,
			subscribed ? STORE_EVENT_SUBSCRIBED : STORE_EVENT_UNSUBSCRIBED,
			buf_slice(&canonical), SLICE(""));
	return r > 0 ? 0 : complain(store, r);
}
