#include "server/imap/search_body.h"

#include "maildir/message/header.h"

#include <errno.h>

enum { SEARCH_CHUNK_BYTES = 16 * 1024 };

static void end_part(struct search_body *body)
{
	text_search_free(body->search);
	text_decoder_free(body->decoder);
	body->search = NULL;
	body->decoder = NULL;
}

void search_body_done(struct search_body *body)
{
	end_part(body);
	*body = (struct search_body){ 0 };
}

/* Depth first, as the message runs. NULL behind the last. */
static const struct mime_part *part_after(const struct mime_part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

static bool header_contains(struct slice header, const struct text_needle *needle)
{
	struct header_field field;

	while (header_next(&header, &field))
		if (text_header_contains(field.raw, needle))
			return true;
	return false;
}

/* Of a BODY search, the headers of embedded messages only. */
static bool wants_header(const struct mime_part *part, const struct search_body_wants *wants)
{
	return wants->headers || (part->parent && part->parent->kind == MIME_MESSAGE);
}

static int look_at_header(struct search_body *body, struct message_file *file,
	const struct search_body_wants *wants, struct work *work, bool *ret_found)
{
	const struct mime_part *part = body->part;

	if (work->budget == 0)
		return -EINPROGRESS;
	work->budget--;
	buf_clear(wants->text);

	int r = message_file_read(file, part->header_offset, part->body_offset, LIMIT_HEADER_BYTES,
		wants->text, work);

	if (r == 0)
		*ret_found = header_contains(buf_slice(wants->text), wants->needle);
	return r;
}

static int feed_chunk(
	struct search_body *body, struct message_file *file, struct work *work, bool *found)
{
	_cleanup_buf_ struct buf chunk = BUF(SEARCH_CHUNK_BYTES);
	uint64_t at = body->part->body_offset + body->offset;

	if (work->budget == 0)
		return -EINPROGRESS;
	work->budget--;

	int r = message_file_read(
		file, at, body->part->end_offset, SEARCH_CHUNK_BYTES, &chunk, work);

	if (r < 0)
		return r;
	*found = text_search_feed(body->search, buf_slice(&chunk));
	body->offset += chunk.n;
	return 0;
}

static int look_at_body(struct search_body *body, struct message_file *file,
	const struct search_body_wants *wants, struct work *work, bool *ret_found)
{
	uint64_t bytes = body->part->end_offset - body->part->body_offset;
	bool found = false;

	if (!body->search) {
		body->decoder = text_decoder_new(body->part);
		body->search = text_search_new(body->decoder, wants->needle);
		if (slice_equal_nocase(mime_subtype(body->part), SLICE("html")))
			text_search_html(body->search);
	}
	while (!found && body->offset < bytes) {
		int r = feed_chunk(body, file, work, &found);

		if (r < 0)
			return r;
	}
	*ret_found = found || text_search_finish(body->search);
	end_part(body);
	return 0;
}

static int look_at_part(struct search_body *body, struct message_file *file,
	const struct search_body_wants *wants, struct work *work, bool *ret_found)
{
	int r = 0;

	if (!body->header_done && wants_header(body->part, wants))
		r = look_at_header(body, file, wants, work, ret_found);
	if (r < 0 || *ret_found)
		return r;
	body->header_done = true;
	return body->part->kind == MIME_TEXT ? look_at_body(body, file, wants, work, ret_found) : 0;
}

int search_body_run(struct search_body *body, struct message_file *file,
	const struct search_body_wants *wants, struct work *work, bool *ret_found)
{
	bool found = false;

	if (body->msg_uid != file->msg_uid) {
		search_body_done(body);
		body->msg_uid = file->msg_uid;
		body->part = file->root;
	}
	while (body->part && !found) {
		int r = look_at_part(body, file, wants, work, &found);

		if (r < 0)
			return r;
		body->part = part_after(body->part);
		body->header_done = false;
		body->offset = 0;
	}
	search_body_done(body);
	*ret_found = found;
	return 0;
}
