/* mbox and tar: what is written can be read back. */
#include "server/ctl/mbox.h"
#include "server/ctl/tar.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const struct {
	const char *in, *want;
} quoting[] = {
	{ "", "" },
	{ "a\n", "a\n" },
	{ "a", "a\n" },
	{ "From x\n", ">From x\n" },
	{ ">From x\n>>From y", ">>From x\n>>>From y\n" },
	{ "from x\nFromx\n> From\nFro", "from x\nFromx\n> From\nFro\n" },
	{ "a From b\n\nFrom ", "a From b\n\n>From \n" },
	{ "\r\nFrom \r\n", "\r\n>From \r\n" },
	{ ">>>", ">>>\n" },
	{ "FFrom x\n", "FFrom x\n" },
	{ "FroFrom x\nFrom\n", "FroFrom x\nFrom\n" },
};

static void mbox_of(struct slice in, size_t split, struct buf *out)
{
	struct mbox mbox;

	CU_ASSERT_EQUAL_FATAL(mbox_begin(&mbox, in, 0, out), 0);
	CU_ASSERT_EQUAL_FATAL(mbox_add(&mbox, slice_head(in, split), out), 0);
	CU_ASSERT_EQUAL_FATAL(mbox_add(&mbox, slice_tail(in, split), out), 0);
	CU_ASSERT_EQUAL_FATAL(mbox_end(&mbox, out), 0);
}

static void test_mbox_quotes_at_every_split(void)
{
	static const char line[] = "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n";

	for (size_t i = 0; i < sizeof quoting / sizeof *quoting; i++)
		for (size_t split = 0; split <= strlen(quoting[i].in); split++) {
			_cleanup_buf_ struct buf out = BUF(1000), want = BUF(1000);

			mbox_of(slice_str(quoting[i].in), split, &out);
			CU_ASSERT_EQUAL(buf_addf(&want, "%s%s\n", line, quoting[i].want), 0);
			CHECK(slice_equal(buf_slice(&out), buf_slice(&want)),
				"row %zu, split %zu: %.*s", i, split, SLICE_FMT(buf_slice(&out)));
		}
}

static void test_mbox_from_line(void)
{
	static const struct {
		const char *head;
		int64_t date;
		const char *want;
	} rows[] = {
		{ "Return-Path: <a@b.example>\n\n", 1700000000,
			"From a@b.example Tue Nov 14 22:13:20 2023\n" },
		{ "Subject: x\r\nreturn-path: c@d\r\n\r\n", 86400,
			"From c@d Fri Jan  2 00:00:00 1970\n" },
		{ "Return-Path: <>\n", 1, "From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n" },
		{ "Return-Path: <\"a b\"@c>\n", 1,
			"From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n" },
		{ "Subject: x\n\nReturn-Path: <body@b>\n", 1,
			"From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n" },
		{ "", INT64_MAX, "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(1000);
		struct mbox mbox;

		CU_ASSERT_EQUAL(mbox_begin(&mbox, slice_str(rows[i].head), rows[i].date, &out), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
	}
}

static void test_mbox_is_bounded(void)
{
	_cleanup_buf_ struct buf out = BUF(44 + 3);
	struct mbox mbox;

	CU_ASSERT_EQUAL(mbox_begin(&mbox, SLICE(""), 0, &out), 0);
	CU_ASSERT_EQUAL(mbox_add(&mbox, SLICE("abcd"), &out), -ENOBUFS);
}

static uint64_t octal(const char *at)
{
	return strtoull(at, NULL, 8);
}

static bool checksum_holds(const char *block)
{
	unsigned sum = 8 * ' ';

	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++)
		if (i < 148 || i >= 156)
			sum += (uint8_t)block[i];
	return octal(block + 148) == sum;
}

static void test_tar_header(void)
{
	_cleanup_buf_ struct buf out = BUF(10000);
	struct tar_member member = {
		.path = SLICE("Maildir/cur/1.a:2,S"),
		.mode = 0100640,
		.user_uid = 1000,
		.user_gid = 100,
		.bytes = 12345,
		.mtime = 1700000000,
	};

	CU_ASSERT_EQUAL(tar_add_header(&out, &member), 0);
	CU_ASSERT_EQUAL_FATAL(out.n, TAR_BLOCK_BYTES);
	CU_ASSERT_STRING_EQUAL(out.p, "Maildir/cur/1.a:2,S");
	CU_ASSERT_EQUAL(octal(out.p + 100), 0640);
	CU_ASSERT_EQUAL(octal(out.p + 108), 1000);
	CU_ASSERT_EQUAL(octal(out.p + 116), 100);
	CU_ASSERT_EQUAL(octal(out.p + 124), 12345);
	CU_ASSERT_EQUAL(octal(out.p + 136), 1700000000);
	CU_ASSERT_EQUAL(out.p[156], '0');
	CU_ASSERT_EQUAL(memcmp(out.p + 257,
				"ustar\0"
				"00",
				8),
		0);
	CU_ASSERT_TRUE(checksum_holds(out.p));
	CU_ASSERT_EQUAL(tar_padding(0), 0);
	CU_ASSERT_EQUAL(tar_padding(1), 511);
	CU_ASSERT_EQUAL(tar_padding(512), 0);
}

/* Names of every length: in one field, in two, and in a pax record that says how long it is. */
static void test_tar_names(void)
{
	char name[700] = "Maildir/";

	for (size_t n = strlen(name) + 1; n < 500; n++) {
		_cleanup_buf_ struct buf out = BUF(10000);
		char want[600], record[800];

		name[n - 1] = n == 70 ? '/' : 'x';
		name[n] = '\0';
		CU_ASSERT_EQUAL(
			tar_add_header(&out, &(struct tar_member){ .path = slice_str(name) }), 0);
		const char *last = out.p + out.n - TAR_BLOCK_BYTES;

		CHECK(checksum_holds(out.p) && checksum_holds(last), "%zu", n);
		if (out.n > TAR_BLOCK_BYTES) {
			size_t bytes = octal(out.p + 124);

			snprintf(record, sizeof record, "%zu path=%s\n", bytes, name);
			CHECK(out.p[156] == 'x' && strlen(record) == bytes &&
					memcmp(out.p + TAR_BLOCK_BYTES, record, bytes) == 0,
				"%zu", n);
			continue;
		}
		snprintf(want, sizeof want, "%.155s%s%.100s", last + 345, last[345] ? "/" : "",
			last);
		CHECK(strcmp(want, name) == 0, "%zu: %s", n, want);
		CHECK(n <= 170, "%zu fits", n);
	}
}

static void test_tar_large_numbers(void)
{
	_cleanup_buf_ struct buf out = BUF(10000);
	struct tar_member member = {
		.path = SLICE("a"), .bytes = 1ULL << 40, .user_uid = UINT32_MAX, .mtime = -5
	};

	CU_ASSERT_EQUAL(tar_add_header(&out, &member), 0);
	CU_ASSERT_EQUAL_FATAL(out.n, 3 * TAR_BLOCK_BYTES);
	CU_ASSERT_TRUE(slice_starts_with(slice_tail(buf_slice(&out), TAR_BLOCK_BYTES),
		SLICE("22 size=1099511627776\n18 uid=4294967295\n")));
	CU_ASSERT_EQUAL(octal(out.p + 2 * TAR_BLOCK_BYTES + 136), 0);
}

static const struct unit_test tests[] = {
	{ "mbox: quoted at every split", test_mbox_quotes_at_every_split },
	{ "mbox: From line", test_mbox_from_line },
	{ "mbox: bounded", test_mbox_is_bounded },
	{ "tar: header", test_tar_header },
	{ "tar: names", test_tar_names },
	{ "tar: large numbers", test_tar_large_numbers },
};

UNIT_MAIN("export", tests)
