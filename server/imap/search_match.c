#include "server/imap/search_match.h"

#include "base/limits.h"
#include "base/must.h"
#include "maildir/message/date.h"
#include "maildir/message/header.h"
#include "maildir/message/text.h"
#include "server/imap/flags.h"
#include "server/imap/search_body.h"
#include "server/imap/uid_ranges.h"
#include "server/wire/seqset.h"

#include <errno.h>

enum { SECONDS_A_DAY = 86400 };

/* What a key is prepared with, and what it said of the message that is looked at. */
struct key_match {
	struct search_plain plain;
	struct text_needle needle;
	bool has_needle;
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

/* Of a number that stands for nothing (RFC 9051 section 9, seq-number) no message is found. */
static void prepare_set(
	struct search *search, const struct search_key *key, struct key_match *match)
{
	uint32_t exists = view_exists(search->view), star = exists;
	struct slice set = key->set;

	if (key->kind == SEARCH_UIDS)
		star = exists > 0 ? view_uid(search->view, exists)
				  : mailbox_uidnext(search->mailbox);
	match->plain.has_saved = seqset_cut_saved(&set);
	if (set.n > 0)
		must(seqset_parse(set, star > 0 ? star : UINT32_MAX, search->arena,
			     &match->plain.numbers) == PARSE_OK);
}

static int prepare_key(struct search *search, struct search_key *key)
{
	struct key_match *match = arena_alloc(search->arena, sizeof *match);
	struct work none = { .budget = 0 };

	key->match = match;
	switch (key->kind) {
	case SEARCH_SEQNUMS:
	case SEARCH_UIDS:
		prepare_set(search, key, match);
		return 0;
	case SEARCH_KEYWORD:
		match->plain.flag = flag_from_name(key->text);
		match->plain.keyword =
			mailbox_find_keyword(search->mailbox, key->text, false, &none);
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
	if (r == 0)
		search_plain_note(key);
	return r;
}

int search_init(struct search *search)
{
	int r;

	search->text = BUF(LIMIT_HEADER_BYTES);
	r = prepare(search, search->key);
	if (r == 0)
		search->bits = search_bits_of(search->key);
	return r;
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

/* What of a set is not higher than last. The set itself stays. */
static struct seq_ranges no_higher(struct seq_ranges set, uint32_t last, struct arena *arena)
{
	struct seq_ranges cut = { .n = set.n };

	while (cut.n > 0 && set.ranges[cut.n - 1].first > last)
		cut.n--;
	if (cut.n == 0 || set.ranges[cut.n - 1].last <= last)
		return (struct seq_ranges){ .ranges = set.ranges, .n = cut.n };
	cut.ranges = arena_array(arena, cut.n, sizeof *cut.ranges);
	memcpy(cut.ranges, set.ranges, cut.n * sizeof *cut.ranges);
	cut.ranges[cut.n - 1].last = last;
	return cut;
}

/*
 * What a set names, of what is there. RFC 9051 section 9 (seq-number) wants BAD for a number beyond EXISTS; FETCH and those
 * that change messages say so, but a search is no mistake for asking what is not there: Dovecot takes it, and clients search
 * 1:* in an empty mailbox.
 */
static struct seq_ranges seqnums_of_key(struct search *search, const struct search_key *key)
{
	const struct key_match *match = key->match;
	struct seq_ranges seqnums = match->plain.numbers, saved;
	uint32_t exists = view_exists(search->view);

	if (key->kind == SEARCH_UIDS)
		seqnums = uid_ranges_to_seqnums(search->view, &seqnums, search->arena);
	seqnums = no_higher(seqnums, exists, search->arena);
	if (match->plain.has_saved) {
		saved = uid_ranges_to_seqnums(search->view, search->saved, search->arena);
		seqnums = seq_ranges_union(&seqnums, &saved, search->arena);
	}
	return seqnums;
}

struct seq_ranges search_candidates(struct search *search)
{
	struct seq_range whole = { 1, view_exists(search->view) };
	struct seq_ranges all = { 0 };

	for (struct search_key *key = search->key->children; key; key = key->next)
		if (key->kind == SEARCH_SEQNUMS || key->kind == SEARCH_UIDS)
			return seqnums_of_key(search, key);
	if (whole.last == 0)
		return all;
	all.ranges = arena_alloc(search->arena, sizeof whole);
	*all.ranges = whole;
	all.n = 1;
	return all;
}

static void freeze_set(struct search *search, struct search_key *key)
{
	struct key_match *match = key->match;
	struct seq_ranges seqnums = seqnums_of_key(search, key);
	struct seq_ranges uids = uid_ranges_of(search->view, &seqnums, search->arena), open;
	struct slice set = key->set;

	(void)seqset_cut_saved(&set);
	if (key->kind == SEARCH_UIDS && set.n > 0) {
		must(seqset_parse(set, UINT32_MAX, search->arena, &open) == PARSE_OK);
		uids = seq_ranges_union(&uids, &open, search->arena);
	}
	key->kind = SEARCH_UIDS;
	match->plain.numbers = uids;
	match->plain.has_saved = false;
}

static void freeze(struct search *search, struct search_key *key)
{
	if (key->kind == SEARCH_SEQNUMS || key->kind == SEARCH_UIDS)
		freeze_set(search, key);
	for (struct search_key *child = key->children; child; child = child->next)
		freeze(search, child);
}

void search_freeze(struct search *search)
{
	freeze(search, search->key);
}

static void renew(struct search *search, struct search_key *key)
{
	struct key_match *match = key->match;
	struct work none = { .budget = 0 };

	match->known_seqnum = 0;
	if (key->kind == SEARCH_KEYWORD)
		match->plain.keyword =
			mailbox_find_keyword(search->mailbox, key->text, false, &none);
	for (struct search_key *child = key->children; child; child = child->next)
		renew(search, child);
}

void search_renew(struct search *search)
{
	search->seqnum = 0;
	renew(search, search->key);
	search->bits = search_bits_of(search->key);
}

bool search_is_plain(const struct search *search)
{
	const struct search_plain *plain = search->key->match;

	return plain->is_plain;
}

static uint32_t uid_of(const struct search *search)
{
	return view_uid(search->view, search->seqnum);
}

/* Find the card of the message, or at least its digest. */
static int find_card(struct search *search, enum search_card wanted, struct work *work)
{
	uint32_t msg_uid = uid_of(search);
	int r;

	if (search->card_has >= wanted)
		return 0;
	r = wanted == SEARCH_CARD_DIGEST
		    ? mailbox_digest(search->mailbox, msg_uid, work, &search->card)
		    : mailbox_card_of_header(search->mailbox, msg_uid, work, &search->card);
	search->card_has = r == 0 ? wanted : SEARCH_CARD_NONE;
	return r;
}

static bool day_matches(const struct search_key *key, int64_t seconds)
{
	int64_t day = seconds / SECONDS_A_DAY - (seconds % SECONDS_A_DAY < 0);

	return day >= key->first_day && day <= key->last_day;
}

static int match_internaldate(
	struct search *search, const struct search_key *key, bool *ret_matches)
{
	int64_t seconds;
	int r = mailbox_internaldate(search->mailbox, uid_of(search), &seconds);

	search->card_has = SEARCH_CARD_NONE;
	if (r < 0)
		return r;
	if (key->kind == SEARCH_AGE) {
		int64_t age = (int64_t)(search->now_usec / 1000000) - seconds;

		*ret_matches =
			key->younger ? age <= (int64_t)key->seconds : age >= (int64_t)key->seconds;
	} else {
		*ret_matches = day_matches(key, seconds);
	}
	return 0;
}

static int match_savedate(struct search *search, const struct search_key *key, bool *ret_matches)
{
	int64_t seconds;
	int r = mailbox_savedate(search->mailbox, uid_of(search), &seconds);

	search->card_has = SEARCH_CARD_NONE;
	if (r == -ENODATA) { /* SAVEDATE is NIL */
		*ret_matches = false;
		return 0;
	}
	if (r == 0)
		*ret_matches = day_matches(key, seconds);
	return r;
}

static int match_size(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	uint64_t octets;
	int r = mailbox_rfc822_size(search->mailbox, uid_of(search), work, &octets);

	search->card_has = SEARCH_CARD_NONE;
	if (r < 0)
		return r;
	*ret_matches = key->larger ? octets > key->octets : octets < key->octets;
	return 0;
}

static int match_objectid(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	char id[OBJECTID_BYTES];
	int r = 0;

	if (key->kind == SEARCH_THREADID) {
		r = find_card(search, SEARCH_CARD_WHOLE, work);
		if (r == 0)
			r = mailbox_threadid(
				search->mailbox, uid_of(search), &search->card, id);
	} else {
		r = mailbox_emailid(search->mailbox, uid_of(search), id);
	}
	search->card_has = SEARCH_CARD_NONE;
	if (r == 0)
		*ret_matches = slice_equal(slice_str(id), key->text);
	return r;
}

/* The day as the sender's clock had it: time and zone are left out (RFC 9051 section 6.4.4, SENTON). */
static int match_sent(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	int r = find_card(search, SEARCH_CARD_DIGEST, work);

	if (r == 0)
		*ret_matches = (search->card.flags & CARD_HAS_SENT_DATE) &&
			       day_matches(key, search->card.sent_date +
							(int64_t)search->card.sent_zone_minutes * 60);
	return r;
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

/* The digest has the fields that have search keys of their own, the card those that are asked for often, the file all. */
static int match_header(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	const bool has[] = {
		[SEARCH_CARD_DIGEST] = digest_has_field(key->name),
		[SEARCH_CARD_WHOLE] = card_has_field(key->name),
	};

	for (enum search_card from = SEARCH_CARD_DIGEST; from <= SEARCH_CARD_WHOLE; from++) {
		int r = has[from] ? find_card(search, from, work) : 0;

		if (r < 0)
			return r;
		if (has[from] && search->card.fields.p) {
			*ret_matches = header_matches(key, search->card.fields);
			return 0;
		}
	}
	search->card_has = SEARCH_CARD_NONE;

	int r = message_file_open(search->file, search->mailbox, uid_of(search));

	if (r == 0)
		r = message_file_header(search->file, work);
	if (r == 0)
		*ret_matches = header_matches(key, buf_slice(&search->file->header));
	return r;
}

static int match_body(
	struct search *search, const struct search_key *key, struct work *work, bool *ret_matches)
{
	struct key_match *match = key->match;

	if (key->text.n == 0) {
		*ret_matches = true;
		return 0;
	}
	search->card_has = SEARCH_CARD_NONE;

	int r = message_file_open(search->file, search->mailbox, uid_of(search));

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

/* Messages are looked at one after the other: the next one mostly is where it is expected. */
static const struct message *message_of(struct search *search)
{
	const struct message *messages, *message;
	size_t n = mailbox_messages(search->mailbox, &messages);
	uint32_t msg_uid = uid_of(search);

	if (search->next_number < n && messages[search->next_number].msg_uid == msg_uid)
		return &messages[search->next_number];
	message = mailbox_message(search->mailbox, msg_uid);
	if (message)
		search->next_number = (size_t)(message - messages);
	return message;
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
	const struct message *message = message_of(search);

	if (!message)
		return -ENOENT;
	switch (key->kind) {
	case SEARCH_AND:
	case SEARCH_OR:
		return match_children(search, key, work, ret_matches);
	case SEARCH_NOT:
		return match_not(search, key, work, ret_matches);
	case SEARCH_INTERNALDATE:
	case SEARCH_AGE:
		return match_internaldate(search, key, ret_matches);
	case SEARCH_SIZE:
		return match_size(search, key, work, ret_matches);
	case SEARCH_SAVEDATE:
		return match_savedate(search, key, ret_matches);
	case SEARCH_EMAILID:
	case SEARCH_THREADID:
		return match_objectid(search, key, work, ret_matches);
	case SEARCH_SENT:
		return match_sent(search, key, work, ret_matches);
	case SEARCH_HEADER:
		return match_header(search, key, work, ret_matches);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return match_body(search, key, work, ret_matches);
	default:
		*ret_matches = search_plain_matches(search, key, message);
		return 0;
	}
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
	const struct message *message;

	if (seqnum == search->seqnum + 1)
		search->next_number++;
	search->seqnum = seqnum;
	search->card_has = SEARCH_CARD_NONE;
	message = message_of(search);
	if (!message)
		return -ENOENT;
	search->modseq = message->modseq;
	if (!search_bits_match(&search->bits, message)) {
		*ret_matches = false;
		return 0;
	}
	return match_key(search, search->key, work, ret_matches);
}
