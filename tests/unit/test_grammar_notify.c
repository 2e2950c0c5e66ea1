/* The arguments of NOTIFY: what each list means, written back as text, or that it is none. RFC 5465. */
#include "base/buf.h"
#include "server/imap/grammar_notify.h"
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdlib.h>

struct row {
	const char *in;
	const char *want; /* NULL: bad */
};

/* A group: its filter's number, <names>, its events in hexadecimal, the labels of what is fetched; "!" an unknown event. */
static const struct row rows[] = {
	{ " NONE", "none" },
	{ " none", "none" },
	{ "", NULL },
	{ "NONE", NULL },
	{ " ", NULL },
	{ " NONE ", NULL },
	{ " NONE (personal NONE)", NULL },
	{ " SET", NULL },
	{ " SET ", NULL },
	{ " SET STATUS", NULL },
	{ " SET STATUS ", NULL },
	{ " FOO (personal NONE)", NULL },
	{ " SET (personal NONE)", "3:0" },
	{ " set status (PERSONAL none)", "status 3:0" },
	{ " SETSTATUS (personal NONE)", NULL },
	{ " SET STATUS STATUS (personal NONE)", NULL },
	{ " SET(personal NONE)", NULL },

	/* section 6: who is meant */
	{ " SET (selected NONE)", "0:0" },
	{ " SET (selected-delayed NONE)", "1:0" },
	{ " SET (inboxes NONE) (personal NONE) (subscribed NONE)", "2:0 3:0 4:0" },
	{ " SET (mailboxes a NONE)", "5<a>:0" },
	{ " SET (mailboxes (inbox \"b c\" {1}\r\nd) NONE)", "5<INBOX><b c><d>:0" },
	{ " SET (subtree (a b) NONE)", "6<a><b>:0" },
	{ " SET (subtree-one a NONE)", NULL }, /* of ESEARCH only */
	{ " SET (mailboxes NONE)", NULL },
	{ " SET (mailboxes () NONE)", NULL },
	{ " SET (mailboxes (a NONE)", NULL },
	{ " SET (mailboxes a)", NULL },
	{ " SET (personal a NONE)", NULL },
	{ " SET (others NONE)", NULL },
	{ " SET (personal)", NULL },
	{ " SET personal NONE", NULL },
	{ " SET ()", NULL },
	{ " SET (personal NONE", NULL },
	{ " SET ( personal NONE)", NULL },
	{ " SET (personal NONE )", NULL },
	{ " SET (personal  NONE)", NULL },
	{ " SET (personal NONE)(inboxes NONE)", NULL },
	{ " SET (personal NONE)  (inboxes NONE)", NULL },
	{ " SET (personal NONE) ", NULL },
	{ " SET (personal NONE) x", NULL },
	{ " SET (selected NONE) (selected NONE)", NULL },
	{ " SET (selected NONE) (selected-delayed NONE)", NULL },

	/* section 5: what is told */
	{ " SET (personal (MessageNew MessageExpunge))", "3:3" },
	{ " SET (personal (messagenew MESSAGEEXPUNGE FlagChange))", "3:7" },
	{ " SET (personal (MailboxName SubscriptionChange MailboxMetadataChange "
	  "ServerMetadataChange))",
		"3:78" },
	{ " SET (personal (MessageNew))", NULL },
	{ " SET (personal (MessageExpunge))", NULL },
	{ " SET (personal (FlagChange))", NULL },
	{ " SET (personal (FlagChange MessageNew))", NULL },
	{ " SET (personal (FlagChange MessageExpunge MailboxName))", NULL },
	{ " SET (personal (MailboxName MessageExpunge MessageNew))", "3:b" },
	{ " SET (personal (MailboxName MailboxName))", "3:8" },
	{ " SET (personal ())", NULL },
	{ " SET (personal MailboxName)", NULL },
	{ " SET (personal (MailboxName)", NULL },
	{ " SET (personal (MailboxName )", NULL },
	{ " SET (personal (MailboxNameX))", "3:0 !" },
	{ " SET (personal (AnnotationChange MessageNew))", "3:1 !" }, /* BADEVENT comes first */
	{ " SET (selected (MailboxName))", NULL },
	{ " SET (selected-delayed (MessageNew MessageExpunge SubscriptionChange))", NULL },
	{ " SET (selected (X-FOO MailboxName))", "0:8 !" },
	{ " SET (selected (X-FOO)) (personal", NULL },

	/* section 5.2: what is fetched of new messages */
	{ " SET (selected (MessageNew (UID) MessageExpunge))", "0:3 UID" },
	{ " SET (selected-delayed (MessageExpunge MessageNew (uid BODY.PEEK[HEADER.FIELDS "
	  "(From)])))",
		"1:3 UID BODY[HEADER.FIELDS (From)]" },
	{ " SET (personal (MessageNew (UID) MessageExpunge))", NULL },
	{ " SET (selected (MessageNew () MessageExpunge))", NULL },
	{ " SET (selected (MessageNew UID MessageExpunge))", "0:3 !" }, /* UID might be an event */
	{ " SET (selected (MessageNew (UID)MessageExpunge))", NULL },
	{ " SET (selected (MessageNew(UID) MessageExpunge))", NULL },
	{ " SET (selected (MessageNew (FOO) MessageExpunge))", NULL },
	{ " SET (selected (MessageNew (ALL) MessageExpunge))", NULL },
	{ " SET (selected (MessageNew MessageExpunge (UID)))", NULL },
};

static void add(struct buf *out, const char *format, ...) _printf_(2, 3);
static void add(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);

	int r = buf_vaddf(out, format, args);

	va_end(args);
	CHECK(r == 0, "out is full");
}

static void dump_group(const struct notify_group *group, struct buf *out)
{
	add(out, "%d", group->filter.kind);
	for (size_t i = 0; i < group->filter.names_n; i++)
		add(out, "<%.*s>", SLICE_FMT(group->filter.names[i]));
	add(out, ":%x", group->events);
	for (size_t i = 0; i < group->fetch.n; i++)
		add(out, " %.*s", SLICE_FMT(group->fetch.items[i].label));
}

static void dump(const struct notify_arguments *a, struct buf *out)
{
	if (!a->set)
		add(out, "none");
	if (a->status)
		add(out, "status ");
	for (const struct notify_group *group = a->groups; group; group = group->next) {
		dump_group(group, out);
		add(out, group->next ? " " : "");
	}
	if (a->unknown_event)
		add(out, " !");
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		_cleanup_buf_ struct buf got = BUF(10000);
		struct grammar grammar = { .arena = &arena };
		struct slice in = slice_str(rows[i].in);
		struct notify_arguments a;

		if (grammar_notify(&in, &grammar, &a) == PARSE_OK) {
			CHECK(in.n == 0 && slice_equal(a.text, slice_str(rows[i].in)), "row %zu",
				i);
			dump(&a, &got);
		} else {
			CHECK(slice_equal(in, slice_str(rows[i].in)), "row %zu: *in has moved", i);
			add(&got, "BAD");
		}
		CHECK(slice_equal(buf_slice(&got), slice_str(rows[i].want ? rows[i].want : "BAD")),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&got)));
	}
}

/* Cut anywhere it is parsed without a look beyond its end. */
static void test_cuts(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t n = 0; n < strlen(rows[i].in); n++) {
			_cleanup_arena_ struct arena arena = { 0 };
			struct grammar grammar = { .arena = &arena };
			struct notify_arguments a;
			char *copy = malloc(n ? n : 1);

			memcpy(copy, rows[i].in, n);

			struct slice in = slice_from(copy, n);

			if (grammar_notify(&in, &grammar, &a) == PARSE_OK)
				CHECK(in.n == 0, "row %zu cut at %zu", i, n);
			free(copy);
		}
}

static void check_limit(
	const char *before, const char *middle, size_t n, const char *after, bool ok)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(1024 * 1024);
	struct grammar grammar = { .arena = &arena };
	struct notify_arguments a;

	add(&text, "%s", before);
	for (size_t i = 0; i < n; i++)
		add(&text, "%s", middle);
	add(&text, "%s", after);

	struct slice in = buf_slice(&text);
	enum parse r = grammar_notify(&in, &grammar, &a);

	CHECK((r == PARSE_OK) == ok, "%s %zu times", middle, n);
	CHECK(ok || grammar.fault == GRAMMAR_LIMIT, "%s %zu times", middle, n);
}

static void test_limits(void)
{
	check_limit(" SET", " (personal NONE)", MAILBOX_FILTERS_MAX, "", true);
	check_limit(" SET", " (personal NONE)", MAILBOX_FILTERS_MAX + 1, "", false);
	check_limit(" SET (mailboxes (a", " a", MAILBOX_FILTER_NAMES_MAX - 1, ") NONE)", true);
	check_limit(" SET (mailboxes (a", " a", MAILBOX_FILTER_NAMES_MAX, ") NONE)", false);
	check_limit(" SET (selected (MessageExpunge MessageNew (UID", " UID", FETCH_MAX_ITEMS - 1,
		")))", true);
	check_limit(" SET (selected (MessageExpunge MessageNew (UID", " UID", FETCH_MAX_ITEMS,
		")))", false);
}

/* What BADEVENT names is what is understood. */
static void test_names_of_events(void)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(1000);
	struct grammar grammar = { .arena = &arena };
	struct notify_arguments a;

	add(&text, " SET (personal (%s))", NOTIFY_EVENT_NAMES);

	struct slice in = buf_slice(&text);

	CU_ASSERT_FATAL(grammar_notify(&in, &grammar, &a) == PARSE_OK);
	CHECK(!a.unknown_event && a.groups->events == 0x7f, "%x", a.groups->events);
}

static const struct unit_test tests[] = {
	{ "arguments", test_rows },
	{ "cut anywhere", test_cuts },
	{ "limits", test_limits },
	{ "names of events", test_names_of_events },
};
UNIT_MAIN("grammar_notify", tests)
