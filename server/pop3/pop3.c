/*
 *   AUTHORIZATION ──maildrop open──▶ TRANSACTION ──QUIT──▶ UPDATE ──▶ closed
 *
 * Whatever else ends a connection (end of input, an error, bye) goes past UPDATE: nothing is removed. Commands run one after
 * the other; while one is in progress, what the client pipelined behind it stays in the input.
 */
#include "server/pop3/command.h"

#include "base/must.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum { ERRORS_MAX = 20 }; /* in a row */

static struct pop3 *pop3_of(struct engine *engine)
{
	return (struct pop3 *)engine; /* it is the first member */
}

void pop3_addf(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);

	int r = buf_vaddf(out, format, args);

	va_end(args);
	must(r == 0);
}

void pop3_ok(struct pop3 *pop3, struct buf *out, enum pop3_text text)
{
	pop3_addf(out, "+OK %s\r\n", pop3_text(pop3->language, text));
}

void pop3_err(struct pop3 *pop3, struct buf *out, const char *code, enum pop3_text text)
{
	if (code)
		pop3_addf(out, "-ERR [%s] %s\r\n", code, pop3_text(pop3->language, text));
	else
		pop3_addf(out, "-ERR %s\r\n", pop3_text(pop3->language, text));
}

void pop3_okf(struct pop3 *pop3, struct buf *out, enum pop3_text text, const char *format, ...)
{
	va_list args;

	pop3_addf(out, "+OK ");
	va_start(args, format);

	int r = buf_vaddf(out, format, args);

	va_end(args);
	must(r == 0);
	pop3_addf(out, " %s\r\n", pop3_text(pop3->language, text));
}

const struct maildrop_message *pop3_message(struct pop3 *pop3, struct buf *out)
{
	uint32_t msgno = pop3->run.arguments.msgno;

	if (msgno < 1 || msgno > maildrop_count(pop3->maildrop)) {
		pop3_err(pop3, out, NULL, TEXT_NO_SUCH_MESSAGE);
		return NULL;
	}

	const struct maildrop_message *message = maildrop_message(pop3->maildrop, msgno);

	if (message->is_deleted) {
		pop3_err(pop3, out, NULL, TEXT_ALREADY_DELETED);
		return NULL;
	}
	return message;
}

void pop3_run_done(struct pop3_run *run)
{
	if (run->reader)
		reader_close(run->reader);
	*run = (struct pop3_run){ .stuff = DOT_STUFF_START };
}

static enum engine_wants close_with(struct pop3 *pop3, enum close_reason reason)
{
	pop3->engine.reason = reason;
	return ENGINE_CLOSE;
}

static enum engine_wants open_maildrop(struct pop3 *pop3, struct engine_io *io, struct work *work)
{
	int r = maildrop_open(pop3->maildrop, work);

	if (r == -EINPROGRESS)
		return ENGINE_STEP;
	if (r == -EAGAIN) {
		io->retry_usec = work->retry_usec;
		return ENGINE_RETRY;
	}
	pop3->opened = r;
	if (r < 0)
		return close_with(pop3, CLOSE_MAILBOX_FAULT);
	pop3->state = POP3_TRANSACTION;
	return io->in->n > 0 || io->in_eof ? ENGINE_STEP : ENGINE_INPUT;
}

/* A command that is none. The client has a way back, but not for ever. */
static void refuse(struct pop3 *pop3, struct buf *out, enum pop3_text text)
{
	pop3->errors_in_a_row++;
	pop3_err(pop3, out, NULL, text);
}

/* Make the command of a line the one in progress, or refuse it. */
static void take_command(struct pop3 *pop3, struct slice line, struct buf *out)
{
	struct slice keyword;
	const struct pop3_command *command = NULL;

	if (pop3_parse_keyword(&line, &keyword) == PARSE_OK)
		command = pop3_command_find(keyword);
	if (!command) {
		refuse(pop3, out, TEXT_UNKNOWN_COMMAND);
		return;
	}
	if (!(command->states & 1u << pop3->state)) {
		refuse(pop3, out, TEXT_ALREADY_LOGGED_IN);
		return;
	}
	pop3_run_done(&pop3->run);
	if (command->parse(line, &pop3->run.arguments) != PARSE_OK) {
		refuse(pop3, out, TEXT_BAD_ARGUMENTS);
		return;
	}
	pop3->errors_in_a_row = 0;
	pop3->command = command;
}

/* Look for the next command. ENGINE_STEP: go on; else what to wait for. */
static enum engine_wants next_command(struct pop3 *pop3, struct engine_io *io)
{
	struct slice line;

	switch (pop3_line_next(&pop3->line, io->in, &line)) {
	case POP3_LINE_OK:
		pop3->engine.commands++;
		take_command(pop3, line, io->out);
		break;
	case POP3_LINE_TOO_LONG:
		refuse(pop3, io->out, TEXT_LINE_TOO_LONG);
		break;
	case POP3_LINE_FLOOD:
		pop3_err(pop3, io->out, NULL, TEXT_LINE_TOO_LONG);
		return close_with(pop3, CLOSE_LIMIT);
	case POP3_LINE_MORE:
		return io->in_eof ? close_with(pop3, CLOSE_CLIENT_GONE) : ENGINE_INPUT;
	}
	if (pop3->errors_in_a_row < ERRORS_MAX)
		return ENGINE_STEP;
	pop3_err(pop3, io->out, NULL, TEXT_TOO_MANY_ERRORS);
	return close_with(pop3, CLOSE_BAD_COMMANDS);
}

/* Go on with the command in progress. ENGINE_STEP: it is over; else what to wait for. */
static enum engine_wants run_command(struct pop3 *pop3, struct engine_io *io, struct work *work)
{
	switch (pop3->command->run(pop3, io->out, work)) {
	case POP3_DONE:
		pop3->command = NULL;
		pop3_run_done(&pop3->run);
		return ENGINE_STEP;
	case POP3_YIELD:
		return io->out->n >= LIMIT_OUTPUT_HIGH_WATER_BYTES ? ENGINE_OUTPUT : ENGINE_STEP;
	case POP3_RETRY:
		io->retry_usec = work->retry_usec;
		return ENGINE_RETRY;
	case POP3_CLOSE:
		break;
	}
	return ENGINE_CLOSE;
}

static enum engine_wants pop3_step(struct engine *engine, struct engine_io *io)
{
	struct pop3 *pop3 = pop3_of(engine);
	struct work work = { .now_usec = io->now_usec, .budget = io->budget };

	if (engine->reason != CLOSE_NOT_YET)
		return ENGINE_CLOSE; /* once over, over */
	if (pop3->state == POP3_AUTHORIZATION)
		return open_maildrop(pop3, io, &work);
	for (;;) {
		if (io->out->n >= LIMIT_OUTPUT_HIGH_WATER_BYTES)
			return ENGINE_OUTPUT;
		if (work.budget == 0)
			return ENGINE_STEP;

		enum engine_wants wants =
			pop3->command ? run_command(pop3, io, &work) : next_command(pop3, io);

		if (wants != ENGINE_STEP)
			return wants;
		if (work.budget > 0)
			work.budget--;
	}
}

/*
 * A timed-out client is told nothing (RFC 1939 section 3), and in the middle of a multiline reply another reply would be
 * taken for a part of it.
 */
static void pop3_bye(struct engine *engine, struct engine_io *io, enum close_reason reason)
{
	struct pop3 *pop3 = pop3_of(engine);
	bool is_in_reply = pop3->command && pop3->run.is_begun;

	pop3->engine.reason = reason;
	pop3->command = NULL;
	pop3_run_done(&pop3->run);
	if (is_in_reply || pop3->state == POP3_AUTHORIZATION)
		return;
	if (reason == CLOSE_SHUTDOWN)
		pop3_err(pop3, io->out, "SYS/TEMP", TEXT_SHUTDOWN);
	else if (reason == CLOSE_KICKED)
		pop3_err(pop3, io->out, "SYS/TEMP", TEXT_KICKED);
	else if (reason == CLOSE_MAILBOX_FAULT)
		pop3_err(pop3, io->out, "SYS/TEMP", TEXT_MAILDROP_FAULT);
}

static void pop3_describe(const struct engine *engine, struct buf *out)
{
	const struct pop3 *pop3 = (const struct pop3 *)engine;

	if (pop3->state == POP3_AUTHORIZATION)
		pop3_addf(out, "opening the maildrop");
	else if (!pop3->command)
		pop3_addf(out, "maildrop of %" PRIu32, maildrop_count(pop3->maildrop));
	else if (pop3->run.arguments.has_msgno)
		pop3_addf(out, "%s %" PRIu32, pop3->command->name, pop3->run.arguments.msgno);
	else
		pop3_addf(out, "%s", pop3->command->name);
}

static void pop3_free(struct engine *engine)
{
	struct pop3 *pop3 = pop3_of(engine);

	pop3_run_done(&pop3->run);
	maildrop_free(pop3->maildrop);
	free(pop3);
}

static const struct engine_type pop3_type = {
	.name = "pop3",
	.step = pop3_step,
	.bye = pop3_bye,
	.describe = pop3_describe,
	.free = pop3_free,
};

struct engine *pop3_new(const struct pop3_settings *settings)
{
	struct pop3 *pop3 = malloc(sizeof *pop3);

	must(pop3 != NULL);
	*pop3 = (struct pop3){
		.engine = { .type = &pop3_type },
		.settings = *settings,
		.maildrop = maildrop_new(settings->store, settings->log, settings->user),
		.state = POP3_AUTHORIZATION,
		.opened = -EINPROGRESS,
	};
	return &pop3->engine;
}

int pop3_opened(const struct engine *engine, uint32_t *ret_messages, uint64_t *ret_octets)
{
	const struct pop3 *pop3 = (const struct pop3 *)engine;

	must(engine->type == &pop3_type);
	if (pop3->opened == 0) {
		*ret_messages = maildrop_count(pop3->maildrop);
		*ret_octets = maildrop_octets(pop3->maildrop);
	}
	return pop3->opened;
}
