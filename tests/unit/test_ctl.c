/* test_ctl.c - restantectl: replies taken apart, and shown as JSON and as text. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "server/ctl/check.h"
#include "server/ctl/client.h"
#include "server/ctl/json.h"
#include "server/ctl/text.h"
#include "server/ctl/utf8.h"
#include "server/ipc/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { OUT_BYTES = 65536 };

static const uint64_t now = 1800000000 * USEC_PER_SEC; /* 2027-01-15 08:00:00 UTC */

static int parse(const char *text, struct arena *arena, struct reply *reply)
{
	struct slice copy = arena_copy(arena, slice_str(text));

	return reply_parse(copy, arena, reply);
}

static void test_reply(void)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reply reply;

	CU_ASSERT_EQUAL(parse("T\twho\tuser:s\tpid:n\nR\ta\\tb\\\\\\n\t7\nR\tx\t\nT\tempty\ta:"
			      "b\nM\thello\nE\tbad\n.\n",
				&arena, &reply),
		0);
	CU_ASSERT_TRUE(reply.complete);
	CU_ASSERT_EQUAL(reply.n_tables, 2);
	CU_ASSERT_EQUAL(reply.tables[0].n_rows, 2);
	CU_ASSERT_EQUAL(reply.tables[0].n_columns, 2);
	CU_ASSERT_EQUAL(reply.tables[0].columns[1].type, 'n');
	CU_ASSERT_TRUE(slice_equal(reply.tables[0].cells[0], SLICE("a\tb\\\n")));
	CU_ASSERT_TRUE(slice_equal(reply.tables[0].cells[2], SLICE("x")));
	CU_ASSERT_EQUAL(reply.tables[0].cells[3].n, 0);
	CU_ASSERT_EQUAL(reply.tables[1].n_rows, 0);
	CU_ASSERT_EQUAL(reply.n_messages, 1);
	CU_ASSERT_TRUE(slice_equal(reply.errors[0], SLICE("bad")));
}

static void test_reply_grows(void)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(OUT_BYTES);
	struct reply reply;

	CU_ASSERT_EQUAL(buf_add_str(&text, "T\tt\ta:n\tb:n\tc:n\n"), 0);
	for (unsigned i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(buf_addf(&text, "R\t%u\t%u\t%u\n", i, i + 1, i + 2), 0);
	CU_ASSERT_EQUAL(reply_parse(buf_slice(&text), &arena, &reply), 0);
	CU_ASSERT_FALSE(reply.complete);
	CU_ASSERT_EQUAL(reply.tables[0].n_rows, 1000);
	CU_ASSERT_TRUE(slice_equal(reply.tables[0].cells[2999], SLICE("1001")));
	CU_ASSERT_TRUE(slice_equal(reply.tables[0].cells[0], SLICE("0")));
}

static void test_bad_replies(void)
{
	static const char *const bad[] = {
		"R\tx\n",
		"T\n",
		"T\tt\n",
		"T\tt\tuser\n",
		"T\tt\tuser:q\n",
		"T\tt\t:s\n",
		"T\tt\tuser:ss\n",
		"T\tt\ta:s\nR\n",
		"T\tt\ta:s\nR\tx\ty\n",
		"T\tt\ta:s\tb:s\nR\tx\n",
		"X\ty\n",
		"\n",
		"MM\tx\n",
		"M\n",
		"M\ta\tb\n",
		".\nM\tx\n",
		".\tx\n",
		"HTTP/1.0 200\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct reply reply;

		CHECK(parse(bad[i], &arena, &reply) == -EBADMSG, "row %zu: %s", i, bad[i]);
	}
}

static void test_cut_off(void)
{
	static const char whole[] = "T\tt\ta:s\nR\tx\nM\ty\n.\n";

	for (size_t n = 0; n < sizeof whole; n++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct slice copy = arena_copy(&arena, slice_from(whole, n));
		struct reply reply;

		CHECK(reply_parse(copy, &arena, &reply) == 0, "%zu bytes", n);
		CHECK(reply.complete == (n == sizeof whole - 1), "%zu bytes", n);
	}
}

static void test_utf8(void)
{
	static const struct {
		const char *bytes;
		uint32_t point;
		size_t left;
	} rows[] = {
		{ "a", 'a', 0 },
		{ "\xc3\xa9", 0xe9, 0 },
		{ "\xe2\x82\xac", 0x20ac, 0 },
		{ "\xf0\x9f\x98\x80", 0x1f600, 0 },
		{ "\xc0\xaf", 0xfffd, 1 },
		{ "\xe0\x80\xaf", 0xfffd, 2 },
		{ "\xed\xa0\x80", 0xfffd, 2 },
		{ "\xf4\x90\x80\x80", 0xfffd, 3 },
		{ "\x80", 0xfffd, 0 },
		{ "\xff", 0xfffd, 0 },
		{ "\xc3", 0xfffd, 0 },
		{ "\xe2\x82", 0xfffd, 1 },
		{ "\xc3(", 0xfffd, 1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice s = slice_str(rows[i].bytes);

		CHECK(utf8_take(&s) == rows[i].point && s.n == rows[i].left, "row %zu", i);
	}
}

static void test_json_strings(void)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ { "plain", 5 }, "\"plain\"" },
		{ { "", 0 }, "\"\"" },
		{ { "a\"b\\c", 5 }, "\"a\\\"b\\\\c\"" },
		{ { "\n\t\x1b\0\x7f", 5 }, "\"\\n\\t\\u001b\\u0000\\u007f\"" },
		{ { "\xc3\xa9\xff", 3 }, "\"\xc3\xa9\xef\xbf\xbd\"" },
		{ { "\xc2\x9b", 2 }, "\"\\u009b\"" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(OUT_BYTES);

		CU_ASSERT_EQUAL(json_add_string(&out, rows[i].in), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
	}
}

static void test_json_reply(void)
{
	static const struct {
		const char *reply, *want;
	} rows[] = {
		{ ".\n", "{}\n" },
		{ "M\ta\nM\tb\n.\n", "{\n  \"messages\": [\"a\", \"b\"]\n}\n" },
		{ "T\tt\ta:s\n.\n", "{\n  \"t\": []\n}\n" },
		{ "T\tt\ts:s\tn:n\tb:b\tu:u\tt:t\nR\tx\t-"
		  "7\t1\t1500000\t1800000000000000\nR\t\t\t\t\t\nR\ty\t007\t2\t-\tz\nE\tbad\n.\n",
			"{\n  \"t\": [\n"
			"    {\"s\": \"x\", \"n\": -7, \"b\": true, \"u\": 1.500000, \"t\": "
			"\"2027-01-15T08:00:00Z\"},\n"
			"    {\"s\": \"\", \"n\": null, \"b\": null, \"u\": null, \"t\": null},\n"
			"    {\"s\": \"y\", \"n\": \"007\", \"b\": \"2\", \"u\": \"-\", \"t\": "
			"\"z\"}\n"
			"  ],\n  \"errors\": [\"bad\"]\n}\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		_cleanup_buf_ struct buf out = BUF(OUT_BYTES);
		struct reply reply;

		CU_ASSERT_EQUAL(parse(rows[i].reply, &arena, &reply), 0);
		CU_ASSERT_EQUAL(json_add_reply(&out, &reply), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
	}
}

static void test_durations(void)
{
	static const struct {
		uint64_t usec;
		const char *want;
	} rows[] = {
		{ 0, "0 s" },
		{ 350000, "350 ms" },
		{ 12 * USEC_PER_SEC, "12 s" },
		{ 199 * USEC_PER_SEC, "3 min" },
		{ 7200 * USEC_PER_SEC, "2 h" },
		{ 7500 * USEC_PER_SEC, "2 h 5 min" },
		{ 86400 * USEC_PER_SEC, "1 d" },
		{ (3 * 86400 + 4 * 3600 + 59) * USEC_PER_SEC, "3 d 4 h" },
		{ (86400 + 60) * USEC_PER_SEC, "1 d" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(OUT_BYTES);

		CU_ASSERT_EQUAL(text_add_duration(&out, rows[i].usec), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
	}
}

static void test_text_reply(void)
{
	static const struct {
		const char *reply, *want;
	} rows[] = {
		{ ".\n", "" },
		{ "M\tdone\n.\n", "done\n" },
		{ "T\twho\tuser:s\n.\n", "who: none\n" },
		{ "T\twho\tuser:s\tcommands:n\tidle_time:u\tok:b\n"
		  "R\tanna\t5\t180000000\t1\nR\tj\xc3\xbcrgen\t12345\t\t0\nR\t\x1b["
		  "2J\xff\xc2\x9b\t-\tx\t2\n.\n",
			"USER    COMMANDS  IDLE TIME  OK\n"
			"anna           5      3 min  yes\n"
			"j\xc3\xbcrgen     12345          -  no\n"
			"?[2J??         -          x  2\n" },
		{ "T\tone\ta:s\tlong_name:n\tc:s\tt:t\nR\tx\t5\t"
		  "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789\t0\nT\ttwo\ta:s\nR\ty\n.\n",
			"one:\nA          x\nLONG NAME  5\nC          "
			"123456789 123456789 123456789 123456789 123456789 123456789 123456789 "
			"123456789 123456789\nT          -\n\ntwo:\nA\ny\n" },
		{ "T\tone\ta:s\nR\tx\nT\ttwo\tcertificate:s\texpires:"
		  "t\nR\tmail\t1806048000000000\nR\told\t1799900000000000\nM\tbye\n.\n",
			"one:\nA\nx\n\ntwo:\nCERTIFICATE  EXPIRES\nmail         2027-03-26 (70 "
			"days left)\nold          2027-01-14 (1 d 3 h ago)\nbye\n" },
	};

	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		_cleanup_buf_ struct buf out = BUF(OUT_BYTES);
		struct reply reply;

		CU_ASSERT_EQUAL(parse(rows[i].reply, &arena, &reply), 0);
		CU_ASSERT_EQUAL(text_add_reply(&out, &reply, now), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu:\n%.*s", i,
			SLICE_FMT(buf_slice(&out)));
	}
}

static void test_no_room(void)
{
	static const char text[] = "T\tt\ts:s\tn:n\nR\tx\t1\nR\ty\t2\nM\tm\nE\te\n.\n";
	_cleanup_buf_ struct buf json = BUF(OUT_BYTES), plain = BUF(OUT_BYTES);
	_cleanup_arena_ struct arena arena = { 0 };
	struct reply reply;

	CU_ASSERT_EQUAL(parse(text, &arena, &reply), 0);
	CU_ASSERT_EQUAL(json_add_reply(&json, &reply), 0);
	CU_ASSERT_EQUAL(text_add_reply(&plain, &reply, now), 0);
	for (size_t n = 0; n < json.n; n++) {
		_cleanup_buf_ struct buf out = BUF(n);

		CHECK(json_add_reply(&out, &reply) == -ENOBUFS, "json in %zu bytes", n);
	}
	for (size_t n = 0; n < plain.n; n++) {
		_cleanup_buf_ struct buf out = BUF(n);

		CHECK(text_add_reply(&out, &reply, now) == -ENOBUFS, "text in %zu bytes", n);
	}
}

static void test_check_output(void)
{
	static const struct {
		const char *line, *file, *number, *message;
	} rows[] = {
		{ "/etc/r.conf:12: no such file", "/etc/r.conf", "12", "no such file" },
		{ "/etc/r.conf: permission denied: sorry", "/etc/r.conf", "",
			"permission denied: sorry" },
		{ "something: else", "", "", "something: else" },
		{ "/etc/r.conf", "", "", "/etc/r.conf" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct reply reply =
			check_parse(slice_str(rows[i].line), SLICE("/etc/r.conf"), &arena);
		const struct slice *cells = reply.tables[0].cells;

		CHECK(reply.tables[0].n_rows == 1 && reply.complete, "row %zu", i);
		CHECK(slice_equal(cells[0], slice_str(rows[i].file)), "row %zu", i);
		CHECK(slice_equal(cells[1], slice_str(rows[i].number)), "row %zu", i);
		CHECK(slice_equal(cells[2], slice_str(rows[i].message)), "row %zu: %.*s", i,
			SLICE_FMT(cells[2]));
	}
}

static void test_request(void)
{
	_cleanup_buf_ struct buf out = BUF(CONTROL_REQUEST_BYTES),
				 too_long = BUF(CONTROL_REQUEST_BYTES);
	static char name[CONTROL_REQUEST_BYTES];
	struct slice words[] = { SLICE("kick"), SLICE("user"), SLICE("a\tb\nc") };

	CU_ASSERT_EQUAL(client_format(&out, words, 3), 0);
	CU_ASSERT_TRUE(slice_equal(buf_slice(&out), SLICE("kick\tuser\ta\\tb\\nc\n")));
	words[2] = slice_from(memset(name, 'x', sizeof name), sizeof name);
	CU_ASSERT_EQUAL(client_format(&too_long, words, 3), -E2BIG);
}

static void test_client_errors(void)
{
	char dir[] = "/tmp/test_ctl.XXXXXX", path[64], why[CLIENT_EXPLAIN_BYTES], long_path[200];
	_cleanup_buf_ struct buf answer = BUF(OUT_BYTES);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	CU_ASSERT_EQUAL(client_ask(path, SLICE("status\n"), 5, &answer), -ENOENT);
	client_explain(path, -ENOENT, why);
	CU_ASSERT_TRUE(strstr(why, path) && strstr(why, "no server"));
	strcpy(address.sun_path, path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	CU_ASSERT_EQUAL(client_ask(path, SLICE("status\n"), 5, &answer), -ECONNREFUSED);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL(
		client_ask(path, SLICE("status\n"), 1, &answer), -ETIMEDOUT); /* nobody accepts */
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	CU_ASSERT_EQUAL(client_ask(long_path, SLICE("status\n"), 5, &answer), -ENAMETOOLONG);
	client_explain(path, -EIO, why);
	CU_ASSERT_TRUE(strstr(why, "nput/output error") != NULL);
	unlink(path);
	rmdir(dir);
}

static const struct unit_test tests[] = {
	{ "a reply", test_reply },
	{ "a long reply", test_reply_grows },
	{ "what is no reply", test_bad_replies },
	{ "a reply cut off anywhere", test_cut_off },
	{ "UTF-8", test_utf8 },
	{ "JSON strings", test_json_strings },
	{ "JSON", test_json_reply },
	{ "durations", test_durations },
	{ "tables", test_text_reply },
	{ "no room", test_no_room },
	{ "output of restanted -t", test_check_output },
	{ "requests", test_request },
	{ "errors of the socket", test_client_errors },
};

UNIT_MAIN("ctl", tests)
