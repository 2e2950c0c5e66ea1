/* html_entities.h - the characters that entities of HTML stand for. Pure. */
#pragma once

#include "base/slice.h"

/*
 * The character of "&name;", given what stands between "&" and ";": "amp", "#8217", "#x2019". Returns 0: none
 * that is known; U+FFFD: a number that is no character.
 */
uint32_t html_entity(struct slice name);
