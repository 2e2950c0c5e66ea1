/*
 *   LIST     :list, line after line            ──▶ the keywords of each message, by UID
 *   CHANGES  the other files of the directory  ──▶ the same; a later change replaces
 *   APPLY    keywords are added to each message
 *   then the mark is removed
 */
#include "maildir/courier_adopt.h"

#include "base/must.h"
#include "maildir/courier_keywords.h"
#include "maildir/keyword_files.h"
#include "maildir/store_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define DIRECTORY "courierimapkeywords"
#define LIST_NAME ":list"
#define MARK_NAME "restante-courier-keywords"

enum { LIST_MAX_BYTES = 256 * 1024 * 1024, CHANGE_MAX_BYTES = 64 * 1024 };

enum adopt_stage { ADOPT_OPEN, ADOPT_LIST, ADOPT_CHANGES, ADOPT_APPLY };

/* A message, and the last word about it. */
struct adopted {
	uint32_t msg_uid;
	uint64_t turn;     /* of the change; 0: what :list says, or nothing */
	uint64_t keywords; /* by the numbers of courier_adoption.names */
};

struct courier_adoption {
	enum adopt_stage stage;
	bool running; /* a step is under way: a sync inside of it is only that */
	struct arena arena;
	struct buf text; /* of :list */
	struct courier_list list;
	DIR *dir;
	struct adopted *messages; /* ascending */
	size_t n, next;
	struct keyword_table names;
	struct flags_change changes[LIMIT_KEYWORDS]; /* what each name adds; prepared up to prepared */
	unsigned prepared;
};

void courier_adoption_free(struct courier_adoption *adoption)
{
	if (!adoption)
		return;
	if (adoption->dir)
		closedir(adoption->dir);
	arena_done(&adoption->arena);
	buf_done(&adoption->text);
	keyword_table_done(&adoption->names);
	free(adoption->messages);
	free(adoption);
}

/* Returns 1, 0, or -errno. */
static int exists(int dir_fd, const char *name)
{
	if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

bool courier_adopt_marked(int dir_fd)
{
	return exists(dir_fd, MARK_NAME) != 0;
}

static int make_mark(const struct mailbox *mailbox)
{
	_cleanup_close_ int fd = openat(
		mailbox->dir_fd, MARK_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return !mailbox_fsync_never(mailbox) && fsync(mailbox->dir_fd) < 0 ? -errno : 0;
}

/* Returns 1: it was Courier's, and is noted as one to adopt; 0: there is nothing to adopt; -errno. */
static int look_for_courier(const struct mailbox *mailbox)
{
	int r = exists(mailbox->dir_fd, MARK_NAME);

	if (r != 0)
		return r;
	r = exists(mailbox->dir_fd, DIRECTORY);
	if (r <= 0)
		return r;
	r = exists(mailbox->dir_fd, UIDLIST_NAME);
	if (r != 0)
		return r < 0 ? r : 0;
	r = make_mark(mailbox);
	return r < 0 ? r : 1;
}

int courier_adopt_begin(struct mailbox *mailbox)
{
	int r = look_for_courier(mailbox);

	if (r < 0) {
		mailbox_log(mailbox, LOG_PRIORITY_ERROR, "Courier's keywords cannot be looked for: %s",
			strerror(-r));
		return r;
	}
	mailbox->adoption_looked_for = true;
	if (r == 0)
		return 0;
	mailbox->adoption = calloc(1, sizeof *mailbox->adoption);
	must(mailbox->adoption != NULL);
	mailbox->adoption->text = BUF(LIST_MAX_BYTES);
	return 0;
}

bool courier_adopt_pending(const struct mailbox *mailbox)
{
	return mailbox->adoption && mailbox->synced && !mailbox->adoption->running;
}

static int open_all(struct mailbox *mailbox, struct courier_adoption *adoption)
{
	_cleanup_close_ int fd = dirs_open(mailbox->dir_fd, DIRECTORY, false);
	const struct list *list = &mailbox->list;
	struct stamp stamp;

	if (fd < 0)
		return fd;

	int r = dirs_read_file(fd, LIST_NAME, &adoption->text, &stamp);

	if (r < 0 && r != -ENOENT)
		return r;
	adoption->list = courier_list_parse(buf_slice(&adoption->text), &adoption->arena);
	adoption->dir = fdopendir(fd);
	if (!adoption->dir)
		return -ENOMEM;
	(void)take_fd(&fd);
	adoption->n = list->n_shown;
	adoption->messages = calloc(adoption->n + 1, sizeof *adoption->messages);
	must(adoption->messages != NULL);
	for (size_t i = 0; i < adoption->n; i++)
		adoption->messages[i].msg_uid = list->messages[i].msg_uid;
	list_index(&mailbox->list);
	adoption->stage = ADOPT_LIST;
	return 0;
}

static int compare_uid(const void *key, const void *element)
{
	uint32_t msg_uid = *(const uint32_t *)key;
	const struct adopted *message = element;

	return msg_uid < message->msg_uid ? -1 : msg_uid > message->msg_uid;
}

/* The message of a base name; NULL: there is none, as of one that was removed since. */
static struct adopted *find_message(
	const struct mailbox *mailbox, struct courier_adoption *adoption, struct slice base)
{
	ssize_t number = list_find_base(&mailbox->list, base);

	if (number < 0)
		return NULL;
	return bsearch(&mailbox->list.messages[number].msg_uid, adoption->messages, adoption->n,
		sizeof *adoption->messages, compare_uid);
}

/* The bit of a name; 0: it is none, or there are too many. */
static uint64_t keyword_bit(struct courier_adoption *adoption, struct slice name)
{
	int number = keyword_table_find(&adoption->names, name);

	if (number < 0 && keyword_is_valid(name)) {
		number = keyword_table_free_number(&adoption->names, 0);
		if (number >= 0)
			keyword_table_set(&adoption->names, (unsigned)number, name);
	}
	return number >= 0 ? UINT64_C(1) << number : 0;
}

static int read_list(const struct mailbox *mailbox, struct courier_adoption *adoption, struct work *work)
{
	struct courier_list *list = &adoption->list;
	struct courier_message line;
	size_t number;

	while (courier_list_next(&list->lines, &line)) {
		struct adopted *message = find_message(mailbox, adoption, line.base);

		while (message && courier_number_next(&line.numbers, list->n, &number))
			message->keywords |= keyword_bit(adoption, list->names[number]);
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;
	}
	adoption->stage = ADOPT_CHANGES;
	return 0;
}

/* Courier makes no links, directories and the like, nor files so long: they will not be read at another time either. */
static bool is_no_change(int error)
{
	return error == -ELOOP || error == -EINVAL || error == -EFBIG;
}

/* Returns 0: read, or passed over; -errno. */
static int read_change(
	const struct mailbox *mailbox, struct courier_adoption *adoption, const char *file_name)
{
	_cleanup_buf_ struct buf text = BUF(CHANGE_MAX_BYTES);
	struct slice base, rest, name;
	struct stamp stamp;
	uint64_t turn;

	if (!courier_change_parse(slice_str(file_name), &turn, &base))
		return 0;

	struct adopted *message = find_message(mailbox, adoption, base);

	if (!message || turn < message->turn)
		return 0;

	int r = dirs_read_file(dirfd(adoption->dir), file_name, &text, &stamp);

	if (is_no_change(r))
		mailbox_log(mailbox, LOG_PRIORITY_WARNING, "%s/%s is passed over: %s", DIRECTORY,
			file_name, strerror(-r));
	if (r < 0)
		return is_no_change(r) || r == -ENOENT ? 0 : r;
	rest = buf_slice(&text);
	message->turn = turn;
	message->keywords = 0;
	while (slice_split(&rest, '\n', &name))
		message->keywords |= keyword_bit(adoption, name);
	return 0;
}

static int read_changes(
	const struct mailbox *mailbox, struct courier_adoption *adoption, struct work *work)
{
	struct dirent *e;
	int r = 0;

	while (r == 0 && (errno = 0, e = readdir(adoption->dir))) {
		r = read_change(mailbox, adoption, e->d_name);
		if (r == 0 && work->budget == 0)
			return -EINPROGRESS;
		work->budget -= work->budget > 0;
	}
	if (r == 0)
		r = -errno;
	if (r < 0)
		return r;
	adoption->stage = ADOPT_APPLY;
	return 0;
}

/* Find the mailbox's number for each name. A name that it has no number left for is not adopted. */
static int prepare(struct mailbox *mailbox, struct courier_adoption *adoption, struct work *work)
{
	for (; adoption->prepared < LIMIT_KEYWORDS; adoption->prepared++) {
		struct flags_change *change = &adoption->changes[adoption->prepared];
		const char *name = adoption->names.names[adoption->prepared];

		*change = (struct flags_change){ .operation = FLAGS_ADD,
			.unchangedsince = UINT64_MAX };
		if (name && slice_equal_nocase(slice_str(name), SLICE("$Forwarded"))) {
			change->flags = FLAG_FORWARDED;
		} else if (name) {
			int r = mailbox_find_keyword(mailbox, slice_str(name), true, work);

			if (r == -E2BIG)
				mailbox_log(mailbox, LOG_PRIORITY_WARNING,
					"one keyword more than a mailbox can have: %s", name);
			else if (r < 0)
				return r;
			else
				change->keywords = UINT64_C(1) << r;
		}
	}
	return 0;
}

static int apply_one(struct mailbox *mailbox, const struct courier_adoption *adoption,
	const struct adopted *message, struct work *work)
{
	struct flags_change change = { .operation = FLAGS_ADD, .unchangedsince = UINT64_MAX };
	size_t done = 0;

	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++)
		if (message->keywords >> n & 1) {
			change.flags |= adoption->changes[n].flags;
			change.keywords |= adoption->changes[n].keywords;
		}
	if (change.flags == 0 && change.keywords == 0)
		return 0;
	return mailbox_store_flags(mailbox, &message->msg_uid, 1, &done, &change, NULL, work);
}

static int apply(struct mailbox *mailbox, struct courier_adoption *adoption, struct work *work)
{
	int r = prepare(mailbox, adoption, work);

	for (; r == 0 && adoption->next < adoption->n; adoption->next++) {
		if (adoption->messages[adoption->next].keywords == 0)
			continue;
		if (work->budget == 0)
			return -EINPROGRESS;
		r = apply_one(mailbox, adoption, &adoption->messages[adoption->next], work);
		if (r < 0)
			return r;
	}
	return r;
}

/* The mark goes last: before, what was done must be on the disk. */
static int finish(struct mailbox *mailbox)
{
	int r = mailbox_fsync_never(mailbox) ? 0 : keyword_files_sync(mailbox);

	if (r < 0)
		return r;
	if (!mailbox_fsync_never(mailbox) && fsync(mailbox->cur_fd) < 0)
		return -errno;
	if (unlinkat(mailbox->dir_fd, MARK_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	return !mailbox_fsync_never(mailbox) && fsync(mailbox->dir_fd) < 0 ? -errno : 0;
}

static int run(struct mailbox *mailbox, struct courier_adoption *adoption, struct work *work)
{
	int r = 0;

	if (adoption->stage == ADOPT_OPEN)
		r = open_all(mailbox, adoption);
	if (r == 0 && adoption->stage == ADOPT_LIST)
		r = read_list(mailbox, adoption, work);
	if (r == 0 && adoption->stage == ADOPT_CHANGES)
		r = read_changes(mailbox, adoption, work);
	if (r == 0 && adoption->stage == ADOPT_APPLY)
		r = apply(mailbox, adoption, work);
	return r == 0 || (r == -ENOENT && adoption->stage == ADOPT_OPEN) ? finish(mailbox) : r;
}

int courier_adopt_step(struct mailbox *mailbox, struct work *work)
{
	struct courier_adoption *adoption = mailbox->adoption;

	adoption->running = true;

	int r = run(mailbox, adoption, work);

	adoption->running = false;
	if (r == -EINPROGRESS || r == -EAGAIN)
		return r;
	if (r < 0 && r != -ESTALE)
		mailbox_log(mailbox, LOG_PRIORITY_ERROR,
			"Courier's keywords cannot be taken over now: %s", strerror(-r));
	else if (r == 0)
		mailbox_log(mailbox, LOG_PRIORITY_INFO, "Courier's keywords are taken over");
	courier_adoption_free(take_ptr(mailbox->adoption));
	mailbox->adoption_looked_for = r == 0; /* else the next sync begins it anew */
	return r;
}
