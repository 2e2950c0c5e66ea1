#include "server/imap/cmd_fetch.h"

#include "server/imap/connection.h"
#include "server/imap/earlier.h"
#include "server/imap/fetch_write.h"
#include "server/imap/passed_over.h"

#include <errno.h>
#include <string.h>

enum { PASSED_PER_UNIT = 64 }; /* messages that CHANGEDSINCE passes over for a unit of work */

struct fetch_progress {
	struct earlier earlier; /* VANISHED: comes before all else */
	struct seq_ranges seqnums;
	size_t range;
	uint32_t seqnum; /* the last one that was begun; 0: at the start of the range */
	uint64_t done, goal;
	unsigned needs;  /* enum fetch_need */
	bool prepared;   /* the message: fetch_write() may go on */
	struct fetch_write write;
	size_t seen_done; /* mailbox_store_flags()'s cursor */
	uint64_t locked_since_usec; /* \Seen waits, or waited, for a lock; 0: it did not yet */
	struct passed_over over;
};

void end_fetch(struct imap *imap)
{
	struct fetch_progress *p = imap->command.progress;

	if (!p)
		return;
	buf_done(&p->write.text);
	buf_done(&p->write.card.bytes);
}

/*
 * The UIDs of the set, for VANISHED. "*" is the highest UID that ever was: else "1:*" would not name the last messages,
 * once they are expunged. Returns 0 or -errno. RFC 7162 section 3.2.6.
 */
static int find_vanished(struct imap *imap, struct fetch_progress *p)
{
	const struct fetch_arguments *a = &imap->command.arguments.fetch;
	uint32_t uidnext = mailbox_uidnext(imap->mailbox);
	struct seq_ranges set;

	if (seqset_parse(a->set, uidnext > 1 ? uidnext - 1 : 1, &imap->arena, &set) != PARSE_OK)
		return 0; /* not met: the set was found right */
	return earlier_find(
		imap->view, &set, a->changedsince, 0, &imap->arena, &p->earlier.gone);
}

/* PARTIAL: counted among the messages that the set names. RFC 9394 section 3.3. */
static struct seq_ranges some_of(
	struct imap *imap, const struct partial *partial, const struct seq_ranges *seqnums)
{
	struct seq_ranges none = { 0 };
	uint64_t first, last;

	if (!partial_of(partial, seq_ranges_count(seqnums), &first, &last))
		return none;
	return seq_ranges_part(seqnums, first, last, &imap->arena);
}

static struct fetch_progress *begin_fetch(struct imap *imap)
{
	const struct fetch_arguments *a = &imap->command.arguments.fetch;
	bool by_uid = imap->command.type->flags & COMMAND_BY_UID;
	struct seq_ranges seqnums;

	if (a->vanished && !by_uid) {
		(void)imap_bad(imap, "VANISHED is for UID FETCH only");
		return NULL;
	}
	if (a->partial.first > 0 && !by_uid) {
		(void)imap_bad(imap, "PARTIAL is for UID FETCH only");
		return NULL;
	}
	if (a->vanished && !(imap->enabled & ENABLED_QRESYNC)) {
		(void)imap_bad(imap, "QRESYNC is not enabled");
		return NULL;
	}
	if (a->changed_only || (fetch_needs(a) & NEED_MODSEQ))
		connection_enable_condstore(imap);
	if (imap_seqnums(imap, a->set, by_uid, &seqnums) != PARSE_OK) {
		(void)imap_bad(imap, "No such sequence number");
		return NULL;
	}

	if (a->partial.first > 0)
		seqnums = some_of(imap, &a->partial, &seqnums);
	(void)connection_limit(imap, &seqnums);

	struct fetch_progress *p = arena_alloc(&imap->arena, sizeof *p);

	*p = (struct fetch_progress){ .seqnums = seqnums,
		.needs = fetch_needs(a),
		.goal = seq_ranges_count(&seqnums) };
	p->write.text = BUF(2 * LIMIT_HEADER_BYTES + 2); /* every LF may become CRLF */
	p->write.card.bytes = fetch_card_buf();
	if (p->needs & NEED_BINARY)
		p->write.binaries =
			arena_array(&imap->arena, a->n, sizeof *p->write.binaries);
	imap->command.progress = p;
	if (a->vanished) {
		int r = find_vanished(imap, p);

		if (r < 0) {
			(void)imap_failed(imap, r);
			return NULL;
		}
	}
	return p;
}

/* From the highest down if the set was limited (RFC 9738 section 3.1). */
static bool goes_down(const struct imap *imap)
{
	return imap->command.limited_uid != 0;
}

static const struct seq_range *range_under_way(
	const struct imap *imap, const struct fetch_progress *p)
{
	return &p->seqnums.ranges[goes_down(imap) ? p->seqnums.n - 1 - p->range : p->range];
}

/* Step to the next sequence number of the set. Returns false behind the last. */
static bool next_seqnum(const struct imap *imap, struct fetch_progress *p)
{
	bool down = goes_down(imap);
	const struct seq_range *range;

	if (p->seqnum > 0) {
		range = range_under_way(imap, p);
		p->range += p->seqnum == (down ? range->first : range->last);
		p->seqnum = p->seqnum == (down ? range->first : range->last) ? 0
			    : down					     ? p->seqnum - 1
									     : p->seqnum + 1;
	}
	if (p->range == p->seqnums.n)
		return false;
	range = range_under_way(imap, p);
	if (p->seqnum == 0)
		p->seqnum = down ? range->last : range->first;
	p->done++;
	return true;
}

/* CHANGEDSINCE. One that is expunged is not of those that changed: VANISHED tells it, or EXPUNGE. */
static bool is_wanted(const struct imap *imap, uint32_t seqnum)
{
	const struct fetch_arguments *a = &imap->command.arguments.fetch;
	const struct message *message;

	if (!a->changed_only)
		return true;
	message = view_message(imap->view, seqnum);
	return message && message->modseq > a->changedsince;
}

/* Move on to the next message of the set. Returns RUN_STEP; RUN_DONE, and p->write.seqnum stays 0 behind the last. */
static enum run next_message(struct imap *imap, struct fetch_progress *p)
{
	struct buf text = p->write.text, card_bytes = p->write.card.bytes;
	struct binary_facts *binaries = p->write.binaries;
	unsigned passed = 0;

	do {
		if (passed++ % PASSED_PER_UNIT == 0 && !imap_spend(imap))
			return RUN_STEP;
		if (!next_seqnum(imap, p))
			return RUN_DONE;
	} while (!is_wanted(imap, p->seqnum));
	p->write = (struct fetch_write){
		.seqnum = p->seqnum,
		.msg_uid = view_uid(imap->view, p->seqnum),
		.card.bytes = card_bytes,
		.text = text,
		.binaries = binaries,
	};
	p->seen_done = 0;
	connection_progress(imap, p->done, p->goal);
	return RUN_DONE;
}

/* The message's file, as far as it is needed. */
static int find_out_file(struct imap *imap, uint32_t msg_uid, unsigned needs)
{
	struct message_file *file = &imap->file;
	int r = 0;

	if (needs & NEED_FILE)
		r = message_file_open(file, imap->mailbox, msg_uid);
	if (r == 0 && (needs & NEED_STRUCTURE))
		r = message_file_structure(file, &imap->work);
	if (r == 0 && (needs & NEED_HEADER))
		r = message_file_header(file, &imap->work);
	if (r == 0 && (needs & NEED_OCTETS))
		r = message_file_octets(file, &imap->work);
	return r;
}

/* Card and preview, each once. *needs grows by what is not on the card. */
static int find_out_card(struct imap *imap, struct fetch_progress *p, unsigned *needs)
{
	struct fetch_card *card = &p->write.card;
	uint32_t msg_uid = p->write.msg_uid;
	int r = 0;

	if ((*needs & NEED_CARD) && !card->known)
		r = fetch_card_take(card, imap->mailbox, msg_uid, *needs & NEED_WHOLE_CARD,
			&imap->work);
	if (r == 0 && (*needs & (NEED_PREVIEW | NEED_PREVIEW_KNOWN)) && !card->preview.p)
		r = fetch_card_take_preview(
			card, imap->mailbox, msg_uid, !(*needs & NEED_PREVIEW), &imap->work);
	if (r == 0 && (*needs & NEED_EMAILID))
		r = mailbox_emailid(imap->mailbox, msg_uid, card->emailid);
	if (r == 0 && card->known)
		*needs |= fetch_needs_beyond(&imap->command.arguments.fetch, card);
	return r;
}

static int find_out(struct imap *imap, struct fetch_progress *p)
{
	uint32_t msg_uid = p->write.msg_uid;
	unsigned needs = p->needs;
	int r = find_out_card(imap, p, &needs);

	if (r == 0)
		r = find_out_file(imap, msg_uid, needs);
	if (r == 0 && (needs & NEED_BINARY))
		r = fetch_find_binaries(imap, &p->write);
	if (r == 0 && (needs & NEED_SIZE))
		r = mailbox_rfc822_size(imap->mailbox, msg_uid, &imap->work, &p->write.rfc822_size);
	if (r == 0 && (needs & NEED_DATE))
		r = mailbox_internaldate(imap->mailbox, msg_uid, &p->write.internaldate);
	return r;
}

/* From the first message on that had to wait: a command of many does not wait as often. */
static bool is_patient(struct imap *imap, struct fetch_progress *p)
{
	if (p->locked_since_usec == 0)
		p->locked_since_usec = imap->io->now_usec;
	return imap->io->now_usec - p->locked_since_usec < IMAP_SEEN_WAIT_USEC;
}

/* \Seen, unless it is there. That it cannot be set (a read-only file system) is no reason not to show the message. */
static int set_seen(struct imap *imap, struct fetch_progress *p)
{
	const struct message *message = view_message(imap->view, p->seqnum);
	const struct flags_change change = {
		.operation = FLAGS_ADD, .flags = FLAG_SEEN, .unchangedsince = UINT64_MAX
	};

	if (!message || (message->flags & FLAG_SEEN))
		return 0;

	int r = mailbox_store_flags(
		imap->mailbox, &p->write.msg_uid, 1, &p->seen_done, &change, NULL, &imap->work);

	if (r == -EINPROGRESS || (r == -EAGAIN && is_patient(imap, p)))
		return r;
	p->write.seen_set = r == 0;
	return 0;
}

/* Find out all that the response needs. Returns as cmd_fetch(); *ret_skip: the message is passed over. */
static enum run prepare(struct imap *imap, struct fetch_progress *p, bool *ret_skip)
{
	int r = view_message(imap->view, p->seqnum) ? find_out(imap, p) : -ENOENT;

	if (r == 0 && (p->needs & NEED_SEEN) && imap->read_write)
		r = set_seen(imap, p);

	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	*ret_skip = r < 0 && r != -EBUSY;
	if (*ret_skip)
		passed_over_add(&p->over, imap, imap->mailbox, p->write.msg_uid, r, "cannot be read");
	return RUN_DONE;
}

enum run cmd_fetch(struct imap *imap)
{
	struct fetch_progress *p = imap->command.progress;

	if (!p)
		p = begin_fetch(imap);
	if (!p)
		return RUN_DONE;
	for (;;) {
		enum run run = earlier_tell(imap, &p->earlier);
		bool skip = false;

		if (run != RUN_DONE)
			return run;
		if (!p->prepared) {
			if (imap_output_full(imap))
				return RUN_OUTPUT;
			if (p->write.seqnum == 0 && next_message(imap, p) != RUN_DONE)
				return RUN_STEP;
			if (p->write.seqnum == 0)
				return passed_over_finish(&p->over, imap);
			run = prepare(imap, p, &skip);
			p->prepared = run == RUN_DONE && !skip;
		}
		if (p->prepared)
			run = fetch_write(imap, &p->write);
		if (run != RUN_DONE)
			return run;
		p->prepared = false;
		p->write.seqnum = 0;
	}
}
