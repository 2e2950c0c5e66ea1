/*
 * fuzz_imap_session.c - two IMAP connections of one user over a small Maildir. The first byte: size of the pieces and budget of
 * a step. Bytes 1 to 6 are no input of the client, but events: another program delivers, removes, renames, cuts; the other
 * connection is spoken to from now on; the clock moves. Beside not crashing: the responses are IMAP, their sequence
 * numbers exist, and nothing runs on for ever.
 */
#include "base/limits.h"
#include "base/must.h"
#include "base/utf8.h"
#include "server/imap/imap.h"
#include "server/wire/frame_imap.h"
#include "server/wire/seqset.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { CONNECTIONS = 2, STEPS_MAX = 200000, DELIVERED_MAX = 50, PATH_BYTES = 400 };

static const struct slice messages[] = {
	SLICE("Subject: a\nFrom: a <a@b.example>\nDate: 1 Jan 2024 00:00:00 +0000\n\nbody\n"),
	SLICE("Subject: =?utf-8?B?5p2x5Lqs?=\nContent-Type: multipart/mixed; "
	      "boundary=x\n\n--x\n\none\n--x\n"
	      "Content-Type: message/rfc822\n\nSubject: in\n\ntwo\n--x--\n"),
	SLICE("\0\xff\r\n\r\n\r\r\n"),
	SLICE(""),
};

enum { MESSAGES = sizeof messages / sizeof *messages };

struct connection {
	struct engine *engine;
	struct buf in, out;
	bool closed;
	bool utf8; /* it enabled something that lets quoted strings hold UTF-8 */
	uint32_t exists;
};

struct play {
	char root[64];
	unsigned delivered;
	struct store *store;
	uint64_t now_usec;
	size_t budget, piece;
	struct connection connections[CONNECTIONS];
};

static void make_directories(struct play *p)
{
	static const char *const names[] = { "cur", "new", "tmp" };
	char path[PATH_BYTES];

	snprintf(p->root, sizeof p->root, "%s/restante-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(p->root) != NULL);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", p->root, names[i]);
		must(mkdir(path, 0700) == 0);
	}
}

static void empty_directory(const char *root, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/%s", root, name);

	DIR *dir = opendir(path);

	for (struct dirent *e; dir && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

static void remove_directories(struct play *p)
{
	static const char *const names[] = { "cur", "new", "tmp", "" };
	char path[PATH_BYTES];

	for (size_t i = 0; i < 4; i++) {
		empty_directory(p->root, names[i]);
		snprintf(path, sizeof path, "%s/%s", p->root, names[i]);
		(void)rmdir(path);
	}
}

static void deliver(struct play *p)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	struct slice message = messages[p->delivered % MESSAGES];

	if (p->delivered == DELIVERED_MAX)
		return;
	p->delivered++;
	snprintf(from, sizeof from, "%s/tmp/%u.M1P1.h", p->root, 1700000000 + p->delivered);
	snprintf(to, sizeof to, "%s/%s/%u.M1P1.h%s", p->root, p->delivered % 2 ? "new" : "cur",
		1700000000 + p->delivered, p->delivered % 2 ? "" : ",W=5:2,S");

	int fd = open(from, O_WRONLY | O_CREAT, 0600);

	must(fd >= 0 && write(fd, message.p, message.n) == (ssize_t)message.n && close(fd) == 0 &&
		rename(from, to) == 0);
}

/* What another program does to the first message it meets in cur/. */
static void disturb(struct play *p, uint8_t how)
{
	char path[PATH_BYTES], to[PATH_BYTES];

	snprintf(path, sizeof path, "%s/cur", p->root);

	DIR *dir = opendir(path);
	struct dirent *e;

	while ((e = readdir(dir)) && e->d_name[0] == '.')
		;
	if (e && how == 2)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (e && how == 3) {
		snprintf(to, sizeof to, "%.*s:2,FTb", (int)strcspn(e->d_name, ":"), e->d_name);
		(void)renameat(dirfd(dir), e->d_name, dirfd(dir), to);
	}
	if (e && how == 4) {
		snprintf(path, sizeof path, "%s/cur/%s", p->root, e->d_name);
		must(truncate(path, 20) == 0);
	}
	closedir(dir);
}

/* EXISTS never takes messages away (RFC 9051 section 7.4.1), EXPUNGE takes away one that there is. */
static void must_grow(struct connection *c, uint32_t exists)
{
	must(exists >= c->exists);
	c->exists = exists;
}

static void must_shrink(struct connection *c, uint32_t seqnum)
{
	must(seqnum >= 1 && seqnum <= c->exists);
	c->exists--;
}

/* VANISHED, but (EARLIER), takes away each message that it names (RFC 7162 section 3.2.10.2). */
static void must_vanish(struct connection *c, struct slice set)
{
	struct seq_range range;
	uint64_t count = 0;

	if (slice_starts_with(set, SLICE("(EARLIER) ")))
		return;
	while (set.n > 0) {
		must(seqset_next(&set, 0, &range) == PARSE_OK);
		count += (uint64_t)range.last - range.first + 1;
	}
	must(count > 0 && count <= c->exists);
	c->exists -= (uint32_t)count;
}

static void note_enabled(struct connection *c, struct slice line)
{
	if (slice_starts_with(line, SLICE("* ENABLED")) &&
		(slice_find_slice(line, SLICE(" IMAP4rev2")) >= 0 ||
			slice_find_slice(line, SLICE(" UTF8=ACCEPT")) >= 0))
		c->utf8 = true;
}

/* One response line, literals left out: its numbers must be those of messages that exist. */
static void check_numbers(struct connection *c, struct slice line)
{
	uint64_t number;
	struct slice word;

	if (slice_starts_with(line, SLICE("* OK [CLOSED]")) ||
		slice_ends_with(line, SLICE(" OK CLOSE completed")) ||
		slice_ends_with(line, SLICE(" OK UNSELECT completed")))
		c->exists = 0;
	if (!slice_skip_nocase(&line, SLICE("* ")))
		return;
	if (slice_skip_nocase(&line, SLICE("VANISHED "))) {
		must_vanish(c, line);
		return;
	}
	if (!slice_split(&line, ' ', &word) || !slice_number(word, UINT32_MAX, &number))
		return;
	if (slice_equal(line, SLICE("EXISTS")))
		must_grow(c, (uint32_t)number);
	else if (slice_equal(line, SLICE("EXPUNGE")))
		must_shrink(c, (uint32_t)number);
	else if (slice_starts_with(line, SLICE("FETCH")))
		must(number >= 1 && number <= c->exists);
	else if (slice_starts_with(line, SLICE("UIDFETCH")))
		must(number >= 1);
	else
		must(slice_equal(line, SLICE("RECENT")) && number <= c->exists);
}

/* Neither NUL nor raw 8-bit, unless it is UTF-8 for one who wants it, nor other control characters. */
static void check_line(const struct connection *c, struct slice line)
{
	bool wide = false;

	for (size_t i = 0; i < line.n; i++) {
		must(line.p[i] < 0 || line.p[i] >= ' ' || line.p[i] == '\t');
		wide |= line.p[i] < 0;
	}
	must(!wide || (c->utf8 && utf8_is_valid(line)));
}

/* Read what was put out as responses. A connection that was closed may leave half a one. */
static void check_output(struct connection *c)
{
	struct slice rest = buf_slice(&c->out);

	while (rest.n > 0) {
		struct slice start = rest;
		struct frame_literal literal;

		for (bool more = true; more;) {
			ssize_t end = slice_find_slice(rest, SLICE("\r\n"));

			if (end < 0) {
				must(c->closed);
				return;
			}

			struct slice line = slice_take(&rest, (size_t)end);

			rest = slice_tail(rest, 2);
			note_enabled(c, line);
			check_line(c, line);
			more = frame_imap_literal(line, &literal);
			if (more && literal.octets > rest.n) {
				must(c->closed);
				return;
			}
			if (more)
				must(slice_find(slice_take(&rest, (size_t)literal.octets), '\0') <
					0);
		}
		must(slice_starts_with(start, SLICE("* ")) ||
			slice_starts_with(start, SLICE("+ ")) || slice_find(start, ' ') > 0);
		check_numbers(c, slice_head(start, (size_t)slice_find(start, '\r')));
	}
	buf_clear(&c->out);
}

/* Step until it waits. All output is taken and kept; after that it must be whole responses. */
static void run(struct play *p, struct connection *c)
{
	_cleanup_buf_ struct buf all = BUF(64 * 1024 * 1024);

	for (unsigned i = 0; !c->closed; i++) {
		struct engine_io io = {
			.in = &c->in, .out = &c->out, .now_usec = p->now_usec, .budget = p->budget
		};
		enum engine_wants wants = c->engine->type->step(c->engine, &io);

		must(i < STEPS_MAX);
		c->closed = wants == ENGINE_CLOSE;
		must(buf_add(&all, buf_slice(&c->out)) == 0);
		buf_clear(&c->out);
		if (wants == ENGINE_INPUT)
			break;
		if (wants == ENGINE_RETRY)
			p->now_usec += 10 * 1000000;
	}

	struct buf out = c->out;

	c->out = all;
	check_output(c);
	c->out = out;
}

static struct connection *event(struct play *p, struct connection *c, uint8_t what)
{
	if (what == 1)
		deliver(p);
	else if (what <= 4)
		disturb(p, what);
	else if (what == 5)
		c = &p->connections[c == &p->connections[0]];
	else
		p->now_usec += 1000000;
	store_watch_drain(p->store);
	return c;
}

static void play(struct play *p, struct slice rest)
{
	struct connection *c = &p->connections[0];

	while (rest.n > 0 && !c->closed) {
		size_t n = 0;

		if (rest.p[0] >= 1 && rest.p[0] <= 6) {
			c = event(p, c, (uint8_t)rest.p[0]);
			rest = slice_tail(rest, 1);
			for (int i = 0; i < CONNECTIONS; i++)
				run(p, &p->connections[i]);
			continue;
		}
		while (n < rest.n && n < p->piece && !(rest.p[n] >= 1 && rest.p[n] <= 6))
			n++;
		must(buf_add(&c->in, slice_take(&rest, n)) == 0);
		run(p, c);
	}
}

static void start(struct play *p)
{
	const struct store_settings settings = {
		.path = p->root,
		.index_path = "/nonexistent",
		.hierarchy_separator = '/',
		.fsync = FSYNC_NEVER,
		.hostname = "h",
		.uidl_format = "%08Xu%08Xv",
	};

	must(store_open(&settings, NULL, &p->store) == 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		p->connections[i].in = BUF(4 * 1024 * 1024);
		p->connections[i].out = BUF(LIMIT_OUTPUT_BYTES);
		p->connections[i].engine = imap_new(
			&(struct imap_settings){ .store = p->store, .user = "u", .version = "0" });
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct play p = { .now_usec = (uint64_t)1800000000 * 1000000 };

	if (n < 1 || n > 100000)
		return 0;
	p.piece = bytes[0] & 0x80 ? SIZE_MAX : (size_t)(bytes[0] & 15) + 1;
	p.budget = bytes[0] & 0x40 ? 1000 : (size_t)(bytes[0] >> 4 & 3) + 1;
	make_directories(&p);
	for (unsigned i = 0; i < MESSAGES; i++)
		deliver(&p);
	start(&p);
	play(&p, slice_from(bytes + 1, n - 1));
	for (int i = 0; i < CONNECTIONS; i++) {
		p.connections[i].engine->type->free(p.connections[i].engine);
		buf_done(&p.connections[i].in);
		buf_done(&p.connections[i].out);
	}
	store_close(p.store);
	remove_directories(&p);
	return 0;
}
