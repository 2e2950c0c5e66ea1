#include "server/master/slots.h"

#include "base/must.h"

static bool is_taken(const struct slots *slots, uint32_t slot)
{
	return slots->taken[slot / 64] >> (slot % 64) & 1;
}

static uint32_t take(struct slots *slots, uint32_t slot)
{
	slots->taken[slot / 64] |= (uint64_t)1 << (slot % 64);
	return slot;
}

static uint32_t take_front(struct slots *slots)
{
	for (uint32_t slot = 1; slot <= STATUS_FRONTS; slot++)
		if (!is_taken(slots, slot))
			return take(slots, slot);
	return 0;
}

uint32_t slots_take(struct slots *slots, bool front)
{
	if (front)
		return take_front(slots);
	for (uint32_t tried = STATUS_FRONTS + 1; tried < STATUS_SLOTS; tried++) {
		if (slots->next <= STATUS_FRONTS || slots->next >= STATUS_SLOTS)
			slots->next = STATUS_FRONTS + 1;

		uint32_t slot = slots->next++;

		if (!is_taken(slots, slot))
			return take(slots, slot);
	}
	return 0;
}

void slots_release(struct slots *slots, uint32_t slot)
{
	must(slot > 0 && slot < STATUS_SLOTS && is_taken(slots, slot));
	slots->taken[slot / 64] &= ~((uint64_t)1 << (slot % 64));
}
