#include "maildir/reader.h"
#include "tests/unit/maildir_fixture.h"

enum { HIGH_WATER = 100 };

/* With CRLF line ends: the simplest program that does it. */
static size_t convert(const char *text, size_t n, bool replace_nul, char *out)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
			out[at++] = '\r';
		out[at++] = replace_nul && text[i] == '\0' ? (char)0x80 : text[i];
	}
	return at;
}

static struct reader *open_text(struct fixture *f, const char *text, size_t n)
{
	struct reader *reader = NULL;
	FILE *file = fopen(fixture_path(f, "new/1.a"), "w");

	fwrite(text, 1, n, file);
	fclose(file);
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
	CU_ASSERT_EQUAL_FATAL(reader_open(f->mailbox, 1, &reader), 0);
	CU_ASSERT_EQUAL(reader_file_size(reader), n);
	return reader;
}

/* Send a range with a client that takes so many bytes at a time. Returns the end's answer. */
static int send_all(struct fixture *f, struct reader *reader, struct reader_range *range,
	size_t high_water, size_t drain, struct buf *sent)
{
	_cleanup_buf_ struct buf out = BUF(1 << 20);
	int r;

	do {
		struct work work = fixture_work(f);

		r = reader_send(reader, range, &out, high_water, &work);
		CU_ASSERT(out.n <= high_water);

		size_t n = r == -EINPROGRESS && out.n > drain ? drain : out.n;

		CU_ASSERT_EQUAL(buf_add(sent, slice_head(buf_slice(&out), n)), 0);
		buf_consume(&out, n);
	} while (r == -EINPROGRESS);
	CU_ASSERT_EQUAL(buf_add(sent, buf_slice(&out)), 0);
	return r;
}

static const char TEXT[] = "From: a@b\nTo: c\r\n\n\nbody\r\r\n\n\rbare\0nul\nend";
enum { TEXT_BYTES = sizeof TEXT - 1 };

static void test_every_partial(void)
{
	struct fixture f;
	char want[2 * TEXT_BYTES];
	size_t n = convert(TEXT, TEXT_BYTES, true, want);

	fixture_init(&f);

	struct reader *reader = open_text(&f, TEXT, TEXT_BYTES);

	for (size_t high_water = 1; high_water < 10; high_water += 2) {
		for (size_t skip = 0; skip <= n + 1; skip++) {
			for (size_t left = 0; left <= n + 1; left++) {
				_cleanup_buf_ struct buf sent = BUF(1000);
				struct reader_range range = {
					.end = TEXT_BYTES,
					.skip_octets = skip,
					.left_octets = left,
					.replace_nul = true,
				};
				int r = send_all(
					&f, reader, &range, high_water, 1 + left % 3, &sent);
				size_t from = skip < n ? skip : n;
				size_t bytes = n - from < left ? n - from : left;

				CHECK(r == 0, "skip %zu left %zu", skip, left);
				CHECK(slice_equal(buf_slice(&sent), slice_from(want + from, bytes)),
					"high %zu skip %zu left %zu", high_water, skip, left);
			}
		}
	}
	reader_close(reader);
	fixture_done(&f);
}

static void test_every_stretch(void)
{
	struct fixture f;

	fixture_init(&f);

	struct reader *reader = open_text(&f, TEXT, TEXT_BYTES);

	for (size_t begin = 0; begin <= TEXT_BYTES; begin++) {
		for (size_t end = begin; end <= TEXT_BYTES; end++) {
			_cleanup_buf_ struct buf sent = BUF(1000), raw = BUF(1000);
			char want[2 * TEXT_BYTES];
			size_t n = convert(TEXT + begin, end - begin, false, want);
			struct reader_range range = {
				.offset = begin, .end = end, .left_octets = n
			};

			CHECK(send_all(&f, reader, &range, HIGH_WATER, HIGH_WATER, &sent) == 0,
				"%zu to %zu", begin, end);
			CHECK(range.left_octets == 0, "%zu to %zu", begin, end);
			CHECK(slice_equal(buf_slice(&sent), slice_from(want, n)), "%zu to %zu",
				begin, end);
			CHECK(reader_read(reader, begin, end - begin, &raw) == 0, "%zu to %zu",
				begin, end);
			CHECK(slice_equal(buf_slice(&raw), slice_from(TEXT + begin, end - begin)),
				"%zu to %zu", begin, end);
		}
	}

	_cleanup_buf_ struct buf raw = BUF(10);

	CU_ASSERT_EQUAL(reader_read(reader, 0, 11, &raw), -ENOBUFS);
	buf_clear(&raw);
	CU_ASSERT_EQUAL(reader_read(reader, TEXT_BYTES, 1, &raw), -ESTALE);
	reader_close(reader);
	fixture_done(&f);
}

static void test_large(void)
{
	enum { LINES = 40000 };
	struct fixture f;
	size_t n = LINES * 11 + 20;
	char *text = malloc(n), *want = malloc(2 * n);
	_cleanup_buf_ struct buf sent = BUF(4 << 20);
	const struct mime_part *root = NULL;
	unsigned steps = 0;
	int r;

	memcpy(text, "Subject: x\nTo: y\n\nb\n", 20);
	for (int i = 0; i < LINES; i++)
		memcpy(text + 20 + i * 11, i % 2 ? "012345678\r\n" : "0123456789\n", 11);

	size_t want_n = convert(text, n, false, want);

	fixture_init(&f);
	f.budget = 3;

	struct reader *reader = open_text(&f, text, n);

	do {
		struct work work = fixture_work(&f);

		r = reader_structure(reader, &work, &root);
		steps++;
	} while (r == -EINPROGRESS);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT(steps > 3);
	CU_ASSERT_EQUAL(mime_octets(root), want_n);
	CU_ASSERT_EQUAL(root->body_offset, 18);

	struct reader_range range = { .end = n, .left_octets = want_n };

	CU_ASSERT_EQUAL(send_all(&f, reader, &range, 65536, 1000000, &sent), 0);
	CU_ASSERT(slice_equal(buf_slice(&sent), slice_from(want, want_n)));
	reader_close(reader);
	free(text);
	free(want);
	fixture_done(&f);
}

/* What was promised cannot be sent: never padded. */
static void test_shrinks(void)
{
	struct fixture f;
	const struct mime_part *root;

	fixture_init(&f);

	struct reader *reader = open_text(&f, TEXT, TEXT_BYTES);
	struct reader_range range = { .end = TEXT_BYTES, .left_octets = 1000 };
	_cleanup_buf_ struct buf out = BUF(1000);
	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(reader_send(reader, &range, &out, 10, &work), -EINPROGRESS);
	CU_ASSERT_EQUAL(truncate(fixture_path(&f, "cur/1.a:2,"), 12), 0);
	CU_ASSERT_EQUAL(reader_send(reader, &range, &out, 1000, &work), -ESTALE);
	CU_ASSERT_EQUAL(reader_structure(reader, &work, &root), -ESTALE);
	reader_close(reader);
	fixture_done(&f);
}

static void test_gone(void)
{
	struct fixture f;
	struct reader *reader = NULL;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,", "text\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(reader_open(f.mailbox, 2, &reader), -ENOENT);
	CU_ASSERT_EQUAL(reader_open(f.mailbox, 1, &reader), 0);
	unlink(fixture_path(&f, "cur/1.a:2,"));

	/* One that is open can be read to its end. */
	_cleanup_buf_ struct buf sent = BUF(1000);
	struct reader_range range = { .end = 5, .left_octets = 6 };

	CU_ASSERT_EQUAL(send_all(&f, reader, &range, 3, 3, &sent), 0);
	CU_ASSERT(slice_equal(buf_slice(&sent), SLICE("text\r\n")));
	reader_close(reader);
	CU_ASSERT_EQUAL(reader_open(f.mailbox, 1, &reader), -ENOENT);
	fixture_done(&f);
}

static const struct unit_test TESTS[] = {
	{ "every partial", test_every_partial },
	{ "every stretch", test_every_stretch },
	{ "a large message in steps", test_large },
	{ "a file that shrinks", test_shrinks },
	{ "a message that is gone", test_gone },
};

UNIT_MAIN("test_reader", TESTS)
