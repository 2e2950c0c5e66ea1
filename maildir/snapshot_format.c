#include "maildir/snapshot_format.h"

#include "maildir/index.h"

#include <errno.h>

/* Numbers are in this machine's order: an index never leaves it. */
struct messages_head {
	uint32_t n, unsized;
	uint64_t octets;
};

struct name_head {
	uint32_t msg_uid, letters;
	uint64_t rfc822_size;
	int64_t internaldate;
	uint16_t fields_bytes;
	uint8_t base_bytes, info_bytes, bits, unused[3];
};

enum { BIT_IN_NEW = 1, BIT_NO_INFO = 2, BIT_ORPHAN = 4 };

static int add(struct buf *out, const void *p, size_t bytes)
{
	return buf_add(out, slice_from(p, bytes));
}

static bool take(struct slice *in, void *ret, size_t bytes)
{
	if (in->n < bytes)
		return false;
	memcpy(ret, in->p, bytes);
	*in = slice_tail(*in, bytes);
	return true;
}

int snapshot_format_header(const struct snapshot_header *header,
	const struct keyword_table *keywords, struct buf *out)
{
	int r = add(out, header, sizeof *header);

	for (unsigned n = 0; r == 0 && n < LIMIT_KEYWORDS; n++) {
		struct slice name = slice_str(keywords->names[n]);
		uint8_t head[2] = { (uint8_t)n, (uint8_t)name.n };

		if (name.n == 0 || name.n > UINT8_MAX)
			continue;
		r = add(out, head, sizeof head);
		if (r == 0)
			r = buf_add(out, name);
	}
	return r;
}

bool snapshot_parse_header(
	struct slice record, struct snapshot_header *ret_header, struct keyword_table *keywords)
{
	struct snapshot_header header;
	uint8_t head[2];

	if (!take(&record, &header, sizeof header) || header.format != SNAPSHOT_FORMAT ||
		header.forwarded < -1 || header.forwarded >= FILENAME_KEYWORD_LETTERS ||
		header.n > UINT32_MAX || header.uidvalidity == 0 || header.uidnext == 0)
		return false;
	while (record.n > 0) {
		if (!take(&record, head, sizeof head) || head[0] >= LIMIT_KEYWORDS ||
			head[1] == 0 || head[1] > record.n ||
			memchr(record.p, '\0', head[1]) != NULL)
			return false;
		keyword_table_set(keywords, head[0], slice_take(&record, head[1]));
	}
	*ret_header = header;
	return true;
}

int snapshot_format_messages(const struct list *list, size_t first, size_t n, struct buf *out)
{
	struct messages_head head = { .n = (uint32_t)n };
	uint64_t octets;
	int r;

	for (size_t i = first; i < first + n; i++) {
		if (list_rfc822_size(list, i, &octets))
			head.octets += octets;
		else
			head.unsized++;
	}
	r = add(out, &head, sizeof head);
	if (r == 0)
		r = add(out, list->messages + first, n * sizeof *list->messages);
	if (r == 0)
		r = add(out, list->hashes + first, n * sizeof *list->hashes);
	return r;
}

bool snapshot_parse_sizes(struct slice record, struct snapshot_sizes *ret_sizes)
{
	struct messages_head head;

	if (!take(&record, &head, sizeof head) || head.n > SNAPSHOT_CHUNK || head.unsized > head.n)
		return false;
	*ret_sizes = (struct snapshot_sizes){ head.octets, head.unsized };
	return true;
}

ssize_t snapshot_restore_messages(
	struct list *list, struct slice record, uint32_t chunk, uint32_t below)
{
	struct message messages[SNAPSHOT_CHUNK];
	uint32_t hashes[SNAPSHOT_CHUNK];
	struct messages_head head;
	uint32_t last = list->n > 0 ? list->messages[list->n - 1].msg_uid : 0;

	if (!take(&record, &head, sizeof head) || head.n == 0 || head.n > SNAPSHOT_CHUNK ||
		!take(&record, messages, head.n * sizeof *messages) ||
		!take(&record, hashes, head.n * sizeof *hashes) || record.n > 0 ||
		list->n + head.n > list->cap)
		return -EBADMSG;
	for (uint32_t i = 0; i < head.n; i++) {
		uint32_t msg_uid = messages[i].msg_uid;

		if (msg_uid <= last || msg_uid >= below || msg_uid >> INDEX_CHUNK_SHIFT != chunk)
			return -EBADMSG;
		last = msg_uid;
	}
	list_restore_messages(list, messages, hashes, head.n);
	return (ssize_t)head.n;
}

static int format_name(const struct list *list, size_t number, struct buf *out)
{
	const struct entry *entry = list_entry(list, number);
	struct slice info = list_odd_info(list, number);
	struct name_head head = {
		.msg_uid = list->messages[number].msg_uid,
		.letters = entry->letters,
		.rfc822_size = entry->rfc822_size,
		.internaldate = entry->internaldate,
		.fields_bytes = entry->fields_bytes,
		.base_bytes = entry->base_bytes,
		.info_bytes = (uint8_t)info.n,
		.bits = (uint8_t)((entry->in_new ? BIT_IN_NEW : 0) |
				  (entry->no_info ? BIT_NO_INFO : 0) |
				  (entry->orphan ? BIT_ORPHAN : 0)),
	};
	int r = add(out, &head, sizeof head);

	if (r == 0)
		r = buf_add(out, list_base(list, number));
	if (r == 0)
		r = buf_add(out, list_fields(list, number));
	return r == 0 ? buf_add(out, info) : r;
}

int snapshot_format_names(const struct list *list, size_t first, size_t n, struct buf *out)
{
	int r = 0;

	for (size_t i = first; r == 0 && i < first + n; i++)
		r = format_name(list, i, out);
	return r;
}

/* Met once, by the process that wrote it. */
static struct entry entry_of(const struct name_head *head)
{
	return (struct entry){
		.letters = head->letters,
		.in_new = head->bits & BIT_IN_NEW,
		.no_info = head->bits & BIT_NO_INFO,
		.orphan = head->bits & BIT_ORPHAN,
		.seen = 1,
		.rfc822_size = head->rfc822_size,
		.internaldate = head->internaldate,
	};
}

int snapshot_load_names(struct list *list, struct slice record)
{
	struct name_head head;

	while (record.n > 0) {
		struct slice parts[3];
		ssize_t number;

		if (!take(&record, &head, sizeof head) ||
			record.n < (size_t)head.base_bytes + head.fields_bytes + head.info_bytes)
			return -EBADMSG;
		parts[0] = slice_take(&record, head.base_bytes);
		parts[1] = slice_take(&record, head.fields_bytes);
		parts[2] = slice_take(&record, head.info_bytes);
		number = list_find_uid(list, head.msg_uid);
		if (number < 0 || list_is_loaded(list, (size_t)number))
			continue;

		struct entry entry = entry_of(&head);

		if (!list_load(list, (size_t)number, &entry, parts))
			return -EBADMSG;
	}
	return 0;
}
