#include "maildir/list.h"

#include "base/hash.h"
#include "base/must.h"
#include "maildir/index.h"
#include "maildir/uidlist.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	LIST_FIRST = 64,
	BYTES_FIRST = 4096,
	TAIL_MAX = 64, /* messages not among the keys: looked through one by one */
	POPULATED_BYTES = 128 * 1024,
	INDEX_COST = 16, /* an index costs as much, for a message, as looking at so many */
};

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
	free(list->hashes);
	free(list->keys);
	free(list->starts);
	chunk_set_done(&list->changed);
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
	list->hashes = grow(list->hashes, n, sizeof *list->hashes);
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

/* With a NUL behind it. */
static bool keep_text(struct list *list, struct slice text, uint32_t *ret_at)
{
	char copy[UINT8_MAX + 1];

	return slice_to_str(text, copy, sizeof copy) &&
	       keep_bytes(list, slice_from(copy, text.n + 1), ret_at);
}

uint32_t list_hash(const struct list *list, struct slice base)
{
	return (uint32_t)hash_siphash(list->hash_key, base);
}

void list_touch(struct list *list, size_t number)
{
	chunk_set_add(&list->changed, list->messages[number].msg_uid >> INDEX_CHUNK_SHIFT);
}

void list_touch_all(struct list *list)
{
	for (size_t i = 0; i < list->n; i++)
		list_touch(list, i);
}

/* Have the kernel give all pages at once, where one page fault for each costs more than what is written there. */
static void populate(void *p, size_t bytes)
{
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)p + page_bytes - 1) & ~(page_bytes - 1);
	uintptr_t end = ((uintptr_t)p + bytes) & ~(page_bytes - 1);

	if (bytes >= POPULATED_BYTES)
		(void)!madvise((void *)from, end - from, MADV_POPULATE_WRITE);
}

/* Zeroed memory from the kernel costs nothing until it is touched, which most entries never are. */
void list_restore(struct list *list, const uint8_t hash_key[16], size_t n)
{
	must(list->n == 0);
	list_done(list);
	memcpy(list->hash_key, hash_key, sizeof list->hash_key);
	list->cap = n + LIST_FIRST;
	list->messages = grow(NULL, list->cap, sizeof *list->messages);
	list->hashes = grow(NULL, list->cap, sizeof *list->hashes);
	list->entries = calloc(list->cap, sizeof *list->entries);
	must(list->entries != NULL);
	populate(list->messages, n * sizeof *list->messages);
	populate(list->hashes, n * sizeof *list->hashes);
}

void list_restore_messages(
	struct list *list, const struct message *messages, const uint32_t *hashes, size_t n)
{
	must(list->n + n <= list->cap);
	memcpy(list->messages + list->n, messages, n * sizeof *messages);
	memcpy(list->hashes + list->n, hashes, n * sizeof *hashes);
	list->n += n;
	list->n_shown = list->n;
}

bool list_load(
	struct list *list, size_t number, const struct entry *entry, const struct slice parts[3])
{
	struct slice base = parts[0], fields = parts[1], info = parts[2];
	struct entry loaded = *entry;

	must(!list_is_loaded(list, number));
	loaded.base_bytes = (uint8_t)base.n;
	loaded.fields_bytes = (uint16_t)fields.n;
	loaded.fields_at = loaded.info_at = 0;
	if (base.n == 0 || base.n > UINT8_MAX || fields.n > UINT16_MAX || info.n > UINT8_MAX ||
		list_hash(list, base) != list->hashes[number])
		return false;
	if (!keep_bytes(list, base, &loaded.base_at) ||
		(fields.n > 0 && !keep_bytes(list, fields, &loaded.fields_at)) ||
		(info.n > 0 && !keep_text(list, info, &loaded.info_at)))
		return false;
	list->entries[number] = loaded;
	return true;
}

/* Loading changes nothing that can be seen. */
struct entry *list_entry(const struct list *list, size_t number)
{
	if (!list_is_loaded(list, number)) {
		list->load(list->load_arg, number);
		must(list_is_loaded(list, number));
	}
	return &list->entries[number];
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
	list->hashes[list->n] = list_hash(list, base);
	list_touch(list, list->n);
	return list->n++;
}

/* Since UIDs ascend, a message lies no further from either end than its UID does: with few gaps there is little to search. */
size_t list_lower_bound(const struct list *list, uint32_t msg_uid)
{
	if (list->n == 0 || msg_uid <= list->messages[0].msg_uid)
		return 0;

	size_t from_first = msg_uid - list->messages[0].msg_uid;
	uint32_t last = list->messages[list->n - 1].msg_uid;

	if (msg_uid > last)
		return list->n;

	size_t to_end = (size_t)(last - msg_uid) + 1;
	size_t low = to_end < list->n ? list->n - to_end : 0;
	size_t high = from_first < list->n ? from_first : list->n;

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

	if (list->n - first <= TAIL_MAX)
		return;
	if (list->keys_cap < list->n) {
		list->keys = grow(list->keys, list->cap, sizeof *list->keys);
		list->keys_cap = list->cap;
	}
	for (size_t i = first; i < list->n; i++)
		list->keys[i] = (struct list_key){ list->hashes[i], (uint32_t)i };

	struct list_key *spare = grow(NULL, list->n, sizeof *spare);

	radix_sort(list->keys, spare, list->n);
	free(spare);
	list->n_keys = list->n;
	list->looked_through = 0;
	find_starts(list);
}

void list_expect_find(struct list *list)
{
	size_t tail = list->n - list->n_keys;

	list->looked_through += tail;
	if (tail > TAIL_MAX && list->looked_through / INDEX_COST > list->n)
		list_index(list);
}

static bool is_named(const struct list *list, size_t number, struct slice base)
{
	return slice_equal(list_base(list, number), base) && !list_entry(list, number)->orphan;
}

/* Among messages first to end - 1; the last of them counts. */
static ssize_t find_one_by_one(
	const struct list *list, size_t first, size_t end, struct slice base, uint32_t hash)
{
	for (size_t i = end; i > first; i--)
		if (list->hashes[i - 1] == hash && is_named(list, i - 1, base))
			return (ssize_t)(i - 1);
	return -1;
}

ssize_t list_find_base(const struct list *list, struct slice base)
{
	uint32_t hash = list_hash(list, base);
	ssize_t found = find_one_by_one(list, list->n_keys, list->n, base, hash);

	if (found >= 0 || list->n_keys == 0)
		return found;

	uint32_t bucket = hash >> (32 - list->start_bits);

	for (size_t i = list->starts[bucket]; i < list->starts[bucket + 1]; i++)
		if (list->keys[i].hash == hash && (ssize_t)list->keys[i].number > found &&
			is_named(list, list->keys[i].number, base))
			found = list->keys[i].number;
	return found;
}

static void orphan(struct list *list, size_t number)
{
	list_entry(list, number)->orphan = true;
	list_touch(list, number);
}

/* Equal hashes stand together, ascending by number. */
static void orphan_among_keys(struct list *list)
{
	for (size_t i = 0; i + 1 < list->n_keys; i++) {
		uint32_t number = list->keys[i].number;

		if (list->keys[i + 1].hash != list->keys[i].hash)
			continue;

		ssize_t last = list_find_base(list, list_base(list, number));

		if (last >= 0 && (uint32_t)last != number)
			orphan(list, number);
	}
}

void list_orphan_duplicates(struct list *list, size_t first)
{
	list_index(list);
	if (first < list->n_keys) {
		orphan_among_keys(list);
		first = list->n_keys;
	}
	for (size_t i = first; i < list->n; i++) {
		struct slice base = list_base(list, i);
		ssize_t number;

		while ((number = find_one_by_one(list, 0, i, base, list->hashes[i])) >= 0)
			orphan(list, (size_t)number);
	}
}

struct slice list_base(const struct list *list, size_t number)
{
	const struct entry *entry = list_entry(list, number);

	return slice_from(list->bytes + entry->base_at, entry->base_bytes);
}

struct slice list_fields(const struct list *list, size_t number)
{
	const struct entry *entry = list_entry(list, number);

	return entry->fields_bytes > 0
		       ? slice_from(list->bytes + entry->fields_at, entry->fields_bytes)
		       : (struct slice){ NULL, 0 };
}

struct slice list_odd_info(const struct list *list, size_t number)
{
	uint32_t at = list_entry(list, number)->info_at;

	return at ? slice_str(list->bytes + at) : (struct slice){ NULL, 0 };
}

/* What name or uidlist say is not believed where it cannot be: with CRLF line ends a message never gets smaller. */
bool list_rfc822_size(const struct list *list, size_t number, uint64_t *ret_octets)
{
	uint64_t octets = list_entry(list, number)->rfc822_size, file_size;
	struct slice base = list_base(list, number), value;

	if (octets == ENTRY_SIZE_UNKNOWN) {
		if (!filename_size(base, 'W', &octets) &&
			!(uidlist_field(list_fields(list, number), 'W', &value) &&
				slice_number(value, INT64_MAX, &octets)))
			return false;
		if (filename_size(base, 'S', &file_size) && octets < file_size)
			return false;
	}
	*ret_octets = octets;
	return true;
}

void list_set_fields(struct list *list, size_t number, struct slice fields)
{
	struct entry *entry = list_entry(list, number);

	if (slice_equal(list_fields(list, number), fields))
		return;
	list_touch(list, number);
	list->bytes_dead += entry->fields_bytes;

	uint32_t at = 0;

	if (fields.n > 0 && !keep_bytes(list, fields, &at))
		return; /* 4 GiB of names: the old fields stay, the file has the new ones */
	entry->fields_at = at;
	entry->fields_bytes = (uint16_t)fields.n;
}

void list_set_info(struct list *list, size_t number, struct slice info)
{
	struct entry *entry = list_entry(list, number);
	bool is_odd = info.n > 0 && !filename_is_canonical(info);
	uint32_t letters = filename_letters(info), at = 0;

	if (entry->letters != letters || entry->no_info != (info.n == 0) || is_odd ||
		entry->info_at)
		list_touch(list, number);
	entry->letters = letters;
	entry->no_info = info.n == 0;
	if (is_odd && slice_equal(list_odd_info(list, number), info))
		return;
	list->bytes_dead += list_odd_info(list, number).n;
	if (is_odd)
		must(keep_text(list, info, &at));
	entry->info_at = at;
}

int list_file_name(const struct list *list, size_t number, struct buf *out)
{
	const struct entry *entry = list_entry(list, number);

	if (entry->no_info)
		return buf_add(out, list_base(list, number));
	if (entry->info_at == 0)
		return filename_format(
			list_base(list, number), (struct slice){ NULL, 0 }, entry->letters, out);

	int r = buf_add(out, list_base(list, number));

	return r < 0 ? r : buf_add(out, list_odd_info(list, number));
}

bool list_has_file_name(const struct list *list, size_t number, struct slice name)
{
	const struct entry *entry = list_entry(list, number);
	struct slice base = list_base(list, number), info = slice_tail(name, base.n);

	if (!slice_equal(slice_head(name, base.n), base))
		return false;
	if (entry->no_info)
		return info.n == 0;
	if (entry->info_at != 0)
		return slice_equal(info, list_odd_info(list, number));
	return filename_is_canonical(info) && filename_letters(info) == entry->letters;
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

		if (!list_is_loaded(list, i))
			continue;
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

	if (list->n_keys == 0)
		return;
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
			list_touch(list, i);
			list->bytes_dead +=
				(size_t)list->entries[i].base_bytes + list->entries[i].fields_bytes;
			shown -= i < list->n_shown;
			continue;
		}
		if (new_numbers) {
			new_numbers[i] = (uint32_t)kept;
			list->messages[kept] = list->messages[i];
			list->entries[kept] = list->entries[i];
			list->hashes[kept] = list->hashes[i];
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
