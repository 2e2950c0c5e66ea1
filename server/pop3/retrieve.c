/*
 * RETR and TOP: a message goes from the file to the output in chunks, dot-stuffed where it lies. A reply that was begun ends
 * with "." only if the whole message was sent: a file that shrinks meanwhile ends the connection, so that no client takes
 * half a message for a whole one.
 *
 * UTF-8 mode makes no difference: a message with raw UTF-8 in its header is sent as it is, with or without UTF8. Without it,
 * RFC 6856 section 2.1 asks for a surrogate or -ERR. This is a deliberate deviation: the mail is in the maildrop already, and was
 * always served like this; hardly any client says UTF8; one that is refused a message would stop at it for ever, and a
 * surrogate would break signatures and sizes. Section 2.1's own aim, that nothing unreadable is sent, is met: it is what was received.
 */
#include "server/pop3/command.h"

#include "base/must.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { TOP_CHUNK_BYTES = 8 * 1024 }; /* of what TOP reads too much, at most */

/* Open the message, or tell the client why not. */
static bool open_message(struct pop3 *pop3, struct buf *out)
{
	const struct maildrop_message *message = pop3_message(pop3, out);

	if (!message)
		return false;

	int r = reader_open(maildrop_mailbox(pop3->maildrop), message->msg_uid, &pop3->run.reader);

	if (r == -ENOENT) {
		pop3_err(pop3, out, NULL, TEXT_GONE);
		return false;
	}
	if (r < 0) {
		log_line(pop3->settings.log, LOG_PRIORITY_WARNING,
			"user=%s: cannot open the message with UID %" PRIu32 ": %s",
			pop3->settings.user, message->msg_uid, strerror(-r));
		pop3_err(pop3, out, "SYS/TEMP", TEXT_UNREADABLE);
		return false;
	}
	pop3->run.range = (struct reader_range){
		.end = reader_file_size(pop3->run.reader),
		.left_octets = UINT64_MAX, /* to its end: nothing was promised but the message */
	};
	return true;
}

static enum pop3_progress send_fault(struct pop3 *pop3, int r)
{
	log_line(pop3->settings.log, LOG_PRIORITY_ERROR,
		"user=%s: message with UID %" PRIu32 " changed or failed while it was sent: %s",
		pop3->settings.user,
		maildrop_message(pop3->maildrop, pop3->run.arguments.msgno)->msg_uid, strerror(-r));
	pop3->engine.reason = CLOSE_MAILBOX_FAULT;
	return POP3_CLOSE;
}

static enum pop3_progress end_message(struct pop3 *pop3, struct buf *out)
{
	must(dot_stuff_end(&pop3->run.stuff, out) == 0);
	return POP3_DONE;
}

enum pop3_progress pop3_run_retr(struct pop3 *pop3, struct buf *out, struct work *work)
{
	struct pop3_run *run = &pop3->run;

	if (!run->is_begun) {
		if (!open_message(pop3, out))
			return POP3_DONE;
		run->is_begun = true;
		pop3_okf(pop3, out, TEXT_MESSAGE, "%" PRIu64,
			maildrop_message(pop3->maildrop, run->arguments.msgno)->octets);
	}

	size_t from = out->n;
	int r = reader_send(run->reader, &run->range, out, LIMIT_OUTPUT_HIGH_WATER_BYTES, work);

	must(dot_stuff_tail(&run->stuff, out, from) == 0);
	if (r == -EINPROGRESS)
		return POP3_YIELD;
	if (r < 0)
		return send_fault(pop3, r);
	maildrop_retrieved(pop3->maildrop, run->arguments.msgno);
	return end_message(pop3, out);
}

/* One chunk, cut where the answer ends. Returns as reader_send(). */
static int send_top_chunk(struct pop3_run *run, struct buf *out, struct work *work)
{
	size_t from = out->n, high_water = from + TOP_CHUNK_BYTES;

	if (high_water > LIMIT_OUTPUT_HIGH_WATER_BYTES)
		high_water = LIMIT_OUTPUT_HIGH_WATER_BYTES;

	int r = reader_send(run->reader, &run->range, out, high_water, work);
	struct slice chunk = slice_tail(buf_slice(out), from);

	buf_truncate(out, from + top_take(&run->top, chunk));
	must(dot_stuff_tail(&run->stuff, out, from) == 0);
	if (work->budget > 0)
		work->budget--; /* chunks are smaller than a unit: each counts as one */
	return r;
}

enum pop3_progress pop3_run_top(struct pop3 *pop3, struct buf *out, struct work *work)
{
	struct pop3_run *run = &pop3->run;

	if (!run->is_begun) {
		if (!open_message(pop3, out))
			return POP3_DONE;
		run->is_begun = true;
		run->top = top_start(run->arguments.lines);
		pop3_ok(pop3, out, TEXT_TOP);
	}
	while (out->n < LIMIT_OUTPUT_HIGH_WATER_BYTES && work->budget > 0) {
		int r = send_top_chunk(run, out, work);

		if (run->top.is_done || r == 0)
			return end_message(pop3, out);
		if (r != -EINPROGRESS)
			return send_fault(pop3, r);
	}
	return POP3_YIELD;
}
