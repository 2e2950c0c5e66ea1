/* status.h - the shared memory in which processes count what they do: a region each, written by its owner alone. */
#pragma once

#include "base/address.h"
#include "base/cleanup.h"
#include "base/hash.h"

/*
 * The master makes one memfd: a head (a hash key, written once), slots of STATUS_SLOT_BYTES, n >= 1, and tables of client
 * counts; where each lies is this module's affair. A process maps the region of its own slot for writing; a front also maps all
 * of it for reading, because limits on a client's connections add up what all fronts have. Nobody but `restantectl`,
 * the master's status verb and these limits reads it, and nothing is decided on what a session writes.
 */
enum {
	STATUS_SLOT_BYTES = 4096,
	STATUS_FRONTS = 128,         /* slots 1 to 128 are fronts'; each also owns a table of client counts */
	STATUS_CLIENT_COUNTS = 8192, /* counters in a front's table */
	STATUS_SLOTS = 65536,
};

enum status_counter {
	/* front */
	STATUS_CONNECTIONS_IMAPS, STATUS_CONNECTIONS_IMAP, STATUS_CONNECTIONS_POP3S, STATUS_CONNECTIONS_POP3, /* open now, in enum service order */
	STATUS_RELAYING,             /* of these, logged in */
	STATUS_ACCEPTED, STATUS_REFUSED_LIMIT, STATUS_HANDSHAKES, STATUS_HANDSHAKES_RESUMED, STATUS_HANDSHAKES_FAILED,
	STATUS_CLEAR_ATTEMPTS,       /* credentials offered in the clear */
	STATUS_BYTES_FROM_CLIENTS, STATUS_BYTES_TO_CLIENTS,
	/* auth worker */
	STATUS_VERIFIED_OK, STATUS_VERIFIED_FAILED,
	/* session */
	STATUS_COMMANDS,
	STATUS_COUNTER_COUNT,
};

/* What lies at the start of a slot. */
struct status_slot {
	uint64_t counters[STATUS_COUNTER_COUNT];
};

/* The mapping of one process. */
struct status {
	struct status_slot *own;     /* never NULL: without a memfd it points to private memory */
	uint16_t *own_clients;       /* a front's table of client counts, or NULL */
	const char *all;             /* everything, for reading: fronts and the master; else NULL */
	uint8_t key[HASH_KEY_BYTES];
	uint32_t slot;
};

/* Make the shared memory. Returns 0 and a close-on-exec descriptor, or -errno. */
_must_check_ int status_create(int *ret_fd);

/* Map as the process of a slot (1 to STATUS_SLOTS - 1; 0: the master, which reads all). fd stays the caller's. Returns 0 or -errno. */
_must_check_ int status_map(int fd, uint32_t slot, struct status *ret_status);

/* Zero a slot (and its client counts) before it is used again. fd as from status_create(). For the master. */
void status_clear_slot(int fd, uint32_t slot);

/* Add to one of our own counters. */
static inline void status_add(struct status *status, enum status_counter counter, int64_t n)
{
	__atomic_fetch_add(&status->own->counters[counter], (uint64_t)n, __ATOMIC_RELAXED);
}

/* Read a counter of a slot; needs a mapping of all. */
uint64_t status_read(const struct status *status, uint32_t slot, enum status_counter counter);

/* Count a connection of a client in (+1) or out (-1) of our own table. */
void status_count_client(struct status *status, const struct address *client, int n);

/* How many connections a client has, over all fronts (by keyed hash: strangers that share a counter are counted together). */
unsigned status_client_connections(const struct status *status, const struct address *client);

/* How many connections all fronts have. */
uint64_t status_connections(const struct status *status);
