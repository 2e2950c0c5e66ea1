#include "maildir/metadata.h"

#include "base/must.h"

#include <errno.h>

#define FIRST_LINE "1 restante-metadata\n"

struct metadata metadata_none(struct arena *arena)
{
	return (struct metadata){ .entries = arena_array(arena, LIMIT_METADATA_ENTRIES,
					  sizeof(struct metadata_entry)) };
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The levels of a name, each after a slash, none of them empty. Returns how many; 0: it is no name. */
static size_t count_levels(struct slice name)
{
	size_t levels = 0;

	if (name.n == 0 || name.n > LIMIT_METADATA_NAME_BYTES || name.p[name.n - 1] == '/' ||
		name.p[0] != '/')
		return 0;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (is_control(c) || c < 0 || c == '*' || c == '%')
			return 0;
		if (c == '/' && name.p[i + 1] == '/')
			return 0;
		levels += c == '/';
	}
	return levels;
}

/* What follows the first level; p is NULL if that is another one. */
static struct slice below_scope(struct slice name)
{
	if (!slice_skip_nocase(&name, SLICE("/private")) &&
		!slice_skip_nocase(&name, SLICE("/shared")))
		return (struct slice){ NULL, 0 };
	return name.n == 0 ? SLICE("") : name.p[0] == '/' ? name : (struct slice){ NULL, 0 };
}

bool metadata_name_is_prefix(struct slice name)
{
	return count_levels(name) > 0 && below_scope(name).p != NULL;
}

bool metadata_name_is_valid(struct slice name)
{
	struct slice rest = below_scope(name);
	bool vendor = slice_equal_nocase(rest, SLICE("/vendor")) ||
		      slice_starts_with_nocase(rest, SLICE("/vendor/"));

	return rest.n > 0 && count_levels(name) >= (vendor ? 4 : 2);
}

bool metadata_is_below(struct slice name, struct slice parent, enum metadata_depth depth)
{
	if (depth == METADATA_DEPTH_0 || !slice_skip_nocase(&name, parent) ||
		!slice_skip(&name, '/'))
		return false;
	return depth == METADATA_DEPTH_INFINITY || slice_find(name, '/') < 0;
}

const struct metadata_entry *metadata_find(const struct metadata *metadata, struct slice name)
{
	for (size_t i = 0; i < metadata->n; i++)
		if (slice_equal_nocase(metadata->entries[i].name, name))
			return &metadata->entries[i];
	return NULL;
}

bool metadata_set(struct metadata *metadata, const struct metadata_entry *entry)
{
	size_t i = 0;

	while (i < metadata->n && !slice_equal_nocase(metadata->entries[i].name, entry->name))
		i++;
	if (!entry->value.p) {
		if (i < metadata->n) {
			metadata->n--;
			memmove(&metadata->entries[i], &metadata->entries[i + 1],
				(metadata->n - i) * sizeof *metadata->entries);
		}
		return true;
	}
	if (i == LIMIT_METADATA_ENTRIES)
		return false;
	if (i == metadata->n) {
		metadata->entries[i].name = entry->name;
		metadata->n++;
	}
	metadata->entries[i].value = entry->value;
	return true;
}

/* Returns false if it is not written as a value. */
static bool unescape(struct slice text, struct arena *arena, struct slice *ret_value)
{
	char *p = arena_alloc(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '\\') {
			p[n++] = text.p[i];
		} else if (i + 1 < text.n && text.p[i + 1] == '\\') {
			p[n++] = '\\';
			i++;
		} else {
			int high = i + 2 < text.n ? ascii_hex_value(text.p[i + 1]) : -1;
			int low = high >= 0 ? ascii_hex_value(text.p[i + 2]) : -1;

			if (low < 0)
				return false;
			p[n++] = (char)(16 * high + low);
			i += 2;
		}
	}
	*ret_value = slice_from(p, n);
	return true;
}

static void parse_line(struct slice line, struct arena *arena, struct metadata *metadata)
{
	struct metadata_entry entry;
	ssize_t tab = slice_find(line, '\t');

	if (tab < 0)
		return;
	entry.name = arena_copy(arena, slice_head(line, (size_t)tab));
	if (metadata_name_is_valid(entry.name) &&
		unescape(slice_tail(line, (size_t)tab + 1), arena, &entry.value))
		(void)metadata_set(metadata, &entry);
}

bool metadata_parse(struct slice text, struct arena *arena, struct metadata *ret_metadata)
{
	struct metadata metadata = metadata_none(arena);

	if (!slice_starts_with(text, SLICE(FIRST_LINE)))
		return false;
	text = slice_tail(text, sizeof FIRST_LINE - 1);
	for (ssize_t end; (end = slice_find(text, '\n')) >= 0;) {
		parse_line(slice_head(text, (size_t)end), arena, &metadata);
		text = slice_tail(text, (size_t)end + 1);
	}
	*ret_metadata = metadata;
	return true;
}

static int escape(struct slice value, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < value.n; i++) {
		char c = value.p[i];

		if (c == '\\')
			r = buf_add(out, SLICE("\\\\"));
		else if (is_control(c))
			r = buf_addf(out, "\\%02x", (unsigned char)c);
		else
			r = buf_add_char(out, c);
	}
	return r;
}

int metadata_format(const struct metadata *metadata, struct buf *out)
{
	int r = buf_add(out, SLICE(FIRST_LINE));

	for (size_t i = 0; r == 0 && i < metadata->n; i++) {
		r = buf_add(out, metadata->entries[i].name);
		if (r == 0)
			r = buf_add_char(out, '\t');
		if (r == 0)
			r = escape(metadata->entries[i].value, out);
		if (r == 0)
			r = buf_add_char(out, '\n');
	}
	return r;
}
