/*
 * A move that is met by others, or by faults, at each of its system calls.
 *
 * Two stores over one Maildir, as on two hosts. The first moves; before its call k, for every k, the second does one of
 * several things with the same messages, as far as a lock lets it, and goes on when the first is done. Then
 *
 *   each message is there once, whole, with its keywords, though the mailboxes have other letters for them;
 *   COPYUID of each says which UIDs it had, and those alone;
 *   the first, the second and a store that knows nothing see the same.
 *
 * The same where call k fails, or the process is killed before it: each message is there once, whatever fails behind it.
 *
 * FAULTS_ALL=1 tries all errors at each call, not some.
 */
#include "tests/unit/interpose.h"

#include "maildir/copy.h"
#include "maildir/mailbox_state.h"
#include "maildir/store_state.h"
#include "tests/unit/maildir_world.h"

#include <sys/wait.h>

enum {
	MESSAGES = 3,
	STEPS_MAX = 2000,
	CALLS_MAX = 3000,
	BUDGET = 1000,
	RESTS = 4,
	CALM_USEC = 50000
};

enum place { INBOX, SUB, TWO, PLACES };
static const char *const NAMES[PLACES] = { "INBOX", "Sub", "Two" };
static const char *const DIRECTORIES[PLACES] = { "", ".Sub/", ".Two/" };

/* A store as one host has it. */
struct host {
	char index_path[200];
	struct log log;
	struct store *store;
	struct mailbox *mailboxes[PLACES];
	char last_log[300];
};

/* One move or copy of all messages that a host sees in a mailbox. */
struct mover {
	struct host *host;
	enum place from, to;
	bool move, rests;
	size_t budget;
	uint32_t uids[50];
	struct copy *copy;
	uint32_t sources[50], copies[50]; /* of COPYUID */
	size_t n;
	int result;
};

static char path[128];

static char *in_path(const char *name)
{
	static char texts[4][300];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	snprintf(text, sizeof texts[0], "%s/%s", path, name);
	return text;
}

static void write_text(const char *to, const char *text)
{
	FILE *file = fopen(to, "w");

	CU_ASSERT_FATAL(file != NULL);
	fputs(text, file);
	fclose(file);
}

static void write_message(const char *file, const char *name)
{
	char text[400];

	world_message_text(name, text, sizeof text);
	write_text(in_path(file), text);
}

static const char *const PARTS[] = { "cur", "new", "tmp" };

/* red and blue have other letters in Sub; Two knows none of them. */
static void make_place(void)
{
	snprintf(path, sizeof path, "%s/restante-move-XXXXXX", world_parent());
	CU_ASSERT_FATAL(mkdtemp(path) != NULL);
	for (int i = 0; i < PLACES; i++) {
		if (i != INBOX)
			CU_ASSERT_FATAL(mkdir(in_path(DIRECTORIES[i]), 0700) == 0);
		for (int j = 0; j < 3; j++) {
			char dir[40];

			snprintf(dir, sizeof dir, "%s%s", DIRECTORIES[i], PARTS[j]);
			CU_ASSERT_FATAL(mkdir(in_path(dir), 0700) == 0);
		}
	}
	write_text(in_path("dovecot-keywords"), "0 red\n1 blue\n");
	write_text(in_path(".Sub/dovecot-keywords"), "0 green\n1 red\n");
	write_message("cur/1700000001.M1.x:2,Sa", "one");
	write_message("cur/1700000002.M2.x:2,ab", "two");
	write_message("cur/1700000003.M3.x:2,", "three");
}

static void on_log(void *arg, enum log_priority priority, struct slice line)
{
	struct host *host = arg;

	(void)priority;
	snprintf(host->last_log, sizeof host->last_log, "%.*s", SLICE_FMT(line));
}

static int sync_mailbox(struct mailbox *mailbox)
{
	struct work work = { .now_usec = world_now(), .budget = 100000 };

	return mailbox_sync(mailbox, &work);
}

static void host_open(struct host *host, const char *name, enum fsync_mode fsync)
{
	*host = (struct host){ .log = { .sink = on_log, .arg = host } };
	snprintf(host->index_path, sizeof host->index_path, "%s/index-%s", path, name);
	CU_ASSERT_FATAL(store_open(&(struct store_settings){ .path = path,
					   .index_path = host->index_path,
					   .hierarchy_separator = '/',
					   .fsync = fsync,
					   .hostname = name,
					   .uidl_format = "%08Xu%08Xv" },
				&host->log, &host->store) == 0);
	for (int i = 0; i < PLACES; i++) {
		CU_ASSERT_FATAL(
			mailbox_open(host->store, slice_str(NAMES[i]), &host->mailboxes[i]) == 0);
		CU_ASSERT_EQUAL(sync_mailbox(host->mailboxes[i]), 0);
	}
}

static void host_close(struct host *host)
{
	for (int i = 0; i < PLACES; i++)
		mailbox_close(host->mailboxes[i]);
	store_close(host->store);
}

/* How far the clock that only goes forward is ahead. */
static time_t ahead_sec;

INTERPOSED int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = REAL(clock_gettime)(clock, t);

	if (clock == CLOCK_MONOTONIC)
		t->tv_sec += ahead_sec;
	return r;
}

/* Between two steps the index is saved, if it has waited for long enough. */
static void rest(struct host *host)
{
	for (unsigned i = 0; i < RESTS && store_rest(host->store) != UINT64_MAX; i++)
		ahead_sec += 10;
}

static void mover_begin(struct mover *m)
{
	const struct message *messages;
	size_t n = mailbox_messages(m->host->mailboxes[m->from], &messages);

	CU_ASSERT_FATAL(n <= sizeof m->uids / sizeof *m->uids);
	for (size_t i = 0; i < n; i++)
		m->uids[i] = messages[i].msg_uid;
	m->copy = copy_new(&(struct copy_order){ .source = m->host->mailboxes[m->from],
		.target = m->host->mailboxes[m->to],
		.uids = m->uids,
		.n = n,
		.move = m->move });
	m->result = -EINPROGRESS;
}

/* On to its end, or until a lock is held. */
static int mover_run(struct mover *m)
{
	const uint32_t *uids, *copies;

	for (unsigned i = 0; i < STEPS_MAX && m->result == -EINPROGRESS; i++) {
		struct work work = { .now_usec = world_now(), .budget = m->budget };

		m->result = copy_step(m->copy, &work);
		if (m->rests)
			rest(m->host);
	}
	if (m->result == -EAGAIN || m->result == -EINPROGRESS) {
		m->result = -EINPROGRESS;
		return -EAGAIN;
	}
	if (m->result == 0) {
		m->n = copy_result(m->copy, &uids, &copies);
		memcpy(m->sources, uids, m->n * sizeof *uids);
		memcpy(m->copies, copies, m->n * sizeof *copies);
	}
	copy_free(m->copy);
	m->copy = NULL;
	return m->result;
}

/* Watches cost more than all the rest of a trial: only some have them. */
static bool no_watches;
static unsigned watched_every = 200;

int inotify_init1(int flags)
{
	if (no_watches) {
		errno = EMFILE;
		return -1;
	}
	return ((int (*)(int))interpose_real("inotify_init1"))(flags);
}

/* What the second does; it is called again until it says 0. */
static struct host one, two;
static struct mover first, others[3];

static int other_moves(unsigned number, enum place from, enum place to, bool move)
{
	struct mover *m = &others[number];

	if (m->host == NULL) {
		if (sync_mailbox(two.mailboxes[from]) < 0)
			return -EAGAIN;
		*m = (struct mover){
			.host = &two, .from = from, .to = to, .move = move, .budget = BUDGET
		};
		mover_begin(m);
	}
	return m->copy ? mover_run(m) : 0;
}

static int moves_to_the_same(void)
{
	return other_moves(0, INBOX, SUB, true);
}

static int moves_elsewhere(void)
{
	return other_moves(0, INBOX, TWO, true);
}

static int moves_within(void)
{
	return other_moves(0, INBOX, INBOX, true);
}

static int moves_on(void)
{
	int r = other_moves(0, INBOX, SUB, true);

	return r == 0 ? other_moves(1, SUB, TWO, true) : r;
}

static int moves_back(void)
{
	int r = other_moves(0, SUB, INBOX, true);

	return r == 0 ? other_moves(1, TWO, INBOX, true) : r;
}

static int moves_in_a_circle(void)
{
	int r = other_moves(0, INBOX, SUB, true);

	if (r == 0)
		r = other_moves(1, SUB, TWO, true);
	return r == 0 ? other_moves(2, TWO, INBOX, true) : r;
}

static int copies(void)
{
	return other_moves(0, INBOX, TWO, false);
}

static size_t expunged;

static int expunges(void)
{
	const struct message *messages;
	size_t n = mailbox_messages(two.mailboxes[INBOX], &messages);
	uint32_t uids[MESSAGES];
	struct expunging expunging = { .uids = uids, .n = n < MESSAGES ? n : MESSAGES };
	bool removed[MESSAGES] = { false };
	struct work work = { .now_usec = world_now(), .budget = BUDGET };
	int r = 0;

	for (size_t i = 0; i < expunging.n; i++)
		uids[i] = messages[i].msg_uid;
	expunging.removed = removed;
	while (r == 0 && expunging.done < expunging.n)
		r = mailbox_expunge_step(two.mailboxes[INBOX], &expunging, &work);
	for (size_t i = 0; i < expunging.done; i++)
		expunged += removed[i];
	return r;
}

static int stores(void)
{
	const struct message *messages;
	size_t n = mailbox_messages(two.mailboxes[INBOX], &messages), done = 0;
	uint32_t uids[MESSAGES];
	struct work work = { .now_usec = world_now(), .budget = BUDGET };
	struct flags_change change = {
		.operation = FLAGS_ADD, .flags = FLAG_FLAGGED, .unchangedsince = UINT64_MAX
	};

	for (size_t i = 0; i < n && i < MESSAGES; i++)
		uids[i] = messages[i].msg_uid;
	return mailbox_store_flags(two.mailboxes[INBOX], uids, n, &done, &change, NULL, &work);
}

static bool flagged[MESSAGES];

/* A mail reader on the host, that takes no locks. */
static int renames(void)
{
	static const char *const FROM[MESSAGES] = { "cur/1700000001.M1.x:2,Sa",
		"cur/1700000002.M2.x:2,ab", "cur/1700000003.M3.x:2," };
	static const char *const TO[MESSAGES] = { "cur/1700000001.M1.x:2,FSa",
		"cur/1700000002.M2.x:2,Fab", "cur/1700000003.M3.x:2,F" };

	for (int i = 0; i < MESSAGES; i++)
		flagged[i] |= rename(in_path(FROM[i]), in_path(TO[i])) == 0;
	return 0;
}

/* The lock seems stale: the first slept too long. Both may give UIDs then, so none is sure; but the messages are. */
static int breaks_the_lock(void)
{
	unlink(in_path(".Sub/dovecot-uidlist.lock"));
	return sync_mailbox(two.mailboxes[SUB]);
}

static int breaks_the_lock_and_moves_on(void)
{
	int r = others[0].host ? 0 : breaks_the_lock();

	return r == 0 ? other_moves(0, SUB, TWO, true) : r;
}

static const struct meeting {
	const char *name;
	int (*other)(void);
	bool copies, expunges, breaks;
	bool may_double; /* where the first moves between file systems */
} MEETINGS[] = {
	{ .name = "moves to the same mailbox", .other = moves_to_the_same },
	{ .name = "moves elsewhere", .other = moves_elsewhere },
	{ .name = "moves within", .other = moves_within },
	{ .name = "moves on", .other = moves_on, .may_double = true },
	{ .name = "moves back", .other = moves_back, .may_double = true },
	{ .name = "moves in a circle", .other = moves_in_a_circle, .may_double = true },
	{ .name = "copies", .other = copies, .copies = true },
	{ .name = "expunges", .other = expunges, .expunges = true },
	{ .name = "stores", .other = stores },
	{ .name = "renames", .other = renames },
	{ .name = "breaks the lock", .other = breaks_the_lock, .breaks = true },
	{ .name = "breaks the lock and moves on",
		.other = breaks_the_lock_and_moves_on,
		.breaks = true,
		.may_double = true },
};

struct trial {
	const char *name;
	enum place to;
	unsigned k;
	int error; /* of call k */
	bool from_there_on, poor;
	bool apart; /* INBOX is on another file system than the rest */
};

_printf_(3, 4) static void expect(const struct trial *t, bool ok, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	CHECK(ok, "to %s, %s, call %u (%s%s%s%s): %s; %s", NAMES[t->to], t->name, t->k,
		interpose.failed ? interpose.failed : "none", t->from_there_on ? "..." : "",
		t->poor ? ", poor" : "", t->apart ? ", apart" : "", text, one.last_log);
}

static const char *const TEXTS[MESSAGES] = { "one", "two", "three" };
static const char *const KEYWORDS[MESSAGES] = { " red", " blue red", "" };

static unsigned count(const struct seen *seen, const char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < seen->n; i++)
		n += strcmp(seen->messages[i].text, text) == 0;
	return n;
}

/*
 * Whole, and with the keywords it had, by name. Between file systems a flag that is set after the message was copied, and
 * before it is removed, is lost.
 */
static void check_messages(const struct trial *t, const struct seen *seen)
{
	for (unsigned i = 0; i < seen->n; i++) {
		const struct seen_message *m = &seen->messages[i];
		const char *words = strchr(m->flags, ' ');
		int number = -1;

		for (int j = 0; j < MESSAGES; j++)
			if (strcmp(m->text, TEXTS[j]) == 0)
				number = j;
		expect(t, number >= 0, "%s %u: %s", seen->mailboxes[m->mailbox].name, m->msg_uid,
			m->text);
		if (number >= 0)
			expect(t, strcmp(words ? words : "", KEYWORDS[number]) == 0,
				"%s has the keywords%s, not%s", m->text, words ? words : "",
				KEYWORDS[number]);
		if (number >= 0 && flagged[number] && !t->apart)
			expect(t, strtoul(m->flags, NULL, 16) & FLAG_FLAGGED, "%s is not flagged",
				m->text);
	}
}

static bool same(const struct seen *a, const struct seen *b)
{
	bool is_same = a->n == b->n;

	for (unsigned i = 0; is_same && i < a->n; i++) {
		const struct seen_message *x = &a->messages[i], *y = &b->messages[i];

		is_same = x->msg_uid == y->msg_uid && x->mailbox == y->mailbox &&
			  strcmp(x->text, y->text) == 0 && strcmp(x->flags, y->flags) == 0;
	}
	return is_same;
}

static void see(struct host *host, struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	for (int i = 0; i < PLACES; i++) {
		struct world w = { .store = host->store };

		CU_ASSERT_EQUAL(see_mailbox(&w, slice_str(NAMES[i]), seen), 0);
	}
}

static void check_nothing_left(const struct trial *t)
{
	for (int i = 0; i < PLACES; i++) {
		char name[60];

		snprintf(name, sizeof name, "%stmp", DIRECTORIES[i]);
		expect(t, rmdir(in_path(name)) == 0, "%s is not empty", name);
		mkdir(in_path(name), 0700);
		snprintf(name, sizeof name, "%sdovecot-uidlist.lock", DIRECTORIES[i]);
		expect(t, access(in_path(name), F_OK) < 0, "%s is left over", name);
	}
}

/* A pair says of a UID what message it was: it is that one now, or none. */
static void check_pairs(const struct trial *t, const struct mover *m, const struct seen *before,
	const struct seen *seen)
{
	for (size_t i = 0; m->move && m->result == 0 && i < m->n; i++) {
		int from = seen_mailbox(before, NAMES[m->from]);
		int to = seen_mailbox(seen, NAMES[m->to]);
		const struct seen_message *was =
			seen_uid(before, before->mailboxes[from].uidvalidity, m->sources[i]);
		const struct seen_message *is =
			seen_uid(seen, seen->mailboxes[to].uidvalidity, m->copies[i]);

		expect(t, i == 0 || m->copies[i] > m->copies[i - 1], "copies do not ascend");
		expect(t, seen->mailboxes[to].uidnext > m->copies[i], "UIDNEXT");
		if (was && is)
			expect(t, strcmp(was->text, is->text) == 0, "%u is %s, not %s",
				m->copies[i], is->text, was->text);
	}
}

/* Who had it is gone from the mailbox it was moved out of. */
static void check_winners(const struct trial *t, const struct seen *seen)
{
	for (size_t i = 0; first.result == 0 && i < first.n; i++) {
		int inbox = seen_mailbox(seen, "INBOX");

		expect(t, !seen_uid(seen, seen->mailboxes[inbox].uidvalidity, first.sources[i]),
			"UID %u was moved, and is there", first.sources[i]);
	}
	for (size_t i = 0; others[0].host && others[0].from == INBOX && i < others[0].n; i++)
		for (size_t j = 0; others[0].move && j < first.n; j++)
			expect(t, others[0].sources[i] != first.sources[j], "both moved %u",
				first.sources[j]);
	if (others[0].host && others[0].from == INBOX && others[0].move && t->to != INBOX)
		expect(t, first.n + others[0].n == MESSAGES, "%zu and %zu were moved", first.n,
			others[0].n);
}

static const struct meeting *meeting;

static void meet(void)
{
	(void)!meeting->other();
}

static void open_hosts(enum fsync_mode fsync)
{
	static unsigned turn;

	no_watches = ++turn % watched_every != 0;
	make_place();
	memset(others, 0, sizeof others);
	memset(flagged, 0, sizeof flagged);
	expunged = 0;
	host_open(&one, "one.example.org", fsync);
	host_open(&two, "two.example.org", fsync);
}

static void close_hosts(void)
{
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i].copy)
			copy_free(others[i].copy);
	host_close(&one);
	host_close(&two);
	world_remove(path);
}

static void begin_first(enum place to)
{
	first = (struct mover){ .host = &one, .from = INBOX, .to = to, .move = true, .budget = 1 };
	mover_begin(&first);
	interpose.calls = 0;
	interpose.failed = NULL;
}

/* Each message as often as it must be there. */
static void check_counts(const struct trial *t, const struct seen *seen)
{
	size_t extra = meeting->copies ? others[0].n : 0, all = 0;
	bool may_double = meeting->copies || (t->apart && meeting->may_double);

	for (int i = 0; i < MESSAGES; i++) {
		unsigned n = count(seen, TEXTS[i]);

		all += n;
		expect(t, n == 1 || (n == 2 && may_double) || (n == 0 && meeting->expunges),
			"%s is there %u times", TEXTS[i], n);
	}
	if (!t->apart || !meeting->may_double)
		expect(t, all == MESSAGES + extra - expunged, "%zu are there", all);
}

static bool is_inbox(int fd)
{
	struct stat st, cur, new;

	return REAL(fstat)(fd, &st) == 0 && REAL(fstat)(one.mailboxes[INBOX]->cur_fd, &cur) == 0 &&
	       REAL(fstat)(one.mailboxes[INBOX]->new_fd, &new) == 0 &&
	       (st.st_ino == cur.st_ino || st.st_ino == new.st_ino);
}

static bool is_apart(int from_fd, int to_fd)
{
	return is_inbox(from_fd) != is_inbox(to_fd);
}

/* Returns whether call k was reached. */
static bool meet_once(struct trial *t)
{
	static struct seen before, ours, theirs, fresh;

	open_hosts(FSYNC_NEVER);
	see(&one, &before);
	begin_first(t->to);
	interpose.meet = meet;
	interpose.meet_at = t->k;
	interpose.apart = t->apart ? is_apart : NULL;
	interpose.armed = true;
	(void)!mover_run(&first);
	interpose.armed = false;
	interpose.meet_at = 0;

	bool reached = interpose.calls >= t->k;

	for (unsigned i = 0; i < 10 && (first.copy || (reached && meeting->other() != 0)); i++)
		if (first.copy) {
			interpose.armed = true;
			(void)!mover_run(&first);
			interpose.armed = false;
		}
	interpose.apart = NULL;
	expect(t, !first.copy && (first.result == 0 || meeting->breaks), "the first: %s",
		strerror(-first.result));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		expect(t, !others[i].copy && others[i].result == 0, "another: %s",
			strerror(-others[i].result));
	if (!meeting->breaks) {
		see(&one, &ours);
		see(&two, &theirs);
	}
	CU_ASSERT_EQUAL(world_see_fresh(path, false, &fresh), 0);
	check_messages(t, &fresh);
	check_counts(t, &fresh);
	if (!meeting->breaks) {
		expect(t, same(&ours, &fresh) && same(&ours, &theirs), "they do not see the same");
		check_pairs(t, &first, &before, &fresh);
		check_winners(t, &fresh);
	}
	check_nothing_left(t);
	close_hosts();
	return reached;
}

static void test_meetings(void)
{
	static const struct trial KINDS[] = { { .to = INBOX }, { .to = SUB },
		{ .to = SUB, .apart = true } };
	unsigned trials = 0;

	for (size_t kind = 0; kind < sizeof KINDS / sizeof *KINDS; kind++)
		for (size_t i = 0; i < sizeof MEETINGS / sizeof *MEETINGS; i++) {
			struct trial t = KINDS[kind];

			t.name = MEETINGS[i].name;
			meeting = &MEETINGS[i];
			for (t.k = 1; t.k < CALLS_MAX && meet_once(&t); t.k++)
				trials++;
		}
	printf("%u meetings\n", trials);
}

static const int ERRORS[] = { EIO, ENOSPC, EACCES, EXDEV };

static void check_once(const struct trial *t, const struct seen *seen)
{
	check_messages(t, seen);
	for (int i = 0; i < MESSAGES; i++)
		expect(t, count(seen, TEXTS[i]) == 1, "%s is there %u times", TEXTS[i],
			count(seen, TEXTS[i]));
}

static bool fail_once(struct trial *t)
{
	static struct seen before, ours, theirs, fresh;

	open_hosts(FSYNC_ALWAYS);
	see(&one, &before);
	begin_first(t->to);
	interpose.fail_at = t->k;
	interpose.error = t->error;
	interpose.from_there_on = t->from_there_on;
	interpose.poor = t->poor;
	interpose.armed = true;
	(void)!mover_run(&first);
	if (first.copy) /* the lock cannot be taken: the connection ends */
		copy_free(first.copy);
	interpose.armed = interpose.poor = false;
	interpose.fail_at = 0;

	bool reached = interpose.calls >= t->k;

	see(&one, &ours);
	see(&two, &theirs);
	CU_ASSERT_EQUAL(world_see_fresh(path, false, &fresh), 0);
	expect(t, same(&ours, &fresh) && same(&ours, &theirs), "they do not see the same");
	check_once(t, &fresh);
	check_pairs(t, &first, &before, &fresh);
	if (first.result == 0)
		check_winners(t, &fresh);
	if (first.result < 0 && !t->from_there_on) {
		unsigned sub = 0;

		for (unsigned i = 0; i < fresh.n; i++)
			sub += strcmp(fresh.mailboxes[fresh.messages[i].mailbox].name, "Sub") == 0;
		expect(t, sub == 0, "%u were moved, with %s", sub, strerror(-first.result));
	}
	close_hosts();
	return reached;
}

static void test_faults(void)
{
	unsigned trials = 0, every = getenv("FAULTS_ALL") ? 1 : 5;

	for (enum place to = INBOX; to <= SUB; to++)
		for (unsigned way = 0; way < 4; way++)
			for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
				struct trial t = { .name = "fault",
					.to = to,
					.error = ERRORS[i],
					.from_there_on = way & 1,
					.poor = way & 2 };

				for (t.k = 1 + (way + i) % every; t.k < CALLS_MAX && fail_once(&t);
					t.k += every)
					trials++;
			}
	printf("%u faults\n", trials);
}

static bool kill_once(struct trial *t)
{
	static struct seen ours, theirs, fresh;
	int status;

	open_hosts(FSYNC_ALWAYS);

	pid_t pid = fork();

	if (pid == 0) {
		begin_first(t->to);
		first.rests = true;
		interpose.die_at = t->k;
		interpose.poor = t->poor;
		interpose.armed = true;
		(void)!mover_run(&first);
		_exit(0);
	}
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));

	bool reached = WEXITSTATUS(status) != 0;

	expect(t, !reached || WEXITSTATUS(status) == INTERPOSE_DIED, "exit %d",
		WEXITSTATUS(status));
	/* The lock of a host that is gone would stand for two minutes. */
	unlink(in_path("dovecot-uidlist.lock"));
	unlink(in_path(".Sub/dovecot-uidlist.lock"));
	see(&two, &theirs);
	CU_ASSERT_EQUAL(world_see_fresh(path, false, &fresh), 0);
	check_once(t, &fresh);
	host_close(&one);
	host_open(&one, "one.example.org", FSYNC_ALWAYS);
	see(&one, &ours);
	expect(t, same(&ours, &fresh) && same(&theirs, &fresh), "they do not see the same");
	close_hosts();
	return reached;
}

static void test_kills(void)
{
	unsigned trials = 0;

	watched_every = 3; /* with a watch an index is believed more */
	for (enum place to = INBOX; to <= SUB; to++)
		for (int poor = 0; poor < 2; poor++) {
			struct trial t = { .name = "kill", .to = to, .poor = poor };

			for (t.k = 1; t.k < CALLS_MAX && kill_once(&t); t.k++)
				trials++;
		}
	printf("%u kills\n", trials);
}

static unsigned files_in(const char *directory)
{
	DIR *dir = opendir(in_path(directory));
	unsigned n = 0;

	for (struct dirent *e; dir && (e = readdir(dir));)
		n += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static void die_half_way(void)
{
	begin_first(SUB);
	for (unsigned i = 0; i < STEPS_MAX && files_in(".Sub/cur") < 2; i++) {
		struct work work = { .now_usec = world_now(), .budget = 1 };

		if (copy_step(first.copy, &work) != -EINPROGRESS)
			_exit(1);
	}
	usleep(CALM_USEC); /* the directory is older than a tick of the clock */
	rest(&one);
	_exit(0);
}

/* The index was saved in the midst of a move, with directories as they were, and the process is killed. */
static void test_index_half_way(void)
{
	struct trial t = { .name = "killed half-way", .to = SUB };
	static struct seen ours, fresh;
	int status;

	watched_every = 1;
	open_hosts(FSYNC_NEVER);

	pid_t pid = fork();

	if (pid == 0)
		die_half_way();
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	unlink(in_path(".Sub/dovecot-uidlist.lock"));
	host_close(&one);
	host_open(&one, "one.example.org", FSYNC_NEVER);
	see(&one, &ours);
	CU_ASSERT_EQUAL(world_see_fresh(path, false, &fresh), 0);
	check_once(&t, &fresh);
	check_once(&t, &ours);
	close_hosts();
}

static bool file_has(const char *name, const char *text)
{
	char bytes[4000];
	FILE *file = fopen(in_path(name), "r");
	size_t n = file ? fread(bytes, 1, sizeof bytes - 1, file) : 0;

	bytes[n] = '\0';
	if (file)
		fclose(file);
	return strstr(bytes, text) != NULL;
}

/*
 * What comes back has a UID of its own, and a link of another program's under the same name is a message as well. The
 * GUID, from which the EMAILID comes, stays.
 */
static void test_names(void)
{
	static struct seen seen;

	open_hosts(FSYNC_NEVER);
	CU_ASSERT_EQUAL(
		link(in_path("cur/1700000001.M1.x:2,Sa"), in_path(".Sub/cur/1700000001.M1.x:2,Sb")),
		0);
	CU_ASSERT_EQUAL(sync_mailbox(one.mailboxes[SUB]), 0);
	first = (struct mover){ .host = &one, .to = SUB, .move = true, .budget = BUDGET };
	mover_begin(&first);
	CU_ASSERT_EQUAL(mover_run(&first), 0);
	CU_ASSERT(first.n == 3 && first.copies[0] == 2 && first.copies[2] == 4);
	CU_ASSERT_EQUAL(world_see_fresh(path, false, &seen), 0);
	CU_ASSERT(count(&seen, "one") == 2 && seen.n == 4);
	CU_ASSERT(file_has(".Sub/dovecot-uidlist", "\n3 G1700000002.M2.x :"));
	first = (struct mover){
		.host = &one, .from = SUB, .to = INBOX, .move = true, .budget = BUDGET
	};
	mover_begin(&first);
	CU_ASSERT_EQUAL(mover_run(&first), 0);
	CU_ASSERT(first.n == 4 && first.copies[0] == 4 && first.copies[3] == 7);
	CU_ASSERT_EQUAL(world_see_fresh(path, false, &seen), 0);
	CU_ASSERT(count(&seen, "one") == 2 && seen.n == 4 && seen.messages[0].msg_uid == 4);
	close_hosts();
}

/* An answer that was lost on the way, and a file system that cannot refuse to rename onto a file. */
static void test_take(void)
{
	open_hosts(FSYNC_NEVER);

	int from = open(in_path("cur"), O_RDONLY | O_DIRECTORY);
	int to = open(in_path(".Sub/cur"), O_RDONLY | O_DIRECTORY);

	for (int poor = 0; poor < 2; poor++) {
		const char *name = poor ? "1700000001.M1.x:2,Sa" : "1700000002.M2.x:2,ab";

		interpose.poor = poor;
		interpose.armed = true;
		CU_ASSERT_EQUAL(dirs_take(from, "1700000009.none", to, "a"), -ENOENT);
		CU_ASSERT_EQUAL(dirs_take(from, name, to, poor ? "b" : "c"), 0);
		CU_ASSERT_EQUAL(dirs_take(from, name, to, poor ? "b" : "c"), 0);
		CU_ASSERT_EQUAL(dirs_take(from, name, to, "d"), -ENOENT);
		CU_ASSERT_EQUAL(
			dirs_take(from, "1700000003.M3.x:2,", to, poor ? "b" : "c"), -EEXIST);
		interpose.armed = interpose.poor = false;
	}
	close(from);
	close(to);
	close_hosts();
}

static const struct unit_test TESTS[] = {
	{ "names", test_names },
	{ "taking a file", test_take },
	{ "another comes in between", test_meetings },
	{ "each call fails", test_faults },
	{ "killed at each call", test_kills },
	{ "killed half-way, with an index", test_index_half_way },
};

UNIT_MAIN("test_move", TESTS)
