/* Parts that are larger than what is kept of one: BINARY, and CATENATE by URL. RFC 3516, 4469. */
#include "base/base64.h"
#include "server/imap/binary_part.h"
#include "tests/unit/imap_talk.h"

enum { PART_BYTES = 5 * BINARY_KEPT_BYTES / 2 + 7, TAKEN_BYTES = 16 * 1024 * 1024 };

static char root[64];
static struct store *store;
static struct talk talk;
static struct buf plain, message, taken; /* plain: what part 1.1 is once it is decoded */

static void add(struct buf *out, const char *format, ...) _printf_(2, 3);
static void add(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);

	int r = buf_vaddf(out, format, args);

	va_end(args);
	CU_ASSERT_FATAL(r == 0);
}

/* Octets that differ from place to place; with_nul: of all values, else of text with lines. */
static void fill_plain(bool with_nul)
{
	uint32_t state = 1;

	buf_clear(&plain);
	while (plain.n < PART_BYTES) {
		unsigned char c;

		state = state * 1103515245 + 12345;
		c = (unsigned char)(state >> 16);
		if (!with_nul)
			c = 'a' + c % 26;
		if (!with_nul && plain.n % 61 == 60)
			add(&plain, "\r\n");
		else
			CU_ASSERT_FATAL(buf_add(&plain, slice_from((char *)&c, 1)) == 0);
	}
}

static void add_base64(struct buf *out)
{
	for (size_t at = 0; at < plain.n; at += 57) {
		CU_ASSERT_FATAL(
			base64_encode(slice_head(slice_tail(buf_slice(&plain), at), 57), out) == 0);
		add(out, "\r\n");
	}
}

static void add_quoted_printable(struct buf *out)
{
	for (size_t at = 0; at < plain.n; at++) {
		add(out, "=%02X", (unsigned char)plain.p[at]);
		if (at % 24 == 23)
			add(out, "=\r\n");
	}
}

static void begin(const char *type, const char *encoding, bool with_nul)
{
	plain = BUF(2 * PART_BYTES);
	message = BUF(8 * PART_BYTES);
	taken = BUF(TAKEN_BYTES);
	fill_plain(with_nul);
	add(&message,
		"Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
		type, encoding);
	if (strcmp(encoding, "base64") == 0)
		add_base64(&message);
	else if (strcmp(encoding, "quoted-printable") == 0)
		add_quoted_printable(&message);
	else
		CU_ASSERT_FATAL(buf_add(&message, buf_slice(&plain)) == 0);
	add(&message, "\r\n--b\r\nContent-Type: text/plain\r\n\r\nsmall\r\n--b--\r\n");

	store = talk_make_store(root);
	talk = talk_begin(store, LIMIT_OUTPUT_BYTES);
	add(&talk.in, "a APPEND INBOX %s{%zu+}\r\n", strcmp(encoding, "binary") == 0 ? "~" : "",
		message.n);
	CU_ASSERT_FATAL(buf_add(&talk.in, buf_slice(&message)) == 0);
	add(&talk.in, "\r\nb SELECT INBOX\r\n");
	(void)talk_take(&talk, &taken);
	CHECK(slice_find_slice(buf_slice(&taken), SLICE("b OK [READ-WRITE]")) >= 0, "%.*s",
		SLICE_FMT(buf_slice(&taken)));
}

static void end(void)
{
	talk_end(&talk);
	talk_remove_store(store, root);
	buf_done(&plain);
	buf_done(&message);
	buf_done(&taken);
}

/* The answer to a command is: before, the octets as a literal, behind. */
static void expect(const char *command, const char *before, bool literal8, struct slice octets,
	const char *behind)
{
	_cleanup_buf_ struct buf want = BUF(TAKEN_BYTES);

	add(&want, "%s%s{%zu}\r\n", before, literal8 ? "~" : "", octets.n);
	CU_ASSERT_FATAL(buf_add(&want, octets) == 0);
	add(&want, "%s", behind);
	buf_clear(&taken);
	CU_ASSERT_FATAL(buf_add_str(&talk.in, command) == 0);
	(void)talk_take(&talk, &taken);
	CHECK(slice_equal(buf_slice(&taken), buf_slice(&want)), "%s%zu octets, wanted %zu; %.*s",
		command, taken.n, want.n, taken.n < 300 ? (int)taken.n : 60, taken.p);
}

static struct slice part_of_plain(size_t first, size_t n)
{
	return slice_head(slice_tail(buf_slice(&plain), first), n);
}

static void check_binary(bool has_nul)
{
	_cleanup_buf_ struct buf size = BUF(100);

	expect("c FETCH 1 BINARY.PEEK[1]\r\n", "* 1 FETCH (BINARY[1] ", has_nul, buf_slice(&plain),
		")\r\nc OK FETCH completed\r\n");

	/* On the edge of what is kept, across it, before it again, up to the end and beyond it. */
	static const size_t firsts[] = { BINARY_KEPT_BYTES - 1, BINARY_KEPT_BYTES,
		2 * BINARY_KEPT_BYTES - 100, 3, PART_BYTES - 200 };

	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
		_cleanup_buf_ struct buf command = BUF(200), before = BUF(200);

		add(&command, "d FETCH 1 BINARY.PEEK[1]<%zu.%d>\r\n%c", firsts[i],
			BINARY_KEPT_BYTES, 0);
		add(&before, "* 1 FETCH (BINARY[1]<%zu> %c", firsts[i], 0);
		expect(command.p, before.p, has_nul, part_of_plain(firsts[i], BINARY_KEPT_BYTES),
			")\r\nd OK FETCH completed\r\n");
	}
	buf_clear(&taken);
	(void)talk_say(&talk, "e FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2])\r\n");
	add(&size, "* 1 FETCH (BINARY.SIZE[1] %zu BINARY.SIZE[2] 5)\r\ne OK FETCH completed\r\n%c",
		plain.n, 0);
	TALK_EXPECT(&talk, size.p);
}

static void test_base64(void)
{
	begin("application/octet-stream", "base64", true);
	check_binary(true);
	end();
}

static void test_base64_text(void)
{
	begin("text/plain", "base64", false);
	check_binary(false);
	end();
}

static void test_quoted_printable(void)
{
	begin("application/octet-stream", "quoted-printable", true);
	check_binary(true);
	end();
}

/* Sent as it is, it is stored in base64: RFC 3516 section 4.4. */
static void test_binary(void)
{
	begin("application/octet-stream", "binary", true);
	check_binary(true);
	end();
}

/* Parts of a stored message, by URL: what comes out is what BODY[...] has. */
static void test_catenate(void)
{
	_cleanup_buf_ struct buf encoded = BUF(8 * PART_BYTES), want = BUF(8 * PART_BYTES);

	begin("application/octet-stream", "base64", true);
	add_base64(&encoded);
	expect("c FETCH 1 BODY.PEEK[1]\r\n", "* 1 FETCH (BODY[1] ", false, buf_slice(&encoded),
		")\r\nc OK FETCH completed\r\n");

	(void)talk_say(&talk, "d APPEND INBOX CATENATE (TEXT {14+}\r\nSubject: x\r\n\r\n URL "
			      "\"/INBOX/;UID=1/;SECTION=1\" "
			      "URL \"/INBOX/;UID=1/;SECTION=1/;PARTIAL=131071.131074\" "
			      "URL \"/INBOX/;UID=1/;SECTION=2\" URL \"/INBOX/;UID=1\")\r\n");
	TALK_EXPECT_IN(&talk, "d OK [APPENDUID ");
	add(&want, "Subject: x\r\n\r\n");
	CU_ASSERT(buf_add(&want, buf_slice(&encoded)) == 0);
	CU_ASSERT(buf_add(&want, slice_head(slice_tail(buf_slice(&encoded), 131071), 131074)) == 0);
	add(&want, "small");
	CU_ASSERT(buf_add(&want, buf_slice(&message)) == 0);
	expect("e FETCH 2 BODY.PEEK[]\r\n", "* 2 FETCH (BODY[] ", false, buf_slice(&want),
		")\r\ne OK FETCH completed\r\n");
	end();
}

static const struct unit_test tests[] = {
	{ "BINARY of base64", test_base64 },
	{ "BINARY of text in base64", test_base64_text },
	{ "BINARY of quoted-printable", test_quoted_printable },
	{ "BINARY of binary", test_binary },
	{ "CATENATE by URL", test_catenate },
};
UNIT_MAIN("imap_large", tests)
