#include "server/ctl/index_records.h"

#include "base/must.h"
#include "maildir/dirs.h"
#include "maildir/index_file.h"
#include "maildir/index_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 8, PAUSE_USEC = 50 * 1000, EXIT_DAMAGED = 1, EXIT_FAULT = 2 };

/* In front of each value in the temporary file. */
struct item_head {
	struct index_key key;
	uint8_t unused[3];
	uint32_t bytes;
};

/* Which state of the data there is: another file, or another transaction, is another. */
struct edition {
	uint64_t ino, txn;
};

static int look_up_edition(int dir_fd, struct edition *ret_edition)
{
	struct stat st;

	if (fstatat(dir_fd, INDEX_DATA_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	ret_edition->ino = st.st_ino;
	return index_file_check_data(dir_fd, &ret_edition->txn);
}

static bool write_item(void *arg, const struct index_key *key, struct slice stored)
{
	FILE *file = arg;
	struct item_head head = { .key = *key, .bytes = (uint32_t)stored.n };

	return stored.n <= UINT32_MAX && fwrite(&head, sizeof head, 1, file) == 1 &&
	       fwrite(stored.p, 1, stored.n, file) == stored.n;
}

static _Noreturn void walk_in_child(int dir_fd, unsigned tables, FILE *file)
{
	int r = index_walk(dir_fd, &(struct index_walk){ .tables = tables, .each = write_item, .arg = file });

	if (r == 0 && (fflush(file) != 0 || ferror(file)))
		_exit(EXIT_FAULT);
	_exit(r == 0 ? 0 : r == -EBADMSG ? EXIT_DAMAGED : EXIT_FAULT);
}

static int run_walk(int dir_fd, unsigned tables, FILE *file)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		walk_in_child(dir_fd, tables, file);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAULT ? -EIO : -EBADMSG;
}

static void add_item(struct index_records *records, size_t *cap, const struct item_head *head, struct slice stored)
{
	if (records->n == *cap) {
		*cap = *cap ? 2 * *cap : 256;
		records->items = reallocarray(records->items, *cap, sizeof *records->items);
		must(records->items != NULL);
	}

	struct index_item *item = &records->items[records->n++];

	*item = (struct index_item){ .key = head->key };
	item->is_damaged = !index_record_check(&head->key, stored, &item->value);
}

/* A damaged tree may have keys out of order, which no search would find. */
static int take_items(struct index_records *records, struct slice rest)
{
	struct item_head head, last = { 0 };
	size_t cap = 0;

	while (rest.n > 0) {
		if (rest.n < sizeof head)
			return -EBADMSG;
		memcpy(&head, rest.p, sizeof head);
		rest = slice_tail(rest, sizeof head);
		if (rest.n < head.bytes ||
			(records->n > 0 && memcmp(&head.key, &last.key, sizeof head.key) <= 0))
			return -EBADMSG;
		add_item(records, &cap, &head, slice_take(&rest, head.bytes));
		last = head;
	}
	return 0;
}

static int take_file(struct index_records *records, FILE *file)
{
	struct stat st;

	if (fstat(fileno(file), &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	records->map_bytes = (size_t)st.st_size;
	records->map = mmap(NULL, records->map_bytes, PROT_READ, MAP_PRIVATE, fileno(file), 0);
	if (records->map == MAP_FAILED) {
		records->map = NULL;
		return -errno;
	}
	return take_items(records, slice_from(records->map, records->map_bytes));
}

/* Returns as index_records_read(); -EAGAIN: it was written to meanwhile, this time. */
static int read_once(int dir_fd, unsigned tables, struct index_records *records)
{
	_cleanup_fclose_ FILE *file = tmpfile();
	struct edition before, behind;
	int r = file ? look_up_edition(dir_fd, &before) : -errno;

	if (r < 0)
		return r;
	r = run_walk(dir_fd, tables, file);
	if (look_up_edition(dir_fd, &behind) < 0 || before.ino != behind.ino || before.txn != behind.txn)
		return -EAGAIN;
	return r == 0 ? take_file(records, file) : r;
}

int index_records_read(const char *path, unsigned tables, struct index_records *ret_records)
{
	_cleanup_close_ int dir_fd = dirs_open(AT_FDCWD, path, false);
	int r = -EAGAIN;

	*ret_records = (struct index_records){ 0 };
	if (dir_fd < 0)
		return dir_fd;
	for (int tries = 0; r == -EAGAIN && tries < TRIES; tries++) {
		if (tries > 0)
			usleep(PAUSE_USEC);
		r = read_once(dir_fd, tables, ret_records);
	}
	return r;
}

void index_records_done(struct index_records *records)
{
	if (records->map)
		munmap(records->map, records->map_bytes);
	free(records->items);
	*records = (struct index_records){ 0 };
}

/* The number of the first item whose key is not below. */
static size_t lower_bound(const struct index_records *records, const struct index_key *key)
{
	size_t low = 0, high = records->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(&records->items[middle].key, key, sizeof *key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct index_item *index_records_of(const struct index_records *records,
	enum index_table table, uint32_t mailbox, size_t *ret_n)
{
	struct index_key first = index_key_make(table, mailbox, 0);
	struct index_key last = index_key_make(table, mailbox, UINT64_MAX);
	size_t from = lower_bound(records, &first), end = lower_bound(records, &last);

	if (end < records->n && memcmp(&records->items[end].key, &last, sizeof last) == 0)
		end++;
	*ret_n = end - from;
	return end > from ? &records->items[from] : NULL;
}

uint32_t index_records_mailbox(const struct index_records *records, struct slice guid)
{
	size_t n;
	const struct index_item *items = index_records_of(records, INDEX_MAILBOXES, 0, &n);

	for (size_t i = 0; i < n; i++)
		if (slice_equal(items[i].value, guid))
			return (uint32_t)index_key_number(&items[i].key);
	return 0;
}
