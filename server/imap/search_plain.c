#include "server/imap/search_plain.h"

#include "server/imap/search_match.h"

static bool is_plain_kind(enum search_kind kind)
{
	switch (kind) {
	case SEARCH_ALL:
	case SEARCH_AND:
	case SEARCH_OR:
	case SEARCH_NOT:
	case SEARCH_SEQNUMS:
	case SEARCH_UIDS:
	case SEARCH_FLAG:
	case SEARCH_KEYWORD:
	case SEARCH_RECENT:
	case SEARCH_MODSEQ:
		return true;
	default:
		return false;
	}
}

static const struct search_plain *plain_of(const struct search_key *key)
{
	return key->match;
}

void search_plain_note(struct search_key *key)
{
	bool is_plain = is_plain_kind(key->kind);

	for (const struct search_key *child = key->children; child; child = child->next)
		is_plain = is_plain && plain_of(child)->is_plain;
	((struct search_plain *)key->match)->is_plain = is_plain;
}

static void need_flag(struct search_bits *bits, uint32_t flag, bool set)
{
	uint32_t flags = set ? flag : 0;

	bits->never |= (bits->mask & flag) != 0 && (bits->flags & flag) != flags;
	bits->mask |= flag;
	bits->flags |= flags;
}

static void need_keyword(struct search_bits *bits, int keyword, bool set)
{
	uint64_t bit = keyword >= 0 ? UINT64_C(1) << keyword : 0, keywords = set ? bit : 0;

	bits->never |= keyword < 0 ? set
				   : (bits->keyword_mask & bit) && (bits->keywords & bit) != keywords;
	bits->keyword_mask |= bit;
	bits->keywords |= keywords;
}

/* Returns whether the bits say all that the key asks for. */
static bool need(struct search_bits *bits, const struct search_key *key, bool set)
{
	const struct search_plain *plain = key->match;

	switch (key->kind) {
	case SEARCH_ALL:
		bits->never |= !set;
		return true;
	case SEARCH_NOT:
		return need(bits, key->children, !set);
	case SEARCH_FLAG:
		need_flag(bits, key->flag, set);
		return true;
	case SEARCH_KEYWORD:
		if (plain->flag)
			need_flag(bits, plain->flag, set);
		else
			need_keyword(bits, plain->keyword, set);
		return true;
	default:
		return false;
	}
}

struct search_bits search_bits_of(const struct search_key *root)
{
	struct search_bits bits = { .is_all = root->kind == SEARCH_AND };

	for (const struct search_key *child = root->children; child && root->kind == SEARCH_AND;
		child = child->next)
		bits.is_all &= need(&bits, child, true);
	return bits;
}

static bool has_keyword(const struct search_plain *plain, const struct message *message)
{
	if (plain->flag)
		return message->flags & plain->flag;
	return plain->keyword >= 0 && (message->keywords >> plain->keyword & 1);
}

static bool is_in_set(const struct search *search, const struct search_key *key, uint32_t msg_uid)
{
	const struct search_plain *plain = key->match;
	uint32_t number = key->kind == SEARCH_UIDS ? msg_uid : search->seqnum;

	return seq_ranges_have(&plain->numbers, number) ||
	       (plain->has_saved && seq_ranges_have(search->saved, msg_uid));
}

/* Stops at the first child that decides: the cheap ones come first. */
static bool any_child_is(const struct search *search, const struct search_key *key,
	const struct message *message, bool matches)
{
	for (const struct search_key *child = key->children; child; child = child->next)
		if (search_plain_matches(search, child, message) == matches)
			return true;
	return false;
}

bool search_plain_matches(const struct search *search, const struct search_key *key,
	const struct message *message)
{
	switch (key->kind) {
	case SEARCH_AND:
		return !any_child_is(search, key, message, false);
	case SEARCH_OR:
		return any_child_is(search, key, message, true);
	case SEARCH_NOT:
		return !search_plain_matches(search, key->children, message);
	case SEARCH_SEQNUMS:
	case SEARCH_UIDS:
		return is_in_set(search, key, message->msg_uid);
	case SEARCH_FLAG:
		return message->flags & key->flag;
	case SEARCH_KEYWORD:
		return has_keyword(key->match, message);
	case SEARCH_RECENT:
		return view_is_recent(search->view, message->msg_uid);
	case SEARCH_MODSEQ:
		return message->modseq >= key->modseq;
	default:
		return true; /* SEARCH_ALL: the others are not plain */
	}
}

uint32_t search_plain_run(struct search *search, struct seq_range seqnums, struct seq_ranges *found,
	uint64_t *modseq)
{
	const struct message *messages;
	size_t n = mailbox_messages(search->mailbox, &messages), at = search->next_number;
	const uint32_t *uids = view_uids(search->view);
	uint32_t seqnum = seqnums.first;

	for (; seqnum <= seqnums.last; seqnum++, at++) {
		const struct message *message = &messages[at];

		if (at >= n || message->msg_uid != uids[seqnum - 1]) {
			message = mailbox_message(search->mailbox, uids[seqnum - 1]);
			if (!message)
				break;
			at = (size_t)(message - messages);
		}
		search->seqnum = seqnum;
		if (!search_bits_match(&search->bits, message) ||
			(!search->bits.is_all && !search_plain_matches(search, search->key, message)))
			continue;
		seq_ranges_add(found, search->arena, seqnum);
		if (message->modseq > *modseq)
			*modseq = message->modseq;
	}
	search->next_number = at;
	return seqnum;
}
