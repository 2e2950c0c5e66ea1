/* casemap_table.h - the characters that RFC 5051 changes, Hangul syllables and ASCII apart; used by casemap.c. Pure. */
#pragma once

#include <stdint.h>

struct casemap_row {
	uint32_t from;
	uint16_t at; /* in casemap_pool */
	uint8_t n;
};

enum { CASEMAP_PAGES = 0x300 }; /* of 256 characters; what lies beyond stays as it is */

/* Sorted by from. The rows of a page are those from casemap_pages[page] to before casemap_pages[page + 1]. */
extern const struct casemap_row casemap_rows[];
extern const uint16_t casemap_pages[CASEMAP_PAGES + 1];
/* UTF-8. */
extern const uint8_t casemap_pool[];
