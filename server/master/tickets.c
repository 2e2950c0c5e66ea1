#include "server/master/tickets.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int tickets_rotate(struct tickets *tickets)
{
	uint8_t key[TICKET_KEY_BYTES];
	ssize_t got = getrandom(key, sizeof key, 0); /* up to 256 bytes come whole */

	if (got != (ssize_t)sizeof key)
		return got < 0 ? -errno : -EIO;
	memmove(tickets->keys + TICKET_KEY_BYTES, tickets->keys, sizeof tickets->keys - TICKET_KEY_BYTES);
	memcpy(tickets->keys, key, sizeof key);
	explicit_bzero(key, sizeof key);
	if (tickets->n < TICKET_KEYS)
		tickets->n++;
	return 0;
}

struct frame tickets_frame(const struct tickets *tickets)
{
	return (struct frame){
		.kind = FRAME_TICKET_KEYS,
		.ticket_keys.keys = slice_from(tickets->keys, tickets->n * TICKET_KEY_BYTES),
	};
}

void tickets_done(struct tickets *tickets)
{
	explicit_bzero(tickets, sizeof *tickets);
}
