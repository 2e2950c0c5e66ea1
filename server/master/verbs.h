/* verbs.h - what each verb of the control socket answers. */
#pragma once

#include "server/master/control.h"

/*
 * status                     tables: server, problems, listeners, pools, generations, processes, connections, counters, logins, certificates
 * who                        table: who
 * kick TAB user TAB NAME     a message, or an error if the user has no connection
 * kick TAB id TAB NUMBER     the same for one connection, by its id in `who`
 * reload                     when it is over: a message, or each problem as an error
 */
struct verb {
	const char *name;
	size_t min_arguments, max_arguments;
	/* Either completes the reply, or sets client->wait and returns: settling completes it later. */
	void (*run)(struct master *m, struct control_client *client, const struct slice *arguments, size_t n);
};

/* Find a verb; NULL: none of that name. */
const struct verb *verb_find(struct slice name);

/* What a client waited for has come: complete its reply. */
void verb_who_complete(struct master *m, struct control_client *client);
void verb_reload_complete(struct master *m, struct control_client *client);
