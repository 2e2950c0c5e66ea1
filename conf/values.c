#include "conf/values.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"

#include <errno.h>
#include <stdarg.h>

static int wrong(char ret_wrong[CONF_WRONG_BYTES], const char *format, ...) _printf_(2, 3);

static int wrong(char ret_wrong[CONF_WRONG_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_wrong, CONF_WRONG_BYTES, format, args);
	va_end(args);
	return -EINVAL;
}

/* Ten years: longer than any duration is wanted, and far from overflow. */
#define DURATION_MAX_USEC (3650 * 86400 * USEC_PER_SEC)

/* What was typed, short enough to leave room for the remedy. */
#define SHOWN(s) SLICE_FMT(slice_head(s, 60))

/*
 * Take an item off the front of a comma-separated list, and the comma; a quoted one may hold commas.
 * Returns false at the end. What stands behind a closing quote stays in the item, for unquote() to find.
 */
static bool take_item(struct slice *list, struct slice *ret_item)
{
	struct slice in = slice_trim(*list);
	ssize_t quote = in.n > 0 && in.p[0] == '"' ? slice_find(slice_tail(in, 1), '"') : -1;
	size_t quoted = (size_t)(quote + 2); /* with both quotes */
	ssize_t comma;

	if (quote < 0)
		return slice_split(list, ',', ret_item);
	comma = slice_find(slice_tail(in, quoted), ',');
	*ret_item = comma < 0 ? in : slice_head(in, quoted + (size_t)comma);
	*list = comma < 0 ? SLICE("") : slice_tail(in, quoted + (size_t)comma + 1);
	return true;
}

/* Take the quotes off a value that stands in them. */
static int unquote(struct slice *value, char *ret_wrong)
{
	struct slice in = slice_trim(*value);
	ssize_t end;

	*value = in;
	if (in.n == 0 || in.p[0] != '"')
		return 0;
	end = slice_find(slice_tail(in, 1), '"');
	if (end < 0)
		return wrong(ret_wrong, "has a quote without its end; add a `\"', or take it away");
	if ((size_t)end + 2 != in.n)
		return wrong(
			ret_wrong, "goes on behind its closing quote; put all of it in quotes");
	*value = slice_head(slice_tail(in, 1), (size_t)end);
	return 0;
}

static const struct {
	const char *unit;
	uint64_t usec;
} units[] = {
	{ "ms", USEC_PER_MSEC },
	{ "s", USEC_PER_SEC },
	{ "sec", USEC_PER_SEC },
	{ "second", USEC_PER_SEC },
	{ "seconds", USEC_PER_SEC },
	{ "min", 60 * USEC_PER_SEC },
	{ "minute", 60 * USEC_PER_SEC },
	{ "minutes", 60 * USEC_PER_SEC },
	{ "h", 3600 * USEC_PER_SEC },
	{ "hour", 3600 * USEC_PER_SEC },
	{ "hours", 3600 * USEC_PER_SEC },
	{ "d", 86400 * USEC_PER_SEC },
	{ "day", 86400 * USEC_PER_SEC },
	{ "days", 86400 * USEC_PER_SEC },
};

static bool take_unit(struct slice *s, uint64_t *ret_usec)
{
	size_t n = 0;

	while (n < s->n && ascii_is_alpha(s->p[n]))
		n++;

	struct slice unit = slice_take(s, n);

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (slice_equal(unit, slice_str(units[i].unit))) {
			*ret_usec = units[i].usec;
			return true;
		}
	return false;
}

static struct slice take_digits(struct slice *s)
{
	size_t n = 0;

	while (n < s->n && ascii_is_digit(s->p[n]))
		n++;
	return slice_take(s, n);
}

/* "12", "0.25": in millionths. */
static bool take_millionths(struct slice *s, uint64_t *ret_number)
{
	uint64_t whole, fraction = 0, scale = 1000000;
	struct slice digits = take_digits(s);

	if (!slice_number(digits, UINT64_MAX / 2000000, &whole))
		return false;
	if (slice_skip(s, '.')) {
		digits = take_digits(s);
		if (digits.n > 6 || !slice_number(digits, 999999, &fraction))
			return false;
		for (size_t i = 0; i < digits.n; i++)
			scale /= 10;
		fraction *= scale;
	}
	*ret_number = whole * 1000000 + fraction;
	return true;
}

bool conf_duration_parse(struct slice s, uint64_t *ret_usec)
{
	uint64_t total = 0, millionths, unit;

	s = slice_trim(s);
	if (!take_millionths(&s, &millionths))
		return false;
	if (s.n == 0) {
		*ret_usec = millionths;
		return millionths <= DURATION_MAX_USEC;
	}
	for (;;) {
		s = slice_trim(s);
		/* unit is a whole number of microseconds, so what is below the sixth place is
		 * nothing. */
		if (!take_unit(&s, &unit) || millionths / 1000000 > DURATION_MAX_USEC / unit)
			return false;
		total += millionths / 1000000 * unit + millionths % 1000000 * unit / 1000000;
		s = slice_trim(s);
		if (total > DURATION_MAX_USEC)
			return false;
		if (s.n == 0)
			break;
		if (!take_millionths(&s, &millionths))
			return false;
	}
	*ret_usec = total;
	return true;
}

/* The rest of *s as a unit: how many bits it is more than a byte. */
static bool parse_size_unit(struct slice s, unsigned *ret_shift)
{
	static const char letters[] = "kmgt";
	const char *unit = s.n > 0 ? strchr(letters, ascii_lower(s.p[0])) : NULL;

	*ret_shift = 0;
	if (s.n == 0 || slice_equal_nocase(s, SLICE("B")))
		return true;
	if (!unit || *unit == '\0')
		return false;
	*ret_shift = 10 * (unsigned)(unit - letters + 1);
	s = slice_tail(s, 1);
	return s.n == 0 || slice_equal_nocase(s, SLICE("B")) || slice_equal_nocase(s, SLICE("iB"));
}

bool conf_size_parse(struct slice s, uint64_t *ret_bytes)
{
	uint64_t millionths;
	unsigned shift;

	s = slice_trim(s);
	if (slice_number(s, INT64_MAX, ret_bytes))
		return true;
	if (!take_millionths(&s, &millionths) || !parse_size_unit(slice_trim(s), &shift) ||
		millionths / 1000000 > (uint64_t)INT64_MAX >> shift)
		return false;

	/* what is below a unit is less than 2^20 of 2^40: no overflow */
	uint64_t bytes = (millionths / 1000000 << shift) + (millionths % 1000000 << shift) / 1000000;

	if (bytes > INT64_MAX)
		return false;
	*ret_bytes = bytes;
	return true;
}

void conf_duration_format(uint64_t usec, char *ret_text, size_t text_bytes)
{
	static const struct {
		const char *unit;
		uint64_t usec;
	} shown[] = {
		{ "d", 86400 * USEC_PER_SEC },
		{ "h", 3600 * USEC_PER_SEC },
		{ "min", 60 * USEC_PER_SEC },
		{ "s", USEC_PER_SEC },
		{ "ms", USEC_PER_MSEC },
	};

	snprintf(ret_text, text_bytes, "0 s");
	for (size_t i = 0; usec > 0 && i < sizeof shown / sizeof *shown; i++)
		if (usec % shown[i].usec == 0) {
			snprintf(ret_text, text_bytes, "%llu %s",
				(unsigned long long)(usec / shown[i].usec), shown[i].unit);
			return;
		}
}

static int store_string(const struct conf_key *key, struct slice value, struct arena *strings,
	const char **at, char *ret_wrong)
{
	const char *why = NULL;
	int r = unquote(&value, ret_wrong);

	if (r < 0)
		return r;
	if (value.n == 0 && key->min > 0)
		return wrong(ret_wrong,
			"must not be empty; write %s = VALUE, or leave the line out", key->name);
	if (value.n >= LIMIT_PATH_BYTES)
		return wrong(ret_wrong, "is %zu bytes long; at most %d are taken", value.n,
			LIMIT_PATH_BYTES - 1);
	if (value.n > 0 && key->wrong)
		why = key->wrong(value);
	if (why)
		return wrong(ret_wrong, "`%.*s' %s", SHOWN(value), why);
	*at = arena_str(strings, value);
	return 0;
}

static int store_list(const struct conf_key *key, struct slice value, struct arena *strings,
	struct conf_list *at, char *ret_wrong)
{
	struct conf_list list = { .n = 0 };
	struct slice item;

	while (take_item(&value, &item)) {
		if (list.n == CONF_LIST_MAX)
			return wrong(ret_wrong, "has more than %d values; leave some out",
				CONF_LIST_MAX);
		if (key->min == 0 && slice_trim(item).n == 0)
			return wrong(ret_wrong, "has a comma with nothing beside it; take it away");

		int r = store_string(key, item, strings, &list.values[list.n], ret_wrong);

		if (r < 0)
			return r;
		list.n++;
	}
	if (list.n == 0 && key->min > 0)
		return wrong(ret_wrong, "must not be empty; write %s = FILE", key->name);
	*at = list;
	return 0;
}

static int store_addresses(struct slice value, struct conf_listen *at, char *ret_wrong)
{
	struct conf_listen listen = { .n = 0 };
	struct slice item;

	while (slice_split(&value, ',', &item)) {
		item = slice_trim(item);
		if (listen.n == CONF_LIST_MAX)
			return wrong(ret_wrong, "has more than %d addresses; leave some out",
				CONF_LIST_MAX);
		if (!address_parse_port(item, &listen.addresses[listen.n]))
			return wrong(ret_wrong,
				"`%.*s' is not an address with a port; write for example "
				"0.0.0.0:993 or [::]:993",
				SHOWN(item));
		listen.n++;
	}
	*at = listen;
	return 0;
}

static int store_number(
	const struct conf_key *key, struct slice value, unsigned *at, char *ret_wrong)
{
	uint64_t number;

	if (!slice_number(value, UINT64_MAX, &number))
		return wrong(ret_wrong, "`%.*s' is not a whole number; write for example %s",
			SHOWN(value), key->standard);
	if (number < key->min || number > key->max)
		return wrong(ret_wrong, "%llu is outside %llu to %llu", (unsigned long long)number,
			(unsigned long long)key->min, (unsigned long long)key->max);
	*at = (unsigned)number;
	return 0;
}

static int store_duration(
	const struct conf_key *key, struct slice value, uint64_t *at, char *ret_wrong)
{
	char least[32], most[32];
	uint64_t usec;

	if (!conf_duration_parse(value, &usec))
		return wrong(ret_wrong,
			"`%.*s' is not a duration; write for example 30s, 2 min or 12h",
			SHOWN(value));
	conf_duration_format(key->min, least, sizeof least);
	conf_duration_format(key->max, most, sizeof most);
	if (usec < key->min || usec > key->max)
		return wrong(ret_wrong, "`%.*s' is outside %s to %s", SHOWN(value), least, most);
	*at = usec;
	return 0;
}

static int store_size(struct slice value, uint64_t *at, char *ret_wrong)
{
	if (conf_size_parse(value, at))
		return 0;
	return wrong(ret_wrong, "`%.*s' is not a size; write for example 500M or 2.5G", SHOWN(value));
}

static int store_bool(struct slice value, bool *at, char *ret_wrong)
{
	if (slice_equal(value, SLICE("yes")))
		*at = true;
	else if (slice_equal(value, SLICE("no")))
		*at = false;
	else
		return wrong(ret_wrong, "`%.*s' is neither yes nor no", SHOWN(value));
	return 0;
}

static bool is_old_tls(struct slice value)
{
	return slice_equal(value, SLICE("1.0")) || slice_equal(value, SLICE("1.1")) ||
	       slice_starts_with_nocase(value, SLICE("ssl")) ||
	       slice_starts_with_nocase(value, SLICE("tlsv1.0")) ||
	       slice_starts_with_nocase(value, SLICE("tlsv1.1")) ||
	       slice_equal_nocase(value, SLICE("tlsv1"));
}

static int find_choice(
	const struct conf_key *key, struct slice value, unsigned *ret_value, char *ret_wrong)
{
	char words[120] = "";

	for (const struct conf_choice *c = key->choices; c->word; c++) {
		size_t n = strlen(words);

		if (slice_equal(value, slice_str(c->word))) {
			*ret_value = c->value;
			return 0;
		}
		snprintf(words + n, sizeof words - n, "%s%s", n > 0 ? ", " : "", c->word);
	}
	if (strcmp(key->name, "minimum-version") == 0 && is_old_tls(value))
		return wrong(ret_wrong,
			"`%.*s' cannot be set: versions before TLS 1.2 are broken, and restante "
			"does not offer them; write 1.2 or 1.3",
			SHOWN(value));
	return wrong(ret_wrong, "`%.*s' is not one of: %s", SHOWN(value), words);
}

static int store_choice(
	const struct conf_key *key, struct slice value, unsigned *at, char *ret_wrong)
{
	return find_choice(key, value, at, ret_wrong);
}

static int store_char(const struct conf_key *key, struct slice value, char *at, char *ret_wrong)
{
	unsigned choice;
	int r = find_choice(key, value, &choice, ret_wrong);

	if (r == 0)
		*at = (char)choice;
	return r;
}

int conf_value_store(const struct conf_key *key, struct slice value, struct arena *strings,
	void *base, char ret_wrong[CONF_WRONG_BYTES])
{
	void *at = (char *)base + key->offset;

	switch (key->type) {
	case CONF_STRING:
		return store_string(key, value, strings, at, ret_wrong);
	case CONF_LIST:
		return store_list(key, value, strings, at, ret_wrong);
	case CONF_ADDRESSES:
		return store_addresses(value, at, ret_wrong);
	case CONF_NUMBER:
		return store_number(key, value, at, ret_wrong);
	case CONF_DURATION:
		return store_duration(key, value, at, ret_wrong);
	case CONF_SIZE:
		return store_size(value, at, ret_wrong);
	case CONF_BOOL:
		return store_bool(value, at, ret_wrong);
	case CONF_CHOICE:
		return store_choice(key, value, at, ret_wrong);
	case CONF_CHAR:
		return store_char(key, value, at, ret_wrong);
	}
	must(false);
	return -EINVAL;
}
