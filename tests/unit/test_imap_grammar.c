/* The grammar of IMAP commands: what each argument list means, written back as text, or that it is none. Others: test_grammar_*.c. */
#include "server/imap/grammar_date.h"
#include "tests/unit/grammar_rows.h"

static void dump_set(struct slice set, struct buf *out)
{
	add(out, " %.*s", SLICE_FMT(set.p ? set : SLICE("-")));
}

static void dump_list(const struct list_arguments *a, struct buf *out)
{
	add(out, "%.*s|", SLICE_FMT(a->reference));
	for (size_t i = 0; i < a->patterns_n; i++)
		add(out, i > 0 ? ",%.*s" : "%.*s", SLICE_FMT(a->patterns[i]));
	if (a->extended)
		add(out, " select %x return %x", a->select, a->returns);
	if (a->status_items)
		add(out, " status %x", a->status_items);
	if (a->metadata.n > 0)
		add(out, " metadata %zu", a->metadata.n);
}

static void dump_select(const struct select_arguments *a, struct buf *out)
{
	add(out, "%.*s%s", SLICE_FMT(a->name), a->condstore ? " condstore" : "");
	if (!a->qresync)
		return;
	add(out, " qresync %u %llu", a->known.uidvalidity, (unsigned long long)a->known.modseq);
	dump_set(a->known.known_uids, out);
	dump_set(a->known.match_seqnums, out);
	dump_set(a->known.match_uids, out);
}

static void dump_metadata(const struct metadata_arguments *a, struct buf *out)
{
	add(out, "%.*s %d ", SLICE_FMT(a->mailbox), a->depth);
	if (a->has_maxsize)
		add(out, "%u", a->maxsize_octets);
	else
		add(out, "-");
	for (size_t i = 0; i < a->n; i++) {
		struct slice value = a->entries[i].value;

		add(out, " %.*s", SLICE_FMT(a->entries[i].name));
		if (value.p)
			add(out, "=%.*s", SLICE_FMT(value));
	}
}

/* The elements that come behind the mailbox. */
static void dump(const char *name, const union arguments *a, struct slice command, struct buf *out)
{
	(void)command;
	if (strcmp(name, "STATUS") == 0)
		add(out, "%.*s %x", SLICE_FMT(a->status.name), a->status.items);
	else if (strcmp(name, "LIST") == 0 || strcmp(name, "LSUB") == 0)
		dump_list(&a->list, out);
	else if (strcmp(name, "RENAME") == 0)
		add(out, "%.*s %.*s", SLICE_FMT(a->rename.from), SLICE_FMT(a->rename.to));
	else if (strcmp(name, "SELECT") == 0)
		dump_select(&a->select, out);
	else if (strcmp(name, "CREATE") == 0)
		add(out, a->create.has_uses ? "%.*s use %x %d" : "%.*s", SLICE_FMT(a->create.name),
			a->create.uses, a->create.unknown_use);
	else if (strcmp(name, "GETMETADATA") == 0 || strcmp(name, "SETMETADATA") == 0)
		dump_metadata(&a->metadata, out);
	else if (strcmp(name, "UNSUBSCRIBE") == 0)
		add(out, "%.*s", SLICE_FMT(a->mailbox.name));
	else if (strcmp(name, "ENABLE") == 0)
		add(out, "%zu", a->enable.n);
	else if (strcmp(name, "UID EXPUNGE") == 0 || strcmp(name, "COPY") == 0 ||
		 strcmp(name, "MOVE") == 0)
		add(out, "%.*s %.*s", SLICE_FMT(a->set.set), SLICE_FMT(a->set.mailbox));
}

static const struct grammar_row rows[] = {
	{ S("NOOP"), "" },
	{ S("NOOP "), NULL },
	{ S("NOOP x"), NULL },
	{ S("SELECT inbox"), "INBOX" },
	{ S("SELECT \"iNbOx\""), "INBOX" },
	{ S("SELECT {5}\r\nInbox"), "INBOX" },
	{ S("SELECT Entw&APw-rfe"), "Entw\xc3\xbcrfe" },
	{ S("SELECT \"Entw\xc3\xbcrfe\""), "Entw\xc3\xbcrfe" },
	{ S("SELECT a&b"), NULL },
	{ S("SELECT \"a\x01\""), NULL },
	{ S("SELECT"), NULL },
	{ S("SELECT "), NULL },
	{ S("SELECT INBOX x"), NULL },
	{ S("SELECT INBOX (CONDSTORE)"), "INBOX condstore" },
	{ S("SELECT INBOX (condstore CONDSTORE)"), NULL },
	{ S("SELECT INBOX ()"), NULL },
	{ S("SELECT INBOX (QRESYNC (1 2))"), "INBOX qresync 1 2 - - -" },
	{ S("SELECT INBOX (QRESYNC (1 2 3:4,9))"), "INBOX qresync 1 2 3:4,9 - -" },
	{ S("SELECT INBOX (QRESYNC (1 2 (1,3:4 5,8:9)))"), "INBOX qresync 1 2 - 1,3:4 5,8:9" },
	{ S("SELECT INBOX (QRESYNC (1 2 7 (1 5)) CONDSTORE)"),
		"INBOX condstore qresync 1 2 7 1 5" },
	{ S("SELECT INBOX (QRESYNC (1 2 7 (1 5:6)))"), NULL },
	{ S("SELECT INBOX (QRESYNC (1 2 7 (2,1 5:6)))"), NULL },
	{ S("SELECT INBOX (QRESYNC (1 2 1:*))"), NULL },
	{ S("SELECT INBOX (QRESYNC (0 2))"), NULL },
	{ S("SELECT INBOX (QRESYNC (1))"), NULL },
	{ S("SELECT INBOX (QRESYNC (1 2 ))"), NULL },
	{ S("SELECT INBOX (QRESYNC 1 2)"), NULL },
	{ S("CREATE a (USE (\\Sent))"), "a use 10 0" },
	{ S("CREATE a (use (\\sent \\Drafts))"), "a use 14 0" },
	{ S("CREATE a (USE ())"), "a use 0 0" },
	{ S("CREATE a (USE (\\All \\Junk))"), "a use 8 1" },
	{ S("CREATE a (USE (\\Sent) USE (\\Junk))"), NULL },
	{ S("CREATE a (USE (\\Sent)"), NULL },
	{ S("CREATE a (USE (Sent))"), NULL },
	{ S("GETMETADATA \"\" /shared/comment"), " 0 - /shared/comment" },
	{ S("GETMETADATA inbox (/shared \"/private/a b\")"), "INBOX 0 - /shared /private/a b" },
	{ S("GETMETADATA (DEPTH 1 MAXSIZE 5) x (/shared/y)"), "x 1 5 /shared/y" },
	{ S("GETMETADATA x (maxsize 0) (/shared/y)"), "x 0 0 /shared/y" },
	{ S("GETMETADATA x (DEPTH infinity) /shared/y /private/z"), "x 2 - /shared/y /private/z" },
	{ S("GETMETADATA x (DEPTH 3) /shared/y"), NULL },
	{ S("GETMETADATA x (MAXSIZE -1) /shared/y"), NULL },
	{ S("GETMETADATA x (/shared/y"), NULL },
	{ S("GETMETADATA x ()"), NULL },
	{ S("SETMETADATA x (/shared/y NIL)"), "x 0 - /shared/y" },
	{ S("SETMETADATA x (/shared/y \"\" /shared/z {2}\r\nab)"),
		"x 0 - /shared/y= /shared/z=ab" },
	{ S("SETMETADATA x (/shared/y ~{3}\r\na\0b)"), "x 0 - /shared/y=a" },
	{ S("SETMETADATA x (/shared/y {3}\r\na\0b)"), NULL },
	{ S("SETMETADATA x (/shared NIL)"), NULL },
	{ S("SETMETADATA x (/shared/vendor/a/b NIL)"), "x 0 - /shared/vendor/a/b" },
	{ S("SETMETADATA x (/shared/vendor/a NIL)"), NULL },
	{ S("SETMETADATA x (/shared/y)"), NULL },
	{ S("DELETE a b"), NULL },
	{ S("RENAME a inbox"), "a INBOX" },
	{ S("RENAME a"), NULL },
	{ S("RENAME a b c"), NULL },
	{ S("UNSUBSCRIBE &ZeVnLA-"), "\xe6\x97\xa5\xe6\x9c\xac" },
	{ S("LIST \"\" *"), "|*" },
	{ S("LIST \"\" \"\""), "|" },
	{ S("LIST a/ %b*"), "a/|%b*" },
	{ S("LIST \"\" (a b)"), "|a,b select 0 return 0" },
	{ S("LIST \"\" (\"a b\" % \"\")"), "|a b,%, select 0 return 0" },
	{ S("LIST \"\" ()"), NULL },
	{ S("LIST \"\" (a  b)"), NULL },
	{ S("LIST \"\" (a b"), NULL },
	{ S("LIST (SUBSCRIBED) \"\" *"), "|* select 1 return 1" },
	{ S("LIST (subscribed REMOTE) \"\" *"), "|* select 1 return 1" },
	{ S("LIST (REMOTE) \"\" *"), "|* select 0 return 0" },
	{ S("LIST (RECURSIVEMATCH SUBSCRIBED) \"\" %"), "|% select 5 return 1" },
	{ S("LIST (SUBSCRIBED SPECIAL-USE RECURSIVEMATCH) \"\" %"), "|% select 7 return 3" },
	{ S("LIST (RECURSIVEMATCH) \"\" %"), NULL },
	{ S("LIST (REMOTE RECURSIVEMATCH) \"\" %"), NULL },
	{ S("LIST (SUBSCRIBED SUBSCRIBED) \"\" %"), "|% select 1 return 1" },
	{ S("LIST (SUBSCRIBEDX) \"\" %"), NULL },
	{ S("LIST (CHILDREN) \"\" %"), NULL },
	{ S("LIST \"\" * RETURN (CHILDREN)"), "|* select 0 return 0" },
	{ S("LIST \"\" * RETURN (CHILDREN special-use)"), "|* select 0 return 2" },
	{ S("LIST \"\" * RETURN (SUBSCRIBED CHILDREN)"), "|* select 0 return 1" },
	{ S("LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN))"), "|* select 0 return 0 status 11" },
	{ S("LIST \"\" * RETURN (STATUS (MESSAGES) SUBSCRIBED STATUS (SIZE))"),
		"|* select 0 return 1 status 41" },
	{ S("LIST \"\" * RETURN (STATUS ())"), NULL },
	{ S("LIST \"\" * RETURN (STATUS)"), NULL },
	{ S("LIST \"\" * RETURN (STATUS (FOO))"), NULL },
	{ S("LIST \"\" * RETURN (MYRIGHTS)"), NULL },
	{ S("LIST \"\" * RETURN (METADATA (/shared/comment))"), "|* select 0 return 0 metadata 1" },
	{ S("LIST \"\" * RETURN ()"), "|* select 0 return 0" },
	{ S("LIST \"\" * RETURN"), NULL },
	{ S("LIST \"\" * RETURN ( CHILDREN)"), NULL },
	{ S("LIST \"\" * RETURN (CHILDREN"), NULL },
	{ S("LIST \"\" * RETURN (CHILDRENX)"), NULL },
	{ S("LIST (special-use) a *"), "a|* select 2 return 2" },
	{ S("LIST () a *"), "a|* select 0 return 0" },
	{ S("LIST ( \"\" *"), NULL },
	{ S("LSUB a *"), "a|*" },
	{ S("LSUB (SPECIAL-USE) a *"), NULL },
	{ S("LSUB a * RETURN ()"), NULL },
	{ S("STATUS inbox (MESSAGES)"), "INBOX 1" },
	{ S("STATUS a (unseen uidvalidity UIDNEXT RECENT messages)"), "a 1f" },
	{ S("STATUS a (HIGHESTMODSEQ size Deleted)"), "a e0" },
	{ S("STATUS a ()"), NULL },
	{ S("STATUS a (FOO)"), NULL },
	{ S("STATUS a MESSAGES"), NULL },
	{ S("ENABLE CONDSTORE X-FOO"), "2" },
	{ S("ENABLE"), NULL },
	{ S("ENABLE "), NULL },
	{ S("ID NIL"), "" },
	{ S("ID ()"), "" },
	{ S("ID (\"name\" \"x\" \"version\" NIL)"), "" },
	{ S("ID (\"name\")"), NULL },
	{ S("ID (name x)"), NULL },
	{ S("ID (\"0123456789012345678901234567890\" NIL)"), NULL },
	{ S("UID EXPUNGE 1:3"), "1:3 " },
	{ S("UID EXPUNGE"), NULL },
	{ S("COPY 1 inbox"), "1 INBOX" },
	{ S("MOVE 1:* a"), "1:* a" },
};

static void test_rows(void)
{
	check_grammar_rows(rows, sizeof rows / sizeof *rows, dump);
}

static void test_limits(void)
{
	check_limit("ENABLE", " A", ENABLE_MAX, "", true);
	check_limit("ENABLE", " A", ENABLE_MAX + 1, "", false);
}

static const struct {
	const char *pattern, *name;
	bool matches;
} patterns[] = {
	{ "*", "INBOX", true },
	{ "%", "INBOX", true },
	{ "inbox", "INBOX", true },
	{ "iNb%", "INBOX", true },
	{ "*box", "INBOX", true },
	{ "INBOX/*", "INBOX", false },
	{ "", "INBOX", false },
	{ "a%", "a/b", false },
	{ "a*", "a/b", true },
	{ "%/%", "a/b", true },
	{ "A/b", "a/b", false },
	{ "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	{ "**%%**", "a/b/c", true },
};

static void test_list_patterns(void)
{
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		CHECK(list_matches(slice_str(patterns[i].pattern), slice_str(patterns[i].name),
			      '/') == patterns[i].matches,
			"row %zu", i);
}

static const struct {
	const char *in;
	int64_t seconds; /* -1: bad */
	const char *text;
} dates[] = {
	{ "\"17-Jul-1996 02:44:25 -0700\"", 837596665, "\"17-Jul-1996 09:44:25 +0000\"" },
	{ "\" 1-Jan-1970 00:00:00 +0000\"", 0, "\" 1-Jan-1970 00:00:00 +0000\"" },
	{ "\"29-Feb-2024 23:59:60 +0000\"", 1709251199, "\"29-Feb-2024 23:59:59 +0000\"" },
	{ "\"30-Feb-2024 00:00:00 +0000\"", -1, NULL },
	{ "\"1-Jan-1970 00:00:00 +0000\"", -1, NULL },
	{ "\" 1-Jan-1970 24:00:00 +0000\"", -1, NULL },
	{ "\" 1-Jan-1970 00:00:00 0000\"", -1, NULL },
	{ "\" 1-Jan-1970 00:00:00 +0000", -1, NULL },
	{ " 1-Jan-1970 00:00:00 +0000", -1, NULL },
	{ "\" 1-Jax-1970 00:00:00 +0000\"", -1, NULL },
};

static void test_dates(void)
{
	char text[DATE_TIME_TEXT_BYTES];

	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
		struct slice in = slice_str(dates[i].in);
		int64_t seconds = -1;
		enum parse r = grammar_date_time(&in, &seconds);

		CHECK((r == PARSE_OK) == (dates[i].text != NULL) && seconds == dates[i].seconds,
			"row %zu: %lld", i, (long long)seconds);
		if (!dates[i].text)
			continue;
		date_time_format(seconds, text);
		CHECK(strcmp(text, dates[i].text) == 0, "row %zu: %s", i, text);
	}
	date_time_format(INT64_MAX, text);
	CHECK(strcmp(text, "\"31-Dec-9999 23:59:59 +0000\"") == 0, "%s", text);
	date_time_format(INT64_MIN, text);
	CHECK(strcmp(text, "\" 1-Jan-0000 00:00:00 +0000\"") == 0, "%s", text);
	date_time_format(-1, text);
	CHECK(strcmp(text, "\"31-Dec-1969 23:59:59 +0000\"") == 0, "%s", text);
}

static void test_command_names(void)
{
	struct slice in = SLICE("uid fetch 1 FLAGS");
	const struct command_type *type = command_take(&in);

	CHECK(type && strcmp(type->name, "UID FETCH") == 0 && slice_equal(in, SLICE(" 1 FLAGS")),
		"UID takes the next word");
	in = SLICE("UID NOOP");
	CHECK(command_take(&in) == NULL && in.n == 8, "NOOP has no UID form");
	in = SLICE("FETCHX");
	CHECK(command_take(&in) == NULL, "a longer word");
	in = SLICE("");
	CHECK(command_take(&in) == NULL, "nothing");
	for (size_t i = 0; command_row(i); i++)
		CHECK(!!command_row(i)->run == !!command_row(i)->parse && command_row(i)->rfc, "%s",
			command_row(i)->name);
}

static const struct unit_test tests[] = {
	{ "arguments, whole and cut anywhere", test_rows },
	{ "limits", test_limits },
	{ "patterns of LIST", test_list_patterns },
	{ "dates", test_dates },
	{ "names of commands", test_command_names },
};
UNIT_MAIN("imap_grammar", tests)
