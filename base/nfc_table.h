/* nfc_table.h - what Normalization Form C needs of Unicode, ascending by the first member. Only nfc.c reads it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The canonical decomposition of a character; second is 0 where it is one character. Hangul is left out. */
struct nfc_decomposition {
	uint32_t c, first, second;
};
/* Two characters that compose to one; ascending by first, then second. */
struct nfc_pair {
	uint32_t first, second, c;
};
/* Characters with a canonical combining class that is not 0. */
struct nfc_class {
	uint32_t first, last, combining;
};

extern const struct nfc_decomposition nfc_decompositions[];
extern const struct nfc_pair nfc_pairs[];
extern const struct nfc_class nfc_classes[];
extern const size_t nfc_decompositions_n, nfc_pairs_n, nfc_classes_n;
