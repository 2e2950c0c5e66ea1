/*
 *   GATHER ──all linked into the target's tmp/──▶ SHOW ──durable──▶ DONE                  (copy)
 *                                                  └──▶ REMOVE ──all unlinked──▶ DONE     (move to another file system)
 *                                                         │                       ▲
 *                                                         └─▶ TAKE_BACK ──────────┘       copies of what we did not remove
 *
 *   GATHER ──all described──▶ SHOW, which renames each into the target's cur/ ──▶ DONE      (move)
 *     ▲                        │
 *     └── what had another name by now ──┘                                                  at most ROUNDS_MAX times
 *
 * A move within a file system takes the file itself: one rename, out of the source's cur/ or new/, into the target's
 * cur/. Of several that move, remove or rename one message at the same time, on whatever hosts, one alone succeeds; the
 * others find no such file, look for it by a sync of the source, and take it under its new name (its flags changed) or
 * leave it out (it is gone). The message is in one of the two at each instant, also on disk: a rename is one step there
 * as well, and it is durable before a UID is told (arrival.c). The target's lock is held from before the first rename
 * until the UIDs are in its uidlist: who meets such a file before that waits for the lock, and finds its UID then. The
 * source's lock is not needed, and must not be waited for while the other is held: of two that move from a to b and
 * from b to a each would wait for the other. That is why the look for a file that was missed is a round of its own.
 * A fault before the UIDs are durable renames the files back, to the names that they had. A crash leaves some in the
 * source, with their UIDs, and some in the target, where a sync gives them UIDs; there they have no field G, so a new
 * EMAILID, in the one case that nobody was told of.
 *
 * The base name is a new one, as for a copy. The old one may be known in the target already: a message that comes back
 * to a mailbox would come back under the UID that clients saw expunged; and where a link of the same file has that name,
 * as other programs' copies have it, a rename onto it does nothing, says that it did, and leaves both. A new name can be
 * nobody's; it says when the message came here (SAVEDATE), as its letters say its keywords as the target numbers them.
 *
 * Between file systems a move copies, shows, and then removes. Of several only one can unlink the file: the copies of
 * the others go. Until then such a copy is a message like any other: where somebody moves it on, what was moved on stays,
 * and the message is there twice; it is never lost. The same goes for programs that move by a link, as Dovecot does.
 */
#include "maildir/copy.h"

#include "base/must.h"
#include "maildir/arrival.h"
#include "maildir/copy_content.h"
#include "maildir/keyword_files.h"
#include "maildir/quota_file.h"

#include <errno.h>
#include <fcntl.h>

enum { ROUNDS_MAX = 10 };

enum copy_stage { COPY_GATHER, COPY_SHOW, COPY_REMOVE, COPY_TAKE_BACK, COPY_DONE };

struct copy {
	struct copy_order order;
	enum copy_stage stage;
	struct arrival arrival;
	bool begun;         /* arrival is there */
	bool by_rename;     /* a move within a file system */
	unsigned round;     /* of GATHER and SHOW, from 0 */
	uint32_t *missed;   /* what a later round is about; NULL in the first: order.uids */
	size_t wanted;      /* how many messages this round is about */
	size_t next;        /* of these */
	uint32_t *gathered; /* what is in the arrival */
	size_t gathered_n;
	uint32_t *uids, *copies; /* what was shown: n UIDs in the source, and in the target */
	size_t n;
	struct content content;          /* that is being copied */
	struct expunging removing, back; /* of COPY_REMOVE and COPY_TAKE_BACK */
	uint32_t *back_uids;
	uint64_t back_round; /* of mailbox_sync_anew() */
	bool back_synced;
	int error; /* why it is taken back; 0: others were faster */
};

struct copy *copy_new(const struct copy_order *order)
{
	struct copy *copy = malloc(sizeof *copy);

	must(copy != NULL);
	*copy = (struct copy){ .order = *order, .wanted = order->n, .content = CONTENT_NONE };
	copy->gathered = calloc(order->n + 1, sizeof *copy->gathered);
	copy->uids = calloc(order->n + 1, sizeof *copy->uids);
	copy->copies = calloc(order->n + 1, sizeof *copy->copies);
	must(copy->gathered != NULL && copy->uids != NULL && copy->copies != NULL);
	return copy;
}

void copy_free(struct copy *copy)
{
	content_close(&copy->content);
	if (copy->begun)
		arrival_done(&copy->arrival);
	free(copy->missed);
	free(copy->gathered);
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

/* Of the copy in tmp/, or of the file that is to be moved. */
static int stat_file(
	const struct copy *copy, size_t number, const struct arriving *file, struct stat *ret_st)
{
	const struct mailbox *source = copy->order.source;
	int dir_fd = copy->arrival.tmp_fd;
	const char *name = file->temporary;
	char known[FILE_NAME_MAX_BYTES + 1];

	if (copy->by_rename) {
		mailbox_file_name(source, number, known);
		dir_fd = mailbox_entry_dir(source, number);
		name = known;
	}
	if (fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(ret_st->st_mode) ? 0 : -EINVAL;
}

/* As quota_file_size() says it. */
static uint64_t counted_size(struct slice base, uint64_t file_size)
{
	uint64_t bytes;

	return filename_size(base, 'S', &bytes) && bytes <= INT64_MAX ? bytes : file_size;
}

/* What the copy has of the message; its file is there. */
static int describe(struct copy *copy, size_t number, struct arriving *file)
{
	struct mailbox *source = copy->order.source;
	const struct message *message = &source->list.messages[number];
	struct stat st;
	int r = stat_file(copy, number, file, &st);

	if (r < 0)
		return r;

	struct slice base = list_base(&source->list, number);

	file->source_uid = message->msg_uid;
	file->source_keywords = message->keywords;
	file->source_bytes = counted_size(base, (uint64_t)st.st_size);
	file->flags = message->flags;
	take_keywords(copy, file, message->keywords);
	file->guid = guid_of(source, number);
	file->internaldate = st.st_mtim.tv_sec;
	file->rfc822_size = known_size(source, number, (uint64_t)st.st_size);
	return arrival_name(file, base, (uint64_t)st.st_size);
}

static bool cannot_link(int error)
{
	return error == EXDEV || error == EPERM || error == EMLINK || error == EOPNOTSUPP ||
	       error == ENOSYS || error == EACCES;
}

static int begin_content(struct copy *copy, const struct arriving *file, uint32_t msg_uid)
{
	struct content *content = &copy->content;

	content->from_fd = mailbox_open_file(copy->order.source, msg_uid);
	if (content->from_fd < 0)
		return content->from_fd;
	content->to_fd = arrival_create(&copy->arrival, file);
	content->offset = 0;
	return content->to_fd < 0 ? content->to_fd : 0;
}

/* A link, or the beginning of a copy. Returns 0: the file is there; -EINPROGRESS, -errno. */
static int make_file(
	struct copy *copy, size_t number, const struct arriving *file, struct work *work)
{
	struct mailbox *source = copy->order.source;
	char name[FILE_NAME_MAX_BYTES + 1];
	int r = 0;

	if (copy->content.to_fd < 0) {
		mailbox_file_name(source, number, name);
		if (linkat(mailbox_entry_dir(source, number), name, copy->arrival.tmp_fd,
			    file->temporary, 0) == 0)
			return 0;
		if (!cannot_link(errno))
			return -errno;
		r = begin_content(copy, file, source->list.messages[number].msg_uid);
	}
	if (r == 0)
		r = content_step(&copy->content, !mailbox_fsync_never(copy->order.target), work);
	if (r != -EINPROGRESS)
		content_close(&copy->content);
	return r;
}

/* Returns 0; -ENOENT: it is gone; -ERESTART: try again; -EINPROGRESS, -EAGAIN, -errno. */
static int gather_message(struct copy *copy, uint32_t msg_uid, struct work *work)
{
	struct mailbox *source = copy->order.source;
	ssize_t number = list_find_uid(&source->list, msg_uid);
	bool resumed = copy->content.to_fd >= 0;

	if (number < 0 || (size_t)number >= source->list.n_shown) {
		if (resumed) {
			content_close(&copy->content);
			arrival_drop_last(&copy->arrival);
		}
		return -ENOENT;
	}

	struct arriving *file = resumed ? &copy->arrival.files[copy->arrival.n - 1]
					: arrival_add(&copy->arrival, work->now_usec);
	int r = copy->by_rename ? 0 : make_file(copy, (size_t)number, file, work);

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

static uint32_t wanted_uid(const struct copy *copy, size_t i)
{
	return copy->missed ? copy->missed[i] : copy->order.uids[i];
}

static int gather_some(struct copy *copy, struct work *work)
{
	bool need_all = copy->order.need_all && copy->round == 0;

	while (copy->next < copy->wanted) {
		uint32_t msg_uid = wanted_uid(copy, copy->next);
		int r;

		if (work->budget == 0)
			return -EINPROGRESS;
		r = gather_message(copy, msg_uid, work);
		if (r == -ERESTART)
			continue;
		if (r == -ENOENT && !need_all)
			r = 1;
		if (r < 0)
			return r;
		if (r == 0)
			copy->gathered[copy->gathered_n++] = msg_uid;
		work->budget -= work->budget > 0;
		copy->next++;
	}
	copy->stage = copy->gathered_n > 0 ? COPY_SHOW : COPY_DONE;
	return 0;
}

/* Back to GATHER. missed: as in the struct; it is taken over. */
static int begin_round(struct copy *copy, uint32_t *missed, size_t wanted)
{
	if (copy->begun)
		arrival_done(&copy->arrival);
	free(copy->missed);
	copy->missed = missed;
	copy->wanted = wanted;
	copy->next = copy->gathered_n = 0;
	copy->stage = COPY_GATHER;

	int r = arrival_init(&copy->arrival, copy->order.target);

	copy->begun = r == 0;
	if (r < 0)
		return r;
	if (copy->by_rename)
		copy->arrival.source = copy->order.source;
	copy->arrival.moved = copy->order.move && quota_counts_mailbox(copy->order.source->store,
							  mailbox_name(copy->order.source));
	return 0;
}

/* What was taken is moved; what was not there under the name it had is for another round. */
static int end_round(struct copy *copy, uint32_t first_uid, uint64_t now_usec)
{
	const struct arrival *arrival = &copy->arrival;
	size_t missed_n = 0, taken = 0;
	uint32_t *missed = calloc(copy->gathered_n, sizeof *missed);

	must(missed != NULL);
	for (size_t i = 0; i < copy->gathered_n; i++) {
		if (taken == arrival->taken_n || arrival->taken[taken] != copy->gathered[i]) {
			missed[missed_n++] = copy->gathered[i];
			continue;
		}
		copy->uids[copy->n] = copy->gathered[i];
		copy->copies[copy->n++] = first_uid + (uint32_t)taken++;
	}
	mailbox_trim_uidlist(copy->order.source, now_usec);
	if (missed_n > 0 && ++copy->round < ROUNDS_MAX)
		return begin_round(copy, missed, missed_n);
	free(missed);
	copy->stage = COPY_DONE;
	return missed_n > 0 && copy->n == 0 ? -EBUSY : 0;
}

static void begin_remove(struct copy *copy, uint32_t first_uid)
{
	copy->n = copy->gathered_n;
	memcpy(copy->uids, copy->gathered, copy->n * sizeof *copy->uids);
	for (size_t i = 0; i < copy->n; i++)
		copy->copies[i] = first_uid + (uint32_t)i;
	copy->stage = copy->order.move ? COPY_REMOVE : COPY_DONE;
	copy->removing = (struct expunging){ .uids = copy->uids, .n = copy->n };
	copy->removing.removed = calloc(copy->n, sizeof *copy->removing.removed);
	must(copy->removing.removed != NULL);
}

static int show_all(struct copy *copy, struct work *work)
{
	uint32_t first_uid;
	int r = arrival_commit(&copy->arrival, work, &first_uid);

	if (r == -EXDEV && copy->by_rename && copy->round == 0) { /* none was moved */
		copy->by_rename = false;
		return begin_round(copy, NULL, copy->order.n);
	}
	if (r < 0)
		return r;
	if (copy->by_rename)
		return end_round(copy, first_uid, work->now_usec);
	begin_remove(copy, first_uid);
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

/* Copies behind records that others wrote meanwhile are in the list, and can be removed, after a sync. */
static int take_back_some(struct copy *copy, struct work *work)
{
	int r = 0;

	if (!copy->back_synced)
		r = mailbox_sync_anew(copy->order.target, &copy->back_round, work);
	copy->back_synced |= r == 0;
	if (r == 0)
		r = mailbox_expunge_step(copy->order.target, &copy->back, work);

	if (r == -EINPROGRESS || r == -EAGAIN)
		return r;
	if (r < 0)
		mailbox_log(copy->order.target, LOG_PRIORITY_WARNING,
			"copies of messages that could not be moved stay: %s", strerror(-r));
	copy->stage = COPY_DONE;
	return copy->error == 0 && copy->n == 0 && copy->order.need_all ? -ENOENT : copy->error;
}

/* Mounts that part what has one device number are met at the first rename. */
static bool is_one_device(const struct mailbox *source, const struct mailbox *target)
{
	struct stat cur, new, to;

	return fstat(source->cur_fd, &cur) == 0 && fstat(source->new_fd, &new) == 0 &&
	       fstat(target->cur_fd, &to) == 0 && cur.st_dev == to.st_dev &&
	       new.st_dev == to.st_dev;
}

/* Keywords that cannot be read now must not be lost by a move: so they are read, or nothing is done. */
static int begin(struct copy *copy, uint64_t now_usec)
{
	int r = keyword_files_refresh(copy->order.source, now_usec);

	copy->by_rename = copy->order.move && is_one_device(copy->order.source, copy->order.target);
	return r == 0 ? begin_round(copy, NULL, copy->order.n) : r;
}

int copy_step(struct copy *copy, struct work *work)
{
	int r = copy->begun ? 0 : begin(copy, work->now_usec);

	while (r == 0 && copy->stage != COPY_DONE) {
		if (copy->order.source->replaced)
			return -ESTALE;
		if (copy->stage == COPY_GATHER)
			r = gather_some(copy, work);
		else if (copy->stage == COPY_SHOW)
			r = show_all(copy, work);
		else if (copy->stage == COPY_REMOVE)
			r = remove_some(copy, work);
		else
			r = take_back_some(copy, work);
	}
	if (r == 0 && copy->by_rename && copy->order.need_all && copy->order.n > 0 && copy->n == 0)
		return -ENOENT; /* others were faster */
	return r;
}

size_t copy_result(const struct copy *copy, const uint32_t **ret_uids, const uint32_t **ret_copies)
{
	must(copy->stage == COPY_DONE);
	*ret_uids = copy->uids;
	*ret_copies = copy->copies;
	return copy->n;
}

size_t copy_done(const struct copy *copy)
{
	if (copy->round > 0 || !copy->order.move)
		return copy->round > 0 ? copy->order.n : copy->next;
	return (copy->next + copy->arrival.taken_n + copy->removing.done) / 2;
}
