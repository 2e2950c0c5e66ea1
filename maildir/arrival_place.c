#include "maildir/arrival_place.h"

#include "base/must.h"
#include "maildir/store_state.h"

#include <errno.h>

uint64_t arrival_keywords_here(const struct committing *c, const struct arriving *file)
{
	uint64_t keywords = 0;

	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++)
		if ((file->keywords >> n & 1) && c->numbers[n] >= 0)
			keywords |= UINT64_C(1) << c->numbers[n];
	return keywords;
}

void arrival_format_name(const struct committing *c, const struct arriving *file,
	char ret_name[FILE_NAME_MAX_BYTES + 1])
{
	_cleanup_buf_ struct buf name = BUF(FILE_NAME_MAX_BYTES);
	uint32_t letters = mailbox_letters_from_flags(
		c->mailbox, file->flags, arrival_keywords_here(c, file), 0);

	must(filename_format(slice_str(file->base), SLICE(""), letters, &name) == 0);
	must(slice_to_str(buf_slice(&name), ret_name, FILE_NAME_MAX_BYTES + 1));
}

/* Flags are in the name, so another program's change of them is -ENOENT; one of ours is known to the list. */
static int take_from_source(struct committing *c, struct arriving *file, const char *name)
{
	struct mailbox *source = c->arrival->source;
	ssize_t number = list_find_uid(&source->list, file->source_uid);
	char from[FILE_NAME_MAX_BYTES + 1];

	if (number < 0 || (size_t)number >= source->list.n_shown)
		return -ENOENT;

	const struct message *message = &source->list.messages[number];

	if (message->flags != file->flags || message->keywords != file->source_keywords)
		return -ENOENT;
	mailbox_file_name(source, (size_t)number, from);

	bool in_new = list_entry(&source->list, (size_t)number)->in_new;
	int r = dirs_take(in_new ? source->new_fd : source->cur_fd, from, c->mailbox->cur_fd, name);

	if (r < 0)
		return r;
	file->source_in_new = in_new;
	file->source_name = strdup(from);
	must(file->source_name != NULL);
	return 0;
}

static int place_file(struct committing *c, struct arriving *file)
{
	char name[FILE_NAME_MAX_BYTES + 1];
	int r;

	arrival_format_name(c, file, name);
	if (!c->arrival->source)
		return dirs_rename(c->arrival->tmp_fd, file->temporary, c->mailbox->cur_fd, name);
	r = take_from_source(c, file, name);
	file->missed = r == -ENOENT;
	return file->missed ? 0 : r;
}

/*
 * The source behind the target: a file system that forgets a rename in part has the file twice then, not at all
 * otherwise. Those with a journal, or that copy on write, have it once whatever is synced.
 */
static int sync_directories(const struct committing *c)
{
	const struct mailbox *source = c->arrival->source;

	if (!mailbox_fsync_never(c->mailbox) && fsync(c->mailbox->cur_fd) < 0)
		return -errno;
	if (source && mailbox_fsync_always(source) &&
		(fsync(source->cur_fd) < 0 || fsync(source->new_fd) < 0))
		return -errno;
	return 0;
}

int arrival_place_files(struct committing *c)
{
	for (; c->placed < c->arrival->n; c->placed++) {
		if (c->work->budget == 0)
			return -EINPROGRESS;
		c->work->budget--;

		int r = place_file(c, &c->arrival->files[c->placed]);

		if (r < 0)
			return r;
	}
	return sync_directories(c);
}

void arrival_leave_source(struct committing *c)
{
	struct arrival *arrival = c->arrival;
	size_t before = arrival->taken_n;

	if (!arrival->source || c->left == c->placed)
		return;
	if (!arrival->taken) {
		arrival->taken = calloc(arrival->n, sizeof *arrival->taken);
		must(arrival->taken != NULL);
	}
	for (; c->left < c->placed; c->left++)
		if (!arrival->files[c->left].missed)
			arrival->taken[arrival->taken_n++] = arrival->files[c->left].source_uid;
	mailbox_take_off(arrival->source, arrival->taken + before, arrival->taken_n - before,
		c->work->now_usec);
}

/* Returns 0; -ENOENT: it is not there, so somebody has it; -errno: it stays where it is. */
static int put_back(const struct committing *c, struct arriving *file, const char *name)
{
	const struct mailbox *source = c->arrival->source;
	int r = dirs_rename(c->mailbox->cur_fd, name,
		file->source_in_new ? source->new_fd : source->cur_fd, file->source_name);

	free(file->source_name);
	file->source_name = NULL;
	return r;
}

static void take_back_to_source(struct committing *c)
{
	struct mailbox *source = c->arrival->source;
	char name[FILE_NAME_MAX_BYTES + 1];
	size_t stay = 0;
	int error = 0;

	while (c->placed > 0) {
		struct arriving *file = &c->arrival->files[--c->placed];

		if (!file->source_name)
			continue;
		arrival_format_name(c, file, name);

		int r = put_back(c, file, name);

		if (r < 0 && r != -ENOENT) {
			stay++;
			error = r;
		}
	}
	c->left = c->arrival->taken_n = 0;
	mailbox_cur_doubt(source);
	if (stay > 0)
		mailbox_log(c->mailbox, LOG_PRIORITY_WARNING,
			"%zu messages that were moved here cannot go back to %.*s: %s", stay,
			SLICE_FMT(mailbox_name(source)), strerror(-error));
}

void arrival_take_files_back(struct committing *c)
{
	char name[FILE_NAME_MAX_BYTES + 1];

	if (c->arrival->source) {
		take_back_to_source(c);
		return;
	}
	while (c->placed > 0) {
		const struct arriving *file = &c->arrival->files[--c->placed];

		arrival_format_name(c, file, name);
		if (dirs_rename(c->mailbox->cur_fd, name, c->arrival->tmp_fd, file->temporary) < 0)
			unlinkat(c->mailbox->cur_fd, name, 0); /* nobody was promised it */
	}
}
