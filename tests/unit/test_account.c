#include "auth/account.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <pwd.h>

static struct account_rules rules(const char *mail_user, const char *path)
{
	return (struct account_rules){ .mail_user = mail_user, .mail_path = path, .index_path = path, .minimum_uid = 1 };
}

static void test_valid_user(void)
{
	static const struct {
		struct slice user;
		bool want;
	} rows[] = {
		{ SLICE("alice"), true },
		{ SLICE("a"), true },
		{ SLICE("alice@example.org"), true },
		{ SLICE("j\xc3\xbcrgen"), true },
		{ SLICE("..."), true },
		{ SLICE("a b"), true },
		{ SLICE(""), false },
		{ SLICE("."), false },
		{ SLICE(".."), false },
		{ SLICE("-alice"), false },
		{ SLICE("a/b"), false },
		{ SLICE("/"), false },
		{ SLICE("a\0b"), false },
		{ SLICE("a\nb"), false },
		{ SLICE("a\x7f"), false },
	};
	char longest[LIMIT_USER_BYTES + 1];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(account_user_is_valid(rows[i].user) == rows[i].want, "row %zu", i);
	memset(longest, 'x', sizeof longest);
	CU_ASSERT(account_user_is_valid(slice_from(longest, LIMIT_USER_BYTES)));
	CU_ASSERT(!account_user_is_valid(slice_from(longest, LIMIT_USER_BYTES + 1)));
}

static void test_system_user(void)
{
	struct account_rules r = rules("", "~/Maildir");
	struct account account;
	char cause[ACCOUNT_CAUSE_BYTES] = "";
	const struct passwd *root = getpwuid(0);

	CU_ASSERT_FATAL(root != NULL);
	CU_ASSERT(account_find(&r, slice_str(root->pw_name), &account, cause) == VERDICT_AUTHORIZATION_FAILED);
	CHECK(strstr(cause, "minimum-uid") != NULL, "%s", cause);

	r.minimum_uid = 0;
	cause[0] = '\0';
	CHECK(account_find(&r, slice_str(root->pw_name), &account, cause) == VERDICT_OK, "%s", cause);
	CU_ASSERT(account.user_uid == 0 && account.user_gid == root->pw_gid);
	CU_ASSERT_STRING_EQUAL(account.home, root->pw_dir);
	CU_ASSERT(account.n_groups >= 1 && account.groups_left_out == 0);
	CU_ASSERT(strstr(account.mail_path, "/Maildir") != NULL);

	CU_ASSERT(account_find(&r, SLICE("no-such-user-here"), &account, cause) == VERDICT_AUTHORIZATION_FAILED);
	CHECK(strstr(cause, "no such system user") != NULL, "%s", cause);
	CU_ASSERT(account_find(&r, SLICE("../root"), &account, cause) == VERDICT_AUTHORIZATION_FAILED);
}

/* "nobody" has a home that does not exist, on Debian; a path outside of it is fine. */
static void test_no_home(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct account account;
	char cause[ACCOUNT_CAUSE_BYTES] = "";

	if (!nobody || strcmp(nobody->pw_dir, "/nonexistent") != 0)
		return;

	struct account_rules r = rules("", "~/Maildir");

	CU_ASSERT(account_find(&r, SLICE("nobody"), &account, cause) == VERDICT_UNAVAILABLE);
	CHECK(strstr(cause, "/nonexistent does not exist") != NULL, "%s", cause);
	r = rules("", "/var/mail/%u");
	CU_ASSERT(account_find(&r, SLICE("nobody"), &account, cause) == VERDICT_OK);
	CU_ASSERT_STRING_EQUAL(account.mail_path, "/var/mail/nobody");
}

static void test_virtual_user(void)
{
	struct account_rules r = rules("1234:5678", "/var/mail/%d/%n");
	struct account account;
	char cause[ACCOUNT_CAUSE_BYTES] = "";

	CHECK(account_find(&r, SLICE("bob@example.org"), &account, cause) == VERDICT_OK, "%s", cause);
	CU_ASSERT(account.user_uid == 1234 && account.user_gid == 5678);
	CU_ASSERT(account.n_groups == 1 && account.groups[0] == 5678);
	CU_ASSERT_STRING_EQUAL(account.home, "");
	CU_ASSERT_STRING_EQUAL(account.user, "bob@example.org");
	CU_ASSERT_STRING_EQUAL(account.mail_path, "/var/mail/example.org/bob");
	CU_ASSERT(account_find(&r, SLICE("bob"), &account, cause) == VERDICT_AUTHORIZATION_FAILED);
	CHECK(strstr(cause, "[mail] path = /var/mail/%d/%n") != NULL, "%s", cause);

	r = rules("nobody", "/var/mail/%u");
	CU_ASSERT(account_find(&r, SLICE("bob"), &account, cause) == VERDICT_OK);
	CU_ASSERT(account.user_uid != 0 && account.n_groups >= 1);

	r = rules("no-such-user-here", "/var/mail/%u");
	CU_ASSERT(account_find(&r, SLICE("bob"), &account, cause) == VERDICT_UNAVAILABLE);
}

static void test_check_rules(void)
{
	static const struct {
		const char *user, *path;
		int want;
		const char *cause;
	} rows[] = {
		{ "", "~/Maildir", 0, "" },
		{ "", "/var/mail/%d/%n", 0, "" },
		{ "", "Maildir", -EINVAL, "[mail] path" },
		{ "", "/var/%q", -EINVAL, "[mail] path" },
		{ "1000:1000", "/var/mail/%u", 0, "" },
		{ "1000:1000", "~/Maildir", -EINVAL, "no home" },
		{ "nobody", "/var/mail/%u", 0, "" },
		{ "no-such-user-here", "/var/mail/%u", -EINVAL, "no such user" },
		{ "1000:", "/var/mail/%u", -EINVAL, "no such user" },
		{ "4294967295:1", "/var/mail/%u", -EINVAL, "no such user" },
		{ "1:2:3", "/var/mail/%u", -EINVAL, "no such user" },
		{ "0:0", "/var/mail/%u", -EINVAL, "below" },
		{ "root", "/var/mail/%u", -EINVAL, "below" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct account_rules r = rules(rows[i].user, rows[i].path);
		char cause[ACCOUNT_CAUSE_BYTES] = "";

		CHECK(account_check_rules(&r, cause) == rows[i].want, "row %zu: %s", i, cause);
		CHECK(strstr(cause, rows[i].cause) != NULL, "row %zu: %s", i, cause);
	}
}

static const struct unit_test tests[] = {
	{ "valid user", test_valid_user },
	{ "system user", test_system_user },
	{ "no home", test_no_home },
	{ "virtual user", test_virtual_user },
	{ "check rules", test_check_rules },
};

UNIT_MAIN("account", tests)
