/* Records of a mailbox in the index, of any bytes: what a damaged or hostile index has behind a good checksum. */
#include "base/must.h"
#include "maildir/snapshot_format.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const uint8_t KEY[16];

/* The layout of a name's record: snapshot_format.c. */
enum { UID_AT = 0, FIELDS_BYTES_AT = 24, BASE_BYTES_AT = 26, INFO_BYTES_AT = 27, HEAD_BYTES = 32 };
/* The bit of the first number that asks for names to be made to fit: a checksum nobody hits by chance. */
enum { MAKE_FIT = 0x8000 };

static void load(struct slice messages, struct slice names)
{
	struct list list;
	struct buf out = BUF(SNAPSHOT_CHUNK_MAX_BYTES);

	list_init(&list);
	list_restore(&list, KEY, SNAPSHOT_CHUNK);

	ssize_t found = snapshot_restore_messages(&list, messages, 0, UINT32_MAX);

	must(found < 0 || (found <= SNAPSHOT_CHUNK && (size_t)found == list.n));
	if (snapshot_load_names(&list, names) == 0 && list.n > 0) {
		bool whole = true;

		for (size_t i = 0; i < list.n; i++)
			whole &= list_is_loaded(&list, i);
		if (whole)
			must(snapshot_format_names(&list, 0, list.n, &out) == 0);
	}
	buf_done(&out);
	list_done(&list);
}

/* The same names with UIDs one after the other, and a record of messages that has their hashes. */
static void load_fitting(struct slice names)
{
	struct message messages[SNAPSHOT_CHUNK] = { { .msg_uid = 0 } };
	uint32_t hashes[SNAPSHOT_CHUNK];
	struct buf record = BUF(SNAPSHOT_CHUNK_MAX_BYTES), fitting = BUF(SIZE_MAX / 2);
	struct list list;
	uint32_t count = 0;

	list_init(&list);
	list_restore(&list, KEY, SNAPSHOT_CHUNK);
	must(buf_add(&fitting, names) == 0);
	for (size_t at = 0; count + 1 < SNAPSHOT_CHUNK && at + HEAD_BYTES <= fitting.n; count++) {
		uint8_t *head = (uint8_t *)fitting.p + at;
		size_t left = fitting.n - at - HEAD_BYTES, base_bytes = head[BASE_BYTES_AT];
		uint32_t msg_uid = count + 1;
		uint16_t fields_bytes;

		memcpy(head + UID_AT, &msg_uid, sizeof msg_uid);
		memcpy(&fields_bytes, head + FIELDS_BYTES_AT, sizeof fields_bytes);
		messages[count].msg_uid = msg_uid;
		hashes[count] = list_hash(&list,
			slice_from((char *)head + HEAD_BYTES, base_bytes < left ? base_bytes : left));
		at += HEAD_BYTES + base_bytes + fields_bytes + head[INFO_BYTES_AT];
	}

	const uint64_t head[2] = { count, 0 }; /* how many, none of them without size; octets */

	must(buf_add(&record, slice_from(head, sizeof head)) == 0 &&
		buf_add(&record, slice_from(messages, count * sizeof *messages)) == 0 &&
		buf_add(&record, slice_from(hashes, count * sizeof *hashes)) == 0);
	load(buf_slice(&record), buf_slice(&fitting));
	list_done(&list);
	buf_done(&record);
	buf_done(&fitting);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice rest = slice_from(bytes, n), messages;
	struct keyword_table keywords = { 0 };
	struct snapshot_header header;
	struct snapshot_sizes sizes;
	uint16_t split;

	if (n < sizeof split)
		return 0;
	memcpy(&split, bytes, sizeof split);
	rest = slice_tail(rest, sizeof split);
	if (split & MAKE_FIT) {
		load_fitting(rest);
		return 0;
	}
	(void)snapshot_parse_header(rest, &header, &keywords);
	keyword_table_done(&keywords);
	(void)snapshot_parse_sizes(rest, &sizes);
	messages = slice_take(&rest, split < rest.n ? split : rest.n);
	load(messages, rest);
	return 0;
}
