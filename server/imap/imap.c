/*
 * The engine: reads commands, runs them one after the other, tells changes behind each, and answers.
 *
 *   READ ──whole command──▶ RUN ──done──▶ UPDATES ──told──▶ ANSWER ──▶ READ
 *     └── cannot be run, or was skipped ─────────────────────▲ └─ LOGOUT, too many BAD ──▶ CLOSED
 */
#include "server/imap/imap.h"

#include "base/must.h"
#include "maildir/events.h"
#include "server/imap/connection.h"
#include "server/wire/token.h"

#include <stdlib.h>

enum { TAG_MAX_BYTES = 1024 }; /* a longer one is no tag of a client, but of somebody trying */

static const struct frame_imap_limits limits = {
	.line_bytes = LIMIT_COMMAND_LINE_BYTES,
	.literal_bytes = LIMIT_COMMAND_LITERAL_BYTES,
	.skip_bytes = LIMIT_SKIP_BYTES,
};

static struct imap *imap_of(struct engine *engine)
{
	return (struct imap *)engine; /* its first member */
}

/* Forget the command: all of it was answered, or never will be. */
static void end_command(struct imap *imap)
{
	if (imap->command.type && imap->command.type->end)
		imap->command.type->end(imap);
	imap->command = (struct command){ 0 };
	arena_reset(&imap->arena);
}

/* Take tag and command name from the beginning of a command, as far as they are there. */
static void take_names(struct imap *imap, struct slice *in)
{
	struct command *command = &imap->command;
	struct slice s = *in, tag;

	if (token_tag(&s, &tag) != PARSE_OK || tag.n > TAG_MAX_BYTES || token_space(&s) != PARSE_OK)
		return;
	command->tag = arena_copy(&imap->arena, tag);
	command->type = command_take(&s);
	*in = s;
}

static bool is_allowed(const struct imap *imap)
{
	return imap->command.type->states & 1u << imap->state;
}

/* Why the command cannot be run in this state. RFC 9051 section 3. */
static const char *not_allowed(const struct imap *imap)
{
	unsigned states = imap->command.type->states;

	if (states & 1u << IMAP_SELECTED)
		return "No mailbox is selected";
	return "You are logged in already";
}

/* Parse the arguments; the command is completed where it cannot be run. */
static enum parse parse_arguments(struct imap *imap, struct slice *in)
{
	struct grammar grammar = { .arena = &imap->arena, .enabled = imap->enabled };
	struct command *command = &imap->command;
	unsigned flags = command->type->flags;
	enum parse parse;

	if ((flags & (COMMAND_NO_EXPUNGE | COMMAND_BY_NUMBER)) &&
		(imap->enabled & ENABLED_UIDONLY)) {
		(void)imap_uidrequired(imap);
		return PARSE_BAD;
	}
	parse = command->type->parse(in, &grammar, &command->arguments);
	if (parse == PARSE_BAD)
		(void)imap_fault(imap, &grammar);
	if (parse != PARSE_OK)
		return parse;
	command->holds_expunges = grammar.seqnums || (flags & COMMAND_NO_EXPUNGE);
	if (!(flags & COMMAND_READ_WRITE) || imap->read_write)
		return PARSE_OK;
	(void)imap_no(imap, "READ-ONLY", "The mailbox was opened read-only, by EXAMINE");
	return PARSE_BAD;
}

static void run_begins(struct imap *imap)
{
	imap->engine.commands++;
	imap->phase = PHASE_RUN;
}

/* Decide about a whole command. It is completed at once where it cannot be run. */
static enum run begin_command(struct imap *imap)
{
	struct slice in = buf_slice(&imap->frame.command);
	struct command *command = &imap->command;
	enum parse parse;

	take_names(imap, &in);
	if (command->tag.n == 0)
		return imap_bad(imap, "Expected a tag and a command");
	if (!command->type)
		return imap_bad(imap, "Unknown command");
	if (!is_allowed(imap))
		return imap_bad(imap, not_allowed(imap));
	parse = parse_arguments(imap, &in);
	if (parse == PARSE_OK)
		run_begins(imap);
	else if (parse == PARSE_MORE) /* a literal in a literal: nothing more will come */
		return imap_bad(imap, "Syntax error in the arguments");
	return RUN_DONE;
}

/* Whether the literal is a message: then the command begins to run now, and takes it; or it was refused with its command. */
static bool is_message(struct imap *imap, struct slice in)
{
	enum parse parse = parse_arguments(imap, &in);

	if (parse == PARSE_OK)
		run_begins(imap);
	else if (parse == PARSE_BAD)
		frame_imap_refuse(&imap->frame);
	return parse != PARSE_MORE;
}

/* A literal is taken if its command can be run and it fits; else the reason is noted for the answer. */
static void decide_literal(struct imap *imap)
{
	struct frame_imap *frame = &imap->frame;
	struct slice in = buf_slice(&frame->command);
	struct command *command = &imap->command;

	take_names(imap, &in);
	if (!command->type || !is_allowed(imap)) {
		(void)imap_bad(imap, !command->type ? "Unknown command" : not_allowed(imap));
	} else if ((command->type->flags & COMMAND_MESSAGE) && is_message(imap, in)) {
		return;
	} else if (frame->literal.literal8 && !(command->type->flags & COMMAND_LITERAL8)) {
		(void)imap_bad(imap, "This command takes no literal8");
	} else if (!frame_imap_fits(frame)) {
		(void)imap_bad(imap, "Literal is too long");
		command->code = "TOOBIG";
	} else {
		end_command(imap);
		frame_imap_accept(frame);
		if (frame->literal.sync)
			write_raw(&imap->out, SLICE("+ Ready for the literal\r\n"));
		return;
	}
	frame_imap_refuse(frame);
}

static void decide_too_long(struct imap *imap)
{
	struct slice in = buf_slice(&imap->frame.command);

	take_names(imap, &in);
	(void)imap_bad(imap, "Command line is too long");
	imap->command.code = "TOOBIG";
}

/* Nothing more came: tell what is new to a client that listens between commands, too. */
static enum run listen_on(struct imap *imap)
{
	enum run run = notify_run(imap);

	if (run != RUN_DONE)
		return run;
	imap->engine.idling = notify_listens(imap);
	return RUN_INPUT;
}

static enum run read_command(struct imap *imap)
{
	if (imap->io->in->n > 0 && !imap_spend(imap))
		return RUN_STEP;
	switch (frame_imap_next(&imap->frame, imap->io->in)) {
	case FRAME_MORE:
		return imap->io->in_eof ? imap_close(imap, CLOSE_CLIENT_GONE) : listen_on(imap);
	case FRAME_COMMAND:
		imap->phase = PHASE_ANSWER;
		return begin_command(imap);
	case FRAME_LITERAL:
		decide_literal(imap);
		return RUN_DONE;
	case FRAME_TOO_LONG:
		decide_too_long(imap);
		return RUN_DONE;
	case FRAME_SKIPPED:
		imap->phase = PHASE_ANSWER;
		return RUN_DONE;
	case FRAME_OVERFLOW:
		write_raw(&imap->out, SLICE("* BYE [TOOBIG] Too much for one command\r\n"));
		return imap_close(imap, CLOSE_LIMIT);
	}
	return RUN_DONE;
}

/* What a command that takes long came to so far, now and then. RFC 9585. */
static void tell_progress(struct imap *imap)
{
	struct command *command = &imap->command;
	uint64_t now_usec = imap->io->now_usec;
	bool has_tag = slice_find(command->tag, ']') < 0;

	if (command->progress_usec == 0)
		command->progress_usec = now_usec;
	if ((command->type->flags & (COMMAND_WAITS | COMMAND_MESSAGE)) || imap->mid_response ||
		now_usec < command->progress_usec + IMAP_PROGRESS_USEC || imap_output_full(imap))
		return;
	command->progress_usec = now_usec;
	write_raw(&imap->out, SLICE("* OK [INPROGRESS ("));
	if (has_tag)
		write_format(&imap->out, "\"%.*s\"", SLICE_FMT(command->tag));
	else
		write_raw(&imap->out, SLICE("NIL"));
	if (command->items_goal > 0)
		write_format(&imap->out, " %llu %llu",
			(unsigned long long)(command->items_done < command->items_goal
						     ? command->items_done
						     : command->items_goal - 1),
			(unsigned long long)command->items_goal);
	else
		write_raw(&imap->out, SLICE(" NIL NIL"));
	write_raw(&imap->out, SLICE(")] Still working\r\n"));
}

/*
 * Whether changes of the selected mailbox are told behind this command: not to a client that asked for none of them, but
 * for those that it makes itself. RFC 5465 section 3.1.
 */
static bool tells_selected(const struct imap *imap)
{
	return notify_wants_selected(imap) || notify_is_answered(imap) ||
	       (imap->command.type->flags & COMMAND_READ_WRITE);
}

static enum run run_command(struct imap *imap)
{
	const struct command_type *type = imap->command.type;
	enum run run;

	tell_progress(imap);
	run = type->run(imap);
	if (run != RUN_DONE)
		return run;
	if (frame_imap_is_open(&imap->frame)) { /* refused before its end, which comes first */
		imap->phase = PHASE_READ;
		return RUN_DONE;
	}
	imap->phase = PHASE_ANSWER;
	if (imap->state == IMAP_SELECTED && !(type->flags & COMMAND_NO_SYNC) &&
		tells_selected(imap)) {
		updates_begin(imap, !imap->command.holds_expunges);
		imap->phase = PHASE_UPDATES;
	}
	return RUN_DONE;
}

static enum run tell_updates(struct imap *imap)
{
	enum run run = updates_run(imap);

	if (run == RUN_DONE)
		imap->phase = PHASE_ANSWER;
	return run;
}

/* A translation is ours, and UTF-8; anything else may quote a client. */
static void write_answer_text(struct writer *w, enum language language, const char *text)
{
	const char *translated = imap_text(language, text);

	if (translated != text)
		write_text(w, translated);
	else
		write_human(w, slice_str(text));
}

static void write_answer(struct imap *imap)
{
	static const char *const words[] = {
		[COMPLETION_OK] = "OK", [COMPLETION_NO] = "NO", [COMPLETION_BAD] = "BAD"
	};
	const struct command *command = &imap->command;
	struct writer *w = &imap->out;

	must(command->completion != COMPLETION_NONE);
	write_raw(w, command->tag.n > 0 ? command->tag : SLICE("*"));
	write_format(w, " %s ", words[command->completion]);
	if (command->code)
		write_format(w, "[%s] ", command->code);
	if (command->text)
		write_answer_text(w, imap->language, command->text);
	else
		imap_write_completed(w, imap->language, command->type->name);
	write_crlf(w);
}

/* The tagged response, and what follows from it. */
static enum run answer(struct imap *imap)
{
	bool bad = imap->command.completion == COMPLETION_BAD, switches = imap->command.switches;
	size_t before;

	connection_complete_limit(imap);
	connection_complete_modseq(imap);
	before = imap->io->out->n;
	write_answer(imap);
	if (switches)
		imap->engine.compress_bytes = imap->io->out->n - before;
	end_command(imap);
	frame_imap_shrink(&imap->frame);
	imap->phase = PHASE_READ;
	imap->bad_commands = bad ? imap->bad_commands + 1 : 0;
	if (imap->state == IMAP_LOGOUT)
		return imap_close(imap, CLOSE_LOGOUT);
	if (imap->bad_commands < LIMIT_BAD_COMMANDS)
		return switches ? RUN_OUTPUT : RUN_DONE;
	write_raw(&imap->out, SLICE("* BYE Too many bad commands\r\n"));
	return imap_close(imap, CLOSE_BAD_COMMANDS);
}

static enum run run_phase(struct imap *imap)
{
	switch (imap->phase) {
	case PHASE_READ:
		if (notify_is_busy(imap)) /* meanwhile a command may have come: it is read then */
			return notify_run(imap);
		return imap_output_full(imap) ? RUN_OUTPUT : read_command(imap);
	case PHASE_RUN:
		return run_command(imap);
	case PHASE_UPDATES:
		return tell_updates(imap);
	case PHASE_ANSWER:
		return answer(imap);
	case PHASE_CLOSED:
		break;
	}
	return RUN_CLOSE;
}

static enum engine_wants wants_of(enum run run)
{
	switch (run) {
	case RUN_INPUT:
		return ENGINE_INPUT;
	case RUN_OUTPUT:
		return ENGINE_OUTPUT;
	case RUN_RETRY:
		return ENGINE_RETRY;
	case RUN_CLOSE:
		return ENGINE_CLOSE;
	default:
		return ENGINE_STEP;
	}
}

static void begin_step(struct imap *imap, struct engine_io *io)
{
	imap->io = io;
	store_act_as(imap->settings.store, imap);
	imap->work = (struct work){ .now_usec = io->now_usec, .budget = io->budget };
	imap->out = (struct writer){
		.out = io->out,
		.utf8 = imap->enabled & ENABLED_UTF8_NAMES,
	};
}

static enum engine_wants imap_step(struct engine *engine, struct engine_io *io)
{
	struct imap *imap = imap_of(engine);
	enum run run;

	begin_step(imap, io);
	imap->engine.idling &= imap->phase != PHASE_READ;
	do {
		run = run_phase(imap);
		if (imap->out.failed && run != RUN_CLOSE)
			run = imap_close(imap,
				CLOSE_LIMIT); /* a response larger than the output may ever be */
	} while (run == RUN_DONE);
	io->budget = imap->work.budget;
	imap->io = NULL;
	return wants_of(run);
}

/* For a person. RFC 9051 section 7.1.5. */
static const char *bye_text(enum close_reason reason)
{
	switch (reason) {
	case CLOSE_IDLE_TIMEOUT:
		return "Idle for too long";
	case CLOSE_SHUTDOWN:
		return "[UNAVAILABLE] The server is stopping; try again in a moment";
	case CLOSE_KICKED:
		return "Closed by the administrator";
	case CLOSE_MAILBOX_FAULT:
		return "[UNAVAILABLE] A fault in the mailbox";
	default:
		return "Closing";
	}
}

static void imap_bye(struct engine *engine, struct engine_io *io, enum close_reason reason)
{
	struct imap *imap = imap_of(engine);

	begin_step(imap, io);
	if (!imap->mid_response && imap->phase != PHASE_CLOSED)
		write_format(&imap->out, "* BYE %s\r\n",
			imap_text(imap->language, bye_text(reason)));
	(void)imap_close(imap, reason);
	imap->io = NULL;
}

static void imap_describe(const struct engine *engine, struct buf *out)
{
	const struct imap *imap = (const struct imap *)engine;
	const char *doing = engine->idling && imap->phase == PHASE_READ ? "notify"
			    : engine->idling				? "idle"
			    : imap->command.type && imap->phase != PHASE_READ
				    ? imap->command.type->name
				    : NULL;
	struct writer w = { .out = out };

	if (imap->mailbox)
		write_human(&w, mailbox_name(imap->mailbox));
	if (imap->mailbox && doing)
		write_text(&w, " ");
	if (doing)
		write_text(&w, doing);
}

static void imap_free(struct engine *engine)
{
	struct imap *imap = imap_of(engine);

	end_command(imap);
	imap_deselect(imap);
	notify_free(imap, imap->notify);
	frame_imap_done(&imap->frame);
	arena_done(&imap->arena);
	free(imap);
}

static const struct engine_type imap_type = {
	.name = "imap",
	.step = imap_step,
	.bye = imap_bye,
	.describe = imap_describe,
	.free = imap_free,
};

struct engine *imap_new(const struct imap_settings *settings)
{
	struct imap *imap = malloc(sizeof *imap);

	must(imap != NULL);
	*imap = (struct imap){
		.engine = { .type = &imap_type },
		.settings = *settings,
		.state = IMAP_AUTHENTICATED,
		.phase = PHASE_READ,
		.language = settings->language,
	};
	if (imap->settings.message_limit == 0)
		imap->settings.message_limit = LIMIT_COMMAND_MESSAGES;
	frame_imap_init(&imap->frame, &limits);
	return &imap->engine;
}
