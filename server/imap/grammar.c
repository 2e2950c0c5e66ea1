#include "server/imap/grammar.h"

#include "base/limits.h"
#include "base/mutf7.h"
#include "base/utf8.h"
#include "server/imap/capability.h"
#include "server/wire/token.h"

#include <errno.h>

enum { MAILBOX_NAME_MAX_BYTES = LIMIT_PATH_BYTES };

enum parse grammar_bad(struct grammar *grammar, enum grammar_fault fault, const char *why)
{
	if (!grammar->why && grammar->fault == GRAMMAR_SYNTAX) {
		grammar->fault = fault;
		grammar->why = why;
	}
	return PARSE_BAD;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0)
			return false;
	return true;
}

/* The name a client wrote, as UTF-8. Returns 0; -ENOBUFS: too long for any mailbox; -EINVAL: no name. */
static int decode_name(struct slice raw, struct grammar *grammar, struct slice *ret_name)
{
	_cleanup_buf_ struct buf name = BUF(MAILBOX_NAME_MAX_BYTES);
	bool is_utf8 = (grammar->enabled & ENABLED_UTF8_NAMES) || !is_ascii(raw);
	int r = is_utf8 && !utf8_is_valid(raw) ? -EINVAL
		: is_utf8		       ? buf_add(&name, raw)
					       : mutf7_decode(raw, &name);

	if (r < 0)
		return r;
	if (has_control(buf_slice(&name)))
		return -EINVAL;
	*ret_name = slice_equal_nocase(buf_slice(&name), SLICE("INBOX"))
			    ? SLICE("INBOX")
			    : arena_copy(grammar->arena, buf_slice(&name));
	return 0;
}

enum parse grammar_mailbox(struct slice *in, struct grammar *grammar, struct slice *ret_name)
{
	struct slice s = *in, raw;
	int r;

	if (token_astring(&s, grammar->arena, &raw) != PARSE_OK)
		return PARSE_BAD;
	r = decode_name(raw, grammar, ret_name);
	if (r == -ENOBUFS)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Mailbox name is too long");
	if (r < 0)
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			(grammar->enabled & ENABLED_UTF8_NAMES)
				? "Mailbox name is not UTF-8"
				: "Mailbox name is not modified UTF-7");
	*in = s;
	return PARSE_OK;
}

enum parse grammar_nothing(struct slice *in, struct grammar *grammar)
{
	(void)grammar;
	return token_end(in);
}
