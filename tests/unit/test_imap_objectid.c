/* EMAILID and THREADID as search keys, with ids that messages have: no script knows them. RFC 8474. */
#include "tests/unit/imap_talk.h"

static char root[64];

/* The value of "NAME (value)" in what came. */
static void take_id(struct talk *t, const char *name, char ret_id[static 100])
{
	char pattern[40], *at;

	CU_ASSERT_FATAL(buf_add(&t->out, slice_from("", 1)) == 0);
	snprintf(pattern, sizeof pattern, "%s (", name);
	at = strstr(t->out.p, pattern);
	CU_ASSERT_FATAL(at != NULL);
	CU_ASSERT_FATAL(sscanf(at + strlen(pattern), "%99[A-Za-z0-9_-])", ret_id) == 1);
	buf_clear(&t->out);
}

static void append(struct talk *t, const char *text)
{
	char command[400];

	snprintf(command, sizeof command, "x APPEND INBOX {%zu+}\r\n%s\r\n", strlen(text), text);
	(void)talk_say(t, command);
	TALK_EXPECT_IN(t, "x OK ");
}

static void search(struct talk *t, const char *key, const char *id, const char *want)
{
	char command[200], answer[200];

	snprintf(command, sizeof command, "s SEARCH %s %s\r\n", key, id);
	snprintf(answer, sizeof answer, "* SEARCH%s\r\ns OK SEARCH completed\r\n", want);
	(void)talk_say(t, command);
	TALK_EXPECT(t, answer);
}

static void test_search(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);
	char first[100], second[100], copy[100], thread[100], other_thread[100];

	append(&t, "Message-ID: <a@h>\r\nSubject: one\r\n\r\n1");
	append(&t, "Message-ID: <b@h>\r\nIn-Reply-To: <a@h>\r\nSubject: Re: one\r\n\r\n2");
	append(&t, "Message-ID: <c@h>\r\nSubject: two\r\n\r\n3");
	(void)talk_say(&t, "a SELECT INBOX\r\nb COPY 1 INBOX\r\n");
	TALK_EXPECT_IN(&t, "b OK [COPYUID ");
	(void)talk_say(&t, "c FETCH 1 EMAILID\r\n");
	take_id(&t, "EMAILID", first);
	(void)talk_say(&t, "c FETCH 2 EMAILID\r\n");
	take_id(&t, "EMAILID", second);
	(void)talk_say(&t, "c FETCH 4 EMAILID\r\n");
	take_id(&t, "EMAILID", copy);
	(void)talk_say(&t, "c FETCH 1 THREADID\r\n");
	take_id(&t, "THREADID", thread);
	(void)talk_say(&t, "c FETCH 3 THREADID\r\n");
	take_id(&t, "THREADID", other_thread);
	CHECK(strcmp(first, copy) == 0 && strcmp(first, second) != 0, "%s %s %s", first, second,
		copy);
	CHECK(strcmp(thread, other_thread) != 0 && strcmp(thread, first) != 0, "%s %s", thread,
		other_thread);

	search(&t, "EMAILID", first, " 1 4");
	search(&t, "EMAILID", second, " 2");
	search(&t, "NOT EMAILID", first, " 2 3");
	search(&t, "THREADID", thread, " 1 2 4");
	search(&t, "THREADID", other_thread, " 3");
	search(&t, "UID 2:* NOT THREADID", other_thread, " 2 4");
	search(&t, "EMAILID", thread, "");
	search(&t, "THREADID", first, "");

	/* Ids are told from each other by case (RFC 8474 section 7). */
	for (char *c = first; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? *c - 32 : *c;
	if (strcmp(first, copy) != 0)
		search(&t, "EMAILID", first, "");

	/* Both are kept by MOVE into another mailbox. */
	(void)talk_say(&t, "d CREATE a\r\ne MOVE 4 a\r\nf SELECT a\r\n");
	TALK_EXPECT_IN(&t, "f OK ");
	search(&t, "EMAILID", copy, " 1");
	search(&t, "THREADID", thread, " 1");
	talk_end(&t);
	talk_remove_store(store, root);
}

static const struct unit_test tests[] = {
	{ "search", test_search },
};
UNIT_MAIN("imap_objectid", tests)
