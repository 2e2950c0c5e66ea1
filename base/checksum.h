/* checksum.h - a fast checksum against damage, not against forgers (they get hash.h). Pure. */
#pragma once

#include "base/slice.h"

/*
 * The checksum of the bytes of s; another seed makes another function. Same on every machine of one byte order.
 * Limits  some 10 GB a second; what differs has the same one with a probability of
 *         2^-64.
 */
uint64_t checksum(uint64_t seed, struct slice s);
