/* The arguments of SEARCH, SORT, THREAD and ESEARCH. */
#include "tests/unit/grammar_rows.h"

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
	static const char *const sort_names[] = { "arrival", "cc", "date", "from", "size",
		"subject", "to", "displayfrom", "displayto" };
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

static void dump(const char *name, const union arguments *a, struct slice command, struct buf *out)
{
	(void)command;
	if (strcmp(name, "CANCELUPDATE") != 0)
		dump_search(&a->search, out);
}

static const struct grammar_row rows[] = {
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
	{ S("SEARCH RETURN (UPDATE (UID FLAGS) COUNT) ALL"),
		"return 48 update(UID FLAGS) and(all)" },
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
	{ S("ESEARCH IN (selected) RETURN (UPDATE (UID)) ALL"),
		"in 0; return 40 update(UID) and(all)" },
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

static void test_rows(void)
{
	check_grammar_rows(rows, sizeof rows / sizeof *rows, dump);
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
}

static const struct unit_test tests[] = {
	{ "arguments, whole and cut anywhere", test_rows },
	{ "limits", test_limits },
};
UNIT_MAIN("grammar_search", tests)
