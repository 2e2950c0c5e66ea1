/*
 * grammar_rows.h - tests of the arguments of IMAP commands: a table of commands and what each means, written back as text by
 * the test's own dump().
 */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "server/imap/capability.h"
#include "server/imap/command.h"
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdlib.h>

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof text - 1                                                              \
	}

/* want NULL: BAD; "limit" and "charset": refused for that; "more": a literal is missing. */
struct grammar_row {
	struct slice in;
	const char *want;
};

typedef void dump_arguments(
	const char *name, const union arguments *arguments, struct slice command, struct buf *out);

static inline void add(struct buf *out, const char *format, ...) _printf_(2, 3);
static inline void add(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);

	int r = buf_vaddf(out, format, args);

	va_end(args);
	CHECK(r == 0, "out is full");
}

static inline void check_grammar_row(const struct grammar_row *row, size_t i, dump_arguments *dump)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf got = BUF(100000);
	struct grammar grammar = { .arena = &arena };
	union arguments arguments;
	struct slice in = row->in;
	const struct command_type *type = command_take(&in);

	CHECK(type != NULL, "row %zu: no such command", i);
	if (!type)
		return;

	enum parse parse = type->parse(&in, &grammar, &arguments);

	if (parse == PARSE_MORE)
		add(&got, "more");
	else if (parse == PARSE_OK)
		dump(type->name, &arguments, row->in, &got);
	else if (grammar.fault != GRAMMAR_SYNTAX)
		add(&got, "%s", grammar.fault == GRAMMAR_LIMIT ? "limit" : "charset");
	else
		add(&got, "BAD");
	CHECK(slice_equal(buf_slice(&got), slice_str(row->want ? row->want : "BAD")),
		"row %zu: %.*s", i, SLICE_FMT(buf_slice(&got)));
}

/* A right command cut anywhere is parsed without a look beyond its end: every cut in memory of its own. */
static inline void check_grammar_cuts(const struct grammar_row *row, size_t i)
{
	for (size_t n = 0; n < row->in.n; n++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct grammar grammar = { .arena = &arena };
		union arguments arguments;
		char *copy = malloc(n ? n : 1);

		memcpy(copy, row->in.p, n);

		struct slice in = slice_from(copy, n);
		const struct command_type *type = command_take(&in);

		if (type && type->parse(&in, &grammar, &arguments) == PARSE_OK)
			CHECK(in.n == 0, "row %zu cut at %zu", i, n);
		free(copy);
	}
}

static inline void check_grammar_rows(
	const struct grammar_row *rows, size_t n, dump_arguments *dump)
{
	for (size_t i = 0; i < n; i++) {
		check_grammar_row(&rows[i], i, dump);
		check_grammar_cuts(&rows[i], i);
	}
}

/* Repeat a text n times between two others and expect a fault. */
static inline void check_limit(
	const char *before, const char *middle, size_t n, const char *after, bool ok)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(1024 * 1024);
	struct grammar grammar = { .arena = &arena };
	union arguments arguments;

	add(&text, "%s", before);
	for (size_t i = 0; i < n; i++)
		add(&text, "%s", middle);
	add(&text, "%s", after);

	struct slice in = buf_slice(&text);
	const struct command_type *type = command_take(&in);
	enum parse r = type->parse(&in, &grammar, &arguments);

	CHECK((r == PARSE_OK) == ok, "%s %zu times", middle, n);
	CHECK(ok || grammar.fault == GRAMMAR_LIMIT, "%s %zu times", middle, n);
}
