#include "maildir/chunk_set.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

enum { BITS = 64 };

void chunk_set_done(struct chunk_set *set)
{
	free(set->words);
	*set = (struct chunk_set){ 0 };
}

void chunk_set_add(struct chunk_set *set, uint32_t chunk)
{
	size_t word = chunk / BITS;
	uint64_t bit = UINT64_C(1) << chunk % BITS;

	if (word >= set->n_words) {
		size_t n = word + word / 2 + 1;

		set->words = reallocarray(set->words, n, sizeof *set->words);
		must(set->words != NULL);
		memset(set->words + set->n_words, 0, (n - set->n_words) * sizeof *set->words);
		set->n_words = n;
	}
	set->n += !(set->words[word] & bit);
	set->words[word] |= bit;
}

void chunk_set_remove(struct chunk_set *set, uint32_t chunk)
{
	size_t word = chunk / BITS;
	uint64_t bit = UINT64_C(1) << chunk % BITS;

	if (word >= set->n_words || !(set->words[word] & bit))
		return;
	set->words[word] &= ~bit;
	set->n--;
}

bool chunk_set_next(const struct chunk_set *set, uint32_t *chunk)
{
	if (set->n == 0)
		return false;
	for (size_t word = *chunk / BITS; word < set->n_words; word++) {
		uint64_t bits = set->words[word];

		if (word == *chunk / BITS)
			bits &= ~UINT64_C(0) << *chunk % BITS;
		if (bits) {
			*chunk = (uint32_t)(word * BITS + (size_t)__builtin_ctzll(bits));
			return true;
		}
	}
	return false;
}
