/* The construction of wyhash and its kin: 64 by 64 bit products, folded to 64 bits. Two lanes, so that products overlap. */
#include "base/checksum.h"

#include <string.h>

static const uint64_t K0 = 0x9e3779b97f4a7c15, K1 = 0xc2b2ae3d27d4eb4f, K2 = 0x165667b19e3779f9,
		      K3 = 0xd6e8feb86659fd93;

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	return w;
}

uint64_t checksum(uint64_t seed, struct slice s)
{
	uint64_t a = seed ^ K0, b = fold(seed ^ K1, s.n ^ K2);
	char tail[32] = { 0 };

	for (; s.n >= 32; s = slice_tail(s, 32)) {
		a = fold(word(s.p) ^ K1, word(s.p + 8) ^ a);
		b = fold(word(s.p + 16) ^ K2, word(s.p + 24) ^ b);
	}
	if (s.n > 0)
		memcpy(tail, s.p, s.n);
	a = fold(word(tail) ^ K1, word(tail + 8) ^ a);
	b = fold(word(tail + 16) ^ K2, word(tail + 24) ^ b);
	return fold(a ^ K3, b ^ K0);
}
