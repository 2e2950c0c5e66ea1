/* date.h - dates of messages as found in the wild, and the civil calendar. Pure; knows no time zone but those given. */
#pragma once

#include "base/slice.h"

/*
 * Read the value of a Date field (or the date of a Received field).
 *
 * Takes what RFC 5322 allows, obsolete zones and two- and three-digit years included, and what is found beside:
 * no weekday or a wrong one, no seconds, full month names, blanks and comments anywhere, 2024-01-31 and T as ISO 8601 has it,
 * "Jan 31 12:00:00 2024" as asctime() has it, a zone with a colon or none (then it counts as -0000).
 *
 * Returns  false: no day can be made out. *ret_unix_sec: seconds since 1970 UTC, within the years 1 to 9999;
 *          *ret_zone_minutes: east of Greenwich, within +-1439.
 * RFC      5322 sections 3.3 and 4.3.
 */
bool date_parse_rfc5322(struct slice value, int64_t *ret_unix_sec, int32_t *ret_zone_minutes);

/* A day and time of the proleptic Gregorian calendar. */
struct civil {
	int32_t year;
	uint8_t month; /* 1-12 */
	uint8_t day;   /* 1-31 */
	uint8_t hour, minute, second;
	uint8_t weekday; /* 0 is Sunday; ignored as input */
};

/* Days from 1970-01-01 to a day; month 1-12, day 1-31 (days beyond a month's end run into the next). Years within +-1,000,000. */
int64_t date_days_from_civil(int32_t year, unsigned month, unsigned day);

/* The calendar's view of a time as a clock in that zone shows it. Within the years +-1,000,000. */
struct civil date_civil_from_unix(int64_t unix_sec, int32_t zone_minutes);

/* Seconds since 1970 UTC of what a clock in that zone shows. */
int64_t date_unix_from_civil(const struct civil *civil, int32_t zone_minutes);

/* Days in a month. */
unsigned date_month_days(int32_t year, unsigned month);

/* 1-12 of an English month name, by its first three letters in any case; 0: it is none. */
unsigned date_month_from_name(struct slice name);
