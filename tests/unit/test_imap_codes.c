/*
 * What a client is told when a system call fails, whatever it does then: OK, for it could do without, or NO with a response
 * code of RFC 5530 that fits the fault; never a bare NO, never BAD. Each call of each command fails in turn, by one fault
 * or the other, and so do all those of its name behind it.
 */
#include "tests/unit/interpose.h"

#include "tests/unit/imap_talk.h"

static const struct {
	const char *text;
	bool selected; /* INBOX is, before any call fails */
} commands[] = {
	{ "SELECT INBOX", false },
	{ "EXAMINE a", false },
	{ "STATUS a (MESSAGES SIZE UNSEEN HIGHESTMODSEQ)", false },
	{ "LIST (SUBSCRIBED) \"\" * RETURN (STATUS (MESSAGES))", false },
	{ "LSUB \"\" *", false },
	{ "CREATE b", false },
	{ "CREATE d (USE (\\Archive))", false },
	{ "DELETE a", false },
	{ "RENAME a c", false },
	{ "RENAME INBOX old", false },
	{ "SUBSCRIBE a", false },
	{ "UNSUBSCRIBE a", false },
	{ "APPEND INBOX {4+}\r\nabcd", false },
	{ "APPEND a CATENATE (TEXT {2+}\r\nab URL \"/INBOX/;UID=1/;SECTION=TEXT\")", false },
	{ "GETQUOTAROOT INBOX", false },
	{ "GETMETADATA a /private/comment", false },
	{ "SETMETADATA a (/private/comment \"x\")", false },
	{ "NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))", false },
	{ "ESEARCH IN (personal) RETURN (ALL) BODY x", false },
	{ "FETCH 1:* (BODY[] ENVELOPE BODYSTRUCTURE PREVIEW)", true },
	{ "SEARCH BODY x", true },
	{ "SORT (SUBJECT) UTF-8 ALL", true },
	{ "THREAD REFERENCES UTF-8 ALL", true },
	{ "STORE 1:* +FLAGS (\\Flagged new)", true },
	{ "COPY 1:* a", true },
	{ "MOVE 1:* a", true },
	{ "REPLACE 1 INBOX {4+}\r\nabcd", true },
	{ "UID EXPUNGE 2", true },
};

/* What may be told of a fault. UNAVAILABLE is of those that concern one message of many, or that the log explains. */
static const struct {
	int error;
	const char *codes;
} faults[] = {
	{ EACCES, " NOPERM UNAVAILABLE " },
	{ EROFS, " NOPERM UNAVAILABLE " },
	{ ENOSPC, " OVERQUOTA UNAVAILABLE " },
	{ EDQUOT, " OVERQUOTA UNAVAILABLE " },
	{ EIO, " UNAVAILABLE " },
	{ EMFILE, " UNAVAILABLE " },
};

static char root[64];

static struct store *make_store(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);

	(void)talk_say(&t, "a APPEND INBOX {19+}\r\nSubject: x\r\n\r\none x\r\n"
			   "b APPEND INBOX (\\Deleted) {19+}\r\nSubject: y\r\n\r\ntwo x\r\n"
			   "c CREATE a\r\nd SUBSCRIBE a\r\n");
	TALK_EXPECT_IN(&t, "d OK ");
	talk_end(&t);
	return store;
}

/* The last tagged answers are right. */
static void check_answers(const char *command, int error, const char *codes, struct slice out)
{
	struct slice line;

	while (slice_split(&out, '\n', &line)) {
		char code[40] = "", listed[44];

		if (!slice_starts_with(line, SLICE("x ")) || slice_starts_with(line, SLICE("x OK")))
			continue;

		char text[200] = "";

		slice_to_str(slice_head(line, sizeof text - 1), text, sizeof text);
		(void)sscanf(text, "x NO [%39[A-Z-]", code);
		snprintf(listed, sizeof listed, " %s ", code);
		CHECK(*code && strstr(codes, listed), "%s: %s: at %s (call %u): %s", command,
			strerror(error), interpose.failed, interpose.fail_at, text);
	}
}

/* Returns whether there was such a call. */
static bool run(size_t i, unsigned k, int error, const char *codes)
{
	const char *command = commands[i].text;
	struct store *store = make_store();
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);
	enum engine_wants wants;
	bool reached;

	if (commands[i].selected) {
		(void)talk_say(&t, "s SELECT INBOX\r\n");
		TALK_EXPECT_IN(&t, "s OK ");
	}
	interpose.calls = 0;
	interpose.failed = NULL;
	interpose.fail_at = k;
	interpose.error = error;
	interpose.from_there_on = true;
	interpose.armed = true;
	CU_ASSERT(buf_add_str(&t.in, "x ") == 0 && buf_add_str(&t.in, command) == 0);
	for (wants = talk_say(&t, "\r\n"); wants == ENGINE_RETRY; wants = talk_run(&t))
		t.now_usec += 40 * 1000 * 1000;
	interpose.armed = false;
	reached = interpose.calls >= k;
	/* A message that cannot be sent to its end ends the connection: its octets were promised. */
	CHECK(wants == ENGINE_INPUT ||
			(wants == ENGINE_CLOSE && t.engine->reason == CLOSE_MAILBOX_FAULT),
		"%s: call %u: %d", command, k, wants);
	check_answers(command, error, codes, buf_slice(&t.out));
	talk_end(&t);
	talk_remove_store(store, root);
	return reached;
}

static void test_faults(void)
{
	interpose.no_disk = true;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		for (unsigned k = 1, n = sizeof faults / sizeof *faults;
			run(i, k, faults[(i + k) % n].error, faults[(i + k) % n].codes);
			k += 1 + k / 30) /* those of a long loop are alike */
			;
}

static const struct unit_test tests[] = {
	{ "a system call fails", test_faults },
};
UNIT_MAIN("imap_codes", tests)
