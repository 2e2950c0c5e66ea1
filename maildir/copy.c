/*
 *   LINK ──all linked into the target's tmp/──▶ SHOW ──durable──▶ DONE                  (copy)
 *                                                └──▶ REMOVE ──all unlinked──▶ DONE     (move)
 *                                                       │                       ▲
 *                                                       └─▶ TAKE_BACK ──────────┘       copies of what we did not remove
 *
 * Of several that move one message at the same time, only one can unlink its file: the copies of the others go. Until
 * then such a copy is a message like any other: whoever removes it meanwhile has removed it, but where somebody moves it
 * on, to a third mailbox, what was moved on stays, and the message is there twice. It is never lost.
 *
 * The lock of the source, held from a last look at the files over SHOW and REMOVE, would not cure that as it is: it
 * nests, so the other connections of this process would be inside of it (and an append to the source, whose lock must
 * be its alone, as well); SHOW and REMOVE take several steps with many messages, so it would be held for as long, and
 * while the target's lock is waited for it would have to go back each time (of two that move from a to b and from b to
 * a each would wait for the other), with all that was looked at to be looked at again; and programs that remove
 * without that lock, as delivery agents and mail readers on the host do, would still come in between. What would: that
 * the one who moves takes the file itself, by a rename into the target's cur/ in place of LINK, of which one alone
 * succeeds.
 */
#include "maildir/copy.h"

#include "base/must.h"
#include "maildir/arrival.h"
#include "maildir/keyword_files.h"
#include "maildir/quota_file.h"

#include <errno.h>
#include <fcntl.h>

enum { COPY_BYTES = 64 * 1024, COPY_UNITS = 4 };

enum copy_stage { COPY_LINK, COPY_SHOW, COPY_REMOVE, COPY_TAKE_BACK, COPY_DONE };

struct copy {
	struct copy_order order;
	enum copy_stage stage;
	struct arrival arrival;
	bool begun;     /* arrival is there */
	size_t next;    /* of order.uids */
	uint32_t *uids; /* what was linked */
	size_t n;
	uint32_t *copies; /* UIDs in the target */
	int from_fd, to_fd; /* a content that is being copied; -1: none */
	uint64_t offset;
	struct expunging removing, back; /* of COPY_REMOVE and COPY_TAKE_BACK */
	uint32_t *back_uids;
	int error; /* why it is taken back; 0: others were faster */
};

struct copy *copy_new(const struct copy_order *order)
{
	struct copy *copy = malloc(sizeof *copy);

	must(copy != NULL);
	*copy = (struct copy){ .order = *order, .from_fd = -1, .to_fd = -1 };
	copy->uids = calloc(order->n + 1, sizeof *copy->uids);
	copy->copies = calloc(order->n + 1, sizeof *copy->copies);
	must(copy->uids != NULL && copy->copies != NULL);
	return copy;
}

static void close_content(struct copy *copy)
{
	if (copy->from_fd >= 0)
		close(take_fd(&copy->from_fd));
	if (copy->to_fd >= 0)
		close(take_fd(&copy->to_fd));
}

void copy_free(struct copy *copy)
{
	close_content(copy);
	if (copy->begun)
		arrival_done(&copy->arrival);
	free(copy->uids);
	free(copy->copies);
	free(copy->removing.removed);
	free(copy->back_uids);
	free(copy);
}

/* What the uidlist can hold: fields end at a space. */
static bool can_be_field(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ')
			return false;
	return text.n > 0;
}

/* The GUID stays; a message without one of its own has its base name for it, so that is written down. */
static char *guid_of(const struct mailbox *source, size_t number)
{
	struct slice guid;

	if (!uidlist_field(list_fields(&source->list, number), 'G', &guid) || guid.n == 0)
		guid = list_base(&source->list, number);
	if (!can_be_field(guid) || guid.n > FILE_NAME_MAX_BYTES)
		return NULL;

	char *text = strndup(guid.p, guid.n);

	must(text != NULL);
	return text;
}

static void take_keywords(struct copy *copy, struct arriving *file, uint64_t keywords)
{
	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++) {
		struct slice name;

		if (!(keywords >> n & 1))
			continue;
		name = mailbox_keyword(copy->order.source, n);
		if (name.n == 0)
			continue;
		keyword_table_set(&copy->arrival.keywords, n, name);
		file->keywords |= UINT64_C(1) << n;
	}
}

static uint64_t known_size(const struct mailbox *source, size_t number, uint64_t file_size)
{
	uint64_t octets = list_entry(&source->list, number)->rfc822_size;
	struct slice base = list_base(&source->list, number), value;

	if (octets == ENTRY_SIZE_UNKNOWN && !filename_size(base, 'W', &octets) &&
		!(uidlist_field(list_fields(&source->list, number), 'W', &value) &&
			slice_number(value, INT64_MAX, &octets)))
		return ENTRY_SIZE_UNKNOWN;
	return octets >= file_size ? octets : ENTRY_SIZE_UNKNOWN; /* CRLF never makes it smaller */
}

/* What the copy has of the message; its file is there. */
static int describe(struct copy *copy, size_t number, struct arriving *file)
{
	struct mailbox *source = copy->order.source;
	const struct message *message = &source->list.messages[number];
	struct stat st;

	if (fstatat(copy->arrival.tmp_fd, file->temporary, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	file->flags = message->flags;
	take_keywords(copy, file, message->keywords);
	file->guid = guid_of(source, number);
	file->internaldate = st.st_mtim.tv_sec;
	file->rfc822_size = known_size(source, number, (uint64_t)st.st_size);
	return arrival_name(file, list_base(&source->list, number), (uint64_t)st.st_size);
}

static bool cannot_link(int error)
{
	return error == EXDEV || error == EPERM || error == EMLINK || error == EOPNOTSUPP ||
	       error == ENOSYS || error == EACCES;
}

/* Some of the content. Returns 0 when all is written and durable, -EINPROGRESS, -errno. */
static int copy_content(struct copy *copy, struct work *work)
{
	char bytes[COPY_BYTES];
	struct stat st;

	for (;;) {
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget -= work->budget < COPY_UNITS ? work->budget : COPY_UNITS;

		ssize_t n = dirs_read_at(copy->from_fd, bytes, sizeof bytes, copy->offset);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;

		int r = dirs_write(copy->to_fd, slice_from(bytes, (size_t)n));

		if (r < 0)
			return r;
		copy->offset += (uint64_t)n;
	}
	if (fstat(copy->from_fd, &st) < 0)
		return -errno;

	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, st.st_mtim };

	if (futimens(copy->to_fd, times) < 0)
		return -errno;
	return !mailbox_fsync_never(copy->order.target) && fsync(copy->to_fd) < 0 ? -errno : 0;
}

static int begin_content(struct copy *copy, const struct arriving *file, uint32_t msg_uid)
{
	copy->from_fd = mailbox_open_file(copy->order.source, msg_uid);
	if (copy->from_fd < 0)
		return copy->from_fd;
	copy->to_fd = arrival_create(&copy->arrival, file);
	copy->offset = 0;
	return copy->to_fd < 0 ? copy->to_fd : 0;
}

/* A link, or the beginning of a copy. Returns 0: the file is there; -EINPROGRESS, -errno. */
static int make_file(
	struct copy *copy, size_t number, const struct arriving *file, struct work *work)
{
	struct mailbox *source = copy->order.source;
	char name[FILE_NAME_MAX_BYTES + 1];
	int r = 0;

	if (copy->to_fd < 0) {
		mailbox_file_name(source, number, name);
		if (linkat(mailbox_entry_dir(source, number), name, copy->arrival.tmp_fd,
			    file->temporary, 0) == 0)
			return 0;
		if (!cannot_link(errno))
			return -errno;
		r = begin_content(copy, file, source->list.messages[number].msg_uid);
	}
	if (r == 0)
		r = copy_content(copy, work);
	if (r != -EINPROGRESS)
		close_content(copy);
	return r;
}

/* Returns 0; -ENOENT: it is gone; -ERESTART: try again; -EINPROGRESS, -EAGAIN, -errno. */
static int link_message(struct copy *copy, uint32_t msg_uid, struct work *work)
{
	struct mailbox *source = copy->order.source;
	ssize_t number = list_find_uid(&source->list, msg_uid);
	bool resumed = copy->to_fd >= 0;

	if (number < 0 || (size_t)number >= source->list.n_shown) {
		if (resumed) {
			close_content(copy);
			arrival_drop_last(&copy->arrival);
		}
		return -ENOENT;
	}

	struct arriving *file = resumed ? &copy->arrival.files[copy->arrival.n - 1]
					: arrival_add(&copy->arrival, work->now_usec);
	int r = make_file(copy, (size_t)number, file, work);

	if (r == -EINPROGRESS)
		return r;
	if (r == 0)
		r = describe(copy, (size_t)number, file);
	if (r == 0)
		return 0;
	arrival_drop_last(&copy->arrival);
	if (r != -ENOENT)
		return r;

	/* Renamed by another program: a sync tells. */
	r = mailbox_find_vanished(source, msg_uid, work);
	return r == 0 ? -ERESTART : r;
}

static int link_some(struct copy *copy, struct work *work)
{
	const struct copy_order *order = &copy->order;

	while (copy->next < order->n) {
		uint32_t msg_uid = order->uids[copy->next];
		int r;

		if (work->budget == 0)
			return -EINPROGRESS;
		r = link_message(copy, msg_uid, work);
		if (r == -ERESTART)
			continue;
		if (r == -ENOENT && !order->need_all)
			r = 1;
		if (r < 0)
			return r;
		if (r == 0)
			copy->uids[copy->n++] = msg_uid;
		work->budget -= work->budget > 0;
		copy->next++;
	}
	copy->stage = copy->n > 0 ? COPY_SHOW : COPY_DONE;
	return 0;
}

static int show_all(struct copy *copy, struct work *work)
{
	uint32_t first_uid;
	int r = arrival_commit(&copy->arrival, work, &first_uid);

	if (r < 0)
		return r;
	for (size_t i = 0; i < copy->n; i++)
		copy->copies[i] = first_uid + (uint32_t)i;
	copy->stage = copy->order.move ? COPY_REMOVE : COPY_DONE;
	copy->removing = (struct expunging){ .uids = copy->uids, .n = copy->n };
	copy->removing.removed = calloc(copy->n, sizeof *copy->removing.removed);
	must(copy->removing.removed != NULL);
	return 0;
}

/* Messages that we did not remove must not be in two mailboxes: their copies go. What was moved stays in the result. */
static void begin_take_back(struct copy *copy, int error)
{
	size_t moved = 0;

	copy->error = error;
	copy->back_uids = calloc(copy->n + 1, sizeof *copy->back_uids);
	must(copy->back_uids != NULL);
	copy->back = (struct expunging){ .uids = copy->back_uids };
	for (size_t i = 0; i < copy->n; i++) {
		if (!copy->removing.removed[i]) {
			copy->back_uids[copy->back.n++] = copy->copies[i];
			continue;
		}
		copy->uids[moved] = copy->uids[i];
		copy->copies[moved++] = copy->copies[i];
	}
	copy->n = moved;
	copy->stage = copy->back.n > 0 ? COPY_TAKE_BACK : COPY_DONE;
}

static int remove_some(struct copy *copy, struct work *work)
{
	int r = mailbox_expunge_step(copy->order.source, &copy->removing, work);

	if (r == -EINPROGRESS || r == -EAGAIN)
		return r;
	begin_take_back(copy, r);
	return 0;
}

static int take_back_some(struct copy *copy, struct work *work)
{
	int r = mailbox_expunge_step(copy->order.target, &copy->back, work);

	if (r == -EINPROGRESS || r == -EAGAIN)
		return r;
	if (r < 0)
		mailbox_log(copy->order.target, LOG_PRIORITY_WARNING,
			"copies of messages that could not be moved stay: %s", strerror(-r));
	copy->stage = COPY_DONE;
	return copy->error == 0 && copy->n == 0 && copy->order.need_all ? -ENOENT : copy->error;
}

/* Keywords that cannot be read now must not be lost by a move: so they are read, or nothing is done. */
static int begin(struct copy *copy, uint64_t now_usec)
{
	int r = keyword_files_refresh(copy->order.source, now_usec);

	if (r == 0)
		r = arrival_init(&copy->arrival, copy->order.target);
	copy->begun = r == 0;
	if (r == 0)
		copy->arrival.moved =
			copy->order.move && quota_counts_mailbox(copy->order.source->store,
						    mailbox_name(copy->order.source));
	return r;
}

int copy_step(struct copy *copy, struct work *work)
{
	int r = copy->begun ? 0 : begin(copy, work->now_usec);

	while (r == 0 && copy->stage != COPY_DONE) {
		if (copy->order.source->replaced)
			return -ESTALE;
		if (copy->stage == COPY_LINK)
			r = link_some(copy, work);
		else if (copy->stage == COPY_SHOW)
			r = show_all(copy, work);
		else if (copy->stage == COPY_REMOVE)
			r = remove_some(copy, work);
		else
			r = take_back_some(copy, work);
	}
	return r;
}

size_t copy_result(
	const struct copy *copy, const uint32_t **ret_uids, const uint32_t **ret_copies)
{
	must(copy->stage == COPY_DONE);
	*ret_uids = copy->uids;
	*ret_copies = copy->copies;
	return copy->n;
}

size_t copy_done(const struct copy *copy)
{
	return copy->order.move ? (copy->next + copy->removing.done) / 2 : copy->next;
}
