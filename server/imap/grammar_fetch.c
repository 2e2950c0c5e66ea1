#include "server/imap/grammar_fetch.h"

#include "base/must.h"
#include "server/wire/token.h"
#include "server/wire/writer.h"

/* What is being filled. */
struct fetch_list {
	struct fetch_item *items;
	size_t n, cap;
};

static enum parse add_item(
	struct fetch_list *list, struct grammar *grammar, const struct fetch_item *item)
{
	if (list->n == FETCH_MAX_ITEMS)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many items");
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 8;
		struct fetch_item *items = arena_array(grammar->arena, cap, sizeof *items);

		if (list->n > 0)
			memcpy(items, list->items, list->n * sizeof *items);
		list->items = items;
		list->cap = cap;
	}
	list->items[list->n++] = *item;
	return PARSE_OK;
}

/* Items without arguments. The longer of two names with a common beginning needs no place before: words end. */
static const struct {
	struct slice name;
	struct fetch_item item;
} plain_items[] = {
	{ { "FLAGS", 5 }, { .kind = FETCH_FLAGS } },
	{ { "UID", 3 }, { .kind = FETCH_UID } },
	{ { "INTERNALDATE", 12 }, { .kind = FETCH_INTERNALDATE } },
	{ { "RFC822.SIZE", 11 }, { .kind = FETCH_RFC822_SIZE } },
	{ { "MODSEQ", 6 }, { .kind = FETCH_MODSEQ } },
	{ { "ENVELOPE", 8 }, { .kind = FETCH_ENVELOPE } },
	{ { "BODYSTRUCTURE", 13 }, { .kind = FETCH_BODYSTRUCTURE } },
	{ { "EMAILID", 7 }, { .kind = FETCH_EMAILID } },
	{ { "THREADID", 8 }, { .kind = FETCH_THREADID } },
	{ { "SAVEDATE", 8 }, { .kind = FETCH_SAVEDATE } },
	{ { "PREVIEW", 7 }, { .kind = FETCH_PREVIEW } },
	{ { "RFC822", 6 }, { .kind = FETCH_SECTION, .sets_seen = true } },
	{ { "RFC822.HEADER", 13 },
		{ .kind = FETCH_SECTION, .section = { .kind = SECTION_HEADER } } },
	{ { "RFC822.TEXT", 11 },
		{ .kind = FETCH_SECTION, .section = { .kind = SECTION_TEXT }, .sets_seen = true } },
};

enum { PLAIN_ITEMS = sizeof plain_items / sizeof *plain_items };

static enum parse take_plain(struct slice *in, struct fetch_item *item)
{
	for (size_t i = 0; i < PLAIN_ITEMS; i++)
		if (token_word(in, plain_items[i].name) == PARSE_OK) {
			*item = plain_items[i].item;
			item->label = plain_items[i].name;
			return PARSE_OK;
		}
	return PARSE_BAD;
}

/* A field name must be one (RFC 5322 section 3.6.8): nothing else could be found, and it is sent back. */
static bool is_field_name(struct slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
			return false;
	return name.n > 0;
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static enum parse take_names(struct slice *in, struct grammar *grammar, struct section *section)
{
	struct slice *names = NULL;
	size_t cap = 0;

	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (section->names_n == FETCH_MAX_NAMES)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many header fields");
		if (section->names_n == cap) {
			struct slice *larger =
				arena_array(grammar->arena, cap ? cap * 2 : 8, sizeof *larger);

			if (cap > 0)
				memcpy(larger, names, cap * sizeof *names);
			names = larger;
			cap = cap ? cap * 2 : 8;
		}
		if (token_astring(in, grammar->arena, &names[section->names_n]) != PARSE_OK ||
			!is_field_name(names[section->names_n]))
			return PARSE_BAD;
		section->names_n++;
	} while (token_space(in) == PARSE_OK);
	section->names = names;
	return token_close(in);
}

/* section-part = nz-number *("." nz-number), and the "." before what follows it. */
static enum parse take_part(struct slice *in, struct grammar *grammar, struct section *section)
{
	uint32_t numbers[FETCH_MAX_NUMBERS];
	size_t n = 0;

	while (in->n > 0 && ascii_is_digit(in->p[0])) {
		if (n == FETCH_MAX_NUMBERS)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Part number is too deep");
		if (token_nz_number(in, &numbers[n++]) != PARSE_OK)
			return PARSE_BAD;
		if (!slice_skip(in, '.')) {
			if (in->n == 0 || in->p[0] != ']')
				return PARSE_BAD;
			break;
		}
		if (in->n == 0 || in->p[0] == ']')
			return PARSE_BAD;
	}
	if (n > 0) {
		uint32_t *kept = arena_array(grammar->arena, n, sizeof *kept);

		memcpy(kept, numbers, n * sizeof *kept);
		section->numbers = kept;
	}
	section->n = n;
	return PARSE_OK;
}

/* section-text, if there is any. */
static enum parse take_section_text(
	struct slice *in, struct grammar *grammar, struct section *section)
{
	if (in->n > 0 && in->p[0] == ']')
		return PARSE_OK;
	if (token_word(in, SLICE("HEADER.FIELDS.NOT")) == PARSE_OK)
		section->fields = FIELDS_NOT_THESE;
	else if (token_word(in, SLICE("HEADER.FIELDS")) == PARSE_OK)
		section->fields = FIELDS_THESE;
	if (section->fields != FIELDS_ALL) {
		section->kind = SECTION_HEADER;
		return token_space(in) == PARSE_OK ? take_names(in, grammar, section) : PARSE_BAD;
	}

	bool mime = section->n > 0 && token_word(in, SLICE("MIME")) == PARSE_OK;
	bool header = !mime && token_word(in, SLICE("HEADER")) == PARSE_OK;

	section->kind = mime ? SECTION_MIME : header ? SECTION_HEADER : SECTION_TEXT;
	return mime || header ? PARSE_OK : token_word(in, SLICE("TEXT"));
}

enum parse grammar_section(struct slice *in, struct grammar *grammar, struct section *ret_section)
{
	struct slice s = *in;
	struct section section = { .n = 0 };

	if (take_part(&s, grammar, &section) != PARSE_OK ||
		take_section_text(&s, grammar, &section) != PARSE_OK || !slice_skip(&s, ']'))
		return PARSE_BAD;
	*in = s;
	*ret_section = section;
	return PARSE_OK;
}

/* "<" number "." nz-number ">" */
static enum parse take_partial(struct slice *in, struct fetch_item *item)
{
	if (!slice_skip(in, '<'))
		return PARSE_OK;
	item->partial = true;
	if (token_number64(in, &item->first_octet) != PARSE_OK || !slice_skip(in, '.') ||
		token_number64(in, &item->octets) != PARSE_OK || item->octets == 0)
		return PARSE_BAD;
	return slice_skip(in, '>') ? PARSE_OK : PARSE_BAD;
}

static const char *section_word(const struct section *section)
{
	if (section->fields != FIELDS_ALL)
		return section->fields == FIELDS_THESE ? "HEADER.FIELDS (" : "HEADER.FIELDS.NOT (";
	return section->kind == SECTION_HEADER ? "HEADER"
	       : section->kind == SECTION_TEXT ? "TEXT"
	       : section->kind == SECTION_MIME ? "MIME"
					       : "";
}

/* The section as the response names it. */
static struct slice label_of(
	const char *name, const struct section *section, struct arena *arena)
{
	_cleanup_buf_ struct buf label =
		BUF(LIMIT_COMMAND_LINE_BYTES + LIMIT_COMMAND_LITERAL_BYTES + 4096);
	struct writer w = { .out = &label };
	const char *word = section_word(section);

	write_text(&w, name);
	for (size_t i = 0; i < section->n; i++) {
		write_text(&w, i > 0 ? "." : "");
		write_number(&w, section->numbers[i]);
	}
	write_text(&w, section->n > 0 && *word ? "." : "");
	write_text(&w, word);
	for (size_t i = 0; i < section->names_n; i++) {
		write_text(&w, i > 0 ? " " : "");
		write_astring(&w, section->names[i]);
	}
	write_text(&w, section->fields != FIELDS_ALL ? ")]" : "]");
	must(!w.failed); /* every part of it is bounded above */
	return arena_copy(arena, buf_slice(&label));
}

/* "BODY" alone, or with a section. */
static enum parse take_body(struct slice *in, struct grammar *grammar, struct fetch_item *item)
{
	struct slice s = *in;

	if (!slice_skip_nocase(&s, SLICE("BODY")))
		return PARSE_BAD;

	bool peek = slice_skip_nocase(&s, SLICE(".PEEK"));

	if (!slice_skip(&s, '[')) {
		*item = (struct fetch_item){ .kind = FETCH_BODY, .label = SLICE("BODY") };
		*in = s;
		return peek || (s.n > 0 && token_is_atom_char(s.p[0])) ? PARSE_BAD : PARSE_OK;
	}
	*item = (struct fetch_item){ .kind = FETCH_SECTION, .sets_seen = !peek };
	if (grammar_section(&s, grammar, &item->section) != PARSE_OK ||
		take_partial(&s, item) != PARSE_OK)
		return PARSE_BAD;
	item->label = label_of("BODY[", &item->section, grammar->arena);
	*in = s;
	return PARSE_OK;
}

/* section-binary: numbers only. RFC 9051 section 9. */
static enum parse take_section_binary(
	struct slice *in, struct grammar *grammar, struct section *section)
{
	if (!slice_skip(in, '[') || take_part(in, grammar, section) != PARSE_OK)
		return PARSE_BAD;
	return slice_skip(in, ']') ? PARSE_OK : PARSE_BAD;
}

/* "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary */
static enum parse take_binary(struct slice *in, struct grammar *grammar, struct fetch_item *item)
{
	struct slice s = *in;

	if (!slice_skip_nocase(&s, SLICE("BINARY")))
		return PARSE_BAD;

	bool size = slice_skip_nocase(&s, SLICE(".SIZE"));
	bool peek = !size && slice_skip_nocase(&s, SLICE(".PEEK"));

	*item = (struct fetch_item){
		.kind = size ? FETCH_BINARY_SIZE : FETCH_BINARY,
		.sets_seen = !size && !peek,
	};
	if (take_section_binary(&s, grammar, &item->section) != PARSE_OK)
		return PARSE_BAD;
	if (!size && take_partial(&s, item) != PARSE_OK)
		return PARSE_BAD;
	item->label = label_of(size ? "BINARY.SIZE[" : "BINARY[", &item->section, grammar->arena);
	*in = s;
	return PARSE_OK;
}

/* [SP "(" "LAZY" *(SP "LAZY") ")"]. Other parentheses are modifiers of the command. RFC 8970 section 5. */
static void take_preview_modifiers(struct slice *in, struct fetch_item *item)
{
	struct slice s = *in;

	if (token_space(&s) != PARSE_OK || token_open(&s) != PARSE_OK)
		return;
	do {
		if (token_word(&s, SLICE("LAZY")) != PARSE_OK)
			return;
	} while (token_space(&s) == PARSE_OK);
	if (token_close(&s) != PARSE_OK)
		return;
	item->lazy = true;
	*in = s;
}

static enum parse take_item(struct slice *in, struct grammar *grammar, struct fetch_list *list)
{
	struct fetch_item item;

	if (take_plain(in, &item) != PARSE_OK && take_body(in, grammar, &item) != PARSE_OK &&
		take_binary(in, grammar, &item) != PARSE_OK)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown or malformed FETCH item");
	if (item.kind == FETCH_PREVIEW)
		take_preview_modifiers(in, &item);
	return add_item(list, grammar, &item);
}

static enum parse add_macro(struct slice words, struct grammar *grammar, struct fetch_list *list)
{
	struct slice word;

	while (slice_split(&words, ' ', &word))
		if (take_item(&word, grammar, list) != PARSE_OK)
			return PARSE_BAD;
	return PARSE_OK;
}

static enum parse take_items(struct slice *in, struct grammar *grammar, struct fetch_list *list)
{
	if (token_word(in, SLICE("ALL")) == PARSE_OK)
		return add_macro(SLICE("FLAGS INTERNALDATE RFC822.SIZE ENVELOPE"), grammar, list);
	if (token_word(in, SLICE("FAST")) == PARSE_OK)
		return add_macro(SLICE("FLAGS INTERNALDATE RFC822.SIZE"), grammar, list);
	if (token_word(in, SLICE("FULL")) == PARSE_OK)
		return add_macro(
			SLICE("FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY"), grammar, list);
	if (token_open(in) != PARSE_OK)
		return take_item(in, grammar, list);
	do {
		if (take_item(in, grammar, list) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

/* RFC 7162 section 3.1.4.1: CHANGEDSINCE adds MODSEQ. */
static enum parse add_modseq(struct grammar *grammar, struct fetch_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].kind == FETCH_MODSEQ)
			return PARSE_OK;
	return add_item(list, grammar,
		&(struct fetch_item){ .kind = FETCH_MODSEQ, .label = SLICE("MODSEQ") });
}

static enum parse take_changedsince(struct slice *in, struct fetch_arguments *a)
{
	if (a->changed_only)
		return PARSE_BAD;
	a->changed_only = true;
	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	return token_number64(in, &a->changedsince);
}

static enum parse take_some(struct slice *in, struct fetch_arguments *a)
{
	if (a->partial.first > 0 || token_space(in) != PARSE_OK)
		return PARSE_BAD;
	return grammar_partial(in, &a->partial);
}

static enum parse take_modifier(
	struct slice *in, struct grammar *grammar, struct fetch_arguments *a)
{
	if (token_word(in, SLICE("CHANGEDSINCE")) == PARSE_OK)
		return take_changedsince(in, a);
	if (token_word(in, SLICE("PARTIAL")) == PARSE_OK)
		return take_some(in, a);
	if (token_word(in, SLICE("VANISHED")) == PARSE_OK) {
		a->vanished = true;
		return PARSE_OK;
	}
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown modifier");
}

/* [SP "(" fetch-modifier *(SP fetch-modifier) ")"] */
static enum parse take_modifiers(
	struct slice *in, struct grammar *grammar, struct fetch_arguments *a)
{
	if (token_end(in) == PARSE_OK)
		return PARSE_OK;
	if (token_space(in) != PARSE_OK || token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (take_modifier(in, grammar, a) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

enum parse grammar_fetch(
	struct slice *in, struct grammar *grammar, struct fetch_arguments *ret_arguments)
{
	struct slice s = *in;
	struct fetch_list list = { 0 };
	struct fetch_arguments a = { .changed_only = false };

	if (token_space(&s) != PARSE_OK || token_sequence_set(&s, &a.set) != PARSE_OK ||
		token_space(&s) != PARSE_OK || take_items(&s, grammar, &list) != PARSE_OK ||
		take_modifiers(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	if (a.vanished && !a.changed_only)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "VANISHED needs CHANGEDSINCE");
	if (a.changed_only && add_modseq(grammar, &list) != PARSE_OK)
		return PARSE_BAD;
	a.items = list.items;
	a.n = list.n;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_fetch_items(
	struct slice *in, struct grammar *grammar, struct fetch_arguments *ret_arguments)
{
	struct slice s = *in;
	struct fetch_list list = { 0 };

	if (s.n == 0 || s.p[0] != '(' || take_items(&s, grammar, &list) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = (struct fetch_arguments){ .items = list.items, .n = list.n };
	return PARSE_OK;
}
