#include "maildir/metadata.h"
#include "maildir/metadata_file.h"
#include "maildir/special_uses.h"
#include "tests/unit/maildir_fixture.h"

static void test_names(void)
{
	static const struct {
		const char *name;
		bool valid, prefix;
	} rows[] = {
		{ "/private/comment", true, true },
		{ "/SHARED/x", true, true },
		{ "/shared/a/b/c/d", true, true },
		{ "/shared/vendor/x/y", true, true },
		{ "/shared/vendors", true, true },
		{ "/shared/vendor/x", false, true },
		{ "/shared/Vendor", false, true },
		{ "/private", false, true },
		{ "/private/", false, false },
		{ "/privat", false, false },
		{ "/privatee/x", false, false },
		{ "/other/x", false, false },
		{ "private/x", false, false },
		{ "/private//x", false, false },
		{ "/private/x*", false, false },
		{ "/private/%", false, false },
		{ "/private/a\tb", false, false },
		{ "/private/\xc3\xa9", false, false },
		{ "/private/a b", true, true },
		{ "/", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice name = slice_str(rows[i].name);

		CHECK(metadata_name_is_valid(name) == rows[i].valid, "row %zu", i);
		CHECK(metadata_name_is_prefix(name) == rows[i].prefix, "row %zu", i);
	}
}

static void test_depth(void)
{
	static const struct {
		const char *name, *parent;
		bool one, infinity;
	} rows[] = {
		{ "/a/b", "/a", true, true },
		{ "/A/b", "/a", true, true },
		{ "/a/b/c", "/a", false, true },
		{ "/a/b/c", "/a/b", true, true },
		{ "/ab/c", "/a", false, false },
		{ "/a", "/a", false, false },
		{ "/b/a", "/a", false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice name = slice_str(rows[i].name), parent = slice_str(rows[i].parent);

		CHECK(!metadata_is_below(name, parent, METADATA_DEPTH_0), "row %zu", i);
		CHECK(metadata_is_below(name, parent, METADATA_DEPTH_1) == rows[i].one, "row %zu", i);
		CHECK(metadata_is_below(name, parent, METADATA_DEPTH_INFINITY) == rows[i].infinity,
			"row %zu", i);
	}
}

static void test_text(void)
{
	static const char text[] = "1 restante-metadata\n"
				   "/private/a\tone\\0d\\0atwo \\\\ \\00 \xc3\xa9\n"
				   "/shared/b\t\n"
				   "junk\n"
				   "/other/b\tx\n"
				   "/shared/c\tbad \\q\n"
				   "/shared/c\tbad \\0\n"
				   "/SHARED/B\tlater\n"
				   "/shared/d\tunfinished";
	static const char want[] = "1 restante-metadata\n"
				   "/private/a\tone\\0d\\0atwo \\\\ \\00 \xc3\xa9\n"
				   "/shared/b\tlater\n";
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf out = BUF(1000);
	struct metadata metadata;

	CU_ASSERT_FALSE(metadata_parse(SLICE(""), &arena, &metadata));
	CU_ASSERT_FALSE(metadata_parse(SLICE("2 restante-metadata\n"), &arena, &metadata));
	CU_ASSERT_FATAL(
		metadata_parse(slice_from(text, sizeof text - 1), &arena, &metadata));
	CU_ASSERT_EQUAL(metadata.n, 2);
	CU_ASSERT(slice_equal(metadata_find(&metadata, SLICE("/Private/A"))->value,
		SLICE("one\r\ntwo \\ \0 \xc3\xa9")));
	CU_ASSERT_PTR_NULL(metadata_find(&metadata, SLICE("/shared/d")));
	CU_ASSERT_EQUAL(metadata_format(&metadata, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), slice_str(want)));
}

static int change(struct fixture *f, const char *mailbox, const char *name, const char *value)
{
	struct metadata_entry entry = { slice_str(name), slice_str(value) };
	struct work work = fixture_work(f);

	return metadata_change(f->store,
		&(struct metadata_changes){
			.mailbox_name = slice_str(mailbox), .entries = &entry, .n = 1 },
		&work);
}

static void test_files(void)
{
	static char big[LIMIT_METADATA_VALUE_BYTES + 2];
	_cleanup_arena_ struct arena arena = { 0 };
	struct metadata metadata;
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(metadata_read(f.store, SLICE("INBOX"), &arena, &metadata), 0);
	CU_ASSERT_EQUAL(metadata.n, 0);
	CU_ASSERT_EQUAL(change(&f, "INBOX", "/private/a", "inbox"), 0);
	CU_ASSERT_EQUAL(change(&f, "", "/private/a", "server"), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "restante-metadata"),
		"1 restante-metadata\n/private/a\tinbox\n");
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "restante-metadata.server"),
		"1 restante-metadata\n/private/a\tserver\n");
	CU_ASSERT_EQUAL(change(&f, "None", "/private/a", "x"), -ENOENT);
	CU_ASSERT_EQUAL(metadata_read(f.store, SLICE("None"), &arena, &metadata), -ENOENT);

	/* Under the lock of the uidlist. */
	fixture_write(&f, "dovecot-uidlist.lock", "1:other.example.org");
	CU_ASSERT_EQUAL(change(&f, "INBOX", "/private/a", "x"), -EAGAIN);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "dovecot-uidlist.lock")), 0);
	CU_ASSERT_EQUAL(change(&f, "INBOX", "/private/a", NULL), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "restante-metadata"), "1 restante-metadata\n");
	CU_ASSERT_FALSE(fixture_exists(&f, "dovecot-uidlist.lock"));

	memset(big, '\x01', sizeof big - 1);
	CU_ASSERT_EQUAL(change(&f, "INBOX", "/private/a", big), -EMSGSIZE);
	big[LIMIT_METADATA_VALUE_BYTES] = '\0';
	for (int i = 0; i < 5; i++) {
		char name[32];

		snprintf(name, sizeof name, "/private/%d", i);
		CU_ASSERT_EQUAL(change(&f, "INBOX", name, big), 0);
	}
	CU_ASSERT_EQUAL(change(&f, "INBOX", "/private/5", big), -E2BIG);

	/* A file that is none of ours is left alone. */
	fixture_write(&f, "restante-metadata", "something else\n");
	CU_ASSERT_EQUAL(change(&f, "INBOX", "/private/a", "x"), -EBADMSG);
	CU_ASSERT_EQUAL(metadata_read(f.store, SLICE("INBOX"), &arena, &metadata), -EBADMSG);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "restante-metadata"), "something else\n");
	fixture_done(&f);
}

static unsigned uses_of(struct fixture *f, const char *name)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	size_t n;

	CU_ASSERT_EQUAL_FATAL(tree_list(f->store, &arena, &entries, &n), 0);

	const unsigned *uses = special_uses_find(f->store, &arena, entries, n);

	for (size_t i = 0; i < n; i++)
		if (slice_equal(entries[i].name, slice_str(name)))
			return uses[i];
	return UINT32_MAX;
}

static void test_special_uses(void)
{
	const unsigned drafts = special_use_bit(SPECIAL_USE_DRAFTS);
	const unsigned sent = special_use_bit(SPECIAL_USE_SENT);
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(tree_create(f.store, SLICE("Drafts")), 0);
	CU_ASSERT_EQUAL(uses_of(&f, "Drafts"), drafts);
	CU_ASSERT_EQUAL(special_uses_create(f.store, SLICE("Mine"), drafts | sent), 0);
	CU_ASSERT_EQUAL(uses_of(&f, "Mine"), drafts | sent);
	CU_ASSERT_EQUAL(uses_of(&f, "Drafts"), 0);
	CU_ASSERT_EQUAL(special_uses_create(f.store, SLICE("Two"), sent), -EMLINK);
	CU_ASSERT_EQUAL(uses_of(&f, "Two"), UINT32_MAX);
	CU_ASSERT_EQUAL(special_uses_create(f.store, SLICE("Sent"), 0), 0);
	CU_ASSERT_EQUAL(special_uses_create(f.store, SLICE("Mine"), 0), -EEXIST);
	CU_ASSERT_EQUAL(special_uses_check(f.store, SLICE("Mine"), sent), 0);
	CU_ASSERT_EQUAL(special_uses_check(f.store, SLICE("Sent"), sent), -EEXIST);
	CU_ASSERT_EQUAL(tree_rename(f.store, SLICE("Mine"), SLICE("Yours")), 0);
	CU_ASSERT_EQUAL(uses_of(&f, "Yours"), drafts | sent);
	CU_ASSERT_EQUAL(change(&f, "Yours", "/private/specialuse", NULL), 0);
	CU_ASSERT_EQUAL(uses_of(&f, "Drafts"), drafts);
	CU_ASSERT_EQUAL(uses_of(&f, "Sent"), 0); /* it was said that it has none */
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "names", test_names },
	{ "what is below", test_depth },
	{ "the text", test_text },
	{ "files", test_files },
	{ "special uses that were said", test_special_uses },
};

UNIT_MAIN("metadata", tests)
