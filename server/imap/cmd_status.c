#include "server/imap/cmd_status.h"

#include "server/imap/connection.h"
#include "server/imap/status_look.h"

#include <errno.h>

void end_status(struct imap *imap)
{
	struct status_look *look = imap->command.progress;

	if (look)
		status_look_end(look);
}

static int begin_status(struct imap *imap)
{
	const struct status_arguments *a = &imap->command.arguments.status;
	struct status_look *look = arena_alloc(&imap->arena, sizeof *look);

	if (a->items & STATUS_HIGHESTMODSEQ)
		connection_enable_condstore(imap);
	look->items = a->items;
	imap->command.progress = look;
	return status_look_begin(imap, look, connection_name(imap, a->name));
}

/* Another program deleted it since it was opened, or made it anew: what has the name now counts. */
static enum run reopen(struct imap *imap, struct status_look *look)
{
	unsigned reopened = look->reopened + 1;

	status_look_end(look);

	int r = status_look_begin(
		imap, look, connection_name(imap, imap->command.arguments.status.name));

	look->reopened = reopened;
	return r < 0 ? imap_failed(imap, r) : RUN_STEP;
}

enum run cmd_status(struct imap *imap)
{
	int r = imap->command.progress ? 0 : begin_status(imap);
	struct status_look *look = imap->command.progress;

	if (r < 0)
		return imap_failed(imap, r);

	enum run run = status_look_run(imap, look, &r);

	if (run != RUN_DONE)
		return run;
	if (r == -ESTALE && look->reopened < LIMIT_REOPENS)
		return reopen(imap, look);
	if (r < 0)
		return imap_failed(imap, r);
	status_look_write(imap, look, look->items);
	return imap_ok(imap, NULL, NULL);
}
