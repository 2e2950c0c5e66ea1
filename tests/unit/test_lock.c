#include "maildir/lock.h"
#include "maildir/uidvalidity.h"
#include "tests/unit/maildir_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define NAME "dovecot-uidlist.lock"
#define HOST "test.example.org"

static int open_dir(const struct fixture *f)
{
	return open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_take_and_release(void)
{
	struct fixture f;
	struct lock a = LOCK_INIT, b = LOCK_INIT;
	char want[64];

	fixture_init(&f);

	int dir_fd = open_dir(&f);
	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(lock_take(&a, dir_fd, NAME, HOST, &work), 0);
	CU_ASSERT(lock_is_ours(&a, dir_fd, NAME));
	snprintf(want, sizeof want, "%d:" HOST, (int)getpid());
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, NAME), want);
	CU_ASSERT_EQUAL(lock_take(&b, dir_fd, NAME, HOST, &work), -EAGAIN);
	CU_ASSERT_EQUAL(work.retry_usec, LOCK_RETRY_FIRST_USEC);
	work.now_usec += 10 * LOCK_RETRY_FIRST_USEC;
	CU_ASSERT_EQUAL(lock_take(&b, dir_fd, NAME, HOST, &work), -EAGAIN);
	CU_ASSERT_EQUAL(work.retry_usec, 10 * LOCK_RETRY_FIRST_USEC);
	work.now_usec += 2 * LOCK_RETRY_USEC;
	CU_ASSERT_EQUAL(lock_take(&b, dir_fd, NAME, HOST, &work), -EAGAIN);
	CU_ASSERT_EQUAL(work.retry_usec, LOCK_RETRY_USEC);
	lock_release(&a, dir_fd, NAME);
	CU_ASSERT_FALSE(fixture_exists(&f, NAME));
	CU_ASSERT_EQUAL(lock_take(&b, dir_fd, NAME, HOST, &work), 0);
	lock_release(&b, dir_fd, NAME);
	lock_release(&b, dir_fd, NAME);
	close(dir_fd);
	fixture_done(&f);
}

static int dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

/* Rows: what the lock file says, how old it is, whether it is taken over. */
static void test_stale(void)
{
	char dead[64], dead_elsewhere[64], alive[64];
	int pid = dead_pid();

	snprintf(dead, sizeof dead, "%d:" HOST, pid);
	snprintf(dead_elsewhere, sizeof dead_elsewhere, "%d:other.example.org", pid);
	snprintf(alive, sizeof alive, "%d:" HOST, (int)getppid());

	const struct {
		const char *text;
		unsigned age_sec;
		bool taken;
	} rows[] = {
		{ alive, 0, false },
		{ alive, 100, false },
		{ alive, 125, true },
		{ dead, 0, true },
		{ dead_elsewhere, 0, false },
		{ dead_elsewhere, 125, true },
		{ "", 0, false },
		{ "", 125, true },
		{ "garbage", 0, false },
		{ "0:" HOST, 0, false },
		{ "-1:" HOST, 0, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture f;
		struct lock lock = LOCK_INIT;

		fixture_init(&f);
		fixture_write(&f, NAME, rows[i].text);
		f.now_usec = clock_realtime_usec() + rows[i].age_sec * USEC_PER_SEC;

		int dir_fd = open_dir(&f);
		struct work work = fixture_work(&f);

		CHECK(lock_take(&lock, dir_fd, NAME, HOST, &work) == (rows[i].taken ? 0 : -EAGAIN),
			"row %zu", i);
		CHECK(fixture_exists(&f, NAME), "row %zu", i);
		CHECK(fixture_count(&f, ".", NAME) == 1, "row %zu", i);
		lock_release(&lock, dir_fd, NAME);
		close(dir_fd);
		fixture_done(&f);
	}
}

/* Its clock may be wrong: then it counts how long we saw it unchanged. */
static void test_stale_by_watching(void)
{
	struct fixture f;
	struct lock lock = LOCK_INIT;
	struct timespec future[2] = { { .tv_sec = 4000000000 }, { .tv_sec = 4000000000 } };

	fixture_init(&f);
	fixture_write(&f, NAME, "1:elsewhere");
	utimensat(AT_FDCWD, fixture_path(&f, NAME), future, 0);

	int dir_fd = open_dir(&f);

	for (unsigned second = 0; second <= 125; second += 25) {
		f.now_usec = clock_realtime_usec() + second * USEC_PER_SEC;

		struct work work = fixture_work(&f);

		CHECK(lock_take(&lock, dir_fd, NAME, HOST, &work) == (second < 120 ? -EAGAIN : 0),
			"%u s", second);
	}
	lock_release(&lock, dir_fd, NAME);
	close(dir_fd);
	fixture_done(&f);
}

static void test_taken_from_us(void)
{
	struct fixture f;
	struct lock lock = LOCK_INIT;

	fixture_init(&f);

	int dir_fd = open_dir(&f);
	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(lock_take(&lock, dir_fd, NAME, HOST, &work), 0);
	unlink(fixture_path(&f, NAME));
	CU_ASSERT_FALSE(lock_is_ours(&lock, dir_fd, NAME));
	fixture_write(&f, NAME, "1:another");
	CU_ASSERT_FALSE(lock_is_ours(&lock, dir_fd, NAME));
	lock_release(&lock, dir_fd, NAME);
	CU_ASSERT(fixture_exists(&f, NAME)); /* not ours to remove */
	close(dir_fd);
	fixture_done(&f);
}

/* Two hosts may share the directory, and a process of each have the same number: here two threads. */
struct sharing {
	const struct fixture *fixture;
	atomic_int inside, taken, faults;
};

static void take_often(struct sharing *sharing, const char *hostname)
{
	int dir_fd = open_dir(sharing->fixture);

	for (int i = 0; i < 2000; i++) {
		struct lock lock = LOCK_INIT;
		struct work work = fixture_work(sharing->fixture);
		int r = lock_take(&lock, dir_fd, NAME, hostname, &work);

		if (r == 0) {
			sharing->faults += atomic_fetch_add(&sharing->inside, 1) != 0;
			sharing->taken++;
			sharing->inside--;
		} else {
			sharing->faults += r != -EAGAIN;
		}
		lock_release(&lock, dir_fd, NAME);
	}
	close(dir_fd);
}

static void *other_host(void *sharing)
{
	take_often(sharing, "other.example.org");
	return NULL;
}

static void test_same_number_on_another_host(void)
{
	struct fixture f;
	struct sharing sharing = { .fixture = &f };
	pthread_t thread;

	fixture_init(&f);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, other_host, &sharing), 0);
	take_often(&sharing, HOST);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(sharing.faults, 0);
	CU_ASSERT(sharing.taken > 0);
	CU_ASSERT_EQUAL(fixture_count(&f, ".", NAME) + fixture_count(&f, "tmp", NAME), 0);
	fixture_done(&f);
}

static void test_no_tmp(void)
{
	struct fixture f;
	struct lock lock = LOCK_INIT;

	fixture_init(&f);

	int dir_fd = open_dir(&f);
	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(rmdir(fixture_path(&f, "tmp")), 0);
	CU_ASSERT_EQUAL(lock_take(&lock, dir_fd, NAME, HOST, &work), 0);
	CU_ASSERT(lock_is_ours(&lock, dir_fd, NAME));
	lock_release(&lock, dir_fd, NAME);
	CU_ASSERT_FALSE(fixture_exists(&f, NAME));
	close(dir_fd);
	fixture_done(&f);
}

static void test_things_in_the_way(void)
{
	struct fixture f;
	struct lock lock = LOCK_INIT;

	fixture_init(&f);

	int dir_fd = open_dir(&f);
	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, NAME)), 0);
	CU_ASSERT(lock_take(&lock, dir_fd, NAME, HOST, &work) < 0);
	unlink(fixture_path(&f, NAME));
	CU_ASSERT_EQUAL(mkdir(fixture_path(&f, NAME), 0700), 0);
	CU_ASSERT_EQUAL(lock_take(&lock, dir_fd, NAME, HOST, &work), -EAGAIN);
	close(dir_fd);
	fixture_done(&f);
}

static void test_uidvalidity(void)
{
	struct fixture f;
	uint32_t first, second;
	const uint64_t now_usec = 1700000000 * USEC_PER_SEC;

	fixture_init(&f);

	int dir_fd = open_dir(&f);

	CU_ASSERT_EQUAL(uidvalidity_next(dir_fd, now_usec, &first), 0);
	CU_ASSERT_EQUAL(first, 1700000000);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "dovecot-uidvalidity"), "6553f100");
	CU_ASSERT(fixture_exists(&f, "dovecot-uidvalidity.6553f100"));
	CU_ASSERT_EQUAL(uidvalidity_next(dir_fd, now_usec, &second), 0);
	CU_ASSERT_EQUAL(second, 1700000001);
	CU_ASSERT_EQUAL(fixture_count(&f, ".", "dovecot-uidvalidity."), 1);

	/* The text may be lost, or the mark; garbage counts for nothing. */
	fixture_write(&f, "dovecot-uidvalidity", "garbage");
	CU_ASSERT(uidvalidity_next(dir_fd, now_usec, &second) == 0 && second == 1700000002);
	unlink(fixture_path(&f, "dovecot-uidvalidity.6553f102"));
	CU_ASSERT(uidvalidity_next(dir_fd, now_usec, &second) == 0 && second == 1700000003);
	fixture_write(&f, "dovecot-uidvalidity.fffffffe", "");
	CU_ASSERT_EQUAL(uidvalidity_next(dir_fd, now_usec, &second), -EOVERFLOW);
	close(dir_fd);
	fixture_done(&f);
}

static const struct unit_test TESTS[] = {
	{ "taken and given back", test_take_and_release },
	{ "stale locks", test_stale },
	{ "a lock watched", test_stale_by_watching },
	{ "a lock taken from us", test_taken_from_us },
	{ "a process of our number on another host", test_same_number_on_another_host },
	{ "a lock where there is no tmp/", test_no_tmp },
	{ "things in the way", test_things_in_the_way },
	{ "UIDVALIDITY", test_uidvalidity },
};

UNIT_MAIN("test_lock", TESTS)
