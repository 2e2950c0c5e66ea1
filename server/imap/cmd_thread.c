#include "server/imap/cmd_thread.h"

#include "base/hash.h"
#include "maildir/card.h"
#include "maildir/digest.h"
#include "server/imap/connection.h"
#include "server/imap/search_look.h"
#include "server/imap/thread.h"

#include <errno.h>

enum {
	MOVES_A_UNIT = 64,
	REFERENCES_MAX = 2000, /* of one message; a card holds no more than that of any length in use */
};

enum thread_stage { STAGE_LOOK, STAGE_ADD, STAGE_BUILD, STAGE_TELL };

struct thread_progress {
	enum thread_stage stage;
	struct search_look look;
	struct thread *thread;
	size_t range;    /* of look.found */
	uint32_t seqnum; /* of it, the next to add; 0: its first */
	bool spent;      /* the unit for it */
	bool begun;      /* the response */
	uint8_t hash_key[HASH_KEY_BYTES];
	uint64_t *references; /* scratch */
};

void end_thread(struct imap *imap)
{
	struct thread_progress *p = imap->command.progress;

	if (!p)
		return;
	search_look_done(&p->look);
	thread_free(p->thread);
}

static struct thread_progress *begin_thread(struct imap *imap)
{
	const struct search_arguments *a = &imap->command.arguments.search;
	struct thread_progress *p = arena_alloc(&imap->arena, sizeof *p);

	imap->command.progress = p;
	p->look.arena = &imap->arena;
	if (a->has_modseq)
		connection_enable_condstore(imap);
	p->thread = thread_new(a->algorithm);
	p->references = arena_array(&imap->arena, REFERENCES_MAX, sizeof *p->references);
	memcpy(p->hash_key, &imap->io->now_usec, sizeof imap->io->now_usec); /* nobody outside knows it */
	memcpy(p->hash_key + 8, &p, sizeof p);
	if (search_look_begin(&p->look, imap, imap->view, a->key) == 0)
		return p;
	(void)imap_no(imap, "LIMIT", "Search text is too long");
	return NULL;
}

/* 0 means none, so no text has it. */
static uint64_t hash_of(const struct thread_progress *p, struct slice text)
{
	uint64_t hash = text.n > 0 ? hash_siphash(p->hash_key, text) : 0;

	return text.n > 0 && hash == 0 ? 1 : hash;
}

/* RFC 5256 section 3: References, else the first id of In-Reply-To. */
static size_t find_references(struct thread_progress *p, const struct card *card)
{
	struct slice references = card->references, id;
	size_t n = 0;

	while (n < REFERENCES_MAX && slice_split(&references, '\n', &id))
		if (id.n > 0)
			p->references[n++] = hash_of(p, id);
	if (n == 0 && card->in_reply_to.n > 0)
		p->references[n++] = hash_of(p, card->in_reply_to);
	return n;
}

static bool add_message(
	struct thread_progress *p, uint32_t number, const struct card *card)
{
	return thread_add(p->thread, &(struct thread_message){
					     .number = number,
					     .message_id = hash_of(p, card->message_id),
					     .subject = hash_of(p, card->base_subject),
					     .is_reply = card->flags & CARD_IS_REPLY,
					     .sent = card->sent_date,
					     .arrival = card->internaldate,
					     .references = p->references,
					     .references_n = find_references(p, card),
				     });
}

/* The next of what was found; 0 behind the last. */
static uint32_t next_found(struct thread_progress *p)
{
	const struct seq_ranges *found = &p->look.found;

	if (p->range == found->n)
		return 0;
	if (p->seqnum == 0)
		p->seqnum = found->ranges[p->range].first;
	return p->seqnum;
}

static void step_found(struct thread_progress *p)
{
	if (p->seqnum++ < p->look.found.ranges[p->range].last)
		return;
	p->range++;
	p->seqnum = 0;
}

/* Digests have no ids; where messages are not linked by them, they are not missed. */
static int find_thread_card(struct imap *imap, uint32_t msg_uid, struct card *ret_card)
{
	return imap->command.arguments.search.algorithm == THREAD_ORDEREDSUBJECT
		       ? mailbox_digest(imap->mailbox, msg_uid, &imap->work, ret_card)
		       : mailbox_card_of_header(imap->mailbox, msg_uid, &imap->work, ret_card);
}

static enum run add_messages(struct imap *imap, struct thread_progress *p)
{
	bool by_uid = imap->command.type->flags & COMMAND_BY_UID;

	for (uint32_t seqnum; (seqnum = next_found(p)) > 0; step_found(p)) {
		uint32_t msg_uid = view_uid(imap->view, seqnum);
		struct card card;

		if (!p->spent && !imap_spend(imap))
			return RUN_STEP;

		int r = find_thread_card(imap, msg_uid, &card);

		p->spent = r == -EINPROGRESS;
		if (p->spent)
			return RUN_STEP;
		if (r < 0)
			passed_over_add(&p->look.over, imap, imap->mailbox, msg_uid, r,
				"cannot be threaded");
		else if (!add_message(p, by_uid ? msg_uid : seqnum, &card))
			return imap_no(imap, "LIMIT", "Too many messages for THREAD");
	}
	p->stage = STAGE_BUILD;
	return RUN_DONE;
}

static enum run build(struct imap *imap, struct thread_progress *p)
{
	size_t moves = imap->work.budget * MOVES_A_UNIT;

	if (!thread_build(p->thread, &moves)) {
		imap->work.budget = 0;
		return RUN_STEP;
	}
	imap->work.budget = moves / MOVES_A_UNIT;
	p->stage = STAGE_TELL;
	return RUN_DONE;
}

static void tell_token(struct writer *w, enum thread_token token, uint32_t number)
{
	static const char *const words[] = { [THREAD_OPEN] = "(",
		[THREAD_SPACE] = " ",
		[THREAD_CLOSE] = ")",
		[THREAD_END] = "" };

	if (token == THREAD_NUMBER)
		write_number(w, number);
	else
		write_text(w, words[token]);
}

static enum run tell(struct imap *imap, struct thread_progress *p)
{
	enum thread_token token = THREAD_OPEN;
	uint32_t number = 0;

	if (!p->begun)
		write_text(&imap->out, p->look.found.n > 0 ? "* THREAD " : "* THREAD");
	p->begun = imap->mid_response = true;
	while (token != THREAD_END) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		token = thread_next(p->thread, &number);
		tell_token(&imap->out, token, number);
	}
	write_crlf(&imap->out);
	imap->mid_response = false;
	return RUN_DONE;
}

static enum run run_stage(struct imap *imap, struct thread_progress *p)
{
	enum run run = RUN_DONE;

	switch (p->stage) {
	case STAGE_LOOK:
		run = search_look_run(&p->look, imap);
		if (run == RUN_DONE)
			p->stage = STAGE_ADD;
		return run;
	case STAGE_ADD:
		return add_messages(imap, p);
	case STAGE_BUILD:
		return build(imap, p);
	case STAGE_TELL:
		break;
	}
	return run;
}

enum run cmd_thread(struct imap *imap)
{
	struct thread_progress *p = imap->command.progress;
	enum run run;

	if (!p)
		p = begin_thread(imap);
	while (p && p->stage != STAGE_TELL) {
		run = run_stage(imap, p);
		if (run != RUN_DONE || imap->command.completion != COMPLETION_NONE)
			return run;
	}
	if (!p)
		return RUN_DONE;
	run = tell(imap, p);
	return run == RUN_DONE ? passed_over_finish(&p->look.over, imap) : run;
}
