#include "maildir/message/rfc2231.h"

#include "base/must.h"
#include "maildir/message/charset.h"
#include "maildir/message/rfc2047.h"
#include "maildir/message/token.h"
#include "maildir/message/transfer.h"

#include <errno.h>

/* A parameter whose name says that it is a piece of one: name*0, name*1*, or name*. */
struct piece {
	struct slice key; /* the name before the first asterisk */
	uint32_t number;
	bool extended;
	struct mime_param *param;
};

struct param_list {
	struct mime_param *first, **last;
};

static void list_add(struct param_list *list, struct mime_param *param)
{
	param->next = NULL;
	*list->last = param;
	list->last = &param->next;
}

/* Take an encoded word that stands for a value without quotes around it, against RFC 2047 section 5. */
static struct slice take_bare_word(struct slice *in)
{
	size_t i = 0;

	while (i < in->n && in->p[i] != ';' && (uint8_t)in->p[i] > ' ')
		i++;
	return slice_take(in, i);
}

static struct slice take_quoted(struct slice *in, struct arena *arena)
{
	_cleanup_buf_ struct buf out = BUF(in->n);
	int r = token_take_quoted(in, &out);

	must(r != -ENOBUFS); /* it never grows; and one that does not end is worth as much */
	return arena_copy(arena, buf_slice(&out));
}

/* Take "name=value". Returns NULL if none is there; some of the input may be taken all the same. */
static struct mime_param *take_param(struct slice *in, struct arena *arena)
{
	struct slice name = token_take_mime(in), value;

	token_skip_cfws(in);
	if (name.n == 0 || !slice_skip(in, '='))
		return NULL;
	token_skip_cfws(in);
	if (in->n > 0 && in->p[0] == '"')
		value = take_quoted(in, arena);
	else if (in->n > 0 && in->p[0] == '=')
		value = arena_copy(arena, take_bare_word(in));
	else
		value = arena_copy(arena, token_take_mime(in));

	struct mime_param *param = arena_alloc(arena, sizeof *param);

	*param = (struct mime_param){ .name = arena_copy(arena, name), .value = value };
	return param;
}

/* Step to the next parameter, over whatever is before its semicolon. */
static bool skip_to_param(struct slice *in)
{
	token_skip_cfws(in);
	while (in->n > 0 && !slice_skip(in, ';')) {
		*in = slice_tail(*in, 1);
		token_skip_cfws(in);
	}
	token_skip_cfws(in);
	return in->n > 0;
}

/* Read name*, name*N or name*N*. Returns whether it is one of them. RFC 2231 section 7. */
static bool is_piece(struct mime_param *param, struct piece *ret_piece)
{
	ssize_t star = slice_find(param->name, '*');

	if (star <= 0)
		return false;

	struct slice rest = slice_tail(param->name, (size_t)star + 1);
	bool extended = rest.n == 0;
	uint64_t number = 0;

	if (rest.n > 0 && rest.p[rest.n - 1] == '*') {
		extended = true;
		rest.n--;
	}
	if (rest.n > 0 && !slice_number(rest, MIME_PARAMS, &number))
		return false;
	*ret_piece = (struct piece){
		slice_head(param->name, (size_t)star), (uint32_t)number, extended, param
	};
	return true;
}

static int compare_nocase(struct slice a, struct slice b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int order = (uint8_t)ascii_lower(a.p[i]) - (uint8_t)ascii_lower(b.p[i]);

		if (order != 0)
			return order;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

static int compare_pieces(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;
	int order = compare_nocase(a->key, b->key);

	return order != 0 ? order : a->number < b->number ? -1 : a->number > b->number;
}

static void add_percent_encoded(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain = ascii_is_alpha(c) || ascii_is_digit(c) || (c && strchr("!#$&+-.^_`{|}~", c));

		if (plain)
			must(buf_add_char(out, c) == 0);
		else
			must(buf_addf(out, "%%%02X", (unsigned)(uint8_t)c) == 0);
	}
}

/* Join n pieces of one parameter, none missing. */
static struct mime_param *join(const struct piece *pieces, size_t n, struct arena *arena)
{
	size_t most = 2;
	bool extended = false;

	for (size_t i = 0; i < n; i++) {
		most += 3 * pieces[i].param->value.n;
		extended |= pieces[i].extended;
	}

	_cleanup_buf_ struct buf value = BUF(most);

	if (extended && !pieces[0].extended)
		must(buf_add_str(&value, "''") == 0); /* neither charset nor language */
	for (size_t i = 0; i < n; i++)
		if (extended && !pieces[i].extended)
			add_percent_encoded(&value, pieces[i].param->value);
		else
			must(buf_add(&value, pieces[i].param->value) == 0);

	struct mime_param *param = arena_alloc(arena, sizeof *param);

	param->value = arena_copy(arena, buf_slice(&value));
	param->name = extended ? arena_format(arena, "%.*s*", SLICE_FMT(pieces[0].key)) : pieces[0].key;
	return param;
}

/* How many of the n sorted pieces in front belong to one parameter. *ret_whole: numbered 0, 1, 2, ... */
static size_t pieces_of_one(const struct piece *pieces, size_t n, bool *ret_whole)
{
	size_t i = 0;

	*ret_whole = true;
	for (; i < n && slice_equal_nocase(pieces[i].key, pieces[0].key); i++)
		*ret_whole &= pieces[i].number == i;
	return i;
}

static void add_joined(struct param_list *list, struct piece *pieces, size_t n, struct arena *arena)
{
	if (n > 0)
		qsort(pieces, n, sizeof *pieces, compare_pieces);
	for (size_t i = 0, one; i < n; i += one) {
		bool whole;

		one = pieces_of_one(pieces + i, n - i, &whole);
		if (whole)
			list_add(list, join(pieces + i, one, arena));
		for (size_t k = 0; !whole && k < one; k++)
			list_add(list, pieces[i + k].param);
	}
}

struct mime_param *rfc2231_parse(struct slice in, struct arena *arena)
{
	_cleanup_free_ struct piece *pieces = NULL;
	size_t n_pieces = 0;
	struct param_list list = { .last = &list.first };

	for (unsigned n = 0; n < MIME_PARAMS && skip_to_param(&in); n++) {
		struct mime_param *param = take_param(&in, arena);
		struct piece piece;

		if (!param)
			continue;
		if (!is_piece(param, &piece)) {
			list_add(&list, param);
			continue;
		}
		if (!pieces)
			must((pieces = calloc(MIME_PARAMS, sizeof *pieces)) != NULL);
		pieces[n_pieces++] = piece;
	}
	add_joined(&list, pieces, n_pieces, arena);
	return list.first;
}

static int extended_value(struct slice value, struct buf *out)
{
	struct slice charset = { NULL, 0 }, language, rest = value;

	if (!slice_split(&rest, '\'', &charset) || !rest.p || slice_find(rest, '\'') < 0) {
		charset = slice_from(NULL, 0);
		rest = value;
	} else {
		slice_split(&rest, '\'', &language);
	}
	if (rest.n == 0)
		return 0;

	_cleanup_free_ char *bytes = malloc(rest.n);

	must(bytes != NULL);
	return charset_to_utf8(charset, slice_from(bytes, transfer_undo_hex(rest, '%', 0, bytes)), out);
}

int rfc2231_value(const struct mime_param *params, struct slice name, struct buf *out)
{
	for (const struct mime_param *p = params; p; p = p->next) {
		struct slice rest = p->name;

		if (slice_skip_nocase(&rest, name) && slice_equal(rest, SLICE("*")))
			return extended_value(p->value, out);
	}

	struct slice plain = mime_param_value(params, name);

	return plain.p ? rfc2047_decode(plain, out) : -ENOENT;
}
