#include "maildir/filename.h"

#include "base/clock.h"

#include <errno.h>

enum { FLAGS_AT = 3 /* behind ":2," */ };

static const struct {
	char letter;
	uint32_t bit;
} STANDARD[] = {
	{ 'D', LETTER_DRAFT },
	{ 'F', LETTER_FLAGGED },
	{ 'P', LETTER_FORWARDED },
	{ 'R', LETTER_ANSWERED },
	{ 'S', LETTER_SEEN },
	{ 'T', LETTER_DELETED },
};
enum { STANDARD_COUNT = sizeof STANDARD / sizeof *STANDARD };

struct filename filename_parse(struct slice name)
{
	ssize_t colon = slice_find(name, ':');

	if (colon < 0)
		return (struct filename){ .base = name };
	return (struct filename){
		.base = slice_head(name, (size_t)colon),
		.info = slice_tail(name, (size_t)colon),
	};
}

bool filename_is_message(struct slice name)
{
	if (name.n == 0 || name.p[0] == '.' || name.p[0] == ':')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '/' || name.p[i] == '\0' || name.p[i] == '\r' || name.p[i] == '\n')
			return false;
	return true;
}

bool filename_size(struct slice base, char key, uint64_t *ret_bytes)
{
	struct slice field;

	if (!slice_split(&base, ',', &field)) /* what comes before the first comma is no field */
		return false;
	while (slice_split(&base, ',', &field)) {
		if (field.n > 2 && field.p[0] == key && field.p[1] == '=')
			return slice_number(slice_tail(field, 2), INT64_MAX, ret_bytes);
	}
	return false;
}

static bool has_flags(struct slice info)
{
	return slice_starts_with(info, SLICE(":2,"));
}

/* The letters and what is mixed with them; experimental fields behind a further comma are not flags. */
static struct slice flags_part(struct slice info)
{
	struct slice flags = slice_tail(info, FLAGS_AT);
	ssize_t comma = slice_find(flags, ',');

	return comma < 0 ? flags : slice_head(flags, (size_t)comma);
}

static uint32_t letter_bit(char c)
{
	if (c >= 'a' && c <= 'z')
		return (uint32_t)1 << (c - 'a');
	for (size_t i = 0; i < STANDARD_COUNT; i++)
		if (STANDARD[i].letter == c)
			return STANDARD[i].bit;
	return 0;
}

uint32_t filename_letters(struct slice info)
{
	uint32_t letters = 0;

	if (!has_flags(info))
		return 0;

	struct slice flags = flags_part(info);

	for (size_t i = 0; i < flags.n; i++)
		letters |= letter_bit(flags.p[i]);
	return letters;
}

bool filename_is_canonical(struct slice info)
{
	if (!has_flags(info))
		return false;

	struct slice flags = slice_tail(info, FLAGS_AT);

	for (size_t i = 0; i < flags.n; i++)
		if (letter_bit(flags.p[i]) == 0 || (i > 0 && flags.p[i] <= flags.p[i - 1]))
			return false;
	return true;
}

/* Which bytes stand among the flags, a bit for each: writing them out sorts them. */
struct byte_set {
	uint64_t words[4];
};

static void mark(struct byte_set *set, unsigned char c, bool present)
{
	uint64_t bit = (uint64_t)1 << (c & 63);

	if (present)
		set->words[c >> 6] |= bit;
	else
		set->words[c >> 6] &= ~bit;
}

static void mark_letters(uint32_t letters, struct byte_set *present)
{
	const unsigned a = 'a' - 64; /* of words[1]: the letters of keywords follow each other */

	present->words[1] &= ~((uint64_t)LETTERS_KEYWORDS << a);
	present->words[1] |= (uint64_t)(letters & LETTERS_KEYWORDS) << a;
	for (size_t i = 0; i < STANDARD_COUNT; i++)
		mark(present, (unsigned char)STANDARD[i].letter, (letters & STANDARD[i].bit) != 0);
}

int filename_format(struct slice base, struct slice old_info, uint32_t letters, struct buf *out)
{
	struct byte_set present = { 0 };
	char text[FLAGS_AT + 256];
	size_t n = FLAGS_AT;
	struct slice behind = { NULL, 0 };

	memcpy(text, ":2,", FLAGS_AT);
	if (has_flags(old_info)) {
		struct slice flags = flags_part(old_info);

		for (size_t i = 0; i < flags.n; i++)
			mark(&present, (unsigned char)flags.p[i], true);
		behind = slice_tail(old_info, FLAGS_AT + flags.n);
	}
	mark_letters(letters, &present);
	for (unsigned w = 0; w < 4; w++)
		for (uint64_t rest = present.words[w]; rest != 0; rest &= rest - 1)
			text[n++] = (char)(w * 64 + (unsigned)__builtin_ctzll(rest));

	if (base.n + n + behind.n > buf_room(out))
		return -ENOBUFS;

	int r = buf_add(out, base);

	if (r == 0)
		r = buf_add(out, slice_from(text, n));
	if (r == 0)
		r = buf_add(out, behind);
	return r;
}

static struct slice leading_digits(struct slice s)
{
	size_t n = 0;

	while (n < s.n && n < 19 && ascii_is_digit(s.p[n]))
		n++;
	return slice_head(s, n);
}

uint64_t filename_seconds(struct slice base)
{
	uint64_t seconds = 0;

	return slice_number(leading_digits(base), INT64_MAX, &seconds) ? seconds : 0;
}

static bool parse_microseconds(struct slice name, uint64_t *ret_usec)
{
	struct slice rest = slice_tail(name, leading_digits(name).n);

	return slice_starts_with(rest, SLICE(".M")) &&
	       slice_number(leading_digits(slice_tail(rest, 2)), INT64_MAX, ret_usec);
}

int filename_compare_arrival(struct slice a, struct slice b)
{
	uint64_t x = filename_seconds(a), y = filename_seconds(b);

	if (x != y)
		return x < y ? -1 : 1;
	if (parse_microseconds(a, &x) && parse_microseconds(b, &y) && x != y)
		return x < y ? -1 : 1;
	return slice_compare(a, b);
}

static int add_hostname(const char *hostname, struct buf *out)
{
	int r = 0;

	for (const char *c = hostname; r == 0 && *c; c++) {
		if (*c == '/' || *c == ':' || *c == ',' || *c == '\\' || *c <= ' ' || *c == 0x7f)
			r = buf_addf(out, "\\%03o", (unsigned char)*c);
		else
			r = buf_add_char(out, *c);
	}
	return r;
}

int filename_format_unique(
	const struct filename_unique *unique, struct slice old_base, struct buf *out)
{
	ssize_t comma = slice_find(old_base, ',');
	int r = buf_addf(out, "%llu.M%lluP%dQ%u.",
		(unsigned long long)(unique->now_usec / USEC_PER_SEC),
		(unsigned long long)(unique->now_usec % USEC_PER_SEC), unique->pid, unique->count);

	if (r == 0)
		r = add_hostname(unique->hostname, out);
	if (r == 0 && comma >= 0)
		r = buf_add(out, slice_tail(old_base, (size_t)comma));
	return r;
}
