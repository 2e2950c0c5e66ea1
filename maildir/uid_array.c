#include "maildir/uid_array.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

enum { COMPARED_AT_ONCE = 1024 };

struct uid_array *uid_array_new(size_t n)
{
	must(n < UINT32_MAX);

	struct uid_array *array = malloc(sizeof *array + n * sizeof *array->uids);

	must(array != NULL);
	array->refs = 1;
	array->n = n;
	return array;
}

struct uid_array *uid_array_ref(struct uid_array *array)
{
	array->refs++;
	return array;
}

void uid_array_unref(struct uid_array *array)
{
	if (array && --array->refs == 0)
		free(array);
}

size_t uid_array_common(const struct uid_array *a, const struct uid_array *b)
{
	size_t most = a->n < b->n ? a->n : b->n, n = 0;

	while (n < most) {
		size_t step = most - n < COMPARED_AT_ONCE ? most - n : COMPARED_AT_ONCE;

		if (memcmp(a->uids + n, b->uids + n, step * sizeof *a->uids) != 0)
			break;
		n += step;
	}
	while (n < most && a->uids[n] == b->uids[n])
		n++;
	return n;
}

/* As list_lower_bound(). */
size_t uid_array_count_to(const struct uid_array *array, uint32_t msg_uid)
{
	if (array->n == 0 || msg_uid < array->uids[0])
		return 0;

	size_t from_first = (size_t)(msg_uid - array->uids[0]) + 1;
	uint32_t last = array->uids[array->n - 1];

	if (msg_uid >= last)
		return array->n;

	size_t to_end = last - msg_uid;
	size_t low = to_end < array->n ? array->n - to_end : 0;
	size_t high = from_first < array->n ? from_first : array->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (array->uids[mid] <= msg_uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int uid_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}
