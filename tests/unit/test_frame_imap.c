/* Framing of IMAP commands: every input is fed whole, byte by byte, and cut in two at every place. */
#include "base/limits.h"
#include "server/wire/frame_imap.h"
#include "tests/unit/unit.h"

static const struct frame_imap_limits small = {
	.line_bytes = 40, .literal_bytes = 10, .skip_bytes = 200
};

/* What the caller would do: accept what fits, refuse the rest. Writes one line an event. */
static void note(struct frame_imap *frame, enum frame_event event, struct buf *out)
{
	const struct frame_literal *l = &frame->literal;
	int r = 0;

	switch (event) {
	case FRAME_COMMAND:
		r = buf_addf(out, "command %.*s;", SLICE_FMT(buf_slice(&frame->command)));
		break;
	case FRAME_LITERAL:
		r = buf_addf(out, "literal%s %s %llu %s;", l->literal8 ? "8" : "",
			l->sync ? "sync" : "nonsync", (unsigned long long)l->octets,
			frame_imap_fits(frame) ? "fits" : "too big");
		if (frame_imap_fits(frame))
			frame_imap_accept(frame);
		else
			frame_imap_refuse(frame);
		break;
	case FRAME_TOO_LONG:
		r = buf_add_str(out, "too long;");
		break;
	case FRAME_SKIPPED:
		r = buf_addf(
			out, "skipped %.*s;", SLICE_FMT(slice_head(buf_slice(&frame->command), 2)));
		break;
	case FRAME_OVERFLOW:
		if (!slice_ends_with(buf_slice(out), SLICE("overflow;"))) /* told again and again */
			r = buf_add_str(out, "overflow;");
		break;
	case FRAME_MORE:
		break;
	}
	CHECK(r == 0, "the log of events is full");
}

static void drain(struct frame_imap *frame, struct buf *in, struct buf *out)
{
	for (;;) {
		enum frame_event event = frame_imap_next(frame, in);

		note(frame, event, out);
		if (event == FRAME_MORE || event == FRAME_OVERFLOW)
			return;
	}
}

static void feed(struct frame_imap *frame, struct slice bytes, struct buf *out)
{
	_cleanup_buf_ struct buf in = BUF(4096);

	CHECK(buf_add(&in, bytes) == 0, "input too long for the test");
	drain(frame, &in, out);
}

static const struct {
	const char *in, *want;
} rows[] = {
	{ "a NOOP\r\n", "command a NOOP;" },
	{ "a NOOP\n", "command a NOOP;" },
	{ "a NOOP\r\nb NOOP\r\n", "command a NOOP;command b NOOP;" },
	{ "\r\n", "command ;" },
	{ "a LOGIN {3}\r\nfoo {2+}\r\nba\r\n", "literal sync 3 fits;literal nonsync 2 fits;command "
					       "a LOGIN {3}\r\nfoo {2+}\r\nba;" },
	{ "a X {0}\r\n\r\n", "literal sync 0 fits;command a X {0}\r\n;" },
	{ "a X {0+}\r\n{0+}\r\n\r\n",
		"literal nonsync 0 fits;literal nonsync 0 fits;command a X {0+}\r\n{0+}\r\n;" },
	{ "a X {4}\r\n\r\n{}\r\n", "literal sync 4 fits;command a X {4}\r\n\r\n{};" },
	{ "a X ~{2}\r\nab\r\n", "literal8 sync 2 fits;command a X ~{2}\r\nab;" },
	{ "a X {6+}\r\n123456{5+}\r\n12345\r\nb N\r\n",
		"literal nonsync 6 fits;literal nonsync 5 too big;skipped a ;command b N;" },
	{ "a X {11}\r\nb N\r\n", "literal sync 11 too big;skipped a ;command b N;" },
	{ "a X {11+}\r\n12345678901 {3}\r\nb N\r\n",
		"literal nonsync 11 too big;skipped a ;command b N;" },
	{ "a X {11+}\r\n12345678901 {3+}\r\nabc {1+}\r\nx\r\nb N\r\n",
		"literal nonsync 11 too big;skipped a ;command b N;" },
	{ "a X {4294967296}\r\nb N\r\n",
		"literal sync 4294967296 too big;skipped a ;command b N;" },
	{ "a X {99999999999999999999}\r\nb N\r\n",
		"literal sync 18446744073709551615 too big;skipped a ;command b N;" },
	{ "a X {99999999999999999999+}\r\nb N\r\n",
		"literal nonsync 18446744073709551615 too big;overflow;" },
	{ "a 345678901234567890123456789012345678\r\nb N\r\n",
		"command a 345678901234567890123456789012345678;command b N;" },
	{ "a 3456789012345678901234567890123456789\r\nb N\r\n",
		"too long;skipped a ;command b N;" },
	{ "a 345678901234567890123456789012345678901234567890 {7}\r\nb N\r\n",
		"too long;skipped a ;command b N;" },
	{ "a 345678901234567890123456789012345678901234567890 {7+}\r\nb N\r\n12\r\nc N\r\n",
		"too long;skipped a ;command c N;" },
	{ "a 3456789012345678901234567890123456{2+}\r\n12\r\nc N\r\n",
		"too long;skipped a ;command c N;" },
	{ "a X {}\r\n", "command a X {};" },
	{ "a X {-1}\r\n", "command a X {-1};" },
	{ "a X {+}\r\n", "command a X {+};" },
	{ "a X {3 }\r\n", "command a X {3 };" },
	{ "a X 3}\r\n", "command a X 3};" },
	{ "a X {3}x\r\n", "command a X {3}x;" },
	{ "a X {3++}\r\n", "command a X {3++};" },
};

static void run_cut(size_t row, size_t at)
{
	struct slice in = slice_str(rows[row].in);
	struct frame_imap frame;
	_cleanup_buf_ struct buf out = BUF(4096);

	frame_imap_init(&frame, &small);
	feed(&frame, slice_head(in, at), &out);
	feed(&frame, slice_tail(in, at), &out);
	CHECK(slice_equal(buf_slice(&out), slice_str(rows[row].want)), "row %zu cut at %zu: %.*s",
		row, at, SLICE_FMT(buf_slice(&out)));
	frame_imap_done(&frame);
}

static void test_every_cut(void)
{
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
		for (size_t at = 0; at <= strlen(rows[row].in); at++)
			run_cut(row, at);
}

static void test_byte_by_byte(void)
{
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		struct slice in = slice_str(rows[row].in);
		struct frame_imap frame;
		_cleanup_buf_ struct buf out = BUF(4096);

		frame_imap_init(&frame, &small);
		while (in.n > 0)
			feed(&frame, slice_take(&in, 1), &out);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[row].want)), "row %zu: %.*s", row,
			SLICE_FMT(buf_slice(&out)));
		frame_imap_done(&frame);
	}
}

static void test_endless_line_overflows(void)
{
	struct frame_imap frame;
	_cleanup_buf_ struct buf out = BUF(4096);

	frame_imap_init(&frame, &small);
	for (int i = 0; i < 30; i++)
		feed(&frame, SLICE("0123456789"), &out);
	CHECK(slice_ends_with(buf_slice(&out), SLICE("overflow;")), "%.*s",
		SLICE_FMT(buf_slice(&out)));
	CHECK(slice_starts_with(buf_slice(&out), SLICE("too long;overflow;")), "%.*s",
		SLICE_FMT(buf_slice(&out)));
	frame_imap_done(&frame);
}

static void test_open(void)
{
	struct frame_imap frame;
	_cleanup_buf_ struct buf out = BUF(4096);

	frame_imap_init(&frame, &small);
	CHECK(!frame_imap_is_open(&frame), "at first");
	feed(&frame, SLICE("a NO"), &out);
	CHECK(frame_imap_is_open(&frame), "half a command");
	feed(&frame, SLICE("OP {2}\r\n"), &out);
	CHECK(frame_imap_is_open(&frame), "a literal");
	feed(&frame, SLICE("ab\r\n"), &out);
	CHECK(!frame_imap_is_open(&frame), "a whole command");
	frame_imap_shrink(&frame);
	CHECK(!frame_imap_is_open(&frame), "shrunk");
	frame_imap_done(&frame);
}

static void test_nul_passes(void)
{
	struct frame_imap frame;
	_cleanup_buf_ struct buf in = BUF(4096);

	frame_imap_init(&frame, &small);
	CHECK(buf_add(&in, SLICE("a N\0P\r\n")) == 0, "room");
	CHECK(frame_imap_next(&frame, &in) == FRAME_COMMAND, "a NUL is for the grammar to refuse");
	CHECK(slice_equal(buf_slice(&frame.command), SLICE("a N\0P")), "%zu", frame.command.n);
	frame_imap_done(&frame);
}

/* The caller takes octets of any number; the command goes on behind them. */
static void test_diverted(void)
{
	struct frame_imap frame;
	_cleanup_buf_ struct buf in = BUF(4096), out = BUF(4096);

	frame_imap_init(&frame, &small);
	CHECK(buf_add(&in, SLICE("a X {20+}\r\n0123456789")) == 0, "room");
	CHECK(frame_imap_next(&frame, &in) == FRAME_LITERAL, "announced");
	frame_imap_divert(&frame);
	CHECK(frame_imap_diverted(&frame) == 20, "all are to come");
	frame_imap_take(&frame, &in, 10);
	CHECK(frame_imap_diverted(&frame) == 10 && frame_imap_is_open(&frame), "half of them");
	CHECK(buf_add(&in, SLICE("0123456789 y\r\nb N\r\n")) == 0, "room");
	frame_imap_take(&frame, &in, 10);
	CHECK(frame_imap_diverted(&frame) == 0, "none");
	drain(&frame, &in, &out);
	CHECK(slice_equal(buf_slice(&out), SLICE("command a X {20+}\r\n y;command b N;")), "%.*s",
		SLICE_FMT(buf_slice(&out)));
	frame_imap_done(&frame);
}

static const struct {
	const char *before; /* read, up to its first literal, which is diverted; then the command is given up */
	size_t taken;
	const char *after, *want;
} abandoned[] = {
	{ "a X {4+}\r\n", 0, "abcd\r\nb N\r\n", "skipped a ;command b N;" },
	{ "a X {4+}\r\nab", 2, "cd {3+}\r\nxyz\r\nb N\r\n", "skipped a ;command b N;" },
	{ "a X {4+}\r\nabcd", 4, " {3}\r\nb N\r\n", "skipped a ;command b N;" },
	{ "a X {4}\r\nabcd", 4, "\r\nb N\r\n", "skipped a ;command b N;" },
};

static void test_abandoned(void)
{
	for (size_t i = 0; i < sizeof abandoned / sizeof *abandoned; i++) {
		struct frame_imap frame;
		_cleanup_buf_ struct buf in = BUF(4096), out = BUF(4096);

		frame_imap_init(&frame, &small);
		CHECK(buf_add(&in, slice_str(abandoned[i].before)) == 0, "room");
		CHECK(frame_imap_next(&frame, &in) == FRAME_LITERAL, "announced");
		frame_imap_divert(&frame);
		frame_imap_take(&frame, &in, abandoned[i].taken);
		frame_imap_abandon(&frame);
		feed(&frame, slice_str(abandoned[i].after), &out);
		CHECK(slice_equal(buf_slice(&out), slice_str(abandoned[i].want)), "%zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
		frame_imap_abandon(&frame); /* of a whole one nothing is left */
		CHECK(!frame_imap_is_open(&frame), "whole");
		frame_imap_done(&frame);
	}
}

static const struct unit_test tests[] = {
	{ "every cut", test_every_cut },
	{ "byte by byte", test_byte_by_byte },
	{ "an endless line overflows", test_endless_line_overflows },
	{ "open", test_open },
	{ "NUL passes", test_nul_passes },
	{ "diverted", test_diverted },
	{ "given up", test_abandoned },
};
UNIT_MAIN("frame_imap", tests)
