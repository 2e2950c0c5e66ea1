#include "base/buf.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 256 };

void buf_done(struct buf *b)
{
	free(b->base);
	*b = BUF(b->max_bytes);
}

void buf_done_wipe(struct buf *b)
{
	if (b->base)
		explicit_bzero(b->base, b->cap);
	buf_done(b);
}

void buf_shrink(struct buf *b, size_t keep_bytes)
{
	if (b->cap > keep_bytes)
		buf_done(b);
	else
		buf_clear(b);
}

/* realloc would leave a copy of a secret behind; so: new memory, copy, wipe, free. */
static void move_to(struct buf *b, size_t cap)
{
	char *base = malloc(cap);

	must(base != NULL);
	if (b->n > 0)
		memcpy(base, b->p, b->n);
	if (b->base)
		explicit_bzero(b->base, b->cap);
	free(b->base);
	b->base = base;
	b->p = base;
	b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t bytes)
{
	if (bytes > buf_room(b))
		return NULL;
	if (!b->base) {
		size_t cap = bytes > BUF_FIRST_BYTES ? bytes : BUF_FIRST_BYTES;

		move_to(b, cap);
		return b->p;
	}

	size_t front = (size_t)(b->p - b->base);

	if (b->cap - front - b->n >= bytes)
		return b->p + b->n;
	if (b->cap - b->n >= bytes && front >= b->n) { /* sliding costs less than what was consumed */
		memmove(b->base, b->p, b->n);
		b->p = b->base;
		return b->p + b->n;
	}

	size_t want = b->n + bytes;
	size_t cap = b->cap;

	while (cap < want)
		cap = cap * 2;
	move_to(b, cap > b->cap ? cap : b->cap);
	return b->p + b->n;
}

void buf_grown(struct buf *b, size_t bytes)
{
	must(b->p && (size_t)(b->p - b->base) + b->n + bytes <= b->cap);
	b->n += bytes;
}

int buf_add(struct buf *b, struct slice s)
{
	if (s.n == 0)
		return 0;

	char *at = buf_reserve(b, s.n);

	if (!at)
		return -ENOBUFS;
	memcpy(at, s.p, s.n);
	b->n += s.n;
	return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, slice_str(s));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, slice_from(&c, 1));
}

int buf_vaddf(struct buf *b, const char *format, va_list args)
{
	char small[512];
	va_list again;

	va_copy(again, args);

	int n = vsnprintf(small, sizeof small, format, args);

	must(n >= 0);
	if ((size_t)n < sizeof small) {
		va_end(again);
		return buf_add(b, slice_from(small, (size_t)n));
	}

	_cleanup_free_ char *large = malloc((size_t)n + 1);

	must(large != NULL);
	vsnprintf(large, (size_t)n + 1, format, again);
	va_end(again);
	return buf_add(b, slice_from(large, (size_t)n));
}

int buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);

	int r = buf_vaddf(b, format, args);

	va_end(args);
	return r;
}

void buf_consume(struct buf *b, size_t bytes)
{
	must(bytes <= b->n);
	b->p += bytes;
	b->n -= bytes;
	if (b->n == 0)
		b->p = b->base;
}

void buf_consume_wipe(struct buf *b, size_t bytes)
{
	must(bytes <= b->n);
	if (bytes > 0)
		explicit_bzero(b->p, bytes);
	buf_consume(b, bytes);
}
