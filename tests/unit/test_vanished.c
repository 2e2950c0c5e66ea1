#include "maildir/vanished.h"

#include "base/limits.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const struct {
	uint64_t modseq;
	const char *want; /* NULL: the log does not reach back so far */
} CASES[] = {
	{ 99, NULL },
	{ 100, "1 2 5 7 9" },
	{ 109, "1 2 5 7 9" },
	{ 110, "1 2 7" },
	{ 119, "1 2 7" },
	{ 120, "2" },
	{ 130, "" },
	{ UINT64_MAX, "" },
};

static void format(const uint32_t *uids, size_t n, char *ret_text, size_t bytes)
{
	size_t at = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(
			ret_text + at, bytes - at, "%s%u", i > 0 ? " " : "", (unsigned)uids[i]);
}

static void test_since(void)
{
	struct vanished v = { 0 };
	_cleanup_arena_ struct arena arena = { 0 };

	vanished_reset(&v, 100);
	vanished_add(&v, 9);
	vanished_add(&v, 5);
	vanished_stamp(&v, 110, LIMIT_EXPUNGE_LOG);
	vanished_add(&v, 7);
	vanished_add(&v, 1);
	vanished_add(&v, 2);
	vanished_stamp(&v, 120, LIMIT_EXPUNGE_LOG);
	vanished_add(&v, 2);
	vanished_stamp(&v, 130, LIMIT_EXPUNGE_LOG);
	vanished_stamp(&v, 140, LIMIT_EXPUNGE_LOG); /* nothing was added */

	for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		const uint32_t *uids;
		size_t n;
		char text[64];
		int r = vanished_since(&v, CASES[i].modseq, &arena, &uids, &n);

		CU_ASSERT_EQUAL(r, CASES[i].want ? 0 : -ENODATA);
		if (r < 0 || !CASES[i].want)
			continue;
		format(uids, n, text, sizeof text);
		CU_ASSERT_STRING_EQUAL(text, CASES[i].want);
	}
	vanished_done(&v);
}

static void test_bound(void)
{
	enum { KEEP = 100 };
	struct vanished v = { 0 };
	_cleanup_arena_ struct arena arena = { 0 };
	const uint32_t *uids;
	size_t n;

	for (uint32_t msg_uid = 1; msg_uid <= 1000; msg_uid++) {
		vanished_add(&v, msg_uid);
		vanished_stamp(&v, msg_uid + 5000, KEEP);
		CU_ASSERT(v.n <= KEEP);

		/* Whatever it still answers is complete. */
		CU_ASSERT_EQUAL(vanished_since(&v, v.complete_from, &arena, &uids, &n), 0);
		CU_ASSERT_EQUAL(n, msg_uid + 5000 - (v.complete_from ? v.complete_from : 5000));
		if (v.complete_from > 0)
			CU_ASSERT_EQUAL(vanished_since(&v, v.complete_from - 1, &arena, &uids, &n),
				-ENODATA);
	}
	for (uint32_t msg_uid = 1; msg_uid <= 1000; msg_uid++) /* more at once than it keeps */
		vanished_add(&v, msg_uid);
	vanished_stamp(&v, 9000, KEEP);
	CU_ASSERT_EQUAL(v.complete_from, 9000);
	CU_ASSERT_EQUAL(vanished_since(&v, 8999, &arena, &uids, &n), -ENODATA);
	vanished_done(&v);
}

static const struct unit_test TESTS[] = {
	{ "UIDs above a modseq, ascending, once", test_since },
	{ "the log is bounded, and knows how far it reaches", test_bound },
};

UNIT_MAIN("vanished", TESTS)
