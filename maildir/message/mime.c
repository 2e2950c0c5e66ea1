/*
 * Invariants.
 *
 * 1. Every byte goes through count_bytes() once, in order; so what a part holds is the difference between two states
 *    of the running totals, and nesting costs nothing.
 * 2. Only the beginning of a line is ever held: a header line up to LIMIT_HEADER_BYTES, a body line only while it
 *    may be a boundary line. What is held is not yet counted.
 * 3. `open` lists the multiparts around the current part whose closing boundary has not come, outermost first. All
 *    are ancestors of the current part, or the part itself.
 * 4. The line end before a boundary line belongs to the boundary (RFC 2046 section 5.1.1), also when it is that of
 *    a header's last or empty line, which then is so much shorter. Only the line end of another boundary line stays.
 */
#include "maildir/message/mime.h"

#include "base/buf.h"
#include "base/must.h"
#include "maildir/message/crlf.h"
#include "maildir/message/header.h"
#include "maildir/message/mime_fields.h"

enum { HELD_LINE_BYTES = LIMIT_HEADER_BYTES, BOUNDARY_LINE_BYTES = MIME_BOUNDARY_BYTES + 6 };

enum mime_state {
	MIME_IN_HEADER,
	MIME_IN_BODY,
	MIME_IN_LINE_REST, /* of a boundary line: what follows the boundary is of no meaning */
	MIME_ENDED,
};

enum mime_keep { MIME_KEEP_NOT, MIME_KEEP_CONTENT, MIME_KEEP_ENVELOPE };

struct mime_open {
	struct mime_part *part;
	struct slice boundary;
};

/* The running totals at one place. */
struct mime_mark {
	uint64_t offset, octets, lines;
};

struct mime_parser {
	struct arena arena;
	struct mime_part *root, *current;
	struct mime_part **last_child[LIMIT_MIME_DEPTH + 1]; /* by depth: where the next child is linked */
	unsigned depth; /* of current; the root's is 1 */
	uint32_t parts;

	struct mime_open open[LIMIT_MIME_DEPTH];
	unsigned n_open;

	enum mime_state state;
	bool at_line_start;
	bool next_is_part;     /* in MIME_IN_LINE_REST: a part begins behind the line */
	uint8_t line_end_bytes; /* of the line before this one: 1, 2, or 0 if it may not be taken away */
	struct crlf_count total;
	uint64_t offset;
	struct buf line;       /* what is held */

	enum mime_keep keep;   /* what the field under way is for */
	struct buf content, envelope;
	struct mime_mark header[LIMIT_MIME_DEPTH + 1]; /* by depth: where the header of the part there began */
	struct mime_mark body[LIMIT_MIME_DEPTH + 1];   /* and its body */
};

static struct mime_mark mark_here(const struct mime_parser *p)
{
	return (struct mime_mark){ p->offset, p->total.octets, p->total.lines };
}

static void mark_nul(struct mime_parser *p)
{
	p->total.has_nul = false;
	if (p->state == MIME_IN_HEADER)
		p->current->header_has_nul = true;
	else
		p->current->body_has_nul = true;
	for (struct mime_part *part = p->current->parent; part; part = part->parent)
		part->body_has_nul = true;
}

static void count_bytes(struct mime_parser *p, struct slice s)
{
	crlf_count(&p->total, s);
	p->offset += s.n;
	if (p->total.has_nul)
		mark_nul(p);
}

static bool may_hold_parts(const struct mime_parser *p)
{
	return p->depth < LIMIT_MIME_DEPTH && p->parts < LIMIT_MIME_PARTS;
}

/* Begin a part below the current one, its header here. */
static void begin_part(struct mime_parser *p)
{
	struct mime_part *part = arena_alloc(&p->arena, sizeof *part);

	must(p->depth < LIMIT_MIME_DEPTH);
	part->parent = p->current;
	if (p->current)
		p->current->children_count++;
	*p->last_child[p->depth] = part;
	p->last_child[p->depth] = &part->next;
	p->depth++;
	p->parts++;
	p->current = part;
	p->last_child[p->depth] = &part->children;
	p->header[p->depth] = mark_here(p);
	p->state = MIME_IN_HEADER;
	p->keep = MIME_KEEP_NOT;
	p->at_line_start = true;
	buf_clear(&p->content);
	buf_clear(&p->envelope);
}

static bool is_message(const struct mime_part *part)
{
	return !part->parent || part->parent->kind == MIME_MESSAGE;
}

/* A multipart or message that may have no parts of its own, by our limits, is bytes. */
static void make_opaque(struct mime_part *part)
{
	part->kind = MIME_LEAF;
	part->type = SLICE("application");
	part->subtype = SLICE("octet-stream");
}

static void read_fields(struct mime_parser *p)
{
	struct mime_part *part = p->current;
	bool keep = p->arena.total_bytes < MIME_KEPT_BYTES;

	mime_fields_parse(part, buf_slice(&p->content), &p->arena, keep);
	if (keep && is_message(part) && p->envelope.n > 0)
		part->envelope_fields = arena_copy(&p->arena, buf_slice(&p->envelope));
	if ((part->kind == MIME_MULTIPART || part->kind == MIME_MESSAGE) && !may_hold_parts(p))
		make_opaque(part);
	buf_shrink(&p->content, 16384);
	buf_shrink(&p->envelope, 16384);
}

/* The header of the current part ends here. */
static void end_header(struct mime_parser *p)
{
	p->body[p->depth] = mark_here(p);
	read_fields(p);
	p->state = MIME_IN_BODY;
	p->at_line_start = true;
}

/* The header ends without its empty line, and all of the part with it. */
static void cut_header(struct mime_parser *p)
{
	end_header(p);
	if (p->current->kind == MIME_MESSAGE) { /* has a child always */
		begin_part(p);
		end_header(p);
	}
}

/* Go on behind the header: into the embedded message, or between the boundaries. */
static void begin_body(struct mime_parser *p)
{
	struct mime_part *part = p->current;
	struct slice boundary = mime_param_value(part->params, SLICE("boundary"));

	if (part->kind == MIME_MESSAGE) {
		begin_part(p);
	} else if (part->kind == MIME_MULTIPART && boundary.p) {
		must(p->n_open < LIMIT_MIME_DEPTH);
		p->open[p->n_open++] =
			(struct mime_open){ part, slice_head(boundary, MIME_BOUNDARY_BYTES) };
	}
}

/* The earlier of two places. */
static const struct mime_mark *earlier(const struct mime_mark *a, const struct mime_mark *b)
{
	return a->offset < b->offset ? a : b;
}

/* The current part ends at that place, perhaps even before its body or header began; its parent is current again. */
static void end_part(struct mime_parser *p, const struct mime_mark *at)
{
	struct mime_part *part = p->current;
	const struct mime_mark *header = earlier(&p->header[p->depth], at);
	const struct mime_mark *body = earlier(&p->body[p->depth], at);

	part->header_offset = header->offset;
	part->body_offset = body->offset;
	part->end_offset = at->offset;
	part->header_octets = body->octets - header->octets;
	part->header_lines = body->lines - header->lines;
	part->body_octets = at->octets - body->octets;
	part->body_lines = at->lines - body->lines;
	if (p->n_open > 0 && p->open[p->n_open - 1].part == part)
		p->n_open--;
	p->current = part->parent;
	p->depth--;
}

/*
 * Which open multipart a line that begins with "--" belongs to, by its bytes behind them; -1: none. Only the
 * beginning has to match (RFC 2046 section 5.1.1), so: the innermost that is the whole line, else the longest.
 */
static int find_boundary(const struct mime_parser *p, struct slice line)
{
	int best = -1;

	for (int i = (int)p->n_open - 1; i >= 0; i--) {
		struct slice boundary = p->open[i].boundary;

		if (!slice_starts_with(line, boundary))
			continue;

		struct slice rest = slice_trim(slice_tail(line, boundary.n));

		if (rest.n == 0 || slice_equal(rest, SLICE("--")))
			return i;
		if (best < 0 || boundary.n > p->open[best].boundary.n)
			best = i;
	}
	return best;
}

/* Where what the boundary line at the current place ends has its end. */
static struct mime_mark mark_before_boundary(const struct mime_parser *p)
{
	struct mime_mark at = mark_here(p);

	if (p->line_end_bytes == 0)
		return at;
	return (struct mime_mark){ at.offset - p->line_end_bytes, at.octets - 2, at.lines - 1 };
}

/*
 * If the line, which begins at the current place and was not counted yet, is a boundary line, end what it ends.
 * Returns whether it is; the state is then MIME_IN_LINE_REST.
 */
static bool take_boundary(struct mime_parser *p, struct slice line)
{
	if (p->n_open == 0 || !slice_starts_with(line, SLICE("--")) || p->parts >= LIMIT_MIME_PARTS)
		return false;
	line = slice_tail(line, 2);

	int found = find_boundary(p, line);

	if (found < 0)
		return false;

	struct mime_open open = p->open[found];
	struct mime_mark at = mark_before_boundary(p);

	if (p->state == MIME_IN_HEADER)
		cut_header(p);
	while (p->current != open.part)
		end_part(p, &at);
	p->next_is_part = !slice_starts_with(slice_tail(line, open.boundary.n), SLICE("--"));
	if (!p->next_is_part)
		p->n_open--; /* what follows is the epilogue */
	p->state = MIME_IN_LINE_REST;
	return true;
}

/* Count bytes, and see whether a line begins behind them. */
static void count_line(struct mime_parser *p, struct slice s)
{
	bool cr = s.n >= 2 ? s.p[s.n - 2] == '\r' : p->total.last_was_cr;

	count_bytes(p, s);
	p->at_line_start = s.p[s.n - 1] == '\n';
	p->line_end_bytes = p->at_line_start ? 1 + cr : 0;
}

/* Take what is left of a boundary line. Returns how many bytes of in. */
static size_t feed_line_rest(struct mime_parser *p, struct slice in)
{
	ssize_t lf = slice_find(in, '\n');
	struct slice rest = slice_head(in, lf < 0 ? in.n : (size_t)lf + 1);

	count_line(p, rest);
	if (lf < 0)
		return rest.n;
	p->state = MIME_IN_BODY;
	if (p->next_is_part) {
		begin_part(p);
		p->line_end_bytes = 0;
	}
	return rest.n;
}

/*
 * Gather the line in front of in; pass over it where it is whole already. Returns how many bytes of in belong to it;
 * *ret_line is set once it is whole, or limit bytes of it are there.
 */
static size_t gather_line(struct mime_parser *p, struct slice in, size_t limit, struct slice *ret_line)
{
	struct slice more = slice_head(in, limit - p->line.n);
	ssize_t lf = slice_find(more, '\n');
	bool ready = lf >= 0 || p->line.n + more.n == limit;

	if (lf >= 0)
		more.n = (size_t)lf + 1;
	if (ready && p->line.n == 0) {
		*ret_line = more;
		return more.n;
	}
	must(buf_add(&p->line, more) == 0);
	if (ready)
		*ret_line = buf_slice(&p->line);
	return more.n;
}

static bool is_empty_line(struct slice line)
{
	return slice_equal(line, SLICE("\n")) || slice_equal(line, SLICE("\r\n"));
}

/* What a line that begins a field is kept for. */
static enum mime_keep keep_of(const struct mime_parser *p, struct slice line)
{
	struct header_field field;

	if (p->total.octets - p->header[p->depth].octets >= LIMIT_HEADER_BYTES ||
		!header_next(&line, &field))
		return MIME_KEEP_NOT;
	if (slice_starts_with_nocase(field.name, SLICE("content-")))
		return MIME_KEEP_CONTENT;
	if (is_message(p->current) && mime_fields_of_envelope(field.name))
		return MIME_KEEP_ENVELOPE;
	return MIME_KEEP_NOT;
}

static void keep_line(struct mime_parser *p, struct slice line)
{
	bool folded = line.p[0] == ' ' || line.p[0] == '\t';

	if (!folded)
		p->keep = keep_of(p, line);
	if (p->keep == MIME_KEEP_NOT)
		return;

	struct buf *kept = p->keep == MIME_KEEP_CONTENT ? &p->content : &p->envelope;

	if (buf_add(kept, line) < 0)
		p->keep = MIME_KEEP_NOT; /* what was kept of the field stays: cut off */
}

/* A line of a header, whole or as much of it as is looked at. */
static void header_line(struct mime_parser *p, struct slice line)
{
	if (is_empty_line(line)) {
		count_line(p, line);
		end_header(p);
		begin_body(p);
		return;
	}
	if (take_boundary(p, line)) {
		feed_line_rest(p, line);
		return;
	}
	keep_line(p, line);
	count_line(p, line);
}

/* A line of a body that begins with a dash, whole or as much of it as is looked at. */
static void body_line(struct mime_parser *p, struct slice line)
{
	if (take_boundary(p, line))
		feed_line_rest(p, line);
	else
		count_line(p, line);
}

static void take_line(struct mime_parser *p, struct slice line)
{
	if (p->state == MIME_IN_HEADER)
		header_line(p, line);
	else
		body_line(p, line);
	buf_shrink(&p->line, 4096);
}

/* The rest of a header line that was too long to look at. */
static size_t feed_long_line(struct mime_parser *p, struct slice in)
{
	ssize_t lf = slice_find(in, '\n');
	struct slice rest = slice_head(in, lf < 0 ? in.n : (size_t)lf + 1);

	count_line(p, rest);
	return rest.n;
}

/* Bytes in front that are no boundary line: up to the next line that begins with a dash. */
static size_t plain_bytes(struct slice in)
{
	const char *at = in.p, *end = in.p + in.n;

	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		at++;
		if (at == end || *at == '-')
			return (size_t)(at - in.p);
	}
	return in.n;
}

/* Take some bytes in front of in, at least one. Returns how many. */
static size_t feed_some(struct mime_parser *p, struct slice in)
{
	bool header = p->state == MIME_IN_HEADER;
	struct slice line = { NULL, 0 };

	if (p->state == MIME_IN_LINE_REST)
		return feed_line_rest(p, in);
	if (header && !p->at_line_start)
		return feed_long_line(p, in);
	if (header || (p->n_open > 0 && p->at_line_start && (p->line.n > 0 || in.p[0] == '-'))) {
		size_t n = gather_line(p, in, header ? HELD_LINE_BYTES : BOUNDARY_LINE_BYTES, &line);

		if (line.p)
			take_line(p, line);
		return n;
	}

	size_t n = p->n_open > 0 ? plain_bytes(in) : in.n;

	count_line(p, slice_head(in, n));
	return n;
}

struct mime_parser *mime_parser_new(void)
{
	struct mime_parser *p = calloc(1, sizeof *p);

	must(p != NULL);
	p->line = BUF(HELD_LINE_BYTES);
	p->content = BUF(LIMIT_HEADER_BYTES);
	p->envelope = BUF(LIMIT_HEADER_BYTES);
	p->last_child[0] = &p->root;
	begin_part(p);
	return p;
}

void mime_parser_feed(struct mime_parser *parser, struct slice in)
{
	must(parser->state != MIME_ENDED);
	while (in.n > 0)
		in = slice_tail(in, feed_some(parser, in));
}

const struct mime_part *mime_parser_finish(struct mime_parser *parser)
{
	if (parser->state == MIME_ENDED)
		return parser->root;
	if (parser->line.n > 0)
		take_line(parser, buf_slice(&parser->line));
	if (parser->state == MIME_IN_HEADER)
		cut_header(parser);

	struct mime_mark at = mark_here(parser);

	while (parser->current)
		end_part(parser, &at);
	parser->state = MIME_ENDED;
	return parser->root;
}

void mime_parser_free(struct mime_parser *parser)
{
	if (!parser)
		return;
	buf_done(&parser->line);
	buf_done(&parser->content);
	buf_done(&parser->envelope);
	arena_done(&parser->arena);
	free(parser);
}

const struct mime_part *mime_parse(struct slice message, struct mime_parser **ret_parser)
{
	struct mime_parser *p = mime_parser_new();

	mime_parser_feed(p, message);
	*ret_parser = p;
	return mime_parser_finish(p);
}
