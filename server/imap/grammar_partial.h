/* grammar_partial.h - the range of PARTIAL, in SEARCH and in UID FETCH: which of the results are wanted. Pure. */
#pragma once

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/slice.h"

#include <stdint.h>

struct partial {
	bool from_end;        /* counted from the last result: "-1:-100" */
	uint32_t first, last; /* first <= last; 0: there is no range */
	struct slice text;    /* as the client wrote it: the answer repeats it */
};

/* partial-range. RFC 9394 section 4; 5267 section 5. Returns PARSE_OK, or PARSE_BAD with *in untouched. */
_must_check_ enum parse grammar_partial(struct slice *in, struct partial *ret_partial);

/*
 * Which of n results those are, counted from 1 in their order.
 * Returns false: none.
 */
bool partial_of(const struct partial *partial, uint64_t n, uint64_t *ret_first, uint64_t *ret_last);
