#include "server/imap/fetch_beside.h"

#include "base/must.h"
#include "server/imap/cmd_fetch.h"

enum { FLAGS = COMMAND_WAITS | COMMAND_UNASKED };

/* By sequence number UID is told where it is asked for, or all news has it. */
static const struct command_type types[] = {
	[false] = { "FETCH", 1 << IMAP_SELECTED, FLAGS, NULL, cmd_fetch, end_fetch, "5465 5.2, 7" },
	[true] = { "UID FETCH", 1 << IMAP_SELECTED, FLAGS | COMMAND_BY_UID, NULL, cmd_fetch, end_fetch,
		"5465 7" },
};

void fetch_beside_begin(struct fetch_beside *beside, const struct fetch_arguments *items,
	struct slice set, bool by_uid)
{
	must(!beside->command.type);
	beside->command = (struct command){ .type = &types[by_uid] };
	beside->command.arguments.fetch = *items;
	beside->command.arguments.fetch.set = set;
}

bool fetch_beside_is_busy(const struct fetch_beside *beside)
{
	return beside->command.type != NULL;
}

static void swap_command(struct imap *imap, struct fetch_beside *beside)
{
	struct command command = imap->command;
	struct arena arena = imap->arena;

	imap->command = beside->command;
	imap->arena = beside->arena;
	beside->command = command;
	beside->arena = arena;
}

void fetch_beside_end(struct imap *imap, struct fetch_beside *beside)
{
	if (!beside->command.type)
		return;
	swap_command(imap, beside);
	end_fetch(imap);
	swap_command(imap, beside);
	beside->command = (struct command){ 0 };
	arena_done(&beside->arena);
}

enum run fetch_beside_run(struct imap *imap, struct fetch_beside *beside)
{
	enum run run;

	if (!beside->command.type)
		return RUN_DONE;
	swap_command(imap, beside);
	run = cmd_fetch(imap);
	swap_command(imap, beside);
	if (run == RUN_DONE)
		fetch_beside_end(imap, beside);
	return run;
}
