/* Records of a mailbox in the index, of any bytes: what a damaged or hostile index has behind a good checksum. */
#include "base/must.h"
#include "maildir/snapshot_format.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void load(struct slice messages, struct slice names)
{
	static const uint8_t key[16];
	struct list list;
	struct buf out = BUF(SNAPSHOT_CHUNK_MAX_BYTES);

	list_init(&list);
	list_restore(&list, key, SNAPSHOT_CHUNK);

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
	(void)snapshot_parse_header(rest, &header, &keywords);
	keyword_table_done(&keywords);
	(void)snapshot_parse_sizes(rest, &sizes);
	messages = slice_take(&rest, split < rest.n ? split : rest.n);
	load(messages, rest);
	return 0;
}
