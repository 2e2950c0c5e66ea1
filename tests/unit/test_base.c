/* test_base.c - slices, buffers, arena, base64, addresses, hash, modified UTF-7. */
#include "base/address.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mutf7.h"
#include "base/service.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static void test_slice_number(void)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", UINT64_MAX, true, 0 },
		{ "42", 42, true, 42 },
		{ "43", 42, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "9", 5, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
		{ "4294967296", UINT32_MAX, false, 0 },
		{ "4294967295", UINT32_MAX, true, UINT32_MAX },
		{ "007", 7, true, 7 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t value = 12345;
		bool ok = slice_number(slice_str(rows[i].text), rows[i].max, &value);

		CHECK(ok == rows[i].ok, "%s", rows[i].text);
		CHECK(value == (ok ? rows[i].value : 12345), "%s", rows[i].text);
	}
}

static void test_slice_find(void)
{
	struct slice s = SLICE("one,two,,three");
	struct slice item;
	const char *wants[] = { "one", "two", "", "three" };
	size_t n = 0;

	CHECK(slice_find(s, ',') == 3, "first");
	CHECK(slice_find_last(s, ',') == 8, "last");
	CHECK(slice_find(s, 'X') == -1 && slice_find((struct slice){ NULL, 0 }, 'X') == -1, "none");
	CHECK(slice_find_slice(s, SLICE("three")) == 9, "word");
	CHECK(slice_find_slice(s, SLICE("")) == 0, "empty needle");
	while (slice_split(&s, ',', &item)) {
		CHECK(n < 4 && slice_equal(item, slice_str(wants[n])), "item %zu", n);
		n++;
	}
	CHECK(n == 4, "items");
	CHECK(slice_compare(SLICE("ab"), SLICE("abc")) < 0 && slice_compare(SLICE("b"), SLICE("abc")) > 0, "order");
	CHECK(slice_equal(slice_trim(SLICE(" \t a b\r\n")), SLICE("a b")), "trim");
}

static void test_slice_prefix(void)
{
	struct slice s = SLICE("LOGIN rest");
	char small[5];

	CHECK(slice_skip_nocase(&s, SLICE("login")) && slice_equal(s, SLICE(" rest")), "skip word");
	CHECK(!slice_skip(&s, 'x') && slice_skip(&s, ' ') && slice_equal(s, SLICE("rest")), "skip char");
	CHECK(slice_ends_with(s, SLICE("st")) && !slice_ends_with(s, SLICE("xrest")), "suffix");
	CHECK(slice_equal_nocase(SLICE("AbC"), SLICE("aBc")) && !slice_equal_nocase(SLICE("@"), SLICE("`")), "case");
	CHECK(slice_to_str(s, small, sizeof small) && strcmp(small, "rest") == 0, "to_str");
	CHECK(!slice_to_str(SLICE("tooth"), small, sizeof small), "to_str too long");
	CHECK(!slice_to_str(SLICE("a\0b"), small, sizeof small), "to_str with NUL");
	CHECK(slice_tail(s, 99).n == 0 && slice_head(s, 99).n == 4, "beyond the end");
}

static void test_buf_limits(void)
{
	struct buf b = BUF(10);

	CHECK(buf_add_str(&b, "12345678") == 0, "fits");
	CHECK(buf_add_str(&b, "9ab") == -ENOBUFS && b.n == 8, "too much leaves it as it was");
	CHECK(buf_addf(&b, "%d", 90) == 0 && slice_equal(buf_slice(&b), SLICE("1234567890")), "to the brim");
	CHECK(buf_reserve(&b, 1) == NULL && buf_room(&b) == 0, "full");
	buf_consume(&b, 8);
	CHECK(slice_equal(buf_slice(&b), SLICE("90")) && buf_room(&b) == 8, "consumed");
	CHECK(buf_add_str(&b, "abcdefgh") == 0 && slice_equal(buf_slice(&b), SLICE("90abcdefgh")), "refilled");
	buf_truncate(&b, 1);
	CHECK(slice_equal(buf_slice(&b), SLICE("9")), "truncated");
	buf_done(&b);
	CHECK(b.n == 0 && b.p == NULL && b.max_bytes == 10, "done");
}

static void test_buf_stream(void)
{
	/* Fill and drain unevenly: what comes out is what went in, and memory stays bounded. */
	struct buf b = BUF(100000);
	unsigned in = 0, out = 0;

	for (int round = 0; round < 5000; round++) {
		for (int i = 0; i < round % 37; i++)
			CHECK(buf_add_char(&b, (char)(in++ % 251)) == 0, "add");
		for (size_t i = 0, n = b.n / 2; i < n; i++) {
			if ((uint8_t)b.p[0] != out % 251)
				CHECK(false, "byte %u", out);
			out++;
			buf_consume(&b, 1);
		}
	}
	CHECK(b.cap <= 512, "capacity %zu for little content", b.cap);
	buf_done(&b);
}

static void test_buf_wipe(void)
{
	struct buf b = BUF(1000);

	CHECK(buf_add_str(&b, "secret and more") == 0, "add");

	char *at = b.p;

	buf_consume_wipe(&b, 6);
	CHECK(memcmp(at, "\0\0\0\0\0\0", 6) == 0 && slice_equal(buf_slice(&b), SLICE(" and more")), "wiped");
	buf_done_wipe(&b);
}

static void test_buf_addf_long(void)
{
	struct buf b = BUF(5000);
	char text[2001];

	memset(text, 'x', 2000);
	text[2000] = '\0';
	CHECK(buf_addf(&b, "<%s>", text) == 0 && b.n == 2002 && b.p[2001] == '>', "longer than the stack buffer");
	CHECK(buf_addf(&b, "%s%s", text, text) == -ENOBUFS && b.n == 2002, "beyond the maximum");
	buf_done(&b);
}

static void test_arena(void)
{
	struct arena a = { 0 };
	char *first = arena_alloc(&a, 100);
	struct slice copy = arena_copy(&a, SLICE("copy"));
	char *large = arena_alloc(&a, 100000);

	CHECK(first[0] == 0 && first[99] == 0 && large[99999] == 0, "zeroed");
	CHECK((uintptr_t)arena_alloc(&a, 1) % _Alignof(max_align_t) == 0, "aligned");
	CHECK(slice_equal(copy, SLICE("copy")) && strcmp(arena_str(&a, SLICE("str")), "str") == 0, "copies");
	CHECK(slice_equal(arena_format(&a, "%d-%s", 7, "x"), SLICE("7-x")), "format");
	arena_reset(&a);
	CHECK(a.total_bytes == 0, "reset");
	memset(arena_alloc(&a, 5000), 1, 5000);
	arena_reset(&a);
	arena_reset(&a);
	arena_done(&a);
	CHECK(a.blocks == NULL, "done");
}

static void test_base64(void)
{
	static const struct {
		const char *plain, *encoded;
	} rows[] = { /* RFC 4648 section 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
	};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm-v", "Zg=g",
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = BUF(100);

		CHECK(base64_encode(slice_str(rows[i].plain), &out) == 0, "%zu", i);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].encoded)), "%zu", i);
		buf_clear(&out);
		CHECK(base64_decode(slice_str(rows[i].encoded), &out) == 0, "%zu", i);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].plain)), "%zu", i);
		buf_done(&out);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf out = BUF(100);

		CHECK(base64_decode(slice_str(bad[i]), &out) == -EINVAL && out.n == 0, "%s", bad[i]);
		buf_done(&out);
	}

	struct buf small = BUF(2);

	CHECK(base64_decode(SLICE("Zm9v"), &small) == -ENOBUFS, "no room");
	buf_done(&small);
}

static void test_address(void)
{
	static const struct {
		const char *text, *want; /* NULL: not an address */
	} rows[] = {
		{ "127.0.0.1:993", "127.0.0.1:993" },
		{ "[::1]:995", "[::1]:995" },
		{ "[::ffff:192.0.2.7]:110", "192.0.2.7:110" },
		{ "0.0.0.0:65535", "0.0.0.0:65535" },
		{ "127.0.0.1:0", NULL }, { "127.0.0.1:65536", NULL }, { "127.0.0.1", NULL }, { "::1:993", NULL },
		{ "[::1]", NULL }, { "localhost:993", NULL }, { "", NULL }, { ":993", NULL }, { "[]:1", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address a;
		char text[ADDRESS_TEXT_BYTES];
		bool ok = address_parse_port(slice_str(rows[i].text), &a);

		CHECK(ok == (rows[i].want != NULL), "%s", rows[i].text);
		if (ok && rows[i].want) {
			address_format_port(&a, text);
			CHECK(strcmp(text, rows[i].want) == 0, "%s: %s", rows[i].text, text);
		}
	}
}

static void test_address_client(void)
{
	struct address a, b, c;

	CHECK(address_parse_port(SLICE("[2001:db8::1]:1"), &a), "a");
	CHECK(address_parse_port(SLICE("[2001:db8::ffff:2]:9"), &b), "b");
	CHECK(address_parse_port(SLICE("[2001:db8:0:1::1]:1"), &c), "c");
	a = address_client(&a);
	b = address_client(&b);
	c = address_client(&c);
	CHECK(address_equal(&a, &b) && !address_equal(&a, &c), "one client is a /64");

	struct sockaddr_storage sa = { .ss_family = AF_INET6 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

	inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6->sin6_addr);
	in6->sin6_port = htons(77);
	a = address_from_sockaddr(&sa);

	char text[ADDRESS_TEXT_BYTES];

	address_format_port(&a, text);
	CHECK(strcmp(text, "10.1.2.3:77") == 0, "mapped: %s", text);
	sa.ss_family = AF_UNIX;
	a = address_from_sockaddr(&sa);
	address_format(&a, text);
	CHECK(strcmp(text, "unknown") == 0, "unix: %s", text);
}

static void test_hash(void)
{
	/* The first and the 16th vector of the SipHash-2-4 reference. */
	uint8_t key[HASH_KEY_BYTES], message[15];

	for (int i = 0; i < HASH_KEY_BYTES; i++)
		key[i] = (uint8_t)i;
	for (int i = 0; i < 15; i++)
		message[i] = (uint8_t)i;
	CHECK(hash_siphash(key, (struct slice){ NULL, 0 }) == 0x726fdb47dd0e0e31, "empty");
	CHECK(hash_siphash(key, slice_from(message, 15)) == 0xa129ca6149be45e5, "15 bytes");
}

static void keep_line(void *arg, enum log_priority priority, struct slice line)
{
	(void)priority;
	CHECK(slice_to_str(line, arg, LOG_LINE_MAX_BYTES + 1), "fits");
}

static void test_log(void)
{
	char line[LOG_LINE_MAX_BYTES + 1];
	struct log log = { keep_line, line };

	log_line(&log, LOG_PRIORITY_INFO, "a\nb\r\x1b[%s", "c\x7f");
	CHECK(strcmp(line, "a?b??[c?") == 0, "%s", line);
	log_line(&log, LOG_PRIORITY_INFO, "%*s", 5000, "x");
	CHECK(strlen(line) == LOG_LINE_MAX_BYTES, "cut");
	log_line(NULL, LOG_PRIORITY_INFO, "nowhere");
}

static void test_service(void)
{
	enum service s;

	CHECK(service_parse(SLICE("pop3s"), &s) && s == SERVICE_POP3S && service_is_implicit_tls(s), "pop3s");
	CHECK(!service_is_imap(s) && service_is_imap(SERVICE_IMAP) && !service_is_implicit_tls(SERVICE_IMAP), "kinds");
	CHECK(!service_parse(SLICE("pop"), &s) && !service_parse(SLICE("IMAP"), &s), "unknown");
}

static const struct {
	const char *encoded, *utf8; /* utf8 NULL: not the one right form */
} mutf7_names[] = {
	{ "INBOX", "INBOX" },
	{ "", "" },
	{ "a&-b", "a&b" },
	{ "&-&-", "&&" },
	{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
	{ "&2D3eAA-", "\xf0\x9f\x98\x80" },
	{ "&", NULL },
	{ "&APw", NULL },
	{ "&AGE-", NULL },      /* "a" must stand for itself */
	{ "&APw-&APw-", NULL }, /* must be one shift */
	{ "&2D0-", NULL },      /* half a pair */
	{ "&3gA-", NULL },
	{ "&AP-", NULL },  /* not a whole unit */
	{ "&APx-", NULL }, /* bits left over */
	{ "&AP/8-", NULL },
	{ "\xc3\xbc", NULL },
	{ "a\nb", NULL },
	{ "&AAA-", NULL },
};

static void test_mutf7(void)
{
	for (size_t i = 0; i < sizeof mutf7_names / sizeof *mutf7_names; i++) {
		_cleanup_buf_ struct buf got = BUF(1000);
		int r = mutf7_decode(slice_str(mutf7_names[i].encoded), &got);

		if (!mutf7_names[i].utf8) {
			CHECK(r == -EINVAL && got.n == 0, "row %zu: %d", i, r);
			continue;
		}
		CHECK(r == 0 && slice_equal(buf_slice(&got), slice_str(mutf7_names[i].utf8)),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&got)));
		buf_clear(&got);
		r = mutf7_encode(slice_str(mutf7_names[i].utf8), &got);
		CHECK(r == 0 && slice_equal(buf_slice(&got), slice_str(mutf7_names[i].encoded)),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&got)));
	}

	_cleanup_buf_ struct buf small = BUF(3);

	CHECK(mutf7_encode(SLICE("\xc3\xbc"), &small) == -ENOBUFS && small.n == 0, "no room");
	CHECK(mutf7_encode(SLICE("\xff"), &small) == -EINVAL, "not UTF-8");
}

static const struct unit_test tests[] = {
	{ "slice number", test_slice_number },
	{ "slice find", test_slice_find },
	{ "slice prefix", test_slice_prefix },
	{ "buf limits", test_buf_limits },
	{ "buf stream", test_buf_stream },
	{ "buf wipe", test_buf_wipe },
	{ "buf addf long", test_buf_addf_long },
	{ "arena", test_arena },
	{ "base64", test_base64 },
	{ "address", test_address },
	{ "address client", test_address_client },
	{ "hash", test_hash },
	{ "log", test_log },
	{ "modified UTF-7", test_mutf7 },
	{ "service", test_service },
};

UNIT_MAIN("base", tests)
