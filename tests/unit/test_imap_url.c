/* IMAP URLs: what each means, or that it is none of a message. */
#include "base/buf.h"
#include "server/imap/imap_url.h"
#include "tests/unit/unit.h"

static const struct {
	const char *url, *want; /* NULL: none */
} rows[] = {
	{ "/INBOX/;UID=20", "INBOX 20" },
	{ "/inbox/;uid=20", "INBOX 20" },
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts;385759045 20 1:" },
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", "Drafts;385759045 20 3:1." },
	{ "/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9",
		"INBOX;785799047 113330 0:1.5.9." },
	{ "/a/b%2Fc/;UID=4294967295", "a/b/c 4294967295" },
	{ "/a%20b%3b%25/;UID=1", "a b;% 1" },
	{ "/%e3%81%82/;UID=1", "\xe3\x81\x82 1" },
	{ "/a&b=c@d:e/;UID=1", "a&b=c@d:e 1" },
	{ "/%2Fa/;UID=1", "/a 1" },
	{ "/a//;UID=1", "a/ 1" },
	{ "/a/;UID=1/;SECTION=TEXT", "a 1 2:" },
	{ "/a/;UID=1/;SECTION=1.2.HEADER.FIELDS%20(To%20%22Subject%22)", "a 1 1:1.2.+To+Subject" },
	{ "/a/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(To)", "a 1 1:-To" },
	{ "/a/;UID=1/;PARTIAL=0.1024", "a 1<0.1024>" },
	{ "/a/;UID=1/;PARTIAL=7", "a 1<7.18446744073709551615>" },
	{ "/a/;UID=1/;SECTION=2/;PARTIAL=0.1", "a 1 0:2.<0.1>" },
	{ "", NULL },
	{ "/", NULL },
	{ "//", NULL },
	{ "/INBOX", NULL },
	{ "/INBOX/", NULL },
	{ "/INBOX;UID=20", NULL },
	{ "INBOX/;UID=20", NULL },
	{ ";UID=20", NULL },
	{ "/;UID=20", NULL },
	{ "//host/INBOX/;UID=20", NULL },
	{ "imap://host/INBOX/;UID=20", NULL },
	{ "/INBOX?ALL", NULL },
	{ "/INBOX/;UID=", NULL },
	{ "/INBOX/;UID=0", NULL },
	{ "/INBOX/;UID=4294967296", NULL },
	{ "/INBOX/;UID=1:2", NULL },
	{ "/INBOX/;UID=*", NULL },
	{ "/INBOX/;UID=1/", NULL },
	{ "/INBOX/;UID=1/x", NULL },
	{ "/INBOX/;UID=1x", NULL },
	{ "/INBOX;UIDVALIDITY=0/;UID=1", NULL },
	{ "/INBOX;UIDVALIDITY=1;UID=1", NULL },
	{ "/INBOX/;UIDVALIDITY=1/;UID=1", "INBOX/;1 1" },
	{ "/INBOX;UIDVALIDITY=1/x/;UID=1", NULL },
	{ "/a b/;UID=1", NULL },
	{ "/a%/;UID=1", NULL },
	{ "/a%4/;UID=1", NULL },
	{ "/a%4g/;UID=1", NULL },
	{ "/a%00/;UID=1", NULL },
	{ "/a%0d/;UID=1", NULL },
	{ "/a%ff/;UID=1", NULL },
	{ "/\xe3\x81\x82/;UID=1", NULL },
	{ "/a/;UID=1/;SECTION=", NULL },
	{ "/a/;UID=1/;SECTION=0", NULL },
	{ "/a/;UID=1/;SECTION=1/", NULL },
	{ "/a/;UID=1/;SECTION=1%5d", NULL },
	{ "/a/;UID=1/;SECTION=MIME", NULL },
	{ "/a/;UID=1/;SECTION=HEADER.FIELDS%20()", NULL },
	{ "/a/;UID=1/;SECTION=HEADER.FIELDS%20(%7b1%7d%0d%0aa)", NULL },
	{ "/a/;UID=1/;SECTION=1;PARTIAL=1", NULL },
	{ "/a/;UID=1/;PARTIAL=", NULL },
	{ "/a/;UID=1/;PARTIAL=1.", NULL },
	{ "/a/;UID=1/;PARTIAL=1.0", NULL },
	{ "/a/;UID=1/;PARTIAL=9223372036854775808", NULL },
	{ "/a/;UID=1/;PARTIAL=1.2/;SECTION=1", NULL },
	{ "/a/;UID=1/;PARTIAL=1.2.3", NULL },
	{ "/a/;UID=1;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=anonymous:internal:00", NULL },
};

static void dump(const struct imap_url *url, struct buf *out)
{
	const struct section *s = &url->section;
	int r = buf_addf(out, "%.*s", SLICE_FMT(url->mailbox));

	if (url->uidvalidity > 0)
		r |= buf_addf(out, ";%u", url->uidvalidity);
	r |= buf_addf(out, " %u", url->msg_uid);
	if (s->n > 0 || s->kind != SECTION_ALL)
		r |= buf_addf(out, " %u:", s->kind);
	for (size_t i = 0; i < s->n; i++)
		r |= buf_addf(out, "%u.", s->numbers[i]);
	for (size_t i = 0; i < s->names_n; i++)
		r |= buf_addf(out, "%s%.*s", s->fields == FIELDS_THESE ? "+" : "-",
			SLICE_FMT(s->names[i]));
	if (url->partial)
		r |= buf_addf(out, "<%llu.%llu>", (unsigned long long)url->first_octet,
			(unsigned long long)url->octets);
	CU_ASSERT_EQUAL(r, 0);
}

static void test_urls(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		_cleanup_buf_ struct buf got = BUF(4096);
		struct imap_url url;

		if (imap_url_parse(slice_str(rows[i].url), &arena, &url) == PARSE_OK)
			dump(&url, &got);
		CHECK(slice_equal(buf_slice(&got), slice_str(rows[i].want ? rows[i].want : "")),
			"%s: %.*s", rows[i].url, SLICE_FMT(buf_slice(&got)));
	}
}

static const struct unit_test tests[] = {
	{ "URLs", test_urls },
};
UNIT_MAIN("imap_url", tests)
