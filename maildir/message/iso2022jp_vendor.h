/* iso2022jp_vendor.h - the characters that NEC and Microsoft put into rows 89 to 92 of JIS X 0208. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Find the character of a row (0x79 to 0x7c) and cell (0x21 to 0x7e): IBM's extensions, which CP50220 and CP932 have
 * there, in the form of eucJP-ms. libc takes these rows for characters of the user.
 * Returns how many bytes were written; 0: another row, or no character.
 */
size_t iso2022jp_vendor(char row, char cell, char ret_euc[3]);
