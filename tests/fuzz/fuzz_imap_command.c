/*
 * fuzz_imap_command.c - framing and grammar of IMAP commands. The first byte: the size of the pieces the rest comes in. Beside not
 * crashing: how the pieces are cut makes no difference; the label of a section means that section; sets are in order.
 */
#include "base/hash.h"
#include "base/limits.h"
#include "base/must.h"
#include "server/imap/command.h"
#include "server/wire/frame_imap.h"
#include "server/wire/seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct frame_imap_limits limits = {
	.line_bytes = 2048, .literal_bytes = 1024, .skip_bytes = 8192
};

static void check_label(const struct fetch_item *item)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct grammar grammar = { .arena = &arena };
	struct fetch_arguments again;
	struct slice in = arena_format(&arena, " 1 %.*s", SLICE_FMT(item->label));

	must(grammar_fetch(&in, &grammar, &again) == PARSE_OK && again.n == 1);
	must(slice_equal(again.items[0].label, item->label));
	must(again.items[0].section.n == item->section.n &&
		again.items[0].section.kind == item->section.kind);
	must(again.items[0].section.names_n == item->section.names_n);
}

static void check_set(struct slice set, struct arena *arena)
{
	struct seq_ranges ranges;

	if (slice_find(set, '$') >= 0) /* the saved result is looked up when the command runs (RFC 5182) */
		return;
	must(seqset_parse(set, 7, arena, &ranges) == PARSE_OK);
	for (size_t i = 0; i < ranges.n; i++) {
		must(ranges.ranges[i].first >= 1 &&
			ranges.ranges[i].first <= ranges.ranges[i].last);
		must(i == 0 || ranges.ranges[i].first - 1 > ranges.ranges[i - 1].last);
	}
}

static void check_arguments(
	const struct command_type *type, const union arguments *a, struct arena *arena)
{
	if (strstr(type->name, "FETCH")) {
		check_set(a->fetch.set, arena);
		for (size_t i = 0; i < a->fetch.n; i++)
			if (a->fetch.items[i].kind == FETCH_SECTION)
				check_label(&a->fetch.items[i]);
	} else if (strstr(type->name, "STORE")) {
		check_set(a->store.set, arena);
		must(a->store.keywords_n <= LIMIT_KEYWORDS);
	} else if (strcmp(type->name, "LIST") == 0) {
		must(a->list.patterns_n > 0 && a->list.patterns_n <= LIMIT_LIST_PATTERNS);
		for (size_t i = 0; i < a->list.patterns_n; i++) {
			(void)list_matches(a->list.patterns[i], SLICE("INBOX"), '/');
			(void)list_matches(a->list.patterns[i], SLICE("a/b/c"), '/');
		}
	}
}

static void parse_command(struct slice in)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct grammar grammar = { .arena = &arena };
	union arguments arguments;
	const struct command_type *type = command_take(&in);

	if (!type || !type->parse)
		return;
	if (type->parse(&in, &grammar, &arguments) == PARSE_OK) {
		must(in.n == 0);
		check_arguments(type, &arguments, &arena);
	}
	must(grammar.depth == 0);
}

/* Feed in pieces; every event goes into the sum. */
static uint64_t feed(struct slice rest, size_t piece, bool parse)
{
	static const uint8_t key[HASH_KEY_BYTES];
	struct frame_imap frame;
	_cleanup_buf_ struct buf in = BUF(1024 * 1024);
	uint64_t sum = 0;
	bool over = false;

	frame_imap_init(&frame, &limits);
	while (!over && (rest.n > 0 || in.n > 0)) {
		must(buf_add(&in, slice_take(&rest, piece < rest.n ? piece : rest.n)) == 0);

		enum frame_event event;

		while (!over && (event = frame_imap_next(&frame, &in)) != FRAME_MORE) {
			sum = sum * 31 + event;
			over = event == FRAME_OVERFLOW;
			if (event == FRAME_COMMAND || event == FRAME_SKIPPED)
				sum = sum * 31 + hash_siphash(key, buf_slice(&frame.command));
			if (event == FRAME_COMMAND && parse)
				parse_command(buf_slice(&frame.command));
			if (event == FRAME_LITERAL && frame_imap_fits(&frame))
				frame_imap_accept(&frame);
			else if (event == FRAME_LITERAL)
				frame_imap_refuse(&frame);
		}
	}
	frame_imap_done(&frame);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n < 1)
		return 0;

	struct slice rest = slice_from(bytes + 1, n - 1);

	must(feed(rest, SIZE_MAX, true) == feed(rest, bytes[0] % 64 + 1, false));
	return 0;
}
