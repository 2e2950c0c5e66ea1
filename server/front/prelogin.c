#include "server/front/prelogin.h"

#include "auth/sasl.h"
#include "base/must.h"
#include "server/front/prelogin_imap.h"
#include "server/front/prelogin_pop3.h"
#include "server/front/prelogin_texts.h"

#include <stdarg.h>

const struct prelogin_protocol *prelogin_protocol(enum service service)
{
	return service_is_imap(service) ? &prelogin_imap : &prelogin_pop3;
}

static const struct frame_imap_limits framing_limits = {
	.line_bytes = LIMIT_PRELOGIN_LINE_BYTES,
	.literal_bytes = PRELOGIN_LITERALS_BYTES,
	.skip_bytes = LIMIT_PIPELINE_BYTES,
};

void prelogin_init(struct prelogin *prelogin, enum service service, bool tls)
{
	*prelogin = (struct prelogin){
		.protocol = prelogin_protocol(service),
		.tls = tls,
		.user = BUF(LIMIT_USER_BYTES),
		.decoded = BUF(LIMIT_PRELOGIN_LINE_BYTES),
	};
	frame_imap_init(&prelogin->framing, &framing_limits);
}

/* Also a command that is not whole may hold a part of a password. */
static void wipe_framing(struct prelogin *prelogin)
{
	buf_done_wipe(&prelogin->framing.command);
	explicit_bzero(prelogin->framing.tail, sizeof prelogin->framing.tail);
	frame_imap_done(&prelogin->framing);
}

void prelogin_done(struct prelogin *prelogin)
{
	prelogin_forget(prelogin);
	explicit_bzero(prelogin, sizeof *prelogin);
}

void prelogin_greet(const struct prelogin *prelogin, struct buf *out)
{
	prelogin->protocol->greet(prelogin, out);
}

enum prelogin_wants prelogin_step(struct prelogin *prelogin, struct buf *in, struct buf *out)
{
	char *at = in->p;
	size_t before = in->n;

	must(out->n <= PRELOGIN_HIGH_WATER_BYTES);

	enum prelogin_wants wants = prelogin->protocol->step(prelogin, in, out);

	if (before > in->n) /* consuming moves nothing: what was taken still lies there */
		explicit_bzero(at, before - in->n);
	return wants;
}

void prelogin_tls_started(struct prelogin *prelogin)
{
	const struct prelogin_protocol *protocol = prelogin->protocol;

	prelogin_done(prelogin);
	prelogin_init(prelogin, SERVICE_IMAPS, true);
	prelogin->protocol = protocol;
}

void prelogin_forget(struct prelogin *prelogin)
{
	wipe_framing(prelogin);
	frame_imap_init(&prelogin->framing, &framing_limits);
	buf_done_wipe(&prelogin->user);
	buf_done_wipe(&prelogin->decoded);
	prelogin->credentials = (struct credentials){ 0 };
	prelogin->sasl_response = false;
}

enum prelogin_wants prelogin_answer(struct prelogin *prelogin, enum verdict verdict, struct slice text, struct buf *out)
{
	prelogin->protocol->answer(prelogin, verdict, text, out);
	if (verdict == VERDICT_OK || ++prelogin->failed_logins < PRELOGIN_FAILED_LOGINS)
		return PRELOGIN_AGAIN;
	return prelogin_end(prelogin, PRELOGIN_BYE_FAILED_LOGINS, out);
}

void prelogin_say_bye(enum service service, enum prelogin_bye bye, struct buf *out)
{
	const struct prelogin_protocol *protocol = prelogin_protocol(service);

	must(bye < PRELOGIN_BYE_COUNT);
	prelogin_say(out, "%s %s\r\n", protocol->bye, protocol->byes[bye]);
}

void prelogin_say(struct buf *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	must(buf_vaddf(out, format, args) == 0);
	va_end(args);
}

enum prelogin_wants prelogin_end(const struct prelogin *prelogin, enum prelogin_bye bye, struct buf *out)
{
	must(bye < PRELOGIN_BYE_COUNT);
	prelogin_say(out, "%s %s\r\n", prelogin->protocol->bye,
		prelogin_text(prelogin->language, prelogin->protocol->byes[bye]));
	return PRELOGIN_CLOSE;
}

enum prelogin_wants prelogin_bad(struct prelogin *prelogin, struct buf *out)
{
	if (++prelogin->bad_commands < LIMIT_PRELOGIN_BAD_COMMANDS)
		return PRELOGIN_AGAIN;
	return prelogin_end(prelogin, PRELOGIN_BYE_BAD_COMMANDS, out);
}

enum prelogin_response prelogin_take_response(struct prelogin *prelogin, struct slice response)
{
	struct sasl_plain plain;

	prelogin->sasl_response = false;
	if (slice_equal(response, SLICE("*")))
		return PRELOGIN_RESPONSE_CANCELLED;
	if (sasl_plain_parse(response, &prelogin->decoded, &plain) < 0)
		return PRELOGIN_RESPONSE_INVALID;
	prelogin->credentials = (struct credentials){
		.mechanism = CREDENTIALS_PLAIN,
		.authzid = plain.authzid,
		.authcid = plain.authcid,
		.password = plain.password,
	};
	return PRELOGIN_RESPONSE_TAKEN;
}

void prelogin_note_attempt(struct prelogin *prelogin, const char *command, struct slice user)
{
	struct prelogin_attempt *attempt = &prelogin->attempt;

	attempt->command = command;
	attempt->user = slice_head(user, sizeof attempt->user_bytes);
	if (attempt->user.n > 0)
		memcpy(attempt->user_bytes, attempt->user.p, attempt->user.n);
	attempt->user.p = attempt->user_bytes;
}
