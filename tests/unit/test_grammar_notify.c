/* The arguments of NOTIFY: what each list means, written back as text, or that it is none. RFC 5465. */
#include "tests/unit/grammar_rows.h"

/* A group: its filter's number, <names>, its events in hexadecimal, the labels of what is fetched; "!" an unknown event. */
static const struct grammar_row rows[] = {
	{ S("NOTIFY NONE"), "none" },
	{ S("NOTIFY none"), "none" },
	{ S("NOTIFY"), NULL },
	{ S("NOTIFY "), NULL },
	{ S("NOTIFY NONE "), NULL },
	{ S("NOTIFY NONE (personal NONE)"), NULL },
	{ S("NOTIFY SET"), NULL },
	{ S("NOTIFY SET "), NULL },
	{ S("NOTIFY SET STATUS"), NULL },
	{ S("NOTIFY SET STATUS "), NULL },
	{ S("NOTIFY FOO (personal NONE)"), NULL },
	{ S("NOTIFY SET (personal NONE)"), "3:0" },
	{ S("NOTIFY set status (PERSONAL none)"), "status 3:0" },
	{ S("NOTIFY SETSTATUS (personal NONE)"), NULL },
	{ S("NOTIFY SET STATUS STATUS (personal NONE)"), NULL },
	{ S("NOTIFY SET(personal NONE)"), NULL },

	/* section 6: who is meant */
	{ S("NOTIFY SET (selected NONE)"), "0:0" },
	{ S("NOTIFY SET (selected-delayed NONE)"), "1:0" },
	{ S("NOTIFY SET (inboxes NONE) (personal NONE) (subscribed NONE)"), "2:0 3:0 4:0" },
	{ S("NOTIFY SET (mailboxes a NONE)"), "5<a>:0" },
	{ S("NOTIFY SET (mailboxes (inbox \"b c\" {1}\r\nd) NONE)"), "5<INBOX><b c><d>:0" },
	{ S("NOTIFY SET (subtree (a b) NONE)"), "6<a><b>:0" },
	{ S("NOTIFY SET (subtree-one a NONE)"), NULL }, /* of ESEARCH only */
	{ S("NOTIFY SET (mailboxes NONE)"), NULL },
	{ S("NOTIFY SET (mailboxes () NONE)"), NULL },
	{ S("NOTIFY SET (mailboxes (a NONE)"), NULL },
	{ S("NOTIFY SET (mailboxes a)"), NULL },
	{ S("NOTIFY SET (personal a NONE)"), NULL },
	{ S("NOTIFY SET (others NONE)"), NULL },
	{ S("NOTIFY SET (personal)"), NULL },
	{ S("NOTIFY SET personal NONE"), NULL },
	{ S("NOTIFY SET ()"), NULL },
	{ S("NOTIFY SET (personal NONE"), NULL },
	{ S("NOTIFY SET ( personal NONE)"), NULL },
	{ S("NOTIFY SET (personal NONE )"), NULL },
	{ S("NOTIFY SET (personal  NONE)"), NULL },
	{ S("NOTIFY SET (personal NONE)(inboxes NONE)"), NULL },
	{ S("NOTIFY SET (personal NONE)  (inboxes NONE)"), NULL },
	{ S("NOTIFY SET (personal NONE) "), NULL },
	{ S("NOTIFY SET (personal NONE) x"), NULL },
	{ S("NOTIFY SET (selected NONE) (selected NONE)"), NULL },
	{ S("NOTIFY SET (selected NONE) (selected-delayed NONE)"), NULL },

	/* section 5: what is told */
	{ S("NOTIFY SET (personal (MessageNew MessageExpunge))"), "3:3" },
	{ S("NOTIFY SET (personal (messagenew MESSAGEEXPUNGE FlagChange))"), "3:7" },
	{ S("NOTIFY SET (personal (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))"),
		"3:78" },
	{ S("NOTIFY SET (personal (MessageNew))"), NULL },
	{ S("NOTIFY SET (personal (MessageExpunge))"), NULL },
	{ S("NOTIFY SET (personal (FlagChange))"), NULL },
	{ S("NOTIFY SET (personal (FlagChange MessageNew))"), NULL },
	{ S("NOTIFY SET (personal (FlagChange MessageExpunge MailboxName))"), NULL },
	{ S("NOTIFY SET (personal (MailboxName MessageExpunge MessageNew))"), "3:b" },
	{ S("NOTIFY SET (personal (MailboxName MailboxName))"), "3:8" },
	{ S("NOTIFY SET (personal ())"), NULL },
	{ S("NOTIFY SET (personal MailboxName)"), NULL },
	{ S("NOTIFY SET (personal (MailboxName)"), NULL },
	{ S("NOTIFY SET (personal (MailboxName )"), NULL },
	{ S("NOTIFY SET (personal (MailboxNameX))"), "3:0 !" },
	{ S("NOTIFY SET (personal (AnnotationChange MessageNew))"),
		"3:1 !" }, /* BADEVENT comes first */
	{ S("NOTIFY SET (selected (MailboxName))"), NULL },
	{ S("NOTIFY SET (selected-delayed (MessageNew MessageExpunge SubscriptionChange))"), NULL },
	{ S("NOTIFY SET (selected (X-FOO MailboxName))"), "0:8 !" },
	{ S("NOTIFY SET (selected (X-FOO)) (personal"), NULL },

	/* section 5.2: what is fetched of new messages */
	{ S("NOTIFY SET (selected (MessageNew (UID) MessageExpunge))"), "0:3 UID" },
	{ S("NOTIFY SET (selected-delayed (MessageExpunge MessageNew (uid BODY.PEEK[HEADER.FIELDS (From)])))"),
		"1:3 UID BODY[HEADER.FIELDS (From)]" },
	{ S("NOTIFY SET (personal (MessageNew (UID) MessageExpunge))"), NULL },
	{ S("NOTIFY SET (selected (MessageNew () MessageExpunge))"), NULL },
	{ S("NOTIFY SET (selected (MessageNew UID MessageExpunge))"),
		"0:3 !" }, /* UID might be an event */
	{ S("NOTIFY SET (selected (MessageNew (UID)MessageExpunge))"), NULL },
	{ S("NOTIFY SET (selected (MessageNew(UID) MessageExpunge))"), NULL },
	{ S("NOTIFY SET (selected (MessageNew (FOO) MessageExpunge))"), NULL },
	{ S("NOTIFY SET (selected (MessageNew (ALL) MessageExpunge))"), NULL },
	{ S("NOTIFY SET (selected (MessageNew MessageExpunge (UID)))"), NULL },
};

static void dump_group(const struct notify_group *group, struct buf *out)
{
	add(out, "%d", group->filter.kind);
	for (size_t i = 0; i < group->filter.names_n; i++)
		add(out, "<%.*s>", SLICE_FMT(group->filter.names[i]));
	add(out, ":%x", group->events);
	for (size_t i = 0; i < group->fetch.n; i++)
		add(out, " %.*s", SLICE_FMT(group->fetch.items[i].label));
}

static void dump(
	const char *name, const union arguments *arguments, struct slice command, struct buf *out)
{
	const struct notify_arguments *a = &arguments->notify;

	(void)name;
	CHECK(slice_ends_with(command, a->text), "the arguments are kept as they were written");
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
	check_grammar_rows(rows, sizeof rows / sizeof *rows, dump);
}

static void test_limits(void)
{
	check_limit("NOTIFY SET", " (personal NONE)", MAILBOX_FILTERS_MAX, "", true);
	check_limit("NOTIFY SET", " (personal NONE)", MAILBOX_FILTERS_MAX + 1, "", false);
	check_limit(
		"NOTIFY SET (mailboxes (a", " a", MAILBOX_FILTER_NAMES_MAX - 1, ") NONE)", true);
	check_limit("NOTIFY SET (mailboxes (a", " a", MAILBOX_FILTER_NAMES_MAX, ") NONE)", false);
	check_limit("NOTIFY SET (selected (MessageExpunge MessageNew (UID", " UID",
		FETCH_MAX_ITEMS - 1, ")))", true);
	check_limit("NOTIFY SET (selected (MessageExpunge MessageNew (UID", " UID", FETCH_MAX_ITEMS,
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
	{ "arguments, whole and cut anywhere", test_rows },
	{ "limits", test_limits },
	{ "names of events", test_names_of_events },
};
UNIT_MAIN("grammar_notify", tests)
