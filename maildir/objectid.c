#include "maildir/objectid.h"

#include "base/hash.h"

#include <stdio.h>

/*
 * Clients keep these ids for years: neither keys nor form may change. Two hashes, so that even among many millions of
 * messages no two have the same.
 */
static const uint8_t keys[2][HASH_KEY_BYTES + 1] = { "restante-objectA", "restante-objectB" };

void objectid_format(enum objectid_kind kind, struct slice name, char ret_id[OBJECTID_BYTES])
{
	snprintf(ret_id, OBJECTID_BYTES, "%c%016llx%016llx", (char)kind,
		(unsigned long long)hash_siphash(keys[0], name),
		(unsigned long long)hash_siphash(keys[1], name));
}
