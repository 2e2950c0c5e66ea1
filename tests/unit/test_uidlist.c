#include "maildir/uidlist.h"
#include "tests/unit/unit.h"

#include <errno.h>

#define GUID "00496d127b02026ba929000083ecc375"

static const struct {
	const char *line;
	bool ok;
	struct uidlist_header want;
} HEADERS[] = {
	{ "3 V1700000000 N42 G" GUID, true, { 3, 1700000000, 42, GUID, "" } },
	{ "3 V1 N1", true, { 3, 1, 1, "", "" } },
	{ "3 N1 V1 G00496D127B02026BA929000083ECC375", true, { 3, 1, 1, GUID, "" } },
	{ "3 V1 N1 P%f Zzz", true, { 3, 1, 1, "", "P%f Zzz" } },
	{ "3 V1  N1 ", true, { 3, 1, 1, "", "" } },
	{ "1 777 8", true, { 1, 777, 8, "", "" } },
	{ "1 777 8 0123456789abcdef", true, { 1, 777, 8, "", "" } },
	{ "", false, { 0 } },
	{ "3", false, { 0 } },
	{ "3 V1", false, { 0 } },
	{ "3 N1", false, { 0 } },
	{ "3 V0 N1", false, { 0 } },
	{ "3 V1 N0", false, { 0 } },
	{ "3 V4294967295 N1", false, { 0 } },
	{ "3 V99999999999 N1", false, { 0 } },
	{ "3 V-1 N1", false, { 0 } },
	{ "3 V1 N1 Gshort", false, { 0 } },
	{ "2 V1 N1", false, { 0 } },
	{ "4 V1 N1", false, { 0 } },
	{ "1 777", false, { 0 } },
	{ "1 x 8", false, { 0 } },
};

static void test_headers(void)
{
	for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
		struct uidlist_header header = { 0 };

		CHECK(uidlist_parse_header(slice_str(HEADERS[i].line), &header) == HEADERS[i].ok,
			"row %zu", i);
		CHECK(header.version == HEADERS[i].want.version &&
				header.uidvalidity == HEADERS[i].want.uidvalidity &&
				header.uidnext == HEADERS[i].want.uidnext &&
				strcmp(header.guid, HEADERS[i].want.guid) == 0 &&
				strcmp(header.others, HEADERS[i].want.others) == 0,
			"row %zu", i);
	}
}

static const struct {
	unsigned version;
	const char *line;
	bool ok;
	uint32_t msg_uid;
	const char *fields, *base;
} RECORDS[] = {
	{ 3, "17 :1.a,S=5", true, 17, "", "1.a,S=5" },
	{ 3, "17 W1234 :1.a", true, 17, "W1234", "1.a" },
	{ 3, "17 P O5 Gabc :1.a", true, 17, "P O5 Gabc", "1.a" },
	{ 3, "17 W1  O5 :1.a", true, 17, "W1  O5", "1.a" },
	{ 3, "17 :1.a:2,S", true, 17, "", "1.a" },
	{ 3, "17 :a b c", true, 17, "", "a b c" },
	{ 3, "17 x5 :1.a", true, 17, "x5", "1.a" },
	{ 3, "17 Pa:b :1.a", true, 17, "Pa:b", "1.a" },
	{ 1, "17 1.a", true, 17, "", "1.a" },
	{ 1, "17 1.a:2,S", true, 17, "", "1.a" },
	{ 3, "", false, 0, "", "" },
	{ 3, "17", false, 0, "", "" },
	{ 3, "17 ", false, 0, "", "" },
	{ 3, "17 :", false, 0, "", "" },
	{ 3, "17 ::2,S", false, 0, "", "" },
	{ 3, "17 W5", false, 0, "", "" },
	{ 3, "0 :a", false, 0, "", "" },
	{ 3, "4294967295 :a", false, 0, "", "" },
	{ 3, "-1 :a", false, 0, "", "" },
	{ 3, "x :a", false, 0, "", "" },
	{ 3, "17 :a/b", false, 0, "", "" },
	{ 3, "17 :../b", false, 0, "", "" },
	{ 3, "17 :a\r", false, 0, "", "" },
	{ 1, "17 ", false, 0, "", "" },
};

static void test_records(void)
{
	for (size_t i = 0; i < sizeof RECORDS / sizeof *RECORDS; i++) {
		struct uidlist_record record = { 0 };

		CHECK(uidlist_parse_record(RECORDS[i].version, slice_str(RECORDS[i].line),
			      &record) == RECORDS[i].ok,
			"row %zu", i);
		CHECK(record.msg_uid == RECORDS[i].msg_uid &&
				slice_equal(record.fields, slice_str(RECORDS[i].fields)) &&
				slice_equal(record.base, slice_str(RECORDS[i].base)),
			"row %zu: \"%.*s\" \"%.*s\"", i, SLICE_FMT(record.fields),
			SLICE_FMT(record.base));
	}
}

static void test_long_names(void)
{
	char line[400] = "5 :";

	memset(line + 3, 'a', 255);
	line[258] = '\0';

	struct uidlist_record record;

	CU_ASSERT(uidlist_parse_record(3, slice_str(line), &record));
	strcat(line, "a");
	CU_ASSERT_FALSE(uidlist_parse_record(3, slice_str(line), &record));
}

static void test_format(void)
{
	_cleanup_buf_ struct buf out = BUF(1000);
	struct uidlist_header header = { 3, 5, 7, GUID, "P%f Zzz" };
	struct uidlist_record record = { 17, SLICE("W12 O5"), SLICE("1.a,S=5") };
	struct uidlist_record plain = { 18, SLICE(""), SLICE("1.b") };

	CU_ASSERT_EQUAL(uidlist_format_header(&header, &out), 0);
	CU_ASSERT_EQUAL(uidlist_format_record(&record, &out), 0);
	CU_ASSERT_EQUAL(uidlist_format_record(&plain, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out),
		SLICE("3 V5 N7 G" GUID " P%f Zzz\n17 W12 O5 :1.a,S=5\n18 :1.b\n")));

	_cleanup_buf_ struct buf small = BUF(8);

	CU_ASSERT_EQUAL(uidlist_format_record(&record, &small), -ENOBUFS);
	CU_ASSERT_EQUAL(small.n, 0);
}

static void test_fields(void)
{
	_cleanup_buf_ struct buf out = BUF(1000);
	struct slice value;

	CU_ASSERT(uidlist_field(SLICE("W12 P O5"), 'P', &value) && value.n == 0);
	CU_ASSERT(uidlist_field(SLICE("W12 P O5"), 'O', &value) && slice_equal(value, SLICE("5")));
	CU_ASSERT_FALSE(uidlist_field(SLICE("W12 P O5"), 'G', &value));
	CU_ASSERT_FALSE(uidlist_field(SLICE(""), 'G', &value));
	CU_ASSERT_EQUAL(uidlist_fields_with(SLICE("W12 P O5"), 'W', SLICE("13"), &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("P O5 W13")));
	buf_clear(&out);
	CU_ASSERT_EQUAL(uidlist_fields_with(SLICE(""), 'W', SLICE("13"), &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("W13")));
}

static const struct unit_test TESTS[] = {
	{ "headers", test_headers },
	{ "records", test_records },
	{ "long names", test_long_names },
	{ "writing", test_format },
	{ "fields of a record", test_fields },
};

UNIT_MAIN("test_uidlist", TESTS)
