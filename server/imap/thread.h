/* thread.h - which messages belong together, and who answers whom: the algorithms of THREAD, in steps. Pure. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

enum thread_algorithm {
	THREAD_ORDEREDSUBJECT, /* RFC 5256 section 3 */
	THREAD_REFERENCES,     /* the same section */
	/*
	 * draft-ietf-morg-inthread-00 section 4: of REFERENCES what is about ids, without subjects. Threads are sorted by the
	 * latest INTERNALDATE in each, in place of step 4; messages within a thread by the sent date. (Dovecot 2.3 compares
	 * with the sent date in both.)
	 */
	THREAD_REFS,
};

/*
 * Ids and subjects are hashes of their text, of 64 bits; 0: there is none. Two texts of one hash count as the same.
 */
struct thread_message {
	uint32_t number;     /* what the tree shows: a sequence number or UID, not 0 */
	uint64_t message_id;
	uint64_t subject;    /* the base subject */
	bool is_reply;       /* its subject says reply or forward */
	int64_t sent, arrival;
	const uint64_t *references; /* the oldest first; else the one of In-Reply-To. None is 0 */
	size_t references_n;
};

/*
 * Limits. THREAD_ANCESTORS: how far it is looked for loops for one message; a link that would need more is not made.
 * LIMIT_THREAD_MESSAGES: of messages, and again of ids that are only referred to; ids beyond are as if they were not
 * there.
 */
enum { THREAD_ANCESTORS = 20000 };

struct thread;

/* Freed with thread_free(). */
struct thread *thread_new(enum thread_algorithm algorithm);
void thread_free(struct thread *thread);

/*
 * Add the next message; ascending by sequence number. Nothing of it is referred to afterwards.
 * Returns false: there are LIMIT_THREAD_MESSAGES already.
 */
_must_check_ bool thread_add(struct thread *thread, const struct thread_message *message);

/*
 * All are there: make the tree. moves: how many messages may still be looked at; counted down.
 * Returns true: it is made; false: call again.
 */
_must_check_ bool thread_build(struct thread *thread, size_t *moves);

/* The tree as THREAD shows it, token by token: RFC 5256 section 4. */
enum thread_token {
	THREAD_OPEN,   /* "(" */
	THREAD_NUMBER, /* a message */
	THREAD_SPACE,  /* " " */
	THREAD_CLOSE,  /* ")" */
	THREAD_END,    /* behind the last thread */
};

/* Take the next token; after thread_build(). *ret_number is set with THREAD_NUMBER. */
enum thread_token thread_next(struct thread *thread, uint32_t *ret_number);
