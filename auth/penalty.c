/*
 * Invariants, whoever dies at whatever instruction while holding the lock:
 * 1. An entry is a few numbers that mean something in any combination: a half-made change is at worst one failure
 *    counted wrongly. So a lock whose owner died is simply taken over.
 * 2. An entry with no failures is free.
 */
#include "auth/penalty.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/must.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { ROWS = 8192, ROW_ENTRIES = 8 };

enum kind { KIND_ADDRESS, KIND_ACCOUNT };

struct entry {
	uint64_t key;
	uint64_t since_usec; /* of the first failure that is counted */
	uint32_t failures;
};

struct penalty {
	pthread_mutex_t lock;
	uint8_t hash_key[HASH_KEY_BYTES];
	struct entry rows[ROWS][ROW_ENTRIES];
};

static int init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t shared;
	int r = pthread_mutexattr_init(&shared);

	if (r == 0)
		r = pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	if (r == 0)
		r = pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST);
	if (r == 0)
		r = pthread_mutex_init(lock, &shared);
	return -r;
}

int penalty_new(struct penalty **ret_penalty)
{
	struct penalty *penalty = mmap(NULL, sizeof *penalty, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (penalty == MAP_FAILED)
		return -errno;

	int r = init_lock(&penalty->lock);

	if (r == 0 && getrandom(penalty->hash_key, sizeof penalty->hash_key, 0) != sizeof penalty->hash_key)
		r = -EIO;
	if (r < 0) {
		penalty_free(penalty);
		return r;
	}
	*ret_penalty = penalty;
	return 0;
}

void penalty_free(struct penalty *penalty)
{
	if (penalty)
		munmap(penalty, sizeof *penalty);
}

static void lock(struct penalty *penalty)
{
	int r = pthread_mutex_lock(&penalty->lock);

	if (r == EOWNERDEAD)
		r = pthread_mutex_consistent(&penalty->lock); /* invariant 1 */
	must(r == 0);
}

static void unlock(struct penalty *penalty)
{
	must(pthread_mutex_unlock(&penalty->lock) == 0);
}

static uint64_t key_of(const struct penalty *penalty, enum kind kind, const struct penalty_who *who)
{
	char bytes[2 + LIMIT_USER_BYTES] = { (char)kind };
	struct address client = address_client(&who->address);
	struct slice user = slice_head(who->user, LIMIT_USER_BYTES);

	if (kind == KIND_ADDRESS) {
		bytes[1] = (char)client.family;
		memcpy(bytes + 2, client.bytes, sizeof client.bytes);
		return hash_siphash(penalty->hash_key, slice_from(bytes, 2 + sizeof client.bytes));
	}
	for (size_t i = 0; i < user.n; i++)
		bytes[2 + i] = ascii_lower(user.p[i]);
	return hash_siphash(penalty->hash_key, slice_from(bytes, 2 + user.n));
}

static bool is_old(const struct entry *entry, uint64_t window_usec, uint64_t now_usec)
{
	/* A clock that was set back must not keep anybody out for longer than a window. */
	return now_usec < entry->since_usec || now_usec - entry->since_usec >= window_usec;
}

static struct entry *find(struct penalty *penalty, uint64_t key)
{
	struct entry *row = penalty->rows[key % ROWS];

	for (int i = 0; i < ROW_ENTRIES; i++)
		if (row[i].failures > 0 && row[i].key == key)
			return &row[i];
	return NULL;
}

static unsigned failures_of(struct penalty *penalty, uint64_t key, uint64_t window_usec, uint64_t now_usec)
{
	const struct entry *entry = find(penalty, key);

	return entry && !is_old(entry, window_usec, now_usec) ? entry->failures : 0;
}

/* Whether a is the better one to be overwritten. */
static bool goes_before(const struct entry *a, const struct entry *b, uint64_t window_usec, uint64_t now_usec)
{
	bool a_free = a->failures == 0 || is_old(a, window_usec, now_usec);
	bool b_free = b->failures == 0 || is_old(b, window_usec, now_usec);

	if (a_free != b_free)
		return a_free;
	if (a->failures != b->failures)
		return a->failures < b->failures;
	return a->since_usec < b->since_usec;
}

static struct entry *make_room(struct penalty *penalty, uint64_t key, uint64_t window_usec, uint64_t now_usec)
{
	struct entry *row = penalty->rows[key % ROWS], *room = row;

	for (int i = 1; i < ROW_ENTRIES; i++)
		if (goes_before(&row[i], room, window_usec, now_usec))
			room = &row[i];
	return room;
}

/* Returns the failures, this one counted. */
static unsigned count(struct penalty *penalty, uint64_t key, uint64_t window_usec, uint64_t now_usec)
{
	struct entry *entry = find(penalty, key);

	if (entry && !is_old(entry, window_usec, now_usec)) {
		entry->failures += entry->failures < UINT32_MAX;
		return entry->failures;
	}
	if (!entry)
		entry = make_room(penalty, key, window_usec, now_usec);
	*entry = (struct entry){ .key = key, .since_usec = now_usec, .failures = 1 };
	return 1;
}

static uint64_t delay_for(const struct penalty_limits *limits, unsigned failures)
{
	uint64_t delay = limits->failure_delay_usec;

	for (; failures > PENALTY_FREE_FAILURES && delay < PENALTY_DELAY_MAX_USEC; failures--)
		delay = delay > 0 ? 2 * delay : 100 * 1000;
	if (delay > PENALTY_DELAY_MAX_USEC && limits->failure_delay_usec < PENALTY_DELAY_MAX_USEC)
		delay = PENALTY_DELAY_MAX_USEC;
	return delay;
}

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

struct penalty_decision penalty_check(struct penalty *penalty, const struct penalty_limits *limits,
	const struct penalty_who *who, uint64_t now_usec)
{
	uint64_t address_key = key_of(penalty, KIND_ADDRESS, who), account_key = key_of(penalty, KIND_ACCOUNT, who);
	unsigned by_address = 0;

	lock(penalty);
	if (who->address.family != 0)
		by_address = failures_of(penalty, address_key, limits->window_usec, now_usec);

	unsigned by_account = failures_of(penalty, account_key, limits->window_usec, now_usec);

	unlock(penalty);
	return (struct penalty_decision){
		.refused = by_address >= larger(limits->address_failures, 1) || by_account >= larger(limits->account_failures, 1),
		.delay_usec = delay_for(limits, larger(by_address, by_account)),
	};
}

uint64_t penalty_failure(struct penalty *penalty, const struct penalty_limits *limits, const struct penalty_who *who,
	uint64_t now_usec)
{
	uint64_t address_key = key_of(penalty, KIND_ADDRESS, who), account_key = key_of(penalty, KIND_ACCOUNT, who);
	unsigned by_address = 0;

	lock(penalty);
	if (who->address.family != 0)
		by_address = count(penalty, address_key, limits->window_usec, now_usec);

	unsigned by_account = count(penalty, account_key, limits->window_usec, now_usec);

	unlock(penalty);
	return delay_for(limits, larger(by_address, by_account));
}

void penalty_success(struct penalty *penalty, const struct penalty_who *who)
{
	uint64_t key = key_of(penalty, KIND_ACCOUNT, who);

	lock(penalty);

	struct entry *entry = find(penalty, key);

	if (entry)
		entry->failures = 0;
	unlock(penalty);
}
