#include "server/imap/grammar_append.h"

#include "server/imap/capability.h"
#include "server/imap/grammar_date.h"
#include "server/imap/grammar_store.h"
#include "server/wire/frame_imap.h"
#include "server/wire/token.h"

/* "{n}" or "{n+}" and its line end, and nothing behind; or, of a literal8, "~{n}". */
static bool is_announcement(struct slice s, bool literal8)
{
	struct frame_literal literal;

	if (literal8 && !slice_skip(&s, '~'))
		return false;
	if (s.n == 0 || s.p[0] != '{' || slice_find(s, '\n') != (ssize_t)s.n - 1)
		return false;
	s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return slice_find_last(s, '{') == 0 && frame_imap_literal(s, &literal);
}

static enum parse take_flags(struct slice *in, struct grammar *grammar, struct append_arguments *a)
{
	struct store_arguments flags = { .flags = 0 };

	if (grammar_flags(in, grammar, &flags) != PARSE_OK)
		return PARSE_BAD;
	a->flags = flags.flags;
	a->keywords = flags.keywords;
	a->keywords_n = flags.keywords_n;
	return PARSE_OK;
}

enum parse grammar_append_next(
	struct slice *in, struct grammar *grammar, struct append_arguments *arguments)
{
	struct slice s = *in;
	struct append_arguments a = { .mailbox = arguments->mailbox };

	if (token_space(&s) != PARSE_OK)
		return PARSE_BAD;
	if (slice_starts_with(s, SLICE("(")) &&
		(take_flags(&s, grammar, &a) != PARSE_OK || token_space(&s) != PARSE_OK))
		return PARSE_BAD;
	if (slice_starts_with(s, SLICE("\""))) {
		if (grammar_date_time(&s, &a.internaldate) != PARSE_OK)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Invalid date-time");
		if (token_space(&s) != PARSE_OK)
			return PARSE_BAD;
		a.has_date = true;
	}
	if (token_word(&s, SLICE("UTF8")) == PARSE_OK) { /* RFC 6855 section 4 */
		if (!(grammar->enabled & ENABLED_UTF8))
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "UTF8=ACCEPT is not enabled");
		if (token_space(&s) != PARSE_OK || token_open(&s) != PARSE_OK)
			return PARSE_BAD;
		a.utf8 = true;
	}
	if (!a.utf8 && slice_starts_with(s, SLICE("~{")))
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "This command takes no literal8");
	if (!is_announcement(s, a.utf8))
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Expected a message, as a literal");
	*in = (struct slice){ NULL, 0 };
	*arguments = a;
	return PARSE_OK;
}

enum parse grammar_append(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments)
{
	struct slice s = *in;
	struct append_arguments a = { .flags = 0 };

	if (token_space(&s) != PARSE_OK)
		return PARSE_BAD;
	if (is_announcement(s, false))
		return PARSE_MORE;
	if (grammar_mailbox(&s, grammar, &a.mailbox) != PARSE_OK ||
		grammar_append_next(&s, grammar, &a) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
