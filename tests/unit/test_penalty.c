#include "auth/penalty.h"

#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/wait.h>

#define SECOND 1000000ULL

static const struct penalty_limits limits = {
	.address_failures = 10,
	.account_failures = 20,
	.window_usec = 600 * SECOND,
	.failure_delay_usec = 2 * SECOND,
};

static struct penalty_who who(unsigned address, const char *user)
{
	return (struct penalty_who){
		.address = { .family = 4, .bytes = { 192, 0, (uint8_t)(address >> 8), (uint8_t)address }, .port = (uint16_t)address },
		.user = slice_str(user),
	};
}

static struct penalty *new_table(void)
{
	struct penalty *penalty = NULL;

	CU_ASSERT_FATAL(penalty_new(&penalty) == 0);
	return penalty;
}

static void fail_times(struct penalty *penalty, struct penalty_who w, int n, uint64_t now_usec)
{
	while (n-- > 0)
		(void)penalty_failure(penalty, &limits, &w, now_usec);
}

static void test_delay_grows(void)
{
	static const uint64_t want[] = { 2, 2, 2, 4, 8, 15, 15, 15 };
	struct penalty *penalty = new_table();
	struct penalty_who w = who(1, "alice");

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		uint64_t delay = penalty_failure(penalty, &limits, &w, SECOND);

		CHECK(delay == want[i] * SECOND, "failure %zu: %llu", i + 1, (unsigned long long)delay);
	}
	penalty_free(penalty);
}

static void test_refusal(void)
{
	struct penalty *penalty = new_table();
	struct penalty_who here = who(1, "alice"), same_address = who(1, "bob"), elsewhere = who(2, "alice");

	fail_times(penalty, here, 9, SECOND);
	CU_ASSERT(!penalty_check(penalty, &limits, &here, SECOND).refused);
	fail_times(penalty, here, 1, SECOND);
	CU_ASSERT(penalty_check(penalty, &limits, &here, SECOND).refused);
	CU_ASSERT(penalty_check(penalty, &limits, &same_address, SECOND).refused);
	CU_ASSERT(penalty_check(penalty, &limits, &same_address, SECOND).delay_usec == 15 * SECOND);
	CU_ASSERT(!penalty_check(penalty, &limits, &elsewhere, SECOND).refused);

	/* Over many addresses the account fills up; so does one that does not exist. */
	for (unsigned i = 0; i < 10; i++)
		fail_times(penalty, who(10 + i, "alice"), 1, SECOND);
	CU_ASSERT(penalty_check(penalty, &limits, &elsewhere, SECOND).refused);
	for (unsigned i = 0; i < 20; i++)
		fail_times(penalty, who(100 + i, "no such account"), 1, SECOND);
	struct penalty_who nobody = who(2, "no such account");

	CU_ASSERT(penalty_check(penalty, &limits, &nobody, SECOND).refused);

	/* A window after the first failure, all is forgotten; and a clock that went back refuses nobody. */
	CU_ASSERT(penalty_check(penalty, &limits, &here, 600 * SECOND).refused);
	CU_ASSERT(!penalty_check(penalty, &limits, &here, 601 * SECOND).refused);
	CU_ASSERT(!penalty_check(penalty, &limits, &here, 0).refused);
	penalty_free(penalty);
}

static void test_success(void)
{
	struct penalty *penalty = new_table();
	struct penalty_who alice = who(1, "alice"), bob = who(2, "alice");

	fail_times(penalty, alice, 9, SECOND);
	for (unsigned i = 0; i < 10; i++)
		fail_times(penalty, who(10 + i, "alice"), 1, SECOND);
	penalty_success(penalty, &alice);
	CU_ASSERT(penalty_check(penalty, &limits, &bob, SECOND).delay_usec == 2 * SECOND);
	/* The address keeps its count. */
	fail_times(penalty, who(1, "carol"), 1, SECOND);
	CU_ASSERT(penalty_check(penalty, &limits, &alice, SECOND).refused);
	penalty_free(penalty);
}

static void test_who_is_who(void)
{
	struct penalty *penalty = new_table();
	struct penalty_who w = who(1, "Alice@Example.org"), lower = who(2, "alice@example.ORG"), unknown = { .user = SLICE("x") };
	struct penalty_who six = { .address = { .family = 6, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, .user = SLICE("a") };
	struct penalty_who neighbour = { .address = { .family = 6, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 2 } }, .user = SLICE("b") };
	struct penalty_who stranger = { .address = { .family = 6, .bytes = { 0x20, 1, 0xd, 0xb9 } }, .user = SLICE("c") };

	fail_times(penalty, w, 6, SECOND);
	CU_ASSERT(penalty_check(penalty, &limits, &lower, SECOND).delay_usec == 15 * SECOND);
	fail_times(penalty, six, 10, SECOND);
	CU_ASSERT(penalty_check(penalty, &limits, &neighbour, SECOND).refused);
	CU_ASSERT(!penalty_check(penalty, &limits, &stranger, SECOND).refused);
	/* Without an address only the account counts. */
	fail_times(penalty, unknown, 12, SECOND);
	unknown.user = SLICE("y");
	CU_ASSERT(!penalty_check(penalty, &limits, &unknown, SECOND).refused);
	penalty_free(penalty);
}

/* 200,000 names that fail once do not wash out the one who failed most. */
static void test_flood(void)
{
	struct penalty *penalty = new_table();
	struct penalty_who offender = who(1, "root");

	fail_times(penalty, offender, 10, SECOND);
	for (unsigned i = 0; i < 200000; i++) {
		char name[32];

		snprintf(name, sizeof name, "user%u", i);

		struct penalty_who w = { .user = slice_str(name) };

		(void)penalty_failure(penalty, &limits, &w, 2 * SECOND);
	}
	CU_ASSERT(penalty_check(penalty, &limits, &offender, 3 * SECOND).refused);
	penalty_free(penalty);
}

/* Shared by children, and usable after one was killed at any moment. */
static void test_shared(void)
{
	struct penalty *penalty = new_table();

	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				fail_times(penalty, who(1, "alice"), 1, SECOND);
		usleep(500);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}

	struct penalty_who w = who(1, "bob");

	CU_ASSERT(penalty_check(penalty, &limits, &w, SECOND).refused);
	penalty_free(penalty);
}

static void test_no_base_delay(void)
{
	struct penalty_limits none = limits, slow = limits;
	struct penalty *penalty = new_table();
	struct penalty_who w = who(1, "alice");

	none.failure_delay_usec = 0;
	slow.failure_delay_usec = 60 * SECOND;
	for (int i = 0; i < 3; i++)
		CU_ASSERT(penalty_failure(penalty, &none, &w, SECOND) == 0);
	CU_ASSERT(penalty_failure(penalty, &none, &w, SECOND) == SECOND / 10);
	CU_ASSERT(penalty_check(penalty, &slow, &w, SECOND).delay_usec == 60 * SECOND);
	penalty_free(penalty);
}

static const struct unit_test tests[] = {
	{ "delay grows", test_delay_grows },
	{ "refusal", test_refusal },
	{ "success", test_success },
	{ "who is who", test_who_is_who },
	{ "flood", test_flood },
	{ "shared", test_shared },
	{ "no base delay", test_no_base_delay },
};

UNIT_MAIN("penalty", tests)
