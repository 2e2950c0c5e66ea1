/* command.h - what the commands of the POP3 engine share: its state, the command table's rows, replies. For server/pop3 only. */
#pragma once

#include "maildir/reader.h"
#include "server/pop3/grammar.h"
#include "server/pop3/line.h"
#include "server/pop3/maildrop.h"
#include "server/pop3/pop3.h"
#include "server/pop3/texts.h"
#include "server/pop3/top.h"
#include "server/wire/dot_stuff.h"

/* RFC 1939 section 3. Here AUTHORIZATION lasts while the maildrop is being opened: the login's answer waits for that. */
enum pop3_state { POP3_AUTHORIZATION, POP3_TRANSACTION, POP3_UPDATE };

/* What a run function answers. */
enum pop3_progress {
	POP3_DONE,  /* the reply is whole: on to the next command */
	POP3_YIELD, /* call again: the budget is used up, or out is at the high-water mark */
	POP3_RETRY, /* call again after work->retry_usec */
	POP3_CLOSE, /* engine.reason is set */
};

struct pop3;

/* One command in progress, as its run function sees it. */
struct pop3_run {
	struct pop3_arguments arguments;
	bool is_begun;         /* false at the first call */
	uint32_t next;         /* LIST, UIDL: the next msgno */
	struct reader *reader; /* RETR, TOP */
	struct reader_range range;
	struct dot_stuff stuff;
	struct top top;
};

struct pop3_command {
	const char *name;
	unsigned states; /* bits 1 << enum pop3_state in which it is allowed */
	pop3_parse_arguments *parse;
	enum pop3_progress (*run)(struct pop3 *pop3, struct buf *out, struct work *work);
};

struct pop3 {
	struct engine engine; /* first */
	struct pop3_settings settings;
	struct maildrop *maildrop;
	enum pop3_state state;
	int opened; /* what pop3_opened() says */
	enum pop3_language language;
	struct pop3_line line;
	unsigned errors_in_a_row;
	const struct pop3_command *command; /* in progress, or NULL */
	struct pop3_run run;
};

/* Find a command's row by its keyword, in any case; NULL: unknown. */
const struct pop3_command *pop3_command_find(struct slice keyword);

/* Free what a command in progress holds, and forget it. */
void pop3_run_done(struct pop3_run *run);

/*
 * Replies of one line: "+OK" or "-ERR", the response code if code is not NULL ("SYS/TEMP"), the text in the client's language.
 * out always has room for one: engines put out nothing beyond the high-water mark.
 */
void pop3_ok(struct pop3 *pop3, struct buf *out, enum pop3_text text);
void pop3_err(struct pop3 *pop3, struct buf *out, const char *code, enum pop3_text text);
/* As pop3_ok() with words of the protocol before the text. */
void pop3_okf(struct pop3 *pop3, struct buf *out, enum pop3_text text, const char *format, ...)
	_printf_(4, 5);

/* Append to out what must fit. */
void pop3_addf(struct buf *out, const char *format, ...) _printf_(2, 3);

/*
 * The message of arguments.msgno, or NULL: there is none or it is marked as deleted, and the client was told.
 */
const struct maildrop_message *pop3_message(struct pop3 *pop3, struct buf *out);

/* RFC 1939 sections 5 and 7; retrieve.c. */
enum pop3_progress pop3_run_retr(struct pop3 *pop3, struct buf *out, struct work *work);
enum pop3_progress pop3_run_top(struct pop3 *pop3, struct buf *out, struct work *work);
