/* fuzz_date.c - dates: within their range, and the calendar agrees with itself. */
#include "base/must.h"
#include "maildir/message/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	int64_t sec;
	int32_t zone;

	if (!date_parse_rfc5322(slice_from(bytes, n), &sec, &zone))
		return 0;
	must(zone > -1440 && zone < 1440);

	struct civil civil = date_civil_from_unix(sec, zone);

	must(civil.month >= 1 && civil.month <= 12 && civil.day >= 1);
	must(civil.day <= date_month_days(civil.year, civil.month) && civil.weekday < 7);
	must(date_unix_from_civil(&civil, zone) == sec);
	return 0;
}
