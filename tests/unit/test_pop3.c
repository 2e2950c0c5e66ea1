/*
 * The POP3 engine in process, over a real Maildir: the scripts tests/wire/pop3_*.txt, and what a script cannot say. A script has
 * lines "C: text" (sent with CRLF), "S: text" (expected exactly) and "S~ regex"; "#" begins a comment. Mail: tests/wire/pop3_mail.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "server/pop3/pop3.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <regex.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINES_MAX = 4000 };

static const char scripts[] = "tests/wire/pop3_*.txt";
static char maildir[64];

/* One maildrop and its engine. */
struct dialogue {
	struct store *store;
	struct engine *engine;
	struct buf in, out;
	size_t budget;
	bool in_eof;
	uint32_t messages;
	uint64_t octets;
};

static void run_command(const char *format, ...) _printf_(1, 2);
static void run_command(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	CU_ASSERT_FATAL(system(command) == 0);
}

static void make_maildir(void)
{
	strcpy(maildir, "/tmp/restante-pop3-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(maildir) != NULL);
	run_command("cp -r tests/wire/pop3_mail/* %s && mkdir %s/tmp && chmod -R u+rwX %s", maildir,
		maildir, maildir);
}

static void remove_maildir(void)
{
	run_command("rm -rf %s", maildir);
}

static unsigned count_messages(void)
{
	unsigned n = 0;

	for (int i = 0; i < 2; i++) {
		char path[100];

		snprintf(path, sizeof path, "%s/%s", maildir, i ? "cur" : "new");

		DIR *dir = opendir(path);

		for (struct dirent *e; dir && (e = readdir(dir));)
			n += e->d_name[0] != '.';
		if (dir)
			closedir(dir);
	}
	return n;
}

static enum engine_wants step(struct dialogue *d)
{
	struct engine_io io = { .in = &d->in,
		.out = &d->out,
		.in_eof = d->in_eof,
		.now_usec = clock_realtime_usec(),
		.budget = d->budget };

	return d->engine->type->step(d->engine, &io);
}

/* Step until there is nothing more to do. Returns whether the engine asked to be closed. */
static bool run(struct dialogue *d, struct buf *all)
{
	for (int i = 0; i < 1000000; i++) {
		enum engine_wants wants = step(d);

		CU_ASSERT(buf_add(all, buf_slice(&d->out)) == 0);
		buf_consume(&d->out, d->out.n);
		if (wants == ENGINE_INPUT || wants == ENGINE_CLOSE)
			return wants == ENGINE_CLOSE;
		CU_ASSERT(wants != ENGINE_RETRY);
	}
	CU_FAIL("an endless dialogue");
	return true;
}

/* Begin; the maildrop is not open yet. */
static struct dialogue dialogue_begin(size_t budget)
{
	struct dialogue d = {
		.in = BUF(1024 * 1024), .out = BUF(LIMIT_OUTPUT_BYTES), .budget = budget
	};
	static const struct store_settings settings = {
		.path = maildir,
		.hierarchy_separator = '/',
		.fsync = FSYNC_NEVER,
		.hostname = "host",
		.uidl_format = "%08Xu%08Xv",
	};

	CU_ASSERT_FATAL(store_open(&settings, &log_to_stderr, &d.store) == 0);
	CU_ASSERT_FATAL(store_lock_maildrop(d.store) == 0);
	CU_ASSERT_FATAL(store_lock_maildrop(d.store) == -EBUSY);
	d.engine = pop3_new(&(struct pop3_settings){
		.store = d.store,
		.log = &log_to_stderr,
		.user = "bob",
	});
	CU_ASSERT_FATAL(pop3_opened(d.engine, &d.messages, &d.octets) == -EINPROGRESS);
	return d;
}

static void finish_opening(struct dialogue *d)
{
	for (int i = 0;
		i < 100000 && pop3_opened(d->engine, &d->messages, &d->octets) == -EINPROGRESS; i++)
		step(d);
	CU_ASSERT_FATAL(pop3_opened(d->engine, &d->messages, &d->octets) == 0);
	CU_ASSERT(d->out.n == 0);
}

static struct dialogue dialogue_open(size_t budget)
{
	struct dialogue d = dialogue_begin(budget);

	finish_opening(&d);
	return d;
}

static void dialogue_close(struct dialogue *d)
{
	d->engine->type->free(d->engine);
	store_unlock_maildrop(d->store);
	store_close(d->store);
	buf_done(&d->in);
	buf_done(&d->out);
}

static void send_line(struct dialogue *d, struct slice line)
{
	CU_ASSERT(buf_add(&d->in, line) == 0 && buf_add_str(&d->in, "\r\n") == 0);
}

/* Send a text, run, and compare all that comes out. Returns whether the engine asked to be closed. */
static bool expect(struct dialogue *d, const char *text, const char *want)
{
	_cleanup_buf_ struct buf all = BUF(64 * 1024 * 1024);

	CU_ASSERT(buf_add_str(&d->in, text) == 0);

	bool closed = run(d, &all);

	CHECK(slice_equal(buf_slice(&all), slice_str(want)), "to %s came %.*s", text,
		SLICE_FMT(buf_slice(&all)));
	return closed;
}

/* ---- scripts ---- */

enum feeding { LINE_BY_LINE, ALL_AT_ONCE, BYTE_BY_BYTE, FEEDINGS };

struct script {
	struct slice lines[LINES_MAX];
	size_t n;
};

static bool matches(struct slice want, struct slice line)
{
	char text[2000], pattern[600];
	regex_t regex;

	if (want.p[1] == ':')
		return slice_equal(slice_tail(want, want.n > 2 ? 3 : 2), line);
	snprintf(pattern, sizeof pattern, "^(%.*s)$", SLICE_FMT(slice_tail(want, 3)));
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(line));
	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;

	bool ok = regexec(&regex, text, 0, NULL, 0) == 0;

	regfree(&regex);
	return ok;
}

static bool is_client(struct slice line)
{
	return line.n >= 2 && line.p[0] == 'C';
}

static void feed(struct dialogue *d, struct slice line, enum feeding feeding, struct buf *all)
{
	if (feeding != BYTE_BY_BYTE) {
		send_line(d, line);
		if (feeding == LINE_BY_LINE)
			run(d, all);
		return;
	}
	for (size_t i = 0; i < line.n + 2; i++) {
		CU_ASSERT(buf_add_char(&d->in, i < line.n    ? line.p[i]
					       : i == line.n ? '\r'
							     : '\n') == 0);
		run(d, all);
	}
}

static void run_script(
	const char *name, const struct script *script, enum feeding feeding, size_t budget)
{
	_cleanup_buf_ struct buf all = BUF(16 * 1024 * 1024);

	make_maildir();

	struct dialogue d = dialogue_open(budget);

	for (size_t i = 0; i < script->n; i++)
		if (is_client(script->lines[i]))
			feed(&d, slice_tail(script->lines[i], 3), feeding, &all);
	run(&d, &all);

	struct slice rest = buf_slice(&all);

	for (size_t i = 0; i < script->n; i++) {
		struct slice line;

		if (is_client(script->lines[i]))
			continue;

		ssize_t end = slice_find_slice(rest, SLICE("\r\n"));

		CHECK(end >= 0, "%s feeding %d budget %zu: nothing came for %.*s", name, feeding,
			budget, SLICE_FMT(script->lines[i]));
		if (end < 0)
			break;
		line = slice_take(&rest, (size_t)end);
		rest = slice_tail(rest, 2);
		CHECK(matches(script->lines[i], line),
			"%s feeding %d budget %zu: wanted %.*s, came %.*s", name, feeding, budget,
			SLICE_FMT(script->lines[i]), SLICE_FMT(line));
	}
	CHECK(rest.n == 0, "%s feeding %d budget %zu: also came %.*s", name, feeding, budget,
		SLICE_FMT(rest));
	dialogue_close(&d);
	remove_maildir();
}

static void load_and_run(const char *name)
{
	static struct script script;
	_cleanup_fclose_ FILE *f = fopen(name, "re");
	static char bytes[256 * 1024];
	struct slice text, line;

	CU_ASSERT_FATAL(f != NULL);
	text = slice_from(bytes, fread(bytes, 1, sizeof bytes, f));
	script.n = 0;
	while (slice_split(&text, '\n', &line)) {
		if (line.n == 0 || line.p[0] == '#')
			continue;
		CU_ASSERT_FATAL(line.n >= 2 && script.n < LINES_MAX);
		script.lines[script.n++] = line;
	}
	for (enum feeding feeding = 0; feeding < FEEDINGS; feeding++) {
		run_script(name, &script, feeding, 1);
		run_script(name, &script, feeding, 200);
	}
}

static void test_scripts(void)
{
	glob_t names;

	CU_ASSERT_FATAL(glob(scripts, 0, NULL, &names) == 0);
	for (size_t i = 0; i < names.gl_pathc; i++)
		load_and_run(names.gl_pathv[i]);
	globfree(&names);
}

/* ---- what a script cannot say ---- */

static void test_broken_connection_deletes_nothing(void)
{
	make_maildir();

	struct dialogue d = dialogue_open(200);

	expect(&d, "DELE 1\r\nDELE 2\r\n",
		"+OK Marked for deletion at QUIT\r\n+OK Marked for deletion at QUIT\r\n");
	CU_ASSERT(buf_add_str(&d.in, "QUI") == 0);
	d.in_eof = true;
	CU_ASSERT(expect(&d, "", ""));
	CU_ASSERT(d.engine->reason == CLOSE_CLIENT_GONE);
	dialogue_close(&d);
	CU_ASSERT(count_messages() == 5);
	remove_maildir();
}

static void test_quit_deletes_what_is_marked(void)
{
	make_maildir();

	struct dialogue d = dialogue_open(1);

	CU_ASSERT(d.messages == 5);
	d.in_eof = true; /* the client may close its half behind QUIT */
	CU_ASSERT(expect(&d, "DELE 5\r\nDELE 2\r\nDELE 3\r\nQUIT\r\nNOOP\r\n",
		"+OK Marked for deletion at QUIT\r\n+OK Marked for deletion at QUIT\r\n+OK Marked "
		"for deletion at QUIT\r\n+OK Bye\r\n"));
	CU_ASSERT(d.engine->reason == CLOSE_LOGOUT && d.engine->commands == 4);
	dialogue_close(&d);
	CU_ASSERT(count_messages() == 2);

	d = dialogue_open(200);
	CU_ASSERT(d.messages == 2);
	expect(&d, "UIDL\r\n",
		"+OK 2 messages follow\r\n1 000000016553f100\r\n2 000000066553f100\r\n.\r\n");
	dialogue_close(&d);
	remove_maildir();
}

static bool has_file(const char *pattern)
{
	char path[200];
	glob_t names;

	snprintf(path, sizeof path, "%s/%s", maildir, pattern);

	bool found = glob(path, 0, NULL, &names) == 0;

	if (found)
		globfree(&names);
	return found;
}

static void test_retrieved_is_seen_after_quit(void)
{
	make_maildir();

	struct dialogue d = dialogue_open(200);

	expect(&d, "RETR 3\r\n",
		"+OK 35 octets follow\r\nSubject: header only\r\nX-Test: yes\r\n.\r\n");
	expect(&d, "TOP 5 0\r\n", "+OK Top of message follows\r\nSubject: ten lines\r\n\r\n.\r\n");
	CU_ASSERT(has_file("cur/1700000003.*2,F"));
	CU_ASSERT(expect(&d, "QUIT\r\n", "+OK Bye\r\n"));
	dialogue_close(&d);
	CU_ASSERT(has_file("cur/1700000003.*2,FS"));
	CU_ASSERT(!has_file("cur/1700000005.*S"));
	remove_maildir();
}

/* Another mail program removes a message meanwhile: numbers, sizes and unique-ids stay. */
static void test_vanished_message(void)
{
	static const char listing[] =
		"+OK 5 messages follow\r\n1 000000016553f100\r\n2 kept-from-another-server\r\n"
		"3 000000036553f100\r\n4 000000066553f100\r\n5 000000076553f100\r\n.\r\n";
	make_maildir();

	struct dialogue d = dialogue_open(200);

	expect(&d, "UIDL\r\n", listing);
	run_command("rm %s/cur/1700000002.*", maildir);
	expect(&d, "RETR 2\r\n", "-ERR Another mail program removed that message\r\n");
	expect(&d, "UIDL\r\n", listing);
	expect(&d, "LIST 2\r\n", "+OK 2 73\r\n");
	expect(&d, "UIDL 2\r\n", "+OK 2 kept-from-another-server\r\n");
	CU_ASSERT(
		expect(&d, "DELE 2\r\nQUIT\r\n", "+OK Marked for deletion at QUIT\r\n+OK Bye\r\n"));
	dialogue_close(&d);
	CU_ASSERT(count_messages() == 4);
	remove_maildir();
}

/* Another program holds the lock of the uidlist while there is new mail: opening waits, and then goes on. */
static void test_lock_held_elsewhere(void)
{
	enum engine_wants wants = ENGINE_STEP;

	make_maildir();
	run_command("echo 1:elsewhere > %s/dovecot-uidlist.lock", maildir);
	run_command("echo Subject: new > %s/new/1800000001.M1P1.host", maildir);

	struct dialogue d = dialogue_begin(200);

	for (int i = 0; i < 1000 && wants == ENGINE_STEP; i++)
		wants = step(&d);
	CU_ASSERT(wants == ENGINE_RETRY);
	CU_ASSERT(pop3_opened(d.engine, &d.messages, &d.octets) == -EINPROGRESS);
	run_command("rm %s/dovecot-uidlist.lock", maildir);
	finish_opening(&d);
	CU_ASSERT(d.messages == 6);
	dialogue_close(&d);
	remove_maildir();
}

static void test_goodbyes(void)
{
	static const struct {
		enum close_reason reason;
		const char *want;
	} rows[] = {
		{ CLOSE_SHUTDOWN, "-ERR [SYS/TEMP] The server is stopping; try again soon\r\n" },
		{ CLOSE_KICKED, "-ERR [SYS/TEMP] Closed by the administrator\r\n" },
		{ CLOSE_IDLE_TIMEOUT, "" }, /* RFC 1939 section 3 */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make_maildir();

		struct dialogue d = dialogue_open(200);
		struct engine_io io = { .in = &d.in, .out = &d.out };

		expect(&d, "DELE 1\r\n", "+OK Marked for deletion at QUIT\r\n");
		d.engine->type->bye(d.engine, &io, rows[i].reason);
		CHECK(slice_equal(buf_slice(&d.out), slice_str(rows[i].want)), "row %zu", i);
		dialogue_close(&d);
		CU_ASSERT(count_messages() == 5);
		remove_maildir();
	}
}

enum { LARGE_LINES = 100000 };

/* Write a large message in which each line begins with a dot, and what RETR must say. Returns its octets. */
static size_t make_large_message(struct buf *want)
{
	char path[100];
	_cleanup_buf_ struct buf file = BUF(64 * 1024 * 1024);

	run_command("rm %s/*/17*", maildir);
	snprintf(path, sizeof path, "%s/cur/1800000001.M1P1.host:2,", maildir);

	FILE *f = fopen(path, "we");

	CU_ASSERT_FATAL(f != NULL);
	fputs("Subject: large\n\n", f);
	CU_ASSERT(buf_add_str(&file, "Subject: large\r\n\r\n") == 0);
	for (int i = 0; i < LARGE_LINES; i++) {
		fprintf(f, ".line %d of many\n", i);
		CU_ASSERT(buf_addf(&file, "..line %d of many\r\n", i) == 0);
	}
	fclose(f);

	size_t octets = file.n - LARGE_LINES;

	CU_ASSERT(buf_addf(want, "+OK %zu octets follow\r\n", octets) == 0 &&
		  buf_add(want, buf_slice(&file)) == 0);
	CU_ASSERT(buf_add_str(want, ".\r\n") == 0);
	return octets;
}

/* A message larger than the high-water mark comes in pieces, whole and unchanged; a goodbye does not get into the middle of it. */
static void test_large_message(void)
{
	_cleanup_buf_ struct buf want = BUF(64 * 1024 * 1024), got = BUF(64 * 1024 * 1024);
	enum engine_wants wants = ENGINE_STEP;

	make_maildir();

	size_t octets = make_large_message(&want);
	struct dialogue d = dialogue_open(3);

	CU_ASSERT(d.octets == octets);
	send_line(&d, SLICE("RETR 1"));
	for (int i = 0; wants != ENGINE_INPUT; i++) {
		wants = step(&d);
		CU_ASSERT_FATAL(
			wants == ENGINE_OUTPUT || wants == ENGINE_STEP || wants == ENGINE_INPUT);
		CHECK(d.out.n <= LIMIT_OUTPUT_HIGH_WATER_BYTES * 2, "%zu", d.out.n);
		if (wants != ENGINE_STEP || i % 3 == 2) {
			CU_ASSERT(buf_add(&got, buf_slice(&d.out)) == 0);
			buf_consume(&d.out, d.out.n);
		}
	}
	CU_ASSERT(slice_equal(buf_slice(&got), buf_slice(&want)));

	send_line(&d, SLICE("RETR 1"));
	step(&d);

	struct engine_io io = { .in = &d.in, .out = &d.out };
	size_t n = d.out.n;

	d.engine->type->bye(d.engine, &io, CLOSE_SHUTDOWN);
	CU_ASSERT(n > 0 && d.out.n == n);
	dialogue_close(&d);
	remove_maildir();
}

/* A file that is cut short while it is sent ends the connection without the final dot. */
static void test_shrinking_message(void)
{
	_cleanup_buf_ struct buf got = BUF(64 * 1024 * 1024);
	char path[100];

	make_maildir();
	snprintf(path, sizeof path, "%s/cur/1800000001.M1P1.host:2,", maildir);
	run_command("yes 'a line of text' | head -c 3000000 > %s", path);

	struct dialogue d = dialogue_open(2);

	CU_ASSERT(d.messages == 6);
	send_line(&d, SLICE("RETR 6"));
	CU_ASSERT(step(&d) == ENGINE_STEP);
	CU_ASSERT(truncate(path, 100000) == 0);
	CU_ASSERT(run(&d, &got));
	CU_ASSERT(d.engine->reason == CLOSE_MAILBOX_FAULT);
	CU_ASSERT(!slice_ends_with(buf_slice(&got), SLICE("\r\n.\r\n")));
	dialogue_close(&d);
	remove_maildir();
}

static void test_pipelining(void)
{
	_cleanup_buf_ struct buf in = BUF(1024 * 1024), want = BUF(1024 * 1024),
				 got = BUF(1024 * 1024);

	make_maildir();

	struct dialogue d = dialogue_open(200);

	for (int i = 0; i < 10000; i++) {
		CU_ASSERT(buf_add_str(&in, i % 2 ? "NOOP\r\n" : "LIST 1\r\n") == 0);
		CU_ASSERT(buf_add_str(&want, i % 2 ? "+OK Done\r\n" : "+OK 1 74\r\n") == 0);
	}
	CU_ASSERT(buf_add(&d.in, buf_slice(&in)) == 0);
	CU_ASSERT(!run(&d, &got));
	CU_ASSERT(slice_equal(buf_slice(&got), buf_slice(&want)));
	CU_ASSERT(d.engine->commands == 10000);
	dialogue_close(&d);
	remove_maildir();
}

static void test_flood_of_one_line(void)
{
	make_maildir();

	struct dialogue d = dialogue_open(200);
	_cleanup_buf_ struct buf got = BUF(10000);
	char xs[1000];
	bool closed = false;

	memset(xs, 'x', sizeof xs);
	for (int i = 0; i < 100 && !closed; i++) {
		CU_ASSERT(buf_add(&d.in, slice_from(xs, sizeof xs)) == 0);
		closed = run(&d, &got);
		CU_ASSERT(closed || d.in.n <= LIMIT_POP3_LINE_BYTES);
	}
	CU_ASSERT(closed && d.engine->reason == CLOSE_LIMIT);
	dialogue_close(&d);
	remove_maildir();
}

static void quit_in_vain(void)
{
	make_maildir();

	struct dialogue d = dialogue_open(200);

	run_command("chmod a-w %s/cur %s/new", maildir, maildir);
	expect(&d, "DELE 1\r\nDELE 2\r\n",
		"+OK Marked for deletion at QUIT\r\n+OK Marked for deletion at QUIT\r\n");
	CU_ASSERT(expect(&d, "QUIT\r\n", "-ERR [SYS/TEMP] some deleted messages not removed\r\n"));
	CU_ASSERT(d.engine->reason == CLOSE_LOGOUT);
	dialogue_close(&d);
	run_command("chmod u+w %s/cur %s/new", maildir, maildir);
	CU_ASSERT(count_messages() == 5);
	remove_maildir();
}

/* Marked messages that cannot be removed: QUIT says so. Root may write anywhere: be somebody else, in a process of its own. */
static void test_some_not_removed(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned before = CU_get_number_of_failures();

		if (geteuid() == 0 &&
			(setresgid(54321, 54321, 54321) < 0 || setresuid(54321, 54321, 54321) < 0))
			_exit(2);
		quit_in_vain();
		_exit(CU_get_number_of_failures() > before);
	}
	CU_ASSERT(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		  WEXITSTATUS(status) == 0);
}

static const struct unit_test tests[] = {
	{ "scripts", test_scripts },
	{ "a broken connection deletes nothing", test_broken_connection_deletes_nothing },
	{ "QUIT deletes what is marked", test_quit_deletes_what_is_marked },
	{ "what was retrieved is seen after QUIT", test_retrieved_is_seen_after_quit },
	{ "a message that vanished", test_vanished_message },
	{ "a lock held elsewhere", test_lock_held_elsewhere },
	{ "goodbyes", test_goodbyes },
	{ "a large message", test_large_message },
	{ "a message that shrinks", test_shrinking_message },
	{ "pipelining", test_pipelining },
	{ "a flood of one line", test_flood_of_one_line },
	{ "some deleted messages not removed", test_some_not_removed },
};

UNIT_MAIN("pop3", tests)
