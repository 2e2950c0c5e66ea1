/* prelogin.h - the dialogue between greeting and login, whichever protocol it is in. Pure: bytes in, bytes out, no clock. */
#pragma once

#include "base/buf.h"
#include "base/language.h"
#include "base/limits.h"
#include "base/service.h"
#include "base/verdict.h"
#include "server/ipc/credentials.h"
#include "server/wire/frame_imap.h"

/*
 * Without TLS nothing that carries a credential is obeyed: it is refused, and told in `attempt` for the log.
 * A password lies in the input, in `command` of the framing and in `decoded`; prelogin_forget() wipes the last two.
 */
enum {
	PRELOGIN_TAG_BYTES = 128,        /* longer tags are refused */
	PRELOGIN_OUT_BYTES = 16 * 1024,  /* hard maximum of unsent output */
	PRELOGIN_HIGH_WATER_BYTES = 4096, /* no step is taken while more than this is unsent */
	PRELOGIN_LITERALS_BYTES = 4096,  /* of one command, together */
	PRELOGIN_FAILED_LOGINS = 5,      /* then the connection is closed */
	PRELOGIN_LOGGED_USER_BYTES = 64, /* of a user name given in the clear */
};

enum prelogin_wants {
	PRELOGIN_INPUT,     /* more bytes from the client */
	PRELOGIN_AGAIN,     /* a command was answered: step again, once out is below its high-water mark */
	PRELOGIN_START_TLS, /* send out, throw the rest of the input away, start the handshake, then prelogin_tls_started() */
	PRELOGIN_LOGIN,     /* credentials are set: hand them on, prelogin_forget(), then prelogin_answer() with the verdict */
	PRELOGIN_CLOSE,     /* send out, then close */
};

/* Why the server ends the dialogue. */
enum prelogin_bye {
	PRELOGIN_BYE_STOPPING,
	PRELOGIN_BYE_TIMEOUT,
	PRELOGIN_BYE_ADDRESS_LIMIT,
	PRELOGIN_BYE_TOTAL_LIMIT,
	PRELOGIN_BYE_BAD_COMMANDS,
	PRELOGIN_BYE_FAILED_LOGINS,
	PRELOGIN_BYE_TOO_LONG,
	PRELOGIN_BYE_COUNT,
};

/* A credential that was offered in the clear, and refused. */
struct prelogin_attempt {
	const char *command;                          /* NULL: there was none */
	struct slice user;                            /* into user_bytes; empty: not given, or not looked at */
	char user_bytes[PRELOGIN_LOGGED_USER_BYTES];
};

struct prelogin_protocol;

/* Fields are the protocol's, but for credentials and attempt. */
struct prelogin {
	const struct prelogin_protocol *protocol;
	bool tls;
	enum language language;  /* IMAP: that LANGUAGE chose; English again once TLS begins (RFC 5255 section 3.1) */
	bool sasl_response;      /* "+ " was sent: the next line is the client's response */
	unsigned bad_commands, failed_logins;
	char tag[PRELOGIN_TAG_BYTES + 1]; /* IMAP: of the command under way, NUL-terminated */
	const char *refusal;     /* IMAP: the answer owed to a command whose literals are being skipped */
	struct frame_imap framing; /* IMAP only */
	struct buf user;         /* POP3: the name USER gave */
	struct buf decoded;      /* what a SASL response said */
	struct credentials credentials; /* after PRELOGIN_LOGIN; valid until prelogin_forget() */
	struct prelogin_attempt attempt; /* set by a step; the caller logs it and clears command */
};

/* One row a protocol: prelogin_imap and prelogin_pop3. */
struct prelogin_protocol {
	void (*greet)(const struct prelogin *prelogin, struct buf *out);
	enum prelogin_wants (*step)(struct prelogin *prelogin, struct buf *in, struct buf *out);
	void (*answer)(const struct prelogin *prelogin, enum verdict verdict, struct slice text, struct buf *out);
	const char *bye;                      /* how a goodbye begins: "* BYE", "-ERR" */
	const char *byes[PRELOGIN_BYE_COUNT]; /* how it goes on, with its response code */
};

/* The protocol a service speaks. */
const struct prelogin_protocol *prelogin_protocol(enum service service);

/* Begin. tls: it is up already. Freed, and wiped, with prelogin_done(). */
void prelogin_init(struct prelogin *prelogin, enum service service, bool tls);
void prelogin_done(struct prelogin *prelogin);

/* The greeting. */
void prelogin_greet(const struct prelogin *prelogin, struct buf *out);

/*
 * Take at most one command off the front of in, wiping what is consumed, and answer it into out.
 * The caller sees to it that out holds at most PRELOGIN_HIGH_WATER_BYTES.
 * Limits  of base/limits.h, LIMIT_PRELOGIN_*: beyond them the client gets an error or a goodbye.
 */
enum prelogin_wants prelogin_step(struct prelogin *prelogin, struct buf *in, struct buf *out);

/* TLS is up: what was said before is forgotten. RFC 9051 6.2.1, RFC 2595 section 4. */
void prelogin_tls_started(struct prelogin *prelogin);

/* Wipe and drop the credentials and whatever they were read from, the input excepted. */
void prelogin_forget(struct prelogin *prelogin);

/*
 * Answer the login. text: as in struct channel_verdict; empty: the usual words.
 * Returns PRELOGIN_AGAIN, or PRELOGIN_CLOSE after too many failures. After VERDICT_OK the dialogue is over.
 */
enum prelogin_wants prelogin_answer(struct prelogin *prelogin, enum verdict verdict, struct slice text, struct buf *out);

/* Say goodbye in the words of a service. */
void prelogin_say_bye(enum service service, enum prelogin_bye bye, struct buf *out);

/* For the protocols: append to out, which has room by the contract of step(). */
void prelogin_say(struct buf *out, const char *format, ...) _printf_(2, 3);

/* For the protocols: say goodbye. Returns PRELOGIN_CLOSE. */
enum prelogin_wants prelogin_end(const struct prelogin *prelogin, enum prelogin_bye bye, struct buf *out);

/* For the protocols: count a bad command, and say goodbye at the limit. */
enum prelogin_wants prelogin_bad(struct prelogin *prelogin, struct buf *out);

enum prelogin_response { PRELOGIN_RESPONSE_TAKEN, PRELOGIN_RESPONSE_CANCELLED, PRELOGIN_RESPONSE_INVALID };

/*
 * For the protocols: take the client's response to PLAIN, initial or not. The exchange is over whatever it is; where it
 * was taken, the credentials are set. RFC 4422 section 3.1: "*" cancels.
 */
enum prelogin_response prelogin_take_response(struct prelogin *prelogin, struct slice response);

/* For the protocols: note a credential offered in the clear. */
void prelogin_note_attempt(struct prelogin *prelogin, const char *command, struct slice user);
