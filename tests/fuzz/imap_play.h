/*
 * imap_play.h - for fuzz targets: IMAP connections of one user over a small Maildir in memory, what other programs do to its files
 * meanwhile, and what must be true of everything that is put out: it is IMAP, its sequence numbers exist, the tagged
 * responses are those awaited, in order, and nothing runs on for ever.
 */
#pragma once

#include "base/limits.h"
#include "base/must.h"
#include "base/utf8.h"
#include "server/imap/imap.h"
#include "server/wire/frame_imap.h"
#include "server/wire/seqset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	CONNECTIONS = 2,
	STEPS_MAX = 200000,
	DELIVERED_MAX = 50,
	PATH_BYTES = 400,
	TAG_BYTES = 16,
	AWAITED_MAX = 256,
};

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
	bool utf8;      /* it enabled something that lets quoted strings hold UTF-8 */
	bool utf8_text; /* it chose a language: text for a person may hold UTF-8 */
	uint32_t exists;
	char awaited[AWAITED_MAX][TAG_BYTES]; /* tags of commands not yet answered, in order */
	size_t awaited_n;
	bool knows_tags; /* awaited is complete: whatever else is tagged is a fault */
	bool may_go_on;  /* a continuation request came */
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

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	(void)remove(path);
	return 0;
}

static void remove_directories(struct play *p)
{
	(void)nftw(p->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
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

static void overwrite(struct play *p, const char *name, struct slice text)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof path, "%s/%s", p->root, name);

	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0) /* a directory of that name */
		return;
	must(write(fd, text.p, text.n) == (ssize_t)text.n && close(fd) == 0);
}

/* What another program does to the first message it meets in cur/. */
static void disturb_message(struct play *p, unsigned how)
{
	char path[PATH_BYTES + 300], to[PATH_BYTES];

	snprintf(path, sizeof path, "%s/cur", p->root);

	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir)) && e->d_name[0] == '.')
		;
	if (!dir)
		return;
	snprintf(path, sizeof path, "%s/cur/%s", p->root, e ? e->d_name : "");
	if (e && how != 3)
		(void)(how == 4 ? truncate(path, 20) : unlinkat(dirfd(dir), e->d_name, 0));
	if (e && how == 3) {
		snprintf(to, sizeof to, "%.*s:2,FTb", (int)strcspn(e->d_name, ":"), e->d_name);
		(void)renameat(dirfd(dir), e->d_name, dirfd(dir), to);
	}
	if (e && how == 5)
		(void)mkdir(path, 0700);
	if (e && how == 6)
		must(symlink("/dev/zero", path) == 0 || errno == EEXIST);
	closedir(dir);
}

/* What other programs may do; the first six are the events of the raw session. */
static void disturb(struct play *p, unsigned how)
{
	char path[PATH_BYTES];

	if (getenv("SHOW"))
		fprintf(stderr, "! %u\n", how);
	if (how == 1)
		deliver(p);
	else if (how <= 6)
		disturb_message(p, how);
	else if (how == 7)
		overwrite(p, "dovecot-uidlist", SLICE("garbage\n\0\xff"));
	else if (how == 8)
		overwrite(p, "dovecot-uidlist", SLICE("3 V1800000000 N1000 "
						      "G0123456789abcdef0123456789abcdef\n"));
	else if (how == 9)
		overwrite(p, "dovecot-keywords", SLICE("0 one\n1 two\n25 z\n26 none\nx\n"));
	else if (how == 10)
		overwrite(p, "dovecot-uidlist.lock", SLICE("1:elsewhere"));
	else if (how == 11)
		overwrite(p, "maildirsize", SLICE("10000S,5C\n99 1\n-5 x\n"));
	else if (how == 12)
		overwrite(p, "subscriptions", SLICE("V\t2\n\nINBOX\na\tb\n\n"));
	snprintf(path, sizeof path, "%s/%s", p->root,
		how == 13   ? ".a"
		: how == 14 ? "dovecot-uidlist"
		: how == 15 ? "restante.index"
			    : "dovecot-uidlist.lock");
	if (how >= 13)
		(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

enum { DISTURBANCES = 16 };

/* Each command has one tagged response, and they come in order. RFC 9051 section 2.2.2. */
static void take_tag(struct connection *c, struct slice line)
{
	struct slice tag;

	if (!c->knows_tags)
		return;
	must(slice_split(&line, ' ', &tag) && c->awaited_n > 0);
	must(slice_equal(tag, slice_str(c->awaited[0])));
	must(slice_starts_with(line, SLICE("OK ")) || slice_starts_with(line, SLICE("NO ")) ||
		slice_starts_with(line, SLICE("BAD ")));
	memmove(c->awaited[0], c->awaited[1], sizeof c->awaited - TAG_BYTES);
	c->awaited_n--;
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
	if (slice_starts_with(line, SLICE("* LANGUAGE (")))
		c->utf8_text = true;
}

/* One response line, literals left out: its numbers must be those of messages that exist. */
static void check_numbers(struct connection *c, struct slice line)
{
	uint64_t number;
	struct slice word;

	if (slice_starts_with(line, SLICE("* OK [CLOSED]")) ||
		slice_find_slice(line, SLICE(" OK CLOSE ")) > 0 ||
		slice_find_slice(line, SLICE(" OK UNSELECT ")) > 0)
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

/* Whether text for a person may be in the line: quotes mean nothing there. */
static bool is_status_response(struct slice line)
{
	return !slice_skip_nocase(&line, SLICE("* ")) || slice_starts_with(line, SLICE("OK ")) ||
	       slice_starts_with(line, SLICE("NO ")) || slice_starts_with(line, SLICE("BAD ")) ||
	       slice_starts_with(line, SLICE("BYE "));
}

/* Neither NUL nor raw 8-bit, unless it is UTF-8 for one who wants it, nor other control characters. */
static void check_line(const struct connection *c, struct slice line)
{
	bool wide = false;

	for (size_t i = 0; i < line.n; i++) {
		must(line.p[i] < 0 || line.p[i] >= ' ' || line.p[i] == '\t');
		wide |= line.p[i] < 0;
	}
	must(!wide || ((c->utf8 || (c->utf8_text && is_status_response(line))) &&
			      utf8_is_valid(line)));
}

/* Quoted strings and parentheses of a piece of a response between literals; a string does not go beyond it. */
static void count_parentheses(struct slice line, int *depth)
{
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		if (quoted && line.p[i] == '\\') {
			i++;
			must(i < line.n && (line.p[i] == '"' || line.p[i] == '\\'));
		} else if (line.p[i] == '"') {
			quoted = !quoted;
		} else if (!quoted) {
			*depth += line.p[i] == '(' ? 1 : line.p[i] == ')' ? -1 : 0;
		}
		must(*depth >= 0);
	}
	must(!quoted);
}

/* Take one response, with its literals, off the front. Returns false for half a one, as the end of a connection may leave it. */
static bool check_response(struct connection *c, struct slice *rest)
{
	struct slice start = *rest;
	struct frame_literal literal;
	bool structured = !is_status_response(*rest);
	int depth = 0;

	for (bool more = true; more;) {
		ssize_t end = slice_find_slice(*rest, SLICE("\r\n"));

		if (end < 0)
			return false;

		struct slice line = slice_take(rest, (size_t)end);

		*rest = slice_tail(*rest, 2);
		note_enabled(c, line);
		check_line(c, line);
		more = frame_imap_literal(line, &literal);
		if (structured)
			count_parentheses(line, &depth);
		if (more && literal.octets > rest->n)
			return false;
		if (more)
			must(slice_find(slice_take(rest, (size_t)literal.octets), '\0') < 0 ||
				literal.literal8);
	}
	must(depth == 0);
	start = slice_head(start, (size_t)slice_find(start, '\r'));
	if (slice_starts_with(start, SLICE("+ ")))
		c->may_go_on = true;
	else if (!slice_starts_with(start, SLICE("* ")))
		take_tag(c, start);
	check_numbers(c, start);
	return true;
}

static void check_output(struct connection *c, struct slice out)
{
	while (out.n > 0)
		if (!check_response(c, &out)) {
			must(c->closed);
			return;
		}
}

/* SHOW in the environment: what is said, for whoever looks into a finding. */
static void show(const struct play *p, const struct connection *c, const char *who, struct slice text)
{
	if (getenv("SHOW") && text.n > 0)
		fprintf(stderr, "%d%s: %.*s\n", (int)(c - p->connections), who, SLICE_FMT(text));
}

/* Step until it waits. All output is taken and kept; after that it must be whole responses. */
static void run(struct play *p, struct connection *c)
{
	_cleanup_buf_ struct buf all = BUF(64 * 1024 * 1024);

	show(p, c, "C", buf_slice(&c->in));
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

	(void)store_rest(p->store);
	show(p, c, "S", buf_slice(&all));
	check_output(c, buf_slice(&all));
}

static void connect(struct play *p, struct connection *c)
{
	*c = (struct connection){
		.in = BUF(4 * 1024 * 1024),
		.out = BUF(LIMIT_OUTPUT_BYTES),
		.engine = imap_new(
			&(struct imap_settings){ .store = p->store, .user = "u", .version = "0" }),
	};
}

static void disconnect(struct connection *c)
{
	c->engine->type->free(c->engine);
	buf_done(&c->in);
	buf_done(&c->out);
}

static void play_start(struct play *p, const char *index_path)
{
	const struct store_settings settings = {
		.path = p->root,
		.index_path = index_path,
		.hierarchy_separator = '/',
		.fsync = FSYNC_NEVER,
		.hostname = "h",
		.uidl_format = "%08Xu%08Xv",
	};

	for (unsigned i = 0; i < MESSAGES; i++)
		deliver(p);
	must(store_open(&settings, NULL, &p->store) == 0);
	for (int i = 0; i < CONNECTIONS; i++)
		connect(p, &p->connections[i]);
}

static void play_end(struct play *p)
{
	for (int i = 0; i < CONNECTIONS; i++)
		disconnect(&p->connections[i]);
	store_close(p->store);
	remove_directories(p);
}
