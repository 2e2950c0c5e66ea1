#include "server/imap/cmd_notify.h"

#include "server/imap/connection.h"
#include "server/imap/notify.h"

#include <errno.h>

struct notify_progress {
	struct notify *notify; /* not in use yet */
};

void end_notify(struct imap *imap)
{
	struct notify_progress *p = imap->command.progress;

	if (p && p->notify)
		notify_free(imap, p->notify);
}

static enum run begin_notify(struct imap *imap)
{
	const struct notify_arguments *a = &imap->command.arguments.notify;
	struct notify_progress *p = arena_alloc(&imap->arena, sizeof *p);

	if (a->unknown_event) {
		struct slice code =
			arena_format(&imap->arena, "BADEVENT (%s)", NOTIFY_EVENT_NAMES);

		return imap_no(imap, arena_str(&imap->arena, code), "There is no such event here");
	}

	int r = notify_new(imap, a, &p->notify);

	if (r == -E2BIG)
		return imap_no(imap, "NOTIFICATIONOVERFLOW", "Too many mailboxes");
	if (r < 0)
		return imap_failed(imap, r);
	imap->command.progress = p;
	return RUN_STEP;
}

enum run cmd_notify(struct imap *imap)
{
	enum run run = imap->command.progress ? RUN_STEP : begin_notify(imap);
	struct notify_progress *p = imap->command.progress;

	if (run != RUN_STEP)
		return run;
	run = notify_prepare(imap, p->notify);
	if (run != RUN_DONE)
		return run;
	notify_use(imap, p->notify);
	p->notify = NULL;
	return imap_ok(imap, NULL, NULL);
}
