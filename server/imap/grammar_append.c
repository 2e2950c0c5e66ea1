#include "server/imap/grammar_append.h"

#include "server/imap/capability.h"
#include "server/imap/grammar_date.h"
#include "server/imap/grammar_store.h"
#include "server/wire/frame_imap.h"
#include "server/wire/token.h"

/* "{n}" or "{n+}", perhaps with "~" before it, and its line end, and nothing behind. */
static bool is_announcement(struct slice s, bool *ret_literal8)
{
	struct frame_literal literal;
	bool literal8 = slice_skip(&s, '~');

	if (s.n == 0 || s.p[0] != '{' || slice_find(s, '\n') != (ssize_t)s.n - 1)
		return false;
	s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	if (slice_find_last(s, '{') != 0 || !frame_imap_literal(s, &literal))
		return false;
	*ret_literal8 = literal8;
	return true;
}

/* The literal of a string: not of a message. */
static bool announces_string(struct slice s)
{
	bool literal8;

	return is_announcement(s, &literal8) && !literal8;
}

static enum parse take_literal(
	struct slice *in, struct grammar *grammar, struct append_element *element)
{
	if (!is_announcement(*in, &element->literal8))
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Expected a message, as a literal");
	element->kind = APPEND_LITERAL;
	*in = (struct slice){ NULL, 0 };
	return PARSE_OK;
}

/* "UTF8" SP "(" literal8, whose ")" is looked for behind it. RFC 6855 section 4. */
static enum parse take_utf8(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *element)
{
	if (!(grammar->enabled & ENABLED_UTF8))
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "UTF8=ACCEPT is not enabled");
	if (token_space(in) != PARSE_OK || token_open(in) != PARSE_OK)
		return PARSE_BAD;
	place->utf8 = true;
	if (take_literal(in, grammar, element) != PARSE_OK)
		return PARSE_BAD;
	return element->literal8 ? PARSE_OK
				 : grammar_bad(grammar, GRAMMAR_SYNTAX, "Expected a literal8");
}

static enum parse take_flags(
	struct slice *in, struct grammar *grammar, struct append_element *element)
{
	struct store_arguments flags = { .flags = 0 };

	if (grammar_flags(in, grammar, &flags) != PARSE_OK)
		return PARSE_BAD;
	element->flags = flags.flags;
	element->keywords = flags.keywords;
	element->keywords_n = flags.keywords_n;
	return token_space(in);
}

static enum parse take_date(
	struct slice *in, struct grammar *grammar, struct append_element *element)
{
	if (grammar_date_time(in, &element->internaldate) != PARSE_OK)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Invalid date-time");
	element->has_date = true;
	return token_space(in);
}

/* SP [flag-list SP] [date-time SP] ["CATENATE" SP "("] */
static enum parse take_message(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *element)
{
	*place = (struct append_grammar){ .place = APPEND_AT_LITERAL, .single = place->single };
	element->kind = APPEND_MESSAGE;
	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (slice_starts_with(*in, SLICE("(")) && take_flags(in, grammar, element) != PARSE_OK)
		return PARSE_BAD;
	if (slice_starts_with(*in, SLICE("\"")) && take_date(in, grammar, element) != PARSE_OK)
		return PARSE_BAD;
	if (token_word(in, SLICE("CATENATE")) != PARSE_OK)
		return PARSE_OK;
	place->place = APPEND_AT_PART;
	place->catenates = true;
	return token_space(in) == PARSE_OK ? token_open(in) : PARSE_BAD;
}

static enum parse take_url(
	struct slice *in, struct grammar *grammar, struct append_element *element)
{
	struct slice url;

	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (announces_string(*in))
		return PARSE_MORE;
	if (token_astring(in, grammar->arena, &url) != PARSE_OK)
		return PARSE_BAD;
	if (url.n > APPEND_URL_BYTES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "The URL is too long");
	element->kind = APPEND_URL;
	element->url = arena_copy(grammar->arena, url);
	return PARSE_OK;
}

/* cat-part. RFC 4469 section 5; 6855 section 4. A literal8 may stand for TEXT, too, as RFC 4466 has it for a message. */
static enum parse take_part(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *element)
{
	place->place = APPEND_BEHIND_PART;
	place->utf8 = false;
	if (token_word(in, SLICE("URL")) == PARSE_OK)
		return take_url(in, grammar, element);
	if (token_word(in, SLICE("UTF8")) == PARSE_OK)
		return take_utf8(in, grammar, place, element);
	if (token_word(in, SLICE("TEXT")) == PARSE_OK && token_space(in) == PARSE_OK)
		return take_literal(in, grammar, element);
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Expected TEXT or URL");
}

static enum parse take_message_end(struct append_grammar *place, struct append_element *element)
{
	place->place = APPEND_BEHIND_MESSAGE;
	element->kind = APPEND_MESSAGE_END;
	return PARSE_OK;
}

/* SP cat-part, or ")" */
static enum parse take_next_part(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *element)
{
	if (token_close(in) == PARSE_OK)
		return take_message_end(place, element);
	if (token_space(in) != PARSE_OK)
		return grammar_bad(
			grammar, GRAMMAR_SYNTAX, "Expected a further part, or ) behind the last");
	return take_part(in, grammar, place, element);
}

static enum parse take_next_message(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *element)
{
	if (in->n == 0) {
		element->kind = APPEND_END;
		return PARSE_OK;
	}
	if (place->single)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "One message only can replace another");
	if (in->p[0] != ' ')
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Syntax error behind the message");
	return take_message(in, grammar, place, element);
}

static enum parse take_element(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *element)
{
	bool behind = place->place == APPEND_BEHIND_LITERAL || place->place == APPEND_BEHIND_PART;

	if (behind && place->utf8 && token_close(in) != PARSE_OK)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Expected ) behind the message");
	switch (place->place) {
	case APPEND_AT_MESSAGE:
		return take_message(in, grammar, place, element);
	case APPEND_AT_LITERAL:
		place->place = APPEND_BEHIND_LITERAL;
		return token_word(in, SLICE("UTF8")) == PARSE_OK
			       ? take_utf8(in, grammar, place, element)
			       : take_literal(in, grammar, element);
	case APPEND_BEHIND_LITERAL:
		return take_message_end(place, element);
	case APPEND_AT_PART:
		return take_part(in, grammar, place, element);
	case APPEND_BEHIND_PART:
		return take_next_part(in, grammar, place, element);
	case APPEND_BEHIND_MESSAGE:
		break;
	}
	return take_next_message(in, grammar, place, element);
}

enum parse grammar_append_next(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *ret_element)
{
	struct slice s = *in;
	struct append_grammar then = *place;
	struct append_element element = { .flags = 0 };
	enum parse parse = take_element(&s, grammar, &then, &element);

	if (parse != PARSE_OK)
		return parse;
	*in = s;
	*place = then;
	*ret_element = element;
	return PARSE_OK;
}

/* Whether all that came is right so far. */
static enum parse check_elements(struct slice *in, struct grammar *grammar, bool single)
{
	struct append_grammar place = { .single = single };
	struct append_element element;
	enum parse parse;

	do {
		parse = grammar_append_next(in, grammar, &place, &element);
		if (parse == PARSE_OK &&
			(element.kind == APPEND_LITERAL || element.kind == APPEND_END))
			return PARSE_OK;
	} while (parse == PARSE_OK);
	return parse;
}

static enum parse take_mailbox_and_messages(
	struct slice *in, struct grammar *grammar, struct append_arguments *a)
{
	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (announces_string(*in))
		return PARSE_MORE;
	if (grammar_mailbox(in, grammar, &a->mailbox) != PARSE_OK)
		return PARSE_BAD;
	a->left = in->n;
	return check_elements(in, grammar, a->replaced > 0);
}

enum parse grammar_append(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments)
{
	struct slice s = *in;
	struct append_arguments a = { .replaced = 0 };
	enum parse parse = take_mailbox_and_messages(&s, grammar, &a);

	if (parse != PARSE_OK)
		return parse;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_replace(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments)
{
	struct slice s = *in;
	struct append_arguments a = { .replaced = 0 };

	if (token_space(&s) != PARSE_OK || token_nz_number(&s, &a.replaced) != PARSE_OK)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Expected the number of one message");

	enum parse parse = take_mailbox_and_messages(&s, grammar, &a);

	if (parse != PARSE_OK)
		return parse;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
