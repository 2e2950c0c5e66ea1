/*
 * maildir_dump - shows a mailbox as maildir/ sees it, or changes it: for tests that compare with another server.
 *
 *   maildir_dump PATH [-m MAILBOX] [COMMAND...]
 *     dump                             (the default) header line, then one line a message
 *     flags UID +|-|= FLAG,FLAG,...    \Seen and keywords alike
 *     expunge UID
 *     append FLAG,FLAG,... TEXT        CRLF stands in TEXT as "|"
 *     copy UID MAILBOX, move UID MAILBOX
 *     sync                             only that: for measuring
 */
#include "base/arena.h"
#include "base/clock.h"
#include "maildir/append.h"
#include "maildir/copy.h"
#include "maildir/mailbox.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DUMP_BUDGET = 1000 };

static const struct {
	const char *name;
	uint32_t flag;
} FLAGS[] = {
	{ "\\Answered", FLAG_ANSWERED },
	{ "\\Flagged", FLAG_FLAGGED },
	{ "\\Deleted", FLAG_DELETED },
	{ "\\Seen", FLAG_SEEN },
	{ "\\Draft", FLAG_DRAFT },
	{ "$Forwarded", FLAG_FORWARDED },
};
enum { FLAGS_COUNT = sizeof FLAGS / sizeof *FLAGS };

static void fail(const char *what, int error)
{
	fprintf(stderr, "maildir_dump: %s: %s\n", what, strerror(-error));
	exit(1);
}

/* A fresh budget, after a pause if another program holds a lock. Returns whether to call again. */
static bool again(int r, struct work *work)
{
	if (r == -EAGAIN)
		nanosleep(&(struct timespec){ .tv_nsec = (long)work->retry_usec * 1000 }, NULL);
	work->budget = DUMP_BUDGET;
	work->now_usec = clock_realtime_usec();
	return r == -EAGAIN || r == -EINPROGRESS;
}

static void sync_mailbox(struct mailbox *mailbox)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	int r;

	do
		r = mailbox_sync(mailbox, &work);
	while (again(r, &work));
	if (r < 0)
		fail("sync", r);
}

static void print_flags(const struct mailbox *mailbox, const struct message *message)
{
	for (size_t i = 0; i < FLAGS_COUNT; i++)
		if (message->flags & FLAGS[i].flag)
			printf(" %s", FLAGS[i].name);
	for (unsigned n = 0; n < mailbox_keywords(mailbox); n++) {
		struct slice name = mailbox_keyword(mailbox, n);

		if (name.p && (message->keywords >> n & 1))
			printf(" %.*s", SLICE_FMT(name));
	}
}

static void print_message(struct mailbox *mailbox, const struct message *message)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	struct slice uidl;
	uint64_t octets = 0;
	int64_t seconds = 0;
	int r;

	do
		r = mailbox_rfc822_size(mailbox, message->msg_uid, &work, &octets);
	while (again(r, &work));
	if (r == 0)
		r = mailbox_internaldate(mailbox, message->msg_uid, &seconds);
	if (r == 0)
		r = mailbox_uidl(mailbox, message->msg_uid, &arena, &uidl);
	if (r < 0)
		fail("message", r);
	printf("%u size=%llu date=%lld uidl=%.*s flags=", message->msg_uid,
		(unsigned long long)octets, (long long)seconds, SLICE_FMT(uidl));
	print_flags(mailbox, message);
	printf("\n");
}

static void dump(struct mailbox *mailbox)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);
	uint32_t *order = calloc(n + 1, sizeof *order);

	printf("uidvalidity=%u uidnext=%u guid=%.*s messages=%zu\n", mailbox_uidvalidity(mailbox),
		mailbox_uidnext(mailbox), SLICE_FMT(mailbox_guid(mailbox)), n);
	for (size_t i = 0; i < n; i++)
		print_message(mailbox, &messages[i]);
	mailbox_pop3_order(mailbox, order);
	printf("pop3");
	for (size_t i = 0; i < n; i++)
		printf(" %u", order[i]);
	printf("\n");
	free(order);
}

static void parse_flags(struct mailbox *mailbox, struct slice names, struct flags_change *change)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	struct slice name;

	while (slice_split(&names, ',', &name)) {
		size_t i = 0;

		while (i < FLAGS_COUNT && !slice_equal_nocase(name, slice_str(FLAGS[i].name)))
			i++;
		if (i < FLAGS_COUNT) {
			change->flags |= FLAGS[i].flag;
			continue;
		}

		int number;

		do
			number = mailbox_find_keyword(mailbox, name, true, &work);
		while (again(number, &work));
		if (number < 0)
			fail("keyword", number);
		change->keywords |= (uint64_t)1 << number;
	}
}

static void store_flags(
	struct mailbox *mailbox, uint32_t msg_uid, char operation, struct slice names)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	struct flags_change change = {
		.operation = operation == '+'   ? FLAGS_ADD
			     : operation == '-' ? FLAGS_REMOVE
						: FLAGS_REPLACE,
		.unchangedsince = UINT64_MAX,
	};
	size_t done = 0;
	int r;

	parse_flags(mailbox, names, &change);
	do
		r = mailbox_store_flags(mailbox, &msg_uid, 1, &done, &change, NULL, &work);
	while (again(r, &work));
	if (r < 0)
		fail("flags", r);
}

static void expunge(struct mailbox *mailbox, uint32_t msg_uid)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	size_t done = 0;
	int r;

	do
		r = mailbox_expunge(mailbox, &msg_uid, 1, &done, &work);
	while (again(r, &work));
	if (r < 0)
		fail("expunge", r);
}

/* Flags apart from keywords. Returns how many keywords there are. */
static size_t split_flags(
	struct slice names, uint32_t *ret_flags, struct slice keywords[LIMIT_KEYWORDS])
{
	struct slice name;
	size_t n = 0;

	*ret_flags = 0;
	while (slice_split(&names, ',', &name) && n < LIMIT_KEYWORDS) {
		size_t i = 0;

		while (i < FLAGS_COUNT && !slice_equal_nocase(name, slice_str(FLAGS[i].name)))
			i++;
		if (i < FLAGS_COUNT)
			*ret_flags |= FLAGS[i].flag;
		else
			keywords[n++] = name;
	}
	return n;
}

static void append_text(struct mailbox *mailbox, struct slice names, struct slice text)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	struct slice keywords[LIMIT_KEYWORDS], line;
	struct append_message message = { .octets = APPEND_OCTETS_UNKNOWN,
		.keywords = keywords,
		.internaldate = 1577840523 };
	struct append *append = append_new(mailbox);
	uint32_t msg_uid;

	message.keywords_n = split_flags(names, &message.flags, keywords);

	int r = append_begin(append, &message, work.now_usec);

	while (r == 0 && slice_split(&text, '|', &line)) {
		r = append_write(append, line);
		if (r == 0)
			r = append_write(append, SLICE("\r\n"));
	}
	if (r == 0)
		r = append_finish(append);
	if (r == 0)
		do
			r = append_commit(append, &work, &msg_uid);
		while (again(r, &work));
	append_free(append);
	if (r < 0)
		fail("append", r);
}

static void copy_to(struct mailbox *source, uint32_t msg_uid, const char *name, bool move)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = DUMP_BUDGET };
	struct mailbox *target;
	int r = mailbox_open(mailbox_store(source), slice_str(name), &target);

	if (r < 0)
		fail(name, r);

	struct copy *copy = copy_new(&(struct copy_order){
		.source = source, .target = target, .uids = &msg_uid, .n = 1, .move = move });

	do
		r = copy_step(copy, &work);
	while (again(r, &work));
	copy_free(copy);
	mailbox_close(target);
	if (r < 0)
		fail("copy", r);
}

static void measure(struct mailbox *mailbox)
{
	struct timespec t;

	sync_mailbox(mailbox);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	printf("cpu_usec=%lld heap_bytes=%zu\n", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000,
		mallinfo2().uordblks + mallinfo2().hblkhd);
}

static void run(struct mailbox *mailbox, int argc, char **argv)
{
	const char *verb = argc > 0 ? argv[0] : "dump";

	if (strcmp(verb, "sync") == 0) {
		measure(mailbox);
		return;
	}
	sync_mailbox(mailbox);
	if (strcmp(verb, "flags") == 0 && argc == 4)
		store_flags(mailbox, (uint32_t)strtoul(argv[1], NULL, 10), argv[2][0],
			slice_str(argv[3]));
	else if (strcmp(verb, "expunge") == 0 && argc == 2)
		expunge(mailbox, (uint32_t)strtoul(argv[1], NULL, 10));
	else if (strcmp(verb, "append") == 0 && argc == 3)
		append_text(mailbox, slice_str(argv[1]), slice_str(argv[2]));
	else if ((strcmp(verb, "copy") == 0 || strcmp(verb, "move") == 0) && argc == 3)
		copy_to(mailbox, (uint32_t)strtoul(argv[1], NULL, 10), argv[2],
			strcmp(verb, "move") == 0);
	else if (strcmp(verb, "dump") != 0)
		fail(verb, -EINVAL);
	sync_mailbox(mailbox);
	dump(mailbox);
}

int main(int argc, char **argv)
{
	const char *name = "INBOX";
	struct mailbox *mailbox;
	struct store *store;
	char index_path[4096];

	if (argc < 2)
		fail("usage: maildir_dump PATH [-m MAILBOX] [COMMAND...]", -EINVAL);
	snprintf(index_path, sizeof index_path, "%s/restante.index", argv[1]);

	struct store_settings settings = {
		.path = argv[1],
		.index_path = index_path,
		.hierarchy_separator = '/',
		.hostname = "localhost",
		.uidl_format = getenv("UIDL_FORMAT") ? getenv("UIDL_FORMAT") : "%08Xu%08Xv",
	};
	int at = 2;

	if (argc > at + 1 && strcmp(argv[at], "-m") == 0) {
		name = argv[at + 1];
		at += 2;
	}

	int r = store_open(&settings, &log_to_stderr, &store);

	if (r < 0)
		fail(argv[1], r);
	r = mailbox_open(store, slice_str(name), &mailbox);
	if (r < 0)
		fail(name, r);
	run(mailbox, argc - at, argv + at);
	mailbox_close(mailbox);
	store_close(store);
	return 0;
}
