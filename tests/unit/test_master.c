/* The pure parts of the master: back-off, budgets, slots, the fair queue, supply, and the tables of states. */
#include "base/clock.h"
#include "server/master/backoff.h"
#include "server/master/budget.h"
#include "server/master/generations.h"
#include "server/master/login.h"
#include "server/master/permits.h"
#include "server/master/queue.h"
#include "server/master/reload.h"
#include "server/master/sessions.h"
#include "server/master/slots.h"
#include "server/master/supply.h"
#include "server/master/tickets.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>

#define MSEC USEC_PER_MSEC
#define SEC USEC_PER_SEC

static void test_backoff_doubles(void)
{
	struct backoff b = { 0 };
	uint64_t now = 1000 * SEC, want = 100 * MSEC;

	for (int i = 0; i < 12; i++) {
		backoff_died(&b, 10 * MSEC, now);
		CHECK(b.delay_usec == want, "death %d: %llu", i, (unsigned long long)b.delay_usec);
		CHECK(!backoff_over(&b, now), "death %d", i);
		CHECK(backoff_over(&b, now + want), "death %d", i);
		now = b.until_usec + 1;
		want = want * 2 > 30 * SEC ? 30 * SEC : want * 2;
	}
}

static void test_backoff_forgets(void)
{
	struct backoff b = { 0 };

	backoff_died(&b, 0, 100 * SEC);
	backoff_died(&b, 0, 100 * SEC); /* at the same time: one event */
	CHECK(b.delay_usec == 100 * MSEC, "%llu", (unsigned long long)b.delay_usec);
	backoff_died(&b, 6 * SEC, 200 * SEC); /* lived long */
	CHECK(b.delay_usec == 0 && backoff_over(&b, 200 * SEC), "lived long");
	backoff_died(&b, 0, 300 * SEC);
	backoff_died(&b, 0, 301 * SEC);
	CHECK(b.delay_usec == 200 * MSEC, "%llu", (unsigned long long)b.delay_usec);
	backoff_died(&b, 0, 400 * SEC); /* quiet for long */
	CHECK(b.delay_usec == 100 * MSEC, "%llu", (unsigned long long)b.delay_usec);
}

static void test_budget(void)
{
	struct budget b = { 0 };
	unsigned taken = 0;

	for (int i = 0; i < 1000; i++)
		taken += budget_spend(&b, 5 * SEC);
	CHECK(taken == BUDGET_BURST, "%u", taken);
	CHECK(budget_take_dropped(&b) == 1000 - BUDGET_BURST, "dropped");
	CHECK(budget_take_dropped(&b) == 0, "counted once");
	for (int i = 0; i < 1000; i++)
		taken += budget_spend(&b, 6 * SEC);
	CHECK(taken == BUDGET_BURST + BUDGET_PER_SEC, "%u", taken);
}

static void test_slots(void)
{
	static struct slots slots;
	uint32_t first = slots_take(&slots, true), other = slots_take(&slots, false);

	CHECK(first == 1, "%u", first);
	CHECK(other == STATUS_FRONTS + 1, "%u", other);
	for (int i = 1; i < STATUS_FRONTS; i++)
		CHECK(slots_take(&slots, true) == (uint32_t)i + 1, "%d", i);
	CHECK(slots_take(&slots, true) == 0, "fronts are full");
	slots_release(&slots, 77);
	CHECK(slots_take(&slots, true) == 77, "the one that was free");

	unsigned n = 1;

	while (slots_take(&slots, false) != 0)
		n++;
	CHECK(n == STATUS_SLOTS - STATUS_FRONTS - 1, "%u", n);
	slots_release(&slots, 4711);
	CHECK(slots_take(&slots, false) == 4711, "the search goes round");
}

struct waiting {
	struct queue_entry entry;
	char name;
};

static struct address address_of(uint8_t family, uint8_t last, uint8_t prefix)
{
	struct address a = { .family = family, .port = last };

	a.bytes[0] = prefix;
	a.bytes[family == 6 ? 15 : 3] = last;
	return a;
}

/* Each row: front, address; popped in the order of want. */
static void test_queue_is_fair(void)
{
	static const struct {
		char name;
		uint32_t front;
		uint8_t client;
	} in[] = {
		{ 'a', 1, 1 }, { 'b', 1, 1 }, { 'c', 1, 1 }, { 'd', 1, 2 }, { 'e', 2, 3 }, { 'f', 2, 3 }, { 'g', 1, 4 },
	};
	static const char want[] = "aedfgbc";
	struct waiting all[7];
	struct queue queue = { 0 };
	char got[8] = "";

	for (size_t i = 0; i < 7; i++) {
		struct address a = address_of(4, in[i].client, 10);

		all[i] = (struct waiting){ .name = in[i].name };
		CHECK(queue_push(&queue, &all[i].entry, in[i].front, &a, 100) == 0, "%c", in[i].name);
	}
	for (size_t i = 0; i < 7; i++)
		got[i] = ((struct waiting *)queue_pop(&queue))->name;
	CHECK(strcmp(got, want) == 0, "%s", got);
	CHECK(queue_pop(&queue) == NULL && queue.n == 0 && !queue.fronts, "empty");
}

static void test_queue_limits(void)
{
	struct waiting all[40] = { 0 };
	struct queue queue = { 0 };
	int in = 0;

	/* All of one /64: one client, whatever the rest of the address is. */
	for (uint8_t i = 0; i < 40; i++) {
		struct address a = address_of(6, i, 0x20);

		in += queue_push(&queue, &all[i].entry, 1, &a, 80) == 0;
	}
	CHECK(in == 11, "%d", in); /* an eighth, and the one more that makes it a full share */

	struct waiting other = { 0 }, too_many = { 0 };
	struct address b = address_of(4, 9, 9);

	CHECK(queue_push(&queue, &other.entry, 1, &b, 80) == 0, "others still get in");
	CHECK(queue_push(&queue, &too_many.entry, 1, &b, queue.n) == -EAGAIN, "full");
	queue_remove(&queue, &all[3].entry);
	queue_remove(&queue, &all[3].entry); /* again: nothing */
	CHECK(queue.n == 11, "%zu", queue.n);
	while (queue_pop(&queue))
		;
	CHECK(!queue.fronts, "nothing is left behind");
}

static void test_supply(void)
{
	static const struct {
		struct supply_workers have;
		size_t want;
	} workers[] = {
		{ { 0, 0, 0, 0, 2, 32 }, 2 },
		{ { 2, 0, 0, 0, 2, 32 }, 0 },
		{ { 0, 2, 5, 0, 2, 32 }, 0 },   /* on their way */
		{ { 1, 0, 9, 0, 2, 32 }, 1 },
		{ { 0, 0, 31, 0, 2, 32 }, 1 },  /* max */
		{ { 0, 0, 32, 0, 2, 32 }, 0 },
		{ { 0, 0, 32, 40, 2, 32 }, 0 },
		{ { 0, 0, 0, 63, 2, 32 }, 1 },  /* what cannot be killed counts in the end */
		{ { 0, 0, 0, 64, 2, 32 }, 0 },
		{ { 0, 0, 0, 0, 5, 3 }, 3 },
	};

	for (size_t i = 0; i < sizeof workers / sizeof *workers; i++)
		CHECK(supply_workers_missing(&workers[i].have) == workers[i].want, "row %zu", i);
	CHECK(supply_spares_missing(0, 0, 0, 4) == 4, "at the start");
	CHECK(supply_spares_missing(4, 0, 0, 4) == 0, "enough");
	CHECK(supply_spares_missing(0, 3, 2, 4) == 3, "two users wait");
	CHECK(supply_spares_missing(0, 30, 500, 4) == 2, "not too many at once");
	CHECK(supply_spares_missing(9, 0, 0, 4) == 0, "too many");
}

static void test_retire(void)
{
	/* RETIRE crosses ADOPT: a connection that the session has not seen yet is counted. */
	CHECK(session_retire_allowed(SESSION_ACTIVE, 0, 0), "idle");
	CHECK(!session_retire_allowed(SESSION_ACTIVE, 1, 0), "an adopt is under way");
	CHECK(!session_retire_allowed(SESSION_ACTIVE, 0, 1), "a login waits");
	CHECK(!session_retire_allowed(SESSION_RETIRING, 0, 0), "answered already");
	CHECK(!session_retire_allowed(SESSION_ENDING, 0, 0), "its line is lost");
	CHECK(!session_retire_allowed(SESSION_WAITING, 0, 0), "nobody could say so");

	static const unsigned edges[SESSION_STATE_COUNT] = {
		[SESSION_WAITING] = 1 << SESSION_ACTIVE,
		[SESSION_ACTIVE] = 1 << SESSION_RETIRING | 1 << SESSION_ENDING,
		[SESSION_RETIRING] = 1 << SESSION_ENDING,
		[SESSION_ENDING] = 1 << SESSION_WAITING,
	};

	for (enum session_state from = 0; from < SESSION_STATE_COUNT; from++)
		for (enum session_state to = 0; to < SESSION_STATE_COUNT; to++)
			CHECK(session_may_become(from, to) == !!(edges[from] & 1u << to), "%d to %d", from, to);
}

static void test_deaths(void)
{
	CHECK(session_death_spoils_index(SIGSEGV), "SEGV");
	CHECK(session_death_spoils_index(SIGBUS), "BUS");
	CHECK(session_death_spoils_index(SIGABRT), "ABRT");
	CHECK(session_death_spoils_index(SIGSEGV | 0x80), "with a core");
	CHECK(!session_death_spoils_index(SIGKILL), "KILL spoils nothing");
	CHECK(!session_death_spoils_index(70 << 8), "an exit");
}

static void test_edges(void)
{
	for (enum process_state s = 0; s < PROCESS_STATE_COUNT; s++) {
		CHECK(!process_may_become(PROCESS_GONE, s), "GONE is the end");
		CHECK(!process_may_become(s, PROCESS_SPAWNING), "nobody is born twice");
		CHECK(s == PROCESS_GONE || process_may_become(s, PROCESS_GONE), "every process may die: %d", s);
		CHECK(s >= PROCESS_ENDING || process_may_become(s, PROCESS_ENDING), "every line may be lost: %d", s);
	}
	CHECK(!process_may_become(PROCESS_STARTING, PROCESS_BUSY), "READY comes first");
	CHECK(!process_may_become(PROCESS_DRAINING, PROCESS_READY), "draining is for good");
	CHECK(process_may_become(PROCESS_BUSY, PROCESS_READY), "a worker is idle again");

	CHECK(!generation_may_become(GENERATION_DRAINING, GENERATION_ACCEPTING), "draining is for good");
	CHECK(!generation_may_become(GENERATION_CHECKING, GENERATION_ACCEPTING), "fronts first");
	CHECK(!pool_may_become(POOL_CONFIGURING, POOL_RECONFIGURING), "one offer at a time");
	CHECK(!pool_may_become(POOL_ENDING, POOL_READY), "ending is the end");
	CHECK(!login_may_become(LOGIN_QUEUED, LOGIN_PLACING), "nobody gets in unverified");
	CHECK(!login_may_become(LOGIN_QUEUED, LOGIN_ADOPTED), "nobody gets in unverified");
	CHECK(!login_may_become(LOGIN_VERIFYING, LOGIN_ADOPTED), "an account first");
	CHECK(!reload_may_become(RELOAD_NONE, RELOAD_STARTING), "checking first");
}

static void test_permits(void)
{
	static const struct {
		enum role role;
		enum process_state state;
		enum frame_kind kind;
		bool want;
	} rows[] = {
		{ ROLE_FRONT, PROCESS_READY, FRAME_LOGIN, true },
		{ ROLE_FRONT, PROCESS_DRAINING, FRAME_LOGIN, true },
		{ ROLE_FRONT, PROCESS_STOPPING, FRAME_LOGIN, true },
		{ ROLE_FRONT, PROCESS_STARTING, FRAME_LOGIN, false },
		{ ROLE_FRONT, PROCESS_READY, FRAME_READY, false },
		{ ROLE_FRONT, PROCESS_READY, FRAME_ACCOUNT, false },
		{ ROLE_FRONT, PROCESS_READY, FRAME_CLOSED, false },
		{ ROLE_WORKER, PROCESS_BUSY, FRAME_ACCOUNT, true },
		{ ROLE_WORKER, PROCESS_READY, FRAME_ACCOUNT, false },
		{ ROLE_WORKER, PROCESS_READY, FRAME_FAILED, false },
		{ ROLE_WORKER, PROCESS_BUSY, FRAME_LOGIN, false },
		{ ROLE_SESSION, PROCESS_READY, FRAME_RETIRE, false },
		{ ROLE_SESSION, PROCESS_BUSY, FRAME_RETIRE, true },
		{ ROLE_SESSION, PROCESS_READY, FRAME_CLOSED, false },
		{ ROLE_SESSION, PROCESS_BUSY, FRAME_ACCOUNT, false },
		{ ROLE_SESSION, PROCESS_STARTING, FRAME_READY, true },
		{ ROLE_SESSION, PROCESS_ENDING, FRAME_LOG, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(permits_process(rows[i].role, rows[i].state, rows[i].kind) == rows[i].want, "row %zu", i);
	/* What only the master says is nobody's to say. */
	for (enum role role = ROLE_FRONT; role <= ROLE_SESSION; role++)
		for (enum process_state s = 0; s < PROCESS_STATE_COUNT; s++) {
			CHECK(!permits_process(role, s, FRAME_SPAWN) && !permits_process(role, s, FRAME_ADOPT) &&
				!permits_process(role, s, FRAME_VERIFY) && !permits_process(role, s, FRAME_NONE), "%d %d", role, s);
		}
	CHECK(permits_pool(POOL_CONFIGURING, FRAME_READY), "an answer");
	CHECK(!permits_pool(POOL_READY, FRAME_READY), "an answer to nothing");
	CHECK(!permits_pool(POOL_CONFIGURING, FRAME_SPAWNED), "no children yet");
	CHECK(permits_pool(POOL_ENDING, FRAME_EXITED), "last words");
}

static void test_tickets(void)
{
	struct tickets t = { 0 };
	uint8_t first[TICKET_KEY_BYTES];

	CHECK(tickets_rotate(&t) == 0 && t.n == 1, "one");
	memcpy(first, t.keys, sizeof first);
	CHECK(tickets_rotate(&t) == 0 && t.n == 2, "two");
	CHECK(memcmp(t.keys, first, sizeof first) != 0, "a new one");
	CHECK(memcmp(t.keys + TICKET_KEY_BYTES, first, sizeof first) == 0, "the old one behind it");
	CHECK(tickets_rotate(&t) == 0 && tickets_rotate(&t) == 0 && t.n == TICKET_KEYS, "three at most");
	CHECK(tickets_frame(&t).ticket_keys.keys.n == sizeof t.keys, "all are sent");
	tickets_done(&t);
	for (size_t i = 0; i < sizeof t.keys; i++)
		CHECK(t.keys[i] == 0, "byte %zu", i);
}

static const struct unit_test tests[] = {
	{ "back-off doubles to its maximum", test_backoff_doubles },
	{ "back-off forgets", test_backoff_forgets },
	{ "log budget", test_budget },
	{ "slots", test_slots },
	{ "the queue is fair", test_queue_is_fair },
	{ "the queue is bounded", test_queue_limits },
	{ "supply", test_supply },
	{ "retire", test_retire },
	{ "deaths that spoil an index", test_deaths },
	{ "edges of all states", test_edges },
	{ "who may say what when", test_permits },
	{ "ticket keys", test_tickets },
};

UNIT_MAIN("test_master", tests)
