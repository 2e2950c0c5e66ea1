#include "server/front/compress.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>

enum {
	AT_BLOCK = 128, /* of z_stream.data_type behind a block, at an octet: see inflate() in zlib.h */
	MAPPING_BYTES = 160 * 1024,
	ALIGNMENT = 64,
};

/*
 * All memory of one direction, mapped for itself: malloc would keep what thousands of connections gave back, in
 * pieces between what they still hold. Pages that zlib does not touch cost nothing.
 */
struct direction {
	z_stream z;
	size_t used_bytes; /* of the mapping, this struct included */
};

struct compress {
	struct direction *in, *out; /* NULL: at rest */
	char *dictionary;           /* of in, at rest: the last octets that came */
	unsigned dictionary_bytes;
	bool has_more; /* inflate() has octets that did not fit */
	bool is_ended; /* the client said that this was all */
	bool is_held;  /* deflate() holds octets back */
};

static void *take_memory(void *arg, unsigned items, unsigned bytes)
{
	struct direction *direction = arg;
	size_t n = ((size_t)items * bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *at = (char *)direction + direction->used_bytes;

	if (n > MAPPING_BYTES - direction->used_bytes)
		return NULL;
	direction->used_bytes += n;
	return at;
}

/* It goes with the mapping. */
static void give_back(void *arg, void *at)
{
	(void)arg;
	(void)at;
}

static struct direction *new_direction(void)
{
	struct direction *direction = mmap(
		NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(direction != MAP_FAILED);
	direction->used_bytes = (sizeof *direction + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	direction->z.zalloc = take_memory;
	direction->z.zfree = give_back;
	direction->z.opaque = direction;
	return direction;
}

/* zlib has nothing beside that memory, so it need not be told. */
static void free_direction(struct direction **direction)
{
	if (*direction)
		must(munmap(*direction, MAPPING_BYTES) == 0);
	*direction = NULL;
}

struct compress *compress_new(void)
{
	struct compress *compress = calloc(1, sizeof *compress);

	must(compress != NULL);
	return compress;
}

/* What went through was mail, and commands: nothing secret beyond that, as logins come before. */
void compress_free(struct compress *compress)
{
	if (!compress)
		return;
	free_direction(&compress->in);
	free_direction(&compress->out);
	free(compress->dictionary);
	free(compress);
}

static void wake_inflate(struct compress *compress)
{
	if (compress->in)
		return;
	compress->in = new_direction();
	must(inflateInit2(&compress->in->z, -MAX_WBITS) == Z_OK);
	if (compress->dictionary_bytes > 0)
		must(inflateSetDictionary(&compress->in->z, (const Bytef *)compress->dictionary,
			     compress->dictionary_bytes) == Z_OK);
	free(take_ptr(compress->dictionary));
	compress->dictionary_bytes = 0;
}

/* One call. Returns 0: go on; 1: nothing more can be done with what there is; -EBADMSG. */
static int inflate_piece(struct compress *compress, struct slice *in, size_t bytes, struct buf *out)
{
	z_stream *z = &compress->in->z;
	char *at = buf_reserve(out, bytes);
	int r;

	must(at != NULL);
	z->next_in = (Bytef *)in->p;
	z->avail_in = (uInt)in->n;
	z->next_out = (Bytef *)at;
	z->avail_out = (uInt)bytes;
	r = inflate(z, Z_SYNC_FLUSH);
	*in = slice_tail(*in, in->n - z->avail_in);
	buf_grown(out, bytes - z->avail_out);
	compress->has_more = z->avail_out == 0;
	compress->is_ended = r == Z_STREAM_END;
	if (r == Z_BUF_ERROR || (r == Z_OK && in->n == 0 && !compress->has_more))
		return 1;
	return r == Z_OK || r == Z_STREAM_END ? 0 : -EBADMSG;
}

int compress_inflate(struct compress *compress, struct slice *in, size_t max_bytes, struct buf *out)
{
	size_t end = out->n + max_bytes;
	int r = 0;

	if (in->n > 0 || compress->has_more)
		wake_inflate(compress);
	while (r == 0 && !compress->is_ended && (in->n > 0 || compress->has_more)) {
		size_t room = end - out->n;

		if (room == 0)
			return -EAGAIN;
		r = inflate_piece(compress, in,
			room < COMPRESS_PIECE_BYTES ? room : COMPRESS_PIECE_BYTES, out);
	}
	if (compress->is_ended)
		return in->n > 0 ? -EBADMSG : 0;
	return r < 0 ? r : 0;
}

static void wake_deflate(struct compress *compress)
{
	if (compress->out)
		return;
	compress->out = new_direction();
	must(deflateInit2(&compress->out->z, COMPRESS_LEVEL, Z_DEFLATED, -COMPRESS_WINDOW_BITS,
		     COMPRESS_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
}

static void run_deflate(struct compress *compress, int flush, struct buf *out)
{
	z_stream *z = &compress->out->z;

	do {
		char *at = buf_reserve(out, COMPRESS_PIECE_BYTES);
		int r;

		must(at != NULL); /* the caller's buffer takes whatever one frame becomes */
		z->next_out = (Bytef *)at;
		z->avail_out = COMPRESS_PIECE_BYTES;
		r = deflate(z, flush);
		must(r == Z_OK || r == Z_BUF_ERROR);
		buf_grown(out, COMPRESS_PIECE_BYTES - z->avail_out);
	} while (z->avail_out == 0);
}

void compress_deflate(struct compress *compress, struct slice in, struct buf *out)
{
	if (in.n == 0)
		return;
	wake_deflate(compress);
	compress->out->z.next_in = (Bytef *)in.p;
	compress->out->z.avail_in = (uInt)in.n;
	run_deflate(compress, Z_NO_FLUSH, out);
	must(compress->out->z.avail_in == 0);
	compress->is_held = true;
}

void compress_flush(struct compress *compress, struct buf *out)
{
	if (!compress->is_held)
		return;
	run_deflate(compress, Z_SYNC_FLUSH, out);
	compress->is_held = false;
}

static bool can_rest_inflate(const struct compress *compress)
{
	return compress->in && !compress->has_more && !compress->is_ended &&
	       compress->in->z.data_type == AT_BLOCK;
}

static void rest_inflate(struct compress *compress)
{
	char window[COMPRESS_WINDOW_BYTES];
	uInt bytes = sizeof window;

	must(inflateGetDictionary(&compress->in->z, (Bytef *)window, &bytes) == Z_OK);
	free_direction(&compress->in);
	if (bytes == 0)
		return;
	compress->dictionary = malloc(bytes);
	must(compress->dictionary != NULL);
	memcpy(compress->dictionary, window, bytes);
	compress->dictionary_bytes = bytes;
}

bool compress_is_awake(const struct compress *compress)
{
	return (compress->out && !compress->is_held) || can_rest_inflate(compress);
}

bool compress_rest(struct compress *compress)
{
	bool was_awake = compress_is_awake(compress);

	if (!compress->is_held)
		free_direction(&compress->out);
	if (can_rest_inflate(compress))
		rest_inflate(compress);
	return was_awake;
}

size_t compress_memory_bytes(const struct compress *compress)
{
	return sizeof *compress + compress->dictionary_bytes +
	       (compress->in ? compress->in->used_bytes : 0) +
	       (compress->out ? compress->out->used_bytes : 0);
}
