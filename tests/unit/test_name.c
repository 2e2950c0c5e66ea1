/* Names of mailboxes and their directories. The forms on disk are those Dovecot 2.3 with listescape writes. */
#include "maildir/name.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const struct {
	const char *name, *directory; /* directory NULL: not allowed */
	char separator;
} names[] = {
	{ "INBOX", ".", '/' },
	{ "Sent", ".Sent", '/' },
	{ "a/b/c", ".a.b.c", '/' },
	{ "a.b.c", ".a.b.c", '.' },
	{ "a.b/c", ".a\\2eb.c", '/' },
	{ "a/b.c", ".a\\2fb.c", '.' },
	{ "b\\y", ".b\\5cy", '/' },
	{ "~x/~y/x~", ".\\7ex.\\7ey.x~", '/' },
	{ ".hid", ".\\2ehid", '/' },
	{ "..", ".\\2e\\2e", '/' },
	{ "cur", ".cur", '/' },
	{ "a&b", ".a&-b", '/' },
	{ "a*b%", ".a*b%", '/' },
	{ "new\\2ex", ".new\\5c2ex", '/' },
	{ "INBOX/foo", ".INBOX.foo", '/' },
	{ "foo/INBOX", ".foo.INBOX", '/' },
	{ "foo/inbox", ".foo.inbox", '/' },
	{ "\xe6\x97\xa5\xe6\x9c\xac/\xe2\x98\xba", ".&ZeVnLA-.&Jjo-", '/' },
	{ "\xe6\x97\xa5.\xe6\x9c\xac", ".&ZeU-\\2e&Zyw-", '/' },
	{ "\xe6\x97\xa5.\xe6\x9c\xac", ".&ZeU-.&Zyw-", '.' },
	{ "", NULL, '/' },
	{ "/", NULL, '/' },
	{ "/a", NULL, '/' },
	{ "a/", NULL, '/' },
	{ "a//b", NULL, '/' },
	{ "a..b", NULL, '.' },
	{ "a\nb", NULL, '/' },
	{ "a\x7f", NULL, '/' },
	{ "\xff", NULL, '/' },
	{ "\xed\xa0\x80", NULL, '/' },
};

static void test_directories(void)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		_cleanup_buf_ struct buf back = BUF(1000);
		char directory[NAME_DIRECTORY_BYTES];
		int r = name_to_directory(slice_str(names[i].name), names[i].separator, directory);

		if (!names[i].directory) {
			CHECK(r == -EINVAL, "row %zu: %d", i, r);
			continue;
		}
		CHECK(r == 0 && strcmp(directory, names[i].directory) == 0, "row %zu: %s", i,
			directory);
		r = name_from_directory(slice_str(names[i].directory), names[i].separator, &back);
		CHECK(r == 0 && slice_equal(buf_slice(&back), slice_str(names[i].name)),
			"row %zu: %d %.*s", i, r, SLICE_FMT(buf_slice(&back)));
	}
	CHECK(name_to_directory(slice_from("a\0b", 3), '/', (char[NAME_DIRECTORY_BYTES]){ 0 }) ==
			-EINVAL,
		"NUL");
}

static void test_inbox(void)
{
	char directory[NAME_DIRECTORY_BYTES];

	CHECK(name_to_directory(SLICE("inBox"), '/', directory) == 0 && strcmp(directory, ".") == 0,
		"%s", directory);
	CHECK(name_to_directory(SLICE("inbox/x"), '/', directory) == 0 &&
			strcmp(directory, ".INBOX.x") == 0,
		"%s", directory);
}

static void test_foreign(void)
{
	static const char *const directories[] = { "", "..", "tmp", "cur", "...", ".a.", "..a",
		".a..b", ".INBOX", ".inbox", ".inbox.x", ".a\\2", ".a\\zz", ".a\\2Eb", ".\\61",
		".~x", ".a\\", ".&", ".&AGE-", ".\xc3\xbc", ".a\nb", ".a\\0ab", ".a\\00b",
		".a\\2fb", ".a\\26ZeU-" };

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		_cleanup_buf_ struct buf out = BUF(1000);

		CHECK(buf_add_char(&out, 'x') == 0, "room");
		CHECK(name_from_directory(slice_str(directories[i]), '/', &out) == -EINVAL &&
				out.n == 1,
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
	}
}

static void test_limits(void)
{
	char name[600], directory[NAME_DIRECTORY_BYTES];
	_cleanup_buf_ struct buf out = BUF(600);

	memset(name, 'x', sizeof name);
	CHECK(name_to_directory(slice_from(name, LIMIT_NAME_BYTES - 1), '/', directory) == 0,
		"longest");
	CHECK(strlen(directory) == LIMIT_NAME_BYTES, "%zu", strlen(directory));
	CHECK(name_from_directory(slice_str(directory), '/', &out) == 0, "and back");
	CHECK(name_to_directory(slice_from(name, LIMIT_NAME_BYTES), '/', directory) ==
			-ENAMETOOLONG,
		"too long");
	for (size_t i = 1; i < sizeof name; i += 2)
		name[i] = '/';
	CHECK(name_to_directory(slice_from(name, 2 * LIMIT_MAILBOX_LEVELS - 1), '/', directory) ==
			0,
		"deepest");
	CHECK(name_to_directory(slice_from(name, 2 * LIMIT_MAILBOX_LEVELS + 1), '/', directory) ==
			-ENAMETOOLONG,
		"too deep");

	_cleanup_buf_ struct buf small = BUF(3);

	CHECK(name_from_directory(SLICE(".abcd"), '/', &small) == -ENOBUFS && small.n == 0,
		"no room");
}

static void test_new(void)
{
	static const struct {
		const char *name;
		int want;
	} rows[] = {
		{ "a/b", 0 },
		{ "\xe4\xb8\x8b\xe6\x9b\xb8\xe3\x81\x8d", 0 },
		{ "tmpx", 0 },
		{ "a.b", 0 },
		{ "cur", -EINVAL },
		{ "a/New", -EINVAL },
		{ "tmp/a", -EINVAL },
		{ "restante.index", -EINVAL },
		{ "..", -EINVAL },
		{ "a/../b", -EINVAL },
		{ ".", -EINVAL },
		{ "a\xc2\x85", -EINVAL },
		{ "a\xe2\x80\xa8", -EINVAL },
		{ "\xff", -EINVAL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(name_check_new(slice_str(rows[i].name), '/') == rows[i].want, "row %zu", i);
}

static void test_order(void)
{
	static const char *const sorted[] = { "INBOX", "INBOX/a", "A", "A/b", "A b", "A-", "INBOXX",
		"a", "a/a", "a/a/a", "a/b", "aa" };

	for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++)
		for (size_t j = 0; j < sizeof sorted / sizeof *sorted; j++) {
			int order = name_compare(slice_str(sorted[i]), slice_str(sorted[j]), '/');

			CHECK(i < j     ? order < 0
				: i > j ? order > 0
					: order == 0,
				"%s %s", sorted[i], sorted[j]);
		}
	CHECK(name_is_below(SLICE("a/b"), SLICE("a"), '/') &&
			!name_is_below(SLICE("ab"), SLICE("a"), '/') &&
			!name_is_below(SLICE("a"), SLICE("a"), '/') &&
			!name_is_below(SLICE("a/"), SLICE("a"), '/'),
		"below");
}

static const struct unit_test tests[] = {
	{ "directories", test_directories },
	{ "INBOX", test_inbox },
	{ "foreign directories", test_foreign },
	{ "limits", test_limits },
	{ "new names", test_new },
	{ "order", test_order },
};
UNIT_MAIN("name", tests)
