#include "maildir/message/address.h"
#include "maildir/message/envelope.h"

#include "base/limits.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* The value of a To field, and what ENVELOPE makes of it. */
static const struct {
	struct slice value;
	const char *want;
} rows[] = {
	{ SLICE("a@b"), "((NIL NIL \"a\" \"b\"))" },
	{ SLICE("A B <a@b>"), "((\"A B\" NIL \"a\" \"b\"))" },
	{ SLICE("\"A, B\" <a@b>, c@d (C (x) D)"), "((\"A, B\" NIL \"a\" \"b\")(\"C (x) D\" NIL \"c\" \"d\"))" },
	{ SLICE("\"a\\\"b\\\\c\" <a@b>"), "((\"a\\\"b\\\\c\" NIL \"a\" \"b\"))" },
	{ SLICE("G: a@b, C <c@d>;, e@f"),
		"((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(\"C\" NIL \"c\" \"d\")(NIL NIL NIL NIL)(NIL NIL \"e\" \"f\"))" },
	{ SLICE("undisclosed-recipients:;"), "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))" },
	{ SLICE("G: a@b"), "((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))" },
	{ SLICE("<@r1,@r2:a@b>"), "((NIL \"@r1,@r2\" \"a\" \"b\"))" },
	{ SLICE("<@r1>"), "((NIL \"INVALID_ROUTE\" \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ SLICE("root"), "((NIL NIL \"root\" \"MISSING_DOMAIN\"))" },
	{ SLICE("A B"), "((\"A B\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ SLICE("<>"), "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ SLICE("F. Bar <a . b @ c . d>"), "((\"F. Bar\" NIL \"a.b\" \"c.d\"))" },
	{ SLICE("a @ [1.2.3.4]"), "((NIL NIL \"a\" \"[1.2.3.4]\"))" },
	{ SLICE("\"a b\"@c"), "((NIL NIL \"a b\" \"c\"))" },
	{ SLICE("A [B] <a@b>"), "((\"A [B]\" NIL \"a\" \"b\"))" },
	{ SLICE("c@d <a@b>"), "((\"c@d\" NIL \"a\" \"b\"))" },
	{ SLICE("A <a@b"), "((\"A\" NIL \"a\" \"b\"))" },
	{ SLICE("A <a b@c>, d@e"), "((\"A\" NIL \"a\" \"SYNTAX_ERROR\")(NIL NIL \"d\" \"e\"))" },
	{ SLICE(",, a@b;c@d,"), "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ SLICE("\"open <a@b>"), "((\"\\\"open\" NIL \"a\" \"b\"))" },
	{ SLICE("(open a@b"), "NIL" },
	{ SLICE("A\n B\r\n\tC <a@b>"), "((\"A B C\" NIL \"a\" \"b\"))" },
	{ SLICE("\x1b$B<\"(>,\x1b(B <a@b>"), "((\"\x1b$B<\\\"(>,\x1b(B\" NIL \"a\" \"b\"))" },
	{ SLICE("\xe3\x81\x82 <a@b>"), "(({3}\r\n\xe3\x81\x82 NIL \"a\" \"b\"))" },
	{ SLICE("a\0b <a@b>"), "(({5}\r\na\xef\xbf\xbd" "b NIL \"a\" \"b\"))" },
	{ SLICE(""), "NIL" },
	{ SLICE(" (c) "), "NIL" },
};

static void test_addresses(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf header = BUF(1000), out = BUF(10000), want = BUF(10000);

		CHECK(buf_add_str(&header, "To: ") == 0 && buf_add(&header, rows[i].value) == 0, "row %zu", i);
		CHECK(buf_addf(&want, "(NIL NIL NIL NIL NIL %s NIL NIL NIL NIL)", rows[i].want) == 0, "row %zu", i);
		CHECK(envelope_format(buf_slice(&header), &out) == 0, "row %zu", i);
		CHECK(slice_equal(buf_slice(&out), buf_slice(&want)), "row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
	}
}

static void test_whole(void)
{
	_cleanup_buf_ struct buf out = BUF(10000);
	struct slice header = SLICE("date: d\nSubject: one\n two \nFrom: a@b\nTo: c@d\nX: y\nTo: e@f\nCC:\nMessage-Id: <m>\n"
				    "In-Reply-To:\nSubject: \"q\"\n\nFrom: x@y\n");
	const char *want = "(\"d\" \"\\\"q\\\"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
			   "((NIL NIL \"c\" \"d\")(NIL NIL \"e\" \"f\")) NIL NIL \"\" \"<m>\")";

	CU_ASSERT_EQUAL(envelope_format(header, &out), 0);
	CHECK(slice_equal(buf_slice(&out), slice_str(want)), "%.*s", SLICE_FMT(buf_slice(&out)));
	for (size_t room = 0; room < 100; room++) {
		_cleanup_buf_ struct buf small = BUF(room);

		CHECK(envelope_format(header, &small) == -ENOBUFS && small.n == 0, "room %zu", room);
	}
}

static void test_limit(void)
{
	_cleanup_buf_ struct buf value = BUF(1 << 20);
	_cleanup_arena_ struct arena arena = { 0 };
	unsigned n = 0;

	CU_ASSERT_EQUAL(buf_add_str(&value, "G:"), 0);
	for (unsigned i = 0; i < LIMIT_ADDRESSES + 10; i++)
		CU_ASSERT_EQUAL(buf_add_str(&value, "a@b,"), 0);
	for (struct mail_address *a = mail_address_parse(buf_slice(&value), &arena); a; a = a->next, n++)
		CU_ASSERT(a->next || a->kind == MAIL_GROUP_END);
	CU_ASSERT_EQUAL(n, LIMIT_ADDRESSES + 1);
}

/* A megabyte of anything must not take more than its share of time. */
static void test_hostile_size(void)
{
	static const char *const pieces[] = { "(", "\"", "\\\"", "<", "@", ":", ";,", "a ", ".", "[", "\x1b$", "=?" };

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		_cleanup_buf_ struct buf header = BUF(1 << 20), out = BUF(64 << 20);

		CU_ASSERT_EQUAL(buf_add_str(&header, "From: "), 0);
		while (buf_add_str(&header, pieces[i]) == 0)
			;
		CHECK(envelope_format(buf_slice(&header), &out) == 0, "%s", pieces[i]);
	}
}

static const struct unit_test tests[] = {
	{ "addresses", test_addresses },
	{ "whole", test_whole },
	{ "limit", test_limit },
	{ "hostile size", test_hostile_size },
};

UNIT_MAIN("envelope", tests)
