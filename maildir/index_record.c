#include "maildir/index_record.h"

#include "base/checksum.h"

struct index_key index_key_make(enum index_table table, uint32_t mailbox, uint64_t key)
{
	struct index_key k;

	k.bytes[0] = (uint8_t)table;
	for (int i = 0; i < 4; i++)
		k.bytes[1 + i] = (uint8_t)(mailbox >> (24 - 8 * i));
	for (int i = 0; i < 8; i++)
		k.bytes[5 + i] = (uint8_t)(key >> (56 - 8 * i));
	return k;
}

uint64_t index_key_number(const struct index_key *key)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | key->bytes[5 + i];
	return number;
}

uint32_t index_key_mailbox(const struct index_key *key)
{
	uint32_t mailbox = 0;

	for (int i = 0; i < 4; i++)
		mailbox = mailbox << 8 | key->bytes[1 + i];
	return mailbox;
}

uint64_t index_record_sum(const struct index_key *key, struct slice value)
{
	return checksum(checksum(0, slice_from(key->bytes, INDEX_KEY_BYTES)), value);
}

bool index_record_check(const struct index_key *key, struct slice stored, struct slice *ret_value)
{
	uint64_t sum;

	if (stored.n < INDEX_SUM_BYTES || stored.n > INDEX_VALUE_MAX_BYTES)
		return false;
	memcpy(&sum, stored.p, sizeof sum);
	if (sum != index_record_sum(key, slice_tail(stored, INDEX_SUM_BYTES)))
		return false;
	*ret_value = slice_tail(stored, INDEX_SUM_BYTES);
	return true;
}
