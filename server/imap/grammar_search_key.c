#include "server/imap/grammar_search_key.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "maildir/card_format.h"
#include "maildir/mailbox.h"
#include "maildir/message/charset.h"
#include "server/imap/capability.h"
#include "server/imap/grammar_date.h"
#include "server/wire/token.h"

enum { SEARCH_TEXT_MAX_BYTES = 4096, OBJECTID_MAX_BYTES = 255 };

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_TEXT,
	ARGUMENT_NAME_TEXT, /* HEADER */
	ARGUMENT_BEFORE,
	ARGUMENT_ON,
	ARGUMENT_SINCE,
	ARGUMENT_LARGER,
	ARGUMENT_SMALLER,
	ARGUMENT_KEYWORD,
	ARGUMENT_SET,
	ARGUMENT_UIDS_TO,   /* a UID: the set of those up to it */
	ARGUMENT_UIDS_FROM, /* of those from it on */
	ARGUMENT_SECONDS,
	ARGUMENT_KEY,
	ARGUMENT_TWO_KEYS,
	ARGUMENT_MODSEQ,
	ARGUMENT_OBJECTID,
};

static const struct key_type {
	struct slice word;
	enum argument argument;
	bool negated;
	struct search_key key;
} key_types[] = {
#define WORD(w)                                                                                    \
	{                                                                                          \
		w, sizeof w - 1                                                                    \
	}
	{ WORD("ALL"), ARGUMENT_NONE, false, { .kind = SEARCH_ALL } },
	{ WORD("ANSWERED"), ARGUMENT_NONE, false, { .kind = SEARCH_FLAG, .flag = FLAG_ANSWERED } },
	{ WORD("DELETED"), ARGUMENT_NONE, false, { .kind = SEARCH_FLAG, .flag = FLAG_DELETED } },
	{ WORD("DRAFT"), ARGUMENT_NONE, false, { .kind = SEARCH_FLAG, .flag = FLAG_DRAFT } },
	{ WORD("FLAGGED"), ARGUMENT_NONE, false, { .kind = SEARCH_FLAG, .flag = FLAG_FLAGGED } },
	{ WORD("SEEN"), ARGUMENT_NONE, false, { .kind = SEARCH_FLAG, .flag = FLAG_SEEN } },
	{ WORD("UNANSWERED"), ARGUMENT_NONE, true, { .kind = SEARCH_FLAG, .flag = FLAG_ANSWERED } },
	{ WORD("UNDELETED"), ARGUMENT_NONE, true, { .kind = SEARCH_FLAG, .flag = FLAG_DELETED } },
	{ WORD("UNDRAFT"), ARGUMENT_NONE, true, { .kind = SEARCH_FLAG, .flag = FLAG_DRAFT } },
	{ WORD("UNFLAGGED"), ARGUMENT_NONE, true, { .kind = SEARCH_FLAG, .flag = FLAG_FLAGGED } },
	{ WORD("UNSEEN"), ARGUMENT_NONE, true, { .kind = SEARCH_FLAG, .flag = FLAG_SEEN } },
	{ WORD("RECENT"), ARGUMENT_NONE, false, { .kind = SEARCH_RECENT } },
	{ WORD("OLD"), ARGUMENT_NONE, true, { .kind = SEARCH_RECENT } },
	{ WORD("KEYWORD"), ARGUMENT_KEYWORD, false, { .kind = SEARCH_KEYWORD } },
	{ WORD("UNKEYWORD"), ARGUMENT_KEYWORD, true, { .kind = SEARCH_KEYWORD } },
	{ WORD("BEFORE"), ARGUMENT_BEFORE, false, { .kind = SEARCH_INTERNALDATE } },
	{ WORD("ON"), ARGUMENT_ON, false, { .kind = SEARCH_INTERNALDATE } },
	{ WORD("SINCE"), ARGUMENT_SINCE, false, { .kind = SEARCH_INTERNALDATE } },
	{ WORD("SENTBEFORE"), ARGUMENT_BEFORE, false, { .kind = SEARCH_SENT } },
	{ WORD("SENTON"), ARGUMENT_ON, false, { .kind = SEARCH_SENT } },
	{ WORD("SENTSINCE"), ARGUMENT_SINCE, false, { .kind = SEARCH_SENT } },
	{ WORD("SAVEDBEFORE"), ARGUMENT_BEFORE, false, { .kind = SEARCH_SAVEDATE } },
	{ WORD("SAVEDON"), ARGUMENT_ON, false, { .kind = SEARCH_SAVEDATE } },
	{ WORD("SAVEDSINCE"), ARGUMENT_SINCE, false, { .kind = SEARCH_SAVEDATE } },
	{ WORD("SAVEDATESUPPORTED"), ARGUMENT_NONE, false, { .kind = SEARCH_ALL } },
	{ WORD("MODSEQ"), ARGUMENT_MODSEQ, false, { .kind = SEARCH_MODSEQ } },
	{ WORD("EMAILID"), ARGUMENT_OBJECTID, false, { .kind = SEARCH_EMAILID } },
	{ WORD("THREADID"), ARGUMENT_OBJECTID, false, { .kind = SEARCH_THREADID } },
	{ WORD("OLDER"), ARGUMENT_SECONDS, false, { .kind = SEARCH_AGE } },
	{ WORD("YOUNGER"), ARGUMENT_SECONDS, false, { .kind = SEARCH_AGE, .younger = true } },
	{ WORD("LARGER"), ARGUMENT_LARGER, false, { .kind = SEARCH_SIZE } },
	{ WORD("SMALLER"), ARGUMENT_SMALLER, false, { .kind = SEARCH_SIZE } },
	{ WORD("BCC"), ARGUMENT_TEXT, false, { .kind = SEARCH_HEADER, .name = WORD("Bcc") } },
	{ WORD("CC"), ARGUMENT_TEXT, false, { .kind = SEARCH_HEADER, .name = WORD("Cc") } },
	{ WORD("FROM"), ARGUMENT_TEXT, false, { .kind = SEARCH_HEADER, .name = WORD("From") } },
	{ WORD("SUBJECT"), ARGUMENT_TEXT, false,
		{ .kind = SEARCH_HEADER, .name = WORD("Subject") } },
	{ WORD("TO"), ARGUMENT_TEXT, false, { .kind = SEARCH_HEADER, .name = WORD("To") } },
	{ WORD("HEADER"), ARGUMENT_NAME_TEXT, false, { .kind = SEARCH_HEADER } },
	{ WORD("BODY"), ARGUMENT_TEXT, false, { .kind = SEARCH_BODY } },
	{ WORD("TEXT"), ARGUMENT_TEXT, false, { .kind = SEARCH_TEXT } },
	{ WORD("UID"), ARGUMENT_SET, false, { .kind = SEARCH_UIDS } },
	{ WORD("UIDAFTER"), ARGUMENT_UIDS_TO, true, { .kind = SEARCH_UIDS } },
	{ WORD("UIDBEFORE"), ARGUMENT_UIDS_FROM, true, { .kind = SEARCH_UIDS } },
	{ WORD("NOT"), ARGUMENT_KEY, false, { .kind = SEARCH_NOT } },
	{ WORD("OR"), ARGUMENT_TWO_KEYS, false, { .kind = SEARCH_OR } },
#undef WORD
};

enum { KEY_TYPES = sizeof key_types / sizeof *key_types };

static enum parse take_key(struct slice *in, struct search_grammar *g, struct search_key **ret_key);

static enum parse new_key(
	struct search_grammar *g, const struct search_key *from, struct search_key **ret_key)
{
	if (++g->keys > LIMIT_SEARCH_KEYS)
		return grammar_bad(g->grammar, GRAMMAR_LIMIT, "Too many search keys");

	struct search_key *key = arena_alloc(g->grammar->arena, sizeof *key);

	*key = *from;
	*ret_key = key;
	return PARSE_OK;
}

/* What it costs to look at a key: nothing, a stat, a size, a card, a header, a body. */
static unsigned cost_of(const struct search_key *key)
{
	unsigned most = 0;

	for (const struct search_key *c = key->children; c; c = c->next) {
		unsigned cost = cost_of(c);

		most = cost > most ? cost : most;
	}
	switch (key->kind) {
	case SEARCH_INTERNALDATE:
	case SEARCH_AGE:
		return 1;
	case SEARCH_SIZE:
		return 2;
	case SEARCH_EMAILID:
		return 3;
	case SEARCH_SENT:
	case SEARCH_THREADID:
		return 4;
	case SEARCH_HEADER:
		return card_has_field(key->name) ? 5 : 6;
	case SEARCH_BODY:
		return 7;
	case SEARCH_TEXT:
		return 8;
	default:
		return most;
	}
}

/* Insert behind those that cost no more. */
static void add_child(struct search_key *parent, struct search_key *child)
{
	struct search_key **at = &parent->children;
	unsigned cost = cost_of(child);

	while (*at && cost_of(*at) <= cost)
		at = &(*at)->next;
	child->next = *at;
	*at = child;
}

static enum parse to_utf8(struct search_grammar *g, struct slice in, struct slice *ret_text)
{
	_cleanup_buf_ struct buf utf8 = BUF(4 * SEARCH_TEXT_MAX_BYTES + CHARSET_HELD_BYTES);

	if (in.n > SEARCH_TEXT_MAX_BYTES)
		return grammar_bad(g->grammar, GRAMMAR_LIMIT, "Search text is too long");
	if (g->unknown_charset) /* the command is refused, once the rest of it is the grammar */
		return PARSE_OK;
	if (g->charset.n == 0) {
		*ret_text = in;
		return utf8_is_valid(in) ? PARSE_OK
					 : grammar_bad(g->grammar, GRAMMAR_SYNTAX,
						   "Search text is not in its charset");
	}
	if (charset_to_utf8(g->charset, in, &utf8) < 0)
		return grammar_bad(g->grammar, GRAMMAR_LIMIT, "Search text is too long");
	*ret_text = arena_copy(g->grammar->arena, buf_slice(&utf8));
	return PARSE_OK;
}

static enum parse take_text(struct slice *in, struct search_grammar *g, struct slice *ret_text)
{
	struct slice raw;

	if (token_space(in) != PARSE_OK || token_astring(in, g->grammar->arena, &raw) != PARSE_OK)
		return PARSE_BAD;
	return to_utf8(g, raw, ret_text);
}

static enum parse take_name_text(struct slice *in, struct search_grammar *g, struct search_key *key)
{
	if (token_space(in) != PARSE_OK ||
		token_astring(in, g->grammar->arena, &key->name) != PARSE_OK)
		return PARSE_BAD;
	if (key->name.n == 0)
		return grammar_bad(g->grammar, GRAMMAR_SYNTAX, "Header field without a name");
	return take_text(in, g, &key->text);
}

static enum parse take_days(struct slice *in, enum argument argument, struct search_key *key)
{
	int64_t day;

	if (token_space(in) != PARSE_OK || grammar_date(in, &day) != PARSE_OK)
		return PARSE_BAD;
	key->first_day = argument == ARGUMENT_BEFORE ? INT64_MIN : day;
	key->last_day = argument == ARGUMENT_BEFORE ? day - 1
			: argument == ARGUMENT_ON   ? day
						    : INT64_MAX;
	return PARSE_OK;
}

static enum parse take_size(struct slice *in, enum argument argument, struct search_key *key)
{
	uint64_t octets;

	if (token_space(in) != PARSE_OK || token_number64(in, &octets) != PARSE_OK)
		return PARSE_BAD;
	key->larger = argument == ARGUMENT_LARGER;
	key->octets = octets;
	return PARSE_OK;
}

static enum parse take_children(
	struct slice *in, struct search_grammar *g, struct search_key *key, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct search_key *child;

		if (token_space(in) != PARSE_OK || take_key(in, g, &child) != PARSE_OK)
			return PARSE_BAD;
		add_child(key, child);
	}
	return PARSE_OK;
}

/* [entry-name SP entry-type-req SP] mod-sequence-valzer: all metadata of a message has one modseq, so both are passed over. */
static enum parse take_modseq(struct slice *in, struct search_grammar *g, struct search_key *key)
{
	struct slice entry;

	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (slice_starts_with(*in, SLICE("\"")) &&
		(token_string(in, g->grammar->arena, &entry) != PARSE_OK ||
			!slice_starts_with_nocase(entry, SLICE("/flags/")) ||
			token_space(in) != PARSE_OK ||
			(token_word(in, SLICE("shared")) != PARSE_OK &&
				token_word(in, SLICE("priv")) != PARSE_OK &&
				token_word(in, SLICE("all")) != PARSE_OK) ||
			token_space(in) != PARSE_OK))
		return PARSE_BAD;
	g->has_modseq = true;
	return token_number64(in, &key->modseq);
}

/* RFC 8474 section 7, objectid. */
static enum parse take_objectid(struct slice *in, struct search_key *key)
{
	if (token_space(in) != PARSE_OK || token_atom(in, &key->text) != PARSE_OK ||
		key->text.n > OBJECTID_MAX_BYTES)
		return PARSE_BAD;
	for (size_t i = 0; i < key->text.n; i++) {
		char c = key->text.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '_' && c != '-')
			return PARSE_BAD;
	}
	return PARSE_OK;
}

/* What UIDAFTER and UIDBEFORE do not name. RFC 9738 section 3.2. */
static enum parse take_uid(struct slice *in, struct search_grammar *g, enum argument argument,
	struct search_key *key)
{
	uint32_t msg_uid;

	if (token_space(in) != PARSE_OK || token_nz_number(in, &msg_uid) != PARSE_OK)
		return PARSE_BAD;
	key->set = argument == ARGUMENT_UIDS_TO
			   ? arena_format(g->grammar->arena, "1:%u", msg_uid)
			   : arena_format(g->grammar->arena, "%u:%u", msg_uid, UINT32_MAX);
	return PARSE_OK;
}

static enum parse take_argument(
	struct slice *in, struct search_grammar *g, enum argument argument, struct search_key *key)
{
	switch (argument) {
	case ARGUMENT_NONE:
		return PARSE_OK;
	case ARGUMENT_TEXT:
		return take_text(in, g, &key->text);
	case ARGUMENT_NAME_TEXT:
		return take_name_text(in, g, key);
	case ARGUMENT_BEFORE:
	case ARGUMENT_ON:
	case ARGUMENT_SINCE:
		return take_days(in, argument, key);
	case ARGUMENT_LARGER:
	case ARGUMENT_SMALLER:
		return take_size(in, argument, key);
	case ARGUMENT_KEYWORD:
		return token_space(in) == PARSE_OK ? token_atom(in, &key->text) : PARSE_BAD;
	case ARGUMENT_SET:
		return token_space(in) == PARSE_OK ? token_sequence_set(in, &key->set) : PARSE_BAD;
	case ARGUMENT_UIDS_TO:
	case ARGUMENT_UIDS_FROM:
		return take_uid(in, g, argument, key);
	case ARGUMENT_SECONDS:
		return token_space(in) == PARSE_OK ? token_nz_number(in, &key->seconds) : PARSE_BAD;
	case ARGUMENT_KEY:
		return take_children(in, g, key, 1);
	case ARGUMENT_TWO_KEYS:
		return take_children(in, g, key, 2);
	case ARGUMENT_MODSEQ:
		return take_modseq(in, g, key);
	case ARGUMENT_OBJECTID:
		return take_objectid(in, key);
	}
	return PARSE_BAD;
}

static enum parse negate(struct search_grammar *g, struct search_key **key)
{
	struct search_key *child = *key;

	if (new_key(g, &(struct search_key){ .kind = SEARCH_NOT }, key) != PARSE_OK)
		return PARSE_BAD;
	(*key)->children = child;
	return PARSE_OK;
}

/* NEW is RECENT UNSEEN. */
static enum parse new_and_unseen(struct search_grammar *g, struct search_key **ret_key)
{
	struct search_key *recent, *unseen, *both;

	if (new_key(g, &(struct search_key){ .kind = SEARCH_AND }, &both) != PARSE_OK ||
		new_key(g, &(struct search_key){ .kind = SEARCH_RECENT }, &recent) != PARSE_OK ||
		new_key(g, &(struct search_key){ .kind = SEARCH_FLAG, .flag = FLAG_SEEN },
			&unseen) != PARSE_OK ||
		negate(g, &unseen) != PARSE_OK)
		return PARSE_BAD;
	add_child(both, recent);
	add_child(both, unseen);
	*ret_key = both;
	return PARSE_OK;
}

static enum parse take_word_key(
	struct slice *in, struct search_grammar *g, struct search_key **ret_key)
{
	if (token_word(in, SLICE("NEW")) == PARSE_OK)
		return new_and_unseen(g, ret_key);
	for (size_t i = 0; i < KEY_TYPES; i++) {
		const struct key_type *type = &key_types[i];

		if (token_word(in, type->word) != PARSE_OK)
			continue;
		if (new_key(g, &type->key, ret_key) != PARSE_OK ||
			take_argument(in, g, type->argument, *ret_key) != PARSE_OK)
			return PARSE_BAD;
		return type->negated ? negate(g, ret_key) : PARSE_OK;
	}
	return grammar_bad(g->grammar, GRAMMAR_SYNTAX, "Unknown search key");
}

enum parse search_grammar_keys(
	struct slice *in, struct search_grammar *g, struct search_key **ret_key)
{
	struct search_key *both;

	if (new_key(g, &(struct search_key){ .kind = SEARCH_AND }, &both) != PARSE_OK)
		return PARSE_BAD;
	do {
		struct search_key *key;

		if (take_key(in, g, &key) != PARSE_OK)
			return PARSE_BAD;
		add_child(both, key);
	} while (token_space(in) == PARSE_OK);
	*ret_key = both;
	return PARSE_OK;
}

static enum parse take_key_inside(
	struct slice *in, struct search_grammar *g, struct search_key **ret_key)
{
	if (token_open(in) == PARSE_OK)
		return search_grammar_keys(in, g, ret_key) == PARSE_OK ? token_close(in) : PARSE_BAD;
	if (in->n > 0 && (ascii_is_digit(in->p[0]) || in->p[0] == '*' || in->p[0] == '$')) {
		struct search_key key = { .kind = SEARCH_SEQNUMS };

		if (in->p[0] != '$' && (g->grammar->enabled & ENABLED_UIDONLY)) /* RFC 9586 section 3.5 */
			return grammar_bad(g->grammar, GRAMMAR_UIDREQUIRED, NULL);
		g->grammar->seqnums |= in->p[0] != '$';
		return token_sequence_set(in, &key.set) == PARSE_OK ? new_key(g, &key, ret_key)
								    : PARSE_BAD;
	}
	return take_word_key(in, g, ret_key);
}

static enum parse take_key(struct slice *in, struct search_grammar *g, struct search_key **ret_key)
{
	if (g->grammar->depth >= LIMIT_LIST_DEPTH)
		return grammar_bad(g->grammar, GRAMMAR_LIMIT, "Search keys are nested too deep");
	g->grammar->depth++;

	enum parse r = take_key_inside(in, g, ret_key);

	g->grammar->depth--;
	return r;
}

/* UTF-8 and what is part of it need no conversion: no charset is kept then. */
enum parse search_grammar_charset(struct slice *in, struct search_grammar *g)
{
	struct slice charset;

	if (token_astring(in, g->grammar->arena, &charset) != PARSE_OK)
		return PARSE_BAD;
	if (slice_equal_nocase(charset, SLICE("UTF-8")))
		return PARSE_OK;
	if (slice_equal_nocase(charset, SLICE("US-ASCII")))
		return PARSE_OK;
	g->unknown_charset = !charset_known(charset);
	g->charset = charset;
	return PARSE_OK;
}
