/* queue.h - logins waiting for an auth worker, served fairly: round the fronts, in a front round its clients, of a client in order. Pure. */
#pragma once

#include "base/address.h"
#include "base/cleanup.h"

struct queue_front;
struct queue_client;

/* What waits; part of the caller's struct. All zeros: not queued. */
struct queue_entry {
	struct queue_entry *prev, *next;
	struct queue_client *client; /* NULL: not queued */
};

/*
 * A client is an address without its port, of IPv6 its first 64 bits (address_client()). One client gets at most
 * an eighth of the queue, so that it cannot shut out the others.
 */
struct queue {
	struct queue_front *fronts; /* the next one first */
	size_t n;
};

/*
 * Queue entry at the end of its client's line.
 * front    which front sent it: any number that is its own.
 * max      how many entries may wait in all.
 * Returns  0, or -EAGAIN: the queue, or this client's share of it, is full.
 * Owns     entry stays the caller's, queued until queue_pop() gives it back or queue_remove().
 */
_must_check_ int queue_push(struct queue *queue, struct queue_entry *entry, uint32_t front, const struct address *address,
	size_t max);

/* Take the entry whose turn it is; NULL if none waits. */
struct queue_entry *queue_pop(struct queue *queue);

/* Take an entry out of its place; nothing happens if it is not queued. */
void queue_remove(struct queue *queue, struct queue_entry *entry);
