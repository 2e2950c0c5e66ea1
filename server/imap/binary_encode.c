#include "server/imap/binary_encode.h"

#include "base/base64.h"
#include "base/must.h"
#include "maildir/message/header.h"

#include <stdlib.h>
#include <string.h>

static const struct slice FIELD = { "Content-Transfer-Encoding", 25 };

static bool loses(const struct mime_part *part)
{
	bool is_binary = slice_equal_nocase(slice_trim(part->encoding), SLICE("binary"));

	return is_binary && !part->children &&
	       part->body_octets != part->end_offset - part->body_offset;
}

/* The one that follows in the tree, from above: in the order of the message. */
static const struct mime_part *next_part(const struct mime_part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

enum binary_need binary_need(const struct mime_part *root)
{
	enum binary_need need = BINARY_KEPT;

	for (const struct mime_part *part = root; part; part = next_part(part)) {
		if (!loses(part))
			continue;
		if (part->kind == MIME_MULTIPART || part->kind == MIME_MESSAGE)
			return BINARY_REFUSED;
		need = BINARY_ENCODE;
	}
	return need;
}

void line_ends_done(struct line_ends *ends)
{
	free(ends->runs);
	*ends = (struct line_ends){ 0 };
}

/* The run of a kind at the end, made if the other kind was last. NULL: there are too many. */
static uint32_t *last_run(struct line_ends *ends, bool is_crlf)
{
	while (ends->n == 0 || (ends->n % 2 == 1) != is_crlf) {
		if (ends->n == BINARY_RUNS_MAX)
			return NULL;
		if (ends->n == ends->cap) {
			ends->cap = ends->cap > 0 ? 2 * ends->cap : 16;
			ends->runs = reallocarray(ends->runs, ends->cap, sizeof *ends->runs);
			must(ends->runs != NULL);
		}
		ends->runs[ends->n++] = 0;
	}
	return &ends->runs[ends->n - 1];
}

void line_ends_note(struct line_ends *ends, struct slice octets)
{
	for (size_t i = 0; i < octets.n; i++) {
		unsigned char before = ends->last[1], c = (unsigned char)octets.p[i];

		/* CR CR LF is stored as it is. */
		if (c == '\n' && !(before == '\r' && ends->last[0] == '\r')) {
			uint32_t *run = last_run(ends, before == '\r');

			ends->overflow |= !run;
			if (run)
				++*run;
		}
		ends->last[0] = before;
		ends->last[1] = c;
	}
}

void line_ends_rewind(struct line_ends *ends)
{
	ends->at = 0;
	ends->left = ends->n > 0 ? ends->runs[0] : 0;
	ends->after_cr = false;
}

static bool next_is_crlf(struct line_ends *ends)
{
	while (ends->left == 0) {
		if (ends->at + 1 >= ends->n)
			return false; /* somebody else wrote into the file */
		ends->left = ends->runs[++ends->at];
	}
	ends->left--;
	return ends->at % 2 == 0;
}

void line_ends_restore(struct line_ends *ends, struct slice stored, struct buf *out)
{
	int r = 0;

	while (r == 0 && stored.n > 0) {
		ssize_t lf = slice_find(stored, '\n');
		struct slice run = slice_take(&stored, lf >= 0 ? (size_t)lf : stored.n);

		if (run.n > 0)
			ends->after_cr = run.p[run.n - 1] == '\r';
		r = buf_add(out, run);
		if (r < 0 || lf < 0)
			continue;
		stored = slice_tail(stored, 1);
		r = buf_add_str(out, !ends->after_cr && next_is_crlf(ends) ? "\r\n" : "\n");
		ends->after_cr = false;
	}
	must(r == 0);
}

static const struct mime_part *next_loser(const struct mime_part *part)
{
	while (part && !loses(part))
		part = next_part(part);
	return part;
}

void binary_encoder_init(struct binary_encoder *encoder, const struct mime_part *root)
{
	*encoder = (struct binary_encoder){ .part = next_loser(root),
		.header = BUF(LIMIT_HEADER_BYTES) };
}

void binary_encoder_done(struct binary_encoder *encoder)
{
	buf_done(&encoder->header);
	*encoder = (struct binary_encoder){ 0 };
}

/* The header with the encoding put right; a second field of that name goes. */
static void write_header(struct binary_encoder *encoder, struct buf *out)
{
	struct slice header = buf_slice(&encoder->header), left = header;
	struct header_field field;
	size_t fields_n = 0;
	bool written = false;
	int r = 0;

	while (r == 0 && header_next(&left, &field)) {
		bool is_it = slice_equal_nocase(field.name, FIELD);

		fields_n = (size_t)(field.raw.p + field.raw.n - header.p);
		if (!is_it)
			r = buf_add(out, field.raw);
		else if (!written)
			r = buf_add_str(out, "Content-Transfer-Encoding: base64\r\n");
		written |= is_it;
	}
	if (r == 0)
		r = buf_add(out, slice_tail(header, fields_n)); /* the empty line */
	must(r == 0);
	buf_clear(&encoder->header);
}

static void write_line(struct binary_encoder *encoder, struct buf *out)
{
	must(base64_encode(slice_from((char *)encoder->held, encoder->held_n), out) == 0);
	encoder->held_n = 0;
}

static void encode(struct binary_encoder *encoder, struct slice in, struct buf *out)
{
	while (in.n > 0) {
		size_t room = sizeof encoder->held - encoder->held_n;
		struct slice some;

		if (room == 0) { /* more follows: so does a line */
			write_line(encoder, out);
			must(buf_add_str(out, "\r\n") == 0);
			continue;
		}
		some = slice_take(&in, in.n < room ? in.n : room);
		memcpy(encoder->held + encoder->held_n, some.p, some.n);
		encoder->held_n += some.n;
	}
}

/* Where what is under way ends; from encoder->offset on all octets up to it are treated alike. */
static uint64_t end_of_stretch(const struct binary_encoder *encoder)
{
	const struct mime_part *part = encoder->part;

	if (!part)
		return UINT64_MAX;
	if (encoder->offset < part->header_offset)
		return part->header_offset;
	return encoder->offset < part->body_offset ? part->body_offset : part->end_offset;
}

/* A field beyond LIMIT_HEADER_BYTES was not looked at by the parser either: it is copied. */
static void take_header(struct binary_encoder *encoder, struct slice some, struct buf *out)
{
	bool is_first = encoder->offset == encoder->part->header_offset;
	struct slice kept = slice_head(some, encoder->header.max_bytes - encoder->header.n);

	if (is_first || encoder->header.n > 0) {
		must(buf_add(&encoder->header, kept) == 0);
		some = slice_tail(some, kept.n);
		if (some.n > 0 || encoder->offset + kept.n == encoder->part->body_offset)
			write_header(encoder, out);
	}
	must(buf_add(out, some) == 0);
}

static void take(struct binary_encoder *encoder, struct slice some, struct buf *out)
{
	const struct mime_part *part = encoder->part;

	if (!part || encoder->offset < part->header_offset)
		must(buf_add(out, some) == 0);
	else if (encoder->offset < part->body_offset)
		take_header(encoder, some, out);
	else
		encode(encoder, some, out);
}

static void end_part(struct binary_encoder *encoder, struct buf *out)
{
	write_line(encoder, out);
	if (!encoder->part->parent)
		must(buf_add_str(out, "\r\n") == 0);
	encoder->part = next_loser(next_part(encoder->part));
}

void binary_encoder_feed(struct binary_encoder *encoder, struct slice in, struct buf *out)
{
	while (in.n > 0) {
		uint64_t left = end_of_stretch(encoder) - encoder->offset;
		struct slice some = slice_take(&in, in.n < left ? in.n : (size_t)left);

		take(encoder, some, out);
		encoder->offset += some.n;
		if (encoder->part && encoder->offset == encoder->part->end_offset)
			end_part(encoder, out);
	}
}

bool binary_encoder_is_done(const struct binary_encoder *encoder)
{
	return !encoder->part;
}
