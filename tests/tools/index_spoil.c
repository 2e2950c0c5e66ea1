/*
 * Makes records of an index say what is not so, with good checksums: for tests of what looks for it.
 * Usage: index_spoil INDEX GUID flags|name|uidnext|unseen|lacks|log|card|card-of-none|mailbox
 */
#include "maildir/digest_format.h"
#include "maildir/index.h"
#include "maildir/snapshot_format.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char boot_id[64];
static struct index *the_index;
static uint32_t number;
static struct snapshot_header header;
static struct keyword_table names;
static struct list list;

static void need(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "index_spoil: %s\n", what);
	exit(1);
}

static void open_index(const char *path, struct slice guid)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	need(f && fgets(boot_id, sizeof boot_id, f), "no boot id");
	fclose(f);
	boot_id[strcspn(boot_id, "\n")] = '\0';
	the_index = index_open(&(struct index_settings){ .path = path, .boot_id = boot_id }, &log_to_stderr);
	need(the_index != NULL, "no index");
	number = index_mailbox(the_index, guid, false);
	need(number > 0, "no such mailbox");
}

static void load(void)
{
	struct slice record;
	uint64_t key = 0;

	need(index_get(the_index, INDEX_HEADERS, number, 0, &record) == 0 &&
			snapshot_parse_header(record, &header, &names),
		"no header");
	list_restore(&list, header.hash_key, header.n);
	need(index_next(the_index, INDEX_MESSAGES, number, &key, &record) == 0 && key == 0 &&
			snapshot_restore_messages(&list, record, 0, header.uidnext) == (ssize_t)header.n,
		"not all in one chunk");
	need(index_get(the_index, INDEX_NAMES, number, 0, &record) == 0 &&
			snapshot_load_names(&list, record) == 0 && list.n > 1,
		"no names");
}

static void store(void)
{
	struct buf text = BUF(SNAPSHOT_CHUNK_MAX_BYTES);

	need(snapshot_format_header(&header, &names, &text) == 0, "header");
	index_put(the_index, INDEX_HEADERS, number, 0, buf_slice(&text));
	buf_clear(&text);
	need(snapshot_format_messages(&list, 0, list.n, &text) == 0, "messages");
	index_put(the_index, INDEX_MESSAGES, number, 0, buf_slice(&text));
	buf_clear(&text);
	need(snapshot_format_names(&list, 0, list.n, &text) == 0, "names");
	index_put(the_index, INDEX_NAMES, number, 0, buf_slice(&text));
	buf_done(&text);
}

static void put_card(uint32_t msg_uid)
{
	index_put(the_index, INDEX_CARDS, number, (uint64_t)msg_uid << 1, SLICE("no card"));
}

/* Of a message without any date or sort key. */
static void put_digest(uint32_t msg_uid)
{
	struct digests_origin origin = { .uidvalidity = header.uidvalidity };
	const struct card card = { .fields = SLICE("") };
	struct buf text = BUF(DIGESTS_MAX_BYTES);
	struct digests digests = { 0 };

	memcpy(origin.hash_key, header.hash_key, sizeof origin.hash_key);
	digests_begin(&digests, &origin);
	digests_put(&digests, msg_uid, list.hashes[0], &card);
	need(digests_format(&digests, &text) == 0, "digests");
	index_put(the_index, INDEX_DIGESTS, number, 0, buf_slice(&text));
	digests_done(&digests);
	buf_done(&text);
}

static void rename_second(void)
{
	list.bytes[list.entries[1].base_at] ^= 1;
	list.hashes[1] = list_hash(&list, list_base(&list, 1));
}

static void spoil(const char *what)
{
	uint32_t first = list.messages[0].msg_uid;

	if (strcmp(what, "flags") == 0)
		list.messages[0].flags ^= FLAG_FLAGGED;
	else if (strcmp(what, "name") == 0)
		rename_second();
	else if (strcmp(what, "uidnext") == 0)
		header.uidnext++;
	else if (strcmp(what, "unseen") == 0)
		header.unseen++;
	else if (strcmp(what, "lacks") == 0)
		list.n = list.n_shown = header.n = list.n - 1;
	else if (strcmp(what, "log") == 0)
		index_put(the_index, INDEX_EXPUNGED, number, 1, slice_from(&first, sizeof first));
	else if (strcmp(what, "card") == 0)
		put_card(first);
	else if (strcmp(what, "card-of-none") == 0)
		put_card(header.uidnext + 1000);
	else if (strcmp(what, "digest") == 0)
		put_digest(first);
	else if (strcmp(what, "no-digest") == 0)
		index_put(the_index, INDEX_DIGESTS, number, 0, SLICE("no digests"));
	else if (strcmp(what, "mailbox") == 0)
		need(index_mailbox(the_index, SLICE("0123456789abcdef0123456789abcdef"), true) > 0, "number");
	else
		need(false, "unknown");
}

int main(int argc, char **argv)
{
	need(argc == 4, "index_spoil INDEX GUID WHAT");
	open_index(argv[1], slice_str(argv[2]));
	list_init(&list);
	load();
	spoil(argv[3]);
	store();
	index_close(the_index);
	list_done(&list);
	keyword_table_done(&names);
	return 0;
}
