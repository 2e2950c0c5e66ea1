#include "server/imap/imap_url.h"

#include "base/utf8.h"
#include "server/wire/token.h"

/* bchar, but for "%". RFC 5092 section 11; 3986 section 2.3. */
static bool is_bchar(char c)
{
	static const char others[] = "-._~!$'()*+,&=:@/";

	return ascii_is_alpha(c) || ascii_is_digit(c) || (c && strchr(others, c));
}

/* 1*bchar, decoded, in the arena. */
static bool take_encoded(struct slice in, struct arena *arena, struct slice *ret_decoded)
{
	char *decoded = arena_alloc(arena, in.n);
	size_t n = 0;

	for (; in.n > 0; n++) {
		if (is_bchar(in.p[0])) {
			decoded[n] = in.p[0];
			in = slice_tail(in, 1);
			continue;
		}
		if (in.n < 3 || in.p[0] != '%' || ascii_hex_value(in.p[1]) < 0 ||
			ascii_hex_value(in.p[2]) < 0)
			return false;
		decoded[n] = (char)(ascii_hex_value(in.p[1]) << 4 | ascii_hex_value(in.p[2]));
		in = slice_tail(in, 3);
	}
	*ret_decoded = slice_from(decoded, n);
	return n > 0;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

/* Take what stands before the next ";", or all. */
static struct slice take_to_parameter(struct slice *in)
{
	ssize_t end = slice_find(*in, ';');

	return slice_take(in, end >= 0 ? (size_t)end : in->n);
}

/* The "/" that belongs to the ";" behind it. */
static bool cut_slash(struct slice *s)
{
	if (!slice_ends_with(*s, SLICE("/")))
		return false;
	s->n--;
	return true;
}

/* "/" enc-mailbox [uidvalidity] "/", up to ";UID=". */
static bool take_mailbox(struct slice *in, struct arena *arena, struct imap_url *url)
{
	if (!slice_skip(in, '/') || slice_starts_with(*in, SLICE("/")))
		return false;

	struct slice encoded = take_to_parameter(in), name;

	if (slice_skip_nocase(in, SLICE(";UIDVALIDITY="))) {
		if (token_nz_number(in, &url->uidvalidity) != PARSE_OK || !slice_skip(in, '/'))
			return false;
	} else if (!cut_slash(&encoded)) {
		return false;
	}
	if (!take_encoded(encoded, arena, &name) || !utf8_is_valid(name) || has_control(name))
		return false;
	url->mailbox = slice_equal_nocase(name, SLICE("INBOX")) ? SLICE("INBOX") : name;
	return true;
}

/* [isection], behind its "/". */
static bool take_section(struct slice *in, struct arena *arena, struct imap_url *url)
{
	struct grammar grammar = { .arena = arena };

	if (!slice_skip_nocase(in, SLICE(";SECTION=")))
		return true;

	struct slice encoded = take_to_parameter(in), section;

	if (in->n > 0 && !cut_slash(&encoded))
		return false;
	if (!take_encoded(encoded, arena, &section) || has_control(section))
		return false;
	section = arena_format(arena, "%.*s]", SLICE_FMT(section));
	return grammar_section(&section, &grammar, &url->section) == PARSE_OK && section.n == 0;
}

/* [ipartial], behind its "/". */
static bool take_partial(struct slice *in, struct imap_url *url)
{
	if (!slice_skip_nocase(in, SLICE(";PARTIAL=")))
		return true;
	url->partial = true;
	url->octets = UINT64_MAX;
	if (token_number64(in, &url->first_octet) != PARSE_OK)
		return false;
	if (!slice_skip(in, '.'))
		return true;
	return token_number64(in, &url->octets) == PARSE_OK && url->octets > 0;
}

enum parse imap_url_parse(struct slice url, struct arena *arena, struct imap_url *ret_url)
{
	struct imap_url parsed = { .msg_uid = 0 };

	if (!take_mailbox(&url, arena, &parsed) || !slice_skip_nocase(&url, SLICE(";UID=")) ||
		token_nz_number(&url, &parsed.msg_uid) != PARSE_OK)
		return PARSE_BAD;
	if (url.n > 0 && (!slice_skip(&url, '/') || url.n == 0))
		return PARSE_BAD;
	if (!take_section(&url, arena, &parsed) || !take_partial(&url, &parsed) || url.n > 0)
		return PARSE_BAD;
	*ret_url = parsed;
	return PARSE_OK;
}
