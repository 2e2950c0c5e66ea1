#include "maildir/message/date.h"

#include "maildir/message/token.h"

enum { SECONDS_A_DAY = 86400, MINUTES_A_DAY = 1440 };

static int64_t floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Years that begin in March, in eras of 400: leap days are then at the end of both. */
int64_t date_days_from_civil(int32_t year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = floor_divide(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

struct civil date_civil_from_unix(int64_t unix_sec, int32_t zone_minutes)
{
	int64_t local = unix_sec + (int64_t)zone_minutes * 60;
	int64_t days = floor_divide(local, SECONDS_A_DAY), second = local - days * SECONDS_A_DAY;
	int64_t shifted = days + 719468, era = floor_divide(shifted, 146097), day_of_era = shifted - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

	return (struct civil){
		.year = (int32_t)(year_of_era + era * 400 + (month <= 2)),
		.month = (uint8_t)month,
		.day = (uint8_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
		.hour = (uint8_t)(second / 3600),
		.minute = (uint8_t)(second / 60 % 60),
		.second = (uint8_t)(second % 60),
		.weekday = (uint8_t)(((days + 4) % 7 + 7) % 7),
	};
}

int64_t date_unix_from_civil(const struct civil *c, int32_t zone_minutes)
{
	int64_t days = date_days_from_civil(c->year, c->month, c->day);

	return days * SECONDS_A_DAY + c->hour * 3600 + c->minute * 60 + c->second - (int64_t)zone_minutes * 60;
}

unsigned date_month_days(int32_t year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[(month - 1) % 12];
}

unsigned date_month_from_name(struct slice name)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (unsigned i = 0; name.n >= 3 && i < 12; i++)
		if (slice_equal_nocase(slice_head(name, 3), slice_from(names + i * 3, 3)))
			return i + 1;
	return 0;
}

/* What was read so far; parts come in any order, the first number that can be a day is one. */
struct date_scan {
	struct slice in;
	struct civil civil;
	bool has_day, has_month, has_year, has_time, has_zone;
	int32_t zone_minutes;
};

/* Take up to most digits. Returns how many. */
static size_t take_digits(struct slice *in, size_t most, uint32_t *ret_value)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < most && n < in->n && ascii_is_digit(in->p[n]))
		n++;
	if (n > 0)
		slice_number(slice_head(*in, n), UINT32_MAX, &value);
	*in = slice_tail(*in, n);
	*ret_value = (uint32_t)value;
	return n;
}

static struct slice take_word(struct slice *in)
{
	size_t n = 0;

	while (n < in->n && ascii_is_alpha(in->p[n]))
		n++;
	return slice_take(in, n);
}

/* RFC 5322 section 4.3; the letters of the military are of no known meaning there. */
static bool zone_from_name(struct slice name, int32_t *ret_minutes)
{
	static const struct {
		struct slice name;
		int32_t minutes;
	} zones[] = {
		{ SLICE("UT"), 0 },       { SLICE("GMT"), 0 },      { SLICE("UTC"), 0 },      { SLICE("Z"), 0 },
		{ SLICE("EST"), -300 },   { SLICE("EDT"), -240 },   { SLICE("CST"), -360 },   { SLICE("CDT"), -300 },
		{ SLICE("MST"), -420 },   { SLICE("MDT"), -360 },   { SLICE("PST"), -480 },   { SLICE("PDT"), -420 },
		{ SLICE("JST"), 540 },    { SLICE("KST"), 540 },    { SLICE("MET"), 60 },     { SLICE("CET"), 60 },
		{ SLICE("MEST"), 120 },   { SLICE("CEST"), 120 },   { SLICE("MESZ"), 120 },   { SLICE("MEZ"), 60 },
		{ SLICE("WET"), 0 },      { SLICE("WEST"), 60 },    { SLICE("BST"), 60 },     { SLICE("EET"), 120 },
		{ SLICE("EEST"), 180 },   { SLICE("MSK"), 180 },    { SLICE("AEST"), 600 },   { SLICE("HST"), -600 },
	};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (slice_equal_nocase(name, zones[i].name)) {
			*ret_minutes = zones[i].minutes;
			return true;
		}
	return false;
}

/* Take "+0900", "+09:00" or "+9" behind the sign. */
static void take_offset(struct date_scan *s, int sign)
{
	struct slice in = s->in;
	uint32_t hours, minutes = 0, value;
	size_t n = take_digits(&in, 4, &value);

	hours = n >= 3 ? value / 100 : value;
	minutes = n >= 3 ? value % 100 : 0;
	if (n == 1 || n == 2) {
		struct slice behind = in;

		if (slice_skip(&behind, ':') && take_digits(&behind, 2, &minutes) == 2)
			in = behind;
	}
	if (n == 0)
		return;
	s->in = in;
	s->has_zone = true;
	if (hours < 24 && minutes < 60)
		s->zone_minutes = sign * (int32_t)(hours * 60 + minutes);
}

/* Take ":mm" and ":ss" behind an hour; dots are seen for colons. */
static bool take_time(struct date_scan *s, uint32_t hour)
{
	struct slice in = s->in;
	uint32_t minute, second = 0;
	char sep = in.n > 0 ? in.p[0] : '\0';

	token_skip_cfws(&in);
	if (s->has_time || hour > 24 || (!slice_skip(&in, ':') && !(sep == '.' && slice_skip(&in, '.'))))
		return false;
	token_skip_cfws(&in);
	if (take_digits(&in, 2, &minute) == 0 || minute > 59)
		return false;
	s->in = in;
	token_skip_cfws(&in);
	if (slice_skip(&in, ':') || (sep == '.' && slice_skip(&in, '.'))) {
		token_skip_cfws(&in);
		if (take_digits(&in, 2, &second) > 0)
			s->in = in;
	}
	if (slice_skip(&in, '.') && take_digits(&in, 9, &(uint32_t){ 0 }) > 0)
		s->in = in; /* fractions of a second */
	s->civil.hour = (uint8_t)hour;
	s->civil.minute = (uint8_t)minute;
	s->civil.second = (uint8_t)(second > 60 ? 0 : second);
	s->has_time = true;
	return true;
}

/* RFC 5322 section 4.3: two digits below 50 are 20xx, others and three digits count from 1900. */
static void set_year(struct date_scan *s, uint32_t value, size_t digits)
{
	if (digits == 2)
		value += value < 50 ? 2000 : 1900;
	else if (digits == 3)
		value += 1900;
	s->civil.year = (int32_t)value;
	s->has_year = true;
}

/* "2024-01-31", as ISO 8601 has it, behind the year. */
static bool take_iso_date(struct date_scan *s, uint32_t year)
{
	struct slice in = s->in;
	uint32_t month, day;

	if (s->has_year || s->has_month || s->has_day || !(slice_skip(&in, '-') || slice_skip(&in, '/')) ||
		take_digits(&in, 2, &month) == 0 || !(slice_skip(&in, '-') || slice_skip(&in, '/')) ||
		take_digits(&in, 2, &day) == 0 || month < 1 || month > 12)
		return false;
	set_year(s, year, 4);
	s->civil.month = (uint8_t)month;
	s->civil.day = (uint8_t)(day > 31 ? 0 : day);
	s->has_month = s->has_day = true;
	if (s->in.n > 0 && in.n > 0 && (in.p[0] == 'T' || in.p[0] == 't'))
		in = slice_tail(in, 1);
	s->in = in;
	return true;
}

static void take_number(struct date_scan *s)
{
	uint32_t value;
	size_t n = take_digits(&s->in, 9, &value);

	if (n <= 2 && take_time(s, value))
		return;
	if (n == 4 && take_iso_date(s, value))
		return;
	if (!s->has_day && n <= 2 && value >= 1 && value <= 31) {
		s->civil.day = (uint8_t)value;
		s->has_day = true;
	} else if (!s->has_year && n >= 2 && (s->has_month || n == 4)) {
		set_year(s, value, n);
	}
}

static void take_name(struct date_scan *s)
{
	struct slice word = take_word(&s->in);
	unsigned month = date_month_from_name(word);

	if (s->has_time && !s->has_zone && zone_from_name(word, &s->zone_minutes)) {
		s->has_zone = true;
	} else if (month > 0 && !s->has_month) {
		s->civil.month = (uint8_t)month;
		s->has_month = true;
	} else if (s->has_time && slice_equal_nocase(word, SLICE("pm")) && s->civil.hour < 12) {
		s->civil.hour = (uint8_t)(s->civil.hour + 12);
	} else if (s->has_time && slice_equal_nocase(word, SLICE("am")) && s->civil.hour == 12) {
		s->civil.hour = 0;
	}
}

static void take_some(struct date_scan *s)
{
	char c = s->in.p[0];

	if (ascii_is_digit(c)) {
		take_number(s);
	} else if (ascii_is_alpha(c)) {
		take_name(s);
	} else {
		s->in = slice_tail(s->in, 1);
		if ((c == '+' || c == '-') && s->has_time && !s->has_zone)
			take_offset(s, c == '-' ? -1 : 1);
	}
}

bool date_parse_rfc5322(struct slice value, int64_t *ret_unix_sec, int32_t *ret_zone_minutes)
{
	struct date_scan s = { .in = value };

	for (token_skip_cfws(&s.in); s.in.n > 0; token_skip_cfws(&s.in))
		take_some(&s);
	if (!s.has_day || !s.has_month || !s.has_year || s.civil.day == 0 || s.civil.year < 1 ||
		s.civil.year > 9999)
		return false;

	unsigned days = date_month_days(s.civil.year, s.civil.month);

	if (s.civil.day > days)
		return false;
	*ret_unix_sec = date_unix_from_civil(&s.civil, s.zone_minutes);
	*ret_zone_minutes = s.zone_minutes;
	return true;
}
