/* The tree of mailboxes: listing, making, removing, renaming; what other programs and crashes leave. */
#include "maildir/special_uses.h"
#include "maildir/tree.h"
#include "base/limits.h"
#include "tests/unit/maildir_fixture.h"

/* "INBOX a+ -b/c": "-" before what does not exist, "+" behind what has children. */
static const char *listed(struct fixture *f)
{
	static char text[4000];
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	size_t n, at = 0;
	int r = tree_list(f->store, &arena, &entries, &n);

	CHECK(r == 0, "%d", r);
	for (size_t i = 0; r == 0 && i < n; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%.*s%s", i ? " " : "",
			entries[i].exists ? "" : "-", SLICE_FMT(entries[i].name),
			entries[i].has_children ? "+" : "");
	return text;
}

static int create(struct fixture *f, const char *name)
{
	return tree_create(f->store, slice_str(name));
}

static int delete (struct fixture *f, const char *name)
{
	struct work work = fixture_work(f);

	return tree_delete(f->store, slice_str(name), &work);
}

static int purge(struct fixture *f)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = tree_purge(f->store, &work);

		if (r != -EINPROGRESS)
			return r;
		f->steps++;
	}
}

static int rename_mailbox(struct fixture *f, const char *from, const char *to)
{
	return tree_rename(f->store, slice_str(from), slice_str(to));
}

static int sync_mailbox(struct fixture *f, struct mailbox *mailbox)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = mailbox_sync(mailbox, &work);

		if (r != -EINPROGRESS)
			return r;
	}
}

/* The UIDVALIDITY of a mailbox, 0 if it cannot be opened. */
static uint32_t uidvalidity(struct fixture *f, const char *name)
{
	struct mailbox *mailbox;
	uint32_t value = 0;

	if (mailbox_open(f->store, slice_str(name), &mailbox) < 0)
		return 0;
	if (sync_mailbox(f, mailbox) == 0)
		value = mailbox_uidvalidity(mailbox);
	mailbox_close(mailbox);
	return value;
}

static void make_directory(const struct fixture *f, const char *name)
{
	CU_ASSERT_EQUAL(mkdir(fixture_path(f, name), 0700), 0);
}

static void test_list(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX");
	static const char *const directories[] = { ".a", ".a/cur", ".a.b.c", ".a.b.c/cur",
		".INBOX.x", ".INBOX.x/cur", ".&ZeVnLA-", ".&ZeVnLA-/cur", ".b\\2ec", ".b\\2ec/cur",
		".ssh", "plain", "plain/cur", "..x", "..x/cur", ".y.", ".y./cur" };

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		make_directory(&f, directories[i]);
	fixture_write(&f, ".file", "");
	CU_ASSERT_EQUAL(symlink(".a", fixture_path(&f, ".link")), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX+ INBOX/x a+ -a/b+ a/b/c b.c 日本");
	fixture_done(&f);
}

static void test_create(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "日本/下書き"), 0);
	CU_ASSERT_EQUAL(create(&f, "a.b"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a.b -日本+ 日本/下書き");
	CHECK(fixture_exists(&f, ".a\\2eb/cur") && fixture_exists(&f, ".a\\2eb/new") &&
			fixture_exists(&f, ".a\\2eb/tmp") &&
			fixture_exists(&f, ".a\\2eb/maildirfolder"),
		"whole");
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	CU_ASSERT_EQUAL(create(&f, "a.b"), -EEXIST);
	CU_ASSERT_EQUAL(create(&f, "inbox"), -EEXIST);
	CU_ASSERT_EQUAL(create(&f, "日本"), 0);
	CU_ASSERT_EQUAL(create(&f, "a//b"), -EINVAL);
	CU_ASSERT_EQUAL(create(&f, "a/../b"), -EINVAL);
	CU_ASSERT_EQUAL(create(&f, "tmp"), -EINVAL);
	make_directory(&f, ".begun");
	CU_ASSERT_EQUAL(create(&f, "begun"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a.b begun 日本+ 日本/下書き");
	CU_ASSERT_EQUAL(symlink("/tmp", fixture_path(&f, ".link")), 0);
	CU_ASSERT_EQUAL(create(&f, "link"), -ELOOP);
	CU_ASSERT_EQUAL(create(&f, "inbox/sub"), 0);
	CHECK(fixture_exists(&f, ".INBOX.sub/cur"), "INBOX in capitals");

	struct mailbox *first, *second;

	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("INBOX/sub"), &first), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("Inbox/sub"), &second), 0);
	CU_ASSERT_PTR_EQUAL(first, second);
	mailbox_close(first);
	mailbox_close(second);
	fixture_done(&f);
}

static void test_mode(void)
{
	struct fixture f;
	struct stat st;

	fixture_init(&f);
	CU_ASSERT_EQUAL(chmod(f.path, 02770), 0);
	CU_ASSERT_EQUAL(create(&f, "shared"), 0);
	CHECK(stat(fixture_path(&f, ".shared/cur"), &st) == 0 && (st.st_mode & 07777) == 02770,
		"%o", st.st_mode);
	fixture_done(&f);
}

static void test_delete(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a/b"), 0);
	for (int i = 0; i < 20; i++) {
		char name[40];

		snprintf(name, sizeof name, ".a/cur/%d:2,S", i);
		fixture_write(&f, name, "x");
	}
	CU_ASSERT_EQUAL(delete (&f, "nothing"), -ENOENT);
	CU_ASSERT_EQUAL(delete (&f, "inbox"), -EINVAL);
	CU_ASSERT_EQUAL(delete (&f, ".."), -ENOENT);
	CU_ASSERT_EQUAL(delete (&f, "a"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX -a+ a/b");
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", "restante-deleted."), 1);
	f.budget = 3;
	CU_ASSERT_EQUAL(purge(&f), 0);
	CHECK(f.steps >= 6, "%u steps", f.steps);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	CU_ASSERT_EQUAL(delete (&f, "a"), -ENOTEMPTY);
	CU_ASSERT_EQUAL(delete (&f, "a/b"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX");
	CU_ASSERT_EQUAL(symlink("/tmp", fixture_path(&f, ".link")), 0);
	CU_ASSERT_EQUAL(delete (&f, "link"), -ELOOP);
	fixture_done(&f);
}

static void test_purge(void)
{
	struct fixture f;

	fixture_init(&f);
	static const char *const directories[] = { "tmp/restante-deleted.1",
		"tmp/restante-deleted.1/cur", "tmp/restante-deleted.1/x",
		"tmp/restante-deleted.1/x/y", "tmp/restante-created.1", "tmp/other" };

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		make_directory(&f, directories[i]);
	fixture_write(&f, "outside", "x");
	CU_ASSERT_EQUAL(symlink(f.path, fixture_path(&f, "tmp/restante-deleted.1/cur/link")), 0);
	fixture_write(&f, "tmp/restante-deleted.1/x/y/z", "x");
	CU_ASSERT_EQUAL(purge(&f), 0);
	CHECK(!fixture_exists(&f, "tmp/restante-deleted.1"), "removed");
	CHECK(fixture_exists(&f, "tmp/restante-created.1") && fixture_exists(&f, "tmp/other"),
		"young, or not ours");
	CHECK(fixture_exists(&f, "outside"), "no link was followed");
	f.now_usec = clock_realtime_usec() + 37 * 3600 * USEC_PER_SEC;
	CU_ASSERT_EQUAL(purge(&f), 0);
	CHECK(!fixture_exists(&f, "tmp/restante-created.1"), "old");
	fixture_done(&f);
}

static void test_uidvalidity(void)
{
	struct fixture f;
	uint32_t first, second;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	first = uidvalidity(&f, "a");
	CU_ASSERT_EQUAL(delete (&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	second = uidvalidity(&f, "a");
	CHECK(first > 0 && second > first, "%u %u", first, second);
	fixture_write(
		&f, ".a/dovecot-uidlist", "3 V4000000000 N1 G0123456789abcdef0123456789abcdef\n");
	CU_ASSERT_EQUAL(delete (&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CHECK(uidvalidity(&f, "a") == 4000000001, "%u", uidvalidity(&f, "a"));
	fixture_done(&f);
}

static void test_delete_open(void)
{
	struct fixture f;
	struct mailbox *old, *fresh;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a"), &old), 0);
	CU_ASSERT_EQUAL(sync_mailbox(&f, old), 0);
	CU_ASSERT_EQUAL(delete (&f, "a"), 0);
	CU_ASSERT_EQUAL(sync_mailbox(&f, old), -ESTALE);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a"), &fresh), -ENOENT);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a"), &fresh), 0);
	CHECK(fresh != old && sync_mailbox(&f, fresh) == 0, "a fresh one");
	mailbox_close(old);
	mailbox_close(fresh);
	fixture_done(&f);
}

/* Another program deletes a mailbox that is open here, and makes one of that name. */
static void test_foreign_delete(void)
{
	struct fixture f;
	struct mailbox *old, *fresh;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a"), &old), 0);
	CU_ASSERT_EQUAL(sync_mailbox(&f, old), 0);
	fixture_remove_tree(fixture_path(&f, ".a"));
	CU_ASSERT_EQUAL(sync_mailbox(&f, old), -ESTALE);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a"), &fresh), 0);
	CHECK(fresh != old, "a fresh one");
	mailbox_close(old);
	fixture_rename(&f, ".a", ".b");
	make_directory(&f, ".a");
	make_directory(&f, ".a/cur");
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a"), &old), 0);
	CHECK(fresh != old, "another directory");
	mailbox_close(old);
	mailbox_close(fresh);
	fixture_done(&f);
}

static void test_delete_locked(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	fixture_write(&f, ".a/dovecot-uidlist.lock", "1:another.example.org");
	CU_ASSERT_EQUAL(delete (&f, "a"), -EAGAIN);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a");
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, ".a/dovecot-uidlist.lock")), 0);
	CU_ASSERT_EQUAL(delete (&f, "a"), 0);
	fixture_done(&f);
}

static void test_rename(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a/b/c"), 0);
	CU_ASSERT_EQUAL(create(&f, "ab"), 0);
	CU_ASSERT_EQUAL(create(&f, "d"), 0);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "日本/x.y"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX ab d -日本+ 日本/x.y+ -日本/x.y/b+ 日本/x.y/b/c");
	CU_ASSERT_EQUAL(rename_mailbox(&f, "日本", "a"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX -a+ a/x.y+ -a/x.y/b+ a/x.y/b/c ab d");
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a/x.y/b", "a/x.y"), -EEXIST);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a/x.y", "a"), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a+ -a/b+ a/b/c ab d");
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "a"), -EEXIST);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "d"), -EEXIST);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "inbox"), -EEXIST);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "a/x"), -EINVAL);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "x/cur"), -EINVAL);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "inbox", "x"), -EINVAL);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "none", "x"), -ENOENT);
	CU_ASSERT_EQUAL(create(&f, "d/b/c"), 0);
	CU_ASSERT_EQUAL(delete (&f, "d"), 0);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "d"), -EEXIST);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a+ -a/b+ a/b/c ab -d+ -d/b+ d/b/c");
	fixture_done(&f);
}

static void test_rename_limits(void)
{
	struct fixture f;
	char name[LIMIT_NAME_BYTES];

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a/long"), 0);
	memset(name, 'x', sizeof name);
	name[sizeof name - 4] = '\0';
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", name), -ENAMETOOLONG);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a+ a/long");
	fixture_done(&f);
}

static void test_rename_open(void)
{
	struct fixture f;
	struct mailbox *a, *b;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a/b"), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a/b"), &b), 0);
	CU_ASSERT_EQUAL(sync_mailbox(&f, b), 0);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a/b", "x"), 0);
	CHECK(slice_equal(mailbox_name(b), SLICE("x")), "%.*s", SLICE_FMT(mailbox_name(b)));
	CU_ASSERT_EQUAL(sync_mailbox(&f, b), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("x"), &a), 0);
	CU_ASSERT_PTR_EQUAL(a, b);
	mailbox_close(a);
	mailbox_close(b);
	fixture_done(&f);
}

static void test_permissions(void)
{
	struct fixture f;

	if (geteuid() == 0)
		return; /* to whom nothing is forbidden */
	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT_EQUAL(chmod(f.path, 0500), 0);
	CU_ASSERT_EQUAL(delete (&f, "a"), -EACCES);
	CHECK(strstr(f.last_log, "cannot be deleted") != NULL, "%s", f.last_log);
	CU_ASSERT_EQUAL(rename_mailbox(&f, "a", "b"), -EACCES);
	CU_ASSERT_EQUAL(create(&f, "b"), -EACCES);
	CU_ASSERT_EQUAL(chmod(f.path, 0700), 0);
	CU_ASSERT_STRING_EQUAL(listed(&f), "INBOX a");
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	fixture_done(&f);
}

/* A file that cannot be read says nothing; it does not say that there is nothing to be careful about. */
static void test_unreadable(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CU_ASSERT(uidvalidity(&f, "a") > 0);
	fixture_rename(&f, ".a/dovecot-uidlist", ".a/kept");
	CU_ASSERT_EQUAL(symlink("kept", fixture_path(&f, ".a/dovecot-uidlist")), 0);
	CU_ASSERT_EQUAL(delete (&f, "a"), -ELOOP);
	CU_ASSERT(fixture_exists(&f, ".a/kept"));

	/* Which UIDVALIDITYs were given out is not known. */
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "dovecot-uidvalidity")), 0);
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "dovecot-uidvalidity"), 0600), 0);
	CU_ASSERT_EQUAL(create(&f, "b"), 0);
	CU_ASSERT_EQUAL(uidvalidity(&f, "b"), 0);
	CU_ASSERT_FALSE(fixture_exists(&f, ".b/dovecot-uidlist"));
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "dovecot-uidvalidity")), 0);
	CU_ASSERT(uidvalidity(&f, "b") > 0);

	/* Nor which uses are taken. */
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, ".b/restante-metadata"), 0600), 0);
	CU_ASSERT_EQUAL(special_uses_create(f.store, SLICE("c"), special_use_bit(SPECIAL_USE_SENT)),
		-EINVAL);
	CU_ASSERT_FALSE(fixture_exists(&f, ".c"));
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, ".b/restante-metadata")), 0);
	CU_ASSERT_EQUAL(special_uses_create(f.store, SLICE("c"), special_use_bit(SPECIAL_USE_SENT)), 0);
	fixture_done(&f);
}

/* A value that was written without moving the mark along is not taken back by a lower one. */
static void test_raise(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "dovecot-uidvalidity", "f0000000");
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	fixture_write(&f, ".a/dovecot-uidlist", "3 V3000000000 N1 G0123456789abcdef0123456789abcdef\n");
	CU_ASSERT_EQUAL(delete (&f, "a"), 0);
	CU_ASSERT_EQUAL(create(&f, "a"), 0);
	CHECK(uidvalidity(&f, "a") == 0xf0000001, "%x", uidvalidity(&f, "a"));
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "list", test_list },
	{ "create", test_create },
	{ "mode", test_mode },
	{ "delete", test_delete },
	{ "purge", test_purge },
	{ "uidvalidity", test_uidvalidity },
	{ "delete an open one", test_delete_open },
	{ "deleted by another program", test_foreign_delete },
	{ "delete a locked one", test_delete_locked },
	{ "rename", test_rename },
	{ "rename beyond limits", test_rename_limits },
	{ "rename an open one", test_rename_open },
	{ "permissions", test_permissions },
	{ "files that cannot be read", test_unreadable },
	{ "a UIDVALIDITY never falls", test_raise },
};
UNIT_MAIN("tree", tests)
