/* Special uses of mailboxes by their names. */
#include "maildir/special_use.h"
#include "tests/unit/unit.h"

static void test_names(void)
{
	static const struct {
		const char *name;
		enum special_use use;
	} rows[] = {
		{ "Drafts", SPECIAL_USE_DRAFTS },
		{ "drafts", SPECIAL_USE_DRAFTS },
		{ "下書き", SPECIAL_USE_DRAFTS },
		{ "INBOX/Drafts", SPECIAL_USE_DRAFTS },
		{ "Sent", SPECIAL_USE_SENT },
		{ "Sent Items", SPECIAL_USE_SENT },
		{ "送信済みトレイ", SPECIAL_USE_SENT },
		{ "送信済み", SPECIAL_USE_SENT },
		{ "ゴミ箱", SPECIAL_USE_TRASH },
		{ "Deleted Items", SPECIAL_USE_TRASH },
		{ "迷惑メール", SPECIAL_USE_JUNK },
		{ "SPAM", SPECIAL_USE_JUNK },
		{ "アーカイブ", SPECIAL_USE_ARCHIVE },
		{ "保存", SPECIAL_USE_ARCHIVE },
		{ "INBOX", SPECIAL_USE_NONE },
		{ "", SPECIAL_USE_NONE },
		{ "a/Sent", SPECIAL_USE_NONE },
		{ "Sent/2024", SPECIAL_USE_NONE },
		{ "INBOX/a/Sent", SPECIAL_USE_NONE },
		{ "Sent2", SPECIAL_USE_NONE },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned rank = 7777;

		CHECK(special_use_of_name(slice_str(rows[i].name), '/', &rank) == rows[i].use,
			"row %zu", i);
		CHECK((rank == 7777) == (rows[i].use == SPECIAL_USE_NONE), "row %zu", i);
	}
}

static void test_ranks(void)
{
	unsigned sent = 0, items = 0, below = 0;

	CHECK(special_use_of_name(SLICE("sent"), '.', &sent) == SPECIAL_USE_SENT, "sent");
	CHECK(special_use_of_name(SLICE("Sent Items"), '.', &items) == SPECIAL_USE_SENT, "items");
	CHECK(special_use_of_name(SLICE("INBOX.Sent"), '.', &below) == SPECIAL_USE_SENT, "below");
	CHECK(sent < items && items < below, "%u %u %u", sent, items, below);
}

static void test_attributes(void)
{
	for (int use = SPECIAL_USE_NONE + 1; use < SPECIAL_USE_COUNT; use++)
		CHECK(special_use_attribute(use)[0] == '\\', "%d", use);
	CHECK(strcmp(special_use_attribute(SPECIAL_USE_NONE), "") == 0, "none");
}

static const struct unit_test tests[] = {
	{ "names", test_names },
	{ "ranks", test_ranks },
	{ "attributes", test_attributes },
};
UNIT_MAIN("special_use", tests)
