#include "tests/unit/interpose.h"

#include "maildir/entries.h"

#include "tests/unit/maildir_fixture.h"

enum { FILES = 1500, NAME_BYTES = 120 }; /* some 200 kB of entries */

static struct {
	unsigned calls;
	ssize_t most; /* bytes read by one call */
} reading;

static void count(int fd, void *bytes, size_t room, ssize_t *n)
{
	(void)fd;
	(void)bytes;
	(void)room;
	reading.calls++;
	reading.most = *n > reading.most ? *n : reading.most;
}

/* All are met, each once. Returns how many calls it took. */
static unsigned read_all(int dir_fd, size_t whole_bytes)
{
	static bool met[FILES];
	struct entries entries = ENTRIES_CLOSED;
	const struct dirent64 *e;
	unsigned n = 0;
	int r;

	memset(met, 0, sizeof met);
	reading.calls = 0;
	reading.most = 0;
	interpose.record = NULL;
	interpose.read_names = count;
	interpose.armed = true;
	CU_ASSERT_EQUAL_FATAL(entries_open(&entries, dir_fd, whole_bytes), 0);
	while ((r = entries_next(&entries, &e)) > 0) {
		unsigned long number = e->d_name[0] == 'x' ? strtoul(e->d_name + 1, NULL, 10) : FILES;

		if (number < FILES && !met[number])
			n++;
		if (number < FILES)
			met[number] = true;
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(n, FILES);
	interpose.armed = false;
	interpose.read_names = NULL;
	entries_close(&entries);
	entries_close(&entries);
	return reading.calls;
}

static void test_pieces_and_whole(void)
{
	struct fixture f;
	char name[NAME_BYTES + 10];

	fixture_init(&f);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "cur/x%0*u", NAME_BYTES, i);
		fixture_write(&f, name, "");
	}

	int dir_fd = open(fixture_path(&f, "cur"), O_RDONLY | O_DIRECTORY);

	CU_ASSERT_FATAL(dir_fd >= 0);
	CU_ASSERT(read_all(dir_fd, 0) > 2);
	CU_ASSERT(reading.most <= ENTRIES_PIECE_BYTES);
	CU_ASSERT_EQUAL(read_all(dir_fd, 1000000), 2); /* the second one says that there are no more */
	CU_ASSERT(reading.most > (ssize_t)FILES * NAME_BYTES);
	CU_ASSERT(read_all(dir_fd, 1) > 2); /* more room, and again */
	CU_ASSERT(reading.most > (ssize_t)FILES * NAME_BYTES);
	close(dir_fd);
	fixture_done(&f);
}

static void test_no_directory(void)
{
	struct entries entries = ENTRIES_CLOSED;

	CU_ASSERT_EQUAL(entries_open(&entries, -1, 0), -EBADF);
	CU_ASSERT_EQUAL(entries.fd, -1);
	entries_close(&entries);
}

static const struct unit_test tests[] = {
	{ "in pieces, and whole", test_pieces_and_whole },
	{ "no directory", test_no_directory },
};

UNIT_MAIN("test_entries", tests)
