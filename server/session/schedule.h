/* schedule.h - the connections of a session in its event loop: who is watched, who runs next, who hears of a change. */
#pragma once

#include "server/ipc/status.h"
#include "server/session/client.h"

struct ev_loop;

/*
 * Connections that have work take turns, one time slice each; events are looked at between the rounds. When a step changed a
 * mailbox, or the directories of one changed while somebody is in IDLE, every other connection is stepped too.
 */
struct schedule;

struct schedule_settings {
	struct ev_loop *loop;
	const struct log *log;
	struct status *status;                         /* commands are counted there */
	void (*on_over)(void *arg, uint64_t login_id); /* a connection ended and was freed */
	void *arg;
};

struct schedule *schedule_new(const struct schedule_settings *settings);
/* Free all connections, without a word, and the schedule. */
void schedule_free(struct schedule *schedule);

/* Whose changes to look at; NULL until known. Outlives the schedule. */
void schedule_set_store(struct schedule *schedule, struct store *store);

/* Add a connection, handed over. */
void schedule_add(struct schedule *schedule, struct client *client);

size_t schedule_count(const struct schedule *schedule);

/* Say goodbye on all connections, or on that of a login (false: there is none). */
void schedule_bye_all(struct schedule *schedule, enum close_reason reason);
bool schedule_bye(struct schedule *schedule, uint64_t login_id, enum close_reason reason);

/* Call tell for each connection. */
void schedule_each(
	struct schedule *schedule, void (*tell)(void *arg, const struct client *client), void *arg);
