/*
 * A mailbox restored from the index is what a store without one reads from the files. Each round is a process of its own
 * that opens the mailbox with the index, tells what it sees, changes things, and ends in one way or another; between
 * rounds other programs change files, and the index is deleted or damaged.
 */
#include "maildir/glance.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "tests/unit/maildir_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { FACTS_BYTES = 256 * 1024, KNOWN_MAX = 64, UIDS_MAX = 4000, PLAY_MESSAGES = 700 };

/* What a round tells its parent, in shared memory. */
struct told {
	char facts[FACTS_BYTES];
	uint64_t first_modseq, last_modseq; /* HIGHESTMODSEQ */
	unsigned restored, faults;
	unsigned glanced; /* what there is was told without opening the mailbox */
	unsigned answered; /* by the log of expunged messages */
};

/* What a client remembers of an earlier state. */
struct known {
	uint64_t modseq;
	uint32_t uids[UIDS_MAX];
	size_t n;
};

struct play {
	char path[200], index[220];
	struct told *told;
	struct known *known;
	size_t n_known;
	uint64_t modseq; /* the highest any client was told */
	unsigned seed, files;
	const char *boot;
	enum fsync_mode fsync;
	size_t max_bytes; /* of the index; 0: as usual */
	struct log log;
	char logged[400];
};

static void keep_log(void *arg, enum log_priority priority, struct slice line)
{
	struct play *p = arg;

	(void)priority;
	snprintf(p->logged, sizeof p->logged, "%.*s", SLICE_FMT(line));
}

static struct store *open_store(struct play *p, bool with_index, bool drop)
{
	const struct store_settings settings = {
		.path = p->path,
		.index_path = with_index ? p->index : NULL,
		.boot_id = p->boot,
		.index_max_bytes = p->max_bytes,
		.drop_index = drop,
		.hierarchy_separator = '/',
		.fsync = p->fsync,
		.hostname = "host",
		.uidl_format = "%g",
	};
	struct store *store;

	p->log = (struct log){ .sink = keep_log, .arg = p };
	return store_open(&settings, &p->log, &store) < 0 ? NULL : store;
}

static int sync_all(struct mailbox *mailbox, uint64_t ahead_usec)
{
	int r = -EINPROGRESS;

	for (int i = 0; i < 10000 && (r == -EINPROGRESS || r == -EAGAIN); i++) {
		struct work work = { .now_usec = clock_realtime_usec() + ahead_usec, .budget = 100 };

		r = mailbox_sync(mailbox, &work);
	}
	return r;
}

static void tell_message(struct mailbox *mailbox, const struct message *message, struct buf *out)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct work work = { .now_usec = clock_realtime_usec(), .budget = 1000 };
	struct slice uidl = { NULL, 0 }, guid = mailbox_message_guid(mailbox, message->msg_uid);
	uint64_t octets = 0;
	int64_t internaldate = 0, savedate = 0;
	int r = mailbox_rfc822_size(mailbox, message->msg_uid, &work, &octets);
	int q = mailbox_internaldate(mailbox, message->msg_uid, &internaldate);
	int t = mailbox_savedate(mailbox, message->msg_uid, &savedate);

	if (mailbox_uidl(mailbox, message->msg_uid, &arena, &uidl) < 0)
		return;
	CU_ASSERT_EQUAL(buf_addf(out, "%u %x %d:%llu %d:%lld %d:%lld %.*s %.*s", message->msg_uid,
				message->flags, r, (unsigned long long)octets, q,
				(long long)internaldate, t, (long long)savedate, SLICE_FMT(uidl),
				SLICE_FMT(guid)),
		0);
	for (unsigned n = 0; n < mailbox_keywords(mailbox); n++)
		if (message->keywords >> n & 1)
			CU_ASSERT_EQUAL(buf_addf(out, " %.*s",
						SLICE_FMT(mailbox_keyword(mailbox, n))),
				0);
	CU_ASSERT_EQUAL(buf_add_char(out, '\n'), 0);
}

static void tell(struct mailbox *mailbox, char facts[FACTS_BYTES])
{
	_cleanup_buf_ struct buf out = BUF(FACTS_BYTES - 1);
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);

	CU_ASSERT_EQUAL(buf_addf(&out, "%u %u %zu\n", mailbox_uidvalidity(mailbox),
				mailbox_uidnext(mailbox), n),
		0);
	for (size_t i = 0; i < n; i++) {
		mailbox_messages(mailbox, &messages);
		tell_message(mailbox, &messages[i], &out);
	}
	CU_ASSERT(slice_to_str(buf_slice(&out), facts, FACTS_BYTES));
}

static const char *words(unsigned n)
{
	static const char *const names[] = { "$Junk", "Work", "later", "$Forwarded", "été" };

	return names[n % 4];
}

static void deliver(struct play *p, const char *part, const char *info)
{
	char name[400];
	FILE *file;

	snprintf(name, sizeof name, "%s/%s/17%08u.M%uP1.host%s", p->path, part, p->files, p->files, info);
	p->files++;
	file = fopen(name, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fprintf(file, "Subject: %u\n\nbody %*s\n", p->files, (int)(p->files % 50), "x");
	fclose(file);
}

static uint32_t any_uid(struct play *p, struct mailbox *mailbox)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);

	return n > 0 ? messages[(size_t)rand_r(&p->seed) % n].msg_uid : 0;
}

static void change_flags(struct play *p, struct mailbox *mailbox, uint64_t ahead_usec)
{
	struct work work = { .now_usec = clock_realtime_usec() + ahead_usec, .budget = 100000 };
	uint32_t uids[2] = { any_uid(p, mailbox) };
	size_t done = 0;
	int number = mailbox_find_keyword(
		mailbox, slice_str(words((unsigned)rand_r(&p->seed))), true, &work);
	struct flags_change change = {
		.operation = (enum flags_operation)(rand_r(&p->seed) % 3),
		.flags = (uint32_t)rand_r(&p->seed) & FLAGS_ALL,
		.keywords = number >= 0 && rand_r(&p->seed) % 2 ? UINT64_C(1) << number : 0,
		.unchangedsince = UINT64_MAX,
	};

	if (uids[0])
		CU_ASSERT_EQUAL(mailbox_store_flags(
					mailbox, uids, 1, &done, &change, NULL, &work), 0);
}

static void expunge(struct play *p, struct mailbox *mailbox, uint64_t ahead_usec)
{
	struct work work = { .now_usec = clock_realtime_usec() + ahead_usec, .budget = 100000 };
	uint32_t uids[2] = { any_uid(p, mailbox) };
	size_t done = 0;

	if (uids[0])
		CU_ASSERT_EQUAL(mailbox_expunge(mailbox, uids, 1, &done, &work), 0);
}

/* A file of cur/ that another program renames or removes: found by the facts of the last round. */
static void meddle(struct play *p)
{
	char cur[300], from[600], to[600];
	struct dirent *e;
	DIR *dir;
	int skip = rand_r(&p->seed) % 40;

	snprintf(cur, sizeof cur, "%s/cur", p->path);
	dir = opendir(cur);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && skip-- == 0)
			break;
	if (e) {
		const char *end = strchr(e->d_name, ':');
		int base = end ? (int)(end - e->d_name) : (int)strlen(e->d_name);

		snprintf(from, sizeof from, "%s/%s", cur, e->d_name);
		snprintf(to, sizeof to, "%s/%.*s:2,%s", cur, base, e->d_name,
			rand_r(&p->seed) % 2 ? "FS" : "Sab");
		CU_ASSERT_EQUAL(rand_r(&p->seed) % 3 ? rename(from, to) : unlink(from), 0);
	}
	closedir(dir);
}

static void do_something(struct play *p, struct mailbox *mailbox, uint64_t ahead_usec)
{
	switch (rand_r(&p->seed) % 8) {
	case 0:
	case 1:
		deliver(p, "new", "");
		break;
	case 2:
		expunge(p, mailbox, ahead_usec);
		break;
	case 3:
		meddle(p);
		break;
	case 4:
		(void)!store_rest(mailbox_store(mailbox));
		break;
	case 5:
		CU_ASSERT_EQUAL(sync_all(mailbox, ahead_usec), 0);
		break;
	default:
		change_flags(p, mailbox, ahead_usec);
		break;
	}
}

static bool has(const uint32_t *uids, size_t n, uint32_t msg_uid)
{
	for (size_t i = 0; i < n; i++)
		if (uids[i] == msg_uid)
			return true;
	return false;
}

/* What a client that comes back is told: all that is gone, and nothing that is there. */
static void check_vanished(struct play *p, struct mailbox *mailbox)
{
	for (size_t k = 0; k < p->n_known; k++) {
		_cleanup_arena_ struct arena arena = { 0 };
		const struct known *known = &p->known[k];
		const uint32_t *uids;
		size_t n;
		int r = mailbox_vanished(mailbox, known->modseq, &arena, &uids, &n);

		if (r == -ENODATA)
			continue;
		p->told->answered++;
		p->told->faults += r != 0;
		for (size_t i = 0; r == 0 && i < known->n; i++)
			p->told->faults += !mailbox_message(mailbox, known->uids[i]) &&
					   !has(uids, n, known->uids[i]);
		for (size_t i = 0; r == 0 && i < n; i++)
			p->told->faults += mailbox_message(mailbox, uids[i]) != NULL ||
					   (i > 0 && uids[i] <= uids[i - 1]);
	}
}

/* What was told without opening the mailbox is what is there. */
static void check_glance(struct play *p, struct mailbox *mailbox, const struct glance *glance)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = 1000000 };
	const struct message *messages;
	uint32_t unseen = 0, deleted = 0, recent = 0, unsized = 0;
	size_t n = mailbox_messages(mailbox, &messages);
	uint64_t octets = 0, known;

	for (size_t i = 0; i < n; i++) {
		unseen += !(messages[i].flags & FLAG_SEEN);
		deleted += (messages[i].flags & FLAG_DELETED) != 0;
		recent += messages[i].msg_uid >= mailbox->recent_from;
		unsized += !list_rfc822_size(&mailbox->list, i, &known);
		p->told->faults += mailbox_rfc822_size(mailbox, messages[i].msg_uid, &work, &known) != 0;
		octets += known;
	}
	p->told->faults += glance->messages != n || glance->unseen != unseen ||
			   glance->deleted != deleted || glance->recent != recent ||
			   glance->unsized != unsized ||
			   (unsized == 0 ? glance->octets != octets : glance->octets >= octets) ||
			   glance->uidnext != mailbox_uidnext(mailbox) ||
			   glance->uidvalidity != mailbox_uidvalidity(mailbox) ||
			   glance->highestmodseq != mailbox_highestmodseq(mailbox) ||
			   !slice_equal(slice_str(glance->mailboxid), mailbox_guid(mailbox));
	p->told->glanced++;
}

enum ending { ENDING_CLOSE, ENDING_REST, ENDING_KILL, ENDINGS };

static void settle_and_rest(struct store *store)
{
	for (uint64_t usec = 0; usec != UINT64_MAX; usec = store_rest(store))
		usleep((useconds_t)usec + 1000);
}

/* In the child. */
static void run_round(struct play *p, bool drop, enum ending ending, uint64_t ahead_usec)
{
	struct store *store = open_store(p, true, drop);
	struct mailbox *mailbox;
	unsigned failed = CU_get_number_of_failures();
	int steps = rand_r(&p->seed) % 30;

	alarm(60);
	if (!store)
		_exit(3);

	struct glance glance;
	int glanced = mailbox_glance(store, SLICE("INBOX"),
		clock_realtime_usec() + 10 * USEC_PER_SEC, &glance);

	if (mailbox_open(store, SLICE("INBOX"), &mailbox) < 0 ||
		sync_all(mailbox, ahead_usec) < 0)
		_exit(3);
	p->told->restored = mailbox->snapshot.header.format != 0;
	p->told->first_modseq = mailbox_highestmodseq(mailbox);
	if (glanced == 0)
		check_glance(p, mailbox, &glance);
	tell(mailbox, p->told->facts);
	check_vanished(p, mailbox);
	while (steps-- > 0)
		do_something(p, mailbox, ahead_usec);
	if (ending != ENDING_KILL)
		CU_ASSERT_EQUAL(sync_all(mailbox, ahead_usec), 0);
	if (ending == ENDING_REST)
		settle_and_rest(store);
	check_vanished(p, mailbox);
	p->told->last_modseq = mailbox_highestmodseq(mailbox);
	p->told->faults += CU_get_number_of_failures() - failed;
	if (ending == ENDING_CLOSE) {
		mailbox_close(mailbox);
		store_close(store);
	}
	_exit(0);
}

/* A state that was told to a client whole: by a store without index, between rounds. */
static void remember(struct play *p, struct mailbox *mailbox)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);
	struct known *known = &p->known[p->n_known % KNOWN_MAX];

	if (p->n_known == KNOWN_MAX || n > UIDS_MAX)
		return;
	known->modseq = p->modseq;
	known->n = n;
	for (size_t i = 0; i < n; i++)
		known->uids[i] = messages[i].msg_uid;
	p->n_known++;
}

static void read_fresh(struct play *p, char facts[FACTS_BYTES])
{
	struct store *store = open_store(p, false, false);
	struct mailbox *mailbox;

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), &mailbox), 0);
	CU_ASSERT_EQUAL_FATAL(sync_all(mailbox, 0), 0);
	tell(mailbox, facts);
	remember(p, mailbox);
	mailbox_close(mailbox);
	store_close(store);
}

static void play_init(struct play *p, unsigned seed)
{
	*p = (struct play){ .seed = seed, .boot = "boot", .fsync = FSYNC_NEVER };
	snprintf(p->path, sizeof p->path, "%s/restante-snapshot-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p->path));
	snprintf(p->index, sizeof p->index, "%s/restante.index", p->path);
	p->told = mmap(NULL, sizeof *p->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p->known = calloc(KNOWN_MAX, sizeof *p->known);
	CU_ASSERT_FATAL(p->told != MAP_FAILED && p->known != NULL);

	struct store *store = open_store(p, false, false);

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	store_close(store);
	for (int i = 0; i < PLAY_MESSAGES; i++)
		deliver(p, "cur", i % 3 ? ":2,S" : ":2,");
}

static void play_done(struct play *p)
{
	fixture_remove_tree(p->path);
	munmap(p->told, sizeof *p->told);
	free(p->known);
}

static void flip_bits(struct play *p)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof path, "%s/data.mdb", p->index);

	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		return;
	for (int i = rand_r(&p->seed) % 200; i >= 0; i--) {
		off_t at = (off_t)rand_r(&p->seed) % st.st_size;
		char c = 0;

		CU_ASSERT_EQUAL(pread(fd, &c, 1, at), 1);
		c ^= (char)(1 << rand_r(&p->seed) % 8);
		CU_ASSERT_EQUAL(pwrite(fd, &c, 1, at), 1);
	}
	close(fd);
}

static void harm_index(struct play *p)
{
	char path[300];

	switch (rand_r(&p->seed) % 12) {
	case 0:
		fixture_remove_tree(p->index);
		break;
	case 1:
		snprintf(path, sizeof path, "%s/data.mdb", p->index);
		(void)!truncate(path, rand_r(&p->seed) % 100000);
		break;
	case 2:
	case 3:
		flip_bits(p);
		break;
	case 4:
		snprintf(path, sizeof path, "%s/mark", p->index);
		unlink(path);
		break;
	default:
		break;
	}
}

/* Returns whether the round came to its end; a crash is one of an index that was damaged. */
static bool fork_round(struct play *p, bool drop, enum ending ending, uint64_t ahead_usec)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); /* a sanitizer would take them for an exit */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		run_round(p, drop, ending, ahead_usec);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "exit %d", WEXITSTATUS(status));
	CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM, "it hangs");
	p->files += 100; /* names it may have used */
	return WIFEXITED(status);
}

static void test_rounds(void)
{
	enum { ROUNDS = 120 };
	static char facts[FACTS_BYTES];
	unsigned restored = 0, answered = 0, crashed = 0, glanced = 0;
	struct play p;

	play_init(&p, 20240607);
	for (unsigned round = 0; round < ROUNDS; round++) {
		enum ending ending = (enum ending)(rand_r(&p.seed) % ENDINGS);
		uint64_t ahead = round % 10 == 3 && ending != ENDING_KILL ? 3600 * USEC_PER_SEC : 0;

		if (round % 3 == 0)
			meddle(&p);
		if (round % 2)
			harm_index(&p);
		read_fresh(&p, facts);
		memset(p.told, 0, sizeof *p.told);
		if (!fork_round(&p, false, ending, ahead)) {
			crashed++;
			read_fresh(&p, facts);
			memset(p.told, 0, sizeof *p.told);
			if (!fork_round(&p, true, ending, ahead))
				CU_FAIL("the index was dropped, and it crashed");
		}
		CHECK(strcmp(facts, p.told->facts) == 0, "round %u", round);
		CHECK(p.told->faults == 0, "round %u: %u", round, p.told->faults);
		CHECK(p.told->first_modseq >= p.modseq, "round %u: %llu after %llu", round,
			(unsigned long long)p.told->first_modseq, (unsigned long long)p.modseq);
		p.modseq = p.told->last_modseq;
		restored += p.told->restored;
		answered += p.told->answered;
		glanced += p.told->glanced;
		(void)rand_r(&p.seed);
	}
	CU_ASSERT(restored > ROUNDS / 3);
	CHECK(crashed < ROUNDS / 10, "%u", crashed);
	CU_ASSERT(answered > ROUNDS);
	CU_ASSERT(glanced > 0);
	play_done(&p);
}

/* The same mailbox, unchanged: opened without reading a directory, and without its names. */
static void test_unchanged(void)
{
	static char facts[FACTS_BYTES];
	struct play p;

	play_init(&p, 1);
	read_fresh(&p, facts);
	usleep(50000); /* what cur/ is now is then known for good */
	for (int i = 0; i < 3; i++) {
		struct store *store = open_store(&p, true, false);
		struct mailbox *mailbox;

		CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), &mailbox), 0);
		CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
		if (i > 0) {
			CU_ASSERT_EQUAL(mailbox->sync.scan, 1); /* by the process that saved it */
			CU_ASSERT_FALSE(list_is_loaded(&mailbox->list, 0));
			tell(mailbox, p.told->facts);
			CU_ASSERT_STRING_EQUAL(facts, p.told->facts);
		}
		if (i == 1) {
			change_flags(&p, mailbox, 0); /* our own change costs no later look either */
			settle_and_rest(store);
			tell(mailbox, facts);
		}
		mailbox_close(mailbox);
		settle_and_rest(store);
		store_close(store);
	}
	play_done(&p);
}

/* Whatever was changed by us: a mailbox that came to rest is told of without being opened; one that others change is not. */
static void test_glance(void)
{
	struct glance glance;
	struct mailbox *mailbox;
	struct store *store;
	struct play p;

	play_init(&p, 4);
	for (int i = 0; i < 12; i++) {
		uint64_t later_usec = clock_realtime_usec() + 10 * USEC_PER_SEC;

		store = open_store(&p, true, false);
		CHECK(mailbox_glance(store, SLICE("INBOX"), later_usec, &glance) == (i ? 0 : -ENODATA), "%d", i);
		CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), &mailbox), 0);
		CU_ASSERT_EQUAL(sync_all(mailbox, 10 * USEC_PER_SEC), 0);
		if (i > 0)
			check_glance(&p, mailbox, &glance);
		CU_ASSERT_EQUAL(mailbox_glance(store, SLICE("INBOX"), later_usec, &glance), -ENODATA);
		for (int steps = i; steps > 0; steps--) {
			change_flags(&p, mailbox, 0);
			expunge(&p, mailbox, 0);
			deliver(&p, "new", "");
		}
		CU_ASSERT_EQUAL(sync_all(mailbox, 10 * USEC_PER_SEC), 0);
		settle_and_rest(store);
		usleep(50000);
		CU_ASSERT_EQUAL(sync_all(mailbox, 10 * USEC_PER_SEC), 0);
		settle_and_rest(store);
		mailbox_close(mailbox);
		store_close(store);
	}
	CU_ASSERT_EQUAL(p.told->faults, 0);
	CU_ASSERT_EQUAL(p.told->glanced, 11);
	store = open_store(&p, true, false);
	CU_ASSERT_EQUAL(mailbox_glance(store, SLICE("none"), clock_realtime_usec(), &glance), -ENOENT);
	CU_ASSERT_EQUAL(mailbox_glance(store, SLICE("a/../b"), clock_realtime_usec(), &glance), -ENOENT);
	meddle(&p);
	CU_ASSERT_EQUAL(mailbox_glance(store, SLICE("INBOX"), clock_realtime_usec() + 10 * USEC_PER_SEC, &glance),
		-ENODATA);
	store_close(store);
	play_done(&p);
}

/* What the index has of a mailbox goes when the mailbox was deleted, by whom ever; what it has of others stays. */
static void test_swept(void)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct work work = { .now_usec = clock_realtime_usec(), .budget = 100000 };
	const struct message *messages;
	struct mailbox *mailbox;
	uint32_t numbers[2];
	struct slice record;
	struct play p;

	play_init(&p, 5);

	struct store *store = open_store(&p, true, false);

	CU_ASSERT_EQUAL_FATAL(tree_create(store, SLICE("gone")), 0);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(mailbox_open(store, i ? SLICE("gone") : SLICE("INBOX"), &mailbox), 0);
		CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
		settle_and_rest(store);
		numbers[i] = mailbox->snapshot.number;
		mailbox_close(mailbox);
	}
	for (uint64_t key = 0; key < 3000; key++)
		index_put(store->index, INDEX_CARDS, numbers[1], key * 10, SLICE("card"));
	store_settle(store);
	CU_ASSERT_EQUAL(index_get(store->index, INDEX_HEADERS, numbers[1], 0, &record), 0);
	CU_ASSERT_EQUAL(tree_delete(store, SLICE("gone"), &work), 0);
	for (int i = 0; i < 2; i++)
		store_settle(store); /* so much that one does not get to its end */
	for (enum index_table table = INDEX_HEADERS; table < INDEX_TABLES; table++) {
		uint64_t key = 0;

		CU_ASSERT_EQUAL(index_next(store->index, table, numbers[1], &key, &record), -ENOENT);
	}
	CU_ASSERT_EQUAL(index_get(store->index, INDEX_MAILBOXES, 0, numbers[1], &record), -ENOENT);
	CU_ASSERT_EQUAL(index_get(store->index, INDEX_HEADERS, numbers[0], 0, &record), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), &mailbox), 0);
	CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
	CU_ASSERT_EQUAL(mailbox_messages(mailbox, &messages), PLAY_MESSAGES);
	mailbox_close(mailbox);
	store_close(store);
	play_done(&p);
}

enum { CARDS = 12000, STEPS_LEAST = 3 };

/* Remove every third message from the first on, as another program does it: the file, and later the record. */
static void remove_some(struct play *p, unsigned first)
{
	char path[300], *line = NULL, name[400];
	_cleanup_buf_ struct buf kept = BUF(1 << 20);
	size_t bytes = 0;
	unsigned n = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/dovecot-uidlist", p->path);
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	while (getline(&line, &bytes, file) > 0) {
		const char *base = strstr(line, " :");

		if (base && n++ % 3 == first) {
			for (int seen = 0; seen < 2; seen++) {
				snprintf(name, sizeof name, "%s/cur/%.*s:2,%s", p->path,
					(int)strcspn(base + 2, "\n"), base + 2, seen ? "S" : "");
				unlink(name);
			}
			continue;
		}
		CU_ASSERT_EQUAL(buf_add_str(&kept, line), 0);
	}
	free(line);
	fclose(file);
	snprintf(name, sizeof name, "%s.new", path);
	file = fopen(name, "w");
	CU_ASSERT(file && fwrite(kept.p, 1, kept.n, file) == kept.n && fclose(file) == 0);
	CU_ASSERT_EQUAL(rename(name, path), 0);
}

/* Returns how many cards there are, and in *ret_foreign how many of them are of no message. */
static unsigned count_cards(struct mailbox *mailbox, unsigned *ret_foreign)
{
	unsigned n = 0, foreign = 0;
	struct slice record;

	for (uint64_t key = 0; index_next(mailbox->store->index, INDEX_CARDS, mailbox->snapshot.number, &key,
				       &record) == 0;
		key++, n++)
		foreign += !mailbox_message(mailbox, (uint32_t)(key >> 1));
	*ret_foreign = foreign;
	return n;
}

/*
 * Cards of messages that other programs removed go when that is saved, in steps: those that a sync misses, and those of which
 * nobody kept count, because the state of before was lost.
 */
static void test_cards_of_gone(void)
{
	struct play p;
	const struct message *messages;

	play_init(&p, 6);
	for (unsigned round = 0; round < 3; round++) {
		struct store *store = open_store(&p, true, false);
		struct mailbox *mailbox;
		unsigned steps = 0, foreign, n;

		CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), &mailbox), 0);
		CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
		CU_ASSERT_EQUAL(mailbox->snapshot.is_based, round == 1);
		while (snapshot_save(mailbox, true) == 0)
			steps++;
		n = count_cards(mailbox, &foreign);
		CHECK(foreign == 0, "round %u: %u of %u", round, foreign, n);
		CHECK(round == 0 || n == mailbox_messages(mailbox, &messages), "round %u: %u", round, n);
		CHECK(round < 2 || steps >= STEPS_LEAST, "%u", steps);
		for (uint32_t msg_uid = 1; msg_uid <= (round == 1 ? CARDS : PLAY_MESSAGES); msg_uid++)
			if (round == 1 || mailbox_message(mailbox, msg_uid))
				index_put(store->index, INDEX_CARDS, mailbox->snapshot.number, msg_uid << 1,
					SLICE("card"));
		if (round == 1)
			index_delete(store->index, INDEX_HEADERS, mailbox->snapshot.number, 0, 0);
		index_rest(store->index);
		mailbox_close(mailbox);
		store_close(store);
		remove_some(&p, round % 3);
	}
	play_done(&p);
}

/* Names that are lost while the mailbox is open are read from the uidlist. */
static void test_names_lost_while_open(void)
{
	static char facts[FACTS_BYTES];
	struct play p;

	play_init(&p, 2);
	read_fresh(&p, facts);
	for (int i = 0; i < 2; i++) {
		struct store *store = open_store(&p, true, false);
		struct mailbox *mailbox;

		CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), &mailbox), 0);
		CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
		if (i == 1) {
			index_delete(store->index, INDEX_NAMES, mailbox->snapshot.number, 1, 1);
			tell(mailbox, p.told->facts);
			CU_ASSERT_STRING_EQUAL(facts, p.told->facts);
			CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
			tell(mailbox, p.told->facts);
			CU_ASSERT_STRING_EQUAL(facts, p.told->facts);
		}
		mailbox_close(mailbox);
		store_close(store);
	}
	play_done(&p);
}

/* A Maildir that was copied, with its index, and whose copy then lies in the old one's place. */
static void test_copied(void)
{
	static char facts[FACTS_BYTES];
	char command[1200];
	struct play p;

	play_init(&p, 3);
	read_fresh(&p, facts);
	CU_ASSERT(fork_round(&p, false, ENDING_CLOSE, 0));
	read_fresh(&p, facts);
	snprintf(command, sizeof command, "cp -a %s %s.copy && rm -r %s && mv %s.copy %s", p.path, p.path,
		p.path, p.path, p.path);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
	CU_ASSERT(fork_round(&p, false, ENDING_CLOSE, 0));
	CU_ASSERT_STRING_EQUAL(facts, p.told->facts);
	CU_ASSERT_EQUAL(p.told->faults, 0);
	play_done(&p);
}

/* A store that sees what there is, and can change it, whatever its index does. Returns it with the mailbox open. */
static struct store *open_and_use(struct play *p, struct mailbox **ret_mailbox, const char *facts)
{
	struct store *store = open_store(p, true, false);
	static char now[FACTS_BYTES];

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(store, SLICE("INBOX"), ret_mailbox), 0);
	CU_ASSERT_EQUAL(sync_all(*ret_mailbox, 0), 0);
	tell(*ret_mailbox, now);
	CU_ASSERT_STRING_EQUAL(facts, now);
	for (int i = 0; i < 10; i++)
		change_flags(p, *ret_mailbox, 0);
	expunge(p, *ret_mailbox, 0);
	deliver(p, "new", "");
	CU_ASSERT_EQUAL(sync_all(*ret_mailbox, 0), 0);
	store_settle(store);
	return store;
}

static void close_both(struct store *store, struct mailbox *mailbox)
{
	mailbox_close(mailbox);
	store_close(store);
}

/* The next two processes see what a store without index sees; the second restores what the first has left. */
static void check_recovers(struct play *p)
{
	static char facts[FACTS_BYTES];

	for (int i = 0; i < 2; i++) {
		read_fresh(p, facts);
		CU_ASSERT(fork_round(p, false, ENDING_CLOSE, 0));
		CU_ASSERT_STRING_EQUAL(facts, p->told->facts);
		CU_ASSERT_EQUAL(p->told->faults, 0);
	}
	CU_ASSERT_EQUAL(p->told->restored, 1);
}

/* The map is full, from the beginning or later on, again and again: mail is served without. */
static void test_full_map(void)
{
	static const size_t sizes[] = { 48 * 1024, 2 * 1024 * 1024 };
	static char facts[FACTS_BYTES], card[32 * 1024];
	struct mailbox *mailbox;
	struct glance glance;
	struct play p;

	play_init(&p, 11);
	for (size_t i = 0; i < 2; i++) {
		fixture_remove_tree(p.index);
		p.max_bytes = sizes[i];
		read_fresh(&p, facts);

		struct store *store = open_and_use(&p, &mailbox, facts);

		CU_ASSERT_EQUAL(index_losses(store->index) > 0, i == 0);
		for (uint64_t key = 0; index_works(store->index) && key < 1000; key++)
			index_put(store->index, INDEX_CARDS, mailbox->snapshot.number, key << 1,
				slice_from(card, sizeof card));
		CU_ASSERT_FALSE(index_works(store->index));
		CU_ASSERT_PTR_NOT_NULL(strstr(p.logged, "MDB_MAP_FULL"));
		CU_ASSERT_EQUAL(mailbox_glance(store, SLICE("INBOX"), clock_realtime_usec(), &glance), -ENODATA);
		change_flags(&p, mailbox, 0);
		CU_ASSERT_EQUAL(sync_all(mailbox, 0), 0);
		store_settle(store);
		tell(mailbox, p.told->facts);
		close_both(store, mailbox);
		read_fresh(&p, facts);
		CU_ASSERT_STRING_EQUAL(facts, p.told->facts);
		p.max_bytes = 0;
		check_recovers(&p);
	}
	play_done(&p);
}

/* Another process, which lives on, has the index; what it leaves in it is of before our changes. */
static void test_held_by_another(void)
{
	static char facts[FACTS_BYTES];
	int ready[2], go[2], status;
	struct mailbox *mailbox;
	struct play p;
	char c = 0;

	play_init(&p, 12);
	read_fresh(&p, facts);
	CU_ASSERT_FATAL(pipe(ready) == 0 && pipe(go) == 0);

	pid_t pid = fork();

	if (pid == 0) {
		struct store *store = open_store(&p, true, false);

		alarm(60);
		if (!store || !store->index || mailbox_open(store, SLICE("INBOX"), &mailbox) < 0 ||
			sync_all(mailbox, 0) < 0 || write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(3);
		store_settle(store);
		close_both(store, mailbox);
		_exit(0);
	}
	CU_ASSERT_FATAL(pid > 0 && read(ready[0], &c, 1) == 1);

	struct store *store = open_and_use(&p, &mailbox, facts);

	CU_ASSERT_PTR_NULL(store->index);
	tell(mailbox, facts);
	CU_ASSERT_EQUAL(write(go[1], "x", 1), 1);
	CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	close_both(store, mailbox);
	CU_ASSERT(fork_round(&p, false, ENDING_CLOSE, 0));
	CU_ASSERT_STRING_EQUAL(facts, p.told->facts);
	CU_ASSERT_EQUAL(p.told->restored, 1);
	check_recovers(&p);
	play_done(&p);
}

/* After a reboot an index counts if its end was orderly and made durable; else all is read, and nothing is told twice. */
static void test_other_boot(void)
{
	static const struct {
		enum fsync_mode fsync;
		enum ending ending;
		bool restored;
	} rows[] = {
		{ FSYNC_OPTIMIZED, ENDING_CLOSE, true },
		{ FSYNC_OPTIMIZED, ENDING_REST, false },
		{ FSYNC_NEVER, ENDING_CLOSE, false },
	};
	static const char *const boots[] = { "boot-a", "boot-b", "boot-c", "boot-d" };
	static char facts[FACTS_BYTES];
	struct play p;

	play_init(&p, 13);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t modseq;

		p.boot = boots[i];
		p.fsync = rows[i].fsync;
		CU_ASSERT(fork_round(&p, false, rows[i].ending, 0));
		modseq = p.told->last_modseq;
		read_fresh(&p, facts);
		p.boot = boots[i + 1];
		CU_ASSERT(fork_round(&p, false, ENDING_CLOSE, 0));
		CHECK(p.told->restored == rows[i].restored, "row %zu", i);
		CHECK(strcmp(facts, p.told->facts) == 0, "row %zu", i);
		CHECK(p.told->first_modseq >= modseq, "row %zu", i);
		CU_ASSERT_EQUAL(p.told->faults, 0);
	}
	play_done(&p);
}

static int give_away(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return lchown(path, 65534, 65534);
}

/* In a process that no permission is given for free: root would write all the same. */
static void use_as_nobody(struct play *p, const char *facts)
{
	struct mailbox *mailbox;
	unsigned failed = CU_get_number_of_failures();

	alarm(60);
	if (geteuid() == 0 && (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		_exit(3);

	struct store *store = open_and_use(p, &mailbox, facts);

	tell(mailbox, p->told->facts);
	close_both(store, mailbox);
	_exit(CU_get_number_of_failures() == failed ? 0 : 4);
}

/* A directory that cannot be written, with files that can or cannot be, or that cannot be entered. */
static void test_read_only_directory(void)
{
	static const mode_t modes[][2] = { { 0500, 0600 }, { 0500, 0400 }, { 0000, 0600 }, { 0700, 0400 } };
	static const char *const names[] = { "data.mdb", "mark", "lock" };
	static char facts[FACTS_BYTES];
	char path[300];
	struct play p;

	play_init(&p, 14);
	for (size_t i = 0; i < 2 * sizeof modes / sizeof *modes; i++) {
		int status;

		p.fsync = i % 2 ? FSYNC_OPTIMIZED : FSYNC_NEVER; /* with a mark to be changed, or not */
		CU_ASSERT(fork_round(&p, false, ENDING_CLOSE, 0));
		read_fresh(&p, facts);
		if (geteuid() == 0)
			nftw(p.path, give_away, 16, FTW_PHYS);
		for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
			snprintf(path, sizeof path, "%s/%s", p.index, names[n]);
			CU_ASSERT_EQUAL(chmod(path, modes[i / 2][1]), 0);
		}
		CU_ASSERT_EQUAL(chmod(p.index, modes[i / 2][0]), 0);

		pid_t pid = fork();

		if (pid == 0)
			use_as_nobody(&p, facts);
		CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "row %zu: %x", i, (unsigned)status);
		CU_ASSERT_EQUAL(chmod(p.index, 0700), 0);
		p.files += 100;
		p.fsync = FSYNC_NEVER;
		read_fresh(&p, facts);
		CHECK(strcmp(facts, p.told->facts) == 0, "row %zu", i);
		check_recovers(&p);
	}
	play_done(&p);
}

static const struct unit_test TESTS[] = {
	{ "a full map", test_full_map },
	{ "held by another process", test_held_by_another },
	{ "of another boot", test_other_boot },
	{ "a directory that cannot be written", test_read_only_directory },
	{ "unchanged, and changed by us", test_unchanged },
	{ "told of without being opened", test_glance },
	{ "mailboxes that are gone", test_swept },
	{ "cards of messages that are gone", test_cards_of_gone },
	{ "names lost while it is open", test_names_lost_while_open },
	{ "a copy in its place", test_copied },
	{ "rounds of changes, endings and damage", test_rounds },
};

UNIT_MAIN("snapshot", TESTS)
