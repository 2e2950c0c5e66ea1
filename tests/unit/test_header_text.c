/* rfc2047.h, rfc2231.h and subject.h: what header fields say. */
#include "maildir/message/rfc2047.h"
#include "maildir/message/rfc2231.h"
#include "maildir/message/subject.h"

#include "tests/unit/unit.h"

#include <errno.h>

#define NIHONGO "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
#define BAD "\xef\xbf\xbd"

static const struct {
	struct slice in, want;
} words[] = {
	{ SLICE(""), SLICE("") },
	{ SLICE(" plain \n text "), SLICE("plain  text") },
	{ SLICE("=?utf-8?Q?a=20b_c?="), SLICE("a b c") },
	{ SLICE("=?UTF-8?b?5pel5pys6Kqe?="), SLICE(NIHONGO) },
	{ SLICE("x =?utf-8?q?a?= y"), SLICE("x a y") },
	{ SLICE("=?utf-8?q?a?= =?utf-8?q?b?=\n =?iso-8859-1?q?=E9?= c"), SLICE("ab\xc3\xa9 c") },
	{ SLICE("=?utf-8?q?=E6=97?= =?utf-8?q?=A5?="), SLICE("\xe6\x97\xa5") },
	{ SLICE("=?utf-8?B?5pel5p?= =?utf-8?B?ys6Kqe?="), SLICE(NIHONGO) },
	{ SLICE("=?iso-2022-jp?B?GyRCRnw=?= =?ISO-2022-JP?B?S1wbKEI=?="), SLICE("\xe6\x97\xa5\xe6\x9c\xac") },
	{ SLICE("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?="), SLICE("\xe6\x97\xa5\xe6\x9c\xac") },
	{ SLICE("=?utf-8*ja?Q?a?="), SLICE("a") },
	{ SLICE("\"=?utf-8?q?a?=\" <a@b>"), SLICE("\"a\" <a@b>") },
	{ SLICE("a=?utf-8?q?b?=c"), SLICE("abc") },
	{ SLICE("=?utf-8?q?a b?="), SLICE("a b") },
	{ SLICE("=?utf-8?q?no end"), SLICE("=?utf-8?q?no end") },
	{ SLICE("=?utf-8?x?a?= =??q?a?= =?utf-8?q?a?="), SLICE("=?utf-8?x?a?= =??q?a?= a") },
	{ SLICE("=?utf-8?q?" "?= =?utf-8?q?a?="), SLICE("a") },
	{ SLICE("=?utf-8?q?=ZZ=4?="), SLICE("=ZZ=4") },
	{ SLICE("=?utf-8?q?=FF?="), SLICE(BAD) },
	{ SLICE("=?utf-8?q?=E6=97?= x"), SLICE(BAD " x") },
	{ SLICE("=?x-unknown?q?caf=E9?="), SLICE("caf\xc3\xa9") },
	{ SLICE("=?utf-8?q?a=0D=0Ab=00c?="), SLICE("a  b c") },
	{ SLICE("caf\xe9"), SLICE("caf\xc3\xa9") },
	{ SLICE("\x1b$BF|K\\\x1b(B"), SLICE("\xe6\x97\xa5\xe6\x9c\xac") },
	{ SLICE(NIHONGO " =?utf-8?q?a?="), SLICE(NIHONGO " a") },
	{ SLICE("=?utf-8?B?!?="), SLICE("") },
	{ SLICE("=?=?utf-8?q?a?="), SLICE("=?a") },
};

static void test_words(void)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		_cleanup_buf_ struct buf out = BUF(10000);

		CHECK(rfc2047_decode(words[i].in, &out) == 0, "row %zu", i);
		CHECK(slice_equal(buf_slice(&out), words[i].want), "row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
	}

	_cleanup_buf_ struct buf small = BUF(3);

	CU_ASSERT_EQUAL(rfc2047_decode(SLICE("=?utf-8?q?abcd?="), &small), -ENOBUFS);
	CU_ASSERT_EQUAL(small.n, 0);
}

/* Many beginnings must not take more than its share of time. */
static void test_hostile_words(void)
{
	static const char *const pieces[] = { "=?", "=?a?q?", "=?a?q?x?=", "=?a?b?\xff?= ", "?=" };

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		_cleanup_buf_ struct buf in = BUF(1 << 17), out = BUF(1 << 20);

		while (buf_add_str(&in, pieces[i]) == 0)
			;
		CHECK(rfc2047_decode(buf_slice(&in), &out) == 0, "%s", pieces[i]);
	}
}

static const struct {
	struct slice in, name, want;
} params[] = {
	{ SLICE("; a=b"), SLICE("A"), SLICE("b") },
	{ SLICE(" (x) ; a (y) = (z) \"b c\" ; d=e"), SLICE("a"), SLICE("b c") },
	{ SLICE("; a=\"b\\\"\\\\\n c\""), SLICE("a"), SLICE("b\"\\ c") },
	{ SLICE("; a*0=x; a*1=y; a*2=z"), SLICE("a"), SLICE("xyz") },
	{ SLICE("; a*1=y; a*0=x"), SLICE("a"), SLICE("xy") },
	{ SLICE("; a*10=k; a*9=j; a*8=i; a*7=h; a*6=g; a*5=f; a*4=e; a*3=d; a*2=c; a*1=b; a*0=a"), SLICE("a"),
		SLICE("abcdefghijk") },
	{ SLICE("; a*=utf-8'ja'%E6%97%A5%20x"), SLICE("a"), SLICE("\xe6\x97\xa5 x") },
	{ SLICE("; a*0*=utf-8''%E6%97; a*1*=%A5; a*2=\"%20\""), SLICE("a"), SLICE("\xe6\x97\xa5%20") },
	{ SLICE("; a*0*=iso-2022-jp''%1b$BF|; a*1*=%1b%28B"), SLICE("a"), SLICE("\xe6\x97\xa5") },
	{ SLICE("; a*=%41"), SLICE("a"), SLICE("A") },
	{ SLICE("; a*=bad''%4"), SLICE("a"), SLICE("%4") },
	{ SLICE("; a=\"=?utf-8?q?x_y?=\""), SLICE("a"), SLICE("x y") },
	{ SLICE("; a==?utf-8?q?x?=; b=c"), SLICE("b"), SLICE("c") },
	{ SLICE("; a=plain; a*=utf-8''ext"), SLICE("a"), SLICE("ext") },
	{ SLICE("; ; =x; a; b=c"), SLICE("b"), SLICE("c") },
	{ SLICE("; a=\"open"), SLICE("a"), SLICE("open") },
	{ SLICE("; a="), SLICE("a"), SLICE("") },
	{ SLICE("junk; a=b"), SLICE("a"), SLICE("b") },
};

static void test_params(void)
{
	for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		_cleanup_buf_ struct buf out = BUF(1000);
		struct mime_param *first = rfc2231_parse(params[i].in, &arena);

		CHECK(rfc2231_value(first, params[i].name, &out) == 0, "row %zu", i);
		CHECK(slice_equal(buf_slice(&out), params[i].want), "row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
	}

	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf out = BUF(1000);
	struct mime_param *gap = rfc2231_parse(SLICE("; a*0=x; a*2=y; b=c"), &arena);

	CU_ASSERT_EQUAL(rfc2231_value(gap, SLICE("a"), &out), -ENOENT);
	CU_ASSERT(slice_equal(mime_param_value(gap, SLICE("a*2")), SLICE("y")));
	CU_ASSERT(slice_equal(gap->name, SLICE("b")));
}

static void test_many_params(void)
{
	_cleanup_buf_ struct buf in = BUF(1 << 20);
	_cleanup_arena_ struct arena arena = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < MIME_PARAMS + 500; i++)
		CU_ASSERT_EQUAL(buf_addf(&in, ";a%u*%u=x", i % 2, i / 2), 0);
	for (struct mime_param *p = rfc2231_parse(buf_slice(&in), &arena); p; p = p->next, n++)
		CU_ASSERT_EQUAL(p->value.n, MIME_PARAMS / 2);
	CU_ASSERT_EQUAL(n, 2);
}

static const struct {
	const char *in, *want;
	bool is_reply;
} subjects[] = {
	{ "hello", "hello", false },
	{ "Re: hello", "hello", true },
	{ "re:Fwd: FW: hello", "hello", true },
	{ "Re [x]: hello", "hello", true },
	{ "[list] Re: [other] hello", "hello", true },
	{ "[list] hello", "hello", false },
	{ "[list]", "[list]", false },
	{ "hello (fwd) (FWD) ", "hello", true },
	{ "[fwd: hello]", "hello", true },
	{ "Re: [Fwd: [fwd: x (fwd)]]", "x", true },
	{ " a \t b ", "a b", false },
	{ "Re:", "", true },
	{ "Re: Re: [a] [b] c", "c", true },
	{ "Re[2]: x", "x", true },
	{ "Re^3: x", "x", true },
	{ "Re\xef\xbc\x9a x", "x", true },
	{ "=?utf-8?q?Re:_x?=", "x", true },
	{ "Reply: x", "Reply: x", false },
	{ "re", "re", false },
	{ "[unclosed Re: x", "[unclosed Re: x", false },
	{ "", "", false },
	{ "[fwd:]", "", true },
};

static void test_subjects(void)
{
	for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
		_cleanup_buf_ struct buf out = BUF(1000);
		bool is_reply = !subjects[i].is_reply;

		CHECK(buf_add_str(&out, "kept ") == 0, "row %zu", i);
		CHECK(subject_base(slice_str(subjects[i].in), &out, &is_reply) == 0, "row %zu", i);
		CHECK(slice_equal(slice_tail(buf_slice(&out), 5), slice_str(subjects[i].want)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
		CHECK(is_reply == subjects[i].is_reply, "row %zu", i);
	}
}

static void test_hostile_subjects(void)
{
	static const char *const pieces[] = { "[a]", "Re:", "[fwd:", "re[", " ", "(fwd)", "[" };

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		_cleanup_buf_ struct buf in = BUF(1 << 17), out = BUF(1 << 20);

		while (buf_add_str(&in, pieces[i]) == 0)
			;
		CHECK(subject_base(buf_slice(&in), &out, NULL) == 0, "%s", pieces[i]);
	}
}

static const struct unit_test tests[] = {
	{ "encoded words", test_words },
	{ "hostile words", test_hostile_words },
	{ "parameters", test_params },
	{ "many parameters", test_many_params },
	{ "base subjects", test_subjects },
	{ "hostile subjects", test_hostile_subjects },
};

UNIT_MAIN("header_text", tests)
