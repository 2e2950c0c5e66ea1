/* maildir_world.h - a whole Maildir as a user has it, what clients do to it, and what is in it: for tests of faults. */
#pragma once

#include "base/clock.h"
#include "base/limits.h"
#include "maildir/mailbox.h"
#include "maildir/metadata_file.h"
#include "maildir/subscriptions.h"
#include "maildir/tree.h"
#include "server/imap/imap.h"
#include "server/pop3/pop3.h"
#include "tests/unit/unit.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

enum { WORLD_BUDGET = 3, WORLD_RETRIES = 3, WORLD_OUT_BYTES = 1 << 20 };

struct world {
	char path[128], index_path[200];
	struct log log; /* the store keeps what it is given: a world stays where it is */
	enum fsync_mode fsync;
	struct store *store;
	struct engine *engine;
	bool is_pop3;
	struct buf in, out;
	enum engine_wants wants; /* of the last step */
	char answer[300];        /* the last whole line */
	char last_log[300];
};

static inline void world_log(void *arg, enum log_priority priority, struct slice line)
{
	struct world *w = arg;

	(void)priority;
	snprintf(w->last_log, sizeof w->last_log, "%.*s", SLICE_FMT(line));
}

static const char *world_boot_id; /* NULL: an index is not believed by the next world */
static uint64_t world_later_usec; /* how far the clock has moved on */

/* Above the age at which a directory's stamp proves something: so that what costs no look is tried as well. */
static inline uint64_t world_now(void)
{
	return clock_realtime_usec() + 10 * USEC_PER_SEC + world_later_usec;
}

/* Where nothing waits for a disk, if there is such a place. */
static inline const char *world_parent(void)
{
	return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

static inline int world_open(struct world *w, const char *path, enum fsync_mode fsync)
{
	*w = (struct world){ .fsync = fsync, .in = BUF(1 << 20), .out = BUF(WORLD_OUT_BYTES) };
	snprintf(w->path, sizeof w->path, "%s", path);
	snprintf(w->index_path, sizeof w->index_path, "%s/restante.index", path);
	w->log = (struct log){ .sink = world_log, .arg = w };
	return store_open(&(struct store_settings){ .path = w->path,
				  .index_path = w->index_path,
				  .boot_id = world_boot_id,
				  .hierarchy_separator = '/',
				  .fsync = fsync,
				  .hostname = "test.example.org",
				  .uidl_format = "%08Xu%08Xv" },
		&w->log, &w->store);
}

static inline void world_hang_up(struct world *w)
{
	if (!w->engine)
		return;
	w->engine->type->free(w->engine);
	if (w->is_pop3)
		store_unlock_maildrop(w->store);
	w->engine = NULL;
	buf_clear(&w->in);
	buf_clear(&w->out);
}

static inline void world_close(struct world *w)
{
	world_hang_up(w);
	store_close(w->store);
	buf_done(&w->in);
	buf_done(&w->out);
}

/* A new connection, logged in. Returns 0, or what keeps a maildrop from being opened. */
static inline int world_dial(struct world *w, bool pop3)
{
	uint32_t messages;
	uint64_t octets;
	int r = 0;

	world_hang_up(w);
	w->is_pop3 = pop3;
	if (!pop3) {
		w->engine = imap_new(
			&(struct imap_settings){ .store = w->store, .user = "u", .version = "0" });
		return 0;
	}
	CU_ASSERT_EQUAL(store_lock_maildrop(w->store), 0);
	w->engine = pop3_new(&(struct pop3_settings){ .store = w->store, .user = "u" });
	for (int retries = 0; retries < WORLD_RETRIES;) {
		struct engine_io io = { .in = &w->in,
			.out = &w->out,
			.now_usec = world_now(),
			.budget = WORLD_BUDGET };

		w->wants = w->engine->type->step(w->engine, &io);
		retries += w->wants == ENGINE_RETRY;
		r = pop3_opened(w->engine, &messages, &octets);
		if (r != -EINPROGRESS)
			break;
	}
	return r;
}

static inline void world_take_answer(struct world *w)
{
	struct slice rest = buf_slice(&w->out), line;

	w->answer[0] = '\0';
	while (slice_split(&rest, '\n', &line))
		if (line.n > 0)
			snprintf(w->answer, sizeof w->answer, "%.*s", SLICE_FMT(line));
	buf_clear(&w->out);
}

/*
 * Send a command (with tag "t" for IMAP); the answer is in w->answer.
 * Returns 0: OK; -1: NO, BAD or -ERR; -2: the server would close; -3: a lock stays held.
 */
static inline int world_say(struct world *w, const char *text)
{
	int retries = 0;

	CU_ASSERT_EQUAL(buf_add_str(&w->in, text), 0);
	do {
		struct engine_io io = { .in = &w->in,
			.out = &w->out,
			.now_usec = world_now(),
			.budget = WORLD_BUDGET };

		w->wants = w->engine->type->step(w->engine, &io);
		retries += w->wants == ENGINE_RETRY;
	} while ((w->wants == ENGINE_STEP || w->wants == ENGINE_RETRY) && retries < WORLD_RETRIES);
	world_take_answer(w);
	if (retries == WORLD_RETRIES)
		return -3;

	const char *ok = w->is_pop3 ? "+OK" : "t OK";

	if (strncmp(w->answer, ok, strlen(ok)) == 0)
		return 0;
	return w->wants == ENGINE_CLOSE ? -2 : -1;
}

/* What is in a Maildir. */
struct seen_message {
	unsigned mailbox; /* of those seen */
	uint32_t msg_uid;
	char text[24]; /* of its subject; "BROKEN": not a whole message of ours */
	char flags[160];
};

enum { SEEN_MESSAGES = 400, SEEN_MAILBOXES = 24 };

struct seen {
	struct {
		char name[64];
		uint32_t uidvalidity, uidnext;
		unsigned leftovers; /* lock files */
	} mailboxes[SEEN_MAILBOXES];
	unsigned mailboxes_n;
	struct seen_message messages[SEEN_MESSAGES];
	unsigned n;
	char subscriptions[400];
	char metadata[400]; /* of the server and of INBOX */
};

/* The place of a mailbox in seen->mailboxes, or -1. */
static inline int seen_mailbox(const struct seen *seen, const char *name)
{
	for (unsigned i = 0; i < seen->mailboxes_n; i++)
		if (strcmp(seen->mailboxes[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* The message of a UID, or NULL. */
static inline const struct seen_message *seen_uid(
	const struct seen *seen, uint32_t uidvalidity, uint32_t msg_uid)
{
	for (unsigned i = 0; i < seen->n; i++)
		if (seen->messages[i].msg_uid == msg_uid &&
			seen->mailboxes[seen->messages[i].mailbox].uidvalidity == uidvalidity)
			return &seen->messages[i];
	return NULL;
}

static inline void world_message_text(const char *name, char *ret_text, size_t bytes)
{
	snprintf(ret_text, bytes, "Subject: %s\n\nThis is %s.\nThat was it.\n", name, name);
}

static inline void see_text(struct mailbox *mailbox, struct seen_message *seen)
{
	char got[400], want[400];
	int fd = mailbox_open_file(mailbox, seen->msg_uid);
	ssize_t n = fd < 0 ? -1 : pread(fd, got, sizeof got - 1, 0);

	if (fd >= 0)
		close(fd);
	got[n > 0 ? n : 0] = '\0';
	if (sscanf(got, "Subject: %23s", seen->text) == 1) {
		world_message_text(seen->text, want, sizeof want);
		if (strcmp(want, got) == 0)
			return;
	}
	snprintf(seen->text, sizeof seen->text, "BROKEN");
}

static inline int compare_words(const void *a, const void *b)
{
	return strcmp(a, b);
}

static inline void see_flags(
	struct mailbox *mailbox, const struct message *message, struct seen_message *seen)
{
	char words[LIMIT_KEYWORDS + 1][32];
	size_t n = 0;

	for (unsigned i = 0; i < mailbox_keywords(mailbox); i++) {
		struct slice name = mailbox_keyword(mailbox, i);

		if (name.p && (message->keywords >> i & 1))
			snprintf(words[n++], sizeof words[0], "%.*s", SLICE_FMT(name));
	}
	qsort(words, n, sizeof words[0], compare_words);

	int at = snprintf(seen->flags, sizeof seen->flags, "%x", message->flags);

	for (size_t i = 0; i < n && (size_t)at < sizeof seen->flags; i++)
		at += snprintf(seen->flags + at, sizeof seen->flags - (size_t)at, " %s", words[i]);
}

static inline int see_mailbox(struct world *w, struct slice name, struct seen *seen)
{
	struct work work = { .now_usec = world_now(), .budget = 100000 };
	const struct message *messages;
	struct mailbox *mailbox;
	unsigned at = seen->mailboxes_n;
	int r = mailbox_open(w->store, name, &mailbox);

	if (r < 0)
		return r;
	r = mailbox_sync(mailbox, &work);
	if (r == 0) {
		size_t n = mailbox_messages(mailbox, &messages);

		CU_ASSERT_FATAL(at < SEEN_MAILBOXES && seen->n + n <= SEEN_MESSAGES);
		snprintf(seen->mailboxes[at].name, sizeof seen->mailboxes[at].name, "%.*s",
			SLICE_FMT(name));
		seen->mailboxes[at].uidvalidity = mailbox_uidvalidity(mailbox);
		seen->mailboxes[at].uidnext = mailbox_uidnext(mailbox);
		seen->mailboxes_n++;
		for (size_t i = 0; i < n; i++) {
			struct seen_message *message = &seen->messages[seen->n++];

			message->mailbox = at;
			message->msg_uid = messages[i].msg_uid;
			see_flags(mailbox, &messages[i], message);
			see_text(mailbox, message);
		}
	}
	mailbox_close(mailbox);
	return r;
}

static inline int see_metadata(struct world *w, struct slice name, struct seen *seen)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct metadata metadata;
	size_t at = strlen(seen->metadata);
	int r = metadata_read(w->store, name, &arena, &metadata);

	for (size_t i = 0; r == 0 && i < metadata.n && at < sizeof seen->metadata; i++)
		at += (size_t)snprintf(seen->metadata + at, sizeof seen->metadata - at, "%.*s=%.*s ",
			SLICE_FMT(metadata.entries[i].name), SLICE_FMT(metadata.entries[i].value));
	return r;
}

/* Look at everything. Returns 0 or the error. */
static inline int world_see(struct world *w, struct seen *seen)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	struct slice *names;
	size_t n, at = 0;
	int r = tree_list(w->store, &arena, &entries, &n);

	memset(seen, 0, sizeof *seen);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (entries[i].exists)
			r = see_mailbox(w, entries[i].name, seen);
	if (r == 0)
		r = subscriptions_read(w->store, &arena, &names, &n);
	for (size_t i = 0; r == 0 && i < n && at < sizeof seen->subscriptions; i++)
		at += (size_t)snprintf(seen->subscriptions + at, sizeof seen->subscriptions - at,
			"%.*s ", SLICE_FMT(names[i]));
	if (r == 0)
		r = see_metadata(w, SLICE(""), seen);
	return r == 0 ? see_metadata(w, SLICE("INBOX"), seen) : r;
}

/* The same by a store that knows nothing; without_index: not even what the index holds. */
static inline int world_see_fresh(const char *path, bool without_index, struct seen *seen);

static inline int world_remove_one(
	const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void world_remove(const char *path)
{
	nftw(path, world_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int world_see_fresh(const char *path, bool without_index, struct seen *seen)
{
	char index_path[200];
	struct world w;

	if (without_index) {
		snprintf(index_path, sizeof index_path, "%s/restante.index", path);
		world_remove(index_path);
	}

	int r = world_open(&w, path, FSYNC_NEVER);

	if (r < 0)
		return r;
	r = world_see(&w, seen);
	world_close(&w);
	return r;
}

static inline void world_copy_file(const char *from, const char *to)
{
	char bytes[65536];
	struct stat st;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CU_ASSERT_FATAL(in >= 0 && out >= 0 && fstat(in, &st) == 0);
	for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;)
		CU_ASSERT_FATAL(write(out, bytes, (size_t)n) == n);
	futimens(out, (struct timespec[2]){ st.st_atim, st.st_mtim });
	close(in);
	close(out);
}

/* A copy of a Maildir, times and all. */
static inline void world_copy(const char *from, const char *to)
{
	char inner[600], outer[600];
	struct stat st;
	DIR *dir = opendir(from);

	CU_ASSERT_FATAL(dir != NULL && mkdir(to, 0700) == 0);
	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof inner, "%.300s/%.255s", from, e->d_name);
		snprintf(outer, sizeof outer, "%.300s/%.255s", to, e->d_name);
		if (e->d_type == DT_DIR)
			world_copy(inner, outer);
		else
			world_copy_file(inner, outer);
	}
	closedir(dir);
	stat(from, &st);
	utimensat(AT_FDCWD, to, (struct timespec[2]){ st.st_atim, st.st_mtim }, 0);
}

/* Write the file of this name below path; what it held before is gone. */
_printf_(3, 4) static inline void world_write_file(
	const char *path, const char *name, const char *format, ...)
{
	char file_path[300];
	va_list args;
	FILE *file;

	snprintf(file_path, sizeof file_path, "%s/%s", path, name);
	file = fopen(file_path, "w");
	CU_ASSERT_FATAL(file != NULL);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fclose(file);
}

/* As a careful delivery agent does it. */
static inline void world_deliver(const char *path, const char *name)
{
	static unsigned n;
	char text[400], file[64], dir[300];

	world_message_text(name, text, sizeof text);
	snprintf(file, sizeof file, "1700000%03u.M%uP1.agent", n, n);
	n++;
	snprintf(dir, sizeof dir, "%s/tmp", path);

	int tmp_fd = open(dir, O_RDONLY | O_DIRECTORY);

	snprintf(dir, sizeof dir, "%s/new", path);

	int new_fd = open(dir, O_RDONLY | O_DIRECTORY);
	int fd = openat(tmp_fd, file, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CU_ASSERT_FATAL(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	fsync(fd);
	close(fd);
	CU_ASSERT_FATAL(renameat(tmp_fd, file, new_fd, file) == 0);
	fsync(new_fd);
	close(tmp_fd);
	close(new_fd);
}

/* "t APPEND mailbox (flags) {n+}" and the message; several names, separated by spaces, in one MULTIAPPEND. */
static inline const char *world_append_command(
	const char *mailbox, const char *flags, const char *names)
{
	static char command[4000];
	char name[24], stored[400];
	int at = snprintf(command, sizeof command, "t APPEND %s", mailbox), used;

	for (const char *p = names; sscanf(p, "%23s%n", name, &used) == 1; p += used) {
		int octets = 0;

		world_message_text(name, stored, sizeof stored);
		for (const char *c = stored; *c; c++)
			octets += 1 + (*c == '\n');
		at += snprintf(command + at, sizeof command - (size_t)at, " (%s) {%d+}\r\n", flags,
			octets);
		for (const char *c = stored; *c; c++)
			at += snprintf(command + at, sizeof command - (size_t)at, "%s%c",
				*c == '\n' ? "\r" : "", *c);
	}
	snprintf(command + at, sizeof command - (size_t)at, "\r\n");
	return command;
}

/*
 * The Maildir that tests begin with: INBOX with a keyword for every letter, so that one more lies beyond them, Archive
 * with children, Work.
 */
static inline void world_make_template(const char *path)
{
	char file[300];
	struct world w;

	CU_ASSERT_FATAL(world_open(&w, path, FSYNC_NEVER) == 0);
	snprintf(file, sizeof file, "%s/dovecot-keywords", path);

	FILE *keywords = fopen(file, "w");

	for (int i = 0; i < 25; i++)
		fprintf(keywords, "%d K%d\n", i, i);
	fclose(keywords);
	CU_ASSERT_FATAL(world_dial(&w, false) == 0);

	static const char *const commands[] = {
		"t CREATE Archive\r\n",
		"t CREATE Archive/Old\r\n",
		"t CREATE Archive/Old/Deep\r\n",
		"t CREATE Work\r\n",
		"t SUBSCRIBE Archive\r\n",
		"t SUBSCRIBE Work\r\n",
	};

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		CHECK(world_say(&w, commands[i]) == 0, "%s %s", commands[i], w.answer);
	CU_ASSERT(world_say(&w, world_append_command("INBOX", "\\Seen", "in1")) == 0);
	CU_ASSERT(world_say(&w, world_append_command("INBOX", "K3 \\Flagged", "in2")) == 0);
	CU_ASSERT(world_say(&w, world_append_command("INBOX", "Z1 Beyond1", "in3")) == 0);
	CU_ASSERT(world_say(&w, world_append_command("INBOX", "\\Deleted", "in4 in5")) == 0);
	CU_ASSERT(world_say(&w, world_append_command("Archive", "Other", "ar1 ar2")) == 0);
	CU_ASSERT(world_say(&w, world_append_command("Archive/Old", "", "old1")) == 0);
	CU_ASSERT(world_say(&w, world_append_command("Archive/Old/Deep", "", "deep1")) == 0);
	for (const char *const *name = (const char *const[]){ "Work", "Archive", NULL }; *name;
		name++)
		CU_ASSERT(see_mailbox(&w, slice_str(*name), &(struct seen){ 0 }) == 0);
	world_close(&w);
}
