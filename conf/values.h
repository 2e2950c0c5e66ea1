/* values.h - the typed values of restante.conf: from text to a field of struct conf. Pure. */
#pragma once

#include "base/arena.h"
#include "conf/keys.h"

enum { CONF_WRONG_BYTES = 240 };

/*
 * Read a value as its key wants it, and store it at the key's offset behind base.
 * strings   where strings are copied to.
 * Returns   0; or -EINVAL: ret_wrong is a sentence of what is wrong with the value and what would be right; the field is untouched.
 */
_must_check_ int conf_value_store(
	const struct conf_key *key, struct slice value, struct arena *strings, void *base, char ret_wrong[CONF_WRONG_BYTES]);

/*
 * Read "30s", "0.5 s", "2 min", "1h 30min": numbers with up to 6 decimals, each with a unit (ms s sec min h d and their
 * long forms); a number alone is in seconds. Returns false if it is something else or over ten years.
 */
bool conf_duration_parse(struct slice s, uint64_t *ret_usec);

/*
 * Read "500M", "1.5 G", "2 GiB": a number with up to 6 decimals, and a unit (K M G T, powers of 1024, any of them with B or iB
 * behind); a number alone is in bytes. Returns false if it is something else or above 63 bits.
 */
bool conf_size_parse(struct slice s, uint64_t *ret_bytes);

/* Write a duration as the man page does: "31 min", "2 s"; what is no whole number of a larger unit in a smaller one. */
void conf_duration_format(uint64_t usec, char *ret_text, size_t text_bytes);
