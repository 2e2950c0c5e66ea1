/* What changed of a message since a modseq: as far as it is remembered, and never less. RFC 7162 3.1.12. */
#include "maildir/flag_log.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void add(
	struct flag_log *log, uint32_t msg_uid, uint32_t flags, uint64_t before, uint64_t modseq)
{
	flag_log_add(log, &(struct flag_log_change){ .msg_uid = msg_uid,
				  .flags = flags,
				  .keywords = (uint64_t)flags << 40,
				  .modseq_before = before,
				  .modseq = modseq });
}

/* want: flags; -1: not known. Keywords follow the flags. */
static void expect(
	const struct flag_log *log, uint32_t msg_uid, uint64_t modseq, uint64_t since, int want)
{
	uint32_t flags = 0;
	uint64_t keywords = 0;
	bool known = flag_log_since(log, msg_uid, modseq, since, &flags, &keywords);

	CHECK(known == (want >= 0), "%u since %llu", msg_uid, (unsigned long long)since);
	CHECK(!known || ((int)flags == want && keywords == (uint64_t)want << 40),
		"%u since %llu: %x", msg_uid, (unsigned long long)since, flags);
}

static void test_chain(void)
{
	struct flag_log log = { 0 };

	expect(&log, 1, 5, 5, 0);
	expect(&log, 1, 5, 4, -1);
	add(&log, 1, 1, 5, 10);
	add(&log, 1, 2, 10, 20);
	add(&log, 1, 4, 20, 30);
	expect(&log, 1, 30, 30, 0);
	expect(&log, 1, 30, 29, 4);
	expect(&log, 1, 30, 20, 4);
	expect(&log, 1, 30, 19, 6);
	expect(&log, 1, 30, 10, 6);
	expect(&log, 1, 30, 5, 7);
	expect(&log, 1, 30, 6, 7);
	expect(&log, 1, 30, 4, -1);  /* it came, or was changed, at 5 */
	expect(&log, 1, 31, 20, -1); /* changed by whom nobody noted */
	expect(&log, 2, 30, 20, -1);
	flag_log_done(&log);
	expect(&log, 1, 30, 20, -1);
}

/* Messages of one class push each other's changes out; what is left of a chain must not be taken for all of it. */
static void test_forgotten(void)
{
	struct flag_log log = { 0 };
	enum { CLASSES = 512 };

	for (uint32_t i = 0; i < 4; i++)
		add(&log, 1, 1u << i, 10 + i, 11 + i);
	expect(&log, 1, 14, 10, 0xf);
	add(&log, 1 + CLASSES, 1, 3, 15);
	expect(&log, 1, 14, 10, -1);
	expect(&log, 1, 14, 11, 0xe);
	expect(&log, 1 + CLASSES, 15, 3, 1);
	add(&log, 1, 0x20, 14, 16);
	expect(&log, 1, 16, 12, 0x2c);
	expect(&log, 1, 16, 11, -1);
	flag_log_done(&log);
}

/* Beside a log that forgets nothing. */
static void test_random(void)
{
	enum { MESSAGES = 40, STEPS = 4000 };
	static struct {
		uint32_t msg_uid, flags;
		uint64_t modseq;
	} all[STEPS];
	static uint64_t now[MESSAGES];
	struct flag_log log = { 0 };

	srand(7);
	memset(now, 0, sizeof now);
	for (uint64_t i = 0; i < STEPS; i++) {
		uint32_t m = (uint32_t)rand() % MESSAGES, msg_uid = m * 128,
			 flags = 1u << rand() % 6;

		add(&log, msg_uid, flags, now[m], i + 1);
		now[m] = i + 1;
		all[i].msg_uid = msg_uid;
		all[i].flags = flags;
		all[i].modseq = i + 1;

		uint64_t since = (uint64_t)rand() % (i + 1), keywords;
		uint32_t want = 0, got;

		m = (uint32_t)rand() % MESSAGES;
		for (uint64_t k = since; k <= i; k++)
			want |= all[k].msg_uid == m * 128 ? all[k].flags : 0;
		if (flag_log_since(&log, m * 128, now[m], since, &got, &keywords))
			CHECK(got == want, "step %llu: %x, wanted %x", (unsigned long long)i, got,
				want);
	}
	flag_log_done(&log);
}

static const struct unit_test tests[] = {
	{ "a chain of changes", test_chain },
	{ "forgotten changes", test_forgotten },
	{ "at random", test_random },
};
UNIT_MAIN("flag_log", tests)
