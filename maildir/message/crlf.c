#include "maildir/message/crlf.h"

#include <errno.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Bytes of a stretch, counted: LFs, LFs behind a CR, and whether a NUL is among them. */
struct tally {
	uint64_t lfs, crlfs;
	bool has_nul;
};

/* p[-1] is readable: the first byte of a stretch is never counted here. */
static void tally_plain(const char *p, size_t n, struct tally *t)
{
	for (size_t i = 0; i < n; i++) {
		bool lf = p[i] == '\n';

		t->lfs += lf;
		t->crlfs += lf & ((p - 1)[i] == '\r');
		t->has_nul |= p[i] == '\0';
	}
}

#if defined(__SSE2__)
enum { TALLY_BLOCK_BYTES = 16 * 255 }; /* as many steps as a counter of one byte bears */

static uint64_t sum_bytes(__m128i v)
{
	__m128i sums = _mm_sad_epu8(v, _mm_setzero_si128());

	return (uint64_t)_mm_cvtsi128_si64(sums) +
		(uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
}

/* n is a multiple of 16, at most TALLY_BLOCK_BYTES. */
static void tally_block(const char *p, size_t n, struct tally *t)
{
	const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r'), zero = _mm_setzero_si128();
	__m128i lfs = zero, crlfs = zero, nuls = zero;

	for (size_t i = 0; i < n; i += 16) {
		__m128i here = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i before = _mm_loadu_si128((const __m128i *)(const void *)(p - 1 + i));
		__m128i is_lf = _mm_cmpeq_epi8(here, lf);

		lfs = _mm_sub_epi8(lfs, is_lf);
		crlfs = _mm_sub_epi8(crlfs, _mm_and_si128(is_lf, _mm_cmpeq_epi8(before, cr)));
		nuls = _mm_or_si128(nuls, _mm_cmpeq_epi8(here, zero));
	}
	t->lfs += sum_bytes(lfs);
	t->crlfs += sum_bytes(crlfs);
	t->has_nul |= _mm_movemask_epi8(nuls) != 0;
}

static void tally_bytes(const char *p, size_t n, struct tally *t)
{
	while (n >= 16) {
		size_t step = n < TALLY_BLOCK_BYTES ? n & ~(size_t)15 : TALLY_BLOCK_BYTES;

		tally_block(p, step, t);
		p += step;
		n -= step;
	}
	tally_plain(p, n, t);
}
#else
static void tally_bytes(const char *p, size_t n, struct tally *t)
{
	tally_plain(p, n, t);
}
#endif

void crlf_count(struct crlf_count *count, struct slice in)
{
	if (in.n == 0)
		return;

	bool first_lf = in.p[0] == '\n';
	struct tally t = {
		.lfs = first_lf,
		.crlfs = first_lf && count->last_was_cr,
		.has_nul = in.p[0] == '\0',
	};

	tally_bytes(in.p + 1, in.n - 1, &t);
	count->octets += in.n + (t.lfs - t.crlfs);
	count->lines += t.lfs;
	count->last_was_cr = in.p[in.n - 1] == '\r';
	count->has_nul |= t.has_nul;
}

/* Copy a stretch without LFs. */
static void copy_plain(char *out, const char *in, size_t n, bool replace_nul)
{
	memcpy(out, in, n);
	if (!replace_nul)
		return;
	for (char *at = memchr(out, '\0', n); at; at = memchr(at, '\0', n - (size_t)(at - out)))
		*at = (char)0x80;
}

size_t crlf_convert(struct slice in, bool replace_nul, bool *last_was_cr, char *out, size_t out_bytes,
	size_t *ret_written)
{
	size_t at = 0, written = 0;
	bool cr = *last_was_cr;

	while (at < in.n && written < out_bytes) {
		size_t most = in.n - at < out_bytes - written ? in.n - at : out_bytes - written;
		const char *lf = memchr(in.p + at, '\n', most);
		size_t plain = lf ? (size_t)(lf - (in.p + at)) : most;

		if (plain > 0) {
			copy_plain(out + written, in.p + at, plain, replace_nul);
			at += plain;
			written += plain;
			cr = in.p[at - 1] == '\r';
		}
		if (!lf || written == out_bytes)
			continue;
		if (!cr) {
			out[written++] = '\r';
			cr = true;
			continue; /* the LF comes next, if there is room */
		}
		out[written++] = '\n';
		at++;
		cr = false;
	}
	*last_was_cr = cr;
	*ret_written = written;
	return at;
}

int crlf_append(struct slice in, bool replace_nul, bool *last_was_cr, struct buf *out)
{
	struct crlf_count count = { .last_was_cr = *last_was_cr };
	size_t written;

	if (in.n == 0)
		return 0;
	crlf_count(&count, in);

	char *at = buf_reserve(out, count.octets);

	if (!at)
		return -ENOBUFS;
	crlf_convert(in, replace_nul, last_was_cr, at, count.octets, &written);
	buf_grown(out, written);
	return 0;
}

/* Pass over one byte, or over the CR of an LF; the octets are not 0. Returns whether the byte was consumed. */
static bool skip_one(char c, bool *last_was_cr, uint64_t *octets)
{
	(*octets)--;
	if (c == '\n' && !*last_was_cr) {
		*last_was_cr = true;
		return false;
	}
	*last_was_cr = c == '\r';
	return true;
}

enum { SKIP_BLOCK_BYTES = 4096 };

size_t crlf_skip(struct slice in, bool *last_was_cr, uint64_t *octets)
{
	size_t at = 0;

	while (at < in.n && *octets > 0) {
		size_t step = in.n - at < SKIP_BLOCK_BYTES ? in.n - at : SKIP_BLOCK_BYTES;
		struct crlf_count count = { .last_was_cr = *last_was_cr };

		/* Whole blocks as long as they surely fit, then byte by byte: at most one block. */
		crlf_count(&count, slice_from(in.p + at, step));
		if (count.octets <= *octets) {
			*octets -= count.octets;
			*last_was_cr = count.last_was_cr;
			at += step;
			continue;
		}
		for (size_t end = at + step; at < end && *octets > 0;)
			at += skip_one(in.p[at], last_was_cr, octets);
	}
	return at;
}
