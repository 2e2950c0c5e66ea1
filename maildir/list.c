#include "maildir/list.h"

#include "base/hash.h"
#include "base/must.h"

#include <errno.h>
#include <sys/random.h>

enum { LIST_FIRST = 64, BYTES_FIRST = 4096 };

void list_init(struct list *list)
{
	*list = (struct list){ 0 };
	if (getrandom(list->hash_key, sizeof list->hash_key, GRND_NONBLOCK) < 0)
		memcpy(list->hash_key, &list,
			sizeof list); /* an address is random enough at boot */
}

void list_done(struct list *list)
{
	free(list->messages);
	free(list->entries);
	free(list->bytes);
	free(list->keys);
	free(list->starts);
	*list = (struct list){ 0 };
}

static void *grow(void *p, size_t count, size_t bytes)
{
	must(count < SIZE_MAX / 2 / bytes);
	p = realloc(p, count * bytes);
	must(p != NULL);
	return p;
}

void list_reserve(struct list *list, size_t n, size_t bytes)
{
	if (bytes > list->bytes_cap) {
		list->bytes = grow(list->bytes, bytes, 1);
		list->bytes_cap = bytes;
	}
	if (n <= list->cap)
		return;
	list->messages = grow(list->messages, n, sizeof *list->messages);
	list->entries = grow(list->entries, n, sizeof *list->entries);
	list->cap = n;
}

/* Offset 0 stays unused: it means "none". */
static bool keep_bytes(struct list *list, struct slice s, uint32_t *ret_at)
{
	size_t at = list->bytes_n > 0 ? list->bytes_n : 1;

	if (at + s.n > UINT32_MAX)
		return false;
	if (at + s.n > list->bytes_cap) {
		size_t cap = list->bytes_cap + list->bytes_cap / 4;

		if (cap < at + s.n + BYTES_FIRST)
			cap = at + s.n + BYTES_FIRST;
		list->bytes = grow(list->bytes, cap, 1);
		list->bytes_cap = cap;
	}
	if (s.n > 0)
		memcpy(list->bytes + at, s.p, s.n);
	list->bytes_n = at + s.n;
	*ret_at = (uint32_t)at;
	return true;
}

size_t list_add(struct list *list, uint32_t msg_uid, struct slice base, struct slice fields)
{
	struct entry entry = {
		.base_bytes = (uint8_t)base.n,
		.fields_bytes = (uint16_t)fields.n,
		.no_info = true,
		.rfc822_size = ENTRY_SIZE_UNKNOWN,
		.internaldate = ENTRY_DATE_UNKNOWN,
	};

	must(base.n > 0 && base.n <= UINT8_MAX && fields.n <= UINT16_MAX);
	must(list->n == 0 || list->messages[list->n - 1].msg_uid < msg_uid);
	if (!keep_bytes(list, base, &entry.base_at))
		return SIZE_MAX;
	if (fields.n > 0 && !keep_bytes(list, fields, &entry.fields_at))
		return SIZE_MAX;
	if (list->n == list->cap)
		list_reserve(list, list->cap + list->cap / 4 + LIST_FIRST, 0);
	list->messages[list->n] = (struct message){ .msg_uid = msg_uid };
	list->entries[list->n] = entry;
	return list->n++;
}

size_t list_lower_bound(const struct list *list, uint32_t msg_uid)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->messages[mid].msg_uid < msg_uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

ssize_t list_find_uid(const struct list *list, uint32_t msg_uid)
{
	size_t at = list_lower_bound(list, msg_uid);

	return at < list->n && list->messages[at].msg_uid == msg_uid ? (ssize_t)at : -1;
}

static uint32_t hash_base(const struct list *list, struct slice base)
{
	return (uint32_t)hash_siphash(list->hash_key, base);
}

/* By 11, 11 and 10 bits, the lowest first; stable, so equal hashes stay ascending by number. */
static void radix_sort(struct list_key *keys, struct list_key *spare, size_t n)
{
	static const unsigned SHIFTS[] = { 0, 11, 22 };
	struct list_key *from = keys, *to = spare;

	for (int pass = 0; pass < 3; pass++) {
		size_t at[2048] = { 0 }, sum = 0;

		for (size_t i = 0; i < n; i++)
			at[from[i].hash >> SHIFTS[pass] & 2047]++;
		for (size_t i = 0; i < 2048; i++) {
			size_t count = at[i];

			at[i] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[at[from[i].hash >> SHIFTS[pass] & 2047]++] = from[i];

		struct list_key *swap = from;

		from = to;
		to = swap;
	}
	memcpy(keys, from, n * sizeof *keys);
}

/* A few new keys are put into their places one by one; many are sorted. */
static void insert_keys(struct list *list, size_t first)
{
	for (size_t i = first; i < list->n; i++) {
		struct list_key key = list->keys[i];
		size_t low = 0, high = i;

		while (low < high) {
			size_t mid = low + (high - low) / 2;

			if (list->keys[mid].hash <= key.hash)
				low = mid + 1;
			else
				high = mid;
		}
		memmove(list->keys + low + 1, list->keys + low, (i - low) * sizeof key);
		list->keys[low] = key;
	}
}

/* About two keys to a bucket: a look-up reads one place here and one among the keys. */
static void find_starts(struct list *list)
{
	unsigned bits = 1;

	while (bits < 24 && (size_t)4 << bits <= list->n_keys)
		bits++;
	if (bits != list->start_bits) {
		list->starts = grow(list->starts, ((size_t)1 << bits) + 1, sizeof *list->starts);
		list->start_bits = bits;
	}

	uint32_t bucket = 0;

	for (size_t i = 0; i < list->n_keys; i++)
		while (bucket <= list->keys[i].hash >> (32 - bits))
			list->starts[bucket++] = (uint32_t)i;
	while (bucket <= (uint32_t)1 << bits)
		list->starts[bucket++] = (uint32_t)list->n_keys;
}

void list_index(struct list *list)
{
	size_t first = list->n_keys;

	if (first == list->n)
		return;
	if (list->keys_cap < list->n) {
		list->keys = grow(list->keys, list->cap, sizeof *list->keys);
		list->keys_cap = list->cap;
	}
	for (size_t i = first; i < list->n; i++)
		list->keys[i] =
			(struct list_key){ hash_base(list, list_base(list, i)), (uint32_t)i };
	if (list->n - first <= 16) {
		insert_keys(list, first);
	} else {
		struct list_key *spare = grow(NULL, list->n, sizeof *spare);

		radix_sort(list->keys, spare, list->n);
		free(spare);
	}
	list->n_keys = list->n;
	find_starts(list);
}

ssize_t list_find_base(const struct list *list, struct slice base)
{
	uint32_t hash = hash_base(list, base);
	ssize_t found = -1;

	must(list->n_keys == list->n);
	if (list->n_keys == 0)
		return -1;

	uint32_t bucket = hash >> (32 - list->start_bits);

	for (size_t i = list->starts[bucket]; i < list->starts[bucket + 1]; i++) {
		uint32_t number = list->keys[i].number;

		if (list->keys[i].hash == hash && !list->entries[number].orphan &&
			slice_equal(list_base(list, number), base) && (ssize_t)number > found)
			found = number;
	}
	return found;
}

/* Equal hashes stand together, ascending by number. */
void list_orphan_duplicates(struct list *list)
{
	must(list->n_keys == list->n);
	for (size_t i = 0; i + 1 < list->n_keys; i++) {
		uint32_t number = list->keys[i].number;

		if (list->keys[i + 1].hash != list->keys[i].hash)
			continue;

		ssize_t last = list_find_base(list, list_base(list, number));

		if (last >= 0 && (uint32_t)last != number)
			list->entries[number].orphan = true;
	}
}

struct slice list_base(const struct list *list, size_t number)
{
	const struct entry *entry = &list->entries[number];

	return slice_from(list->bytes + entry->base_at, entry->base_bytes);
}

struct slice list_fields(const struct list *list, size_t number)
{
	const struct entry *entry = &list->entries[number];

	return entry->fields_bytes > 0
		       ? slice_from(list->bytes + entry->fields_at, entry->fields_bytes)
		       : (struct slice){ NULL, 0 };
}

struct slice list_odd_info(const struct list *list, size_t number)
{
	uint32_t at = list->entries[number].info_at;

	return at ? slice_str(list->bytes + at) : (struct slice){ NULL, 0 };
}

void list_set_fields(struct list *list, size_t number, struct slice fields)
{
	struct entry *entry = &list->entries[number];

	if (slice_equal(list_fields(list, number), fields))
		return;
	list->bytes_dead += entry->fields_bytes;

	uint32_t at = 0;

	if (fields.n > 0 && !keep_bytes(list, fields, &at))
		return; /* 4 GiB of names: the old fields stay, the file has the new ones */
	entry->fields_at = at;
	entry->fields_bytes = (uint16_t)fields.n;
}

void list_set_info(struct list *list, size_t number, struct slice info)
{
	struct entry *entry = &list->entries[number];
	char text[256];

	entry->letters = filename_letters(info);
	entry->no_info = info.n == 0;
	if (info.n == 0 || filename_is_canonical(info)) {
		entry->info_at = 0;
		return;
	}
	if (slice_equal(list_odd_info(list, number), info))
		return;
	must(slice_to_str(info, text, sizeof text));
	list->bytes_dead += list_odd_info(list, number).n;

	uint32_t at = 0;

	must(keep_bytes(list, slice_from(text, info.n + 1), &at));
	entry->info_at = at;
}

int list_file_name(const struct list *list, size_t number, struct buf *out)
{
	const struct entry *entry = &list->entries[number];

	if (entry->no_info)
		return buf_add(out, list_base(list, number));
	if (entry->info_at == 0)
		return filename_format(
			list_base(list, number), (struct slice){ NULL, 0 }, entry->letters, out);

	int r = buf_add(out, list_base(list, number));

	return r < 0 ? r : buf_add(out, list_odd_info(list, number));
}

/* Bytes no message refers to any more are squeezed out when they are the greater part. */
static void compact_bytes(struct list *list)
{
	if (list->bytes_dead < BYTES_FIRST || list->bytes_dead < list->bytes_n / 2)
		return;

	struct list fresh = { 0 };

	for (size_t i = 0; i < list->n; i++) {
		struct entry *entry = &list->entries[i];
		uint32_t at = 0;

		must(keep_bytes(&fresh, list_base(list, i), &at));
		if (entry->fields_bytes > 0) {
			uint32_t fields_at = 0;

			must(keep_bytes(&fresh, list_fields(list, i), &fields_at));
			entry->fields_at = fields_at;
		}
		if (entry->info_at) {
			struct slice info = list_odd_info(list, i);
			uint32_t info_at = 0;

			must(keep_bytes(&fresh, slice_from(info.p, info.n + 1), &info_at));
			entry->info_at = info_at;
		}
		entry->base_at = at;
	}
	free(list->bytes);
	list->bytes = fresh.bytes;
	list->bytes_n = fresh.bytes_n;
	list->bytes_cap = fresh.bytes_cap;
	list->bytes_dead = 0;
}

/* new_numbers: what becomes of each number; UINT32_MAX: gone. */
static void renumber_keys(struct list *list, const uint32_t *new_numbers)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n_keys; i++) {
		uint32_t number = new_numbers[list->keys[i].number];

		if (number != UINT32_MAX)
			list->keys[kept++] = (struct list_key){ list->keys[i].hash, number };
	}
	list->n_keys = kept;
	find_starts(list);
}

void list_remove_if(struct list *list, bool (*gone)(void *arg, size_t number), void *arg)
{
	_cleanup_free_ uint32_t *new_numbers = NULL;
	size_t kept = 0, shown = list->n_shown;

	for (size_t i = 0; i < list->n; i++) {
		if (gone(arg, i)) {
			if (!new_numbers) {
				new_numbers = grow(NULL, list->n, sizeof *new_numbers);
				for (size_t before = 0; before < i; before++)
					new_numbers[before] = (uint32_t)before;
			}
			new_numbers[i] = UINT32_MAX;
			list->bytes_dead +=
				(size_t)list->entries[i].base_bytes + list->entries[i].fields_bytes;
			shown -= i < list->n_shown;
			continue;
		}
		if (new_numbers) {
			new_numbers[i] = (uint32_t)kept;
			list->messages[kept] = list->messages[i];
			list->entries[kept] = list->entries[i];
		}
		kept++;
	}
	if (!new_numbers)
		return;
	renumber_keys(list, new_numbers);
	list->n = kept;
	list->n_shown = shown;
	compact_bytes(list);
}

static bool is_at_least(void *arg, size_t number)
{
	return number >= *(size_t *)arg;
}

void list_truncate(struct list *list, size_t first)
{
	list_remove_if(list, is_at_least, &first);
}
