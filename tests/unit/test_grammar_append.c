/* The arguments of APPEND and REPLACE, part by part. */
#include "tests/unit/grammar_rows.h"

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
				 : e.kind == APPEND_END   ? " end"
							  : ";");
	} while (e.kind != APPEND_LITERAL && e.kind != APPEND_END);
}

static void dump(const char *name, const union arguments *a, struct slice command, struct buf *out)
{
	(void)name;
	dump_append(&a->append, command, out);
}

static const struct grammar_row rows[] = {
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
};

static void test_rows(void)
{
	check_grammar_rows(rows, sizeof rows / sizeof *rows, dump);
}

static const struct unit_test tests[] = {
	{ "arguments, whole and cut anywhere", test_rows },
};
UNIT_MAIN("grammar_append", tests)
