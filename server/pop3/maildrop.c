#include "server/pop3/maildrop.h"

#include "base/clock.h"
#include "base/must.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	ITEMS_PER_UNIT = 16, /* a size or unique-id that lies in memory costs little */
	UNIQUE_ID_MAX_BYTES = 70,
};

/* How long QUIT waits for another program's lock: clients give up after a minute or so, and then do not know what happened. */
static const uint64_t update_patience_usec = 30 * USEC_PER_SEC;
static const uint64_t seen_patience_usec = 2 * USEC_PER_SEC; /* of those */

enum update_phase { UPDATE_NOT_BEGUN, UPDATE_FLAGS, UPDATE_EXPUNGE };

struct maildrop {
	struct store *store;
	const struct log *log;
	const char *user;
	struct mailbox *mailbox;
	uint64_t round; /* of mailbox_sync_anew() */
	bool is_listed;

	struct maildrop_message *messages; /* by msgno - 1 */
	uint32_t n, n_sized;               /* n_sized: how many have their size, while opening */
	uint32_t n_undeleted;
	uint64_t octets; /* of those */

	struct buf unique_ids;    /* one after the other */
	uint32_t *unique_id_ends; /* NULL: not begun */
	uint32_t n_unique_ids;

	enum update_phase phase;
	uint32_t *update_uids; /* of the phase, ascending */
	size_t n_update, update_done;
	uint64_t update_until_usec;
	int update_fault; /* 0: none */
};

struct maildrop *maildrop_new(struct store *store, const struct log *log, const char *user)
{
	struct maildrop *maildrop = malloc(sizeof *maildrop);

	must(maildrop != NULL);
	*maildrop = (struct maildrop){ .store = store, .log = log, .user = user };
	return maildrop;
}

void maildrop_free(struct maildrop *maildrop)
{
	if (!maildrop)
		return;
	if (maildrop->mailbox)
		mailbox_close(maildrop->mailbox);
	buf_done(&maildrop->unique_ids);
	free(maildrop->unique_id_ends);
	free(maildrop->update_uids);
	free(maildrop->messages);
	free(maildrop);
}

/* calloc that answers for n being 0, too. */
static void *array_new(size_t n, size_t bytes)
{
	void *p = calloc(n > 0 ? n : 1, bytes);

	must(p != NULL);
	return p;
}

/* Whether the budget allows one more small item; takes a unit off now and then. */
static bool take_item(struct work *work, uint32_t item)
{
	if (work->budget == 0)
		return false;
	if (item % ITEMS_PER_UNIT == ITEMS_PER_UNIT - 1)
		work->budget--;
	return true;
}

/* Number the messages. From here on the numbers do not change. */
static void list_messages(struct maildrop *maildrop)
{
	const struct message *messages;
	size_t n = mailbox_messages(maildrop->mailbox, &messages);
	_cleanup_free_ uint32_t *uids = array_new(n, sizeof *uids);

	must(n <= UINT32_MAX);
	mailbox_pop3_order(maildrop->mailbox, uids);
	maildrop->messages = array_new(n, sizeof *maildrop->messages);
	for (size_t i = 0; i < n; i++)
		maildrop->messages[i].msg_uid = uids[i];
	maildrop->n = (uint32_t)n;
	maildrop->is_listed = true;
}

/*
 * A message that vanished since it was listed is dropped: no client was told of it. One that cannot be read stays, so that
 * a client that leaves mail on the server does not take it for deleted; to retrieve it is an error of its own.
 * Returns 0, or what a step says.
 */
static int load_sizes(struct maildrop *maildrop, struct work *work)
{
	while (maildrop->n_sized < maildrop->n) {
		struct maildrop_message *message = &maildrop->messages[maildrop->n_sized];

		if (!take_item(work, maildrop->n_sized))
			return -EINPROGRESS;

		int r = mailbox_rfc822_size(
			maildrop->mailbox, message->msg_uid, work, &message->octets);

		if (r == -EINPROGRESS || r == -EAGAIN)
			return r;
		if (r == -ENOENT) {
			maildrop->n--;
			memmove(message, message + 1,
				(maildrop->n - maildrop->n_sized) * sizeof *message);
			continue;
		}
		if (r < 0)
			log_line(maildrop->log, LOG_PRIORITY_WARNING,
				"user=%s: message with UID %" PRIu32 " has no size: %s",
				maildrop->user, message->msg_uid, strerror(-r));
		maildrop->octets += message->octets;
		maildrop->n_sized++;
	}
	return 0;
}

int maildrop_open(struct maildrop *maildrop, struct work *work)
{
	int r = 0;

	if (!maildrop->mailbox)
		r = mailbox_open(maildrop->store, SLICE("INBOX"), &maildrop->mailbox);
	if (r == 0 && !maildrop->is_listed) {
		r = mailbox_sync_anew(maildrop->mailbox, &maildrop->round, work);
		if (r == 0)
			list_messages(maildrop);
	}
	if (r == 0)
		r = load_sizes(maildrop, work);
	if (r == 0)
		maildrop->n_undeleted = maildrop->n;
	return r;
}

uint32_t maildrop_count(const struct maildrop *maildrop)
{
	return maildrop->n;
}

uint32_t maildrop_undeleted(const struct maildrop *maildrop)
{
	return maildrop->n_undeleted;
}

uint64_t maildrop_octets(const struct maildrop *maildrop)
{
	return maildrop->octets;
}

static struct maildrop_message *message_of(const struct maildrop *maildrop, uint32_t msgno)
{
	must(msgno >= 1 && msgno <= maildrop->n);
	return &maildrop->messages[msgno - 1];
}

const struct maildrop_message *maildrop_message(const struct maildrop *maildrop, uint32_t msgno)
{
	return message_of(maildrop, msgno);
}

struct mailbox *maildrop_mailbox(const struct maildrop *maildrop)
{
	return maildrop->mailbox;
}

static void add_unique_id(struct maildrop *maildrop, uint32_t msg_uid, struct arena *arena)
{
	struct slice id;

	arena_reset(arena);
	if (mailbox_uidl(maildrop->mailbox, msg_uid, arena, &id) < 0)
		id = arena_format(arena, "gone-%" PRIu32 "-%" PRIu32,
			mailbox_uidvalidity(maildrop->mailbox), msg_uid);
	must(id.n > 0 && id.n <= UNIQUE_ID_MAX_BYTES && buf_add(&maildrop->unique_ids, id) == 0);
	maildrop->unique_id_ends[maildrop->n_unique_ids++] = (uint32_t)maildrop->unique_ids.n;
}

int maildrop_load_unique_ids(struct maildrop *maildrop, struct work *work)
{
	_cleanup_arena_ struct arena arena = { 0 };

	if (!maildrop->unique_id_ends) {
		maildrop->unique_id_ends = array_new(maildrop->n, sizeof *maildrop->unique_id_ends);
		maildrop->unique_ids = BUF((size_t)maildrop->n * UNIQUE_ID_MAX_BYTES);
		must(maildrop->unique_ids.max_bytes <= UINT32_MAX);
	}
	while (maildrop->n_unique_ids < maildrop->n) {
		if (!take_item(work, maildrop->n_unique_ids))
			return -EINPROGRESS;
		add_unique_id(maildrop, maildrop->messages[maildrop->n_unique_ids].msg_uid, &arena);
	}
	return 0;
}

struct slice maildrop_unique_id(const struct maildrop *maildrop, uint32_t msgno)
{
	must(msgno >= 1 && msgno <= maildrop->n_unique_ids);

	uint32_t begin = msgno > 1 ? maildrop->unique_id_ends[msgno - 2] : 0;

	return slice_from(
		maildrop->unique_ids.p + begin, maildrop->unique_id_ends[msgno - 1] - begin);
}

void maildrop_delete(struct maildrop *maildrop, uint32_t msgno)
{
	struct maildrop_message *message = message_of(maildrop, msgno);

	must(!message->is_deleted);
	message->is_deleted = true;
	maildrop->n_undeleted--;
	maildrop->octets -= message->octets;
}

void maildrop_retrieved(struct maildrop *maildrop, uint32_t msgno)
{
	message_of(maildrop, msgno)->is_retrieved = true;
}

void maildrop_reset(struct maildrop *maildrop)
{
	for (uint32_t i = 0; i < maildrop->n; i++) {
		struct maildrop_message *message = &maildrop->messages[i];

		if (message->is_deleted)
			maildrop->octets += message->octets;
		message->is_deleted = false;
	}
	maildrop->n_undeleted = maildrop->n;
}

static int compare_uids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool wants_seen(const struct maildrop *maildrop, const struct maildrop_message *message)
{
	const struct message *now;

	if (!message->is_retrieved || message->is_deleted)
		return false;
	now = mailbox_message(maildrop->mailbox, message->msg_uid);
	return now && !(now->flags & FLAG_SEEN);
}

/* Gather the messages a phase is about, by UID. */
static void begin_phase(struct maildrop *maildrop, enum update_phase phase)
{
	if (!maildrop->update_uids)
		maildrop->update_uids = array_new(maildrop->n, sizeof *maildrop->update_uids);
	maildrop->n_update = 0;
	maildrop->update_done = 0;
	for (uint32_t i = 0; i < maildrop->n; i++) {
		const struct maildrop_message *message = &maildrop->messages[i];

		if (phase == UPDATE_FLAGS ? wants_seen(maildrop, message) : message->is_deleted)
			maildrop->update_uids[maildrop->n_update++] = message->msg_uid;
	}
	qsort(maildrop->update_uids, maildrop->n_update, sizeof *maildrop->update_uids,
		compare_uids);
	maildrop->phase = phase;
}

/*
 * What was read is marked as read, as other servers do. A convenience: no fault keeps QUIT from going on, and no lock
 * for long.
 */
static int set_seen(struct maildrop *maildrop, struct work *work)
{
	static const struct flags_change change = {
		.operation = FLAGS_ADD,
		.flags = FLAG_SEEN,
		.unchangedsince = UINT64_MAX,
	};
	int r = mailbox_store_flags(maildrop->mailbox, maildrop->update_uids, maildrop->n_update,
		&maildrop->update_done, &change, NULL, work);

	if (r < 0 && r != -EINPROGRESS && r != -EAGAIN)
		log_line(maildrop->log, LOG_PRIORITY_WARNING,
			"user=%s: what was retrieved cannot be marked as seen: %s", maildrop->user,
			strerror(-r));
	if (r == -EAGAIN)
		return work->now_usec + update_patience_usec <
				       maildrop->update_until_usec + seen_patience_usec
			       ? r
			       : 0;
	return r == -EINPROGRESS ? r : 0;
}

static void note_fault(struct maildrop *maildrop, int r)
{
	if (maildrop->update_fault == 0)
		log_line(maildrop->log, LOG_PRIORITY_ERROR,
			"user=%s: some deleted messages not removed: %s", maildrop->user,
			strerror(-r));
	maildrop->update_fault = r;
}

static int expunge_deleted(struct maildrop *maildrop, struct work *work)
{
	while (maildrop->update_done < maildrop->n_update) {
		int r = mailbox_expunge(maildrop->mailbox, maildrop->update_uids,
			maildrop->n_update, &maildrop->update_done, work);

		if (r == 0)
			break;
		if (r == -EINPROGRESS ||
			(r == -EAGAIN && work->now_usec < maildrop->update_until_usec))
			return r;
		note_fault(maildrop, r == -EAGAIN ? -ETIMEDOUT : r);
		if (r == -EAGAIN)
			break;
		maildrop->update_done++; /* the one at fault; the others may do */
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;
	}
	return maildrop->update_fault;
}

int maildrop_update(struct maildrop *maildrop, struct work *work)
{
	if (maildrop->phase == UPDATE_NOT_BEGUN) {
		maildrop->update_until_usec = work->now_usec + update_patience_usec;
		begin_phase(maildrop, UPDATE_FLAGS);
	}
	if (maildrop->phase == UPDATE_FLAGS) {
		int r = maildrop->n_update > 0 ? set_seen(maildrop, work) : 0;

		if (r < 0)
			return r;
		begin_phase(maildrop, UPDATE_EXPUNGE);
	}
	return expunge_deleted(maildrop, work);
}
