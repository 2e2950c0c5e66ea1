#include "auth/expand.h"

#include "tests/unit/unit.h"

#include <errno.h>

static void test_rows(void)
{
	static const struct {
		const char *template, *user, *home;
		int result;
		const char *want;
	} rows[] = {
		{ "~/Maildir", "alice", "/home/alice", 0, "/home/alice/Maildir" },
		{ "~", "alice", "/home/alice", 0, "/home/alice" },
		{ "~/Maildir/", "alice", "/home//alice/", 0, "/home/alice/Maildir" },
		{ "~/Maildir", "root", "/", 0, "/Maildir" },
		{ "~", "root", "/", -EINVAL, NULL },
		{ "~bob/Maildir", "alice", "/home/alice", -EINVAL, NULL },
		{ "~/Maildir", "alice", "", -ENOENT, NULL },
		{ "~/Maildir", "alice", "home/alice", -EINVAL, NULL },
		{ "~/Maildir", "alice", "/home/../etc", -EINVAL, NULL },
		{ "~/Maildir", "alice", "/home/./alice", -EINVAL, NULL },
		{ "/var/mail/%u", "alice", "", 0, "/var/mail/alice" },
		{ "/var/mail/%u", "a@b.org", "", 0, "/var/mail/a@b.org" },
		{ "/var/mail/%d/%n", "a@b.org", "", 0, "/var/mail/b.org/a" },
		{ "/var/mail/%d/%n", "a@b@c", "", 0, "/var/mail/c/a@b" },
		{ "/var/mail/%n", "alice", "", 0, "/var/mail/alice" },
		{ "/var/mail/%d/%n", "alice", "", -EDOM, NULL },
		{ "/var/mail/%d/%n", "alice@", "", -EDOM, NULL },
		{ "/var/mail/%d/%n", "@b.org", "", -EDOM, NULL },
		{ "/var/mail/%d/%n", "..@b.org", "", -EDOM, NULL },
		{ "/var/mail/%d/%n", "alice@..", "", -EDOM, NULL },
		{ "/var/mail/%d/%n", ".@b.org", "", -EDOM, NULL },
		{ "/var/mail/%u", "..", "", -EDOM, NULL },
		{ "/var/mail/%u", "a/b", "", -EDOM, NULL },
		{ "/var/mail/%u", "", "", -EDOM, NULL },
		{ "/var/mail/%d", "a@b/c", "", -EDOM, NULL },
		{ "/var/mail/.%n", ".@x", "", -EDOM, NULL },
		{ "/var/mail/%u.d/100%%", "alice", "", 0, "/var/mail/alice.d/100%" },
		{ "/var/mail/~%u", "alice", "", 0, "/var/mail/~alice" },
		{ "/var//mail///%u//", "alice", "", 0, "/var/mail/alice" },
		{ "/var/mail/%x", "alice", "", -EINVAL, NULL },
		{ "/var/mail/%", "alice", "", -EINVAL, NULL },
		{ "var/mail/%u", "alice", "", -EINVAL, NULL },
		{ "%u", "alice", "", -EINVAL, NULL },
		{ "", "alice", "", -EINVAL, NULL },
		{ "/", "alice", "", -EINVAL, NULL },
		{ "//", "alice", "", -EINVAL, NULL },
		{ "/a/../b", "alice", "", -EINVAL, NULL },
		{ "/a/..", "alice", "", -EINVAL, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct expand_names names = { slice_str(rows[i].user), slice_str(rows[i].home) };
		char path[LIMIT_PATH_BYTES + 1] = "untouched";
		int r = expand_path(rows[i].template, &names, path);

		CHECK(r == rows[i].result, "row %zu: %d", i, r);
		CHECK(strcmp(path, r == 0 ? rows[i].want : "untouched") == 0, "row %zu: %s", i, path);
	}
}

static void test_too_long(void)
{
	char user[LIMIT_USER_BYTES + 1], path[LIMIT_PATH_BYTES + 1];
	struct expand_names names = { .user = slice_from(user, LIMIT_USER_BYTES) };

	memset(user, 'u', sizeof user);
	CU_ASSERT(expand_path("/%u/%u/%u/%u", &names, path) == 0);
	CU_ASSERT(strlen(path) == 4 * (LIMIT_USER_BYTES + 1));
	CU_ASSERT(expand_path("/%u/%u/%u/%u/", &names, path) == -ENAMETOOLONG);
	CU_ASSERT(expand_path("/%u/%u/%u/%u/%u", &names, path) == -ENAMETOOLONG);
}

static const struct unit_test tests[] = { { "rows", test_rows }, { "too long", test_too_long } };

UNIT_MAIN("expand", tests)
