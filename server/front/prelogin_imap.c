/*
 * One command a step. A literal is invited only for a command that takes one here and now; before TLS that is never
 * one with a credential in it, so such bytes are not asked for, and skipped if they come unasked (RFC 7888).
 */
#include "server/front/prelogin_imap.h"

#include "auth/sasl.h"
#include "base/arena.h"
#include "base/must.h"
#include "base/parse.h"
#include "server/front/prelogin_texts.h"
#include "server/wire/language.h"
#include "server/wire/token.h"

/* True in both states; what differs is added. The list after login comes with the verdict. */
#define CAPABILITIES_ALWAYS "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE LANGUAGE"
#define CAPABILITIES_CLEAR CAPABILITIES_ALWAYS " STARTTLS LOGINDISABLED"
#define CAPABILITIES_TLS CAPABILITIES_ALWAYS " AUTH=PLAIN"

static const char privacy_required[] =
	"NO [PRIVACYREQUIRED] Not without TLS: set SSL/TLS (port 993) or STARTTLS in your mail program";
static const char too_big[] = "BAD [TOOBIG] Literal too large";
static const char no_literal_here[] = "BAD This command takes no literal";

enum { IN_CLEAR = 1, IN_TLS = 2, IN_BOTH = IN_CLEAR | IN_TLS };

struct imap_command {
	const char *name;
	unsigned states;
	bool credential; /* refused in the clear, and logged */
	bool literals;   /* its arguments may be literals */
	enum prelogin_wants (*run)(struct prelogin *prelogin, struct slice arguments, struct buf *out);
};

/* ---- answers ---- */

static enum prelogin_wants ok(struct prelogin *p, struct buf *out, const char *text)
{
	prelogin_say(out, "%s OK %s\r\n", p->tag, prelogin_text(p->language, text));
	return PRELOGIN_AGAIN;
}

/* answer: "NO ..." or "BAD ..." */
static enum prelogin_wants refuse(struct prelogin *p, struct buf *out, const char *answer)
{
	prelogin_say(out, "%s %s\r\n", p->tag, prelogin_text(p->language, answer));
	return prelogin_bad(p, out);
}

static const char *capabilities(const struct prelogin *p)
{
	return p->tls ? CAPABILITIES_TLS : CAPABILITIES_CLEAR;
}

static void greet(const struct prelogin *p, struct buf *out)
{
	prelogin_say(out, "* OK [CAPABILITY %s] restante ready\r\n", capabilities(p));
}

/* ---- arguments ---- */

/*
 * Take a quoted string where it stands: backslashes are removed in place, so that no second copy of a password comes
 * to be. The bytes lie in the framing's own buffer. RFC 9051 section 9, quoted.
 */
static enum parse take_quoted(struct slice *in, struct slice *ret_string)
{
	char *text = (char *)in->p + 1;
	size_t read = 1, n = 0;

	for (; read < in->n && in->p[read] != '"'; read++) {
		if (in->p[read] == '\\' && ++read == in->n)
			return PARSE_BAD;
		if (in->p[read] == '\0' || in->p[read] == '\r')
			return PARSE_BAD;
		text[n++] = in->p[read];
	}
	if (read >= in->n)
		return PARSE_BAD;
	*in = slice_tail(*in, read + 1);
	*ret_string = slice_from(text, n);
	return PARSE_OK;
}

static enum parse take_astring(struct slice *in, struct slice *ret_string)
{
	if (in->n > 0 && in->p[0] == '"')
		return take_quoted(in, ret_string);
	return token_astring(in, NULL, ret_string); /* atoms and literals need no arena */
}

/* id-params-list = "(" [string SP nstring ...] ")" / nil; what it says is not kept. RFC 2971 section 3.1. */
static bool is_id_arguments(struct slice in)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct slice ignored;

	if (token_space(&in) != PARSE_OK)
		return false;
	if (token_word(&in, SLICE("NIL")) == PARSE_OK)
		return token_end(&in) == PARSE_OK;
	if (token_open(&in) != PARSE_OK)
		return false;
	while (token_nstring(&in, &arena, &ignored) == PARSE_OK)
		if (token_space(&in) != PARSE_OK)
			break;
	return token_close(&in) == PARSE_OK && token_end(&in) == PARSE_OK;
}

/* ---- commands ---- */

static enum prelogin_wants cmd_capability(struct prelogin *p, struct slice arguments, struct buf *out)
{
	if (arguments.n > 0)
		return refuse(p, out, "BAD CAPABILITY takes no arguments");
	prelogin_say(out, "* CAPABILITY %s\r\n", capabilities(p));
	return ok(p, out, "Capabilities listed");
}

static enum prelogin_wants cmd_noop(struct prelogin *p, struct slice arguments, struct buf *out)
{
	if (arguments.n > 0)
		return refuse(p, out, "BAD NOOP takes no arguments");
	return ok(p, out, "Done");
}

static enum prelogin_wants cmd_logout(struct prelogin *p, struct slice arguments, struct buf *out)
{
	if (arguments.n > 0)
		return refuse(p, out, "BAD LOGOUT takes no arguments");
	prelogin_say(out, "* BYE Logging out\r\n");
	(void)ok(p, out, "Bye");
	return PRELOGIN_CLOSE;
}

static enum prelogin_wants cmd_id(struct prelogin *p, struct slice arguments, struct buf *out)
{
	if (!is_id_arguments(arguments))
		return refuse(p, out, "BAD ID takes a list of strings, or NIL");
	prelogin_say(out, "* ID (\"name\" \"restante\")\r\n");
	return ok(p, out, "Thank you");
}

static enum prelogin_wants list_languages(struct prelogin *p, struct buf *out)
{
	prelogin_say(out, "* LANGUAGE (");
	for (enum language i = 0; i < LANGUAGE_COUNT; i++)
		prelogin_say(out, "%s ", language_tag(i));
	prelogin_say(out, "i-default)\r\n");
	return ok(p, out, "Languages follow");
}

/* The first language range that is known decides; a fault in what follows is one none the less. RFC 5255 section 3.2. */
static enum prelogin_wants cmd_language(struct prelogin *p, struct slice in, struct buf *out)
{
	enum language language = LANGUAGE_COUNT, found;
	struct slice range;

	if (in.n == 0)
		return list_languages(p, out);
	while (in.n > 0) {
		if (token_space(&in) != PARSE_OK || take_astring(&in, &range) != PARSE_OK)
			return refuse(p, out, "BAD LANGUAGE takes language ranges");
		if (language == LANGUAGE_COUNT && language_find(range, &found))
			language = found;
	}
	if (language == LANGUAGE_COUNT) {
		prelogin_say(out, "%s %s\r\n", p->tag,
			prelogin_text(p->language, "NO [CANNOT] Not a language spoken here"));
		return PRELOGIN_AGAIN;
	}
	p->language = language;
	prelogin_say(out, "* LANGUAGE (%s)\r\n", language_tag(language));
	return ok(p, out, "Responses are in this language now");
}

static enum prelogin_wants cmd_starttls(struct prelogin *p, struct slice arguments, struct buf *out)
{
	if (arguments.n > 0)
		return refuse(p, out, "BAD STARTTLS takes no arguments");
	(void)ok(p, out, "Begin TLS now");
	return PRELOGIN_START_TLS;
}

static enum prelogin_wants cmd_login(struct prelogin *p, struct slice in, struct buf *out)
{
	struct credentials c = { .mechanism = CREDENTIALS_LOGIN };

	if (token_space(&in) != PARSE_OK || take_astring(&in, &c.authcid) != PARSE_OK || token_space(&in) != PARSE_OK ||
		take_astring(&in, &c.password) != PARSE_OK || token_end(&in) != PARSE_OK)
		return refuse(p, out, "BAD LOGIN takes a user name and a password");
	if (c.authcid.n == 0 || c.authcid.n > LIMIT_USER_BYTES || c.password.n > LIMIT_PASSWORD_BYTES)
		return refuse(p, out, "BAD User name or password of a length that cannot be");
	p->credentials = c;
	return PRELOGIN_LOGIN;
}

static enum prelogin_wants take_response(struct prelogin *p, struct slice response, struct buf *out)
{
	switch (prelogin_take_response(p, response)) {
	case PRELOGIN_RESPONSE_CANCELLED:
		return refuse(p, out, "BAD Authentication cancelled");
	case PRELOGIN_RESPONSE_INVALID:
		return refuse(p, out, "BAD Not a response of the PLAIN mechanism");
	default:
		return PRELOGIN_LOGIN;
	}
}

static enum prelogin_wants cmd_authenticate(struct prelogin *p, struct slice in, struct buf *out)
{
	struct slice mechanism;

	if (token_space(&in) != PARSE_OK || token_atom(&in, &mechanism) != PARSE_OK)
		return refuse(p, out, "BAD AUTHENTICATE takes the name of a mechanism");
	if (sasl_mechanism_parse(mechanism) != SASL_PLAIN)
		return refuse(p, out, "NO Mechanism not offered; PLAIN is");
	if (in.n > 0 && (token_space(&in) != PARSE_OK || in.n == 0))
		return refuse(p, out, "BAD Invalid initial response");
	if (in.n > 0)
		return take_response(p, in, out);
	p->sasl_response = true;
	prelogin_say(out, "+ \r\n");
	return PRELOGIN_AGAIN; /* the response may be there already */
}

static const struct imap_command commands[] = {
	{ "CAPABILITY", IN_BOTH, false, false, cmd_capability },   /* RFC 9051 6.1.1 */
	{ "NOOP", IN_BOTH, false, false, cmd_noop },               /* 6.1.2 */
	{ "LOGOUT", IN_BOTH, false, false, cmd_logout },           /* 6.1.3 */
	{ "ID", IN_BOTH, false, true, cmd_id },                    /* RFC 2971 3.1 */
	{ "LANGUAGE", IN_BOTH, false, true, cmd_language },        /* RFC 5255 3.2 */
	{ "STARTTLS", IN_CLEAR, false, false, cmd_starttls },      /* RFC 9051 6.2.1 */
	{ "AUTHENTICATE", IN_TLS, true, false, cmd_authenticate }, /* 6.2.2, RFC 4959 */
	{ "LOGIN", IN_TLS, true, true, cmd_login },                /* 6.2.3 */
};

/* ---- dispatch ---- */

/* Take tag and command name. Returns NULL, p->tag set as far as it could be read, if this is no known command. */
static const struct imap_command *take_command(struct prelogin *p, struct slice *in)
{
	struct slice tag, name;

	strcpy(p->tag, "*");
	if (token_tag(in, &tag) != PARSE_OK || !slice_to_str(tag, p->tag, sizeof p->tag))
		return NULL;
	if (token_space(in) != PARSE_OK || token_atom(in, &name) != PARSE_OK)
		return NULL;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (slice_equal_nocase(name, slice_str(commands[i].name)))
			return &commands[i];
	return NULL;
}

/*
 * The user name in the arguments of LOGIN, for the log: only where it is an atom or a quoted string. Nothing else is
 * looked at. A copy of the slice: what stands there is thrown away afterwards.
 */
static struct slice offered_user(const struct imap_command *command, struct slice in)
{
	struct slice user;

	if (command->run != cmd_login || token_space(&in) != PARSE_OK || in.n == 0 || in.p[0] == '{' ||
		take_astring(&in, &user) != PARSE_OK)
		return SLICE("");
	return user;
}

static const char *not_allowed(struct prelogin *p, const struct imap_command *command, struct slice arguments)
{
	if (!command)
		return "BAD Unknown command, or not one to give before login";
	if (command->states & (p->tls ? IN_TLS : IN_CLEAR))
		return NULL;
	if (!command->credential)
		return "BAD TLS is active already";
	prelogin_note_attempt(p, command->name, offered_user(command, arguments));
	return privacy_required;
}

static enum prelogin_wants run_command(struct prelogin *p, struct slice in, struct buf *out)
{
	const struct imap_command *command = take_command(p, &in);
	const char *refusal = not_allowed(p, command, in);

	return refusal ? refuse(p, out, refusal) : command->run(p, in, out);
}

/* A literal was announced: decide by what came before it. Nothing is answered but an invitation. */
static enum prelogin_wants on_literal(struct prelogin *p, struct buf *out)
{
	struct slice in = buf_slice(&p->framing.command);
	const struct frame_literal *literal = &p->framing.literal;

	if (p->sasl_response) {
		p->refusal = "BAD Not base64";
	} else {
		const struct imap_command *command = take_command(p, &in);

		p->refusal = not_allowed(p, command, in);
		if (!p->refusal && !command->literals)
			p->refusal = no_literal_here;
		else if (!p->refusal && (literal->octets > LIMIT_PRELOGIN_LITERAL_BYTES || !frame_imap_fits(&p->framing)))
			p->refusal = too_big;
	}
	if (p->refusal) {
		frame_imap_refuse(&p->framing);
		return PRELOGIN_AGAIN;
	}
	if (literal->sync)
		prelogin_say(out, "+ OK\r\n");
	frame_imap_accept(&p->framing);
	return PRELOGIN_AGAIN;
}

static enum prelogin_wants step(struct prelogin *p, struct buf *in, struct buf *out)
{
	switch (frame_imap_next(&p->framing, in)) {
	case FRAME_MORE:
		return PRELOGIN_INPUT;
	case FRAME_LITERAL:
		return on_literal(p, out);
	case FRAME_COMMAND:
		if (p->sasl_response)
			return take_response(p, buf_slice(&p->framing.command), out);
		return run_command(p, buf_slice(&p->framing.command), out);
	case FRAME_SKIPPED:
		p->sasl_response = false;
		return refuse(p, out, p->refusal);
	case FRAME_TOO_LONG:
	case FRAME_OVERFLOW:
		break;
	}
	return prelogin_end(p, PRELOGIN_BYE_TOO_LONG, out);
}

/* RFC 5530 section 3. */
static const char *const verdict_texts[VERDICT_COUNT] = {
	[VERDICT_OK] = "Logged in",
	[VERDICT_AUTHENTICATION_FAILED] = "[AUTHENTICATIONFAILED] Wrong user name or password",
	[VERDICT_EXPIRED] = "[EXPIRED] The password or the account has expired",
	[VERDICT_AUTHORIZATION_FAILED] = "[AUTHORIZATIONFAILED] This account may not be used here",
	[VERDICT_UNAVAILABLE] = "[UNAVAILABLE] A fault on the server; try again later",
	[VERDICT_REFUSED] = "[UNAVAILABLE] Too many failed logins; try again later",
	[VERDICT_IN_USE] = "[INUSE] The mailbox is in use",
	[VERDICT_LIMIT] = "[LIMIT] Too many connections of this user",
};

static void answer(const struct prelogin *p, enum verdict verdict, struct slice text, struct buf *out)
{
	must(verdict < VERDICT_COUNT);
	if (text.n == 0)
		text = slice_str(prelogin_text(p->language, verdict_texts[verdict]));
	prelogin_say(out, "%s %s %.*s\r\n", p->tag, verdict == VERDICT_OK ? "OK" : "NO", SLICE_FMT(text));
}

const struct prelogin_protocol prelogin_imap = {
	.greet = greet,
	.step = step,
	.answer = answer,
	.bye = "* BYE",
	.byes = {
		[PRELOGIN_BYE_STOPPING] = "[UNAVAILABLE] The server is stopping; try again soon",
		[PRELOGIN_BYE_TIMEOUT] = "No login for too long",
		[PRELOGIN_BYE_ADDRESS_LIMIT] = "[LIMIT] Too many connections from your address",
		[PRELOGIN_BYE_TOTAL_LIMIT] = "[UNAVAILABLE] Too many connections; try again later",
		[PRELOGIN_BYE_BAD_COMMANDS] = "Too many bad commands",
		[PRELOGIN_BYE_FAILED_LOGINS] = "Too many failed logins",
		[PRELOGIN_BYE_TOO_LONG] = "[TOOBIG] Command line or literal too long",
	},
};
