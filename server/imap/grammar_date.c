#include "server/imap/grammar_date.h"

#include "maildir/message/date.h"

enum { SECONDS_A_DAY = 86400 };

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

/* Exactly n digits. */
static bool take_digits(struct slice *s, size_t n, unsigned *ret_value)
{
	uint64_t value;

	if (s->n < n || !slice_number(slice_head(*s, n), 9999, &value))
		return false;
	*s = slice_tail(*s, n);
	*ret_value = (unsigned)value;
	return true;
}

static bool take_month(struct slice *s, unsigned *ret_month)
{
	for (unsigned i = 0; i < 12; i++)
		if (slice_skip_nocase(s, slice_str(months[i]))) {
			*ret_month = i + 1;
			return true;
		}
	return false;
}

/* "-Feb-1994" behind the day. */
static bool take_month_year(struct slice *s, unsigned day, int64_t *ret_days)
{
	unsigned month, year;

	if (!slice_skip(s, '-') || !take_month(s, &month) || !slice_skip(s, '-') ||
		!take_digits(s, 4, &year))
		return false;
	if (day < 1 || day > date_month_days((int32_t)year, month))
		return false;
	*ret_days = date_days_from_civil((int32_t)year, month, day);
	return true;
}

enum parse grammar_date(struct slice *in, int64_t *ret_days)
{
	struct slice s = *in;
	bool quoted = slice_skip(&s, '"');
	int64_t days;
	unsigned day;

	if (!take_digits(&s, s.n > 1 && ascii_is_digit(s.p[1]) ? 2 : 1, &day) ||
		!take_month_year(&s, day, &days))
		return PARSE_BAD;
	if (quoted && !slice_skip(&s, '"'))
		return PARSE_BAD;
	*in = s;
	*ret_days = days;
	return PARSE_OK;
}

/* "21:52:25"; a leap second is taken for the second before it. */
static bool take_time(struct slice *s, unsigned *ret_seconds)
{
	unsigned hour, minute, second;

	if (!take_digits(s, 2, &hour) || !slice_skip(s, ':') || !take_digits(s, 2, &minute) ||
		!slice_skip(s, ':') || !take_digits(s, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*ret_seconds = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
	return true;
}

/* "-0800" */
static bool take_zone(struct slice *s, int64_t *ret_seconds)
{
	bool west = s->n > 0 && s->p[0] == '-';
	unsigned hours, minutes;

	if (!west && (s->n == 0 || s->p[0] != '+'))
		return false;
	*s = slice_tail(*s, 1);
	if (!take_digits(s, 2, &hours) || !take_digits(s, 2, &minutes) || hours > 23 ||
		minutes > 59)
		return false;
	*ret_seconds = (int64_t)(hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

enum parse grammar_date_time(struct slice *in, int64_t *ret_seconds)
{
	struct slice s = *in;
	unsigned day, time;
	int64_t days, zone;

	if (!slice_skip(&s, '"') || !take_digits(&s, slice_skip(&s, ' ') ? 1 : 2, &day) ||
		!take_month_year(&s, day, &days))
		return PARSE_BAD;
	if (!slice_skip(&s, ' ') || !take_time(&s, &time) || !slice_skip(&s, ' ') ||
		!take_zone(&s, &zone) || !slice_skip(&s, '"'))
		return PARSE_BAD;
	*in = s;
	*ret_seconds = days * SECONDS_A_DAY + time - zone;
	return PARSE_OK;
}

static void put_digits(char *at, size_t n, unsigned value)
{
	while (n-- > 0) {
		at[n] = (char)('0' + value % 10);
		value /= 10;
	}
}

void date_time_format(int64_t seconds, char ret_text[DATE_TIME_TEXT_BYTES])
{
	const int64_t least = date_days_from_civil(0, 1, 1) * SECONDS_A_DAY;
	const int64_t most = date_days_from_civil(10000, 1, 1) * SECONDS_A_DAY - 1;
	struct civil civil = date_civil_from_unix(seconds < least  ? least
						  : seconds > most ? most
								   : seconds,
		0);

	memcpy(ret_text, "\"DD-Mon-YYYY HH:MM:SS +0000\"", DATE_TIME_TEXT_BYTES);
	put_digits(ret_text + 1, 2, civil.day);
	if (civil.day < 10)
		ret_text[1] = ' ';
	memcpy(ret_text + 4, months[civil.month - 1], 3);
	put_digits(ret_text + 8, 4, (unsigned)civil.year);
	put_digits(ret_text + 13, 2, civil.hour);
	put_digits(ret_text + 16, 2, civil.minute);
	put_digits(ret_text + 19, 2, civil.second);
}
