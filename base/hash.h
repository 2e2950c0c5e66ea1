/* hash.h - SipHash-2-4: a keyed hash for tables that strangers fill, and a checksum. Pure. */
#pragma once

#include "base/slice.h"

enum { HASH_KEY_BYTES = 16 };

/* Hash the bytes of s under a key of HASH_KEY_BYTES bytes. */
uint64_t hash_siphash(const uint8_t key[HASH_KEY_BYTES], struct slice s);
