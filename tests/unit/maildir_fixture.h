/* maildir_fixture.h - a temporary Maildir, and short words for what tests do with it. */
#pragma once

#include "base/clock.h"
#include "maildir/mailbox.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct fixture {
	char path[256];
	struct store *store;
	struct mailbox *mailbox;
	struct log log;
	unsigned log_lines;
	char last_log[1100];
	uint64_t now_usec; /* 0: the real clock */
	size_t budget;     /* of one step */
	unsigned steps;    /* how often -EINPROGRESS came */
};

static inline void fixture_log(void *arg, enum log_priority priority, struct slice line)
{
	struct fixture *f = arg;

	(void)priority;
	f->log_lines++;
	snprintf(f->last_log, sizeof f->last_log, "%.*s", SLICE_FMT(line));
}

static inline struct work fixture_work(const struct fixture *f)
{
	return (struct work){ .now_usec = f->now_usec ? f->now_usec : clock_realtime_usec(),
		.budget = f->budget };
}

static inline int fixture_open_format(
	struct fixture *f, const char *uidl_format, enum fsync_mode fsync_mode)
{
	static char index_path[300];

	snprintf(index_path, sizeof index_path, "%s/restante.index", f->path);

	struct store_settings settings = {
		.path = f->path,
		.index_path = index_path,
		.hierarchy_separator = '/',
		.fsync = fsync_mode,
		.hostname = "test.example.org",
		.uidl_format = uidl_format,
	};

	f->log = (struct log){ .sink = fixture_log, .arg = f };

	int r = store_open(&settings, &f->log, &f->store);

	if (r == 0) {
		r = mailbox_open(f->store, SLICE("inbox"), &f->mailbox);
		if (r < 0)
			store_close(f->store);
	}
	return r;
}

static inline int fixture_open(struct fixture *f)
{
	return fixture_open_format(f, "%08Xu%08Xv", FSYNC_NEVER);
}

static inline void fixture_close(struct fixture *f)
{
	mailbox_close(f->mailbox);
	store_close(f->store);
}

static inline void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	CU_ASSERT_EQUAL_FATAL(fixture_open(f), 0);
}

/* An empty Maildir, opened. */
static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .budget = 1000 };
	snprintf(f->path, sizeof f->path, "%s/restante-test-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->path));
	CU_ASSERT_EQUAL_FATAL(fixture_open(f), 0);
}

static inline int fixture_remove_one(
	const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void fixture_remove_tree(const char *path)
{
	nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_done(struct fixture *f)
{
	fixture_close(f);
	fixture_remove_tree(f->path);
}

static inline char *fixture_path(const struct fixture *f, const char *name)
{
	static char paths[4][600];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, 600, "%s/%s", f->path, name);
	return path;
}

static inline void fixture_write(const struct fixture *f, const char *name, const char *text)
{
	FILE *file = fopen(fixture_path(f, name), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static inline void fixture_append(const struct fixture *f, const char *name, const char *text)
{
	FILE *file = fopen(fixture_path(f, name), "a");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

/* The text of a file, "" if there is none. Valid until the next call. */
static inline const char *fixture_read(const struct fixture *f, const char *name)
{
	static char text[65536];
	FILE *file = fopen(fixture_path(f, name), "r");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;

	text[n] = '\0';
	if (file)
		fclose(file);
	return text;
}

static inline bool fixture_exists(const struct fixture *f, const char *name)
{
	struct stat st;

	return lstat(fixture_path(f, name), &st) == 0;
}

static inline void fixture_rename(const struct fixture *f, const char *from, const char *to)
{
	CU_ASSERT_EQUAL(rename(fixture_path(f, from), fixture_path(f, to)), 0);
}

/* How many entries of a directory have names that begin with a prefix. */
static inline unsigned fixture_count(
	const struct fixture *f, const char *dir_name, const char *prefix)
{
	DIR *dir = opendir(fixture_path(f, dir_name));
	unsigned n = 0;

	for (struct dirent *e; dir && (e = readdir(dir));)
		n += e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	if (dir)
		closedir(dir);
	return n;
}

/* Make a directory's last change look old, so that its stamp proves something. */
static inline void fixture_age(const struct fixture *f, const char *name)
{
	struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };

	utimensat(AT_FDCWD, fixture_path(f, name), times, 0);
}

/* Sync to the end. Returns 0 or the error; -EAGAIN ends it as well. */
static inline int fixture_sync(struct fixture *f)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = mailbox_sync(f->mailbox, &work);

		if (r != -EINPROGRESS)
			return r;
		f->steps++;
	}
}

static inline int fixture_store(struct fixture *f, uint32_t msg_uid, enum flags_operation operation,
	uint32_t flags, uint64_t keywords)
{
	struct flags_change change = {
		.operation = operation,
		.flags = flags,
		.keywords = keywords,
		.unchangedsince = UINT64_MAX,
	};
	size_t done = 0;

	for (;;) {
		struct work work = fixture_work(f);
		int r = mailbox_store_flags(f->mailbox, &msg_uid, 1, &done, &change, NULL, &work);

		if (r != -EINPROGRESS)
			return r;
	}
}

static inline int fixture_expunge(struct fixture *f, uint32_t msg_uid)
{
	size_t done = 0;

	for (;;) {
		struct work work = fixture_work(f);
		int r = mailbox_expunge(f->mailbox, &msg_uid, 1, &done, &work);

		if (r != -EINPROGRESS)
			return r;
	}
}

/* The UIDs, as text: "1 2 5". Valid until the next call. */
static inline const char *fixture_uids(const struct fixture *f)
{
	static char text[4096];
	const struct message *messages;
	size_t n = mailbox_messages(f->mailbox, &messages), at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && at < sizeof text - 16; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "%s%u", i > 0 ? " " : "", messages[i].msg_uid);
	return text;
}

/* Whether the file of a message holds this text: the UID means that message. */
static inline bool fixture_is(struct fixture *f, uint32_t msg_uid, const char *text)
{
	char bytes[1000];
	int fd = mailbox_open_file(f->mailbox, msg_uid);
	ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : -1;

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && memcmp(bytes, text, (size_t)n) == 0;
}

static inline uint32_t fixture_flags(const struct fixture *f, uint32_t msg_uid)
{
	const struct message *message = mailbox_message(f->mailbox, msg_uid);

	return message ? message->flags : UINT32_MAX;
}
