/* test_thread.c - the trees of THREAD, as RFC 5256 has them, and with hostile references. */
#include "base/buf.h"
#include "base/limits.h"
#include "server/imap/order.h"
#include "server/imap/sort_key.h"
#include "server/imap/thread.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

enum { MOVES = 3, ROW_MESSAGES = 12, ROW_REFERENCES = 8 };

/* Ids and subjects are letters; 0 ends references and messages. */
struct row_message {
	char id;
	const char *references;
	char subject;
	bool is_reply;
	int sent, arrival;
};

static struct thread *grow(enum thread_algorithm algorithm, const struct row_message *messages)
{
	struct thread *thread = thread_new(algorithm);

	for (uint32_t i = 0; i < ROW_MESSAGES && (messages[i].sent || messages[i].id); i++) {
		const struct row_message *m = &messages[i];
		uint64_t references[ROW_REFERENCES];
		size_t n = m->references ? strlen(m->references) : 0;

		for (size_t k = 0; k < n; k++)
			references[k] = (uint64_t)m->references[k];
		CU_ASSERT(thread_add(thread, &(struct thread_message){
						     .number = i + 1,
						     .message_id = (uint64_t)m->id,
						     .subject = (uint64_t)m->subject,
						     .is_reply = m->is_reply,
						     .sent = m->sent,
						     .arrival = m->arrival ? m->arrival : m->sent,
						     .references = references,
						     .references_n = n,
					     }));
	}
	for (size_t moves = MOVES; !thread_build(thread, &moves); moves = MOVES)
		CU_ASSERT(moves == 0);
	return thread;
}

static void show(struct thread *thread, struct buf *out)
{
	static const char *const words[] = { "(", NULL, " ", ")", "" };
	enum thread_token token;
	uint32_t number;

	while ((token = thread_next(thread, &number)) != THREAD_END)
		CU_ASSERT(0 == (token == THREAD_NUMBER ? buf_addf(out, "%u", number)
						       : buf_add_str(out, words[token])));
}

static const struct {
	const char *name;
	enum thread_algorithm algorithm;
	struct row_message messages[ROW_MESSAGES];
	const char *want;
} rows[] = {
	{ "nothing", THREAD_REFERENCES, { { 0 } }, "" },
	{ "nothing", THREAD_ORDEREDSUBJECT, { { 0 } }, "" },
	{ "nothing", THREAD_REFS, { { 0 } }, "" },
	{ "one", THREAD_REFERENCES, { { 'a', NULL, 0, false, 1, 0 } }, "(1)" },
	{ "3: subjects, the first is the parent of all others", THREAD_ORDEREDSUBJECT,
		{ { 'a', NULL, 's', false, 5, 0 }, { 'b', NULL, 't', false, 1, 0 },
			{ 'c', NULL, 's', true, 2, 0 }, { 'd', "a", 's', true, 3, 0 } },
		"(2)(3 (4)(1))" },
	{ "3: subjects, one child", THREAD_ORDEREDSUBJECT,
		{ { 'a', NULL, 's', false, 1, 0 }, { 'b', NULL, 's', false, 1, 0 } }, "(1 2)" },
	{ "3: messages without a subject have the same", THREAD_ORDEREDSUBJECT,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'b', NULL, 's', false, 2, 0 },
			{ 'c', NULL, 0, false, 3, 0 } },
		"(1 3)(2)" },
	{ "4: the example, parent 3 with 6, which has 4 and 44", THREAD_REFERENCES,
		{ { 'a', NULL, 'x', false, 1, 0 }, { 'b', NULL, 'y', false, 2, 0 },
			{ 'c', "b", 0, true, 3, 0 }, { 'd', "bc", 0, true, 4, 0 },
			{ 'e', "bcd", 0, true, 5, 0 }, { 'f', "bc", 0, true, 6, 0 },
			{ 'g', "f", 0, true, 7, 0 }, { 'h', "fg", 0, true, 8, 0 } },
		"(1)(2 3 (4 5)(6 7 8))" },
	{ "4: siblings of a parent that is not there", THREAD_REFERENCES,
		{ { 'a', "x", 0, true, 1, 0 }, { 'b', "x", 0, true, 2, 0 } }, "((1)(2))" },
	{ "3 step 3: the only child of a dummy takes its place", THREAD_REFERENCES,
		{ { 'a', "xyz", 0, true, 1, 0 } }, "(1)" },
	{ "3 step 3: a dummy between two messages goes", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'b', "ax", 0, true, 2, 0 },
			{ 'c', "ax", 0, true, 3, 0 } },
		"(1 (2)(3))" },
	{ "3 step 3: dummies below a dummy", THREAD_REFERENCES,
		{ { 'a', "xy", 0, true, 1, 0 }, { 'b', "xz", 0, true, 2, 0 },
			{ 'c', "xz", 0, true, 3, 0 } },
		"((1)(2)(3))" },
	{ "3 step 3: an only dummy below a dummy", THREAD_REFERENCES,
		{ { 'a', "xy", 0, true, 1, 0 }, { 'b', "xy", 0, true, 2, 0 } }, "((1)(2))" },
	{ "3 step 1: replies come before what they answer", THREAD_REFERENCES,
		{ { 'c', "ab", 0, true, 3, 0 }, { 'b', "a", 0, true, 2, 0 },
			{ 'a', NULL, 0, false, 1, 0 } },
		"(3 2 1)" },
	{ "3 step 1: a duplicate id is a message of its own", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'a', NULL, 0, false, 2, 0 },
			{ 'b', "a", 0, true, 3, 0 } },
		"(1 3)(2)" },
	{ "3 step 1: a message without an id", THREAD_REFERENCES,
		{ { 0, NULL, 0, false, 1, 0 }, { 0, NULL, 0, false, 2, 0 } }, "(1)(2)" },
	{ "3 step 1: it refers to itself", THREAD_REFERENCES,
		{ { 'a', "a", 0, false, 1, 0 }, { 'b', "ab", 0, false, 2, 0 } }, "(1 2)" },
	{ "3 step 1: two refer to each other", THREAD_REFERENCES,
		{ { 'a', "b", 0, false, 1, 0 }, { 'b', "a", 0, false, 2, 0 } }, "(2 1)" },
	{ "3 step 1: a loop of three", THREAD_REFERENCES,
		{ { 'a', "c", 0, false, 1, 0 }, { 'b', "a", 0, false, 2, 0 },
			{ 'c', "b", 0, false, 3, 0 } },
		"(3 1 2)" },
	{ "3 step 1: a loop in one References", THREAD_REFERENCES,
		{ { 'a', "xyxyx", 0, false, 1, 0 }, { 'x', NULL, 0, false, 2, 0 } }, "(2 1)" },
	{ "3 step 1.A: a parent that is known stays", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'b', "a", 0, false, 2, 0 },
			{ 'c', "xb", 0, false, 3, 0 } },
		"(1 2 3)" },
	{ "3 step 1.B: its own last reference counts", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'd', "ac", 0, false, 2, 0 },
			{ 'b', NULL, 0, false, 3, 0 }, { 'c', "b", 0, false, 4, 0 } },
		"(1)(3 4 2)" },
	{ "3 step 1.B: without references it has no parent", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'c', "ab", 0, false, 2, 0 },
			{ 'b', NULL, 0, false, 3, 0 } },
		"(1)(3 2)" },
	{ "3 step 4: roots by date, a dummy by its first child", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 3, 0 }, { 'b', "x", 0, false, 4, 0 },
			{ 'c', "x", 0, false, 2, 0 } },
		"((3)(2))(1)" },
	{ "3 step 5: a reply joins by its subject", THREAD_REFERENCES,
		{ { 'a', NULL, 's', false, 1, 0 }, { 'b', NULL, 's', true, 2, 0 } }, "(1 2)" },
	{ "3 step 5: a reply sent earlier joins as well", THREAD_REFERENCES,
		{ { 'a', NULL, 's', true, 1, 0 }, { 'b', NULL, 's', false, 2, 0 } }, "(2 1)" },
	{ "3 step 5.C: two that are no replies get a dummy", THREAD_REFERENCES,
		{ { 'a', NULL, 's', false, 1, 0 }, { 'b', NULL, 's', false, 2, 0 } }, "((1)(2))" },
	{ "3 step 5.C: and a third joins them", THREAD_REFERENCES,
		{ { 'a', NULL, 's', false, 1, 0 }, { 'b', NULL, 's', false, 2, 0 },
			{ 'c', NULL, 's', false, 3, 0 }, { 'd', NULL, 's', true, 4, 0 } },
		"((1)(2)(3)(4))" },
	{ "3 step 5.C: two replies get a dummy", THREAD_REFERENCES,
		{ { 'a', NULL, 's', true, 1, 0 }, { 'b', NULL, 's', true, 2, 0 } }, "((1)(2))" },
	{ "3 step 5.C: two dummies become one", THREAD_REFERENCES,
		{ { 'a', "x", 's', true, 1, 0 }, { 'b', "x", 's', true, 2, 0 },
			{ 'c', "y", 's', true, 3, 0 }, { 'd', "y", 's', true, 4, 0 } },
		"((1)(2)(3)(4))" },
	{ "3 step 5.C: a message joins a dummy", THREAD_REFERENCES,
		{ { 'a', NULL, 's', false, 1, 0 }, { 'b', "x", 's', true, 2, 0 },
			{ 'c', "x", 's', true, 3, 0 } },
		"((1)(2)(3))" },
	{ "3 step 5.B: no subject joins nothing", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'b', NULL, 0, true, 2, 0 } }, "(1)(2)" },
	{ "3 step 5: children keep theirs", THREAD_REFERENCES,
		{ { 'a', NULL, 's', false, 1, 0 }, { 'b', NULL, 's', true, 2, 0 },
			{ 'c', "b", 's', true, 3, 0 }, { 'd', "a", 's', true, 4, 0 } },
		"(1 (2 3)(4))" },
	{ "3 step 6: siblings by date, then by number", THREAD_REFERENCES,
		{ { 'a', NULL, 0, false, 1, 0 }, { 'b', "a", 0, false, 9, 0 },
			{ 'c', "a", 0, false, 5, 0 }, { 'd', "a", 0, false, 5, 0 } },
		"(1 (3)(4)(2))" },
	{ "REFS: the thread of the latest arrival is last", THREAD_REFS,
		{ { 'a', NULL, 's', false, 1, 1 }, { 'b', NULL, 't', false, 2, 2 },
			{ 'c', "a", 's', true, 3, 9 } },
		"(2)(1 3)" },
	{ "REFS: subjects join nothing", THREAD_REFS,
		{ { 'a', NULL, 's', false, 1, 1 }, { 'b', NULL, 's', true, 2, 2 } }, "(1)(2)" },
	{ "REFS: a dummy counts as its children", THREAD_REFS,
		{ { 'a', "x", 's', false, 1, 9 }, { 'b', "x", 's', false, 2, 2 },
			{ 'c', NULL, 's', false, 3, 3 } },
		"(3)((1)(2))" },
	{ "REFS: within a thread the sent date counts, of threads the arrival", THREAD_REFS,
		{ { 'a', NULL, 0, false, 1, 5 }, { 'b', "a", 0, false, 9, 6 },
			{ 'c', "a", 0, false, 4, 7 }, { 'd', "ac", 0, false, 8, 8 },
			{ 'e', NULL, 0, false, 99, 2 }, { 'f', NULL, 0, false, 0, 7 } },
		"(5)(6)(1 (3 4)(2))" },
	{ "REFS: a new message makes its thread the last one, wherever it hangs", THREAD_REFS,
		{ { 'a', NULL, 0, false, 1, 1 }, { 'b', "a", 0, false, 2, 2 },
			{ 'c', NULL, 0, false, 3, 3 }, { 'd', "ab", 0, false, 1, 4 } },
		"(3)(1 2 4)" },
	{ "REFS: the only child of a parent that is not there begins a thread", THREAD_REFS,
		{ { 'a', "x", 0, false, 2, 2 }, { 'b', "y", 0, false, 1, 1 } }, "(2)(1)" },
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(4096);
		struct thread *thread = grow(rows[i].algorithm, rows[i].messages);

		show(thread, &out);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "%s: %.*s", rows[i].name,
			SLICE_FMT(buf_slice(&out)));
		thread_free(thread);
	}
}

/* Every message answers the one after it: as deep as there are messages. */
static void test_deep(void)
{
	enum { DEEP = 30000 };
	struct thread *thread = thread_new(THREAD_REFERENCES);
	size_t moves = SIZE_MAX, opened = 0, numbers = 0, depth = 0;
	enum thread_token token;
	uint32_t number;

	for (uint32_t i = 1; i <= DEEP; i++) {
		uint64_t reference = i + 1;

		CU_ASSERT(thread_add(thread, &(struct thread_message){ .number = i,
						     .message_id = i,
						     .sent = DEEP - i,
						     .references = &reference,
						     .references_n = i < DEEP }));
	}
	CU_ASSERT(thread_build(thread, &moves));
	while ((token = thread_next(thread, &number)) != THREAD_END) {
		opened += token == THREAD_OPEN;
		depth += token == THREAD_OPEN;
		depth -= token == THREAD_CLOSE;
		if (token == THREAD_NUMBER)
			CU_ASSERT(number == DEEP - numbers++);
	}
	CU_ASSERT(opened == 1 && depth == 0 && numbers == DEEP);
	thread_free(thread);
}

/* Whatever refers to whatever: every message is shown once, in parentheses that fit. */
static void test_random(void)
{
	for (unsigned seed = 0; seed < 300; seed++) {
		enum { MESSAGES = 200 };
		struct thread *thread = thread_new((enum thread_algorithm)(seed % 3));
		unsigned state = seed * 7919 + 1;
		bool shown[MESSAGES + 1] = { false };
		size_t moves = SIZE_MAX, depth = 0, numbers = 0;
		enum thread_token token;
		uint32_t number = 0;

		for (uint32_t i = 1; i <= MESSAGES; i++) {
			uint64_t references[6];

			for (size_t k = 0; k < 6; k++)
				references[k] = 1 + (unsigned)rand_r(&state) % (MESSAGES / 2);
			CU_ASSERT(thread_add(thread,
				&(struct thread_message){ .number = i,
					.message_id = (unsigned)rand_r(&state) % (MESSAGES / 2),
					.subject = (unsigned)rand_r(&state) % 20,
					.is_reply = rand_r(&state) % 2,
					.sent = rand_r(&state) % 50,
					.arrival = rand_r(&state) % 50,
					.references = references,
					.references_n = (unsigned)rand_r(&state) % 7 }));
		}
		CU_ASSERT(thread_build(thread, &moves));
		while ((token = thread_next(thread, &number)) != THREAD_END) {
			depth += token == THREAD_OPEN;
			depth -= token == THREAD_CLOSE;
			if (token != THREAD_NUMBER)
				continue;
			CHECK(number >= 1 && number <= MESSAGES && !shown[number], "%u", number);
			shown[number] = true;
			numbers++;
		}
		CHECK(numbers == MESSAGES && depth == 0, "seed %u: %zu", seed, numbers);
		thread_free(thread);
	}
}

static bool not_after(const void *context, uint32_t a, uint32_t b)
{
	const int *values = context;

	return values[a] <= values[b];
}

static void test_order(void)
{
	for (size_t n = 0; n < 70; n++) {
		uint32_t numbers[70], scratch[70];
		int values[70];
		unsigned state = (unsigned)n;
		struct order order;
		size_t moves = 2;

		for (size_t i = 0; i < n; i++) {
			numbers[i] = (uint32_t)i;
			values[i] = rand_r(&state) % 20;
		}
		order_init(&order, numbers, scratch, n);
		while (!order_step(&order, not_after, values, &moves))
			moves = 2;
		for (size_t i = 1; i < n; i++) {
			uint32_t a = order.from[i - 1], b = order.from[i];

			CHECK(values[a] < values[b] || (values[a] == values[b] && a < b), "%zu", n);
		}
	}
}

static void test_sort_key(void)
{
	static const char *const texts[] = { "", "A", "A\1", "AA", "AB", "B", "\xe3\x81\x82" };
	static const int64_t numbers[] = { INT64_MIN, -5, -1, 0, 1, 255, 256, INT64_MAX };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
			for (int reverse = 0; reverse < 2; reverse++) {
				_cleanup_buf_ struct buf a = BUF(100), b = BUF(100);
				int want = i < k ? -1 : i > k;

				CU_ASSERT(sort_key_add_text(&a, slice_str(texts[i]), reverse) == 0);
				CU_ASSERT(sort_key_add_text(&b, slice_str(texts[k]), reverse) == 0);
				CU_ASSERT(sort_key_add_number(&a, 2, false) == 0);
				CU_ASSERT(sort_key_add_number(&b, 2, false) == 0);

				int got = slice_compare(buf_slice(&a), buf_slice(&b));

				CHECK((got > 0) - (got < 0) == (reverse ? -want : want), "%zu %zu", i, k);
			}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
			_cleanup_buf_ struct buf a = BUF(100), b = BUF(100);
			int want = i < k ? -1 : i > k;

			CU_ASSERT(sort_key_add_number(&a, numbers[i], false) == 0);
			CU_ASSERT(sort_key_add_number(&b, numbers[k], false) == 0);

			int got = slice_compare(buf_slice(&a), buf_slice(&b));

			CHECK((got > 0) - (got < 0) == want, "%zu %zu", i, k);
		}

	_cleanup_buf_ struct buf small = BUF(7);

	CU_ASSERT(sort_key_add_number(&small, 1, false) < 0);
	CU_ASSERT(sort_key_add_text(&small, SLICE("abcd"), false) < 0);
	CU_ASSERT(small.n == 0);
}

static const struct unit_test tests[] = {
	{ "rows", test_rows },
	{ "deep", test_deep },
	{ "random", test_random },
	{ "order", test_order },
	{ "sort_key", test_sort_key },
};

UNIT_MAIN("thread", tests)
