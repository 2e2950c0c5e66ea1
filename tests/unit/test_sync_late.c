/* What other programs change at awkward moments is seen by the next who looks. */
#include "tests/unit/interpose.h"

#include "maildir/store_state.h"
#include "tests/unit/maildir_fixture.h"

enum { CALM_USEC = 50000, FILES = 20 };

/* What another program does right behind the next file that we rename in cur/. */
static struct {
	struct fixture *f;
	const char *from, *to;
} meddling;

static bool no_watches;

int inotify_init1(int flags)
{
	if (no_watches) {
		errno = EMFILE;
		return -1;
	}
	return ((int (*)(int))interpose_real("inotify_init1"))(flags);
}

static void meddle(const struct done *done)
{
	if (done->kind != DONE_RENAME || !strstr(done->to_name, ":2,"))
		return;
	interpose.armed = false;
	fixture_rename(meddling.f, meddling.from, meddling.to);
}

static void arm(struct fixture *f, const char *from, const char *to)
{
	meddling.f = f;
	meddling.from = from;
	meddling.to = to;
	interpose.record = meddle;
	interpose.armed = true;
}

static size_t exists(const struct mailbox *mailbox)
{
	const struct message *messages;

	return mailbox_messages(mailbox, &messages);
}

/* Messages 1 to n in cur/, known; the directories are older than a tick of the clock. */
static void begin(struct fixture *f, unsigned n, bool watches)
{
	char name[40];

	no_watches = !watches;
	fixture_init(f);
	for (unsigned i = 1; i <= n; i++) {
		snprintf(name, sizeof name, "cur/%u.a:2,", i);
		fixture_write(f, name, "a\n");
	}
	usleep(CALM_USEC);
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
	CU_ASSERT_EQUAL(exists(f->mailbox), n);
}

static void end(struct fixture *f)
{
	no_watches = false;
	CU_ASSERT(!interpose.armed);
	fixture_done(f);
}

/* One step. */
static int step(struct fixture *f, uint64_t *round)
{
	struct work work = fixture_work(f);

	return mailbox_sync_anew(f->mailbox, round, &work);
}

static int ask(struct fixture *f)
{
	uint64_t round = 0;
	int r;

	do {
		r = step(f, &round);
	} while (r == -EINPROGRESS);
	return r;
}

static void change_beside_ours(bool watches)
{
	struct fixture f;

	begin(&f, 2, watches);
	arm(&f, "cur/2.a:2,", "cur/2.a:2,F");
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN);
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_FLAGGED);

	/* The same file, right after we renamed it. */
	arm(&f, "cur/1.a:2,RS", "cur/1.a:2,RT");
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_ANSWERED, 0), 0);
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_ANSWERED | FLAG_DELETED);

	/* While new mail is moved. */
	fixture_write(&f, "new/3.a", "a\n");
	arm(&f, "cur/2.a:2,F", "cur/2.a:2,FS");
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_FLAGGED | FLAG_SEEN);
	end(&f);
}

static void test_beside_ours_watched(void)
{
	change_beside_ours(true);
}

static void test_beside_ours_unwatched(void)
{
	change_beside_ours(false);
}

/* The watch begins when a change is hidden already. */
static void test_late_watch(void)
{
	struct fixture f;
	struct work work;

	begin(&f, 1, false);
	fixture_write(&f, "new/2.a", "a\n");
	fixture_write(&f, "new/3.a", "a\n");
	fixture_write(&f, "new/4.a", "a\n");
	arm(&f, "cur/1.a:2,", "cur/1.a:2,F");
	for (int steps = 0; interpose.armed && steps < 100; steps++) {
		work = fixture_work(&f);
		work.budget = 1;
		CU_ASSERT_EQUAL(mailbox_sync(f.mailbox, &work), -EINPROGRESS);
	}
	no_watches = false;
	CU_ASSERT(store_watch(f.store) >= 0);
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED);
	end(&f);
}

/* Another program holds the lock that a sync waits for. */
static void wait_for_lock(bool watches)
{
	struct fixture f;
	uint64_t round = 0;

	begin(&f, 1, watches);
	fixture_write(&f, "dovecot-uidlist.lock", "1:elsewhere");
	fixture_write(&f, "new/2.a", "a\n");
	CU_ASSERT_EQUAL(step(&f, &round), -EAGAIN);
	fixture_rename(&f, "cur/1.a:2,", "cur/1.a:2,F");
	CU_ASSERT_EQUAL(ask(&f), -EAGAIN);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED);

	/* Beside a change of our own, at a moment when nobody held it. */
	unlink(fixture_path(&f, "dovecot-uidlist.lock"));
	arm(&f, "cur/1.a:2,FS", "cur/1.a:2,S");
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	fixture_write(&f, "dovecot-uidlist.lock", "1:elsewhere");
	CU_ASSERT_EQUAL(ask(&f), -EAGAIN);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN);

	/* Long ago. */
	usleep(CALM_USEC);
	CU_ASSERT_EQUAL(ask(&f), -EAGAIN);
	fixture_rename(&f, "cur/1.a:2,S", "cur/1.a:2,ST");
	unlink(fixture_path(&f, "dovecot-uidlist.lock"));
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN | FLAG_DELETED);
	CU_ASSERT_EQUAL(exists(f.mailbox), 2);

	/* New mail that came while it waited. */
	fixture_write(&f, "dovecot-uidlist.lock", "1:elsewhere");
	fixture_write(&f, "new/3.a", "a\n");
	CU_ASSERT_EQUAL(ask(&f), -EAGAIN);
	fixture_write(&f, "new/4.a", "a\n");
	unlink(fixture_path(&f, "dovecot-uidlist.lock"));
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_EQUAL(exists(f.mailbox), 4);
	end(&f);
}

static void test_lock_watched(void)
{
	wait_for_lock(true);
}

static void test_lock_unwatched(void)
{
	wait_for_lock(false);
}

/* Somebody else's scan is half-way through. */
static void scan_under_way(bool watches)
{
	struct fixture f;
	char from[40], to[40];
	uint64_t round = 0;

	begin(&f, FILES, watches);
	if (watches)
		CU_ASSERT(store_watch(f.store) >= 0);
	fixture_write(&f, "cur/99.a:2,", "a\n");
	f.budget = FILES / 2;
	CU_ASSERT_EQUAL(step(&f, &round), -EINPROGRESS);
	for (unsigned i = 1; i <= FILES; i++) {
		snprintf(from, sizeof from, "cur/%u.a:2,", i);
		snprintf(to, sizeof to, "cur/%u.a:2,F", i);
		fixture_rename(&f, from, to);
	}
	CU_ASSERT_EQUAL(ask(&f), 0);
	for (unsigned i = 1; i <= FILES; i++)
		CHECK(fixture_flags(&f, i) == FLAG_FLAGGED, "message %u", i);
	end(&f);
}

static void test_scan_watched(void)
{
	scan_under_way(true);
}

static void test_scan_unwatched(void)
{
	scan_under_way(false);
}

static struct {
	struct fixture *f;
	unsigned renamed;
} wandering;

/*
 * Message 1 is renamed whenever cur/ is read in pieces, from one that is still to be read to one that was read: so it is
 * not met. When all is read by one call it is where it is.
 */
static void wander(int fd, void *bytes, size_t room, ssize_t *n)
{
	char *at = bytes, *end = at + *n;
	struct stat st, cur;

	if (room > ENTRIES_PIECE_BYTES || fstat(fd, &st) < 0 ||
		stat(fixture_path(wandering.f, "cur"), &cur) < 0 || st.st_ino != cur.st_ino)
		return;
	while (at < end) {
		struct dirent64 *e = (struct dirent64 *)at;
		size_t length = e->d_reclen;

		if (strncmp(e->d_name, "1.a", 3) != 0) {
			at += length;
			continue;
		}
		memmove(at, at + length, (size_t)(end - at) - length);
		end -= length;
		fixture_rename(wandering.f, wandering.renamed % 2 ? "cur/1.a:2,F" : "cur/1.a:2,",
			wandering.renamed % 2 ? "cur/1.a:2," : "cur/1.a:2,F");
		wandering.renamed++;
	}
	*n = end - (char *)bytes;
}

static void name_to_and_fro(bool watches)
{
	struct fixture f;

	begin(&f, 3, watches);
	fixture_write(&f, "cur/9.a:2,", "a\n");
	wandering.f = &f;
	wandering.renamed = 0;
	interpose.record = NULL;
	interpose.read_names = wander;
	interpose.armed = true;
	for (unsigned i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(ask(&f), 0);
		CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");
	}
	CU_ASSERT(wandering.renamed > 1);

	/* Looked for by itself, when its text is asked for. */
	fixture_rename(&f, wandering.renamed % 2 ? "cur/1.a:2,F" : "cur/1.a:2,", "cur/1.a:2,S");
	CU_ASSERT(fixture_is(&f, 1, "a\n"));
	interpose.armed = false;
	interpose.read_names = NULL;
	end(&f);
}

static void test_to_and_fro_watched(void)
{
	name_to_and_fro(true);
}

static void test_to_and_fro_unwatched(void)
{
	name_to_and_fro(false);
}

/* Message 1 was renamed just before it was read, and is renamed back right behind. */
static void flip(int fd, void *bytes, size_t room, ssize_t *n)
{
	(void)fd;
	(void)room;
	for (char *at = bytes; at < (char *)bytes + *n;) {
		struct dirent64 *e = (struct dirent64 *)at;

		if (strcmp(e->d_name, "1.a:2,") == 0) {
			strcpy(e->d_name, "1.a:2,F"); /* there is room: entries are padded */
			wandering.renamed++;
		}
		at += e->d_reclen;
	}
}

static void renamed_back(bool watches)
{
	struct fixture f;

	begin(&f, 3, watches);
	fixture_write(&f, "cur/9.a:2,", "a\n");
	wandering.renamed = 0;
	interpose.record = NULL;
	interpose.read_names = flip;
	interpose.armed = true;
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT(wandering.renamed > 0);
	interpose.armed = false;
	interpose.read_names = NULL;
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,"));
	CU_ASSERT_EQUAL(ask(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");
	end(&f);
}

static void test_renamed_back_watched(void)
{
	renamed_back(true);
}

static void test_renamed_back_unwatched(void)
{
	renamed_back(false);
}

/* Whoever takes an event of new mail, those who wait for it are told. */
static void test_new_mail_counts(void)
{
	struct fixture f;

	begin(&f, 1, true);
	CU_ASSERT(store_watch(f.store) >= 0);

	uint64_t changes = store_change_count(f.store);

	fixture_write(&f, "new/2.a", "a\n");
	store_watch_drain(f.store);
	CU_ASSERT(store_change_count(f.store) > changes);
	end(&f);
}

static const struct unit_test tests[] = {
	{ "beside a change of our own", test_beside_ours_watched },
	{ "beside a change of our own, without a watch", test_beside_ours_unwatched },
	{ "before a watch begins", test_late_watch },
	{ "while a sync waits for a lock", test_lock_watched },
	{ "while a sync waits for a lock, without a watch", test_lock_unwatched },
	{ "while a scan is under way", test_scan_watched },
	{ "while a scan is under way, without a watch", test_scan_unwatched },
	{ "a name that goes to and fro", test_to_and_fro_watched },
	{ "a name that goes to and fro, without a watch", test_to_and_fro_unwatched },
	{ "a name that is as it was again", test_renamed_back_watched },
	{ "a name that is as it was again, without a watch", test_renamed_back_unwatched },
	{ "new mail counts as a change", test_new_mail_counts },
};

UNIT_MAIN("test_sync_late", tests)
