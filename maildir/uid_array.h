/* uid_array.h - an immutable, shared, ascending list of UIDs. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct uid_array {
	unsigned refs;
	size_t n;
	uint32_t uids[];
};

/* An array for n UIDs, to be filled; one reference. */
struct uid_array *uid_array_new(size_t n);
struct uid_array *uid_array_ref(struct uid_array *array);
/* Give a reference back; NULL is allowed. */
void uid_array_unref(struct uid_array *array);

/* How many are the same in both, from the first on. */
size_t uid_array_common(const struct uid_array *a, const struct uid_array *b);

/* How many are at most msg_uid. */
size_t uid_array_count_to(const struct uid_array *array, uint32_t msg_uid);

/* Compare two UIDs, each behind a uint32_t's address: for qsort(). Returns <0, 0 or >0. */
int uid_compare(const void *a, const void *b);
