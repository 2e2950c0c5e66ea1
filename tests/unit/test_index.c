#include "maildir/index.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORDS = 2000, VALUE_BYTES = 500, BIG_BYTES = 30000 };

struct place {
	char root[200], path[220];
	struct index_settings settings;
	struct log log;
	unsigned log_lines;
	char last_log[1100];
};

static void on_log(void *arg, enum log_priority priority, struct slice line)
{
	struct place *place = arg;

	(void)priority;
	place->log_lines++;
	snprintf(place->last_log, sizeof place->last_log, "%.*s", SLICE_FMT(line));
}

static void place_init(struct place *place)
{
	*place = (struct place){ 0 };
	snprintf(place->root, sizeof place->root, "%s/restante-index-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(place->root));
	snprintf(place->path, sizeof place->path, "%s/index", place->root);
	place->settings = (struct index_settings){ .path = place->path, .boot_id = "boot-1", .sync = true };
	place->log = (struct log){ .sink = on_log, .arg = place };
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void place_done(struct place *place)
{
	nftw(place->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct index *open_it(struct place *place)
{
	struct index *index = index_open(&place->settings, &place->log);

	CU_ASSERT_PTR_NOT_NULL_FATAL(index);
	return index;
}

/* What stands under a key: its bytes tell it. */
static struct slice value_of(uint64_t key, size_t bytes)
{
	static char text[BIG_BYTES];

	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)(key * 31 + i / 7);
	return slice_from(text, bytes);
}

static size_t bytes_of(uint64_t key)
{
	return key % 50 == 0 ? BIG_BYTES : VALUE_BYTES;
}

static void fill(struct index *index, uint64_t n)
{
	for (uint64_t key = 0; key < n; key++) {
		index_put(index, INDEX_MESSAGES, 7, key, value_of(key, bytes_of(key)));
		if (key % 97 == 0)
			index_rest(index);
	}
	index_rest(index);
}

/* How many records there are; none may be wrong. */
static uint64_t count_good(struct index *index, uint64_t n)
{
	uint64_t good = 0;

	for (uint64_t key = 0; key < n; key++) {
		struct slice value;

		if (index_get(index, INDEX_MESSAGES, 7, key, &value) < 0)
			continue;
		CHECK(slice_equal(value, value_of(key, bytes_of(key))), "key %llu",
			(unsigned long long)key);
		good++;
	}
	index_rest(index);
	return good;
}

static void test_records(void)
{
	struct place place;
	struct slice value;
	uint64_t key;

	place_init(&place);
	struct index *index = open_it(&place);

	CU_ASSERT_EQUAL(index_get(index, INDEX_MESSAGES, 1, 5, &value), -ENOENT);
	index_put(index, INDEX_MESSAGES, 1, 5, SLICE("five"));
	index_put(index, INDEX_MESSAGES, 1, 300, SLICE(""));
	index_put(index, INDEX_MESSAGES, 2, 6, SLICE("of another mailbox"));
	index_put(index, INDEX_NAMES, 1, 5, SLICE("of another table"));
	index_put(index, INDEX_MESSAGES, 1, UINT64_MAX, SLICE("last"));
	CU_ASSERT_EQUAL(index_get(index, INDEX_MESSAGES, 1, 5, &value), 0);
	CU_ASSERT(slice_equal(value, SLICE("five")));
	index_rest(index);
	CU_ASSERT_EQUAL(index_get(index, INDEX_MESSAGES, 1, 300, &value), 0);
	CU_ASSERT_EQUAL(value.n, 0);
	index_put(index, INDEX_MESSAGES, 1, 5, SLICE("5"));
	CU_ASSERT_EQUAL(index_get(index, INDEX_MESSAGES, 1, 5, &value), 0);
	CU_ASSERT(slice_equal(value, SLICE("5")));

	key = 0;
	CU_ASSERT_EQUAL(index_next(index, INDEX_MESSAGES, 1, &key, &value), 0);
	CU_ASSERT_EQUAL(key, 5);
	key = 6;
	CU_ASSERT_EQUAL(index_next(index, INDEX_MESSAGES, 1, &key, &value), 0);
	CU_ASSERT_EQUAL(key, 300);
	key = 301;
	CU_ASSERT_EQUAL(index_next(index, INDEX_MESSAGES, 1, &key, &value), 0);
	CU_ASSERT_EQUAL(key, UINT64_MAX);
	key = 7;
	CU_ASSERT_EQUAL(index_next(index, INDEX_MESSAGES, 2, &key, &value), -ENOENT);

	index_delete(index, INDEX_MESSAGES, 1, 5, 300);
	CU_ASSERT_EQUAL(index_get(index, INDEX_MESSAGES, 1, 5, &value), -ENOENT);
	CU_ASSERT_EQUAL(index_get(index, INDEX_MESSAGES, 1, UINT64_MAX, &value), 0);
	CU_ASSERT_EQUAL(index_get(index, INDEX_NAMES, 1, 5, &value), 0);
	index_close(index);
	CU_ASSERT_EQUAL(place.log_lines, 0);

	struct stat st;

	CU_ASSERT_EQUAL(stat(place.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0700);
	place_done(&place);
}

static void test_mailboxes(void)
{
	struct place place;

	place_init(&place);
	struct index *index = open_it(&place);
	struct slice a = SLICE("0123456789abcdef0123456789abcdef"),
		     b = SLICE("0123456789abcdef0123456789abcdee");

	CU_ASSERT_EQUAL(index_mailbox(index, a, false), 0);
	uint32_t number = index_mailbox(index, a, true);

	CU_ASSERT(number > 0);
	CU_ASSERT(index_mailbox(index, b, true) != number);
	CU_ASSERT_EQUAL(index_mailbox(index, a, false), number);
	CU_ASSERT_EQUAL(index_mailbox(index, SLICE("short"), true), 0);
	index_close(index);
	place_done(&place);
}

/* A process that is killed leaves all it committed; no close, no sync. */
static void fill_and_die(struct place *place)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct index *index = index_open(&place->settings, NULL);

		if (!index)
			_exit(1);
		fill(index, RECORDS);
		index_put(index, INDEX_MESSAGES, 7, 1, SLICE("not committed"));
		kill(getpid(), SIGKILL);
	}

	int status;

	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status));
}

static void test_kill_spoils_nothing(void)
{
	struct place place;

	place_init(&place);
	fill_and_die(&place);
	struct index *index = open_it(&place);

	CU_ASSERT_EQUAL(count_good(index, RECORDS), RECORDS);
	index_close(index);
	CU_ASSERT_EQUAL(place.log_lines, 0);
	place_done(&place);
}

/* What is left of a full index when it is opened under other circumstances. */
static void test_boot_and_drop(void)
{
	static const struct {
		const char *name, *boot_id;
		bool orderly, drop;
		uint64_t want;
	} cases[] = {
		{ "same boot, orderly", "boot-1", true, false, RECORDS },
		{ "other boot, orderly", "boot-2", true, false, RECORDS },
		{ "other boot, killed", "boot-2", false, false, 0 },
		{ "unknown boot, orderly", NULL, true, false, RECORDS },
		{ "unknown boot, killed", NULL, false, false, 0 },
		{ "may have brought the last one down", "boot-1", true, true, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct place place;
		struct index *index;

		place_init(&place);
		if (cases[i].orderly) {
			index = open_it(&place);
			fill(index, RECORDS);
			index_close(index);
		} else {
			fill_and_die(&place);
		}
		place.settings.boot_id = cases[i].boot_id;
		place.settings.drop = cases[i].drop;
		index = open_it(&place);
		CHECK(count_good(index, RECORDS) == cases[i].want, "%s", cases[i].name);
		CHECK(place.log_lines == (cases[i].want == 0), "%s: %s", cases[i].name,
			place.last_log);
		fill(index, 100); /* it works, whatever it was */
		CU_ASSERT_EQUAL(count_good(index, 100), 100);
		index_close(index);
		place_done(&place);
	}
}

/* Durable in one boot, written without an orderly end in the next, opened in a third. */
static void test_mark_is_claimed(void)
{
	struct place place;

	place_init(&place);
	struct index *index = open_it(&place);

	fill(index, 10);
	index_close(index);
	place.settings.boot_id = "boot-2";
	fill_and_die(&place);
	place.settings.boot_id = "boot-3";
	index = open_it(&place);
	CU_ASSERT_EQUAL(count_good(index, RECORDS), 0);
	index_close(index);
	place_done(&place);
}

static void test_lock(void)
{
	struct place place;

	place_init(&place);
	struct index *index = open_it(&place);

	CU_ASSERT_PTR_NULL(index_open(&place.settings, &place.log));
	CU_ASSERT_PTR_NOT_NULL(strstr(place.last_log, "another process has it"));
	fill(index, 10);
	CU_ASSERT_EQUAL(count_good(index, 10), 10);
	index_close(index);
	index = open_it(&place);
	CU_ASSERT_EQUAL(count_good(index, 10), 10);
	index_close(index);
	place_done(&place);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

/* Each leaves nothing, one line in the log, and an index that works. */
static void test_unusable_files(void)
{
	static const struct {
		const char *file, *text; /* NULL: removed */
		off_t truncate;
	} cases[] = {
		{ "mark", "restante-index 2 boot-1 0\n", -1 },
		{ "mark", "restante-index 1 boot-1\n", -1 },
		{ "mark", "", -1 },
		{ "mark", NULL, -1 },
		{ "data.mdb", "", -1 },
		{ "data.mdb", "no database\n", -1 },
		{ "data.mdb", "", 1 },
		{ "data.mdb", "", 4096 },
		{ "data.mdb", "", 8192 },
		{ "data.mdb", "", 100 * 4096 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct place place;
		char path[300];

		place_init(&place);
		struct index *index = open_it(&place);

		fill(index, RECORDS);
		index_close(index);
		snprintf(path, sizeof path, "%s/%s", place.path, cases[i].file);
		if (cases[i].truncate >= 0) {
			CU_ASSERT_EQUAL(truncate(path, cases[i].truncate), 0);
		} else if (cases[i].text) {
			write_file(path, cases[i].text);
		} else {
			CU_ASSERT_EQUAL(unlink(path), 0);
		}
		index = open_it(&place);
		CHECK(count_good(index, RECORDS) == 0, "case %zu", i);
		CHECK(place.log_lines == 1, "case %zu: %s", i, place.last_log);
		fill(index, 10);
		CHECK(count_good(index, 10) == 10, "case %zu", i);
		index_close(index);
		place_done(&place);
	}
}

static void test_no_place_for_it(void)
{
	struct place place;
	char other[300];

	place_init(&place);
	snprintf(other, sizeof other, "%s/elsewhere", place.root);
	CU_ASSERT_EQUAL(mkdir(other, 0700), 0);
	CU_ASSERT_EQUAL(symlink(other, place.path), 0);
	CU_ASSERT_PTR_NULL(index_open(&place.settings, &place.log)); /* a link is not followed */
	CU_ASSERT_EQUAL(unlink(place.path), 0);
	write_file(place.path, "a file");
	CU_ASSERT_PTR_NULL(index_open(&place.settings, &place.log));
	CU_ASSERT_EQUAL(unlink(place.path), 0);
	snprintf(other, sizeof other, "%s/none/index", place.root);
	place.settings.path = other;
	CU_ASSERT_PTR_NULL(index_open(&place.settings, &place.log));
	CU_ASSERT_EQUAL(place.log_lines, 3);

	place.settings.path = place.path;
	CU_ASSERT_EQUAL(mkdir(place.path, 0700), 0);
	snprintf(other, sizeof other, "%s/data.mdb", place.path);
	CU_ASSERT_EQUAL(symlink("/etc/hostname", other), 0);
	struct index *index = open_it(&place); /* the link is removed, what it names is not */
	struct stat st;

	CU_ASSERT_EQUAL(lstat(other, &st), 0);
	CU_ASSERT(S_ISREG(st.st_mode));
	index_close(index);
	place_done(&place);
}

static void test_full(void)
{
	struct place place;

	place_init(&place);
	place.settings.max_bytes = 256 * 1024;
	struct index *index = open_it(&place);

	fill(index, RECORDS / 4); /* its records alone are larger */
	CU_ASSERT(index_losses(index) > 0);
	CU_ASSERT(place.log_lines > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(place.last_log, "MDB_MAP_FULL"));
	fill(index, RECORDS);
	CU_ASSERT_FALSE(index_works(index)); /* it was full again and again */
	CU_ASSERT_EQUAL(count_good(index, RECORDS), 0);
	CU_ASSERT(place.log_lines <= 3);
	index_close(index);

	place.settings.max_bytes = 0;
	index = open_it(&place);
	fill(index, RECORDS);
	CU_ASSERT_EQUAL(count_good(index, RECORDS), RECORDS);
	index_close(index);
	place_done(&place);
}

/* A disk that takes no more. */
static void test_write_fault(void)
{
	struct place place;

	place_init(&place);
	pid_t pid = fork();

	if (pid == 0) {
		struct index *index = index_open(&place.settings, NULL);
		bool ok;

		signal(SIGXFSZ, SIG_IGN);
		fill(index, 10);
		ok = count_good(index, 10) == 10;
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 200000, 200000 });
		fill(index, RECORDS);
		ok = ok && index_losses(index) > 0;
		index_close(index);
		_exit(ok ? 0 : 1);
	}

	int status;

	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	struct index *index = open_it(&place);

	(void)count_good(index, RECORDS);
	fill(index, RECORDS);
	CU_ASSERT_EQUAL(count_good(index, RECORDS), RECORDS);
	index_close(index);
	place_done(&place);
}

static void flip(const char *path, unsigned *seed, unsigned times)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
	for (unsigned i = 0; i < times; i++) {
		off_t at = (off_t)((uint64_t)rand_r(seed) * 2048 + (uint64_t)rand_r(seed)) % st.st_size;
		char c;

		CU_ASSERT_EQUAL(pread(fd, &c, 1, at), 1);
		c ^= (char)(1 << rand_r(seed) % 8);
		CU_ASSERT_EQUAL(pwrite(fd, &c, 1, at), 1);
	}
	close(fd);
}

/* Returns whether the index could be used to the end, wrong values counting as not. */
static bool works_damaged(struct place *place)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		unsigned failed = CU_get_number_of_failures();

		signal(SIGBUS, SIG_DFL); /* a sanitizer would take them for an exit */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);

		struct index *index = index_open(&place->settings, NULL);

		if (!index)
			_exit(1);
		alarm(20);
		(void)count_good(index, RECORDS);
		fill(index, RECORDS);
		bool ok = count_good(index, RECORDS) == RECORDS &&
			  CU_get_number_of_failures() == failed;

		index_close(index);
		_exit(ok ? 0 : 2);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 0, "damage gave wrong values");
	CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM, "damage made it hang");
	return WIFEXITED(status);
}

/* Damage anywhere costs records, or the process, once; it never gives a wrong value. */
static void test_flipped_bits(void)
{
	unsigned seed = 20240501, died = 0;

	for (unsigned round = 0; round < 24; round++) {
		struct place place;
		char path[300];

		place_init(&place);
		struct index *index = open_it(&place);

		fill(index, RECORDS);
		index_close(index);
		snprintf(path, sizeof path, "%s/data.mdb", place.path);
		flip(path, &seed, 1u << round % 12);
		if (!works_damaged(&place)) {
			died++;
			place.settings.drop = true; /* as the master says after such a death */
			CU_ASSERT(works_damaged(&place));
		}
		place_done(&place);
	}
	CU_ASSERT(died < 24);
}

static const struct unit_test TESTS[] = {
	{ "records by table, mailbox and key", test_records },
	{ "numbers of mailboxes", test_mailboxes },
	{ "kill -9 spoils nothing", test_kill_spoils_nothing },
	{ "what another boot left, and what may be poisonous", test_boot_and_drop },
	{ "durable only as long as nothing was written", test_mark_is_claimed },
	{ "one process at a time", test_lock },
	{ "files of another format, or cut off", test_unusable_files },
	{ "no place for it", test_no_place_for_it },
	{ "full", test_full },
	{ "a disk that takes no more", test_write_fault },
	{ "flipped bits", test_flipped_bits },
};

UNIT_MAIN("index", TESTS)
