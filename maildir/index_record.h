/* index_record.h - keys and values of the index as LMDB holds them. Pure. */
#pragma once

#include "base/slice.h"
#include "maildir/index.h"

enum {
	INDEX_KEY_BYTES = 13, /* table, mailbox, key: their bytes in the order of the numbers */
	INDEX_SUM_BYTES = 8,  /* in front of each value: a checksum over key and value */
	INDEX_VALUE_MAX_BYTES = 64 * 1024 * 1024,
};

struct index_key {
	uint8_t bytes[INDEX_KEY_BYTES];
};

struct index_key index_key_make(enum index_table table, uint32_t mailbox, uint64_t key);

/* The last of the three. */
uint64_t index_key_number(const struct index_key *key);
uint32_t index_key_mailbox(const struct index_key *key);

uint64_t index_record_sum(const struct index_key *key, struct slice value);

/* Whether what is stored is a checksum and the value it is of: *ret_value. */
bool index_record_check(const struct index_key *key, struct slice stored, struct slice *ret_value);
