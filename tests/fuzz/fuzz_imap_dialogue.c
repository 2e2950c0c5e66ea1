/*
 * fuzz_imap_dialogue.c - whole dialogues of two IMAP connections, made from a grammar: each byte chooses among alternatives, so
 * that what is sent is mostly right and goes deep. Between commands other programs disturb the files. A client here waits
 * for the continuation request where its literal asks for one, and reads what it gets: every command has exactly one tagged
 * response, in order; the rest of what must be true: imap_play.h.
 */
#include "tests/fuzz/imap_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
	DEPTH_MAX = 8,            /* of rules within rules; beyond it the first alternative is taken */
	COMMAND_BYTES = 16384,    /* a longer one is not sent */
	COMMANDS_MAX = 100,       /* of one dialogue */
	WAIT_MARK = 1,            /* in a command: the client waits here for "+" */
	ALTERNATIVES_MAX = 64,
};

/*
 * A rule has a letter; "%x" in an alternative stands for what rule x makes. "%!" is a string in some form (atom, quoted, literal)
 * around what the letter behind it makes. The first alternative of a rule has no rules in it, or ones that end.
 */
struct rule {
	char name;
	const char *alternatives[ALTERNATIVES_MAX];
};

static const struct rule rules[] = {
	{ 'm', { "INBOX", "a", "a/b", "%!M", "\"&ZeVnLIqe-\"", "inbox", "missing", "%!w" } },
	{ 'M', { "INBOX", "a", "a/b/c", "&ZeVnLIqe-", "\xe6\x97\xa5", "a/../b", "a//b", "/", "tmp", ".x",
		       "%w" } },
	{ 'p', { "*", "%%", "INBOX", "a*", "%%/%%", "%!M", "\"*b%%\"", "\"\"" } },
	{ 'w', { "x", "body", "two", "x y", "\xe6\x9d\xb1\xe4\xba\xac", "", "a\"b\\c", "$Forwarded",
		       "0123456789012345678901234567890123456789" } },
	{ 'n', { "1", "0", "2", "7", "4294967295", "4294967296", "999999999999999999999", "20" } },
	{ 's', { "1:*", "1", "*", "2:3", "$", "1,3", "3:1", "1:4,2,4", "*:2", "%n", "%n:%n", "%n,%s",
		       "4294967295:*" } },
	{ 'f', { "\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "\\Draft", "\\Recent", "$Junk", "k%n",
		       "Key", "\\Unknown", "%f %f" } },
	{ 'd', { "1-Jan-2024", "\" 1-Feb-2020\"", "31-Dec-1999", "30-Feb-2024", "1-Jan-10000" } },
	{ 't', { "\"17-Jul-1996 02:44:25 -0700\"", "\" 1-Jan-2030 00:00:00 +0900\"",
		       "\"00-Jan-0000 99:99:99 +9999\"" } },
	{ 'q', { "1", "0", "1800000000000000", "9223372036854775807", "9223372036854775808", "%n" } },
	{ 'h', { "SUBJECT", "%!w", "DATE", "FROM", "%h %h" } },
	{ 'S', { "", "TEXT", "HEADER", "MIME", "1", "1.MIME", "2.1", "2.HEADER", "1.TEXT",
		       "HEADER.FIELDS (%h)", "HEADER.FIELDS.NOT (%h)", "2.1.HEADER.FIELDS (%h)", "0" } },
	{ 'P', { "", "<0.10>", "<5.0>", "<%n.%n>" } },
	{ 'F', { "FLAGS", "UID", "ALL", "FAST", "FULL", "ENVELOPE", "BODY", "BODYSTRUCTURE",
		       "INTERNALDATE", "RFC822.SIZE", "RFC822", "RFC822.HEADER", "RFC822.TEXT",
		       "BODY[%S]%P", "BODY.PEEK[%S]%P", "BINARY[%S]%P", "BINARY.PEEK[%S]%P",
		       "BINARY.SIZE[%S]", "MODSEQ", "EMAILID", "THREADID", "SAVEDATE", "PREVIEW",
		       "PREVIEW (LAZY)", "(%G)" } },
	{ 'G', { "FLAGS UID", "BODY[%S]%P", "ENVELOPE BODYSTRUCTURE", "%F %F", "MODSEQ FLAGS" } },
	{ 'o', { "", " (CHANGEDSINCE %q)", " (CHANGEDSINCE %q VANISHED)", " (PARTIAL %n:%n)",
		       " (PARTIAL -1:-%n)", " (UNKNOWN)" } },
	{ 'k', { "ALL", "SEEN", "UNSEEN", "DELETED", "NEW", "OLD", "RECENT", "DRAFT", "%s", "UID %s",
		       "SUBJECT %!w", "FROM %!w", "TEXT %!w", "BODY %!w", "HEADER %!w %!w", "KEYWORD k1",
		       "UNKEYWORD Key", "LARGER %n", "SMALLER %n", "BEFORE %d", "ON %d", "SINCE %d",
		       "SENTBEFORE %d", "SENTON %d", "SENTSINCE %d", "OLDER %n", "YOUNGER %n",
		       "MODSEQ %q", "MODSEQ \"/flags/\\\\Seen\" all %q", "SAVEDBEFORE %d", "SAVEDON %d",
		       "SAVEDATESUPPORTED", "EMAILID x", "THREADID %!w", "NOT %k", "OR %k %k", "(%k %k)",
		       "%k %k", "$" } },
	{ 'r', { "", "RETURN () ", "RETURN (ALL) ", "RETURN (MIN MAX COUNT) ", "RETURN (SAVE) ",
		       "RETURN (SAVE MIN) ", "RETURN (PARTIAL 1:%n) ", "RETURN (UPDATE) ",
		       "RETURN (CONTEXT COUNT) ", "RETURN (UPDATE PARTIAL -1:-2) ", "RETURN (X) " } },
	{ 'c', { "", "CHARSET UTF-8 ", "CHARSET US-ASCII ", "CHARSET ISO-2022-JP ", "CHARSET %!w " } },
	{ 'O', { "DATE", "ARRIVAL", "SUBJECT", "FROM", "TO", "CC", "SIZE", "DISPLAYFROM", "DISPLAYTO",
		       "REVERSE %O", "%O %O" } },
	{ 'T', { "REFERENCES", "ORDEREDSUBJECT", "REFS", "NONE" } },
	{ 'a', { "MESSAGES", "UNSEEN", "RECENT", "UIDNEXT", "UIDVALIDITY", "SIZE", "DELETED",
		       "HIGHESTMODSEQ", "MAILBOXID", "APPENDLIMIT", "DELETED-STORAGE", "%a %a" } },
	{ 'e', { "IMAP4rev2", "CONDSTORE", "QRESYNC", "UTF8=ACCEPT", "UIDONLY", "X", "%e %e" } },
	{ 'l', { "", " (CONDSTORE)", " (QRESYNC (1700000000 %q))", " (QRESYNC (1700000000 %q 1:*))",
		       " (QRESYNC (%n %q %s (%s %s)))", " (X)" } },
	{ 'E', { "/private/comment", "/shared/comment", "/private/%w", "/shared/admin", "/x" } },
	{ 'V', { "NIL", "\"v\"", "%!w", "{3}\1\r\nabc", "~{3+}\r\nabc" } },
	{ 'A', { "{5+}\r\nhello", "{12}\1\r\nSubject: x\r\n", "{22+}\r\nSubject: y\r\n\r\ntext\r\n\r\n", "{0}\1\r\n",
		       "UTF8 (~{5+}\r\n\xe6\x97\xa5\r\n)", "~{3+}\r\nabc", "{999999999}\1\r\n",
		       "(%f) %A", "%t %A", "(%f) %t %A", "%A %A",
		       "CATENATE (URL \"/INBOX/;UID=1\" TEXT {5+}\r\nhello)" } },
	{ 'R', { "", " RETURN (STATUS (%a))", " RETURN (CHILDREN SUBSCRIBED)",
		       " RETURN (SPECIAL-USE METADATA (%E))", " RETURN (X)" } },
	{ 'L', { "", "(SUBSCRIBED) ", "(RECURSIVEMATCH SUBSCRIBED) ", "(SPECIAL-USE) ", "(REMOTE) " } },
	{ 'N', { "NONE", "SET (selected (MessageNew (%F) MessageExpunge FlagChange))",
		       "SET STATUS (inboxes (MessageNew MessageExpunge)) (personal (MailboxName))",
		       "SET (mailboxes %m (MessageNew MessageExpunge))" } },
	{ 'u', { "FETCH %s %F%o", "STORE %s FLAGS (%f)", "STORE %s +FLAGS%x (%f)", "STORE %s -FLAGS%x %f",
		       "STORE %s (UNCHANGEDSINCE %q) +FLAGS%x (%f)", "SEARCH %r%c%k",
		       "SORT %r(%O) UTF-8 %k", "THREAD %T UTF-8 %k", "COPY %s %m", "MOVE %s %m" } },
	{ 'x', { "", ".SILENT" } },
	{ 'C', { "NOOP", "SELECT INBOX", "%u", "%u", "UID %u", "UID %u", "SELECT %m%l", "EXAMINE %m%l",
		       "EXPUNGE", "UID EXPUNGE %s", "CLOSE", "UNSELECT", "CHECK", "CAPABILITY", "CREATE %m",
		       "CREATE %m (USE (\\Sent))", "DELETE %m", "RENAME %m %m", "SUBSCRIBE %m",
		       "UNSUBSCRIBE %m", "LIST %L\"\" %p%R", "LIST \"\" (%p %p)%R", "LSUB \"\" %p",
		       "NAMESPACE", "STATUS %m (%a)", "APPEND %m %A", "APPEND INBOX %A", "IDLE",
		       "ENABLE %e", "ID NIL", "ID (%!w %!w)", "LANGUAGE", "LANGUAGE ja", "LANGUAGE %!w",
		       "GETQUOTA \"\"", "GETQUOTAROOT %m", "SETQUOTA \"\" (STORAGE %n)",
		       "GETMETADATA %m %E", "GETMETADATA (DEPTH 1 MAXSIZE %n) %m (%E %E)",
		       "SETMETADATA %m (%E %V)", "SETMETADATA \"\" (%E %V %E %V)", "CANCELUPDATE \"%n\"",
		       "ESEARCH IN (mailboxes (INBOX %m)) %r%k", "ESEARCH IN (subtree %m personal) %k",
		       "NOTIFY %N", "REPLACE %s %m %A", "UID REPLACE %s %m %A", "COMPRESS DEFLATE",
		       "LOGOUT", "FOO %!w", "LOGIN u p", "STARTTLS" } },
};

enum { RULES = sizeof rules / sizeof *rules };

struct dialogue {
	struct play play;
	struct slice choices;
	struct buf command;
	bool too_long;
	unsigned depth, tag;
	bool idling[CONNECTIONS]; /* IDLE was sent, DONE not yet */
};

static unsigned choose(struct dialogue *d, unsigned n)
{
	unsigned c = d->choices.n > 0 ? (uint8_t)d->choices.p[0] : 0;

	d->choices = slice_tail(d->choices, d->choices.n > 0);
	return c % n;
}

static void add(struct dialogue *d, struct slice text)
{
	if (buf_add(&d->command, text) < 0)
		d->too_long = true;
}

static const char *alternative(struct dialogue *d, char name)
{
	size_t i = 0;
	unsigned n = 0;

	while (i < RULES && rules[i].name != name)
		i++;
	must(i < RULES);
	while (n < ALTERNATIVES_MAX && rules[i].alternatives[n])
		n++;
	return rules[i].alternatives[d->depth < DEPTH_MAX ? choose(d, n) : 0];
}

static void expand(struct dialogue *d, const char *text);

/* What a rule makes, as a string: quoted, or a literal of either kind; now and then as it stands, which may be wrong. */
static void expand_string(struct dialogue *d, const char *text)
{
	unsigned form = choose(d, 4);
	size_t before = d->command.n;

	expand(d, text);

	_cleanup_buf_ struct buf made = BUF(COMMAND_BYTES);

	must(buf_add(&made, slice_tail(buf_slice(&d->command), before)) == 0);
	if (form == 0 || d->too_long || before + made.n > COMMAND_BYTES / 2 || slice_find(buf_slice(&made), WAIT_MARK) >= 0)
		return;
	d->command.n = before;
	if (form == 1) {
		add(d, SLICE("\""));
		for (size_t i = 0; i < made.n; i++) {
			if (made.p[i] == '"' || made.p[i] == '\\')
				add(d, SLICE("\\"));
			add(d, slice_from(made.p + i, 1));
		}
		add(d, SLICE("\""));
		return;
	}
	must(buf_addf(&d->command, "{%zu%s}", made.n, form == 2 ? "" : "+") == 0);
	add(d, form == 2 ? SLICE("\1\r\n") : SLICE("\r\n"));
	add(d, buf_slice(&made));
}

static void expand(struct dialogue *d, const char *text)
{
	for (d->depth++; *text; text++) {
		if (*text != '%') {
			add(d, slice_from(text, 1));
		} else if (*++text == '%') {
			add(d, SLICE("%"));
		} else if (*text == '!') {
			expand_string(d, alternative(d, *++text));
		} else {
			expand(d, alternative(d, *text));
		}
	}
	d->depth--;
}

/* Now and then one byte is wrong; never where it would make, or unmake, a literal. */
static void garble(struct dialogue *d, size_t name_at)
{
	static const struct slice bytes = SLICE("( )\"\\*%]<.0\x7f\xff\t");
	unsigned how = choose(d, 16);

	if (how != 1 || d->command.n <= name_at ||
		slice_find(buf_slice(&d->command), '\r') >= 0 || slice_find(buf_slice(&d->command), '{') >= 0)
		return;
	d->command.p[name_at + choose(d, (unsigned)(d->command.n - name_at))] =
		bytes.p[choose(d, (unsigned)bytes.n)];
}

/* The client sends a command: its tagged response is awaited. */
static void await_tag(struct connection *c, const char *tag)
{
	must(c->awaited_n < AWAITED_MAX);
	snprintf(c->awaited[c->awaited_n++], TAG_BYTES, "%s", tag);
}

/* Send as a client does: where a literal asks for it, wait; without a continuation request the rest is not sent. */
static void send_command(struct dialogue *d, struct connection *c)
{
	struct slice rest = buf_slice(&d->command);
	ssize_t mark;

	while ((mark = slice_find(rest, WAIT_MARK)) >= 0) {
		must(buf_add(&c->in, slice_take(&rest, (size_t)mark)) == 0);
		rest = slice_tail(rest, 1);
		must(buf_add(&c->in, slice_take(&rest, 2)) == 0);
		c->may_go_on = false;
		run(&d->play, c);
		if (!c->may_go_on)
			return;
	}
	must(buf_add(&c->in, rest) == 0 && buf_add(&c->in, SLICE("\r\n")) == 0);
}

static bool is_idling(const struct dialogue *d, const struct connection *c)
{
	return d->idling[c - d->play.connections];
}

static void set_idling(struct dialogue *d, const struct connection *c, bool idling)
{
	d->idling[c - d->play.connections] = idling;
}

/* All that was sent is answered when the connection waits for more. */
static void must_be_answered(struct dialogue *d, struct connection *c)
{
	run(&d->play, c);
	must(c->closed || c->awaited_n == (is_idling(d, c) ? 1 : 0));
}

static void speak(struct dialogue *d, struct connection *c)
{
	char tag[TAG_BYTES];

	if (is_idling(d, c)) {
		must(buf_add(&c->in, choose(d, 8) == 1 ? SLICE("NOOP\r\n") : SLICE("DONE\r\n")) == 0);
		set_idling(d, c, false);
		must_be_answered(d, c);
		return;
	}
	snprintf(tag, sizeof tag, "T%u", d->tag++);
	buf_clear(&d->command);
	d->too_long = false;
	must(buf_addf(&d->command, "%s ", tag) == 0);

	size_t name_at = d->command.n;

	expand(d, alternative(d, 'C'));
	garble(d, name_at);
	if (d->too_long)
		return;

	bool idle = slice_equal(slice_tail(buf_slice(&d->command), name_at), SLICE("IDLE"));

	if (idle)
		must_be_answered(d, c);
	if (c->closed)
		return;
	await_tag(c, tag);
	send_command(d, c);
	set_idling(d, c, idle);
	if (idle || choose(d, 4) != 3 || c->awaited_n > AWAITED_MAX / 2)
		must_be_answered(d, c);
}

static void reconnect(struct dialogue *d, struct connection *c)
{
	disconnect(c);
	connect(&d->play, c);
	c->knows_tags = true;
	set_idling(d, c, false);
}

static void do_one(struct dialogue *d)
{
	struct connection *c = &d->play.connections[choose(d, 8) == 7];
	unsigned what = choose(d, 16);

	if (c->closed)
		reconnect(d, c);
	if (what >= 3) {
		speak(d, c);
	} else if (what == 2) {
		d->play.now_usec += (uint64_t)choose(d, 40) * 1000000;
	} else {
		disturb(&d->play, choose(d, DISTURBANCES) + 1);
		store_watch_drain(d->play.store);
	}
}

static void end_connection(struct dialogue *d, struct connection *c)
{
	if (!c->closed && is_idling(d, c)) {
		must(buf_add(&c->in, SLICE("DONE\r\n")) == 0);
		set_idling(d, c, false);
	}
	must_be_answered(d, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct dialogue d = {
		.play = { .now_usec = (uint64_t)1800000000 * 1000000 },
		.command = BUF(COMMAND_BYTES),
	};
	char index[PATH_BYTES];

	if (n < 2 || n > 8192)
		return 0;
	d.play.budget = bytes[0] & 0x80 ? 1000 : (size_t)(bytes[0] & 3) + 1;
	make_directories(&d.play);
	snprintf(index, sizeof index, "%s/restante.index", d.play.root);
	play_start(&d.play, bytes[0] & 0x40 ? index : "/dev/null/none");
	d.choices = slice_from(bytes + 1, n - 1);
	for (int i = 0; i < CONNECTIONS; i++)
		d.play.connections[i].knows_tags = true;
	for (int i = 0; i < COMMANDS_MAX && d.choices.n > 0; i++)
		do_one(&d);
	for (int i = 0; i < CONNECTIONS; i++)
		end_connection(&d, &d.play.connections[i]);
	play_end(&d.play);
	buf_done(&d.command);
	return 0;
}
