#include "maildir/message/bodystructure.h"

#include "maildir/message/envelope.h"

#include <errno.h>

/* A buf whose first failure sticks, so that the layout can be read below. */
struct writer {
	struct buf *out;
	bool extended;
	int error;
};

static void put(struct writer *w, const char *literal)
{
	if (w->error == 0)
		w->error = buf_add_str(w->out, literal);
}

static void put_nstring(struct writer *w, struct slice s)
{
	if (w->error == 0)
		w->error = nstring_format(s, w->out);
}

static void put_number(struct writer *w, uint64_t n)
{
	if (w->error == 0)
		w->error = buf_addf(w->out, " %llu", (unsigned long long)n);
}

/* body-fld-param, with a charset by default if is_text. RFC 9051 section 9. */
static void put_params(struct writer *w, const struct mime_param *params, bool is_text)
{
	bool add_charset = is_text && !mime_param_value(params, SLICE("charset")).p;

	if (!params && !add_charset) {
		put(w, "NIL");
		return;
	}
	put(w, "(");
	for (const struct mime_param *p = params; p; p = p->next) {
		put_nstring(w, p->name);
		put(w, " ");
		put_nstring(w, p->value);
		put(w, p->next || add_charset ? " " : "");
	}
	put(w, add_charset ? "\"charset\" \"us-ascii\")" : ")");
}

static void put_languages(struct writer *w, const struct mime_language *languages)
{
	if (!languages) {
		put(w, "NIL");
		return;
	}
	for (const struct mime_language *l = languages; l; l = l->next) {
		put(w, l == languages ? "(" : " ");
		put_nstring(w, l->tag);
	}
	put(w, ")");
}

/* body-fld-dsp SP body-fld-lang SP body-fld-loc, which both body-ext-1part and body-ext-mpart end with. */
static void put_extension(struct writer *w, const struct mime_part *part)
{
	if (part->disposition.p) {
		put(w, " (");
		put_nstring(w, part->disposition);
		put(w, " ");
		put_params(w, part->disposition_params, false);
		put(w, ") ");
	} else {
		put(w, " NIL ");
	}
	put_languages(w, part->languages);
	put(w, " ");
	put_nstring(w, part->location);
}

/* body-fields: parameters, id, description, encoding, octets. */
static void put_fields(struct writer *w, const struct mime_part *part)
{
	put_params(w, part->params, part->kind == MIME_TEXT);
	put(w, " ");
	put_nstring(w, part->id);
	put(w, " ");
	put_nstring(w, part->description);
	put(w, " ");
	put_nstring(w, part->encoding.p ? part->encoding : SLICE("7bit"));
	put_number(w, part->body_octets);
}

static void put_part(struct writer *w, const struct mime_part *part);

static void put_single(struct writer *w, const struct mime_part *part)
{
	const struct mime_part *message = part->kind == MIME_MESSAGE ? part->children : NULL;

	put_nstring(w, mime_type(part));
	put(w, " ");
	put_nstring(w, mime_subtype(part));
	put(w, " ");
	put_fields(w, part);
	if (message) {
		put(w, " ");
		if (w->error == 0)
			w->error = envelope_format(message->envelope_fields, w->out);
		put(w, " ");
		put_part(w, message);
	}
	if (message || part->kind == MIME_TEXT)
		put_number(w, part->body_lines);
	if (!w->extended)
		return;
	put(w, " ");
	put_nstring(w, part->md5);
	put_extension(w, part);
}

static void put_multipart(struct writer *w, const struct mime_part *part)
{
	for (const struct mime_part *child = part->children; child; child = child->next)
		put_part(w, child);
	if (!part->children) {
		put(w, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
		put(w, w->extended ? " NIL NIL NIL NIL)" : ")");
	}
	put(w, " ");
	put_nstring(w, mime_subtype(part));
	if (!w->extended)
		return;
	put(w, " ");
	put_params(w, part->params, false);
	put_extension(w, part);
}

/* Recursive, but never deeper than LIMIT_MIME_DEPTH. */
static void put_part(struct writer *w, const struct mime_part *part)
{
	put(w, "(");
	if (part->kind == MIME_MULTIPART)
		put_multipart(w, part);
	else
		put_single(w, part);
	put(w, ")");
}

int bodystructure_format(const struct mime_part *part, bool extended, struct buf *out)
{
	struct writer w = { .out = out, .extended = extended };
	size_t before = out->n;

	put_part(&w, part);
	if (w.error < 0)
		buf_truncate(out, before);
	return w.error;
}
