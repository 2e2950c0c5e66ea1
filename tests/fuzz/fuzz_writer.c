/*
 * fuzz_writer.c - what the writer of responses writes, the parsers of commands read back as the same: strings in every form, mailbox
 * names, sets. The first byte: whether the client takes UTF-8 in quotes; the rest is the value.
 */
#include "base/limits.h"
#include "base/must.h"
#include "base/utf8.h"
#include "server/imap/capability.h"
#include "server/imap/grammar.h"
#include "server/imap/write_mailbox.h"
#include "server/wire/frame_imap.h"
#include "server/wire/token.h"
#include "server/wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { OUT_BYTES = 1024 * 1024 };

/* Neither a bare CR or LF nor NUL anywhere; without UTF-8, no byte above 7 bits but in a literal. */
static void must_be_sendable(struct slice text, bool utf8)
{
	struct frame_literal literal;
	ssize_t line_end = slice_find(text, '\n');

	if (line_end > 0 && frame_imap_literal(slice_head(text, (size_t)line_end - 1), &literal)) {
		must(literal.octets == text.n - (size_t)line_end - 1);
		must(slice_find(text, '\0') < 0);
		return;
	}
	for (size_t i = 0; i < text.n; i++)
		must(text.p[i] != '\r' && text.p[i] != '\n' && text.p[i] != '\0' &&
			(utf8 || text.p[i] > 0));
	must(!utf8 || utf8_is_valid(text));
}

/* NUL cannot be sent but in a literal8: the writer puts 0x80 there. */
static struct slice as_sent(struct slice value, struct arena *arena)
{
	struct slice copy = arena_copy(arena, value);
	char *p = (char *)copy.p;

	for (size_t i = 0; i < copy.n; i++)
		if (p[i] == '\0')
			p[i] = '\x80';
	return copy;
}

typedef enum parse read_function(struct slice *in, struct arena *arena, struct slice *ret_string);

struct form {
	void (*write)(struct writer *w, struct slice s);
	read_function *read;
};

static const struct form forms[] = {
	{ write_string, token_string },
	{ write_nstring, token_nstring },
	{ write_astring, token_astring },
};

enum { FORMS = sizeof forms / sizeof *forms };

static void check_string(const struct form *form, struct slice value, bool utf8)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf out = BUF(OUT_BYTES);
	struct writer w = { .out = &out, .utf8 = utf8 };
	struct slice in, again;

	form->write(&w, value);
	must(!w.failed);
	must_be_sendable(buf_slice(&out), utf8);
	in = buf_slice(&out);
	must(form->read(&in, &arena, &again) == PARSE_OK && in.n == 0);
	must((again.p == NULL) == (value.p == NULL && form->write == write_nstring));
	must(slice_equal(again, as_sent(value, &arena)));
}

/* Names are UTF-8, without control characters: only such come from the store. */
static void check_mailbox(struct slice name, bool utf8)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf out = BUF(OUT_BYTES);
	struct writer w = { .out = &out, .utf8 = utf8 };
	struct grammar grammar = { .arena = &arena, .enabled = utf8 ? ENABLED_REV2 : 0 };
	struct slice in, again;

	if (name.n > LIMIT_PATH_BYTES || !utf8_is_valid(name))
		return;
	write_mailbox(&w, name);
	must(!w.failed);
	must_be_sendable(buf_slice(&out), utf8);
	in = buf_slice(&out);
	if (grammar_mailbox(&in, &grammar, &again) != PARSE_OK) { /* not a name anybody could have given */
		must(in.n == out.n);
		return;
	}
	must(in.n == 0);
	must(slice_equal(again, name) ||
		(slice_equal_nocase(name, SLICE("INBOX")) && slice_equal(again, SLICE("INBOX"))) ||
		slice_starts_with_nocase(name, SLICE("INBOX/")));
}

static void check_human(struct slice value, bool utf8)
{
	_cleanup_buf_ struct buf out = BUF(OUT_BYTES);
	struct writer w = { .out = &out, .utf8 = utf8 };

	write_human(&w, value);
	must(!w.failed);
	for (size_t i = 0; i < out.n; i++)
		must((unsigned char)out.p[i] >= ' ' && out.p[i] != 0x7f);
}

/* Each two bytes: the step to the next number. */
static void check_ranges(struct slice value)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf out = BUF(OUT_BYTES);
	struct writer w = { .out = &out };
	struct seq_ranges ranges = { 0 }, again;
	uint32_t number = 0;

	for (size_t i = 0; i + 1 < value.n; i += 2) {
		number += 1 + ((uint8_t)value.p[i] & 3 ? 0 : (uint8_t)value.p[i + 1]);
		seq_ranges_add(&ranges, &arena, number);
	}
	if (ranges.n == 0)
		return;
	write_ranges(&w, &ranges);
	must(!w.failed && seqset_parse(buf_slice(&out), 0, &arena, &again) == PARSE_OK);
	must(again.n == ranges.n);
	for (size_t i = 0; i < ranges.n; i++)
		must(again.ranges[i].first == ranges.ranges[i].first &&
			again.ranges[i].last == ranges.ranges[i].last);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n < 1 || n > 16384)
		return 0;

	struct slice value = slice_from(bytes + 1, n - 1);
	bool utf8 = bytes[0] & 1;

	for (size_t i = 0; i < FORMS; i++)
		check_string(&forms[i], value, utf8);
	check_string(&forms[1], (struct slice){ 0 }, utf8);
	check_mailbox(value, utf8);
	check_human(value, utf8);
	check_ranges(value);
	return 0;
}
