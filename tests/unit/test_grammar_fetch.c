/* The arguments of FETCH and STORE. */
#include "tests/unit/grammar_rows.h"

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

static void dump(const char *name, const union arguments *a, struct slice command, struct buf *out)
{
	(void)command;
	if (strstr(name, "FETCH"))
		dump_fetch(&a->fetch, out);
	else
		dump_store(&a->store, out);
}

static const struct grammar_row rows[] = {
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
	{ S("UID FETCH 1 FLAGS (VANISHED CHANGEDSINCE 5)"),
		"1 flags modseq changedsince 5 vanished" },
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
	{ S("STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT \\Seen"),
		"1 add silent 10 unchangedsince 0" },
	{ S("STORE 1 (UNCHANGEDSINCE) FLAGS (\\Seen)"), NULL },
	{ S("STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS (\\Seen)"), NULL },
	{ S("STORE 1 (FOO 1) FLAGS (\\Seen)"), NULL },
	{ S("STORE 1 () FLAGS (\\Seen)"), NULL },
};

static void test_rows(void)
{
	check_grammar_rows(rows, sizeof rows / sizeof *rows, dump);
}

static void test_limits(void)
{
	check_limit("FETCH 1 (UID", " UID", FETCH_MAX_ITEMS - 1, ")", true);
	check_limit("FETCH 1 (UID", " UID", FETCH_MAX_ITEMS, ")", false);
	check_limit("FETCH 1 BODY[1", ".1", FETCH_MAX_NUMBERS - 1, "]", true);
	check_limit("FETCH 1 BODY[1", ".1", FETCH_MAX_NUMBERS, "]", false);
	check_limit("FETCH 1 BODY[HEADER.FIELDS (a", " a", FETCH_MAX_NAMES - 1, ")]", true);
	check_limit("FETCH 1 BODY[HEADER.FIELDS (a", " a", FETCH_MAX_NAMES, ")]", false);
	check_limit("STORE 1 +FLAGS (a", "x", 254, ")", true);
	check_limit("STORE 1 +FLAGS (a", "x", 255, ")", false);
}

static const struct unit_test tests[] = {
	{ "arguments, whole and cut anywhere", test_rows },
	{ "limits", test_limits },
};
UNIT_MAIN("grammar_fetch", tests)
