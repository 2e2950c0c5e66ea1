/* buf.h - owned bytes that grow up to a hard maximum, filled at the end and consumed from the front. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

#include <stdarg.h>

/* Fields are for reading; n bytes at p are the content. Memory comes with the first byte. */
struct buf {
	char *p;          /* the first byte of the content; NULL while nothing was allocated */
	size_t n;         /* bytes of content */
	char *base;       /* where the allocation begins */
	size_t cap;       /* bytes allocated */
	size_t max_bytes; /* content never grows beyond */
};

/* A buf that never holds more than max bytes. */
#define BUF(max) ((struct buf){ .max_bytes = (max) })

/* Free the memory; the buf may be used again, with the same maximum. */
void buf_done(struct buf *b);

/* Overwrite everything allocated with zeros, then free. For what held a secret. */
void buf_done_wipe(struct buf *b);

/* Forget the content, keep the memory. */
static inline void buf_clear(struct buf *b)
{
	b->p = b->base;
	b->n = 0;
}

/* Forget the content, and free the memory if more than keep_bytes are allocated. */
void buf_shrink(struct buf *b, size_t keep_bytes);

/* The content; valid until the buf changes. */
static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->n };
}

/* How many more bytes the maximum allows. */
static inline size_t buf_room(const struct buf *b)
{
	return b->max_bytes - b->n;
}

/*
 * Make room for bytes more behind the content, for a caller that fills it and then calls buf_grown().
 * Returns the place, valid until the buf changes; NULL beyond the maximum.
 */
_must_check_ char *buf_reserve(struct buf *b, size_t bytes);

/* Take bytes that were written to the place buf_reserve() gave into the content. */
void buf_grown(struct buf *b, size_t bytes);

/*
 * Append. Return 0, or -ENOBUFS, nothing changed, where the content would pass the maximum.
 * Memory exhausted below the maximum ends the process.
 */
_must_check_ int buf_add(struct buf *b, struct slice s);
_must_check_ int buf_add_str(struct buf *b, const char *s);
_must_check_ int buf_add_char(struct buf *b, char c);
_must_check_ int buf_addf(struct buf *b, const char *format, ...) _printf_(2, 3);
_must_check_ int buf_vaddf(struct buf *b, const char *format, va_list args) _printf_(2, 0);

/* Drop bytes (at most b->n) from the front of the content. Moves nothing. */
void buf_consume(struct buf *b, size_t bytes);

/* As buf_consume(), and overwrite what is dropped with zeros. For what held a secret. */
void buf_consume_wipe(struct buf *b, size_t bytes);

/* Cut the content to its first bytes. */
static inline void buf_truncate(struct buf *b, size_t bytes)
{
	if (bytes < b->n)
		b->n = bytes;
}

#define _cleanup_buf_ _cleanup_(buf_done)
