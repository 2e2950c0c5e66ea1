#include "server/imap/cmd_idle.h"

#include "server/imap/connection.h"

/* Not to a client that NOTIFY has told to be quiet. RFC 5465 section 4. */
static bool tells_selected(const struct imap *imap)
{
	return imap->view && notify_wants_selected(imap);
}

static void begin_idle(struct imap *imap)
{
	imap->engine.idling = true;
	message_file_close(&imap->file); /* a quiet connection holds no file open */
	frame_imap_shrink(&imap->frame);
	write_raw(&imap->out, SLICE("+ idling\r\n"));
	if (tells_selected(imap))
		updates_begin(imap, true);
}

static enum run ended(struct imap *imap, enum frame_event event)
{
	imap->engine.idling = false;
	if (event == FRAME_COMMAND &&
		slice_equal_nocase(buf_slice(&imap->frame.command), SLICE("DONE")))
		return imap_ok(imap, NULL, NULL);
	return imap_bad(imap, "Expected DONE");
}

/* The next line, if it has come. */
static enum run read_done(struct imap *imap)
{
	for (;;) {
		enum frame_event event = frame_imap_next(&imap->frame, imap->io->in);

		switch (event) {
		case FRAME_MORE:
			return imap->io->in_eof ? imap_close(imap, CLOSE_CLIENT_GONE) : RUN_INPUT;
		case FRAME_COMMAND:
		case FRAME_SKIPPED:
			return ended(imap, event);
		case FRAME_LITERAL:
			frame_imap_refuse(&imap->frame);
			break;
		case FRAME_TOO_LONG:
			break;
		case FRAME_OVERFLOW:
			return imap_close(imap, CLOSE_LIMIT);
		}
	}
}

enum run cmd_idle(struct imap *imap)
{
	enum run run = RUN_DONE;

	if (!imap->engine.idling)
		begin_idle(imap);
	if (tells_selected(imap) && !notify_is_busy(imap))
		run = updates_run(imap);
	if (run == RUN_DONE)
		run = notify_run(imap);
	if (run != RUN_DONE)
		return run;
	run = read_done(imap);
	if (run != RUN_INPUT || !tells_selected(imap))
		return run;

	uint64_t retry_usec =
		imap->updates
			.locked_usec; /* news that wait for a lock: nothing else may wake us for them */

	updates_begin(imap, true); /* the next step begins with a look at the mailbox */
	if (retry_usec == 0)
		return RUN_INPUT;
	imap->io->retry_usec = retry_usec;
	return RUN_RETRY;
}
