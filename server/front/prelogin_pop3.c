/* One command line a step. The user name that USER gave is kept until PASS, and forgotten with it. */
#include "server/front/prelogin_pop3.h"

#include "auth/sasl.h"
#include "base/must.h"

static const char clear_refusal[] = "Not without TLS: set SSL/TLS (port 995) or STARTTLS (STLS) in your mail program";

enum { IN_CLEAR = 1, IN_TLS = 2, IN_BOTH = IN_CLEAR | IN_TLS };

struct pop3_command {
	const char *name;
	unsigned states;
	bool credential;
	enum prelogin_wants (*run)(struct prelogin *prelogin, struct slice argument, struct buf *out);
};

static enum prelogin_wants ok(struct buf *out, const char *text)
{
	prelogin_say(out, "+OK %s\r\n", text);
	return PRELOGIN_AGAIN;
}

static enum prelogin_wants err(struct prelogin *p, struct buf *out, const char *text)
{
	prelogin_say(out, "-ERR %s\r\n", text);
	return prelogin_bad(p, out);
}

/* No timestamp: APOP is not offered. RFC 1939 section 7. */
static void greet(const struct prelogin *p, struct buf *out)
{
	(void)p;
	(void)ok(out, "restante ready");
}

/* RFC 2449 section 5. Before TLS neither USER nor SASL is there. RFC 2595 section 4. */
static enum prelogin_wants cmd_capa(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (argument.n > 0)
		return err(p, out, "CAPA takes no argument");
	(void)ok(out, "Capabilities follow");
	prelogin_say(out, "%s", p->tls ? "USER\r\nSASL PLAIN\r\n" : "STLS\r\n");
	prelogin_say(out, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nEXPIRE NEVER\r\nUTF8\r\nLANG\r\n"
			  "IMPLEMENTATION restante\r\n.\r\n");
	return PRELOGIN_AGAIN;
}

static enum prelogin_wants cmd_stls(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (argument.n > 0)
		return err(p, out, "STLS takes no argument");
	(void)ok(out, "Begin TLS now");
	return PRELOGIN_START_TLS;
}

static enum prelogin_wants cmd_user(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (argument.n == 0 || argument.n > LIMIT_USER_BYTES)
		return err(p, out, "USER takes a user name");
	buf_clear(&p->user);
	must(buf_add(&p->user, argument) == 0);
	return ok(out, "Now the password");
}

static enum prelogin_wants cmd_pass(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (p->user.n == 0)
		return err(p, out, "USER comes before PASS");
	if (argument.n > LIMIT_PASSWORD_BYTES) {
		buf_clear(&p->user);
		return err(p, out, "Password too long");
	}
	p->credentials = (struct credentials){
		.mechanism = CREDENTIALS_USER_PASS,
		.authcid = buf_slice(&p->user),
		.password = argument,
	};
	return PRELOGIN_LOGIN;
}

static enum prelogin_wants take_response(struct prelogin *p, struct slice response, struct buf *out)
{
	switch (prelogin_take_response(p, response)) {
	case PRELOGIN_RESPONSE_CANCELLED:
		return err(p, out, "Authentication cancelled");
	case PRELOGIN_RESPONSE_INVALID:
		return err(p, out, "Not a response of the PLAIN mechanism");
	default:
		return PRELOGIN_LOGIN;
	}
}

/* RFC 5034 section 4. Without an argument: the list that clients knew before it. */
static enum prelogin_wants cmd_auth(struct prelogin *p, struct slice argument, struct buf *out)
{
	struct slice mechanism;

	if (!slice_split(&argument, ' ', &mechanism)) {
		prelogin_say(out, "+OK Mechanisms follow\r\nPLAIN\r\n.\r\n");
		return PRELOGIN_AGAIN;
	}
	if (sasl_mechanism_parse(mechanism) != SASL_PLAIN)
		return err(p, out, "Mechanism not offered; PLAIN is");
	if (argument.n > 0)
		return take_response(p, argument, out);
	p->sasl_response = true;
	prelogin_say(out, "+ \r\n");
	return PRELOGIN_AGAIN; /* the response may be there already */
}

/* Never offered: the greeting has no timestamp, and no password is stored that it could be computed from. */
static enum prelogin_wants cmd_apop(struct prelogin *p, struct slice argument, struct buf *out)
{
	(void)argument;
	return err(p, out, "APOP is not offered; USER and PASS, or AUTH PLAIN, are");
}

/* RFC 6856 section 2.1: nothing changes, for messages are always sent as they lie in the maildrop. */
static enum prelogin_wants cmd_utf8(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (argument.n > 0)
		return err(p, out, "UTF8 takes no argument");
	return ok(out, "UTF-8 mode");
}

/* RFC 6856 section 3: before login everything is said in English. */
static enum prelogin_wants cmd_lang(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (argument.n == 0) {
		prelogin_say(out, "+OK Languages follow\r\nen English\r\n.\r\n");
		return PRELOGIN_AGAIN;
	}
	if (slice_equal(argument, SLICE("*")) || slice_equal_nocase(argument, SLICE("en")) ||
		slice_starts_with_nocase(argument, SLICE("en-")))
		return ok(out, "en Replies are in English");
	return err(p, out, "Only English is spoken before login");
}

static enum prelogin_wants cmd_quit(struct prelogin *p, struct slice argument, struct buf *out)
{
	if (argument.n > 0)
		return err(p, out, "QUIT takes no argument");
	(void)ok(out, "Bye");
	return PRELOGIN_CLOSE;
}

static const struct pop3_command commands[] = {
	{ "CAPA", IN_BOTH, false, cmd_capa }, /* RFC 2449 section 5 */
	{ "STLS", IN_CLEAR, false, cmd_stls }, /* RFC 2595 section 4 */
	{ "USER", IN_TLS, true, cmd_user },   /* RFC 1939 section 7 */
	{ "PASS", IN_TLS, true, cmd_pass },
	{ "APOP", IN_TLS, true, cmd_apop },
	{ "AUTH", IN_TLS, true, cmd_auth },   /* RFC 5034 section 4 */
	{ "UTF8", IN_BOTH, false, cmd_utf8 }, /* RFC 6856 section 2 */
	{ "LANG", IN_BOTH, false, cmd_lang }, /* RFC 6856 section 3 */
	{ "QUIT", IN_BOTH, false, cmd_quit }, /* RFC 1939 section 4 */
};

static const struct pop3_command *find_command(struct slice name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (slice_equal_nocase(name, slice_str(commands[i].name)))
			return &commands[i];
	return NULL;
}

/* The user name, for the log: what USER gives, and the first word that APOP gives. */
static struct slice offered_user(const struct pop3_command *command, struct slice argument)
{
	struct slice user = SLICE("");

	if (command->run == cmd_user)
		return argument;
	if (command->run == cmd_apop)
		(void)slice_split(&argument, ' ', &user);
	return user;
}

static enum prelogin_wants run_command(struct prelogin *p, struct slice line, struct buf *out)
{
	struct slice argument = line, name = SLICE("");

	if (slice_find(line, '\0') >= 0)
		return err(p, out, "NUL in a command");
	(void)slice_split(&argument, ' ', &name); /* PASS: all behind one space, spaces too */

	const struct pop3_command *command = find_command(name);

	if (!command)
		return err(p, out, "Unknown command, or not one to give before login");
	if (command->states & (p->tls ? IN_TLS : IN_CLEAR))
		return command->run(p, argument, out);
	if (!command->credential)
		return err(p, out, "TLS is active already");
	prelogin_note_attempt(p, command->name, offered_user(command, argument));
	return err(p, out, clear_refusal);
}

/* The first line of in. Returns the bytes it takes with its line end; 0 if that has not come. */
static size_t find_line(const struct buf *in, struct slice *ret_line)
{
	ssize_t lf = slice_find(slice_head(buf_slice(in), LIMIT_PRELOGIN_LINE_BYTES), '\n');

	if (lf < 0)
		return 0;
	*ret_line = slice_head(buf_slice(in), (size_t)lf);
	if (lf > 0 && in->p[lf - 1] == '\r')
		ret_line->n--;
	return (size_t)lf + 1;
}

/*
 * The line is not consumed before it has run. A password stays in `decoded` rather than in the input, which the
 * caller may move: credentials stay valid until prelogin_forget().
 */
static enum prelogin_wants keep_password(struct prelogin *p)
{
	struct slice password = p->credentials.password;

	if (p->credentials.mechanism != CREDENTIALS_USER_PASS)
		return PRELOGIN_LOGIN;
	buf_clear(&p->decoded);
	must(buf_add(&p->decoded, password) == 0);
	p->credentials.password = buf_slice(&p->decoded);
	return PRELOGIN_LOGIN;
}

static enum prelogin_wants step(struct prelogin *p, struct buf *in, struct buf *out)
{
	struct slice line;
	size_t bytes = find_line(in, &line);

	if (bytes == 0 && in->n < LIMIT_PRELOGIN_LINE_BYTES)
		return PRELOGIN_INPUT;
	if (bytes == 0) {
		return prelogin_end(p, PRELOGIN_BYE_TOO_LONG, out);
	}

	enum prelogin_wants wants = p->sasl_response ? take_response(p, line, out) : run_command(p, line, out);

	if (wants == PRELOGIN_LOGIN)
		wants = keep_password(p);
	buf_consume_wipe(in, bytes);
	return wants;
}

/* RFC 2449 section 8, RFC 3206. */
static const char *const verdict_texts[VERDICT_COUNT] = {
	[VERDICT_OK] = "Logged in",
	[VERDICT_AUTHENTICATION_FAILED] = "[AUTH] Wrong user name or password",
	[VERDICT_EXPIRED] = "[AUTH] The password or the account has expired",
	[VERDICT_AUTHORIZATION_FAILED] = "[SYS/PERM] This account may not be used here",
	[VERDICT_UNAVAILABLE] = "[SYS/TEMP] A fault on the server; try again later",
	[VERDICT_REFUSED] = "[SYS/TEMP] Too many failed logins; try again later",
	[VERDICT_IN_USE] = "[IN-USE] The maildrop is in use by another connection",
	[VERDICT_LIMIT] = "[IN-USE] Too many connections of this user",
};

static void answer(const struct prelogin *p, enum verdict verdict, struct slice text, struct buf *out)
{
	(void)p;
	must(verdict < VERDICT_COUNT);
	if (text.n == 0)
		text = slice_str(verdict_texts[verdict]);
	prelogin_say(out, "%s %.*s\r\n", verdict == VERDICT_OK ? "+OK" : "-ERR", SLICE_FMT(text));
}

const struct prelogin_protocol prelogin_pop3 = {
	.greet = greet,
	.step = step,
	.answer = answer,
	.bye = "-ERR",
	.byes = {
		[PRELOGIN_BYE_STOPPING] = "[SYS/TEMP] The server is stopping; try again soon",
		[PRELOGIN_BYE_TIMEOUT] = "[SYS/TEMP] No login for too long",
		[PRELOGIN_BYE_ADDRESS_LIMIT] = "[SYS/TEMP] Too many connections from your address",
		[PRELOGIN_BYE_TOTAL_LIMIT] = "[SYS/TEMP] Too many connections; try again later",
		[PRELOGIN_BYE_BAD_COMMANDS] = "Too many bad commands",
		[PRELOGIN_BYE_FAILED_LOGINS] = "[AUTH] Too many failed logins",
		[PRELOGIN_BYE_TOO_LONG] = "Line too long",
	},
};
