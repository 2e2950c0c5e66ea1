/*
 * A context knows its results: UIDs, in mailbox order or in that of SORT, then with the key of each. A message is looked
 * at again when its modseq is above that of the last look, or it was not in the view then.
 *
 * What is told is gathered as text first: a message may have to be read, and a response must not stop in the middle.
 */
#include "server/imap/search_context.h"

#include "base/must.h"
#include "maildir/card.h"
#include "server/imap/connection.h"
#include "server/imap/fetch_beside.h"
#include "server/imap/fetch_write.h"

#include <errno.h>
#include <stdlib.h>

enum { TOLD_BYTES = 4096, TOLD_MAX_BYTES = TOLD_BYTES + 256 };

struct result {
	uint32_t msg_uid;
	char *key; /* of SORT, on the heap; NULL: SEARCH */
	size_t key_n;
};

enum change { CHANGE_NONE, CHANGE_ADD, CHANGE_REMOVE };

struct context {
	struct context *next;
	struct arena arena;
	struct slice tag;
	bool by_uid;
	struct search search;
	const struct sort_criterion *criteria;
	size_t criteria_n; /* 0: SEARCH */
	struct fetch_arguments fetch; /* of new messages among the results; n 0: nothing */
	struct result *results;
	size_t n, cap;

	uint64_t modseq;   /* all up to it was looked at */
	uint32_t last_uid; /* of the view then */

	/* An update under way. */
	bool looking;
	uint64_t target_modseq;
	uint32_t cursor_uid; /* done up to here */
	uint32_t spent_uid;  /* the message that the unit was taken for */
	size_t expunged;     /* how many of the changes */
	enum change change;  /* that is gathered */
	struct seq_range run;
	struct buf told;
	bool telling; /* what is gathered: nothing more is, until it is told */
	struct buf added; /* new messages of it to be fetched: a set */
	struct fetch_beside beside;
};

bool contexts_have(const struct contexts *contexts, struct slice tag)
{
	for (const struct context *c = contexts->first; c; c = c->next)
		if (slice_equal(c->tag, tag))
			return true;
	return false;
}

static void free_context(struct imap *imap, struct context *c)
{
	fetch_beside_end(imap, &c->beside);
	for (size_t i = 0; i < c->n; i++)
		free(c->results[i].key);
	free(c->results);
	search_done(&c->search);
	buf_done(&c->told);
	buf_done(&c->added);
	arena_done(&c->arena);
	free(c);
}

void contexts_done(struct imap *imap)
{
	struct contexts *contexts = &imap->contexts;

	while (contexts->first) {
		struct context *c = contexts->first;

		contexts->first = c->next;
		free_context(imap, c);
	}
	*contexts = (struct contexts){ 0 };
}

bool contexts_cancel(struct imap *imap, struct slice tag)
{
	struct contexts *contexts = &imap->contexts;

	for (struct context **at = &contexts->first; *at; at = &(*at)->next) {
		struct context *c = *at;

		if (!slice_equal(c->tag, tag))
			continue;
		*at = c->next;
		contexts->n--;
		free_context(imap, c);
		return true;
	}
	return false;
}

/* The same search once more: the command's goes with its arena. It was parsed before, so it can be parsed. */
static struct search_key *parse_again(struct context *c, const struct search_arguments *a)
{
	struct grammar grammar = { .arena = &c->arena };
	struct search_grammar g = { .grammar = &grammar,
		.charset = arena_copy(&c->arena, a->charset) };
	struct slice program = arena_copy(&c->arena, a->program);
	struct search_key *key;

	must(search_grammar_keys(&program, &g, &key) == PARSE_OK);
	return key;
}

/* The items that UPDATE asks for. As far as they depend on it, enabled is what it was at the command. */
static struct fetch_arguments parse_fetch(
	struct arena *arena, unsigned enabled, const struct search_arguments *a)
{
	struct grammar grammar = { .arena = arena, .enabled = enabled };
	struct slice text = arena_copy(arena, a->update_fetch);
	struct fetch_arguments items = { .n = 0 };

	if (text.n > 0)
		must(grammar_fetch_items(&text, &grammar, &items) == PARSE_OK);
	return items;
}

void search_enable_condstore(struct imap *imap, const struct search_arguments *a)
{
	struct fetch_arguments items = parse_fetch(&imap->arena, imap->enabled, a);

	if (a->has_modseq || (fetch_needs(&items) & NEED_MODSEQ))
		connection_enable_condstore(imap);
}

static struct sort_criterion *copy_criteria(struct context *c, const struct search_arguments *a)
{
	struct sort_criterion *criteria =
		arena_array(&c->arena, a->criteria_n + 1, sizeof *criteria);

	if (a->criteria_n > 0)
		memcpy(criteria, a->criteria, a->criteria_n * sizeof *criteria);
	return criteria;
}

static void insert_result(struct context *c, size_t at, struct result result)
{
	if (c->n == c->cap) {
		c->cap = c->cap > 0 ? c->cap * 2 : 16;
		c->results = realloc(c->results, c->cap * sizeof *c->results);
		must(c->results != NULL);
	}
	memmove(&c->results[at + 1], &c->results[at], (c->n - at) * sizeof *c->results);
	c->results[at] = result;
	c->n++;
}

static struct result result_of(uint32_t msg_uid, struct slice key)
{
	struct result result = { .msg_uid = msg_uid, .key_n = key.n };

	if (!key.p)
		return result;
	result.key = malloc(key.n + 1);
	must(result.key != NULL);
	memcpy(result.key, key.p, key.n);
	return result;
}

static void take_results(struct context *c, const struct context_result *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct slice key = r->sort ? search_sort_key_of(r->sort, r->order[i])
					   : slice_from(NULL, 0);

		insert_result(c, c->n, result_of(r->uids[i], key));
	}
}

static uint32_t last_uid(const struct imap *imap)
{
	uint32_t exists = view_exists(imap->view);

	return exists > 0 ? view_uid(imap->view, exists) : 0;
}

static struct context *new_context(struct imap *imap)
{
	const struct search_arguments *a = &imap->command.arguments.search;
	struct context *c = calloc(1, sizeof *c);

	must(c != NULL);
	c->tag = arena_copy(&c->arena, imap->command.tag);
	c->by_uid = imap->command.type->flags & COMMAND_BY_UID;
	c->criteria = copy_criteria(c, a);
	c->criteria_n = a->criteria_n;
	c->fetch = parse_fetch(&c->arena, imap->enabled, a);
	c->told = BUF(TOLD_MAX_BYTES);
	c->added = BUF(TOLD_MAX_BYTES);
	c->search = (struct search){
		.view = imap->view,
		.mailbox = imap->mailbox,
		.file = &imap->file,
		.arena = &c->arena,
		.saved = &imap->saved,
		.key = parse_again(c, a),
		.now_usec = imap->io->now_usec,
	};
	must(search_init(&c->search) == 0);
	search_freeze(&c->search);
	c->last_uid = last_uid(imap);
	c->modseq = mailbox_highestmodseq(imap->mailbox);
	return c;
}

void contexts_add(struct imap *imap, const struct context_result *result)
{
	struct contexts *contexts = &imap->contexts;

	if (contexts->n >= LIMIT_CONTEXTS || (result->sort && result->n > CONTEXT_SORTED_MAX)) {
		write_raw(&imap->out, SLICE("* NO [NOUPDATE "));
		write_string(&imap->out, imap->command.tag);
		write_raw(&imap->out, SLICE("] Too many contexts, or too large a one\r\n"));
		return;
	}

	struct context *c = new_context(imap);

	take_results(c, result);
	c->next = contexts->first;
	contexts->first = c;
	contexts->n++;
}

static int compare_results(const struct result *a, const struct result *b)
{
	int order = slice_compare(slice_from(a->key, a->key_n), slice_from(b->key, b->key_n));

	if (order != 0)
		return order;
	return a->msg_uid < b->msg_uid ? -1 : a->msg_uid > b->msg_uid;
}

/* Where a result is, or has to be inserted. */
static size_t place_of(const struct context *c, const struct result *result)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_results(&c->results[middle], result) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The place of a message among the results; c->n: it is not among them. */
static size_t find_result(const struct context *c, uint32_t msg_uid)
{
	struct result result = { .msg_uid = msg_uid };
	size_t at = 0;

	if (c->criteria_n == 0) {
		at = place_of(c, &result);
		return at < c->n && c->results[at].msg_uid == msg_uid ? at : c->n;
	}
	while (at < c->n && c->results[at].msg_uid != msg_uid)
		at++;
	return at;
}

static void remove_result(struct context *c, size_t at)
{
	free(c->results[at].key);
	memmove(&c->results[at], &c->results[at + 1], (c->n - at - 1) * sizeof *c->results);
	c->n--;
}

/* Write down what is gathered of a SEARCH, whose position is 0: the client knows where it belongs. */
static void end_run(struct context *c)
{
	struct writer w = { .out = &c->told };
	struct seq_ranges one = { .ranges = &c->run, .n = 1 };

	if (c->change == CHANGE_NONE)
		return;
	write_text(&w, c->change == CHANGE_ADD ? " ADDTO (0 " : " REMOVEFROM (0 ");
	write_ranges(&w, &one);
	write_text(&w, ")");
	c->change = CHANGE_NONE;
	must(!w.failed);
}

/* number came to the results, or went; of a SORT to or from a position, from 1. */
static void gather(struct context *c, enum change change, uint32_t number, size_t position)
{
	struct writer w = { .out = &c->told };

	if (c->criteria_n > 0) {
		write_format(&w, " %s (%zu %u)", change == CHANGE_ADD ? "ADDTO" : "REMOVEFROM",
			position, number);
		must(!w.failed);
	} else if (c->change == change && c->run.last == number - 1) {
		c->run.last = number;
	} else {
		end_run(c);
		c->change = change;
		c->run = (struct seq_range){ number, number };
	}
}

static void tell_gathered(struct imap *imap, struct context *c)
{
	end_run(c);
	if (c->told.n == 0)
		return;
	write_raw(&imap->out, SLICE("* ESEARCH (TAG "));
	write_string(&imap->out, c->tag);
	write_text(&imap->out, c->by_uid ? ") UID" : ")");
	write_raw(&imap->out, buf_slice(&c->told));
	write_crlf(&imap->out);
	buf_clear(&c->told);
}

/* From the lowest: those numbers that follow each other are one range. */
static enum run tell_expunged_of(
	struct imap *imap, struct context *c, const struct view_changes *changes)
{
	for (; c->expunged < changes->n_expunged; c->expunged++) {
		size_t i = changes->n_expunged - 1 - c->expunged;
		uint32_t msg_uid = changes->expunged_uids[i];
		size_t at = find_result(c, msg_uid);

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (at == c->n)
			continue;
		gather(c, CHANGE_REMOVE, c->by_uid ? msg_uid : changes->expunged_seqnums[i],
			at + 1);
		remove_result(c, at);
		if (c->told.n >= TOLD_BYTES)
			tell_gathered(imap, c);
	}
	c->expunged = 0;
	tell_gathered(imap, c);
	return RUN_DONE;
}

/* Go through all contexts; contexts->now is where to go on. */
enum run contexts_tell_expunged(struct imap *imap, const struct view_changes *changes)
{
	struct contexts *contexts = &imap->contexts;

	if (changes->n_expunged == 0)
		return RUN_DONE;
	if (!contexts->now)
		contexts->now = contexts->first;
	for (; contexts->now; contexts->now = contexts->now->next) {
		enum run run = tell_expunged_of(imap, contexts->now, changes);

		if (run != RUN_DONE)
			return run;
	}
	return RUN_DONE;
}

static void note_added(struct context *c, uint32_t number)
{
	struct writer w = { .out = &c->added };

	write_text(&w, c->added.n > 0 ? "," : "");
	write_number(&w, number);
	must(!w.failed);
}

/* A message that matches now, and did not. Returns 0, -EINPROGRESS, -errno: it cannot be sorted, and is left out. */
static int add_result(struct imap *imap, struct context *c, uint32_t msg_uid, uint32_t number)
{
	_cleanup_buf_ struct buf key = BUF(CARD_MAX_BYTES * LIMIT_SORT_CRITERIA);
	struct card card;
	struct result result;
	int r = 0;

	if (c->criteria_n > 0) {
		r = mailbox_card(imap->mailbox, msg_uid, &imap->work, &card);
		if (r == 0)
			r = search_sort_key(c->criteria, c->criteria_n, &card, &key);
		if (r < 0)
			return r;
	}
	result = result_of(msg_uid, buf_slice(&key));

	size_t at = place_of(c, &result);

	insert_result(c, at, result);
	gather(c, CHANGE_ADD, number, at + 1);
	if (c->fetch.n > 0 && msg_uid > c->last_uid) /* else its flags changed: the client knows it */
		note_added(c, number);
	return 0;
}

/* Look at one message. Returns 0 or -EINPROGRESS. */
static int look_at(struct imap *imap, struct context *c, uint32_t msg_uid)
{
	uint32_t seqnum = view_seqnum(imap->view, msg_uid);
	uint32_t number = c->by_uid ? msg_uid : seqnum;
	bool matches = false;
	int r;

	if (seqnum == 0)
		return 0;
	c->search.now_usec = imap->io->now_usec;
	r = search_match(&c->search, seqnum, &imap->work, &matches);
	if (r < 0)
		return r == -EINPROGRESS ? r : 0;

	size_t at = find_result(c, msg_uid);

	if (matches && at == c->n)
		r = add_result(imap, c, msg_uid, number);
	if (!matches && at < c->n) {
		gather(c, CHANGE_REMOVE, number, at + 1);
		remove_result(c, at);
	}
	return r == -EINPROGRESS ? r : 0;
}

/* The next message behind the cursor to be looked at; NULL: none. */
static const struct message *next_changed(const struct imap *imap, const struct context *c)
{
	const struct message *messages;
	size_t low = 0, n = mailbox_messages(imap->mailbox, &messages), high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (messages[middle].msg_uid <= c->cursor_uid)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n; low++)
		if (messages[low].modseq > c->modseq || messages[low].msg_uid > c->last_uid)
			return &messages[low];
	return NULL;
}

static void begin_look(struct imap *imap, struct context *c)
{
	search_renew(&c->search);
	c->looking = true;
	c->cursor_uid = c->spent_uid = 0;
	c->target_modseq = mailbox_highestmodseq(imap->mailbox);
}

/* Look at what changed, until there is no more or enough is gathered. */
static enum run look_on(struct imap *imap, struct context *c)
{
	const struct message *message;

	while (c->told.n < TOLD_BYTES && c->added.n < TOLD_BYTES &&
		(message = next_changed(imap, c))) {
		uint32_t msg_uid = message->msg_uid;

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (c->spent_uid != msg_uid && !imap_spend(imap))
			return RUN_STEP;
		c->spent_uid = msg_uid;
		if (look_at(imap, c, msg_uid) < 0)
			return RUN_STEP;
		c->cursor_uid = msg_uid;
	}
	return RUN_DONE;
}

/* Tell what is gathered, behind what is to be fetched of it. RFC 5465 section 7. */
static enum run tell_batch(struct imap *imap, struct context *c)
{
	enum run run;

	if (!c->telling && c->added.n > 0)
		fetch_beside_begin(&c->beside, &c->fetch, buf_slice(&c->added), c->by_uid);
	c->telling = true;
	run = fetch_beside_run(imap, &c->beside);
	if (run != RUN_DONE)
		return run;
	tell_gathered(imap, c);
	buf_clear(&c->added);
	c->telling = false;
	return RUN_DONE;
}

static enum run tell_changed_of(struct imap *imap, struct context *c)
{
	enum run run = RUN_DONE;

	if (!c->looking && mailbox_highestmodseq(imap->mailbox) == c->modseq &&
		last_uid(imap) <= c->last_uid)
		return RUN_DONE;
	if (!c->looking)
		begin_look(imap, c);
	do {
		if (!c->telling)
			run = look_on(imap, c);
		if (run == RUN_DONE)
			run = tell_batch(imap, c);
		if (run != RUN_DONE)
			return run;
	} while (next_changed(imap, c));
	c->looking = false;
	c->modseq = c->target_modseq;
	c->last_uid = last_uid(imap);
	return RUN_DONE;
}

enum run contexts_tell_changed(struct imap *imap)
{
	struct contexts *contexts = &imap->contexts;

	if (!contexts->now)
		contexts->now = contexts->first;
	for (; contexts->now; contexts->now = contexts->now->next) {
		enum run run = tell_changed_of(imap, contexts->now);

		if (run != RUN_DONE)
			return run;
	}
	return RUN_DONE;
}

enum run cmd_cancelupdate(struct imap *imap)
{
	const struct cancel_arguments *a = &imap->command.arguments.cancel;

	for (size_t i = 0; i < a->n; i++)
		(void)contexts_cancel(imap, a->tags[i]);
	return imap_ok(imap, NULL, "No further updates");
}
