/*
 * fuzz_imap_url.c - IMAP URLs of messages: what is understood names a mailbox in valid UTF-8 and a UID; written anew from that, it means
 * the same.
 */
#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"
#include "server/imap/imap_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void add_encoded(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		must(buf_addf(out, "%%%02x", (unsigned char)text.p[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(1024 * 1024);
	struct imap_url url, again;

	if (n > 64 * 1024 || imap_url_parse(slice_from(bytes, n), &arena, &url) != PARSE_OK)
		return 0;
	must(url.msg_uid > 0 && url.mailbox.n > 0 && utf8_is_valid(url.mailbox));
	must(!url.partial || url.octets > 0);

	must(buf_addf(&text, "/") == 0);
	add_encoded(&text, url.mailbox);
	if (url.uidvalidity > 0)
		must(buf_addf(&text, ";uidvalidity=%u", url.uidvalidity) == 0);
	must(buf_addf(&text, "/;uid=%u", url.msg_uid) == 0);
	if (url.partial)
		must(buf_addf(&text, "/;partial=%llu", (unsigned long long)url.first_octet) == 0);
	must(imap_url_parse(buf_slice(&text), &arena, &again) == PARSE_OK);
	must(slice_equal(url.mailbox, again.mailbox) && url.msg_uid == again.msg_uid);
	must(url.uidvalidity == again.uidvalidity && url.partial == again.partial);
	must(url.first_octet == again.first_octet || !url.partial);
	return 0;
}
