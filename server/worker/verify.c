#include "server/worker/verify.h"

#include "auth/pam.h"
#include "base/quote.h"
#include "server/worker/check.h"

#include <stdarg.h>

static void fail(struct verify_outcome *outcome, enum verdict verdict, const char *format, ...) _printf_(3, 4);

static void fail(struct verify_outcome *outcome, enum verdict verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->cause, sizeof outcome->cause, format, args);
	va_end(args);
	outcome->verdict = verdict;
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct penalty_limits limits_of(const struct conf *conf)
{
	return (struct penalty_limits){
		.address_failures = conf->auth.address_failures,
		.account_failures = conf->auth.account_failures,
		.window_usec = conf->auth.penalty_window_usec,
		.failure_delay_usec = conf->auth.failure_delay_usec,
	};
}

/* Ask PAM, unless the answer is known. Sets outcome, and ret_user to PAM_USER. */
static void authenticate(const struct conf *conf, const struct log *log, const struct verify_request *request,
	struct verify_outcome *outcome, char ret_user[LIMIT_USER_BYTES + 1])
{
	const struct credentials *credentials = &request->credentials;
	char user[LIMIT_USER_BYTES + 1], rhost[ADDRESS_TEXT_BYTES];
	struct pam_result result;

	if (!account_user_is_valid(credentials->authcid) || !slice_to_str(credentials->authcid, user, sizeof user)) {
		fail(outcome, VERDICT_AUTHENTICATION_FAILED, "no user can have this name");
		return;
	}
	if (credentials->password.n == 0) {
		/* Some databases take a login without a password for an anonymous one, and let it in. */
		fail(outcome, VERDICT_AUTHENTICATION_FAILED, "empty password");
		return;
	}
	address_format(&request->address, rhost);
	pam_log_in(
		&(struct pam_login){
			.service = conf->auth.pam_service,
			.config_dir = conf->auth.pam_config_dir,
			.user = user,
			.password = credentials->password,
			.rhost = rhost,
			.open_session = conf->auth.pam_session,
			.log = log,
		},
		&result);
	outcome->delay_usec = longer(outcome->delay_usec, result.fail_delay_usec);
	if (result.verdict != VERDICT_OK)
		fail(outcome, result.verdict, "%s", result.cause);
	else
		memcpy(ret_user, result.user, sizeof result.user);
}

static void authorize(const struct conf *conf, const struct credentials *credentials, const char *user,
	struct verify_outcome *outcome)
{
	struct account_rules rules = check_account_rules(conf);
	char cause[ACCOUNT_CAUSE_BYTES], quoted[QUOTE_BYTES(64)];

	if (credentials->authzid.n > 0 && !slice_equal(credentials->authzid, credentials->authcid)) {
		fail(outcome, VERDICT_AUTHORIZATION_FAILED, "asked to act for %s, which nobody may",
			quote_format(credentials->authzid, quoted, sizeof quoted));
		return;
	}

	enum verdict verdict = account_find(&rules, slice_str(user), &outcome->account, cause);

	if (verdict != VERDICT_OK)
		fail(outcome, verdict, "%s", cause);
	else if (geteuid() != 0 && outcome->account.user_uid != geteuid())
		fail(outcome, VERDICT_AUTHORIZATION_FAILED, "the mail belongs to uid %u, and the server runs as uid %u, not as root",
			(unsigned)outcome->account.user_uid, (unsigned)geteuid());
}

void verify_login(const struct conf *conf, struct penalty *penalty, const struct log *log, const struct verify_request *request,
	uint64_t now_usec, struct verify_outcome *ret_outcome)
{
	const struct penalty_limits limits = limits_of(conf);
	const struct penalty_who who = { .address = request->address, .user = request->credentials.authcid };
	struct penalty_decision decision = penalty_check(penalty, &limits, &who, now_usec);
	char user[LIMIT_USER_BYTES + 1];

	*ret_outcome = (struct verify_outcome){ .verdict = VERDICT_OK, .delay_usec = decision.delay_usec };
	if (decision.refused) {
		fail(ret_outcome, VERDICT_REFUSED, "too many failures of this address or account");
		return;
	}
	authenticate(conf, log, request, ret_outcome, user);
	if (ret_outcome->verdict == VERDICT_AUTHENTICATION_FAILED) {
		ret_outcome->delay_usec = longer(ret_outcome->delay_usec, penalty_failure(penalty, &limits, &who, now_usec));
		return;
	}
	if (ret_outcome->verdict == VERDICT_OK)
		authorize(conf, &request->credentials, user, ret_outcome);
	if (ret_outcome->verdict == VERDICT_OK) {
		penalty_success(penalty, &who);
		ret_outcome->delay_usec = 0;
	}
}
