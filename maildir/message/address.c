/*
 * One pass over the list. What comes before it is known to be a name or an address is gathered twice: as text with
 * blanks, for a name, and the last dot-joined run of words without blanks, for a local part. "@" decides for the
 * address, "<" for the name, ":" for a group. After any of the three, junk up to the next separator is passed over.
 */
#include "maildir/message/address.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/must.h"
#include "maildir/message/token.h"

struct address_scan {
	struct slice in;
	struct arena *arena;
	struct mail_address *first, **last;
	unsigned left;       /* how many more there may be */
	bool in_group;
	bool no_more_quotes; /* a quote was met that does not end: quotes are junk from here on */
	struct buf text, run, comment;
	size_t text_before_run;
};

static void add(struct buf *b, struct slice s)
{
	must(buf_add(b, s) == 0); /* never more than the input has */
}

static void skip_cfws(struct address_scan *s)
{
	must(token_take_cfws(&s->in, &s->comment) == 0);
}

static bool next_is(const struct address_scan *s, char c)
{
	return s->in.n > 0 && s->in.p[0] == c;
}

static struct slice copy_of(struct address_scan *s, struct slice bytes)
{
	return bytes.n > 0 ? arena_copy(s->arena, bytes) : slice_from(NULL, 0);
}

static void emit(struct address_scan *s, struct mail_address address)
{
	if (s->left == 0)
		return;
	s->left--;
	*s->last = arena_alloc(s->arena, sizeof address);
	**s->last = address;
	s->last = &(*s->last)->next;
}

/* Take an atom, a quoted string or a dot, and append what it means. Returns false if none begins here. */
static bool take_word(struct address_scan *s, struct buf *out)
{
	struct slice atom = token_take_atom(&s->in), before = s->in;

	if (atom.n > 0) {
		add(out, atom);
		return true;
	}
	if (slice_skip(&s->in, '.')) {
		add(out, SLICE("."));
		return true;
	}
	if (!next_is(s, '"') || s->no_more_quotes)
		return false;

	size_t n = out->n;

	if (token_take_quoted(&s->in, out) == 0)
		return true;
	s->no_more_quotes = true;
	s->in = before;
	buf_truncate(out, n);
	return false;
}

/* Take dot-joined words, blanks and comments around the dots allowed (RFC 5322 section 4.4). */
static void take_dotted(struct address_scan *s, struct buf *out)
{
	bool after_dot = true;

	for (;;) {
		bool dot = next_is(s, '.');

		if (!after_dot && !dot)
			return;
		if (!take_word(s, out))
			return;
		after_dot = dot;
		skip_cfws(s);
	}
}

/* Take "[...]" as it is, without line ends. */
static void take_domain_literal(struct address_scan *s, struct buf *out)
{
	ssize_t end = slice_find(s->in, ']');
	size_t n = end < 0 ? s->in.n : (size_t)end + 1;

	for (size_t i = 0; i < n; i++)
		if (s->in.p[i] != '\r' && s->in.p[i] != '\n')
			add(out, slice_from(s->in.p + i, 1));
	s->in = slice_tail(s->in, n);
	skip_cfws(s);
}

static void take_domain(struct address_scan *s, struct buf *out)
{
	skip_cfws(s);
	if (next_is(s, '['))
		take_domain_literal(s, out);
	else
		take_dotted(s, out);
}

/* Take "@a,@b:" in front of an address. Returns false if it is no route. */
static bool take_route(struct address_scan *s, struct buf *out)
{
	for (;;) {
		skip_cfws(s);
		if (slice_skip(&s->in, ','))
			continue;
		if (!slice_skip(&s->in, '@'))
			break;
		add(out, out->n > 0 ? SLICE(",@") : SLICE("@"));
		take_domain(s, out);
	}
	return slice_skip(&s->in, ':');
}

/* Pass over what has no meaning, up to a separator. */
static void skip_junk(struct address_scan *s)
{
	struct buf nothing = BUF(s->in.n);

	for (skip_cfws(s); s->in.n > 0 && s->in.p[0] != ',' && s->in.p[0] != ';'; skip_cfws(s)) {
		if (!take_word(s, &nothing))
			s->in = slice_tail(s->in, 1);
		buf_clear(&nothing);
	}
	buf_done(&nothing);
}

static struct slice name_text(struct address_scan *s, size_t n)
{
	return copy_of(s, slice_trim(slice_head(buf_slice(&s->text), n)));
}

/* "<...>": what was gathered is the name. */
static void take_angle(struct address_scan *s)
{
	_cleanup_buf_ struct buf route = BUF(2 * s->in.n + 16), local = BUF(s->in.n), domain = BUF(s->in.n);
	struct mail_address address = { .name = name_text(s, s->text.n) };
	bool has_route, at;

	skip_cfws(s);
	has_route = next_is(s, '@');
	if (has_route && !take_route(s, &route)) {
		buf_clear(&route);
		add(&route, SLICE("INVALID_ROUTE"));
		address.broken = true;
	}
	skip_cfws(s);
	take_dotted(s, &local);
	at = slice_skip(&s->in, '@');
	if (at)
		take_domain(s, &domain);
	address.broken |= !slice_skip(&s->in, '>') || (at && domain.n == 0);
	address.route = copy_of(s, buf_slice(&route));
	address.mailbox = copy_of(s, buf_slice(&local));
	address.domain = copy_of(s, buf_slice(&domain));
	emit(s, address);
	skip_junk(s);
}

/* "@": the last run is the local part, unless "<" follows, and all is a name: "a@b <c@d>". */
static void take_at(struct address_scan *s)
{
	_cleanup_buf_ struct buf domain = BUF(s->in.n + 1);

	take_domain(s, &domain);
	if (next_is(s, '<')) {
		add(&s->text, SLICE("@"));
		add(&s->text, buf_slice(&domain));
		slice_skip(&s->in, '<');
		take_angle(s);
		return;
	}

	struct mail_address address = {
		.name = name_text(s, s->text_before_run),
		.mailbox = copy_of(s, buf_slice(&s->run)),
		.domain = copy_of(s, buf_slice(&domain)),
	};

	skip_junk(s);
	if (!address.name.p)
		address.name = copy_of(s, buf_slice(&s->comment));
	emit(s, address);
}

/* The end of an item that has neither "@" nor "<": one word is a mailbox, more are a name. */
static void end_words(struct address_scan *s)
{
	struct mail_address address = { .name = name_text(s, s->text_before_run) };

	if (s->text.n == 0)
		return;
	if (address.name.p) {
		address.name = name_text(s, s->text.n);
	} else {
		address.mailbox = copy_of(s, buf_slice(&s->run));
		address.name = copy_of(s, buf_slice(&s->comment));
	}
	emit(s, address);
}

static void begin_group(struct address_scan *s)
{
	emit(s, (struct mail_address){ .kind = MAIL_GROUP_START,
			.mailbox = arena_copy(s->arena, slice_trim(buf_slice(&s->text))) });
	s->in_group = true;
}

static void end_group(struct address_scan *s)
{
	if (s->in_group)
		emit(s, (struct mail_address){ .kind = MAIL_GROUP_END });
	s->in_group = false;
}

/* Gather the next word, or a stray character, after what may have been blanks. A stray ">" means nothing. */
static void gather(struct address_scan *s, bool blanks)
{
	if (slice_skip(&s->in, '>'))
		return;

	bool joined = s->run.n > 0 && (!blanks || next_is(s, '.') || s->run.p[s->run.n - 1] == '.');
	size_t n = s->run.n;

	if (!joined) {
		s->text_before_run = s->text.n;
		buf_clear(&s->run);
		n = 0;
	}
	if (!take_word(s, &s->run))
		add(&s->run, slice_take(&s->in, 1));
	if (blanks && s->text.n > 0)
		add(&s->text, SLICE(" "));
	add(&s->text, slice_tail(buf_slice(&s->run), n));
}

static void begin_item(struct address_scan *s)
{
	buf_clear(&s->text);
	buf_clear(&s->run);
	buf_clear(&s->comment);
	s->text_before_run = 0;
}

/* Take one address, or the beginning of a group, with the separator behind it. */
static void take_item(struct address_scan *s)
{
	begin_item(s);
	for (bool blanks = true;; gather(s, blanks)) {
		const char *before = s->in.p;

		skip_cfws(s);
		blanks = s->in.p != before;
		if (s->in.n == 0 || next_is(s, ',') || next_is(s, ';')) {
			end_words(s);
			break;
		}
		if (slice_skip(&s->in, '<')) {
			take_angle(s);
			break;
		}
		if (slice_skip(&s->in, '@')) {
			take_at(s);
			break;
		}
		if (!s->in_group && slice_skip(&s->in, ':')) {
			begin_group(s);
			return;
		}
	}
	if (slice_skip(&s->in, ';'))
		end_group(s);
	else
		slice_skip(&s->in, ',');
}

struct mail_address *mail_address_parse(struct slice value, struct arena *arena)
{
	struct address_scan s = {
		.in = value,
		.arena = arena,
		.last = &s.first,
		.left = LIMIT_ADDRESSES,
		.text = BUF(2 * value.n + 16),
		.run = BUF(2 * value.n + 16),
		.comment = BUF(value.n),
	};

	while (s.in.n > 0 && s.left > 0)
		take_item(&s);
	s.left += s.in_group; /* a group that was begun is ended, whatever the limit */
	end_group(&s);
	buf_done(&s.text);
	buf_done(&s.run);
	buf_done(&s.comment);
	return s.first;
}
