/* What the session asks of the IMAP engine beside its dialogue: descriptions, counts, limits of output. */
#include "tests/unit/imap_talk.h"

static char root[64];

static struct store *make_store(void)
{
	return talk_make_store(root);
}

/* A message whose header is one long Subject. */
static void deliver_long_header(size_t bytes)
{
	char path[100];
	char *text = malloc(bytes);

	memset(text, '\\', bytes);
	memcpy(text, "Subject: ", 9);
	text[bytes - 1] = text[bytes - 2] = '\n';
	snprintf(path, sizeof path, "%s/new/1700000001.M1P1.h", root);

	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	CU_ASSERT(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes && close(fd) == 0);
	free(text);
}

static struct talk start(struct store *store, size_t out_bytes)
{
	return talk_begin(store, out_bytes);
}

static void finish(struct talk *t)
{
	struct store *store = t->store;

	talk_end(t);
	talk_remove_store(store, root);
}

static enum engine_wants say(struct talk *t, const char *text)
{
	return talk_say(t, text);
}

static void expect_description(struct talk *t, const char *want)
{
	_cleanup_buf_ struct buf text = BUF(1000);

	t->engine->type->describe(t->engine, &text);
	CHECK(slice_equal(buf_slice(&text), slice_str(want)), "%.*s", SLICE_FMT(buf_slice(&text)));
}

static void test_describe(void)
{
	struct talk t = start(make_store(), LIMIT_OUTPUT_BYTES);

	expect_description(&t, "");
	CHECK(say(&t, "a IDLE\r\n") == ENGINE_INPUT, "idle");
	expect_description(&t, "idle");
	CHECK(t.engine->idling, "in IDLE");
	CHECK(say(&t, "DONE\r\n") == ENGINE_INPUT && !t.engine->idling, "done");
	CHECK(say(&t, "b SELECT INBOX\r\n") == ENGINE_INPUT, "select");
	expect_description(&t, "INBOX");
	CHECK(say(&t, "c IDLE\r\n") == ENGINE_INPUT, "idle");
	expect_description(&t, "INBOX idle");
	CHECK(say(&t, "DONE\r\nd FOO\r\n") == ENGINE_INPUT, "a bad command");
	CHECK(t.engine->commands == 3, "bad ones do not count: %llu",
		(unsigned long long)t.engine->commands);
	CHECK(t.engine->reason == CLOSE_NOT_YET, "open");
	CHECK(say(&t, "e LOGOUT\r\n") == ENGINE_CLOSE && t.engine->reason == CLOSE_LOGOUT,
		"logged out");
	CHECK(say(&t, "") == ENGINE_CLOSE, "it stays closed");
	finish(&t);
}

static void test_output_waits(void)
{
	struct talk t = start(make_store(), LIMIT_OUTPUT_BYTES);
	enum engine_wants wants = ENGINE_INPUT;

	for (int i = 0; i < 10000 && wants == ENGINE_INPUT; i++)
		wants = say(&t, "a CAPABILITY\r\n");
	CHECK(wants == ENGINE_OUTPUT, "a client that reads nothing");
	CHECK(t.out.n < LIMIT_OUTPUT_HIGH_WATER_BYTES + 1000, "%zu", t.out.n);
	buf_clear(&t.out);
	CHECK(say(&t, "b NOOP\r\n") == ENGINE_INPUT && t.out.n > 0, "it goes on");
	finish(&t);
}

/* The answer to COMPRESS is the last that is not compressed: nothing follows it before it was sent. */
static void test_compress(void)
{
	struct talk t = start(make_store(), LIMIT_OUTPUT_BYTES);
	static const char answer[] = "b OK DEFLATE active\r\n";

	CHECK(say(&t, "a NOOP\r\nb COMPRESS DEFLATE\r\nc NOOP\r\n") == ENGINE_OUTPUT, "it waits");
	CHECK(t.engine->compress_bytes == strlen(answer), "%zu", t.engine->compress_bytes);
	CHECK(slice_ends_with(buf_slice(&t.out), slice_str(answer)), "%.*s",
		SLICE_FMT(buf_slice(&t.out)));
	t.engine->compress_bytes = 0;
	buf_clear(&t.out);
	CHECK(say(&t, "d COMPRESS DEFLATE\r\n") == ENGINE_INPUT, "it goes on");
	CHECK(slice_equal(buf_slice(&t.out),
		      SLICE("c OK NOOP completed\r\n"
			    "d NO [COMPRESSIONACTIVE] DEFLATE is active already\r\n")),
		"%.*s", SLICE_FMT(buf_slice(&t.out)));
	CHECK(t.engine->compress_bytes == 0, "no second switch");
	finish(&t);
}

/* A value that cannot be held is shown as nothing; the connection stays. */
static void test_value_too_large(void)
{
	struct store *store = make_store();
	struct talk t = start(store, 256 * 1024);

	deliver_long_header(300000);
	CHECK(say(&t, "a SELECT INBOX\r\n") == ENGINE_INPUT, "select");
	buf_clear(&t.out);
	CHECK(say(&t, "b FETCH 1 ENVELOPE\r\n") == ENGINE_INPUT, "fetch");
	CHECK(slice_starts_with(buf_slice(&t.out), SLICE("* 1 FETCH (ENVELOPE (NIL NIL NIL ")),
		"%.*s", 60, t.out.p);
	finish(&t);
}

/* A response that cannot be held at all ends the connection. */
static void test_response_too_large(void)
{
	struct store *store = make_store();
	struct talk t = start(store, 200 * 1024);

	deliver_long_header(300000);
	CHECK(say(&t, "a SELECT INBOX\r\n") == ENGINE_INPUT, "select");
	CHECK(say(&t, "b FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]\r\n") == ENGINE_CLOSE, "fetch");
	CHECK(t.engine->reason == CLOSE_LIMIT, "%s", close_reason_text(t.engine->reason));
	finish(&t);
}

/* Freed in the middle of anything, nothing leaks. */
static void test_freed_anywhere(void)
{
	static const char *const texts[] = { "", "a NO", "a SELECT {5}\r\nIN", "a IDLE\r\n",
		"a SELECT {300000+}\r\nx",
		"a SELECT INBOX\r\nb SEARCH TEXT x\r\nc FETCH 1 BODY[]\r\nd SEARCH BODY {3}\r\n" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct talk t = start(make_store(), LIMIT_OUTPUT_BYTES);

		deliver_long_header(500000);
		CU_ASSERT(buf_add_str(&t.in, texts[i]) == 0);
		for (int step = 0; step < 20; step++) {
			struct engine_io io = {
				.in = &t.in, .out = &t.out, .now_usec = 1, .budget = 1
			};

			(void)t.engine->type->step(t.engine, &io);
		}
		finish(&t);
	}
}

/* Another program renames or deletes a mailbox, and may make one of that name anew, while a command waits for its lock. */
static void change_while_waiting(const char *command, bool anew, const char *want)
{
	struct talk t = start(make_store(), LIMIT_OUTPUT_BYTES);
	char shell[400];

	CU_ASSERT(say(&t, "a CREATE r\r\nb CREATE spare\r\n") == ENGINE_INPUT);
	snprintf(shell, sizeof shell,
		"cd %s/.r && echo x > new/1700000001.M1P1.h && echo 1:elsewhere > dovecot-uidlist.lock && "
		"touch -d @1800000000 dovecot-uidlist.lock",
		root);
	CU_ASSERT(system(shell) == 0);
	CU_ASSERT(say(&t, command) == ENGINE_RETRY);
	snprintf(shell, sizeof shell, "cd %s && rm -r .r && %s", root, anew ? "mv .spare .r" : "true");
	CU_ASSERT(system(shell) == 0);
	buf_clear(&t.out);
	CU_ASSERT(say(&t, "") == ENGINE_INPUT);
	CHECK(slice_find_slice(buf_slice(&t.out), slice_str(want)) >= 0, "%s: %.*s", command,
		SLICE_FMT(buf_slice(&t.out)));
	finish(&t);
}

static void test_changed_while_waiting(void)
{
	change_while_waiting("c SELECT r\r\n", false, "c NO [NONEXISTENT]");
	change_while_waiting("c SELECT r\r\n", true, "c OK [READ-WRITE]");
	change_while_waiting("c STATUS r (MESSAGES)\r\n", false, "c NO [NONEXISTENT]");
	change_while_waiting("c STATUS r (MESSAGES)\r\n", true, "c OK");
}

static const struct unit_test tests[] = {
	{ "a mailbox that others change while a command waits", test_changed_while_waiting },
	{ "COMPRESS", test_compress },
	{ "describe", test_describe },
	{ "output waits", test_output_waits },
	{ "a value too large", test_value_too_large },
	{ "a response too large", test_response_too_large },
	{ "freed anywhere", test_freed_anywhere },
};
UNIT_MAIN("imap_engine", tests)
