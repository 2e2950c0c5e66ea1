/*
 * 1. One process has the index, and one thread: LMDB's own lock file and reader table are not used. No reading
 *    transaction is open while one that writes is: a page a reader looks at is then never written over.
 * 2. data.mdb is written without syncing: after a mere kill the page cache has it all, in LMDB's order. After a
 *    power loss it may be anything; so it counts in another boot only if the mark names its last transaction, which
 *    index_close() writes behind a sync.
 * 3. LMDB ends the process where its assertions fail. They are left by a jump instead; what LMDB has in memory then
 *    is never touched again (a leak, once), and the file is removed.
 * 4. A value that does not fit its checksum is as good as none. It is removed at the next index_rest(); after a few of
 *    them nothing else is trusted either.
 */
#include "maildir/index.h"

#include "base/limits.h"
#include "base/must.h"
#include "maildir/index_file.h"
#include "maildir/index_record.h"

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
	QUEUED_MAX_BYTES = 8 * 1024 * 1024, /* in one transaction: they lie in memory until it ends */
	MAPPED_MAX_BYTES = 4 * 1024 * 1024,
	FAULT_BYTES = 64 * 1024, /* the kernel maps so much about each page that is read */
	DAMAGED_MAX = 8,
	LOSSES_MAX = 3, /* then there is no index until the next index_open() */
};

struct index {
	const struct log *log;
	char *path, *data_path;
	size_t max_bytes;
	int dir_fd, lock_fd;
	struct index_mark mark; /* as written; boot is this boot's from the first transaction that writes on */
	char boot[INDEX_BOOT_MAX_BYTES + 1];
	MDB_env *env; /* NULL: there is no index (any more) */
	MDB_dbi tree;
	MDB_txn *reading, *writing;
	bool is_reading; /* else reading is NULL or at rest */
	bool has_written, sync;
	size_t queued_bytes;
	uintptr_t map_from, map_end; /* what was read of the map so far lies between */
	size_t mapped_bytes; /* about so much of it counts as this process's memory */
	unsigned losses;
	struct index_key damaged[DAMAGED_MAX];
	size_t n_damaged;
	jmp_buf escape;
};

static MDB_val val(const void *p, size_t n)
{
	return (MDB_val){ .mv_size = n, .mv_data = (void *)p };
}

/* Out of an assertion of LMDB's, behind the setjmp() of the function that called it. */
static void on_assertion(MDB_env *env, const char *text)
{
	struct index *index = mdb_env_get_userctx(env);

	(void)text;
	longjmp(index->escape, 1);
}

static void end_transactions(struct index *index)
{
	if (index->writing)
		mdb_txn_abort(index->writing);
	if (index->reading)
		mdb_txn_abort(index->reading);
	index->writing = index->reading = NULL;
	index->is_reading = false;
	index->queued_bytes = 0;
}

static int open_environment(struct index *index)
{
	MDB_env *env;
	MDB_txn *txn;
	int r = mdb_env_create(&env);

	if (r != 0)
		return r;
	mdb_env_set_userctx(env, index);
	mdb_env_set_assert(env, on_assertion);
	r = mdb_env_set_mapsize(env, index->max_bytes);
	if (r == 0)
		r = mdb_env_open(env, index->data_path,
			MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_NOSYNC, 0600);
	if (r == 0)
		r = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (r == 0) {
		r = mdb_dbi_open(txn, NULL, 0, &index->tree);
		if (r == 0)
			r = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	if (r != 0)
		mdb_env_close(env);
	else
		index->env = env;
	return r;
}

/* The mark comes first: a data.mdb without one is not trusted. */
static int make_anew(struct index *index)
{
	struct index_mark mark = { 0 };

	if (unlinkat(index->dir_fd, INDEX_DATA_NAME, 0) < 0 && errno != ENOENT)
		return errno;
	memcpy(mark.boot, index->boot, sizeof mark.boot);

	int r = index_file_write_mark(index->dir_fd, &mark, false);

	if (r < 0)
		return -r;
	index->mark = mark;
	return open_environment(index);
}

static bool is_mendable(int r)
{
	return r != ENOSPC && r != EDQUOT && r != EROFS && r != EACCES && r != EPERM;
}

/*
 * Remove all, and begin anew where that can help. touch: LMDB can still be asked to close what it has open.
 * r: an errno or LMDB's own number; 0: an assertion.
 */
static void lose(struct index *index, const char *doing, int r, bool touch)
{
	const char *cause = r == 0 ? "an assertion of LMDB's" : mdb_strerror(r);
	bool again = ++index->losses < LOSSES_MAX && is_mendable(r);

	if (touch && index->env) {
		end_transactions(index);
		mdb_env_close(index->env);
	}
	index->env = NULL;
	index->reading = index->writing = NULL;
	index->is_reading = false;
	index->queued_bytes = index->n_damaged = index->mapped_bytes = 0;
	index->map_from = index->map_end = 0;
	unlinkat(index->dir_fd, INDEX_DATA_NAME, 0);

	int q = again ? make_anew(index) : 0;

	log_line(index->log, LOG_PRIORITY_WARNING, "index %s: %s: %s; %s%s", index->path, doing, cause,
		index->env ? "it is made anew" : "it is removed, and not used for now",
		q != 0 ? ", for another fault came upon it" : "");
}

/* Before the first change in this boot: what was known to be durable will not be any more. */
static int claim_mark(struct index *index)
{
	struct index_mark mark = { 0 };

	if (strcmp(index->mark.boot, index->boot) == 0 && index->mark.durable_txn == 0)
		return 0;
	memcpy(mark.boot, index->boot, sizeof mark.boot);

	int r = index_file_write_mark(index->dir_fd, &mark, false);

	if (r == 0)
		index->mark = mark;
	return -r;
}

static int begin_reading(struct index *index, MDB_txn **ret_txn)
{
	int r = 0;

	*ret_txn = index->writing ? index->writing : index->reading;
	if (index->writing || index->is_reading)
		return 0;
	if (index->reading)
		r = mdb_txn_renew(index->reading);
	else
		r = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &index->reading);
	index->is_reading = r == 0;
	*ret_txn = index->reading;
	return r;
}

static void rest_reading(struct index *index)
{
	if (index->is_reading)
		mdb_txn_reset(index->reading);
	index->is_reading = false;
}

static int begin_writing(struct index *index)
{
	if (index->writing)
		return 0;
	rest_reading(index);

	int r = claim_mark(index);

	if (r == 0)
		r = mdb_txn_begin(index->env, NULL, 0, &index->writing);
	index->has_written |= r == 0;
	return r;
}

/* Pages that were allotted and not needed in the end are not written: the file is as long as its meta page says all the same. */
static int pad_file(struct index *index)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd, r = mdb_env_info(index->env, &info);

	if (r == 0)
		r = mdb_env_stat(index->env, &stat);
	if (r == 0)
		r = mdb_env_get_fd(index->env, &fd);
	if (r != 0)
		return r;

	off_t bytes = (off_t)(info.me_last_pgno + 1) * stat.ms_psize;

	if (fstat(fd, &st) < 0 || (st.st_size < bytes && ftruncate(fd, bytes) < 0))
		return errno;
	return 0;
}

static int commit(struct index *index)
{
	if (!index->writing)
		return 0;

	MDB_txn *txn = index->writing;

	index->writing = NULL;
	index->mapped_bytes += index->queued_bytes;
	index->queued_bytes = 0;

	int r = mdb_txn_commit(txn);

	return r == 0 ? pad_file(index) : r;
}

static void note_damage(struct index *index, const struct index_key *k)
{
	if (index->n_damaged == 0)
		log_line(index->log, LOG_PRIORITY_WARNING,
			"index %s: a value does not fit its checksum, and is removed", index->path);
	if (index->n_damaged < DAMAGED_MAX)
		index->damaged[index->n_damaged++] = *k;
}

static int delete_one(struct index *index, const struct index_key *k)
{
	MDB_val key = val(k->bytes, INDEX_KEY_BYTES);
	int r = begin_writing(index);

	if (r == 0)
		r = mdb_del(index->writing, index->tree, &key, NULL);
	return r == MDB_NOTFOUND ? 0 : r;
}

static int remove_damaged(struct index *index)
{
	int r = index->n_damaged < DAMAGED_MAX ? 0 : MDB_CORRUPTED;

	for (size_t i = 0; r == 0 && i < index->n_damaged; i++)
		r = delete_one(index, &index->damaged[i]);
	if (r == 0)
		index->n_damaged = 0;
	return r;
}

/* Returns whether the value is what was put. */
static bool check_value(struct index *index, const struct index_key *k, MDB_val v, struct slice *ret_value)
{
	if (index_record_check(k, slice_from(v.mv_data, v.mv_size), ret_value))
		return true;
	note_damage(index, k);
	return false;
}

/* LMDB does not say where its map is. While something is written, what is read may lie outside of it. */
static void note_mapped(struct index *index, MDB_val v)
{
	uintptr_t from = (uintptr_t)v.mv_data, end = from + v.mv_size;

	if (index->writing || v.mv_size == 0)
		return;
	if (index->map_from == 0 || from < index->map_from)
		index->map_from = from;
	if (end > index->map_end)
		index->map_end = end;
	index->mapped_bytes += v.mv_size / FAULT_BYTES * FAULT_BYTES + FAULT_BYTES;
}

/* Pages that were read stay in the page cache, but need not count as this process's until they are read again. */
static void unmap_pages(struct index *index)
{
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = index->map_from & ~(page_bytes - 1);

	if (index->mapped_bytes < MAPPED_MAX_BYTES || index->map_from == 0)
		return;
	index->mapped_bytes = 0;
	(void)!madvise((void *)from, index->map_end - from, MADV_DONTNEED);
}

static int get(struct index *index, const struct index_key *k, struct slice *ret_value)
{
	MDB_val key = val(k->bytes, INDEX_KEY_BYTES), v;
	MDB_txn *txn;
	int r = begin_reading(index, &txn);

	if (r == 0)
		r = mdb_get(txn, index->tree, &key, &v);
	if (r == MDB_NOTFOUND)
		return -ENOENT;
	if (r != 0) {
		lose(index, "cannot be read", r, true);
		return -ENOENT;
	}
	note_mapped(index, v);
	return check_value(index, k, v, ret_value) ? 0 : -ENOENT;
}

/* The place of the first key that is not below *k. Returns 0, MDB_NOTFOUND: there is none of this table and mailbox; other. */
static int find_from(MDB_cursor *cursor, MDB_cursor_op op, struct index_key *k, MDB_val *ret_v)
{
	MDB_val key = val(k->bytes, INDEX_KEY_BYTES);
	int r = mdb_cursor_get(cursor, &key, ret_v, op);

	if (r != 0)
		return r;
	if (key.mv_size != INDEX_KEY_BYTES)
		return MDB_CORRUPTED;
	if (memcmp(key.mv_data, k->bytes, INDEX_KEY_BYTES - 8) != 0)
		return MDB_NOTFOUND;
	memcpy(k->bytes, key.mv_data, INDEX_KEY_BYTES);
	return 0;
}

static int next(struct index *index, struct index_key *k, struct slice *ret_value)
{
	MDB_txn *txn;
	MDB_cursor *cursor = NULL;
	MDB_val v;
	int r = begin_reading(index, &txn);

	if (r == 0)
		r = mdb_cursor_open(txn, index->tree, &cursor);
	if (r == 0)
		r = find_from(cursor, MDB_SET_RANGE, k, &v);
	while (r == 0 && !check_value(index, k, v, ret_value))
		r = find_from(cursor, MDB_NEXT, k, &v);
	if (cursor)
		mdb_cursor_close(cursor);
	if (r == 0) {
		note_mapped(index, v);
		return 0;
	}
	if (r != MDB_NOTFOUND)
		lose(index, "cannot be read", r, true);
	return -ENOENT;
}

static int put(struct index *index, const struct index_key *k, struct slice value)
{
	MDB_val key = val(k->bytes, INDEX_KEY_BYTES), v = val(NULL, INDEX_SUM_BYTES + value.n);
	uint64_t sum = index_record_sum(k, value);
	int r = begin_writing(index);

	if (r == 0)
		r = mdb_put(index->writing, index->tree, &key, &v, MDB_RESERVE);
	if (r != 0)
		return r;
	memcpy(v.mv_data, &sum, sizeof sum);
	if (value.n > 0)
		memcpy((char *)v.mv_data + INDEX_SUM_BYTES, value.p, value.n);
	index->queued_bytes += v.mv_size;
	return index->queued_bytes > QUEUED_MAX_BYTES ? commit(index) : 0;
}

static int delete_range(struct index *index, struct index_key *k, uint64_t last)
{
	MDB_cursor *cursor;
	MDB_val v;
	int r = begin_writing(index);

	if (r == 0)
		r = mdb_cursor_open(index->writing, index->tree, &cursor);
	if (r != 0)
		return r;
	r = find_from(cursor, MDB_SET_RANGE, k, &v);
	while (r == 0 && index_key_number(k) <= last) {
		r = mdb_cursor_del(cursor, 0);
		if (r == 0) /* the cursor stands before what followed */
			r = find_from(cursor, MDB_SET_RANGE, k, &v);
	}
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : r;
}

/* Each function below is the place an assertion of LMDB's returns to; none keeps anything of its own over it. */

int index_get(struct index *index, enum index_table table, uint32_t mailbox, uint64_t key,
	struct slice *ret_value)
{
	struct index_key k = index_key_make(table, mailbox, key);

	if (!index || !index->env)
		return -ENOENT;
	if (setjmp(index->escape) != 0) {
		lose(index, "cannot be read", 0, false);
		return -ENOENT;
	}
	return get(index, &k, ret_value);
}

int index_next(struct index *index, enum index_table table, uint32_t mailbox, uint64_t *key,
	struct slice *ret_value)
{
	struct index_key k = index_key_make(table, mailbox, *key);

	if (!index || !index->env)
		return -ENOENT;
	if (setjmp(index->escape) != 0) {
		lose(index, "cannot be read", 0, false);
		return -ENOENT;
	}

	int r = next(index, &k, ret_value);

	if (r == 0)
		*key = index_key_number(&k);
	return r;
}

void index_put(struct index *index, enum index_table table, uint32_t mailbox, uint64_t key,
	struct slice value)
{
	struct index_key k = index_key_make(table, mailbox, key);

	if (!index || !index->env)
		return;
	must(value.n <= INDEX_VALUE_MAX_BYTES - INDEX_SUM_BYTES);
	if (setjmp(index->escape) != 0) {
		lose(index, "cannot be written", 0, false);
		return;
	}

	int r = put(index, &k, value);

	if (r != 0)
		lose(index, "cannot be written", r, true);
}

void index_delete(struct index *index, enum index_table table, uint32_t mailbox, uint64_t first,
	uint64_t last)
{
	struct index_key k = index_key_make(table, mailbox, first);

	if (!index || !index->env || first > last)
		return;
	if (setjmp(index->escape) != 0) {
		lose(index, "cannot be written", 0, false);
		return;
	}

	int r = delete_range(index, &k, last);

	if (r != 0)
		lose(index, "cannot be written", r, true);
}

void index_rest(struct index *index)
{
	if (!index || !index->env)
		return;
	if (setjmp(index->escape) != 0) {
		lose(index, "cannot be written", 0, false);
		return;
	}
	rest_reading(index);

	int r = remove_damaged(index);

	if (r == 0)
		r = commit(index);
	if (r == 0)
		unmap_pages(index);
	else
		lose(index, "cannot be written", r, true);
}

bool index_works(const struct index *index)
{
	return index && index->env;
}

unsigned index_losses(const struct index *index)
{
	return index ? index->losses : 0;
}

/* A fault that says nothing of what the file holds: another time it may be read. */
static bool is_passing(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EIO || r == -EACCES || r == -EPERM;
}

/*
 * Why data.mdb of an earlier process cannot be used, or NULL; *ret_exists: there is one. *ret_error: why nothing can be told
 * now, or 0.
 */
static const char *why_not(struct index *index, bool drop, bool *ret_exists, int *ret_error)
{
	uint64_t txn = 0;
	int marked = index_file_read_mark(index->dir_fd, &index->mark);
	int r = index_file_check_data(index->dir_fd, &txn);

	*ret_exists = r != -ENOENT;
	*ret_error = is_passing(r) ? r : r != -ENOENT && is_passing(marked) ? marked : 0;
	if (r == -ENOENT)
		return NULL;
	if (drop)
		return "it may have brought the last process down";
	if (marked < 0)
		return "it has another format";
	if (r < 0)
		return "it is damaged";
	if (strcmp(index->boot, "-") != 0 && strcmp(index->mark.boot, index->boot) == 0)
		return NULL;
	return index->mark.durable_txn != 0 && index->mark.durable_txn == txn
		       ? NULL
		       : "the machine went down before it was written";
}

static int open_data(struct index *index, bool drop)
{
	bool exists;
	int error;
	const char *why = why_not(index, drop, &exists, &error);

	if (error < 0)
		return -error;
	if (setjmp(index->escape) != 0)
		return make_anew(index);
	if (why)
		log_line(index->log, LOG_PRIORITY_NOTICE, "index %s: %s, and is made anew",
			index->path, why);
	if (why || !exists)
		return make_anew(index);

	int r = open_environment(index);

	if (r == 0 || !is_mendable(r))
		return r;
	log_line(index->log, LOG_PRIORITY_WARNING, "index %s: cannot be opened: %s; it is made anew",
		index->path, mdb_strerror(r));
	return make_anew(index);
}

static int open_files(struct index *index)
{
	index->dir_fd = index_file_open_directory(index->path);
	if (index->dir_fd < 0)
		return index->dir_fd;
	index->lock_fd = index_file_lock(index->dir_fd);
	return index->lock_fd < 0 ? index->lock_fd : 0;
}

static void free_index(struct index *index)
{
	if (index->dir_fd >= 0)
		close(index->dir_fd);
	if (index->lock_fd >= 0)
		close(index->lock_fd);
	free(index->path);
	free(index->data_path);
	free(index);
}

static struct index *new_index(const struct index_settings *settings, const struct log *log)
{
	struct index *index = calloc(1, sizeof *index);

	must(index != NULL);
	index->log = log;
	index->dir_fd = index->lock_fd = -1;
	index->path = strdup(settings->path);
	must(index->path != NULL && asprintf(&index->data_path, "%s/" INDEX_DATA_NAME, settings->path) > 0);
	index->sync = settings->sync;
	index->max_bytes =
		settings->max_bytes ? settings->max_bytes : (size_t)LIMIT_INDEX_MIB * 1024 * 1024;
	if (!settings->boot_id ||
		!slice_to_str(slice_str(settings->boot_id), index->boot, sizeof index->boot))
		memcpy(index->boot, "-", 2);
	return index;
}

struct index *index_open(const struct index_settings *settings, const struct log *log)
{
	struct index *index = new_index(settings, log);
	int r = open_files(index);

	if (r == 0)
		r = -open_data(index, settings->drop);
	if (r == 0)
		return index;
	log_line(log, LOG_PRIORITY_NOTICE, "index %s: %s; mail is read without it, more slowly",
		index->path,
		r == -EAGAIN ? "another process has it" : mdb_strerror(-r));
	free_index(index);
	return NULL;
}

/* What this process did not write is as durable as it was. */
void index_sync(struct index *index)
{
	struct index_mark mark = { 0 };

	index_rest(index);
	if (!index || !index->env || !index->has_written || !index->sync || setjmp(index->escape) != 0)
		return;
	memcpy(mark.boot, index->boot, sizeof mark.boot);
	if (mdb_env_sync(index->env, 1) == 0 &&
		index_file_check_data(index->dir_fd, &mark.durable_txn) == 0 &&
		index_file_write_mark(index->dir_fd, &mark, true) == 0) {
		index->mark = mark;
		index->has_written = false;
		return;
	}
	log_line(index->log, LOG_PRIORITY_NOTICE,
		"index %s: cannot be made durable, and will not outlive a reboot", index->path);
}

static void close_environment(struct index *index)
{
	if (!index->env || setjmp(index->escape) != 0)
		return;
	end_transactions(index);
	mdb_env_close(index->env);
}

void index_close(struct index *index)
{
	if (!index)
		return;
	index_sync(index);
	close_environment(index);
	free_index(index);
}
