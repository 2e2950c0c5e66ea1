#include "auth/sasl.h"

#include "base/base64.h"
#include "base/limits.h"
#include "tests/unit/unit.h"

#include <errno.h>

static struct buf encode(struct slice message)
{
	struct buf out = BUF(8192);

	CU_ASSERT(base64_encode(message, &out) == 0);
	return out;
}

static void test_mechanism(void)
{
	CU_ASSERT(sasl_mechanism_parse(SLICE("PLAIN")) == SASL_PLAIN);
	CU_ASSERT(sasl_mechanism_parse(SLICE("plain")) == SASL_PLAIN);
	CU_ASSERT(sasl_mechanism_parse(SLICE("PLAINX")) == SASL_NONE);
	CU_ASSERT(sasl_mechanism_parse(SLICE("LOGIN")) == SASL_NONE);
	CU_ASSERT(sasl_mechanism_parse(SLICE("")) == SASL_NONE);
}

static void test_plain(void)
{
	static const struct {
		struct slice message;
		int want;
		struct slice authzid, authcid, password;
	} rows[] = {
		{ SLICE("\0tim\0tanstaaftanstaaf"), 0, SLICE(""), SLICE("tim"), SLICE("tanstaaftanstaaf") },
		{ SLICE("Ursel\0Kurt\0xipj3plmq"), 0, SLICE("Ursel"), SLICE("Kurt"), SLICE("xipj3plmq") },
		{ SLICE("\0u\0"), 0, SLICE(""), SLICE("u"), SLICE("") },
		{ SLICE("\0u\0 p\xc3\xa4ss w\xf6rd "), 0, SLICE(""), SLICE("u"), SLICE(" p\xc3\xa4ss w\xf6rd ") },
		{ SLICE("\0\0secret"), -EINVAL, SLICE(""), SLICE(""), SLICE("") },
		{ SLICE("\0user"), -EINVAL, SLICE(""), SLICE(""), SLICE("") },
		{ SLICE("user"), -EINVAL, SLICE(""), SLICE(""), SLICE("") },
		{ SLICE("\0u\0p\0"), -EINVAL, SLICE(""), SLICE(""), SLICE("") },
		{ SLICE("\0u\0p\0q"), -EINVAL, SLICE(""), SLICE(""), SLICE("") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = encode(rows[i].message), decoded = BUF(4096);
		struct sasl_plain plain = { 0 };
		int r = sasl_plain_parse(buf_slice(&text), &decoded, &plain);

		CHECK(r == rows[i].want, "row %zu: %d", i, r);
		CHECK(slice_equal(plain.authzid, rows[i].authzid), "row %zu", i);
		CHECK(slice_equal(plain.authcid, rows[i].authcid), "row %zu", i);
		CHECK(slice_equal(plain.password, rows[i].password), "row %zu", i);
		CHECK(r == 0 || decoded.base == NULL, "row %zu: not wiped", i);
		buf_done_wipe(&decoded);
		buf_done(&text);
	}
}

static void test_not_base64(void)
{
	static const char *const rows[] = { "", "=", "==", "A", "AHUAc", "AHUAc*==", "AHUAcA=", "AHUAcB==", "*" };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf decoded = BUF(4096);
		struct sasl_plain plain;

		CHECK(sasl_plain_parse(slice_str(rows[i]), &decoded, &plain) == -EINVAL, "row %zu", i);
		CU_ASSERT(decoded.base == NULL);
	}
}

/* Each field at its limit, and one beyond. */
static void test_limits(void)
{
	static const struct {
		size_t authzid, authcid, password;
		int want;
	} rows[] = {
		{ LIMIT_USER_BYTES, LIMIT_USER_BYTES, LIMIT_PASSWORD_BYTES, 0 },
		{ LIMIT_USER_BYTES + 1, 1, 1, -EINVAL },
		{ 0, LIMIT_USER_BYTES + 1, 1, -EINVAL },
		{ 0, 1, LIMIT_PASSWORD_BYTES + 1, -EINVAL },
		{ 0, 1, 6000, -EINVAL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char message[8192];
		size_t n = rows[i].authzid + rows[i].authcid + rows[i].password + 2;
		struct sasl_plain plain;

		memset(message, 'x', n);
		message[rows[i].authzid] = '\0';
		message[rows[i].authzid + 1 + rows[i].authcid] = '\0';

		struct buf text = BUF(16384), decoded = BUF(4096);

		CU_ASSERT(base64_encode(slice_from(message, n), &text) == 0);
		CHECK(sasl_plain_parse(buf_slice(&text), &decoded, &plain) == rows[i].want, "row %zu", i);
		buf_done_wipe(&decoded);
		buf_done(&text);
	}
}

static const struct unit_test tests[] = {
	{ "mechanism", test_mechanism },
	{ "plain", test_plain },
	{ "not base64", test_not_base64 },
	{ "limits", test_limits },
};

UNIT_MAIN("sasl", tests)
