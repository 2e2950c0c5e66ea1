#include "maildir/message/mime_fields.h"

#include "base/must.h"
#include "maildir/message/header.h"
#include "maildir/message/rfc2231.h"
#include "maildir/message/token.h"

bool mime_fields_of_envelope(struct slice name)
{
	static const struct slice names[] = {
		SLICE("Date"), SLICE("Subject"), SLICE("From"), SLICE("Sender"), SLICE("Reply-To"),
		SLICE("To"), SLICE("Cc"), SLICE("Bcc"), SLICE("In-Reply-To"), SLICE("Message-ID"),
		SLICE("References"),
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_equal_nocase(name, names[i]))
			return true;
	return false;
}

/* Take the one token a field consists of, between blanks and comments. Returns nothing if there is more. */
static struct slice only_token(struct slice value)
{
	token_skip_cfws(&value);

	struct slice token = token_take_mime(&value);

	token_skip_cfws(&value);
	return value.n == 0 ? token : slice_from(NULL, 0);
}

/* A set but empty slice is one whose p is not NULL: arena_copy() sees to it. */
static struct slice copy_token(struct slice token, struct arena *arena)
{
	return token.n > 0 ? arena_copy(arena, token) : slice_from(NULL, 0);
}

static struct slice unfolded(struct slice value, struct arena *arena)
{
	_cleanup_buf_ struct buf out = BUF(value.n);

	must(header_unfold(value, &out) == 0);
	return arena_copy(arena, buf_slice(&out));
}

static void read_content_type(struct mime_part *part, struct slice value, struct arena *arena)
{
	token_skip_cfws(&value);

	struct slice type = token_take_mime(&value), subtype = { NULL, 0 };

	token_skip_cfws(&value);

	bool half = !slice_skip(&value, '/');

	if (!half) {
		token_skip_cfws(&value);
		subtype = token_take_mime(&value);
	}
	if (type.n > 0 && subtype.n > 0) {
		part->type = arena_copy(arena, type);
		part->subtype = arena_copy(arena, subtype);
	} else if (!half || !slice_equal_nocase(type, SLICE("text"))) {
		return; /* "text" alone, as in RFC 1049, has parameters that are worth reading */
	}
	part->params = rfc2231_parse(value, arena);
}

static enum mime_kind kind_of(const struct mime_part *part, bool has_type)
{
	const struct mime_part *parent = part->parent;

	if (!has_type && parent && parent->kind == MIME_MULTIPART &&
		slice_equal_nocase(parent->subtype, SLICE("digest")))
		return MIME_MESSAGE; /* RFC 2046 section 5.1.5 */
	if (!part->type.p || slice_equal_nocase(part->type, SLICE("text")))
		return MIME_TEXT;
	if (slice_equal_nocase(part->type, SLICE("multipart")))
		return MIME_MULTIPART;
	if (slice_equal_nocase(part->type, SLICE("message")) &&
		(slice_equal_nocase(part->subtype, SLICE("rfc822")) ||
			slice_equal_nocase(part->subtype, SLICE("global"))))
		return MIME_MESSAGE;
	return MIME_LEAF;
}

static void read_disposition(struct mime_part *part, struct slice value, struct arena *arena)
{
	token_skip_cfws(&value);
	part->disposition = arena_copy(arena, token_take_mime(&value));
	part->disposition_params = rfc2231_parse(value, arena);
}

static void read_languages(struct mime_part *part, struct slice value, struct arena *arena)
{
	struct mime_language **last = &part->languages;

	for (unsigned n = 0; value.n > 0 && n < MIME_PARAMS; n++) {
		token_skip_cfws(&value);

		struct slice tag = token_take_mime(&value);

		if (tag.n > 0) {
			*last = arena_alloc(arena, sizeof **last);
			(*last)->tag = arena_copy(arena, tag);
			last = &(*last)->next;
		}
		token_skip_cfws(&value);
		if (value.n > 0 && tag.n == 0)
			value = slice_tail(value, 1);
		slice_skip(&value, ',');
	}
}

static void read_encoding(struct mime_part *part, struct slice value, struct arena *arena)
{
	part->encoding = copy_token(only_token(value), arena);
}

static void read_id(struct mime_part *part, struct slice value, struct arena *arena)
{
	part->id = unfolded(value, arena);
}

static void read_description(struct mime_part *part, struct slice value, struct arena *arena)
{
	part->description = unfolded(value, arena);
}

static void read_md5(struct mime_part *part, struct slice value, struct arena *arena)
{
	part->md5 = unfolded(value, arena);
}

static void read_location(struct mime_part *part, struct slice value, struct arena *arena)
{
	part->location = unfolded(value, arena);
}

static const struct {
	struct slice name;
	void (*read)(struct mime_part *part, struct slice value, struct arena *arena);
} readers[] = {
	{ SLICE("Content-Type"), read_content_type },
	{ SLICE("Content-Transfer-Encoding"), read_encoding },
	{ SLICE("Content-Disposition"), read_disposition },
	{ SLICE("Content-ID"), read_id },
	{ SLICE("Content-Description"), read_description },
	{ SLICE("Content-MD5"), read_md5 },
	{ SLICE("Content-Language"), read_languages },
	{ SLICE("Content-Location"), read_location },
};

/* Copy what the tree needs, cut to its limits, from a part whose slices are in another arena. */
static void keep_structure(struct mime_part *part, struct arena *arena)
{
	struct slice boundary = mime_param_value(part->params, SLICE("boundary"));

	part->params = NULL;
	if (part->type.p) {
		part->type = arena_copy(arena, slice_head(part->type, MIME_TYPE_BYTES));
		part->subtype = arena_copy(arena, slice_head(part->subtype, MIME_TYPE_BYTES));
	}
	if (boundary.p && part->kind == MIME_MULTIPART) {
		part->params = arena_alloc(arena, sizeof *part->params);
		part->params->name = SLICE("boundary");
		part->params->value = arena_copy(arena, slice_head(boundary, MIME_BOUNDARY_BYTES));
	}
}

void mime_fields_parse(struct mime_part *part, struct slice fields, struct arena *arena, bool keep)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	unsigned seen = 0;
	struct header_field field;

	while (header_next(&fields, &field))
		for (unsigned i = 0; i < sizeof readers / sizeof *readers; i++) {
			if (seen & 1u << i || !slice_equal_nocase(field.name, readers[i].name))
				continue;
			seen |= 1u << i;
			if (keep || i == 0)
				readers[i].read(part, field.value, keep ? arena : &scratch);
		}
	part->kind = kind_of(part, seen & 1u);
	if (!keep)
		keep_structure(part, arena);
}

struct slice mime_param_value(const struct mime_param *params, struct slice name)
{
	for (const struct mime_param *p = params; p; p = p->next)
		if (slice_equal_nocase(p->name, name))
			return p->value;
	return slice_from(NULL, 0);
}

struct slice mime_type(const struct mime_part *part)
{
	if (part->type.p)
		return part->type;
	return part->kind == MIME_MESSAGE ? SLICE("message") : SLICE("text");
}

struct slice mime_subtype(const struct mime_part *part)
{
	if (part->type.p)
		return part->subtype;
	return part->kind == MIME_MESSAGE ? SLICE("rfc822") : SLICE("plain");
}
