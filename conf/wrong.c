#include "conf/wrong.h"

#include <stdint.h>

enum {
	UNIQUE_ID_MAX_BYTES = 70,
	UIDL_FORMAT_MAX_BYTES = 99,
	HOST_NAME_MAX_BYTES = 253,
	HOST_LABEL_MAX_BYTES = 63
};

static bool is_word_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-' || c == '.';
}

static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_word_char(s.p[i]))
			return false;
	return s.n > 0 && s.p[0] != '-' && s.p[0] != '.';
}

const char *conf_wrong_path(struct slice value)
{
	return value.p[0] == '/' ? NULL : "is not an absolute path; begin it with /";
}

const char *conf_wrong_mail_path(struct slice value)
{
	bool from_home = value.p[0] == '~', of_user = from_home;

	if (from_home && value.n > 1 && value.p[1] != '/')
		return "begins with ~ but goes on without /; write ~/DIRECTORY";
	if (!from_home && value.p[0] != '/')
		return "is not absolute; begin it with / or ~/";
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '~' && i > 0)
			return "has a ~ that is not its first character";
		if (value.p[i] != '%')
			continue;

		char letter = i + 1 < value.n ? value.p[i + 1] : '\0';

		if (letter != 'u' && letter != 'n' && letter != 'd' && letter != '%')
			return "has a % with no meaning; %u is the user, %n what stands before the "
			       "@, %d what stands behind it, %% a %";
		of_user |= letter == 'u' || letter == 'n';
		i++;
	}
	return of_user ? NULL : "is the same for all users; put %u, %n or ~ into it";
}

const char *conf_wrong_user(struct slice value)
{
	return is_word(value) ? NULL : "is not the name of a user";
}

const char *conf_wrong_mail_user(struct slice value)
{
	ssize_t colon = slice_find(value, ':');
	uint64_t id;

	if (colon < 0)
		return is_word(value) ? NULL : "is not the name of a user; write a name or UID:GID";
	if (!slice_number(slice_head(value, (size_t)colon), UINT32_MAX - 1, &id) ||
		!slice_number(slice_tail(value, (size_t)colon + 1), UINT32_MAX - 1, &id))
		return "is not UID:GID; write two numbers, as in 5000:5000, or a name";
	return NULL;
}

const char *conf_wrong_pam_service(struct slice value)
{
	return is_word(value) ? NULL
			      : "is not the name of a PAM service; write the name of its file, "
				"without a directory";
}

/*
 * One element of a uidl-format off the front of *s. *ret_chars: how many characters of the
 * unique-id it may become at least; a plain character, "%%", "%f", "%g", or "%" ["0"] [width] ["X"
 * / "x"] ("u" / "v").
 */
static const char *take_uidl_element(struct slice *s, uint64_t *ret_chars, bool *unique)
{
	struct slice in = *s, number;
	size_t digits = 0;
	uint64_t width = 0;

	*ret_chars = 1;
	if (!slice_skip(&in, '%')) {
		char c = slice_take(&in, 1).p[0];

		*s = in;
		return c >= 0x21 && c <= 0x7e ? NULL
					      : "has a character that no unique-id may have (RFC "
						"1939: 0x21 to 0x7E)";
	}
	while (digits < in.n && ascii_is_digit(in.p[digits]))
		digits++;
	number = slice_take(&in, digits);
	if (digits > 0 && (number.p[0] != '0' || digits > 3 ||
				  !slice_number(number, UNIQUE_ID_MAX_BYTES, &width)))
		return "has a width that is not 0 and one or two digits, at most 70, as in %08Xu";

	bool hex = slice_skip(&in, 'X') || slice_skip(&in, 'x');
	char letter = in.n > 0 ? slice_take(&in, 1).p[0] : '\0';
	bool is_number = letter == 'u' || letter == 'v', is_name = letter == 'f' || letter == 'g';

	if (!is_number && (hex || digits > 0))
		return "has a width or X where none may stand; only %u and %v take them, as in "
		       "%08Xu";
	if (!is_number && !is_name && letter != '%')
		return "has a % with no meaning; %u is the UID, %v UIDVALIDITY, %f the file name, "
		       "%g the GUID, %% a %";
	*unique |= letter == 'u' || is_name;
	*ret_chars = width > 1 ? width : 1;
	*s = in;
	return NULL;
}

const char *conf_wrong_uidl_format(struct slice value)
{
	uint64_t chars = 0, more;
	bool unique = false;

	if (value.n > UIDL_FORMAT_MAX_BYTES)
		return "is longer than 99 bytes; no unique-id needs so long a format";
	while (value.n > 0) {
		const char *why = take_uidl_element(&value, &more, &unique);

		if (why)
			return why;
		chars += more;
	}
	if (chars > UNIQUE_ID_MAX_BYTES)
		return "makes unique-ids of over 70 characters; RFC 1939 forbids them";
	return unique ? NULL : "gives every message the same unique-id; put %u, %f or %g into it";
}

static bool is_label(struct slice label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alpha(label.p[i]) && !ascii_is_digit(label.p[i]) &&
			label.p[i] != '-' && label.p[i] != '_')
			return false;
	return label.n > 0 && label.n <= HOST_LABEL_MAX_BYTES && label.p[0] != '-' &&
	       label.p[label.n - 1] != '-';
}

const char *conf_wrong_tls_name(struct slice name)
{
	struct slice label;

	if (name.n > HOST_NAME_MAX_BYTES)
		return "is longer than a host name can be";
	if (slice_starts_with(name, SLICE("*.")))
		name = slice_tail(name, 2);
	if (name.n == 0 || name.p[name.n - 1] == '.')
		return "is not a host name; write for example [tls mail.example.org], without a "
		       "dot at its end";
	while (slice_split(&name, '.', &label))
		if (!is_label(label))
			return "is not a host name; write for example [tls mail.example.org] or "
			       "[tls *.example.org]";
	return NULL;
}

const char *conf_wrong_uri(struct slice value)
{
	static const char remedy[] = "is no URI; write for example mailto:postmaster@example.org";
	ssize_t colon = slice_find(value, ':');

	if (colon < 1 || (size_t)colon + 1 == value.n || !ascii_is_alpha(value.p[0]))
		return remedy;
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		bool scheme = ascii_is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '-' || c == '.';

		if (c <= 0x20 || c >= 0x7f || strchr("<>\"{}|\\^`", c) ||
			(i < (size_t)colon && !scheme))
			return remedy;
	}
	return NULL;
}
