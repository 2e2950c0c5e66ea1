#include "unit.h"

#include "server/front/log_limit.h"
#include "server/front/tls_name.h"
#include "server/front/tls_ticket.h"

static void test_names(void)
{
	static const struct slice names[] = {
		{ "", 0 }, SLICE("mail.example.org"), SLICE("*.example.org"), SLICE("*.mail.example.org"), SLICE("a.b.example.net"),
	};
	static const struct {
		const char *host;
		size_t want;
	} rows[] = {
		{ "mail.example.org", 1 }, { "MAIL.Example.ORG", 1 }, { "mail.example.org.", 1 }, { "imap.example.org", 2 },
		{ "x.mail.example.org", 3 }, { "a.b.example.org", 0 }, { "example.org", 0 }, { ".example.org", 0 }, { "a.b.example.net", 4 },
		{ "b.example.net", 0 }, { "", 0 }, { ".", 0 }, { "*.example.org", 2 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(tls_name_find(names, sizeof names / sizeof *names, slice_str(rows[i].host)) == rows[i].want, "row %zu", i);
	CU_ASSERT(tls_name_find(names, 1, SLICE("mail.example.org")) == 0);
}

static void fill(uint8_t *bytes, size_t n, uint8_t first)
{
	for (size_t i = 0; i < n; i++)
		memset(bytes + i * TICKET_KEY_BYTES, first + (int)i, TICKET_KEY_BYTES);
}

static void test_tickets(void)
{
	uint8_t bytes[(TICKET_KEYS + 1) * TICKET_KEY_BYTES], name[16];
	struct tls_ticket_keys keys = { 0 };
	const struct tls_ticket_key *key = NULL;

	CU_ASSERT(tls_ticket_current(&keys) == NULL);
	memset(name, 1, sizeof name);
	CU_ASSERT(tls_ticket_find(&keys, name, &key) == TLS_TICKET_UNKNOWN && key == NULL);

	fill(bytes, TICKET_KEYS + 1, 1);
	tls_ticket_keys_set(&keys, bytes, TICKET_KEYS + 1);
	CU_ASSERT(keys.n == TICKET_KEYS && tls_ticket_current(&keys)->hmac[31] == 1);
	CU_ASSERT(tls_ticket_find(&keys, name, &key) == TLS_TICKET_CURRENT && key == &keys.keys[0]);
	memset(name, TICKET_KEYS, sizeof name);
	CU_ASSERT(tls_ticket_find(&keys, name, &key) == TLS_TICKET_OLD && key == &keys.keys[TICKET_KEYS - 1] && key->aes[0] == TICKET_KEYS);
	memset(name, TICKET_KEYS + 1, sizeof name);
	CU_ASSERT(tls_ticket_find(&keys, name, &key) == TLS_TICKET_UNKNOWN);

	fill(bytes, 1, 9);
	tls_ticket_keys_set(&keys, bytes, 1);
	memset(name, 1, sizeof name);
	CU_ASSERT(keys.n == 1 && tls_ticket_find(&keys, name, &key) == TLS_TICKET_UNKNOWN);
	CU_ASSERT(keys.keys[1].aes[0] == 0);
}

static void test_log_limit(void)
{
	static struct log_limit limit;
	struct address a = { .family = 4, .bytes = { 192, 0, 2, 1 }, .port = 1 }, other = { .family = 4, .bytes = { 192, 0, 2, 2 } };
	unsigned suppressed, allowed = 0;
	uint64_t now = 1000;

	for (int i = 0; i < LOG_LIMIT_LINES + 5; i++, a.port++)
		allowed += log_limit_allow(&limit, &a, now, &suppressed);
	CU_ASSERT(allowed == LOG_LIMIT_LINES);
	CU_ASSERT(log_limit_allow(&limit, &other, now, &suppressed) && suppressed == 0);
	CU_ASSERT(!log_limit_allow(&limit, &a, now + LOG_LIMIT_WINDOW_USEC - 1, &suppressed));
	CU_ASSERT(log_limit_allow(&limit, &a, now + LOG_LIMIT_WINDOW_USEC, &suppressed) && suppressed == 6);
	CU_ASSERT(log_limit_allow(&limit, &a, now + LOG_LIMIT_WINDOW_USEC, &suppressed) && suppressed == 0);
}

static const struct unit_test tests[] = {
	{ "which section serves a name", test_names },
	{ "which key opens a ticket", test_tickets },
	{ "log lines of an address", test_log_limit },
};

UNIT_MAIN("test_tls", tests)
