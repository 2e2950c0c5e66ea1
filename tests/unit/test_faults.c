/*
 * Every system call of an operation fails in turn: what a client is told, and what is in the Maildir afterwards.
 *
 * For each operation, each call k of it, and each of ENOSPC, EDQUOT, EIO, EMFILE, EACCES and a short write: from the same
 * Maildir, the operation is run with call k failing, alone or with all later calls of that name. Then
 *
 *   the client has a clear NO (with a response code) or -ERR, or the end of the connection, or success;
 *   the store that met the fault, one that knows nothing, and one without index see the same;
 *   what was acknowledged is there; nothing is lost, nothing is there twice, nothing is half there;
 *   a UID is that of the message it was; flags are as before or after;
 *   a fault in the files of the index alone is nobody's affair: the command succeeds;
 *   the same command succeeds when the fault is over: no lock stays, no state is stuck.
 *
 * Behind the command the index is saved, within the same trial. And the process is killed before call k: what a fresh
 * store sees then is held to the same.
 *
 * `make check` tries one error a call, in turn; FAULTS_ALL=1 tries all with all.
 */
#include "tests/unit/interpose.h"

#include "maildir/quota_file.h"
#include "tests/unit/maildir_world.h"

#include <sys/wait.h>

enum {
	POP3 = 1,
	PARTIAL = 2,  /* what fails half-way has done one half */
	NEW_MAIL = 4, /* a message waits in new/ */
	QUOTA = 8,    /* there is a quota, of which nobody has counted what is used */
	COURIER = 16, /* a mailbox was Courier's */
	FULL = 64,    /* and has a keyword for every letter but one */
	ELSEWHERE = 128, /* another server added a message with keywords, and left many lines of those that are gone */
	RESTORED = 256,  /* the index has all, and is believed */
	LATER = 512,     /* as ELSEWHERE, but behind what is said before, and so is NEW_MAIL */
	RESTS = 6,
	UNDOES = 32,  /* what is undone may stay, where that fails as well */
	ONCE = 1024,   /* whatever fails, each message is there as often as before */
};

static const struct operation {
	const char *name;
	const char *before; /* said without faults */
	const char *command;
	const char *append_to, *append_flags, *append_names; /* instead of command */
	unsigned kind;
} OPERATIONS[] = {
	{ .name = "select with new mail", .kind = NEW_MAIL, .command = "t SELECT INBOX\r\n" },
	{ .name = "status", .kind = NEW_MAIL, .command = "t STATUS INBOX (MESSAGES UIDNEXT)\r\n" },
	{ .name = "append",
		.append_to = "INBOX",
		.append_flags = "\\Seen K5",
		.append_names = "x1" },
	{ .name = "append, selected",
		.before = "t SELECT INBOX\r\n",
		.append_to = "INBOX",
		.append_flags = "\\Flagged",
		.append_names = "x1" },
	{ .name = "append with a new keyword",
		.append_to = "Work",
		.append_flags = "Fresh $Forwarded",
		.append_names = "x1" },
	{ .name = "append with a keyword beyond the letters",
		.append_to = "INBOX",
		.append_flags = "Beyond1 Beyond2",
		.append_names = "x1" },
	{ .name = "multiappend",
		.append_to = "Archive",
		.append_flags = "Other",
		.append_names = "x1 x2 x3 x4 x5" },
	{ .name = "catenate",
		.command =
			"t APPEND Archive (\\Seen Fresh) CATENATE (URL \"/INBOX/;UID=2/;SECTION=HEADER\" URL \"/INBOX/;UID=2/;SECTION=TEXT\")\r\n" },
	{ .name = "replace",
		.before = "t SELECT INBOX\r\n",
		.kind = UNDOES,
		.command = "t UID REPLACE 2 Archive (\\Seen K3) CATENATE (URL \"/INBOX/;UID=2\")\r\n" },
	{ .name = "replace in the same",
		.before = "t SELECT INBOX\r\n",
		.kind = UNDOES,
		.command = "t UID REPLACE 1 INBOX (\\Draft) CATENATE (URL \"/INBOX/;UID=1\")\r\n" },
	{ .name = "copy", .before = "t SELECT INBOX\r\n", .command = "t UID COPY 1:3 Archive\r\n" },
	{ .name = "copy to the same",
		.before = "t SELECT INBOX\r\n",
		.command = "t UID COPY 2 INBOX\r\n" },
	{ .name = "copy to an empty one",
		.before = "t SELECT INBOX\r\n",
		.command = "t UID COPY 3 Work\r\n" },
	{ .name = "move",
		.kind = PARTIAL | ONCE,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID MOVE 2:4 Archive\r\n" },
	{ .name = "move within",
		.kind = PARTIAL | ONCE,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID MOVE 2:4 INBOX\r\n" },
	{ .name = "move within a quota",
		.kind = QUOTA | PARTIAL | ONCE,
		.before = "t SELECT INBOX\r\nt GETQUOTAROOT INBOX\r\n",
		.command = "t UID MOVE 2:4 Archive\r\n" },
	{ .name = "store",
		.kind = PARTIAL,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID STORE 1:3 +FLAGS (\\Answered)\r\n" },
	{ .name = "store a new keyword",
		.kind = PARTIAL,
		.before = "t SELECT Archive\r\n",
		.command = "t UID STORE 1 +FLAGS (Fresh)\r\n" },
	{ .name = "store a new keyword beyond the letters",
		.kind = PARTIAL,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID STORE 1:2 +FLAGS (Beyond9)\r\n" },
	{ .name = "replace flags",
		.kind = PARTIAL,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID STORE 1:3 FLAGS (\\Draft K1)\r\n" },
	{ .name = "expunge",
		.kind = PARTIAL,
		.before = "t SELECT INBOX\r\n",
		.command = "t EXPUNGE\r\n" },
	{ .name = "create", .command = "t CREATE Fresh/Mailbox\r\n" },
	{ .name = "delete", .command = "t DELETE Archive/Old\r\n" },
	{ .name = "delete the selected one",
		.before = "t SELECT Work\r\n",
		.command = "t DELETE Work\r\n" },
	{ .name = "rename with children", .command = "t RENAME Archive Store\r\n" },
	{ .name = "rename the selected one",
		.before = "t SELECT Archive/Old\r\n",
		.command = "t RENAME Archive/Old Archive/Older\r\n" },
	{ .name = "rename INBOX", .kind = PARTIAL | ONCE, .command = "t RENAME INBOX Kept\r\n" },
	{ .name = "subscribe", .command = "t SUBSCRIBE Archive/Old\r\n" },
	{ .name = "unsubscribe", .command = "t UNSUBSCRIBE Work\r\n" },
	{ .name = "fetch",
		.before = "t SELECT INBOX\r\n",
		.command =
			"t FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[])\r\n" },
	{ .name = "search", .before = "t SELECT INBOX\r\n", .command = "t SEARCH TEXT new1\r\n" },
	{ .name = "list", .command = "t LIST \"\" *\r\n" },
	{ .name = "append within a quota",
		.kind = QUOTA,
		.before = "t GETQUOTAROOT INBOX\r\n",
		.append_to = "INBOX",
		.append_flags = "\\Seen",
		.append_names = "x1 x2" },
	{ .name = "append within a quota that is counted for it",
		.kind = QUOTA,
		.append_to = "Archive",
		.append_flags = "\\Seen",
		.append_names = "x1" },
	{ .name = "expunge within a quota",
		.kind = QUOTA | PARTIAL,
		.before = "t SELECT INBOX\r\nt GETQUOTAROOT INBOX\r\n",
		.command = "t EXPUNGE\r\n" },
	{ .name = "count a quota", .kind = QUOTA, .command = "t GETQUOTAROOT INBOX\r\n" },
	{ .name = "set metadata",
		.command = "t SETMETADATA INBOX (/private/comment \"one\" /shared/comment \"two\")\r\n" },
	{ .name = "change metadata",
		.before = "t SETMETADATA INBOX (/private/comment \"one\" /shared/comment \"two\")\r\n",
		.command = "t SETMETADATA INBOX (/private/comment NIL /shared/comment \"three\")\r\n" },
	{ .name = "set metadata of the server",
		.command = "t SETMETADATA \"\" (/private/comment \"one\")\r\n" },
	{ .name = "select what was Courier's", .kind = COURIER, .command = "t SELECT Courier\r\n" },
	{ .name = "select what was Courier's, with keywords beyond the letters",
		.kind = COURIER | FULL,
		.command = "t SELECT Courier\r\n" },
	{ .name = "append to what was Courier's",
		.kind = COURIER,
		.append_to = "Courier",
		.append_flags = "Fresh",
		.append_names = "x1" },
	{ .name = "select with keywords from elsewhere",
		.kind = ELSEWHERE | NEW_MAIL,
		.command = "t SELECT INBOX\r\n" },
	{ .name = "append beside keywords from elsewhere",
		.kind = ELSEWHERE,
		.append_to = "INBOX",
		.append_flags = "Beyond1 Beyond2",
		.append_names = "x1" },
	{ .name = "noop with keywords from elsewhere",
		.kind = LATER | NEW_MAIL,
		.before = "t SELECT INBOX\r\n",
		.command = "t NOOP\r\n" },
	{ .name = "append beside keywords that came from elsewhere",
		.kind = LATER,
		.before = "t SELECT INBOX\r\n",
		.append_to = "INBOX",
		.append_flags = "Beyond1",
		.append_names = "x1" },
	{ .name = "select, restored", .kind = RESTORED | NEW_MAIL, .command = "t SELECT INBOX\r\n" },
	{ .name = "select with keywords from elsewhere, restored",
		.kind = RESTORED | ELSEWHERE,
		.command = "t SELECT INBOX\r\n" },
	{ .name = "status, restored",
		.kind = RESTORED,
		.command = "t STATUS INBOX (MESSAGES UIDNEXT)\r\n" },
	{ .name = "append, restored",
		.kind = RESTORED,
		.append_to = "INBOX",
		.append_flags = "\\Seen Beyond1",
		.append_names = "x1 x2" },
	{ .name = "store, restored",
		.kind = RESTORED | PARTIAL,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID STORE 1:3 +FLAGS (\\Answered Beyond9)\r\n" },
	{ .name = "expunge, restored",
		.kind = RESTORED | PARTIAL,
		.before = "t SELECT INBOX\r\n",
		.command = "t EXPUNGE\r\n" },
	{ .name = "copy, restored",
		.kind = RESTORED,
		.before = "t SELECT INBOX\r\n",
		.command = "t UID COPY 1:3 Archive\r\n" },
	{ .name = "fetch, restored",
		.kind = RESTORED,
		.before = "t SELECT INBOX\r\n",
		.command = "t FETCH 1:* (FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n" },
	{ .name = "POP3 quit",
		.kind = POP3 | PARTIAL,
		.before = "DELE 1\r\nDELE 3\r\n",
		.command = "QUIT\r\n" },
};

static const int ERRORS[] = { ENOSPC, EDQUOT, EIO, EMFILE, EACCES, 0 };
enum { ERRORS_COUNT = sizeof ERRORS / sizeof *ERRORS };

static char template_path[64], run_path[80];

/* What there is of a text: in one mailbox, or (NULL) in all. */
static unsigned count(const struct seen *seen, const char *mailbox, const char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < seen->n; i++)
		n += strcmp(seen->messages[i].text, text) == 0 &&
		     (!mailbox ||
			     strcmp(seen->mailboxes[seen->messages[i].mailbox].name, mailbox) == 0);
	return n;
}

/* A message with this text and these flags in a mailbox of this name. */
static bool has_like(const struct seen *seen, const char *mailbox, const struct seen_message *like)
{
	for (unsigned i = 0; i < seen->n; i++)
		if (strcmp(seen->messages[i].text, like->text) == 0 &&
			strcmp(seen->messages[i].flags, like->flags) == 0 &&
			strcmp(seen->mailboxes[seen->messages[i].mailbox].name, mailbox) == 0)
			return true;
	return false;
}

/* The same but for UIDs of what is new, and UIDVALIDITYs of new mailboxes. Returns "", or what differs. */
static const char *differs(const struct seen *a, const struct seen *b)
{
	static char why[200];

	if (strcmp(a->subscriptions, b->subscriptions) != 0)
		return "subscriptions";
	if (strcmp(a->metadata, b->metadata) != 0)
		return "metadata";
	for (unsigned i = 0; i < a->mailboxes_n; i++)
		if (seen_mailbox(b, a->mailboxes[i].name) < 0) {
			snprintf(why, sizeof why, "mailbox %s", a->mailboxes[i].name);
			return why;
		}
	if (a->mailboxes_n != b->mailboxes_n)
		return "number of mailboxes";
	for (unsigned i = 0; i < a->n; i++) {
		const struct seen_message *m = &a->messages[i];

		if (!has_like(b, a->mailboxes[m->mailbox].name, m)) {
			snprintf(why, sizeof why, "%s %u %s (%s)", a->mailboxes[m->mailbox].name,
				m->msg_uid, m->text, m->flags);
			return why;
		}
	}
	return a->n != b->n ? "number of messages" : "";
}

static bool same_mailboxes(const struct seen *a, const struct seen *b)
{
	for (unsigned i = 0; i < a->mailboxes_n; i++)
		if (seen_mailbox(b, a->mailboxes[i].name) < 0)
			return false;
	return a->mailboxes_n == b->mailboxes_n;
}

static bool same_messages(const struct seen *a, const struct seen *b)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!has_like(b, a->mailboxes[a->messages[i].mailbox].name, &a->messages[i]))
			return false;
	return a->n == b->n;
}

struct trial {
	const struct operation *operation;
	const struct seen *before, *after;
	unsigned k;
	int error;
	bool from_there_on, poor;
	const char *failed;
	int result;
	char answer[300];
};

/* One assertion about a trial; what it was is said if it fails. */
_printf_(3, 4) static void expect(const struct trial *t, bool ok, const char *format, ...)
{
	char text[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	CHECK(ok, "%s, call %u (%s%s%s): %s, %d %s: %s", t->operation->name, t->k,
		t->failed ? t->failed : "none", t->from_there_on ? "..." : "",
		t->poor ? ", poor" : "", t->error ? strerrorname_np(t->error) : "short", t->result,
		t->answer, text);
}

static bool has_word(const char *words, const char *word, size_t n)
{
	for (const char *p = words; (p = strstr(p, word)) != NULL; p++)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

/* Flags and keywords lie in several places: each is as before or as after. */
static bool are_between(const char *flags, const char *a, const char *b)
{
	char either[400];

	snprintf(either, sizeof either, "%s %s", a, b);
	for (const char *p = flags; *p;) {
		size_t n = strcspn(p, " ");
		char word[40];

		snprintf(word, sizeof word, "%.*s", (int)n, p);
		if (!has_word(either, word, n))
			return false;
		p += n;
		p += strspn(p, " ");
	}
	for (const char *p = a; *p;) {
		size_t n = strcspn(p, " ");
		char word[40];

		snprintf(word, sizeof word, "%.*s", (int)n, p);
		if (has_word(b, word, n) && !has_word(flags, word, n))
			return false;
		p += n;
		p += strspn(p, " ");
	}
	return true;
}

/* A message that was there is the one it was, wherever its UID shows up. */
static void check_uids(const struct trial *t, const struct seen *got)
{
	for (unsigned i = 0; i < got->n; i++) {
		const struct seen_message *m = &got->messages[i];
		uint32_t uidvalidity = got->mailboxes[m->mailbox].uidvalidity;
		const struct seen_message *was = seen_uid(t->before, uidvalidity, m->msg_uid);

		expect(t, !was || strcmp(was->text, m->text) == 0, "UID %u was %s, is %s",
			m->msg_uid, was ? was->text : "", m->text);
		expect(t, strcmp(m->text, "BROKEN") != 0, "UID %u of %s is broken", m->msg_uid,
			got->mailboxes[m->mailbox].name);
		if (!was || strcmp(was->flags, m->flags) == 0)
			continue;

		const struct seen_message *will = seen_uid(t->after, uidvalidity, m->msg_uid);

		expect(t, will && are_between(m->flags, was->flags, will->flags),
			"%s: flags %s were %s, would be %s", m->text, m->flags, was->flags,
			will ? will->flags : "gone");
	}
	for (unsigned i = 0; i < t->before->mailboxes_n; i++) {
		int at = seen_mailbox(got, t->before->mailboxes[i].name);

		expect(t,
			at < 0 || got->mailboxes[at].uidvalidity ==
					  t->before->mailboxes[i].uidvalidity,
			"UIDVALIDITY of %s", t->before->mailboxes[i].name);
		expect(t, at < 0 || got->mailboxes[at].uidnext >= t->before->mailboxes[i].uidnext,
			"UIDNEXT of %s", t->before->mailboxes[i].name);
	}
}

static void check_text(const struct trial *t, const struct seen *got, const char *text)
{
	unsigned b = count(t->before, NULL, text), a = count(t->after, NULL, text);
	unsigned n = count(got, NULL, text), low = a < b ? a : b, high = a > b ? a : b;

	/* When no fault can be undone, because what undoes it fails as well, a message may be there once more. */
	expect(t, n >= low && n <= high + (t->from_there_on && !(t->operation->kind & ONCE)), "%s is there %u times, not %u to %u",
		text, n, low, high);
	for (unsigned i = 0; i < got->mailboxes_n; i++) {
		const char *name = got->mailboxes[i].name;

		b = count(t->before, name, text);
		a = count(t->after, name, text);
		n = count(got, name, text);
		low = a < b ? a : b;
		high = (a > b ? a : b) + (t->from_there_on && (t->operation->kind & UNDOES));
		expect(t, n >= low && n <= high, "%s is in %s %u times, not %u to %u", text, name,
			n, low, high);
	}
}

static void check_tree(const struct trial *t, const struct seen *got)
{
	for (unsigned i = 0; i < got->mailboxes_n; i++) {
		const char *name = got->mailboxes[i].name;

		expect(t, seen_mailbox(t->before, name) >= 0 || seen_mailbox(t->after, name) >= 0,
			"where does %s come from?", name);
	}
	for (unsigned i = 0; i < t->before->mailboxes_n; i++) {
		const char *name = t->before->mailboxes[i].name;

		expect(t, seen_mailbox(t->after, name) < 0 || seen_mailbox(got, name) >= 0,
			"%s is gone", name);
	}
}

/* The keywords of all that was there are known from the first sight on. */
static void check_adopted(const struct trial *t, const struct seen *got)
{
	for (unsigned i = 0; i < t->before->n; i++) {
		const struct seen_message *m = &t->before->messages[i];
		const char *name = t->before->mailboxes[m->mailbox].name;

		if (strcmp(name, "Courier") == 0)
			expect(t, has_like(got, name, m), "%s is without Courier's keywords", m->text);
	}
}

/* What may be there after a fault. */
static void check_seen(const struct trial *t, const struct seen *got)
{
	const char *why;

	check_uids(t, got);
	check_tree(t, got);
	for (unsigned i = 0; i < t->before->n; i++)
		check_text(t, got, t->before->messages[i].text);
	for (unsigned i = 0; i < t->after->n; i++)
		check_text(t, got, t->after->messages[i].text);
	why = t->result == 0 ? differs(t->after, got) : "";
	expect(t, !*why, "it was said to be done, but: %s", why);
	if (t->result != 0 && !t->from_there_on && !(t->operation->kind & PARTIAL))
		expect(t, !*differs(t->before, got) || !*differs(t->after, got),
			"it is neither done nor undone: %s", differs(t->before, got));
	if (t->result != 0 && !t->from_there_on && same_messages(t->before, got))
		expect(t, got->mailboxes_n <= t->before->mailboxes_n, "a mailbox is left over");
	if (!t->from_there_on)
		expect(t, same_mailboxes(t->before, got) || same_mailboxes(t->after, got),
			"some mailboxes are there, some not");
	expect(t,
		strcmp(got->subscriptions, t->before->subscriptions) == 0 ||
			strcmp(got->subscriptions, t->after->subscriptions) == 0,
		"subscriptions are %s", got->subscriptions);
	expect(t,
		strcmp(got->metadata, t->before->metadata) == 0 ||
			strcmp(got->metadata, t->after->metadata) == 0,
		"metadata is %s", got->metadata);
	if (t->operation->kind & COURIER)
		check_adopted(t, got);
}

/* NO with a response code (RFC 5530), BYE, -ERR: and nothing of another kind. */
static void check_answer(const struct trial *t, const struct world *w)
{
	if (t->result == 0 || t->result == -2 || t->result == -3)
		return;
	if (w->is_pop3)
		expect(t, strncmp(t->answer, "-ERR ", 5) == 0, "no clear answer");
	else
		expect(t, strncmp(t->answer, "t NO [", 6) == 0, "no clear answer");
}

static const char *command_of(const struct operation *op)
{
	return op->command
		       ? op->command
		       : world_append_command(op->append_to, op->append_flags, op->append_names);
}


/* How far the clock that only goes forward is ahead. */
static time_t ahead_sec;

INTERPOSED int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = REAL(clock_gettime)(clock, t);

	if (clock == CLOCK_MONOTONIC)
		t->tv_sec += ahead_sec;
	return r;
}

/* What a session does between time slices, for as long as it takes until the index has all. */
static void rest(struct world *w)
{
	for (unsigned i = 0; i < RESTS && store_rest(w->store) != UINT64_MAX; i++)
		ahead_sec++;
}

/* Two messages, with keywords in the list and in a single change. */
static void make_courier(void)
{
	static const char *const directories[] = {
		"", "/cur", "/new", "/tmp", "/courierimapkeywords"
	};
	char path[300], text[400];

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		snprintf(path, sizeof path, "%s/.Courier%s", run_path, directories[i]);
		CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
	}
	world_message_text("co1", text, sizeof text);
	world_write_file(run_path, ".Courier/cur/1700000001.M1.c:2,S", "%s", text);
	world_message_text("co2", text, sizeof text);
	world_write_file(run_path, ".Courier/cur/1700000002.M2.c:2,", "%s", text);
	world_write_file(run_path, ".Courier/courierimapuiddb", "1 1700000000 8\n3 1700000001.M1.c\n7 1700000002.M2.c\n");
	world_write_file(run_path, ".Courier/courierimapkeywords/:list",
		"Work\n$Forwarded\n\n1700000001.M1.c:0 1\n1700000002.M2.c:0\n");
	world_write_file(run_path, ".Courier/courierimapkeywords/.7.1700000002.M2.c", "Home\n");
}

static void append_file(const char *name, const char *text)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", run_path, name);
	file = fopen(path, "a");
	CU_ASSERT_FATAL(file != NULL && fputs(text, file) >= 0);
	fclose(file);
}

/* The letters but for the last one have names. */
static void fill_letters(void)
{
	char text[400] = "";

	for (int i = 0, at = 0; i < 25; i++)
		at += snprintf(text + at, sizeof text - (size_t)at, "%d K%d\n", i, i);
	world_write_file(run_path, ".Courier/dovecot-keywords", "%s", text);
}

static void leave_lines(void)
{
	char text[60];

	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof text, "M 26 1600000000.M%d.gone\n", i);
		append_file("restante-keywords", text);
	}
}

/* A message that has its UID, and keywords beyond the letters; of one of these the name is new. */
static void add_elsewhere(void)
{
	char text[400];

	world_message_text("else1", text, sizeof text);
	world_write_file(run_path, "cur/1700000900.M9.else:2,F", "%s", text);
	append_file("dovecot-uidlist", "6 :1700000900.M9.else\n");
	append_file("restante-keywords", "K 27 Elsewhere\nM 26,27 1700000900.M9.else\n");
}

/* Once a place. */
static void add_later(unsigned kind)
{
	char path[300];

	snprintf(path, sizeof path, "%s/later", run_path);
	if (!(kind & LATER) || access(path, F_OK) == 0)
		return;
	world_write_file(run_path, "later", "%s", "");
	add_elsewhere();
	if (kind & NEW_MAIL)
		world_deliver(run_path, "new1");
}

static int prepare(struct world *w, const struct operation *op)
{
	int r = world_dial(w, op->kind & POP3);

	if (r == 0 && op->before)
		r = world_say(w, op->before);
	add_later(op->kind);
	return r;
}

/* What a process before left in the index. */
static void save_index(void)
{
	static struct seen seen;
	struct world w;

	CU_ASSERT_FATAL(world_open(&w, run_path, FSYNC_ALWAYS) == 0);
	CU_ASSERT_FATAL(world_see(&w, &seen) == 0);
	world_close(&w);
}

static void make_place(unsigned kind)
{
	world_remove(run_path);
	world_copy(template_path, run_path);
	world_boot_id = kind & RESTORED ? "boot" : NULL;
	if (kind & RESTORED)
		save_index();
	if (kind & (ELSEWHERE | LATER))
		leave_lines();
	if (kind & ELSEWHERE)
		add_elsewhere();
	if ((kind & NEW_MAIL) && !(kind & LATER))
		world_deliver(run_path, "new1");
	if (kind & QUOTA)
		world_write_file(run_path, "maildirsize", "100000S,100C\n");
	if (kind & COURIER)
		make_courier();
	if (kind & FULL)
		fill_letters();
}

static void begin_run(struct world *w, unsigned kind)
{
	make_place(kind);
	CU_ASSERT_FATAL(world_open(w, run_path, FSYNC_ALWAYS) == 0);
}

/* The same command once more: nothing may be stuck. What was done at the first attempt cannot be done again. */
static void check_again(struct trial *t, struct world *w, const struct seen *got)
{
	static struct seen seen;
	bool undone = *differs(t->before, got) == '\0';
	int r = prepare(w, t->operation);

	if (r != 0 && !undone) /* what is to be selected has another name now */
		return;
	expect(t, r == 0, "afterwards: %d %s", r, w->answer);
	if (r != 0)
		return;
	r = world_say(w, command_of(t->operation));
	expect(t, r == 0 || (!undone && r == -1), "again: %d %s; %s", r, w->answer, w->last_log);
	if (!undone)
		return;
	world_hang_up(w);
	r = world_see(w, &seen);
	expect(t, r == 0, "again: %s", strerror(-r));

	const char *why = r == 0 ? differs(t->after, &seen) : "";

	expect(t, !*why, "again, it was said to be done, but: %s", why);
}

/* One that could not be removed says that nobody holds it. */
static bool is_released(const char *path)
{
	char text[100] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	close(fd);
	return n == 2 && strcmp(text, "0:") == 0;
}

static void check_leftovers(const struct trial *t, const char *dir)
{
	char path[300];

	snprintf(path, sizeof path, "%s%sdovecot-uidlist.lock", run_path, dir);
	expect(t, t->from_there_on || access(path, F_OK) < 0 || is_released(path),
		"%s is left over", path);
}

/*
 * What is used is what is there. Only where the process is killed between a change and the line that notes it, or nothing
 * at all can be done to the file, it is as before or as after.
 */
static void check_quota(const struct trial *t, const struct seen *got)
{
	struct work work = { .now_usec = world_now(), .budget = 100000 };
	struct quota_usage usage;
	struct world w;
	unsigned low = t->before->n < t->after->n ? t->before->n : t->after->n;
	unsigned high = t->before->n < t->after->n ? t->after->n : t->before->n;

	if (!(t->operation->kind & QUOTA))
		return;
	if (!t->from_there_on)
		low = high = got->n;
	CU_ASSERT_FATAL(world_open(&w, run_path, FSYNC_NEVER) == 0);

	int r = quota_usage(w.store, &work, &usage);

	expect(t, r == 0, "the quota: %s", strerror(-r));
	expect(t, r < 0 || (usage.used.messages >= low && usage.used.messages <= high),
		"the quota counts %lld messages, not %u to %u", r < 0 ? 0 : (long long)usage.used.messages,
		low, high);
	world_close(&w);
}

/* The next process, which believes what this one left in the index, sees the same. */
static void check_restored(const struct trial *t, struct world *w, const struct seen *fresh)
{
	static struct seen restored;

	world_close(w);

	int r = world_see_fresh(run_path, false, &restored);
	const char *why = r == 0 ? differs(&restored, fresh) : "";

	expect(t, r == 0, "restored: %s", strerror(-r));
	expect(t, !*why, "restored from the index there is something else: %s", why);
	CU_ASSERT_FATAL(world_open(w, run_path, FSYNC_ALWAYS) == 0);
}

/* One run with a fault. Returns whether the call was reached. */
static bool try_fault(struct trial *t)
{
	static struct seen live, fresh, bare;
	struct world w;

	begin_run(&w, t->operation->kind);
	t->result = prepare(&w, t->operation);
	CU_ASSERT_EQUAL(t->result, 0);
	interpose.calls = 0;
	interpose.failed = NULL;
	interpose.failed_index = false;
	interpose.fail_at = t->k;
	interpose.error = t->error;
	interpose.from_there_on = t->from_there_on;
	interpose.poor = t->poor;
	interpose.armed = true;
	t->result = world_say(&w, command_of(t->operation));
	rest(&w);
	interpose.armed = interpose.poor = false;
	t->failed = interpose.failed;
	snprintf(t->answer, sizeof t->answer, "%s", w.answer);

	bool reached = interpose.calls >= t->k;

	if (t->failed) {
		check_answer(t, &w);
		expect(t, t->result == 0 || !interpose.failed_index || t->from_there_on,
			"a fault of the index fails a command");
		expect(t, t->result != -3 || t->from_there_on, "a lock stays");
		world_hang_up(&w);

		int r = world_see(&w, &live);

		expect(t, r == 0, "cannot be read afterwards: %s: %s", strerror(-r), w.last_log);
		r = world_see_fresh(run_path, false, &fresh);
		expect(t, r == 0, "a fresh store: %s", strerror(-r));
		check_seen(t, &fresh);
		if (t->operation->kind & RESTORED)
			check_restored(t, &w, &fresh);

		const char *why = differs(&live, &fresh);

		/* A file under both names, where neither can be removed: either store may settle on either. */
		bool both_names = t->poor && t->from_there_on && strcmp(t->failed, "unlinkat") == 0;

		expect(t, !*why || both_names, "the store that goes on sees something else: %s",
			why);
		r = world_see_fresh(run_path, true, &bare);
		expect(t, r == 0, "a store without index: %s", strerror(-r));
		why = differs(&bare, &fresh);
		expect(t, !*why, "without index there is something else: %s", why);
		check_quota(t, &fresh);
		check_leftovers(t, "/");
		check_leftovers(t, "/.Archive/");
		check_again(t, &w, &fresh);
	}
	world_close(&w);
	return reached;
}

static void die_in_operation(const struct trial *t)
{
	struct world w;

	if (world_open(&w, run_path, FSYNC_ALWAYS) < 0 || prepare(&w, t->operation) != 0)
		_exit(1);
	interpose.calls = interpose.fail_at = 0;
	interpose.die_at = t->k;
	interpose.armed = true;
	(void)world_say(&w, command_of(t->operation));
	rest(&w);
	_exit(0);
}

/* The process is killed before call k. Returns whether the call was reached. */
static bool try_kill(struct trial *t)
{
	static struct seen fresh, bare;
	int status;

	make_place(t->operation->kind);

	pid_t pid = fork();

	if (pid == 0)
		die_in_operation(t);
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 0)
		return false;
	t->failed = "killed";
	t->result = -2;
	t->answer[0] = '\0';
	t->from_there_on = true;
	expect(t, WEXITSTATUS(status) == INTERPOSE_DIED, "exit %d", WEXITSTATUS(status));

	int r = world_see_fresh(run_path, false, &fresh);

	expect(t, r == 0, "a fresh store: %s", strerror(-r));
	r = world_see_fresh(run_path, true, &bare);
	expect(t, r == 0, "a store without index: %s", strerror(-r));
	check_seen(t, &fresh);

	const char *why = differs(&bare, &fresh);

	expect(t, !*why, "without index there is something else: %s", why);
	check_quota(t, &fresh);
	return true;
}

static void kill_operation(struct trial *t, size_t number)
{
	unsigned every = getenv("FAULTS_ALL") ? 1 : 9;
	unsigned runs = 0;

	t->poor = false;
	t->error = 0;
	for (t->k = 1 + number % every; try_kill(t); t->k += every)
		runs++;
	printf("%s: %u kills\n", t->operation->name, runs);
}

static void run_operation(size_t number)
{
	static struct seen before, after;
	struct trial t = { .operation = &OPERATIONS[number], .before = &before, .after = &after };
	bool all = getenv("FAULTS_ALL") != NULL;
	struct world w;
	int r;

	begin_run(&w, t.operation->kind & (COURIER | FULL | ELSEWHERE));
	add_later(t.operation->kind & LATER);
	if (t.operation->before && strstr(t.operation->before, "SETMETADATA"))
		CU_ASSERT_EQUAL(prepare(&w, t.operation), 0);
	r = world_see(&w, &before);
	CU_ASSERT_EQUAL(r, 0);
	world_close(&w);
	begin_run(&w, t.operation->kind);
	CHECK(prepare(&w, t.operation) == 0, "%s: %s", t.operation->name, w.answer);
	r = world_say(&w, command_of(t.operation));
	CHECK(r == 0, "%s: %s", t.operation->name, w.answer);
	world_close(&w);
	CU_ASSERT_EQUAL(world_see_fresh(run_path, false, &after), 0);

	unsigned runs = 0;
	bool reached = true;

	for (t.k = 1; reached; t.k++)
		for (int i = 0; reached && i < 2 * ERRORS_COUNT; i++) {
			if (!all && i != (int)((t.k + number) % (2 * ERRORS_COUNT)) &&
				i != (int)((t.k * 7 + number) % (2 * ERRORS_COUNT)))
				continue;
			t.poor = (t.k + (unsigned)i) % 3 == 0;
			t.error = ERRORS[i % ERRORS_COUNT];
			t.from_there_on = i >= ERRORS_COUNT;
			if (t.error == 0 && t.from_there_on)
				continue;
			reached = try_fault(&t);
			runs++;
		}
	printf("%s: %u calls, %u runs\n", t.operation->name, t.k - 2, runs);
	kill_operation(&t, number);
}

static void test_operations(void)
{
	const char *only = getenv("FAULTS_ONLY");

	snprintf(template_path, sizeof template_path, "%s/restante-faults-XXXXXX", world_parent());
	CU_ASSERT_FATAL(mkdtemp(template_path) != NULL);
	snprintf(run_path, sizeof run_path, "%s-run", template_path);
	interpose.no_disk = true;
	world_make_template(template_path);
	for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++)
		if (!only || strcmp(only, OPERATIONS[i].name) == 0)
			run_operation(i);
	world_remove(run_path);
	world_remove(template_path);
}

static const struct unit_test tests[] = {
	{ "every call of every operation fails in turn", test_operations },
};

UNIT_MAIN("test_faults", tests)
