#include "server/imap/search_match.h"

#include "base/limits.h"
#include "base/must.h"
#include "maildir/message/date.h"
#include "maildir/message/header.h"
#include "maildir/message/text.h"
#include "server/imap/flags.h"
#include "server/imap/search_body.h"
#include "server/wire/seqset.h"

#include <errno.h>

enum { SECONDS_A_DAY = 86400 };

/* What a key is prepared with, and what it said of the message that is looked at. */
struct key_match {
	struct seq_ranges numbers;
	struct text_needle needle;
	bool has_needle;
	uint32_t flag; /* of a keyword that is a flag to us: $Forwarded */
	int keyword;   /* its number; -1: no message has it */
	struct search_body body;

	uint32_t known_seqnum; /* matches is about this message; 0: about none */
	bool matches;
};

static int prepare_text(struct key_match *match, const struct search_key *key)
{
	int r = text_needle_init(&match->needle, key->text);

	match->has_needle = r == 0;
	return r;
}

static int prepare_key(struct search *search, struct search_key *key)
{
	struct key_match *match = arena_alloc(search->arena, sizeof *match);
	uint32_t star = key->kind == SEARCH_UIDS ? search->uid_star : view_exists(search->view);
	struct work none = { .budget = 0 };

	key->match = match;
	switch (key->kind) {
	case SEARCH_SEQNUMS:
	case SEARCH_UIDS: /* of a number that stands for nothing (RFC 9051 section 9, seq-number) no message is found */
		must(seqset_parse(key->set, star > 0 ? star : UINT32_MAX, search->arena,
			     &match->numbers) == PARSE_OK);
		return 0;
	case SEARCH_KEYWORD:
		match->flag = flag_from_name(key->text);
		match->keyword = mailbox_find_keyword(search->mailbox, key->text, false, &none);
		return 0;
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return prepare_text(match, key);
	default:
		return 0;
	}
}

static int prepare(struct search *search, struct search_key *key)
{
	int r = prepare_key(search, key);

	for (struct search_key *child = key->children; r == 0 && child; child = child->next)
		r = prepare(search, child);
	return r;
}

int search_init(struct search *search)
{
	search->text = BUF(LIMIT_HEADER_BYTES);
	return prepare(search, search->key);
}

static void release(struct search_key *key)
{
	struct key_match *match = key->match;

	for (struct search_key *child = key->children; child; child = child->next)
		release(child);
	if (!match)
		return;
	if (match->has_needle)
		text_needle_done(&match->needle);
	search_body_done(&match->body);
	key->match = NULL;
}

void search_done(struct search *search)
{
	release(search->key);
	buf_done(&search->text);
}

static int match_internaldate(
	struct search *search, const struct search_key *key, bool *ret_matches)
{
	int64_t seconds;
	int r = mailbox_internaldate(
		search->mailbox, view_uid(search->view, search->seqnum), &seconds);

	if (r < 0)
		return r;
	if (key->kind == SEARCH_AGE) {
		int64_t age = (int64_t)(search->now_usec / 1000000) - seconds;

		*ret_matches =
			key->younger ? age <= (int64_t)key->seconds : age >= (int64_t)key->seconds;
		return 0;
	}

	int64_t day = seconds / SECONDS_A_DAY - (seconds % SECONDS_A_DAY < 0);

	*ret_matches = day >= key->first_day && day <= key->last_day;
	return 0;
}

static int match_size(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	uint64_t octets;
	int r = mailbox_rfc822_size(
		search->mailbox, view_uid(search->view, search->seqnum), work, &octets);

	if (r < 0)
		return r;
	*ret_matches = key->larger ? octets > key->octets : octets < key->octets;
	return 0;
}

/* The day as the sender's clock had it: time and zone are left out (RFC 9051 section 6.4.4, SENTON). */
static bool sent_matches(const struct search_key *key, struct slice header)
{
	struct slice value = header_find(header, SLICE("Date"));
	int32_t zone_minutes;
	int64_t seconds;

	if (!value.p || !date_parse_rfc5322(value, &seconds, &zone_minutes))
		return false;
	seconds += zone_minutes * 60;

	int64_t day = seconds / SECONDS_A_DAY - (seconds % SECONDS_A_DAY < 0);

	return day >= key->first_day && day <= key->last_day;
}

/* Any field of that name. An empty text asks only whether there is one. */
static bool header_matches(const struct search_key *key, struct slice header)
{
	const struct key_match *match = key->match;
	struct header_field field;

	while (header_next(&header, &field))
		if (slice_equal_nocase(field.name, key->name) &&
			(key->text.n == 0 || text_header_contains(field.value, &match->needle)))
			return true;
	return false;
}

static int match_header(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	int r = message_file_open(
		search->file, search->mailbox, view_uid(search->view, search->seqnum));

	if (r == 0)
		r = message_file_header(search->file, work);
	if (r < 0)
		return r;

	struct slice header = buf_slice(&search->file->header);

	*ret_matches =
		key->kind == SEARCH_SENT ? sent_matches(key, header) : header_matches(key, header);
	return 0;
}

static int match_body(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	struct key_match *match = key->match;

	if (key->text.n == 0) {
		*ret_matches = true;
		return 0;
	}

	int r = message_file_open(
		search->file, search->mailbox, view_uid(search->view, search->seqnum));

	if (r == 0)
		r = message_file_structure(search->file, work);
	if (r < 0)
		return r;

	const struct search_body_wants wants = {
		.needle = &match->needle,
		.headers = key->kind == SEARCH_TEXT,
		.text = &search->text,
	};

	return search_body_run(&match->body, search->file, &wants, work, ret_matches);
}

static bool has_keyword(const struct key_match *match, const struct message *message)
{
	if (match->flag)
		return message->flags & match->flag;
	return match->keyword >= 0 && (message->keywords >> match->keyword & 1);
}

static int match_key(
	struct search *search, struct search_key *key, struct work *work, bool *ret_matches);

/* Stops at the first child that decides: the cheap ones come first. */
static int match_children(
	struct search *search, struct search_key *key, struct work *work, bool *ret_matches)
{
	bool deciding = key->kind == SEARCH_OR;

	for (struct search_key *child = key->children; child; child = child->next) {
		bool matches;
		int r = match_key(search, child, work, &matches);

		if (r < 0)
			return r;
		if (matches == deciding) {
			*ret_matches = deciding;
			return 0;
		}
	}
	*ret_matches = !deciding;
	return 0;
}

static int match_not(
	struct search *search, struct search_key *key, struct work *work, bool *ret_matches)
{
	bool matches;
	int r = match_key(search, key->children, work, &matches);

	if (r == 0)
		*ret_matches = !matches;
	return r;
}

static int match_kind(
	struct search *search, struct search_key *key, struct work *work, bool *ret_matches)
{
	const struct key_match *match = key->match;
	const struct message *message = view_message(search->view, search->seqnum);

	if (!message)
		return -ENOENT;
	switch (key->kind) {
	case SEARCH_ALL:
		*ret_matches = true;
		return 0;
	case SEARCH_AND:
	case SEARCH_OR:
		return match_children(search, key, work, ret_matches);
	case SEARCH_NOT:
		return match_not(search, key, work, ret_matches);
	case SEARCH_SEQNUMS:
		*ret_matches = seq_ranges_have(&match->numbers, search->seqnum);
		return 0;
	case SEARCH_UIDS:
		*ret_matches = seq_ranges_have(&match->numbers, message->msg_uid);
		return 0;
	case SEARCH_FLAG:
		*ret_matches = message->flags & key->flag;
		return 0;
	case SEARCH_KEYWORD:
		*ret_matches = has_keyword(match, message);
		return 0;
	case SEARCH_RECENT:
		*ret_matches = view_is_recent(search->view, message->msg_uid);
		return 0;
	case SEARCH_INTERNALDATE:
	case SEARCH_AGE:
		return match_internaldate(search, key, ret_matches);
	case SEARCH_SIZE:
		return match_size(search, key, work, ret_matches);
	case SEARCH_SENT:
	case SEARCH_HEADER:
		return match_header(search, key, work, ret_matches);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return match_body(search, key, work, ret_matches);
	}
	return -EINVAL;
}

/* What a key said of this message is kept: after a yield the tree is walked again from its root. */
static int match_key(
	struct search *search, struct search_key *key, struct work *work, bool *ret_matches)
{
	struct key_match *match = key->match;

	if (match->known_seqnum != search->seqnum) {
		int r = match_kind(search, key, work, &match->matches);

		if (r < 0)
			return r;
		match->known_seqnum = search->seqnum;
	}
	*ret_matches = match->matches;
	return 0;
}

int search_match(struct search *search, uint32_t seqnum, struct work *work, bool *ret_matches)
{
	search->seqnum = seqnum;
	return match_key(search, search->key, work, ret_matches);
}
