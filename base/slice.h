/* slice.h - borrowed bytes: a pointer and a length, never NUL-terminated. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Whoever made the bytes owns them; a slice is valid as long as they are. p may be NULL if n is 0. */
struct slice {
	const char *p;
	size_t n;
};

/* For printf: printf("%.*s", SLICE_FMT(s)); a slice of over INT_MAX bytes is cut. */
#define SLICE_FMT(s) (int)((s).n > INT32_MAX ? INT32_MAX : (s).n), (s).p ? (s).p : ""

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })

static inline struct slice slice_from(const void *p, size_t n)
{
	return (struct slice){ p, n };
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Say whether both are the same but for the case of ASCII letters. */
bool slice_equal_nocase(struct slice a, struct slice b);

bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_starts_with_nocase(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);

/* Order as memcmp, a prefix before what it begins. Returns <0, 0 or >0. */
int slice_compare(struct slice a, struct slice b);

/* Find the first c. Returns its index, or -1. */
ssize_t slice_find(struct slice s, char c);
/* Find the last c. Returns its index, or -1. */
ssize_t slice_find_last(struct slice s, char c);
/* Find the first occurrence of needle. Returns its index, or -1; 0 for an empty needle. */
ssize_t slice_find_slice(struct slice s, struct slice needle);

/* The first n bytes (all, if there are fewer). */
static inline struct slice slice_head(struct slice s, size_t n)
{
	return (struct slice){ s.p, n < s.n ? n : s.n };
}

/* What follows the first n bytes (nothing, if there are fewer). */
static inline struct slice slice_tail(struct slice s, size_t n)
{
	return n < s.n ? (struct slice){ s.p + n, s.n - n } : (struct slice){ NULL, 0 };
}

/* Take n bytes off the front of *s; n must not exceed s->n. */
static inline struct slice slice_take(struct slice *s, size_t n)
{
	struct slice taken = { s->p, n };

	*s = slice_tail(*s, n);
	return taken;
}

/* Step over c if it comes next. Returns whether it did; if not, *s is untouched. */
static inline bool slice_skip(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = slice_tail(*s, 1);
	return true;
}

/* Step over prefix, in any case of ASCII letters, if it comes next. */
bool slice_skip_nocase(struct slice *s, struct slice prefix);

/*
 * Take what comes before the next sep off the front of *s, and sep itself.
 * Returns whether there was anything to take: loop with `while (slice_split(&s, ',', &item))`.
 * An empty input gives nothing; "a,," gives "a" and "".
 */
bool slice_split(struct slice *s, char sep, struct slice *ret_item);

/* Without spaces, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice s);

/* Read all of s as a decimal number (digits only, at least one). Returns false if it is not one or exceeds max. */
bool slice_number(struct slice s, uint64_t max, uint64_t *ret_value);

/*
 * Copy into dst as a NUL-terminated string.
 * Returns false, dst untouched, if it does not fit or contains a NUL.
 */
bool slice_to_str(struct slice s, char *dst, size_t dst_bytes);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
