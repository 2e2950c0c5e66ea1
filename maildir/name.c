#include "maildir/name.h"

#include "base/mutf7.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>

static const struct slice INBOX = { "INBOX", 5 };

bool name_is_inbox(struct slice name)
{
	return slice_equal_nocase(name, INBOX);
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool must_escape(char c, bool first)
{
	return c == '.' || c == '/' || c == '\\' || (c == '~' && first);
}

static int add_level(struct slice level, struct buf *out)
{
	_cleanup_buf_ struct buf encoded = BUF(LIMIT_NAME_BYTES);
	int r = mutf7_encode(level, &encoded);

	if (r == 0)
		r = buf_add_char(out, '.');
	for (size_t i = 0; r == 0 && i < encoded.n; i++) {
		char c = encoded.p[i];

		r = must_escape(c, i == 0) ? buf_addf(out, "\\%02x", (unsigned char)c)
					   : buf_add_char(out, c);
	}
	return r == -ENOBUFS ? -ENAMETOOLONG : r;
}

static int add_levels(struct slice name, char separator, struct buf *out)
{
	struct slice rest = name, level;
	unsigned levels = 0;

	while (slice_split(&rest, separator, &level)) {
		if (level.n == 0)
			return -EINVAL;
		if (++levels > LIMIT_MAILBOX_LEVELS)
			return -ENAMETOOLONG;

		int r = add_level(levels == 1 && name_is_inbox(level) ? INBOX : level, out);

		if (r < 0)
			return r;
	}
	return levels > 0 ? 0 : -EINVAL;
}

int name_to_directory(struct slice name, char separator, char ret_directory[NAME_DIRECTORY_BYTES])
{
	_cleanup_buf_ struct buf directory = BUF(NAME_DIRECTORY_BYTES - 1);

	if (name_is_inbox(name)) {
		memcpy(ret_directory, ".", 2);
		return 0;
	}
	if (!utf8_is_valid(name) || has_control(name) ||
		(name.n > 0 && name.p[name.n - 1] == separator))
		return -EINVAL;

	int r = add_levels(name, separator, &directory);

	if (r < 0)
		return r;
	return slice_to_str(buf_slice(&directory), ret_directory, NAME_DIRECTORY_BYTES) ? 0
											: -EINVAL;
}

static int unescape(struct slice level, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < level.n; i++) {
		if (level.p[i] != '\\') {
			r = buf_add_char(out, level.p[i]);
			continue;
		}
		if (level.n - i < 3)
			return -EINVAL;

		int high = ascii_hex_value(level.p[i + 1]), low = ascii_hex_value(level.p[i + 2]);

		if (high < 0 || low < 0)
			return -EINVAL;
		r = buf_add_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return r;
}

static int decode(struct slice directory, char separator, struct buf *out)
{
	struct slice level;
	bool first = true;

	while (slice_split(&directory, '.', &level)) {
		_cleanup_buf_ struct buf plain = BUF(NAME_DIRECTORY_BYTES);
		int r = unescape(level, &plain);

		if (r == 0 && !first)
			r = buf_add_char(out, separator);
		if (r == 0)
			r = mutf7_decode(buf_slice(&plain), out);
		if (r < 0)
			return r;
		first = false;
	}
	return 0;
}

/* Whatever decodes to a name must be the one directory of that name: else two directories would be one mailbox. */
static int check_decoded(struct slice directory, struct slice name, char separator)
{
	char again[NAME_DIRECTORY_BYTES];

	if (name_to_directory(name, separator, again) < 0)
		return -EINVAL;
	return slice_equal(slice_str(again), directory) ? 0 : -EINVAL;
}

int name_from_directory(struct slice directory, char separator, struct buf *out)
{
	size_t before = out->n;

	if (slice_equal(directory, SLICE(".")))
		return buf_add(out, INBOX);
	if (!slice_starts_with(directory, SLICE(".")) || directory.n >= NAME_DIRECTORY_BYTES)
		return -EINVAL;

	int r = decode(slice_tail(directory, 1), separator, out);

	if (r == 0)
		r = check_decoded(directory, slice_tail(buf_slice(out), before), separator);
	if (r < 0)
		buf_truncate(out, before);
	return r;
}

static bool is_reserved(struct slice level)
{
	static const char *const RESERVED[] = { ".", "..", "cur", "new", "tmp", "restante.index" };

	for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
		if (slice_equal_nocase(level, slice_str(RESERVED[i])))
			return true;
	return false;
}

int name_check_new(struct slice name, char separator)
{
	struct slice rest = name, level;

	if (!utf8_is_valid(name))
		return -EINVAL;
	while (slice_split(&rest, separator, &level))
		if (is_reserved(level))
			return -EINVAL;
	while (name.n > 0) {
		uint32_t c = utf8_take_valid(&name);

		if ((c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029)
			return -EINVAL;
	}
	return 0;
}

bool name_is_below(struct slice name, struct slice parent, char separator)
{
	return name.n > parent.n + 1 && slice_starts_with(name, parent) &&
	       name.p[parent.n] == separator;
}

static bool is_inbox_tree(struct slice name, char separator)
{
	return slice_equal(name, INBOX) || name_is_below(name, INBOX, separator);
}

int name_compare(struct slice a, struct slice b, char separator)
{
	bool a_first = is_inbox_tree(a, separator), b_first = is_inbox_tree(b, separator);
	size_t n = a.n < b.n ? a.n : b.n;

	if (a_first != b_first)
		return a_first ? -1 : 1;
	for (size_t i = 0; i < n; i++) {
		if (a.p[i] == b.p[i])
			continue;
		if (a.p[i] == separator || b.p[i] == separator)
			return a.p[i] == separator ? -1 : 1;
		return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}
