#include "server/master/budget.h"

#include "base/clock.h"

static const uint64_t token_usec = USEC_PER_SEC / BUDGET_PER_SEC;
static const uint64_t full_usec = BUDGET_BURST * (USEC_PER_SEC / BUDGET_PER_SEC);

bool budget_spend(struct budget *budget, uint64_t now_usec)
{
	if (!budget->started)
		budget->tokens_usec = full_usec;
	else
		budget->tokens_usec += now_usec - budget->filled_usec;
	budget->started = true;
	budget->filled_usec = now_usec;
	if (budget->tokens_usec > full_usec)
		budget->tokens_usec = full_usec;
	if (budget->tokens_usec < token_usec) {
		budget->dropped++;
		return false;
	}
	budget->tokens_usec -= token_usec;
	return true;
}

uint64_t budget_take_dropped(struct budget *budget)
{
	uint64_t dropped = budget->dropped;

	budget->dropped = 0;
	return dropped;
}
