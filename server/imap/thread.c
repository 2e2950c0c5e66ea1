/*
 * Every node knows its parent; children are listed at the end only. So:
 *
 *   link    as messages come: parents by references (RFC 5256 section 3, steps 1 and 2)
 *   sort    all messages by sent date, once: whatever is visited in this order later is in order (steps 4 and 6)
 *   adopt   each message's parent becomes its next ancestor that is a message, else the dummy at the top (step 3)
 *   roots   the top in order; a dummy stands where its first child does
 *   subjects, merge   threads of one base subject become one (step 5)
 *   adopt, roots, children   again, now that parents changed; then the lists for the walk
 *
 * Invariants: parents never form a loop; a node with a message is never merged away; a dummy below the top has no
 * children of its own after adopt.
 */
#include "server/imap/thread.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/must.h"
#include "server/imap/order.h"

#include <stdlib.h>
#include <string.h>

#define HASH_FUNCTION(key, bytes, value) ((value) = (unsigned)*(const uint64_t *)(key))
#include <uthash.h>

struct node {
	uint64_t id; /* key of hh; 0: not among them */
	UT_hash_handle hh;
	struct node *parent;
	struct node *children, *next; /* for the walk */
	struct node *first;           /* of a dummy at the top: its first child */
	struct node *top;             /* its root; NULL: not looked for yet */
	uint64_t subject;
	int64_t sent, arrival; /* arrival of a root of REFS becomes the latest of its thread */
	uint32_t number;       /* 0: a dummy: no message has this id, or it is not among those searched */
	uint32_t links;        /* to children, while links are made */
	uint32_t adopted;      /* by a dummy at the top */
	bool is_reply;
	uint8_t pass; /* the last one in which it was found to be a root */
};

/* The root that stands for a base subject. */
struct subject {
	uint64_t hash;
	struct node *node;
	UT_hash_handle hh;
};

enum walk { WALK_ROOT, WALK_NUMBER, WALK_NUMBERED, WALK_DOWN, WALK_UP, WALK_CLOSED };

struct thread {
	enum thread_algorithm algorithm;
	struct arena arena;
	struct node *by_id;
	struct subject *subjects;
	struct node **messages; /* in the order they came */
	size_t messages_n, messages_cap;
	size_t dummies_n;

	const struct stage *stage; /* NULL: messages are being added */
	size_t at;                 /* in the stage */
	uint32_t *numbers, *scratch;
	struct order order;
	const uint32_t *sorted; /* indexes into messages */
	uint8_t pass;           /* over the roots */
	struct node **roots;
	size_t roots_n, roots_cap;
	const uint32_t *sorted_roots; /* NULL: roots stand in order */
	uint32_t *root_numbers;

	enum walk walk;
	size_t root; /* the next one */
	struct node *node;
};

struct thread *thread_new(enum thread_algorithm algorithm)
{
	struct thread *t = calloc(1, sizeof *t);

	must(t != NULL);
	t->algorithm = algorithm;
	return t;
}

void thread_free(struct thread *thread)
{
	if (!thread)
		return;
	HASH_CLEAR(hh, thread->by_id);
	HASH_CLEAR(hh, thread->subjects);
	free(thread->messages);
	free(thread->numbers);
	free(thread->scratch);
	free(thread->roots);
	free(thread->root_numbers);
	arena_done(&thread->arena);
	free(thread);
}

static void add_to(struct node ***nodes, size_t *n, size_t *cap, struct node *node)
{
	if (*n == *cap) {
		*cap = *cap > 0 ? *cap * 2 : 64;
		*nodes = realloc(*nodes, *cap * sizeof **nodes);
		must(*nodes != NULL);
	}
	(*nodes)[(*n)++] = node;
}

/* The node of an id, made if there is none; NULL: there are too many. */
static struct node *node_of(struct thread *t, uint64_t id)
{
	struct node *node;

	HASH_FIND(hh, t->by_id, &id, sizeof id, node);
	if (node)
		return node;
	if (t->dummies_n >= LIMIT_THREAD_MESSAGES)
		return NULL;
	t->dummies_n++;
	node = arena_alloc(&t->arena, sizeof *node);
	node->id = id;
	node->arrival = INT64_MIN;
	HASH_ADD(hh, t->by_id, id, sizeof node->id, node);
	return node;
}

/* Whether node is above, or is, below: then it cannot become its child. Counts the steps left down to 0: "yes" then. */
static bool is_ancestor(const struct node *node, const struct node *below, size_t *steps)
{
	if (node->links == 0)
		return node == below;
	for (; below; below = below->parent) {
		if (below == node || *steps == 0)
			return true;
		--*steps;
	}
	return false;
}

static void link_to(struct node *parent, struct node *child, size_t *steps)
{
	if (is_ancestor(child, parent, steps))
		return;
	child->parent = parent;
	parent->links++;
}

static void unlink_parent(struct node *child)
{
	if (child->parent)
		child->parent->links--;
	child->parent = NULL;
}

/* RFC 5256 section 3, step 1. */
static void link_references(
	struct thread *t, struct node *node, const struct thread_message *message)
{
	struct node *parent = NULL;
	size_t steps = THREAD_ANCESTORS;

	for (size_t i = 0; i < message->references_n; i++) {
		struct node *reference = node_of(t, message->references[i]);

		if (!reference || reference == node) /* its own id answers nothing */
			continue;
		if (parent && !reference->parent)
			link_to(parent, reference, &steps);
		parent = reference;
	}
	if (parent && parent == node->parent)
		return;
	unlink_parent(node);
	if (parent)
		link_to(parent, node, &steps);
}

bool thread_add(struct thread *thread, const struct thread_message *message)
{
	bool by_id = thread->algorithm != THREAD_ORDEREDSUBJECT;
	struct node *node = by_id && message->message_id != 0
				    ? node_of(thread, message->message_id)
				    : NULL;

	must(!thread->stage && message->number != 0);
	if (thread->messages_n >= LIMIT_THREAD_MESSAGES)
		return false;
	if (!node || node->number != 0) /* without an id, or with that of another message: it is its own */
		node = arena_alloc(&thread->arena, sizeof *node);
	else
		thread->dummies_n--;
	node->number = message->number;
	node->subject = message->subject;
	node->is_reply = message->is_reply;
	node->sent = message->sent;
	node->arrival = message->arrival;
	add_to(&thread->messages, &thread->messages_n, &thread->messages_cap, node);
	if (by_id)
		link_references(thread, node, message);
	return true;
}

/* By sent date; messages of one date stay as they came: by sequence number (RFC 5256 section 2.2). */
static bool is_sent_before(const void *context, uint32_t a, uint32_t b)
{
	const struct thread *t = context;

	return t->messages[a]->sent <= t->messages[b]->sent;
}

static bool arrived_before(const void *context, uint32_t a, uint32_t b)
{
	const struct thread *t = context;

	return t->roots[a]->arrival <= t->roots[b]->arrival;
}

static uint32_t *count_up(size_t n)
{
	uint32_t *numbers = calloc(n + 1, sizeof *numbers);

	must(numbers != NULL);
	for (size_t i = 0; i < n; i++)
		numbers[i] = (uint32_t)i;
	return numbers;
}

static struct node *in_order(const struct thread *t, size_t i)
{
	return t->messages[t->sorted[i]];
}

/* Its next ancestor that is a message, else the dummy at the top; NULL: it is a root. What is passed learns it too. */
static struct node *adopter(struct node *node)
{
	struct node *found = node->parent;

	if (!found)
		return NULL;
	while (found->number == 0 && found->parent)
		found = found->parent;
	for (struct node *at = node, *up; at->parent != found; at = up) {
		up = at->parent;
		at->parent = found;
	}
	return found;
}

static void adopt(struct thread *t, size_t i)
{
	struct node *parent = adopter(in_order(t, i));

	if (parent && parent->number == 0)
		parent->adopted++;
}

/* RFC 5256 section 3, step 3: an only child of a dummy at the top takes its place. */
static void promote(struct thread *t, size_t i)
{
	struct node *node = in_order(t, i);

	if (node->parent && node->parent->number == 0 && node->parent->adopted == 1)
		node->parent = NULL;
}

/* Steps 2 and 4. */
static void find_root(struct thread *t, size_t i)
{
	struct node *node = in_order(t, i);
	struct node *root = node->parent ? node->parent : node;

	if (i == 0) {
		t->roots_n = 0;
		t->pass++;
	}
	if ((node->parent && node->parent->number != 0) || root->pass == t->pass)
		return;
	root->pass = t->pass;
	root->first = node;
	add_to(&t->roots, &t->roots_n, &t->roots_cap, root);
}

static struct subject *subject_of(struct thread *t, uint64_t hash)
{
	struct subject *subject;

	HASH_FIND(hh, t->subjects, &hash, sizeof hash, subject);
	if (subject)
		return subject;
	subject = arena_alloc(&t->arena, sizeof *subject);
	subject->hash = hash;
	HASH_ADD(hh, t->subjects, hash, sizeof subject->hash, subject);
	return subject;
}

/* Step 5.B. A root is its own first message, or a dummy that has one. */
static void find_subject(struct thread *t, size_t i)
{
	struct node *root = t->roots[i];
	bool is_dummy = root->number == 0;

	if (root->first->subject == 0)
		return;

	struct subject *subject = subject_of(t, root->first->subject);
	struct node *other = subject->node;

	if (!other || (other->number != 0 &&
			      (is_dummy || (other->is_reply && !root->is_reply))))
		subject->node = root;
}

/* Step 5.C. */
static void merge_root(struct thread *t, size_t i)
{
	struct node *root = t->roots[i];

	if (root->first->subject == 0)
		return;

	struct subject *subject = subject_of(t, root->first->subject);
	struct node *other = subject->node;

	if (other == root)
		return;
	if (other->number == 0 || (root->is_reply && !other->is_reply)) {
		root->parent = other;
		return;
	}

	struct node *dummy = arena_alloc(&t->arena, sizeof *dummy);

	subject->node = root->parent = other->parent = dummy;
}

/* ORDEREDSUBJECT: the first of each base subject is the parent of the others. */
static void group_by_subject(struct thread *t, size_t i)
{
	struct node *node = in_order(t, i);
	struct subject *subject = subject_of(t, node->subject);

	if (subject->node)
		node->parent = subject->node;
	else
		subject->node = node;
}

/* REFS: what a thread is sorted by. */
static void find_arrival(struct thread *t, size_t i)
{
	struct node *node = in_order(t, i), *top = node, *up;

	while (!top->top && top->parent)
		top = top->parent;
	top = top->top ? top->top : top;
	for (struct node *at = node; at && at->top != top; at = up) {
		up = at->parent;
		at->top = top;
	}
	if (node->arrival > top->arrival)
		top->arrival = node->arrival;
}

/* Step 6: from the last to the first, each before its siblings. */
static void list_children(struct thread *t, size_t i)
{
	struct node *node = in_order(t, t->messages_n - 1 - i);

	if (!node->parent)
		return;
	node->next = node->parent->children;
	node->parent->children = node;
}

enum over { OVER_NOTHING, OVER_MESSAGES, OVER_ROOTS, SORT_MESSAGES, SORT_ROOTS };

/* What is done with each message or root, in order. */
struct stage {
	enum over over; /* OVER_NOTHING: the tree is made */
	void (*one)(struct thread *t, size_t i);
};

static const struct stage by_subject[] = {
	{ SORT_MESSAGES, NULL },
	{ OVER_MESSAGES, group_by_subject },
	{ OVER_MESSAGES, find_root },
	{ OVER_MESSAGES, list_children },
	{ OVER_NOTHING, NULL },
};

static const struct stage by_references[] = {
	{ SORT_MESSAGES, NULL },
	{ OVER_MESSAGES, adopt },
	{ OVER_MESSAGES, promote },
	{ OVER_MESSAGES, find_root },
	{ OVER_ROOTS, find_subject },
	{ OVER_ROOTS, merge_root },
	{ OVER_MESSAGES, adopt },
	{ OVER_MESSAGES, find_root },
	{ OVER_MESSAGES, list_children },
	{ OVER_NOTHING, NULL },
};

static const struct stage by_arrival[] = {
	{ SORT_MESSAGES, NULL },
	{ OVER_MESSAGES, adopt },
	{ OVER_MESSAGES, promote },
	{ OVER_MESSAGES, find_root },
	{ OVER_MESSAGES, find_arrival },
	{ SORT_ROOTS, NULL },
	{ OVER_MESSAGES, list_children },
	{ OVER_NOTHING, NULL },
};

static const struct stage *const stages[] = {
	[THREAD_ORDEREDSUBJECT] = by_subject,
	[THREAD_REFERENCES] = by_references,
	[THREAD_REFS] = by_arrival,
};

static bool sort_messages(struct thread *t, size_t *moves)
{
	if (!t->numbers) {
		t->numbers = count_up(t->messages_n);
		t->scratch = count_up(t->messages_n);
		order_init(&t->order, t->numbers, t->scratch, t->messages_n);
	}
	if (!order_step(&t->order, is_sent_before, t, moves))
		return false;
	t->sorted = t->order.from;
	return true;
}

/* The array of the messages' order is not needed for it: there may be as many roots, so it gets its own. */
static bool sort_roots(struct thread *t, size_t *moves)
{
	if (!t->root_numbers) {
		t->root_numbers = count_up(2 * t->roots_n);
		for (size_t i = 0; i < t->roots_n; i++)
			t->root_numbers[t->roots_n + i] = (uint32_t)i;
		order_init(&t->order, t->root_numbers, t->root_numbers + t->roots_n, t->roots_n);
	}
	if (!order_step(&t->order, arrived_before, t, moves))
		return false;
	t->sorted_roots = t->order.from;
	return true;
}

static bool run_stage(struct thread *t, size_t *moves)
{
	const struct stage *stage = t->stage;

	if (stage->over == SORT_MESSAGES)
		return sort_messages(t, moves);
	if (stage->over == SORT_ROOTS)
		return sort_roots(t, moves);

	size_t n = stage->over == OVER_ROOTS ? t->roots_n : t->messages_n;

	for (; t->at < n; t->at++, --*moves) {
		if (*moves == 0)
			return false;
		stage->one(t, t->at);
	}
	return true;
}

bool thread_build(struct thread *thread, size_t *moves)
{
	if (!thread->stage)
		thread->stage = stages[thread->algorithm];
	for (; thread->stage->over != OVER_NOTHING; thread->stage++, thread->at = 0)
		if (!run_stage(thread, moves))
			return false;
	return true;
}

static struct node *next_root(struct thread *t)
{
	size_t i = t->root;

	if (i == t->roots_n)
		return NULL;
	t->root++;
	return t->roots[t->sorted_roots ? t->sorted_roots[i] : i];
}

static bool has_siblings(const struct node *node)
{
	return node->parent && node->parent->children->next;
}

/* Go on to node; it is opened if it is a root, or has siblings. Returns whether "(" is due. */
static bool enter(struct thread *t, struct node *node)
{
	t->node = node;
	t->walk = WALK_NUMBER;
	return !node->parent || has_siblings(node);
}

/* One move. Returns false: nothing is to be shown for it. */
static bool move(struct thread *t, enum thread_token *ret_token)
{
	struct node *node = t->node;

	switch (t->walk) {
	case WALK_ROOT:
		node = next_root(t);
		*ret_token = node ? THREAD_OPEN : THREAD_END;
		return !node || enter(t, node);
	case WALK_NUMBER:
		t->walk = node->number != 0 ? WALK_NUMBERED : WALK_DOWN;
		*ret_token = THREAD_NUMBER;
		return node->number != 0;
	case WALK_NUMBERED:
		t->walk = node->children ? WALK_DOWN : WALK_UP;
		*ret_token = THREAD_SPACE;
		return node->children != NULL;
	case WALK_DOWN:
		*ret_token = THREAD_OPEN;
		return enter(t, node->children);
	case WALK_UP: /* all of node was shown */
		t->walk = node->parent ? WALK_CLOSED : WALK_ROOT;
		*ret_token = THREAD_CLOSE;
		return !node->parent || has_siblings(node);
	case WALK_CLOSED:
		*ret_token = THREAD_OPEN;
		if (node->next)
			return enter(t, node->next);
		t->node = node->parent;
		t->walk = WALK_UP;
		return false;
	}
	return false;
}

enum thread_token thread_next(struct thread *thread, uint32_t *ret_number)
{
	enum thread_token token;

	must(thread->stage && thread->stage->over == OVER_NOTHING);
	while (!move(thread, &token))
		;
	if (token == THREAD_NUMBER)
		*ret_number = thread->node->number;
	return token;
}
