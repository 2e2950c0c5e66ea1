#include "maildir/uidlist.h"

#include <errno.h>
#include <stdio.h>

static bool parse_uint32(struct slice text, uint32_t *ret_value)
{
	uint64_t value;

	if (!slice_number(text, UINT32_MAX - 1, &value) || value == 0)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static bool parse_guid(struct slice value, char ret_guid[UIDLIST_GUID_CHARS + 1])
{
	if (value.n != UIDLIST_GUID_CHARS)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		if (ascii_hex_value(value.p[i]) < 0)
			return false;
		ret_guid[i] = ascii_lower(value.p[i]);
	}
	ret_guid[value.n] = '\0';
	return true;
}

static bool keep_other(struct slice field, struct uidlist_header *header)
{
	size_t have = strlen(header->others);

	if (have + field.n + 2 > sizeof header->others || slice_find(field, '\0') >= 0)
		return false;
	if (have > 0)
		header->others[have++] = ' ';
	memcpy(header->others + have, field.p, field.n);
	header->others[have + field.n] = '\0';
	return true;
}

static bool parse_header_field(struct slice field, struct uidlist_header *header)
{
	struct slice value = slice_tail(field, 1);

	switch (field.p[0]) {
	case 'V':
		return parse_uint32(value, &header->uidvalidity);
	case 'N':
		return parse_uint32(value, &header->uidnext);
	case 'G':
		return parse_guid(value, header->guid);
	default:
		return keep_other(field, header);
	}
}

static bool parse_header_1(struct slice rest, struct uidlist_header *header)
{
	struct slice uidvalidity, uidnext;

	if (!slice_split(&rest, ' ', &uidvalidity) || !slice_split(&rest, ' ', &uidnext))
		return false;

	/* Courier may put a GUID of its own kind behind. */
	return parse_uint32(uidvalidity, &header->uidvalidity) &&
	       parse_uint32(uidnext, &header->uidnext);
}

bool uidlist_parse_header(struct slice line, struct uidlist_header *ret_header)
{
	struct uidlist_header header = { 0 };
	struct slice version, field;

	if (!slice_split(&line, ' ', &version))
		return false;
	if (slice_equal(version, SLICE("1"))) {
		header.version = 1;
		if (!parse_header_1(line, &header))
			return false;
	} else if (slice_equal(version, SLICE("3"))) {
		header.version = 3;
		while (slice_split(&line, ' ', &field))
			if (field.n > 0 && !parse_header_field(field, &header))
				return false;
	}
	if (header.uidvalidity == 0 || header.uidnext == 0)
		return false;
	*ret_header = header;
	return true;
}

static bool parse_base(struct slice base, struct slice *ret_base)
{
	if (base.n == 0 || base.n > 255)
		return false;
	for (size_t i = 0; i < base.n; i++)
		if (base.p[i] == '/' || base.p[i] == '\0' || base.p[i] == '\r')
			return false;

	/* Some writers left the info part in. */
	ssize_t colon = slice_find(base, ':');

	*ret_base = colon < 0 ? base : slice_head(base, (size_t)colon);
	return ret_base->n > 0;
}

static struct slice skip_spaces(struct slice s)
{
	while (slice_skip(&s, ' '))
		;
	return s;
}

/* Fields up to the colon. What begins with no capital letter is kept as well, and never found. */
static bool take_fields(struct slice *line, struct slice *ret_fields)
{
	struct slice rest = *line, field;
	const char *begin = rest.p, *end = rest.p;

	while (rest.n > 0 && rest.p[0] != ':') {
		if (!slice_split(&rest, ' ', &field) || slice_find(field, '\0') >= 0)
			return false;
		end = field.p + field.n;
		rest = skip_spaces(rest);
	}
	if (!slice_skip(&rest, ':') || end - begin > UIDLIST_FIELDS_MAX_BYTES)
		return false;
	*ret_fields = slice_from(begin, (size_t)(end - begin));
	*line = rest;
	return true;
}

bool uidlist_parse_record(unsigned version, struct slice line, struct uidlist_record *ret_record)
{
	struct uidlist_record record = { 0 };
	ssize_t space = slice_find(line, ' ');

	if (space < 0 || !parse_uint32(slice_head(line, (size_t)space), &record.msg_uid))
		return false;

	struct slice rest = skip_spaces(slice_tail(line, (size_t)space));

	if (version != 1 && !take_fields(&rest, &record.fields))
		return false;
	if (!parse_base(rest, &record.base))
		return false;
	*ret_record = record;
	return true;
}

int uidlist_format_header(const struct uidlist_header *header, struct buf *out)
{
	return buf_addf(out, "3 V%u N%u G%s%s%s\n", header->uidvalidity, header->uidnext,
		header->guid, header->others[0] ? " " : "", header->others);
}

int uidlist_format_record(const struct uidlist_record *record, struct buf *out)
{
	char number[16];
	size_t n = (size_t)snprintf(number, sizeof number, "%u", record->msg_uid);
	size_t bytes = n + (record->fields.n > 0) + record->fields.n + 2 + record->base.n + 1;
	char *at = buf_reserve(out, bytes);

	if (!at)
		return -ENOBUFS;
	at = mempcpy(at, number, n);
	if (record->fields.n > 0) {
		*at++ = ' ';
		at = mempcpy(at, record->fields.p, record->fields.n);
	}
	at = mempcpy(at, " :", 2);
	at = mempcpy(at, record->base.p, record->base.n);
	*at = '\n';
	buf_grown(out, bytes);
	return 0;
}

bool uidlist_field(struct slice fields, char key, struct slice *ret_value)
{
	struct slice field;

	while (slice_split(&fields, ' ', &field)) {
		if (field.n > 0 && field.p[0] == key) {
			*ret_value = slice_tail(field, 1);
			return true;
		}
	}
	return false;
}

int uidlist_fields_with(struct slice fields, char key, struct slice value, struct buf *out)
{
	struct slice field;
	int r = 0;

	while (r == 0 && slice_split(&fields, ' ', &field)) {
		if (field.n == 0 || field.p[0] == key)
			continue;
		r = buf_add(out, field);
		if (r == 0)
			r = buf_add_char(out, ' ');
	}
	if (r == 0)
		r = buf_add_char(out, key);
	if (r == 0)
		r = buf_add(out, value);
	return r;
}
