#include "server/imap/binary_part.h"

#include "base/must.h"
#include "maildir/message/crlf.h"

#include <errno.h>

enum {
	CHUNK_BYTES = 16 * 1024,
	LINES_BYTES = 2 * CHUNK_BYTES, /* every LF may become CRLF */
	PLAIN_BYTES = LINES_BYTES + 2 * TRANSFER_HELD_BYTES,
	DECODED_BYTES = BINARY_KEPT_BYTES + 2 * PLAIN_BYTES,
};

int binary_part_find(const struct mime_part *root, const uint32_t *numbers, size_t n,
	struct binary_facts *ret_facts)
{
	struct binary_facts facts = { .exists = false };
	enum section_place place;
	const struct mime_part *part = mime_find(root, numbers, n, &place);

	if (part && section_stretch(root, numbers, n, SECTION_ALL, &facts.stretch)) {
		facts.exists = true;
		if (place != SECTION_MESSAGE && part->kind != MIME_MULTIPART)
			facts.encoding = transfer_encoding_from(part->encoding);
		facts.is_text = part->kind == MIME_TEXT;
		facts.encoded = facts.encoding != TRANSFER_IDENTITY;
	}
	if (facts.encoding == TRANSFER_UNKNOWN)
		return -EOPNOTSUPP;
	if (!facts.encoded) {
		facts.known = true;
		facts.octets = facts.stretch.octets;
		facts.has_nul = facts.stretch.has_nul;
	}
	*ret_facts = facts;
	return 0;
}

static void rewind_part(struct binary_part *part)
{
	part->offset = part->facts.stretch.offset;
	part->decoder = (struct transfer_decoder){ .encoding = part->facts.encoding };
	part->encoded_cr = part->decoded_cr = false;
	part->finished = part->offset == part->facts.stretch.end;
	part->position = 0;
	buf_clear(&part->decoded);
}

static bool is_same(const struct binary_facts *a, const struct binary_facts *b)
{
	return a->stretch.offset == b->stretch.offset && a->stretch.end == b->stretch.end &&
	       a->encoding == b->encoding && a->is_text == b->is_text;
}

void binary_part_open(struct binary_part *part, const struct binary_facts *facts)
{
	must(facts->exists && facts->encoded);
	if (part->is_open && is_same(&part->facts, facts))
		return;
	if (!part->is_open)
		part->decoded = BUF(DECODED_BYTES);
	part->is_open = true;
	part->facts = *facts;
	rewind_part(part);
}

void binary_part_close(struct binary_part *part)
{
	buf_done(&part->decoded);
	*part = (struct binary_part){ .is_open = false };
}

/* Undo the encoding of some bytes of the file. Nothing of what is decoded is dropped: there is room for a chunk. */
static void decode(struct binary_part *part, struct slice bytes)
{
	_cleanup_buf_ struct buf lines = BUF(LINES_BYTES), plain = BUF(PLAIN_BYTES);
	bool quoted = part->facts.encoding == TRANSFER_QUOTED_PRINTABLE;
	int r = quoted ? crlf_append(bytes, false, &part->encoded_cr, &lines) : 0;

	if (r == 0)
		r = transfer_feed(&part->decoder, quoted ? buf_slice(&lines) : bytes, &plain);
	part->finished = part->offset == part->facts.stretch.end;
	if (r == 0 && part->finished)
		r = transfer_finish(&part->decoder, &plain);
	if (r == 0)
		r = part->facts.is_text ? crlf_append(buf_slice(&plain), false, &part->decoded_cr,
						  &part->decoded)
					: buf_add(&part->decoded, buf_slice(&plain));
	must(r == 0);
}

/* Read and decode one chunk more. */
static int fill(struct binary_part *part, struct reader *reader, struct work *work)
{
	_cleanup_buf_ struct buf bytes = BUF(CHUNK_BYTES);
	uint64_t left = part->facts.stretch.end - part->offset;
	int r;

	if (work->budget == 0)
		return -EINPROGRESS;
	work->budget--;
	r = reader_read(reader, part->offset, left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES,
		&bytes);
	if (r < 0)
		return r;
	part->offset += bytes.n;
	decode(part, buf_slice(&bytes));
	return 0;
}

static void drop_decoded(struct binary_part *part)
{
	part->position += part->decoded.n;
	buf_clear(&part->decoded);
}

int binary_part_measure(struct binary_part *part, struct reader *reader, struct work *work)
{
	while (!part->facts.known && !part->finished) {
		if (part->decoded.n > BINARY_KEPT_BYTES)
			drop_decoded(part);

		size_t before = part->decoded.n;
		int r = fill(part, reader, work);

		if (r < 0)
			return r;
		part->facts.has_nul |=
			slice_find(slice_tail(buf_slice(&part->decoded), before), '\0') >= 0;
	}
	if (!part->facts.known)
		part->facts.octets = part->position + part->decoded.n;
	part->facts.known = true;
	return 0;
}

/* Have decoded hold the octet at first. */
static int seek(
	struct binary_part *part, struct reader *reader, uint64_t first, struct work *work)
{
	if (first < part->position)
		rewind_part(part);
	while (first - part->position >= part->decoded.n) {
		if (part->finished)
			return -ESTALE;
		if (part->decoded.n > BINARY_KEPT_BYTES)
			drop_decoded(part);

		int r = fill(part, reader, work);

		if (r < 0)
			return r;
	}
	return 0;
}

int binary_part_send(struct binary_part *part, struct reader *reader,
	struct binary_range *range, struct work *work)
{
	while (range->left > 0) {
		size_t out_n = range->out->n;
		size_t room = out_n < range->high_water ? range->high_water - out_n : 0;

		if (room == 0)
			return -EINPROGRESS;

		int r = seek(part, reader, range->first, work);

		if (r < 0)
			return r;

		struct slice some = slice_tail(
			buf_slice(&part->decoded), (size_t)(range->first - part->position));

		some = slice_head(some, room);
		if (some.n > range->left)
			some.n = (size_t)range->left;
		r = buf_add(range->out, some);
		if (r < 0)
			return r;
		range->first += some.n;
		range->left -= some.n;
	}
	return 0;
}
