/* mime.h - the MIME tree of a message, parsed from bytes in pieces of any size, in bounded memory. Pure. */
#pragma once

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"

/*
 * Line ends may be LF, CRLF or a mixture. Offsets are those of the bytes fed (the file); octets are counted with
 * CRLF line ends (crlf.h). What a limit cuts off has a defined outcome:
 *
 *  - LIMIT_MIME_DEPTH: a multipart or message/rfc822 that deep is opaque: application/octet-stream, without children.
 *  - LIMIT_MIME_PARTS: from then on boundary lines are text of the part they stand in.
 *  - LIMIT_HEADER_BYTES: fields of a header that begin beyond are not looked at; the header still ends where it ends.
 *  - MIME_KEPT_BYTES: what all parts together keep of their fields; a part beyond is as if it had none of them but
 *    Content-Type's type and subtype (of each MIME_TYPE_BYTES) and boundary.
 *  - MIME_BOUNDARY_BYTES: a longer boundary is compared by that many bytes.
 */
enum {
	MIME_KEPT_BYTES = 8 * 1024 * 1024,
	MIME_BOUNDARY_BYTES = 1000,
	MIME_TYPE_BYTES = 127, /* RFC 6838 section 4.2 */
	MIME_PARAMS = 1000, /* of one field; those that follow are not looked at */
};

enum mime_kind {
	MIME_LEAF,      /* neither of the others */
	MIME_TEXT,      /* text/anything, and what has no Content-Type */
	MIME_MULTIPART, /* has children, or none if no boundary line came */
	MIME_MESSAGE,   /* message/rfc822 or message/global: one child, the embedded message */
};

/* name is as written; value without quotes. RFC 2231 continuations are already one parameter; see rfc2231.h. */
struct mime_param {
	struct slice name, value;
	struct mime_param *next;
};

struct mime_language {
	struct slice tag;
	struct mime_language *next;
};

/*
 * Slices whose p is NULL: the message has no such field (or none that can be read). Those that are set are as
 * written, comments and folding removed where the field is structured.
 */
struct mime_part {
	struct mime_part *parent;   /* NULL for the message itself */
	struct mime_part *children; /* the first */
	struct mime_part *next;     /* the next of the same parent */
	uint32_t children_count;    /* direct children */
	enum mime_kind kind;

	uint64_t header_offset;     /* where its header begins */
	uint64_t body_offset;       /* behind the header's empty line, which belongs to the header */
	uint64_t end_offset;        /* before the line end that precedes the boundary line; or the end of all */
	uint64_t header_octets, body_octets;
	uint64_t header_lines, body_lines; /* LFs in each */
	bool header_has_nul, body_has_nul;

	struct slice type, subtype; /* not set: text/plain, in a multipart/digest message/rfc822 */
	struct mime_param *params;
	struct slice id, description, encoding, md5, location;
	struct slice disposition;
	struct mime_param *disposition_params;
	struct mime_language *languages;

	/*
	 * Of a message (the root, and the child of a MIME_MESSAGE part): the raw lines of those of its fields that
	 * ENVELOPE, SORT and THREAD need: Date Subject From Sender Reply-To To Cc Bcc In-Reply-To Message-ID References.
	 * In the order of the header, each ended by its line end (the last one perhaps by none). For envelope_format().
	 */
	struct slice envelope_fields;
};

struct mime_parser;

/* A parser that was fed nothing yet. Freed with mime_parser_free(). */
struct mime_parser *mime_parser_new(void);

/* Take the next bytes of the message, of any number; nothing of them is referred to afterwards. */
void mime_parser_feed(struct mime_parser *parser, struct slice in);

/*
 * Say that the message has ended.
 * Returns the tree; an empty message has an empty text part. Feed nothing afterwards; a second call returns the same.
 * Valid   until mime_parser_free(): tree and slices are the parser's.
 */
const struct mime_part *mime_parser_finish(struct mime_parser *parser);

void mime_parser_free(struct mime_parser *parser);

/* Parse a message that is in memory. Returns the tree; *ret_parser owns it. */
const struct mime_part *mime_parse(struct slice message, struct mime_parser **ret_parser);

/* Find a parameter by its name, in any case. Returns its value; p is NULL if there is none. */
struct slice mime_param_value(const struct mime_param *params, struct slice name);

/* The type a part has in effect, when its field is missing or says only half. p is never NULL. */
struct slice mime_type(const struct mime_part *part);
struct slice mime_subtype(const struct mime_part *part);

/* Octets of the whole part or message: header and body. Of the root: RFC822.SIZE. */
static inline uint64_t mime_octets(const struct mime_part *part)
{
	return part->header_octets + part->body_octets;
}

static inline void mime_parser_cleanup(struct mime_parser **parser)
{
	mime_parser_free(*parser);
}
#define _cleanup_mime_parser_ _cleanup_(mime_parser_cleanup)
