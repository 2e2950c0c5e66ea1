#include "server/wire/token.h"

#include "base/utf8.h"
#include "server/wire/frame_imap.h"
#include "server/wire/seqset.h"

enum { CLASS_ATOM = 1, CLASS_RESP_SPECIAL = 2, CLASS_WILDCARD = 4 };

/* atom-specials are ( ) { SP CTL % * " \ ] */
static unsigned class_of(char c)
{
	if (c <= ' ' || c >= 0x7f) /* CTL, SP, and (char being signed) what is beyond 7 bits */
		return 0;
	switch (c) {
	case '(':
	case ')':
	case '{':
	case '"':
	case '\\':
		return 0;
	case '%':
	case '*':
		return CLASS_WILDCARD;
	case ']':
		return CLASS_RESP_SPECIAL;
	default:
		return CLASS_ATOM;
	}
}

_Static_assert((char)-1 < 0, "char is signed here; class_of relies on it");

bool token_is_atom_char(char c)
{
	return class_of(c) == CLASS_ATOM;
}

bool token_is_astring_char(char c)
{
	return class_of(c) & (CLASS_ATOM | CLASS_RESP_SPECIAL);
}

bool token_is_list_char(char c)
{
	return class_of(c) != 0;
}

static enum parse take_char(struct slice *in, char c)
{
	return slice_skip(in, c) ? PARSE_OK : PARSE_BAD;
}

enum parse token_space(struct slice *in)
{
	return take_char(in, ' ');
}

enum parse token_open(struct slice *in)
{
	return take_char(in, '(');
}

enum parse token_close(struct slice *in)
{
	return take_char(in, ')');
}

enum parse token_end(const struct slice *in)
{
	return in->n == 0 ? PARSE_OK : PARSE_BAD;
}

/* One or more characters of the classes. */
static enum parse take_run(struct slice *in, unsigned classes, struct slice *ret_run)
{
	size_t n = 0;

	while (n < in->n && (class_of(in->p[n]) & classes))
		n++;
	if (n == 0)
		return PARSE_BAD;
	*ret_run = slice_take(in, n);
	return PARSE_OK;
}

enum parse token_atom(struct slice *in, struct slice *ret_atom)
{
	return take_run(in, CLASS_ATOM, ret_atom);
}

/* tag = 1*<any ASTRING-CHAR except "+"> */
enum parse token_tag(struct slice *in, struct slice *ret_tag)
{
	struct slice s = *in, tag;

	if (take_run(&s, CLASS_ATOM | CLASS_RESP_SPECIAL, &tag) != PARSE_OK ||
		slice_find(tag, '+') >= 0)
		return PARSE_BAD;
	*in = s;
	*ret_tag = tag;
	return PARSE_OK;
}

enum parse token_word(struct slice *in, struct slice word)
{
	struct slice s = *in;

	if (!slice_skip_nocase(&s, word) || (s.n > 0 && token_is_atom_char(s.p[0])))
		return PARSE_BAD;
	*in = s;
	return PARSE_OK;
}

/* Copy without the backslashes. */
static struct slice unescape(struct slice quoted, struct arena *arena)
{
	char *p = arena_alloc(arena, quoted.n);
	size_t n = 0;

	for (size_t i = 0; i < quoted.n; i++) {
		if (quoted.p[i] == '\\')
			i++;
		p[n++] = quoted.p[i];
	}
	return slice_from(p, n);
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE */
static enum parse take_quoted(struct slice *in, struct arena *arena, struct slice *ret_string)
{
	struct slice s = *in;
	bool escaped = false;
	size_t n = 0;

	if (!slice_skip(&s, '"'))
		return PARSE_BAD;
	for (; n < s.n && s.p[n] != '"'; n++) {
		if (s.p[n] == '\r' || s.p[n] == '\n')
			return PARSE_BAD;
		if (s.p[n] != '\\')
			continue;
		escaped = true;
		n++;
		if (n == s.n || (s.p[n] != '"' && s.p[n] != '\\'))
			return PARSE_BAD;
	}
	if (n >= s.n)
		return PARSE_BAD;

	struct slice text = slice_head(s, n);

	if (!utf8_is_valid(text))
		return PARSE_BAD;
	*in = slice_tail(s, n + 1);
	*ret_string = escaped ? unescape(text, arena) : text;
	return PARSE_OK;
}

/* literal = "{" number64 ["+"] "}" CRLF *CHAR8 */
static enum parse take_octets(struct slice *in, struct slice *ret_octets)
{
	struct frame_literal literal;
	ssize_t lf = slice_find(*in, '\n');

	if (lf < 1 || in->p[0] != '{')
		return PARSE_BAD;

	struct slice line = slice_head(*in, (size_t)lf);

	if (line.p[line.n - 1] == '\r')
		line.n--;

	ssize_t end = slice_find(line, '}');

	if (end < 0 || (size_t)end + 1 != line.n || slice_find_last(line, '{') != 0 ||
		!frame_imap_literal(line, &literal))
		return PARSE_BAD;

	struct slice rest = slice_tail(*in, (size_t)lf + 1);

	if (literal.octets > rest.n)
		return PARSE_BAD;

	*ret_octets = slice_from(rest.n > 0 ? rest.p : "", (size_t)literal.octets);
	*in = slice_tail(rest, ret_octets->n);
	return PARSE_OK;
}

static enum parse take_literal(struct slice *in, struct slice *ret_string)
{
	struct slice s = *in, octets;

	if (take_octets(&s, &octets) != PARSE_OK || slice_find(octets, '\0') >= 0)
		return PARSE_BAD;
	*in = s;
	*ret_string = octets;
	return PARSE_OK;
}

enum parse token_literal8(struct slice *in, struct slice *ret_string)
{
	struct slice s = *in;

	if (!slice_skip(&s, '~') || take_octets(&s, ret_string) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	return PARSE_OK;
}

enum parse token_string(struct slice *in, struct arena *arena, struct slice *ret_string)
{
	if (in->n > 0 && in->p[0] == '"')
		return take_quoted(in, arena, ret_string);
	return take_literal(in, ret_string);
}

enum parse token_astring(struct slice *in, struct arena *arena, struct slice *ret_string)
{
	if (take_run(in, CLASS_ATOM | CLASS_RESP_SPECIAL, ret_string) == PARSE_OK)
		return PARSE_OK;
	return token_string(in, arena, ret_string);
}

enum parse token_nstring(struct slice *in, struct arena *arena, struct slice *ret_string)
{
	if (token_word(in, SLICE("NIL")) == PARSE_OK) {
		*ret_string = (struct slice){ NULL, 0 };
		return PARSE_OK;
	}
	return token_string(in, arena, ret_string);
}

enum parse token_list_mailbox(struct slice *in, struct arena *arena, struct slice *ret_pattern)
{
	if (take_run(in, CLASS_ATOM | CLASS_RESP_SPECIAL | CLASS_WILDCARD, ret_pattern) == PARSE_OK)
		return PARSE_OK;
	return token_string(in, arena, ret_pattern);
}

static enum parse take_digits(struct slice *in, uint64_t max, uint64_t *ret_number)
{
	size_t n = 0;

	while (n < in->n && ascii_is_digit(in->p[n]))
		n++;
	if (!slice_number(slice_head(*in, n), max, ret_number))
		return PARSE_BAD;
	*in = slice_tail(*in, n);
	return PARSE_OK;
}

enum parse token_number(struct slice *in, uint32_t *ret_number)
{
	uint64_t value;

	if (take_digits(in, UINT32_MAX, &value) != PARSE_OK)
		return PARSE_BAD;
	*ret_number = (uint32_t)value;
	return PARSE_OK;
}

enum parse token_nz_number(struct slice *in, uint32_t *ret_number)
{
	if (in->n == 0 || in->p[0] == '0')
		return PARSE_BAD;
	return token_number(in, ret_number);
}

enum parse token_number64(struct slice *in, uint64_t *ret_number)
{
	return take_digits(in, INT64_MAX, ret_number);
}

enum parse token_flag(struct slice *in, struct slice *ret_flag)
{
	struct slice s = *in, atom;

	slice_skip(&s, '\\');
	if (token_atom(&s, &atom) != PARSE_OK)
		return PARSE_BAD;
	*ret_flag = slice_take(in, (size_t)(atom.p + atom.n - in->p));
	return PARSE_OK;
}

static bool is_set_char(char c)
{
	return ascii_is_digit(c) || c == ':' || c == ',' || c == '*' || c == '$';
}

enum parse token_sequence_set(struct slice *in, struct slice *ret_set)
{
	size_t n = 0;

	while (n < in->n && is_set_char(in->p[n]))
		n++;

	struct slice set = slice_head(*in, n), rest = set;

	if (n == 0 || (n < in->n && token_is_atom_char(in->p[n])))
		return PARSE_BAD;
	(void)seqset_cut_saved(&rest);
	while (rest.n > 0) {
		struct seq_range range;

		if (seqset_next(&rest, 1, &range) != PARSE_OK)
			return PARSE_BAD;
	}
	*in = slice_tail(*in, n);
	*ret_set = set;
	return PARSE_OK;
}
