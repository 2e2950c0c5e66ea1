#include "base/arena.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES = 4096, ARENA_ALIGN = _Alignof(max_align_t) };

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
	_Alignas(max_align_t) char bytes[];
};

static struct arena_block *block_new(struct arena_block *next, size_t cap)
{
	struct arena_block *block = malloc(sizeof *block + cap);

	must(block != NULL);
	*block = (struct arena_block){ .next = next, .cap = cap };
	return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	must(bytes < SIZE_MAX / 2);

	size_t rounded = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

	if (!a->blocks || a->blocks->cap - a->blocks->used < rounded) {
		size_t cap = rounded > ARENA_BLOCK_BYTES ? rounded : ARENA_BLOCK_BYTES;

		a->blocks = block_new(a->blocks, cap);
	}

	void *at = a->blocks->bytes + a->blocks->used;

	a->blocks->used += rounded;
	a->total_bytes += rounded;
	return memset(at, 0, bytes);
}

void *arena_array(struct arena *a, size_t count, size_t bytes)
{
	must(bytes == 0 || count < SIZE_MAX / 2 / bytes);
	return arena_alloc(a, count * bytes);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
	if (s.n == 0)
		return (struct slice){ "", 0 };
	return slice_from(memcpy(arena_alloc(a, s.n), s.p, s.n), s.n);
}

char *arena_str(struct arena *a, struct slice s)
{
	must(slice_find(s, '\0') < 0);

	char *str = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(str, s.p, s.n);
	return str;
}

struct slice arena_format(struct arena *a, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);

	int n = vsnprintf(NULL, 0, format, args);

	va_end(args);
	must(n >= 0);

	char *at = arena_alloc(a, (size_t)n + 1);

	vsnprintf(at, (size_t)n + 1, format, again);
	va_end(again);
	return slice_from(at, (size_t)n);
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_reset(struct arena *a)
{
	a->total_bytes = 0;
	if (!a->blocks)
		return;
	free_blocks(a->blocks->next);
	a->blocks->next = NULL;
	a->blocks->used = 0;
	if (a->blocks->cap > ARENA_BLOCK_BYTES)
		arena_done(a);
}

void arena_done(struct arena *a)
{
	free_blocks(a->blocks);
	*a = (struct arena){ 0 };
}
