#include "server/front/log_limit.h"

/* FNV-1a: a stranger who makes others share a slot gains that fewer lines are logged of himself. */
static size_t slot_of(const struct address *client)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof client->bytes; i++)
		hash = (hash ^ client->bytes[i]) * 16777619u;
	return hash % LOG_LIMIT_SLOTS;
}

bool log_limit_allow(struct log_limit *limit, const struct address *address, uint64_t now_usec, unsigned *ret_suppressed)
{
	struct address client = address_client(address);
	struct log_limit_slot *slot = &limit->slots[slot_of(&client)];

	*ret_suppressed = 0;
	if (slot->began_usec == 0 || now_usec - slot->began_usec >= LOG_LIMIT_WINDOW_USEC) {
		if (address_equal(&slot->client, &client))
			*ret_suppressed = slot->suppressed;
		*slot = (struct log_limit_slot){ .client = client, .began_usec = now_usec };
	}
	if (slot->lines >= LOG_LIMIT_LINES) {
		slot->suppressed++;
		return false;
	}
	slot->lines++;
	return true;
}
