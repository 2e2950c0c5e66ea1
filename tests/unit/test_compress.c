/* COMPRESS in the front, against zlib as a client uses it. */
#include "server/front/compress.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum { MANY = 16 * 1024 * 1024 };

/* What a client sends: text, flushed. */
static void client_deflate(z_stream *z, struct slice text, int flush, struct buf *out)
{
	z->next_in = (Bytef *)text.p;
	z->avail_in = (uInt)text.n;
	do {
		char *at = buf_reserve(out, 4096);

		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		z->next_out = (Bytef *)at;
		z->avail_out = 4096;
		CU_ASSERT_NOT_EQUAL_FATAL(deflate(z, flush), Z_STREAM_ERROR);
		buf_grown(out, 4096 - z->avail_out);
	} while (z->avail_out == 0);
}

static void client_inflate(z_stream *z, struct slice bytes, struct buf *out)
{
	z->next_in = (Bytef *)bytes.p;
	z->avail_in = (uInt)bytes.n;
	do {
		char *at = buf_reserve(out, 4096);
		int r;

		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		z->next_out = (Bytef *)at;
		z->avail_out = 4096;
		r = inflate(z, Z_SYNC_FLUSH);
		CU_ASSERT_FATAL(r == Z_OK || r == Z_BUF_ERROR);
		buf_grown(out, 4096 - z->avail_out);
	} while (z->avail_out == 0);
}

/* In place: zlib keeps the address. */
static void client_begin(z_stream *deflater, z_stream *inflater)
{
	*deflater = *inflater = (z_stream){ 0 };
	CU_ASSERT_EQUAL_FATAL(
		deflateInit2(deflater, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	CU_ASSERT_EQUAL_FATAL(inflateInit2(inflater, -15), Z_OK);
}

static void client_end(z_stream *deflater, z_stream *inflater)
{
	deflateEnd(deflater);
	inflateEnd(inflater);
}

static int take(struct compress *compress, struct slice in, size_t max_bytes, struct buf *out)
{
	int r = compress_inflate(compress, &in, max_bytes, out);

	CU_ASSERT_TRUE(r != 0 || in.n == 0);
	return r;
}

static void test_commands_at_every_split(void)
{
	static const char text[] =
		"a SELECT INBOX\r\nb UID FETCH 1:* (FLAGS)\r\nc UID FETCH 1:* (FLAGS)\r\n";
	_cleanup_buf_ struct buf bytes = BUF(10000);
	z_stream z, inflater;

	client_begin(&z, &inflater);
	client_deflate(&z, SLICE("a SELECT INBOX\r\n"), Z_SYNC_FLUSH, &bytes);
	client_deflate(&z, SLICE("b UID FETCH 1:* (FLAGS)\r\n"), Z_PARTIAL_FLUSH, &bytes);
	client_deflate(&z, SLICE("c UID FETCH 1:* (FLAGS)\r\n"), Z_FULL_FLUSH, &bytes);
	client_end(&z, &inflater);
	for (size_t split = 0; split <= bytes.n; split++) {
		struct compress *compress = compress_new();
		_cleanup_buf_ struct buf out = BUF(20000);

		CU_ASSERT_EQUAL(
			take(compress, slice_head(buf_slice(&bytes), split), 1000, &out), 0);
		(void)compress_rest(compress); /* wherever it stands: what cannot rest stays */
		CU_ASSERT_EQUAL(
			take(compress, slice_tail(buf_slice(&bytes), split), 1000, &out), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(text)), "split %zu: %.*s", split,
			SLICE_FMT(buf_slice(&out)));
		compress_free(compress);
	}
}

static struct slice line_of(unsigned i, char line[100])
{
	int n = snprintf(line, 100, "* %u FETCH (UID %u FLAGS (\\Seen) RFC822.SIZE %u)\r\n", i,
		i * 3, i * i);

	return slice_from(line, (size_t)n);
}

/* A client that refers back as far as it can, and a rest behind each command, or none: all the same. */
static void run_with_rests(unsigned every, struct buf *up, struct buf *down)
{
	struct compress *compress = compress_new();
	z_stream deflater, inflater;
	char line[100];

	client_begin(&deflater, &inflater);
	for (unsigned i = 0; i < 3000; i++) {
		_cleanup_buf_ struct buf bytes = BUF(10000), sent = BUF(100000);
		struct slice text = line_of(i, line);

		client_deflate(&deflater, text, Z_SYNC_FLUSH, &bytes);
		CU_ASSERT_EQUAL(take(compress, buf_slice(&bytes), 10000, up), 0);
		compress_deflate(compress, text, &sent);
		compress_flush(compress, &sent);
		client_inflate(&inflater, buf_slice(&sent), down);
		if (every > 0 && i % every == 0) {
			CU_ASSERT_TRUE(compress_rest(compress));
			CU_ASSERT_FALSE(compress_is_awake(compress));
			CU_ASSERT_FALSE(compress_rest(compress));
			CU_ASSERT_TRUE(
				compress_memory_bytes(compress) <= COMPRESS_WINDOW_BYTES + 200);
		}
	}
	client_end(&deflater, &inflater);
	compress_free(compress);
}

static void test_rest(void)
{
	static const unsigned every[] = { 0, 1, 2, 700 };
	_cleanup_buf_ struct buf want = BUF(1000000);
	char line[100];

	for (unsigned i = 0; i < 3000; i++)
		CU_ASSERT_EQUAL(buf_add(&want, line_of(i, line)), 0);
	for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
		_cleanup_buf_ struct buf up = BUF(1000000), down = BUF(1000000);

		run_with_rests(every[i], &up, &down);
		CHECK(slice_equal(buf_slice(&up), buf_slice(&want)), "up, rest every %u", every[i]);
		CHECK(slice_equal(buf_slice(&down), buf_slice(&want)), "down, rest every %u",
			every[i]);
	}
}

static void test_rest_is_small(void)
{
	struct compress *compress = compress_new();
	_cleanup_buf_ struct buf bytes = BUF(10000), out = BUF(100000);
	z_stream z, inflater;

	client_begin(&z, &inflater);
	client_deflate(&z, SLICE("a SELECT INBOX\r\nb IDLE\r\n"), Z_SYNC_FLUSH, &bytes);
	CU_ASSERT_EQUAL(take(compress, buf_slice(&bytes), 1000, &out), 0);
	compress_deflate(compress, SLICE("+ idling\r\n"), &out);
	CU_ASSERT_TRUE(compress_memory_bytes(compress) > 100000);
	compress_flush(compress, &out);
	CU_ASSERT_TRUE(compress_rest(compress));
	CU_ASSERT_TRUE(compress_memory_bytes(compress) < 200);
	client_end(&z, &inflater);
	compress_free(compress);
}

/* 16 MB of zeros in 16 kB: they come out as slowly as there is room. */
static void test_bomb(void)
{
	_cleanup_buf_ struct buf bytes = BUF(100000);
	_cleanup_free_ char *zeros = calloc(1, MANY);
	struct compress *compress = compress_new();
	z_stream z, inflater;
	struct slice in;
	size_t total = 0;
	int r = -EAGAIN;

	client_begin(&z, &inflater);
	client_deflate(&z, slice_from(zeros, MANY), Z_SYNC_FLUSH, &bytes);
	CU_ASSERT_TRUE(bytes.n < 20000);
	in = buf_slice(&bytes);
	while (r == -EAGAIN) {
		_cleanup_buf_ struct buf out = BUF(20000);

		r = compress_inflate(compress, &in, 5000, &out);
		CU_ASSERT_TRUE(out.n <= 5000);
		total += out.n;
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(total, MANY);
	CU_ASSERT_EQUAL(in.n, 0);
	client_end(&z, &inflater);
	compress_free(compress);
}

static void test_rubbish(void)
{
	static const struct {
		struct slice in;
		int want;
	} rows[] = {
		{ { "a NOOP\r\n", 8 }, -EBADMSG },
		{ { "\377\377\377", 3 }, -EBADMSG },
		{ { "\3\0", 2 }, 0 },            /* an empty stream with an end */
		{ { "\3\0x", 3 }, -EBADMSG },    /* and something behind it */
		{ { "\0\1\0\376\377a", 6 }, 0 }, /* one stored octet */
		{ { "\0\1\0\376\376a", 6 }, -EBADMSG },
		{ { "\2\2\0", 3 }, -EBADMSG },
		{ { "", 0 }, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(20000);
		struct compress *compress = compress_new();
		struct slice in = rows[i].in;
		int r = compress_inflate(compress, &in, 1000, &out);

		CHECK(r == rows[i].want, "row %zu: %d", i, r);
		compress_free(compress);
	}
}

/* Random octets grow by little, and come back. */
static void test_incompressible(void)
{
	_cleanup_buf_ struct buf out = BUF(200000), back = BUF(200000);
	struct compress *compress = compress_new();
	z_stream z, inflater;
	static char bytes[65536];

	client_begin(&z, &inflater);
	srandom(1);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)random();
	compress_deflate(compress, slice_from(bytes, sizeof bytes), &out);
	compress_flush(compress, &out);
	size_t n = out.n;

	compress_flush(compress, &out);
	CU_ASSERT_EQUAL(out.n, n); /* nothing was held back */
	CU_ASSERT_TRUE(n < sizeof bytes + 1024);
	client_inflate(&inflater, buf_slice(&out), &back);
	CU_ASSERT_TRUE(slice_equal(buf_slice(&back), slice_from(bytes, sizeof bytes)));
	client_end(&z, &inflater);
	compress_free(compress);
}

static const struct unit_test tests[] = {
	{ "commands at every split", test_commands_at_every_split },
	{ "rest", test_rest },
	{ "rest is small", test_rest_is_small },
	{ "bomb", test_bomb },
	{ "rubbish", test_rubbish },
	{ "incompressible", test_incompressible },
};

UNIT_MAIN("compress", tests)
