/* client.h - one client's dialogue in a session: the channel on one side, an engine on the other. No event loop in it. */
#pragma once

#include "base/log.h"
#include "base/service.h"
#include "maildir/store.h"
#include "server/ipc/channel.h"
#include "server/ipc/frames.h"
#include "server/wire/engine.h"

/*
 *   OPENING ──verdict sent──▶ SERVING ──close, or bye──▶ FLUSHING ──CLOSE sent──▶ LINGERING
 *      │                         │                          │                       │
 *      └─────────────────────────┴─────────────┬────────────┴───────────────────────┘
 *                                              ▼
 *                                            OVER
 *
 * OPENING   a POP3 maildrop is being read, or the verdict does not fit the channel yet
 * FLUSHING  the engine is freed already (so a maildrop's lock is free before the client reads the
 *           answer to QUIT); what it put out is being sent
 * LINGERING everything is on its way: wait for the front to close its end
 * OVER      from LINGERING; else the channel broke, or its rules were, or nothing moved for too long
 */
struct client;

/* What the session lends to all its connections. Outlives them. */
struct client_host {
	struct store *store; /* NULL: it could not be opened; every connection is told so */
	const struct log *log;
	const char *version;
	const char *admin; /* a URI, or "" */
};

/* What the event loop is to do for a connection now. */
struct client_wants {
	bool read, write;   /* watch the channel for these */
	bool run;           /* it has work: give it a time slice */
	bool over;          /* free it */
	uint64_t wake_usec; /* monotonic: run it then, at the latest; UINT64_MAX: never */
};

/* For `restantectl who`. */
struct client_facts {
	uint64_t login_id;
	uint64_t idle_usec;
	uint64_t commands;
	bool is_idling; /* in IDLE: changes of the mailbox must be told without being asked for */
};

/*
 * Take a channel over and begin: the first frame that goes out is the verdict.
 * fd   handed over.
 */
struct client *client_new(
	const struct client_host *host, const struct frame_adopt *adopt, int fd, uint64_t now_usec);

/* Close the channel, release the maildrop, log how it went. The caller has taken the descriptor out of its event loop before. */
void client_free(struct client *client);

int client_fd(const struct client *client);

/* Take in what the front sent. now_usec: monotonic, here and below. */
void client_read(struct client *client, uint64_t now_usec);

/* Send what waits. */
void client_write(struct client *client, uint64_t now_usec);

/*
 * Let the engine work for one time slice (CLIENT_SLICE_USEC), send what it puts out, and look at what is due.
 * Returns the number of commands run.
 */
uint64_t client_run(struct client *client, uint64_t now_usec);

enum { CLIENT_SLICE_USEC = 10000 };

/* Say that a mailbox may have changed: client_run() has something to do again. */
void client_poke(struct client *client);

/* Say goodbye: the client is told, pending work is dropped. */
void client_bye(struct client *client, enum close_reason reason, uint64_t now_usec);

struct client_wants client_wants(const struct client *client);
struct client_facts client_facts(const struct client *client, uint64_t now_usec);

/* Append what the connection is doing. */
void client_describe(const struct client *client, struct buf *out);
