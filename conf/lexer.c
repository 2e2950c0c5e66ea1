#include "conf/lexer.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice without_comment(struct slice line)
{
	char before = '\0'; /* the last one that is no blank */

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];
		bool begins_value = before == '=' || before == ',';

		if ((c == ';' || c == '#') && (i == 0 || is_blank(line.p[i - 1])))
			return slice_trim(slice_head(line, i));
		if (c == '"' && begins_value) {
			ssize_t end = slice_find(slice_tail(line, i + 1), '"');

			if (end < 0)
				break; /* whoever reads the value will say so */
			i += (size_t)end + 1;
		}
		if (!is_blank(c))
			before = c;
	}
	return slice_trim(line);
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' &&
			s.p[i] != '_')
			return false;
	return s.n > 0;
}

static struct conf_line bad(const char *reason)
{
	return (struct conf_line){ .kind = CONF_LINE_BAD, .reason = reason };
}

static struct conf_line lex_section(struct slice s)
{
	if (s.p[s.n - 1] != ']')
		return bad("a section header must end with `]'");

	struct slice inside = slice_trim(slice_head(slice_tail(s, 1), s.n - 2));
	size_t n = 0;

	while (n < inside.n && !is_blank(inside.p[n]))
		n++;

	struct slice name = slice_head(inside, n);

	if (!is_name(name))
		return bad("a section header is a name in brackets, as in [tls]");
	return (struct conf_line){ CONF_LINE_SECTION, .name = name,
		.argument = slice_trim(slice_tail(inside, n)) };
}

static struct conf_line lex_setting(struct slice s)
{
	ssize_t equals = slice_find(s, '=');

	if (equals < 0)
		return bad("neither a [section], nor `key = value', nor a comment (; or #)");

	struct slice name = slice_trim(slice_head(s, (size_t)equals));

	if (!is_name(name))
		return bad("before `=' must stand the name of a key: letters, digits and `-'");
	return (struct conf_line){ CONF_LINE_SETTING, .name = name,
		.value = slice_trim(slice_tail(s, (size_t)equals + 1)) };
}

bool conf_line_next(struct slice *text, struct conf_line *ret_line)
{
	struct slice line;

	if (!slice_split(text, '\n', &line))
		return false;
	line = without_comment(slice_trim(line));
	if (line.n == 0)
		*ret_line = (struct conf_line){ .kind = CONF_LINE_BLANK };
	else if (has_control(line))
		*ret_line = bad("a control character stands in the line; is this a text file?");
	else if (line.p[0] == '[')
		*ret_line = lex_section(line);
	else
		*ret_line = lex_setting(line);
	return true;
}
