/* The grammar of IMAP commands: what each argument list means, written back as text, or that it is none. */
#include "base/buf.h"
#include "base/limits.h"
#include "server/imap/capability.h"
#include "server/imap/command.h"
#include "server/imap/grammar_date.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof text - 1                                                              \
	}

static void add(struct buf *out, const char *format, ...) _printf_(2, 3);
static void add(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);

	int r = buf_vaddf(out, format, args);

	va_end(args);
	CHECK(r == 0, "out is full");
}

static const char *const fetch_names[] = {
	[FETCH_FLAGS] = "flags",
	[FETCH_UID] = "uid",
	[FETCH_INTERNALDATE] = "date",
	[FETCH_RFC822_SIZE] = "size",
	[FETCH_MODSEQ] = "modseq",
	[FETCH_ENVELOPE] = "envelope",
	[FETCH_BODY] = "body",
	[FETCH_BODYSTRUCTURE] = "structure",
	[FETCH_SECTION] = "section",
	[FETCH_BINARY] = "binary",
	[FETCH_BINARY_SIZE] = "binary.size",
	[FETCH_PREVIEW] = "preview",
};
static const char *const section_names[] = { "all", "header", "text", "mime" };

static void dump_section(const struct fetch_item *item, struct buf *out)
{
	const struct section *s = &item->section;

	add(out, ":%s%s[", section_names[s->kind], item->sets_seen ? "" : ".peek");
	for (size_t i = 0; i < s->n; i++)
		add(out, "%s%u", i ? "." : "", s->numbers[i]);
	add(out, "]%s", s->fields == FIELDS_ALL ? "" : s->fields == FIELDS_THESE ? "+" : "-");
	for (size_t i = 0; i < s->names_n; i++)
		add(out, "%s%.*s", i ? "," : "", SLICE_FMT(s->names[i]));
	if (item->partial)
		add(out, "<%llu.%llu>", (unsigned long long)item->first_octet,
			(unsigned long long)item->octets);
	add(out, "=%.*s", SLICE_FMT(item->label));
}

static void dump_fetch(const struct fetch_arguments *a, struct buf *out)
{
	add(out, "%.*s", SLICE_FMT(a->set));
	for (size_t i = 0; i < a->n; i++) {
		add(out, " %s", fetch_names[a->items[i].kind]);
		if (a->items[i].kind == FETCH_SECTION || a->items[i].kind == FETCH_BINARY ||
			a->items[i].kind == FETCH_BINARY_SIZE)
			dump_section(&a->items[i], out);
	}
	if (a->changed_only)
		add(out, " changedsince %llu", (unsigned long long)a->changedsince);
	if (a->vanished)
		add(out, " vanished");
	if (a->partial.first > 0)
		add(out, " partial %s%u:%u", a->partial.from_end ? "-" : "", a->partial.first,
			a->partial.last);
}

static void dump_store(const struct store_arguments *a, struct buf *out)
{
	add(out, "%.*s %s%s %x", SLICE_FMT(a->set),
		a->operation == FLAGS_ADD      ? "add"
		: a->operation == FLAGS_REMOVE ? "remove"
					       : "replace",
		a->silent ? " silent" : "", a->flags);
	for (size_t i = 0; i < a->keywords_n; i++)
		add(out, " %.*s", SLICE_FMT(a->keywords[i]));
	if (a->conditional)
		add(out, " unchangedsince %llu", (unsigned long long)a->unchangedsince);
}

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

static void dump_key(const struct search_key *key, struct buf *out);

static void dump_children(const struct search_key *key, const char *name, struct buf *out)
{
	add(out, "%s(", name);
	for (const struct search_key *child = key->children; child; child = child->next) {
		dump_key(child, out);
		add(out, "%s", child->next ? " " : "");
	}
	add(out, ")");
}

static void dump_days(const struct search_key *key, const char *name, struct buf *out)
{
	add(out, "%s:%lld..%lld", name,
		key->first_day == INT64_MIN ? -1LL : (long long)key->first_day,
		key->last_day == INT64_MAX ? -1LL : (long long)key->last_day);
}

static void dump_key(const struct search_key *key, struct buf *out)
{
	switch (key->kind) {
	case SEARCH_ALL:
		add(out, "all");
		break;
	case SEARCH_AND:
		dump_children(key, "and", out);
		break;
	case SEARCH_OR:
		dump_children(key, "or", out);
		break;
	case SEARCH_NOT:
		dump_children(key, "not", out);
		break;
	case SEARCH_SEQNUMS:
		add(out, "seqnums:%.*s", SLICE_FMT(key->set));
		break;
	case SEARCH_UIDS:
		add(out, "uids:%.*s", SLICE_FMT(key->set));
		break;
	case SEARCH_FLAG:
		add(out, "flag:%x", key->flag);
		break;
	case SEARCH_KEYWORD:
		add(out, "keyword:%.*s", SLICE_FMT(key->text));
		break;
	case SEARCH_RECENT:
		add(out, "recent");
		break;
	case SEARCH_INTERNALDATE:
		dump_days(key, "date", out);
		break;
	case SEARCH_AGE:
		add(out, "%s:%u", key->younger ? "younger" : "older", key->seconds);
		break;
	case SEARCH_SIZE:
		add(out, "%s:%llu", key->larger ? "larger" : "smaller",
			(unsigned long long)key->octets);
		break;
	case SEARCH_SENT:
		dump_days(key, "sent", out);
		break;
	case SEARCH_HEADER:
		add(out, "header:%.*s=%.*s", SLICE_FMT(key->name), SLICE_FMT(key->text));
		break;
	case SEARCH_BODY:
		add(out, "body:%.*s", SLICE_FMT(key->text));
		break;
	case SEARCH_TEXT:
		add(out, "text:%.*s", SLICE_FMT(key->text));
		break;
	case SEARCH_MODSEQ:
		add(out, "modseq:%llu", (unsigned long long)key->modseq);
		break;
	case SEARCH_SAVEDATE:
		dump_days(key, "saved", out);
		break;
	case SEARCH_EMAILID:
		add(out, "emailid:%.*s", SLICE_FMT(key->text));
		break;
	case SEARCH_THREADID:
		add(out, "threadid:%.*s", SLICE_FMT(key->text));
		break;
	}
}

static void dump_search(const struct search_arguments *a, struct buf *out)
{
	static const char *const sort_names[] = { "arrival", "cc", "date", "from", "size", "subject",
		"to", "displayfrom", "displayto" };
	static const char *const algorithms[] = { "orderedsubject", "references", "refs" };

	for (const struct mailbox_filter *f = a->filters; f; f = f->next) {
		add(out, "in %d", f->kind);
		for (size_t i = 0; i < f->names_n; i++)
			add(out, " <%.*s>", SLICE_FMT(f->names[i]));
		add(out, "; ");
	}
	if (a->extended)
		add(out, "return %x ", a->returns);
	if (a->partial.first > 0)
		add(out, "%s%u:%u ", a->partial.from_end ? "-" : "", a->partial.first,
			a->partial.last);
	if (a->update_fetch.n > 0)
		add(out, "update%.*s ", SLICE_FMT(a->update_fetch));
	for (size_t i = 0; i < a->criteria_n; i++)
		add(out, "%s%s ", a->criteria[i].reverse ? "-" : "", sort_names[a->criteria[i].by]);
	if (a->algorithm != 0)
		add(out, "%s ", algorithms[a->algorithm]);
	dump_key(a->key, out);
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
static void dump_append(const struct append_arguments *a, struct slice command, struct buf *out)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct grammar grammar = { .arena = &arena, .enabled = ENABLED_UTF8 };
	struct append_grammar place = { .single = a->replaced > 0 };
	struct slice in = slice_tail(command, command.n - a->left);
	struct append_element e;

	if (a->replaced > 0)
		add(out, "%u ", a->replaced);
	add(out, "%.*s", SLICE_FMT(a->mailbox));
	do {
		CHECK(grammar_append_next(&in, &grammar, &place, &e) == PARSE_OK, "%.*s",
			SLICE_FMT(command));
		if (e.kind == APPEND_MESSAGE)
			add(out, e.has_date ? " %x %zu %lld" : " %x %zu", e.flags, e.keywords_n,
				(long long)e.internaldate);
		else if (e.kind == APPEND_URL)
			add(out, " url=%.*s", SLICE_FMT(e.url));
		else
			add(out, e.kind == APPEND_LITERAL ? e.literal8 ? " literal8" : ""
				 : e.kind == APPEND_END	  ? " end"
							  : ";");
	} while (e.kind != APPEND_LITERAL && e.kind != APPEND_END);
}

static void dump(const char *name, const union arguments *a, struct slice command, struct buf *out)
{
	if (strstr(name, "FETCH"))
		dump_fetch(&a->fetch, out);
	else if (strstr(name, "STORE"))
		dump_store(&a->store, out);
	else if (strstr(name, "SEARCH") || strstr(name, "SORT") || strstr(name, "THREAD"))
		dump_search(&a->search, out);
	else if (strcmp(name, "STATUS") == 0)
		add(out, "%.*s %x", SLICE_FMT(a->status.name), a->status.items);
	else if (strcmp(name, "LIST") == 0 || strcmp(name, "LSUB") == 0)
		dump_list(&a->list, out);
	else if (strcmp(name, "RENAME") == 0)
		add(out, "%.*s %.*s", SLICE_FMT(a->rename.from), SLICE_FMT(a->rename.to));
	else if (strcmp(name, "SELECT") == 0)
		dump_select(&a->select, out);
	else if (strcmp(name, "CREATE") == 0)
		add(out, a->create.has_uses ? "%.*s use %x %d" : "%.*s",
			SLICE_FMT(a->create.name), a->create.uses, a->create.unknown_use);
	else if (strcmp(name, "GETMETADATA") == 0 || strcmp(name, "SETMETADATA") == 0)
		dump_metadata(&a->metadata, out);
	else if (strcmp(name, "UNSUBSCRIBE") == 0)
		add(out, "%.*s", SLICE_FMT(a->mailbox.name));
	else if (strcmp(name, "APPEND") == 0 || strstr(name, "REPLACE"))
		dump_append(&a->append, command, out);
	else if (strcmp(name, "ENABLE") == 0)
		add(out, "%zu", a->enable.n);
	else if (strcmp(name, "UID EXPUNGE") == 0 || strcmp(name, "COPY") == 0 ||
		 strcmp(name, "MOVE") == 0)
		add(out, "%.*s %.*s", SLICE_FMT(a->set.set), SLICE_FMT(a->set.mailbox));
}

/* want NULL: BAD; "limit" and "charset": refused for that. */
static const struct {
	struct slice in;
	const char *want;
} rows[] = {
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
	{ S("SELECT INBOX (QRESYNC (1 2 7 (1 5)) CONDSTORE)"), "INBOX condstore qresync 1 2 7 1 5" },
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
	{ S("SETMETADATA x (/shared/y \"\" /shared/z {2}\r\nab)"), "x 0 - /shared/y= /shared/z=ab" },
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
	{ S("APPEND inbox {3}\r\n"), "INBOX 0 0" },
	{ S("APPEND a (\\Seen foo) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\n"), "a 10 1 837596665" },
	{ S("APPEND a () {3}\n"), "a 0 0" },
	{ S("APPEND a {3}"), NULL },
	{ S("APPEND a {3}\r\nabc"), NULL },
	{ S("APPEND a (\\Recent) {3}\r\n"), NULL },
	{ S("APPEND a \"x\" {3}\r\n"), NULL },
	{ S("APPEND a ~{3}\r\n"), "a 0 0 literal8" },
	{ S("APPEND a CATENATE (TEXT {3}\r\n"), "a 0 0" },
	{ S("APPEND a CATENATE (URL /b/;UID=1 url \"/c/;UID=2\" TEXT ~{3+}\r\n"),
		"a 0 0 url=/b/;UID=1 url=/c/;UID=2 literal8" },
	{ S("APPEND a (\\Seen) catenate (URL /b/;UID=1)"), "a 10 0 url=/b/;UID=1; end" },
	{ S("APPEND a CATENATE (URL b) (x) \"17-Jul-1996 02:44:25 -0700\" CATENATE (URL c)"),
		"a 0 0 url=b; 0 1 837596665 url=c; end" },
	{ S("APPEND a CATENATE (URL {3+}\r\nb/c)"), "a 0 0 url=b/c; end" },
	{ S("APPEND a CATENATE (URL b) {3}\r\n"), "a 0 0 url=b; 0 0" },
	{ S("APPEND a CATENATE ()"), NULL },
	{ S("APPEND a CATENATE (URL b"), NULL },
	{ S("APPEND a CATENATE ( URL b)"), NULL },
	{ S("APPEND a CATENATE (URL b )"), NULL },
	{ S("APPEND a CATENATE (URL  b)"), NULL },
	{ S("APPEND a CATENATE (URL b URL)"), NULL },
	{ S("APPEND a CATENATE (URL b) "), NULL },
	{ S("APPEND a CATENATE (URL bTEXT {3}\r\n"), NULL },
	{ S("APPEND a CATENATE(URL b)"), NULL },
	{ S("APPEND a CATENATE URL b"), NULL },
	{ S("APPEND a CATENATE (TEXT \"b\")"), NULL },
	{ S("APPEND a CATENATE (UTF8 (~{3}\r\n"), NULL },
	{ S("APPEND a CATENATE (URL {3}\r\n"), "more" },
	{ S("APPEND {3}\r\n"), "more" },
	{ S("REPLACE 4 a {3}\r\n"), "4 a 0 0" },
	{ S("UID REPLACE 4294967295 inbox (\\Draft) CATENATE (URL b)"),
		"4294967295 INBOX 4 0 url=b; end" },
	{ S("REPLACE 4 a CATENATE (URL b) CATENATE (URL c)"), NULL },
	{ S("REPLACE 0 a {3}\r\n"), NULL },
	{ S("REPLACE * a {3}\r\n"), NULL },
	{ S("REPLACE 1:2 a {3}\r\n"), NULL },
	{ S("REPLACE $ a {3}\r\n"), NULL },
	{ S("REPLACE a {3}\r\n"), NULL },
	{ S("REPLACE 4 {3}\r\n"), "more" },
	{ S("APPEND a"), NULL },

	{ S("FETCH 1 FLAGS"), "1 flags" },
	{ S("FETCH 1 BINARY[1.2]<3.4>"), "1 binary:all[1.2]<3.4>=BINARY[1.2]" },
	{ S("FETCH 1 (binary.peek[] BINARY.SIZE[3])"),
		"1 binary:all.peek[]=BINARY[] binary.size:all.peek[3]=BINARY.SIZE[3]" },
	{ S("FETCH 1 BINARY"), NULL },
	{ S("FETCH 1 BINARY[1.]"), NULL },
	{ S("FETCH 1 BINARY[0]"), NULL },
	{ S("FETCH 1 BINARY[1.MIME]"), NULL },
	{ S("FETCH 1 BINARY[HEADER]"), NULL },
	{ S("FETCH 1 BINARY.SIZE[1]<0.1>"), NULL },
	{ S("FETCH 1 BINARY.SIZE.PEEK[1]"), NULL },
	{ S("FETCH 1 BINARY.PEEK[1]<0.0>"), NULL },
	{ S("FETCH 1:* (FLAGS UID)"), "1:* flags uid" },
	{ S("UID FETCH 1 all"), "1 flags date size envelope" },
	{ S("FETCH 1 FAST"), "1 flags date size" },
	{ S("FETCH 1 FULL"), "1 flags date size envelope body" },
	{ S("FETCH 1 (ALL)"), NULL },
	{ S("FETCH 1 (BODY BODYSTRUCTURE)"), "1 body structure" },
	{ S("FETCH 1 RFC822"), "1 section:all[]=RFC822" },
	{ S("FETCH 1 RFC822.HEADER"), "1 section:header.peek[]=RFC822.HEADER" },
	{ S("FETCH 1 RFC822.TEXT"), "1 section:text[]=RFC822.TEXT" },
	{ S("FETCH 1 RFC822.SIZE"), "1 size" },
	{ S("FETCH 1 BODY[]"), "1 section:all[]=BODY[]" },
	{ S("FETCH 1 body.peek[]"), "1 section:all.peek[]=BODY[]" },
	{ S("FETCH 1 BODY[]<0.10>"), "1 section:all[]<0.10>=BODY[]" },
	{ S("FETCH 1 BODY[]<0.0>"), NULL },
	{ S("FETCH 1 BODY[]<0>"), NULL },
	{ S("FETCH 1 BODY[]<5.4294967296>"), "1 section:all[]<5.4294967296>=BODY[]" },
	{ S("FETCH 1 BODY[HEADER]"), "1 section:header[]=BODY[HEADER]" },
	{ S("FETCH 1 BODY[TEXT]"), "1 section:text[]=BODY[TEXT]" },
	{ S("FETCH 1 BODY[MIME]"), NULL },
	{ S("FETCH 1 BODY[1]"), "1 section:all[1]=BODY[1]" },
	{ S("FETCH 1 BODY[1.2.3]"), "1 section:all[1.2.3]=BODY[1.2.3]" },
	{ S("FETCH 1 BODY[1.MIME]"), "1 section:mime[1]=BODY[1.MIME]" },
	{ S("FETCH 1 BODY[4.2.HEADER]"), "1 section:header[4.2]=BODY[4.2.HEADER]" },
	{ S("FETCH 1 BODY[4.2.text]<1.2>"), "1 section:text[4.2]<1.2>=BODY[4.2.TEXT]" },
	{ S("FETCH 1 BODY[HEADER.FIELDS (date \"From\")]"),
		"1 section:header[]+date,From=BODY[HEADER.FIELDS (date From)]" },
	{ S("FETCH 1 BODY[HEADER.FIELDS ({4}\r\nDate)]"),
		"1 section:header[]+Date=BODY[HEADER.FIELDS (Date)]" },
	{ S("FETCH 1 BODY[1.HEADER.FIELDS.NOT (A)]"),
		"1 section:header[1]-A=BODY[1.HEADER.FIELDS.NOT (A)]" },
	{ S("FETCH 1 BODY[HEADER.FIELDS (\"a\\\"b\")]"),
		"1 section:header[]+a\"b=BODY[HEADER.FIELDS (\"a\\\"b\")]" },
	{ S("FETCH 1 BODY[HEADER.FIELDS ()]"), NULL },
	{ S("FETCH 1 BODY[HEADER.FIELDS (\"a b\")]"), NULL },
	{ S("FETCH 1 BODY[HEADER.FIELDS (a:)]"), NULL },
	{ S("FETCH 1 BODY[HEADER.FIELDS(a)]"), NULL },
	{ S("FETCH 1 BODY[0]"), NULL },
	{ S("FETCH 1 BODY[1.]"), NULL },
	{ S("FETCH 1 BODY[1..2]"), NULL },
	{ S("FETCH 1 BODY[.1]"), NULL },
	{ S("FETCH 1 BODY[1x]"), NULL },
	{ S("FETCH 1 BODY[FOO]"), NULL },
	{ S("FETCH 1 BODY["), NULL },
	{ S("FETCH 1 BODY]"), NULL },
	{ S("FETCH 1 BODY.PEEK"), NULL },
	{ S("FETCH 1 ()"), NULL },
	{ S("FETCH 1 (FLAGS"), NULL },
	{ S("FETCH 1 (FLAGS  UID)"), NULL },
	{ S("FETCH 1 FLAGS UID"), NULL },
	{ S("FETCH 1 FLAGSX"), NULL },
	{ S("FETCH 0 FLAGS"), NULL },
	{ S("FETCH 1 FLAGS (CHANGEDSINCE 5)"), "1 flags modseq changedsince 5" },
	{ S("FETCH 1 (MODSEQ FLAGS) (changedsince 9223372036854775807)"),
		"1 modseq flags changedsince 9223372036854775807" },
	{ S("FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)"), NULL },
	{ S("FETCH 1 FLAGS (CHANGEDSINCE)"), NULL },
	{ S("FETCH $ FLAGS"), "$ flags" },
	{ S("FETCH 1:3,$ FLAGS"), "1:3,$ flags" },
	{ S("UID FETCH 1:* UID (PARTIAL 1:3)"), "1:* uid partial 1:3" },
	{ S("UID FETCH 1:* UID (PARTIAL -3:-1)"), "1:* uid partial -1:3" },
	{ S("UID FETCH 1:* UID (PARTIAL -3:1)"), NULL },
	{ S("UID FETCH 1:* UID (PARTIAL 1:3 PARTIAL 1:3)"), NULL },
	{ S("UID FETCH 1:* UID (PARTIAL 1:3 CHANGEDSINCE 5)"),
		"1:* uid modseq changedsince 5 partial 1:3" },
	{ S("FETCH 1 FLAGS (CHANGEDSINCE 5 CHANGEDSINCE 6)"), NULL },
	{ S("FETCH 1 FLAGS (CHANGEDSINCE 5"), NULL },
	{ S("FETCH 1 FLAGS ()"), NULL },
	{ S("FETCH 1 FLAGS (FOO 5)"), NULL },
	{ S("FETCH 1 FLAGS (VANISHED)"), NULL },
	{ S("UID FETCH 1 FLAGS (VANISHED CHANGEDSINCE 5)"), "1 flags modseq changedsince 5 vanished" },
	{ S("FETCH 1"), NULL },

	{ S("STORE 1 FLAGS (\\Seen)"), "1 replace 10" },
	{ S("STORE 1 FLAGS ()"), "1 replace 0" },
	{ S("STORE 1:2 +flags.silent \\Deleted \\Flagged"), "1:2 add silent a" },
	{ S("UID STORE 1 -FLAGS ($Forwarded Work work $Label1)"), "1 remove 20 Work $Label1" },
	{ S("STORE 1 +FLAGS (\\Recent)"), NULL },
	{ S("STORE 1 +FLAGS (\\*)"), NULL },
	{ S("STORE 1 +FLAGS (\\Foo)"), NULL },
	{ S("STORE 1 +FLAGS"), NULL },
	{ S("STORE 1 +FLAGS "), NULL },
	{ S("STORE 1 +FLAGS (\\Seen"), NULL },
	{ S("STORE 1 FLAGSS (\\Seen)"), NULL },
	{ S("STORE 1 (UNCHANGEDSINCE 1) FLAGS (\\Seen)"), "1 replace 10 unchangedsince 1" },
	{ S("STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT \\Seen"), "1 add silent 10 unchangedsince 0" },
	{ S("STORE 1 (UNCHANGEDSINCE) FLAGS (\\Seen)"), NULL },
	{ S("STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS (\\Seen)"), NULL },
	{ S("STORE 1 (FOO 1) FLAGS (\\Seen)"), NULL },
	{ S("STORE 1 () FLAGS (\\Seen)"), NULL },

	{ S("SEARCH ALL"), "and(all)" },
	{ S("UID SEARCH UNSEEN 1:5 UID 7"), "and(not(flag:10) seqnums:1:5 uids:7)" },
	{ S("SEARCH TEXT a SUBJECT b LARGER 5 SEEN"),
		"and(flag:10 larger:5 header:Subject=b text:a)" },
	{ S("SEARCH OR SEEN FLAGGED"), "and(or(flag:10 flag:8))" },
	{ S("SEARCH NOT (SEEN DELETED)"), "and(not(and(flag:10 flag:2)))" },
	{ S("SEARCH NEW"), "and(and(recent not(flag:10)))" },
	{ S("SEARCH OLD RECENT"), "and(not(recent) recent)" },
	{ S("SEARCH KEYWORD $Work UNKEYWORD x"), "and(keyword:$Work not(keyword:x))" },
	{ S("SEARCH BEFORE 1-Jan-1970"), "and(date:-1..-1)" },
	{ S("SEARCH ON \"2-jan-1970\" SINCE 3-Jan-1970"), "and(date:1..1 date:2..-1)" },
	{ S("SEARCH SENTBEFORE 1-Feb-1994 SENTON 29-Feb-2024"),
		"and(sent:-1..8796 sent:19782..19782)" },
	{ S("SEARCH ON 30-Feb-2024"), NULL },
	{ S("SEARCH SMALLER 10"), "and(smaller:10)" },
	{ S("SEARCH OLDER 3600 YOUNGER 1"), "and(older:3600 younger:1)" },
	{ S("SEARCH OLDER 0"), NULL },
	{ S("SEARCH HEADER X-Foo \"\""), "and(header:X-Foo=)" },
	{ S("SEARCH HEADER \"\" x"), NULL },
	{ S("SEARCH BCC a CC b FROM c TO d"),
		"and(header:Bcc=a header:Cc=b header:From=c header:To=d)" },
	{ S("SEARCH CHARSET UTF-8 SUBJECT {6}\r\n\xe6\x97\xa5\xe6\x9c\xac"),
		"and(header:Subject=\xe6\x97\xa5\xe6\x9c\xac)" },
	{ S("SEARCH SUBJECT \"\xe6\x97\xa5\""), "and(header:Subject=\xe6\x97\xa5)" },
	{ S("SEARCH SUBJECT {1}\r\n\xe6"), NULL },
	{ S("SEARCH CHARSET ISO-2022-JP SUBJECT {10}\r\n\x1b$BF|K\\\x1b(B"),
		"and(header:Subject=\xe6\x97\xa5\xe6\x9c\xac)" },
	{ S("SEARCH CHARSET ISO-8859-1 SUBJECT {1}\r\n\xfc"), "and(header:Subject=\xc3\xbc)" },
	{ S("SEARCH CHARSET X-NO-SUCH ALL"), "charset" },
	{ S("SEARCH RETURN () ALL"), "return 4 and(all)" },
	{ S("SEARCH RETURN (MIN MAX COUNT) ALL"), "return b and(all)" },
	{ S("SEARCH RETURN (SAVE) ALL"), "return 20 and(all)" },
	{ S("SEARCH RETURN (save Context UPDATE COUNT) ALL"), "return e8 and(all)" },
	{ S("SEARCH RETURN (UPDATE (UID FLAGS) COUNT) ALL"), "return 48 update(UID FLAGS) and(all)" },
	{ S("UID SEARCH RETURN (update(BODY.PEEK[HEADER.FIELDS (From)])) ALL"),
		"return 40 update(BODY.PEEK[HEADER.FIELDS (From)]) and(all)" },
	{ S("SEARCH RETURN (UPDATE (UID) UPDATE) ALL"), "return 40 update(UID) and(all)" },
	{ S("SEARCH RETURN (UPDATE (UID) UPDATE (UID)) ALL"), NULL },
	{ S("SEARCH RETURN (UPDATE  (UID)) ALL"), NULL },
	{ S("SEARCH RETURN (UPDATE ()) ALL"), NULL },
	{ S("SEARCH RETURN (UPDATE (FAST)) ALL"), NULL },
	{ S("SEARCH RETURN (UPDATE (UID)COUNT) ALL"), NULL },
	{ S("SEARCH RETURN (UPDATE UID) ALL"), NULL },
	{ S("SEARCH RETURN (UPDATE (UID) ALL"), NULL },
	{ S("SORT RETURN (UPDATE (ENVELOPE)) (DATE) UTF-8 ALL"),
		"return 40 update(ENVELOPE) date and(all)" },
	{ S("SEARCH RETURN (PARTIAL 1:500) ALL"), "return 10 1:500 and(all)" },
	{ S("SEARCH RETURN (MIN PARTIAL 500:400 MAX) ALL"), "return 13 400:500 and(all)" },
	{ S("SEARCH RETURN (PARTIAL -1:-100) ALL"), "return 10 -1:100 and(all)" },
	{ S("SEARCH RETURN (PARTIAL -500:-400) ALL"), "return 10 -400:500 and(all)" },
	{ S("SEARCH RETURN (PARTIAL -1:100) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL 1:-100) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL 1:*) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL 0:5) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL 5) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL 1:2 ALL) ALL"), NULL },
	{ S("SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL"), NULL },
	{ S("SEARCH RETURN (RELEVANCY) ALL"), NULL },
	{ S("SEARCH MODSEQ 620162338"), "and(modseq:620162338)" },
	{ S("SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338"), "and(modseq:620162338)" },
	{ S("SEARCH MODSEQ \"/flags/x\" priv 0 SEEN"), "and(modseq:0 flag:10)" },
	{ S("SEARCH MODSEQ \"/other\" all 1"), NULL },
	{ S("SEARCH MODSEQ \"/flags/x\" own 1"), NULL },
	{ S("SEARCH MODSEQ \"/flags/x\" 1"), NULL },
	{ S("SEARCH MODSEQ"), NULL },
	{ S("SEARCH MODSEQ 9223372036854775808"), NULL },
	{ S("SEARCH SAVEDSINCE 3-Jan-1970 SAVEDBEFORE 1-Jan-1970 SAVEDON 2-Jan-1970"),
		"and(saved:2..-1 saved:-1..-1 saved:1..1)" },
	{ S("SEARCH SAVEDATESUPPORTED"), "and(all)" },
	{ S("SEARCH SAVEDON x"), NULL },
	{ S("SEARCH EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9"),
		"and(emailid:M6d99ac3275bb4e threadid:T64b478a75b7ea9)" },
	{ S("SEARCH EMAILID a.b"), NULL },
	{ S("SEARCH EMAILID"), NULL },
	{ S("SEARCH $ UID $"), "and(seqnums:$ uids:$)" },
	{ S("SEARCH OR $ 1,3000:3021"), "and(or(seqnums:$ seqnums:1,3000:3021))" },
	{ S("SEARCH 1:3,$"), "and(seqnums:1:3,$)" },
	{ S("SEARCH $,1"), NULL },
	{ S("SEARCH $$"), NULL },
	{ S("SEARCH 1$"), NULL },
	{ S("SEARCH 1:$"), NULL },
	{ S("SEARCH ,$"), NULL },
	{ S("SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994"), "subject and(date:8797..-1)" },
	{ S("SORT (SUBJECT REVERSE DATE) UTF-8 ALL"), "subject -date and(all)" },
	{ S("UID SORT (arrival Cc from SIZE to DisplayFrom REVERSE DISPLAYTO) US-ASCII ALL"),
		"arrival cc from size to displayfrom -displayto and(all)" },
	{ S("SORT RETURN (MIN COUNT) (DATE) UTF-8 ALL"), "return 9 date and(all)" },
	{ S("SORT RETURN () (DATE) \"UTF-8\" ALL"), "return 4 date and(all)" },
	{ S("SORT (DATE) ALL"), NULL },
	{ S("SORT (DATE) UTF-8"), NULL },
	{ S("SORT () UTF-8 ALL"), NULL },
	{ S("SORT DATE UTF-8 ALL"), NULL },
	{ S("SORT (REVERSE) UTF-8 ALL"), NULL },
	{ S("SORT (REVERSE REVERSE DATE) UTF-8 ALL"), NULL },
	{ S("SORT (BCC) UTF-8 ALL"), NULL },
	{ S("SORT (DATE ) UTF-8 ALL"), NULL },
	{ S("SORT (DATE) X-NO-SUCH ALL"), "charset" },
	{ S("THREAD REFERENCES UTF-8 SINCE 5-MAR-2000"), "references and(date:11021..-1)" },
	{ S("UID THREAD orderedsubject US-ASCII TEXT gewp"), "and(text:gewp)" },
	{ S("THREAD REFS UTF-8 ALL"), "refs and(all)" },
	{ S("THREAD OTHER UTF-8 ALL"), NULL },
	{ S("THREAD REFERENCES UTF-8"), NULL },
	{ S("THREAD REFERENCES X-NO-SUCH ALL"), "charset" },
	{ S("ESEARCH UNSEEN"), "return 4 and(not(flag:10))" },
	{ S("ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\") unseen"),
		"in 5 <folder1>; in 6 <folder2>; return 4 and(not(flag:10))" },
	{ S("ESEARCH IN (personal subscribed inboxes selected) RETURN (COUNT) ALL"),
		"in 3; in 4; in 2; in 0; return 8 and(all)" },
	{ S("ESEARCH IN (subtree-one (a inbox \"b c\")) CHARSET UTF-8 ALL"),
		"in 7 <a> <INBOX> <b c>; return 4 and(all)" },
	{ S("ESEARCH IN (selected) RETURN (SAVE UPDATE) ALL"), "in 0; return 60 and(all)" },
	{ S("ESEARCH IN (selected) RETURN (UPDATE (UID)) ALL"), "in 0; return 40 update(UID) and(all)" },
	{ S("ESEARCH IN (personal) RETURN (UPDATE (UID)) ALL"), NULL },
	{ S("ESEARCH IN (personal) RETURN (SAVE) ALL"), NULL },
	{ S("ESEARCH IN (selected personal) RETURN (UPDATE) ALL"), NULL },
	{ S("ESEARCH IN (selected-delayed) ALL"), NULL },
	{ S("ESEARCH IN () ALL"), NULL },
	{ S("ESEARCH IN personal ALL"), NULL },
	{ S("ESEARCH IN (mailboxes) ALL"), NULL },
	{ S("ESEARCH IN (mailboxes ()) ALL"), NULL },
	{ S("ESEARCH IN (others) ALL"), NULL },
	{ S("ESEARCH IN (personal)"), NULL },
	{ S("ESEARCH"), NULL },
	{ S("CANCELUPDATE \"B01\" \"B02\""), "" },
	{ S("CANCELUPDATE B01"), NULL },
	{ S("CANCELUPDATE"), NULL },
	{ S("CANCELUPDATE \"B01\" "), NULL },
	{ S("SEARCH RETURN (MIN) CHARSET UTF-8 ALL"), "return 1 and(all)" },
	{ S("SEARCH RETURN ALL"), NULL },
	{ S("SEARCH"), NULL },
	{ S("SEARCH FOO"), NULL },
	{ S("SEARCH ALLX"), NULL },
	{ S("SEARCH ()"), NULL },
	{ S("SEARCH (ALL"), NULL },
	{ S("SEARCH NOT"), NULL },
	{ S("SEARCH OR ALL"), NULL },
	{ S("SEARCH ALL  ALL"), NULL },
};

static void check_row(size_t i)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf got = BUF(100000);
	struct grammar grammar = { .arena = &arena };
	union arguments arguments;
	struct slice in = rows[i].in;
	const struct command_type *type = command_take(&in);

	CHECK(type != NULL, "row %zu: no such command", i);
	if (!type)
		return;

	enum parse parse = type->parse(&in, &grammar, &arguments);

	if (parse == PARSE_MORE)
		add(&got, "more");
	else if (parse == PARSE_OK)
		dump(type->name, &arguments, rows[i].in, &got);
	else if (grammar.fault != GRAMMAR_SYNTAX)
		add(&got, "%s", grammar.fault == GRAMMAR_LIMIT ? "limit" : "charset");
	else
		add(&got, "BAD");
	CHECK(slice_equal(buf_slice(&got), slice_str(rows[i].want ? rows[i].want : "BAD")),
		"row %zu: %.*s", i, SLICE_FMT(buf_slice(&got)));
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(i);
}

/* A right command cut anywhere is parsed without a look beyond its end: every cut in memory of its own. */
static void test_cuts(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t n = 0; n < rows[i].in.n; n++) {
			_cleanup_arena_ struct arena arena = { 0 };
			struct grammar grammar = { .arena = &arena };
			union arguments arguments;
			char *copy = malloc(n ? n : 1);

			memcpy(copy, rows[i].in.p, n);

			struct slice in = slice_from(copy, n);
			const struct command_type *type = command_take(&in);

			if (type && type->parse(&in, &grammar, &arguments) == PARSE_OK)
				CHECK(in.n == 0, "row %zu cut at %zu", i, n);
			free(copy);
		}
}

/* Repeat a text n times between two others and expect a fault. */
static void check_limit(
	const char *before, const char *middle, size_t n, const char *after, bool ok)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(1024 * 1024);
	struct grammar grammar = { .arena = &arena };
	union arguments arguments;

	add(&text, "%s", before);
	for (size_t i = 0; i < n; i++)
		add(&text, "%s", middle);
	add(&text, "%s", after);

	struct slice in = buf_slice(&text);
	const struct command_type *type = command_take(&in);
	enum parse r = type->parse(&in, &grammar, &arguments);

	CHECK((r == PARSE_OK) == ok, "%s %zu times", middle, n);
	CHECK(ok || grammar.fault == GRAMMAR_LIMIT, "%s %zu times", middle, n);
}

static void test_limits(void)
{
	check_limit("SEARCH ALL", " ALL", LIMIT_SEARCH_KEYS - 2, "", true);
	check_limit("SEARCH ALL", " ALL", LIMIT_SEARCH_KEYS - 1, "", false);
	check_limit("SEARCH ", "NOT ", LIMIT_LIST_DEPTH - 1, "ALL", true);
	check_limit("SEARCH ", "NOT ", LIMIT_LIST_DEPTH, "ALL", false);
	check_limit("SEARCH ", "(", 30000, "", false);
	check_limit("SEARCH ", "OR ALL ", 10000, "ALL", false);
	check_limit("SEARCH SUBJECT \"", "x", 4096, "\"", true);
	check_limit("SEARCH SUBJECT \"", "x", 4097, "\"", false);
	check_limit("FETCH 1 (UID", " UID", FETCH_MAX_ITEMS - 1, ")", true);
	check_limit("FETCH 1 (UID", " UID", FETCH_MAX_ITEMS, ")", false);
	check_limit("FETCH 1 BODY[1", ".1", FETCH_MAX_NUMBERS - 1, "]", true);
	check_limit("FETCH 1 BODY[1", ".1", FETCH_MAX_NUMBERS, "]", false);
	check_limit("FETCH 1 BODY[HEADER.FIELDS (a", " a", FETCH_MAX_NAMES - 1, ")]", true);
	check_limit("FETCH 1 BODY[HEADER.FIELDS (a", " a", FETCH_MAX_NAMES, ")]", false);
	check_limit("STORE 1 +FLAGS (a", "x", 254, ")", true);
	check_limit("STORE 1 +FLAGS (a", "x", 255, ")", false);
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
	{ "arguments", test_rows },
	{ "cut anywhere", test_cuts },
	{ "limits", test_limits },
	{ "patterns of LIST", test_list_patterns },
	{ "dates", test_dates },
	{ "names of commands", test_command_names },
};
UNIT_MAIN("imap_grammar", tests)
