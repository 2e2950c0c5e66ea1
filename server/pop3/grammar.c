#include "server/pop3/grammar.h"

enum { KEYWORD_MAX = 8, LANGUAGE_RANGE_MAX = 64 };

static bool is_keyword_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

enum parse pop3_parse_keyword(struct slice *line, struct slice *ret_keyword)
{
	size_t n = 0;

	while (n < line->n && n <= KEYWORD_MAX && is_keyword_char(line->p[n]))
		n++;
	if (n == 0 || n > KEYWORD_MAX || (n < line->n && line->p[n] != ' '))
		return PARSE_BAD;
	*ret_keyword = slice_take(line, n);
	return PARSE_OK;
}

/*
 * A single space goes before every argument. Clients are known that put one behind the last as well, or two; that
 * cannot be misread.
 */
static bool take_space(struct slice *in)
{
	bool any = false;

	while (slice_skip(in, ' '))
		any = true;
	return any;
}

static bool is_blank(struct slice in)
{
	take_space(&in);
	return in.n == 0;
}

static bool take_number(struct slice *in, uint32_t *ret_value)
{
	struct slice s = *in;
	size_t n = 0;
	uint64_t value;

	if (!take_space(&s))
		return false;
	while (n < s.n && ascii_is_digit(s.p[n]))
		n++;
	if (!slice_number(slice_head(s, n), UINT32_MAX, &value))
		return false;
	*in = slice_tail(s, n);
	*ret_value = (uint32_t)value;
	return true;
}

static bool take_msgno(struct slice *in, uint32_t *ret_msgno)
{
	struct slice s = *in;
	uint32_t msgno;

	if (!take_number(&s, &msgno) || msgno == 0)
		return false;
	*in = s;
	*ret_msgno = msgno;
	return true;
}

enum parse pop3_parse_none(struct slice in, struct pop3_arguments *ret_arguments)
{
	*ret_arguments = (struct pop3_arguments){ 0 };
	return is_blank(in) ? PARSE_OK : PARSE_BAD;
}

enum parse pop3_parse_msgno(struct slice in, struct pop3_arguments *ret_arguments)
{
	struct pop3_arguments arguments = { .has_msgno = true };

	if (!take_msgno(&in, &arguments.msgno) || !is_blank(in))
		return PARSE_BAD;
	*ret_arguments = arguments;
	return PARSE_OK;
}

enum parse pop3_parse_optional_msgno(struct slice in, struct pop3_arguments *ret_arguments)
{
	return is_blank(in) ? pop3_parse_none(in, ret_arguments)
			    : pop3_parse_msgno(in, ret_arguments);
}

enum parse pop3_parse_msgno_lines(struct slice in, struct pop3_arguments *ret_arguments)
{
	struct pop3_arguments arguments = { .has_msgno = true };

	if (!take_msgno(&in, &arguments.msgno) || !take_number(&in, &arguments.lines) ||
		!is_blank(in))
		return PARSE_BAD;
	*ret_arguments = arguments;
	return PARSE_OK;
}

/* RFC 4647 section 2.1: language-range = (1*8ALPHA *("-" 1*8alphanum)) / "*"; the counts do not matter to us. */
static bool is_range_char(char c)
{
	return is_keyword_char(c) || c == '-' || c == '*';
}

enum parse pop3_parse_language(struct slice in, struct pop3_arguments *ret_arguments)
{
	struct pop3_arguments arguments = { .has_msgno = false };
	size_t n = 0;

	if (is_blank(in))
		return pop3_parse_none(in, ret_arguments);
	if (!take_space(&in))
		return PARSE_BAD;
	while (n < in.n && is_range_char(in.p[n]))
		n++;
	arguments.language = slice_head(in, n);
	if (n == 0 || n > LANGUAGE_RANGE_MAX || !is_blank(slice_tail(in, n)))
		return PARSE_BAD;
	*ret_arguments = arguments;
	return PARSE_OK;
}

enum parse pop3_parse_any(struct slice in, struct pop3_arguments *ret_arguments)
{
	(void)in; /* may hold a password: not looked at */
	*ret_arguments = (struct pop3_arguments){ 0 };
	return PARSE_OK;
}
