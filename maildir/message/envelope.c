#include "maildir/message/envelope.h"

#include "base/limits.h"
#include "base/must.h"
#include "maildir/message/address.h"
#include "maildir/message/header.h"

#include <errno.h>

enum envelope_field {
	ENVELOPE_DATE,
	ENVELOPE_SUBJECT,
	ENVELOPE_FROM,
	ENVELOPE_SENDER,
	ENVELOPE_REPLY_TO,
	ENVELOPE_TO,
	ENVELOPE_CC,
	ENVELOPE_BCC,
	ENVELOPE_IN_REPLY_TO,
	ENVELOPE_MESSAGE_ID,
	ENVELOPE_FIELDS,
};

/* In the order in which RFC 9051 section 7.5.2 sends them. */
static const struct {
	struct slice name;
	bool is_addresses;
} fields[ENVELOPE_FIELDS] = {
	[ENVELOPE_DATE] = { SLICE("Date"), false },
	[ENVELOPE_SUBJECT] = { SLICE("Subject"), false },
	[ENVELOPE_FROM] = { SLICE("From"), true },
	[ENVELOPE_SENDER] = { SLICE("Sender"), true },
	[ENVELOPE_REPLY_TO] = { SLICE("Reply-To"), true },
	[ENVELOPE_TO] = { SLICE("To"), true },
	[ENVELOPE_CC] = { SLICE("Cc"), true },
	[ENVELOPE_BCC] = { SLICE("Bcc"), true },
	[ENVELOPE_IN_REPLY_TO] = { SLICE("In-Reply-To"), false },
	[ENVELOPE_MESSAGE_ID] = { SLICE("Message-ID"), false },
};

/* Whether s may stand in a quoted string, which holds no 8-bit bytes unless UTF8 is enabled. */
static bool may_be_quoted(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] >= 0x80)
			return false;
	return true;
}

static int add_quoted(struct slice s, struct buf *out)
{
	int r = buf_add_char(out, '"');

	while (r == 0 && s.n > 0) {
		size_t plain = 0;

		while (plain < s.n && s.p[plain] != '"' && s.p[plain] != '\\')
			plain++;
		r = buf_add(out, slice_take(&s, plain));
		if (r == 0 && s.n > 0)
			r = buf_add_char(out, '\\');
		if (r == 0 && s.n > 0)
			r = buf_add(out, slice_take(&s, 1));
	}
	return r < 0 ? r : buf_add_char(out, '"');
}

static int add_literal(struct slice s, struct buf *out)
{
	int r = buf_addf(out, "{%zu}\r\n", s.n);

	return r < 0 ? r : buf_add(out, s);
}

/* Whether a quoted string or a literal cannot carry s as it is. */
static bool has_unsendable(struct slice s)
{
	return slice_find(s, '\n') >= 0 || slice_find(s, '\r') >= 0 || slice_find(s, '\0') >= 0;
}

static void make_sendable(struct slice s, struct buf *out)
{
	_cleanup_buf_ struct buf unfolded = BUF(s.n);

	must(header_unfold(s, &unfolded) == 0);
	for (size_t i = 0; i < unfolded.n; i++) {
		char c = unfolded.p[i];

		if (c == '\0')
			must(buf_add_str(out, "\xef\xbf\xbd") == 0); /* U+FFFD */
		else
			must(buf_add_char(out, c == '\r' ? ' ' : c) == 0);
	}
}

int nstring_format(struct slice s, struct buf *out)
{
	_cleanup_buf_ struct buf sendable = BUF(3 * s.n);
	size_t before = out->n;

	if (!s.p)
		return buf_add_str(out, "NIL");
	if (has_unsendable(s)) {
		make_sendable(s, &sendable);
		s = buf_slice(&sendable);
	}

	int r = may_be_quoted(s) ? add_quoted(s, out) : add_literal(s, out);

	if (r < 0)
		buf_truncate(out, before);
	return r;
}

/* What stands for a part that is missing: NIL would mean a group. The words are those clients know from Dovecot. */
static struct slice or_word(struct slice s, bool is_group, struct slice word)
{
	return s.p || is_group ? s : word;
}

static int add_address(const struct mail_address *a, struct buf *out)
{
	bool group = a->kind != MAIL_ADDRESS;
	struct slice no_domain = a->broken && a->mailbox.p ? SLICE("SYNTAX_ERROR") : SLICE("MISSING_DOMAIN");
	const struct slice strings[] = {
		a->name,
		a->route,
		or_word(a->mailbox, group, SLICE("MISSING_MAILBOX")),
		or_word(a->domain, group, no_domain),
	};
	int r = 0;

	for (int i = 0; r == 0 && i < 4; i++) {
		r = buf_add_char(out, i == 0 ? '(' : ' ');
		if (r == 0)
			r = nstring_format(strings[i], out);
	}
	return r < 0 ? r : buf_add_char(out, ')');
}

static int add_addresses(const struct mail_address *first, struct buf *out)
{
	int r = buf_add_str(out, first ? "(" : "NIL");

	for (const struct mail_address *a = first; r == 0 && a; a = a->next)
		r = add_address(a, out);
	return r < 0 || !first ? r : buf_add_char(out, ')');
}

static int add_string(struct slice value, struct buf *out)
{
	struct slice trimmed = slice_trim(value);

	/* An empty field is an empty string, a missing one is NIL. */
	return nstring_format(slice_from(value.p && trimmed.n == 0 ? "" : trimmed.p, trimmed.n), out);
}

/* What was found of each field. */
struct envelope {
	struct slice strings[ENVELOPE_FIELDS]; /* the last that came */
	struct mail_address *addresses[ENVELOPE_FIELDS], **last[ENVELOPE_FIELDS]; /* all, one after the other */
	struct arena arena;
};

static void take_field(struct envelope *e, int i, struct slice value)
{
	if (!fields[i].is_addresses) {
		e->strings[i] = slice_from(value.p ? value.p : "", value.n);
		return;
	}
	*e->last[i] = mail_address_parse(value, &e->arena);
	while (*e->last[i])
		e->last[i] = &(*e->last[i])->next;
}

static void find_fields(struct slice header, struct envelope *e)
{
	struct header_field field;

	for (int i = 0; i < ENVELOPE_FIELDS; i++)
		e->last[i] = &e->addresses[i];
	while (header_next(&header, &field))
		for (int i = 0; i < ENVELOPE_FIELDS; i++)
			if (slice_equal_nocase(field.name, fields[i].name))
				take_field(e, i, field.value);
	if (!e->addresses[ENVELOPE_SENDER])
		e->addresses[ENVELOPE_SENDER] = e->addresses[ENVELOPE_FROM];
	if (!e->addresses[ENVELOPE_REPLY_TO])
		e->addresses[ENVELOPE_REPLY_TO] = e->addresses[ENVELOPE_FROM];
}

int envelope_format(struct slice header_raw, struct buf *out)
{
	struct envelope e = { 0 };
	size_t before = out->n;
	int r = 0;

	find_fields(slice_head(header_raw, LIMIT_HEADER_BYTES), &e);
	for (int i = 0; r == 0 && i < ENVELOPE_FIELDS; i++) {
		r = buf_add_char(out, i == 0 ? '(' : ' ');
		if (r == 0)
			r = fields[i].is_addresses ? add_addresses(e.addresses[i], out) :
						     add_string(e.strings[i], out);
	}
	arena_done(&e.arena);
	if (r == 0)
		r = buf_add_char(out, ')');
	if (r < 0)
		buf_truncate(out, before);
	return r;
}
