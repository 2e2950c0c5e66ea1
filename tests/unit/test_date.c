#include "maildir/message/date.h"

#include "tests/unit/unit.h"

/* 1709264096 is 2024-03-01 03:34:56 UTC. */
static const struct {
	const char *in;
	bool ok;
	int64_t sec;
	int32_t zone;
} rows[] = {
	{ "Fri, 1 Mar 2024 12:34:56 +0900", true, 1709264096, 540 },
	{ "Fri, 01 Mar 2024\r\n 12:34:56 +0900 (JST)", true, 1709264096, 540 },
	{ "1 Mar 2024 03:34:56 -0000", true, 1709264096, 0 },
	{ "1 Mar 2024 03:34:56", true, 1709264096, 0 },
	{ "1 Mar 24 03:34:56 GMT", true, 1709264096, 0 },
	{ "1 Mar 124 03:34:56 UT", true, 1709264096, 0 },
	{ "Thu, 29 Feb 2024 22:34:56 EST", true, 1709264096, -300 },
	{ "1 (one) Mar (March) 2024 (y) 12 : 34 : 56 (t) +0900", true, 1709264096, 540 },
	{ "Fri Mar  1 03:34:56 2024", true, 1709264096, 0 },
	{ "Fri Mar  1 12:34:56 JST 2024", true, 1709264096, 540 },
	{ "2024-03-01T12:34:56+09:00", true, 1709264096, 540 },
	{ "2024-03-01 03:34:56.789Z", true, 1709264096, 0 },
	{ "March 1, 2024 3:34:56 AM", true, 1709264096, 0 },
	{ "Monday, 1 March 2024 12:34:56 +9", true, 1709264096, 540 },
	{ "1-Mar-2024 03:34:56 +0000", true, 1709264096, 0 },
	{ "Fri, 1 Mar 2024 12.34.56 +0900", true, 1709264096, 540 },
	{ "1 Mar 2024 12:34 +0900", true, 1709264040, 540 },
	{ "1 Mar 2024", true, 1709251200, 0 },
	{ "1 Mar 99 00:00:00 Z", true, 920246400, 0 },
	{ "31 Dec 1998 23:59:60 +0000", true, 915148800, 0 },
	{ "1 Jan 1970 00:00:00 +0000", true, 0, 0 },
	{ "31 Dec 1969 23:59:59 +0000", true, -1, 0 },
	{ "1 Mar 2024 03:34:56 +9999", true, 1709264096, 0 },
	{ "1 Mar 2024 03:34:56 A", true, 1709264096, 0 },
	{ "30 Feb 2024 00:00:00 +0000", false, 0, 0 },
	{ "garbage", false, 0, 0 },
	{ "", false, 0, 0 },
	{ "1 2 3 4", false, 0, 0 },
	{ "12:34:56", false, 0, 0 },
	{ "1 Mar 99999999999999", false, 0, 0 },
	{ "(1 Mar 2024", false, 0, 0 },
};

static void test_parse(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t sec = -7;
		int32_t zone = -7;
		bool ok = date_parse_rfc5322(slice_str(rows[i].in), &sec, &zone);

		CHECK(ok == rows[i].ok, "%s", rows[i].in);
		if (ok)
			CHECK(sec == rows[i].sec && zone == rows[i].zone, "%s: %lld %d", rows[i].in, (long long)sec, zone);
		else
			CHECK(sec == -7 && zone == -7, "%s", rows[i].in);
	}
}

static void test_calendar(void)
{
	CU_ASSERT_EQUAL(date_days_from_civil(1970, 1, 1), 0);
	CU_ASSERT_EQUAL(date_days_from_civil(2000, 3, 1), 11017);
	CU_ASSERT_EQUAL(date_days_from_civil(1600, 2, 29), -135081);
	CU_ASSERT_EQUAL(date_month_days(1900, 2), 28);
	CU_ASSERT_EQUAL(date_month_days(2000, 2), 29);
	CU_ASSERT_EQUAL(date_month_from_name(SLICE("september")), 9);
	CU_ASSERT_EQUAL(date_month_from_name(SLICE("xy")), 0);
	for (int64_t day = -800000; day < 800000; day += 13) {
		struct civil c = date_civil_from_unix(day * 86400 + 4242, 0);

		CHECK(date_days_from_civil(c.year, c.month, c.day) == day, "day %lld", (long long)day);
		CHECK(c.weekday == ((day + 4) % 7 + 7) % 7, "day %lld", (long long)day);
		CHECK(date_unix_from_civil(&c, 0) == day * 86400 + 4242, "day %lld", (long long)day);
	}

	struct civil c = date_civil_from_unix(1709264096, 540);

	CU_ASSERT(c.year == 2024 && c.month == 3 && c.day == 1 && c.hour == 12 && c.minute == 34 && c.second == 56);
	CU_ASSERT_EQUAL(c.weekday, 5);
}

static const struct unit_test tests[] = {
	{ "parse", test_parse },
	{ "calendar", test_calendar },
};

UNIT_MAIN("date", tests)
