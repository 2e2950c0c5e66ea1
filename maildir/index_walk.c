#include "maildir/index_walk.h"

#include "maildir/index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>

/* What is not LMDB's own number is an errno. */
static int negative_errno(int r)
{
	return r == 0 ? 0 : r > 0 ? -r : -EBADMSG;
}

static int open_environment(int fd, MDB_env **ret_env)
{
	char path[40];
	MDB_env *env;
	int r = mdb_env_create(&env);

	if (r != 0)
		return r;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	r = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_RDONLY, 0);
	if (r != 0)
		mdb_env_close(env);
	else
		*ret_env = env;
	return r;
}

static int walk_table(MDB_cursor *cursor, enum index_table table, const struct index_walk *walk)
{
	struct index_key k = index_key_make(table, 0, 0);
	MDB_val key = { .mv_size = sizeof k.bytes, .mv_data = k.bytes }, v;
	int r = mdb_cursor_get(cursor, &key, &v, MDB_SET_RANGE);

	for (; r == 0; r = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) {
		if (key.mv_size != sizeof k.bytes)
			return MDB_CORRUPTED;
		memcpy(k.bytes, key.mv_data, sizeof k.bytes);
		if (k.bytes[0] != table || !walk->each(walk->arg, &k, slice_from(v.mv_data, v.mv_size)))
			return 0;
	}
	return r == MDB_NOTFOUND ? 0 : r;
}

static int walk_tables(MDB_env *env, const struct index_walk *walk)
{
	MDB_cursor *cursor = NULL;
	MDB_txn *txn;
	MDB_dbi tree;
	int r = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (r != 0)
		return r;
	r = mdb_dbi_open(txn, NULL, 0, &tree);
	if (r == 0)
		r = mdb_cursor_open(txn, tree, &cursor);
	for (unsigned table = 0; r == 0 && table < INDEX_TABLES; table++)
		if (walk->tables & 1u << table)
			r = walk_table(cursor, (enum index_table)table, walk);
	if (cursor)
		mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return r;
}

int index_walk(int dir_fd, const struct index_walk *walk)
{
	_cleanup_close_ int fd = openat(
		dir_fd, INDEX_DATA_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	MDB_env *env;
	int r;

	if (fd < 0)
		return -errno;
	r = open_environment(fd, &env);
	if (r != 0)
		return negative_errno(r);
	r = walk_tables(env, walk);
	mdb_env_close(env);
	return negative_errno(r);
}
