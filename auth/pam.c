/*
 * One handle a login: pam_start, authenticate, account, where asked for a session, pam_end.
 * Linux-PAM wipes PAM_AUTHTOK when a step is over and at pam_end(); what modules leave behind is for the caller, who
 * cleans up after the whole login.
 */
#include "auth/pam.h"

#include "base/must.h"
#include "base/quote.h"

#include <errno.h>
#include <grp.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { PROMPT_BYTES = 80 };

/* What the conversation knows: the appdata of a handle. */
struct conversation {
	const struct pam_login *login;
	bool is_open;                /* only while authenticating is anything answered */
	bool was_asked;              /* prompt is set */
	char prompt[PROMPT_BYTES];   /* what the password was given to */
	char refused[PROMPT_BYTES];  /* what was asked and not answered; "" : nothing */
	uint64_t fail_delay_usec;
};

/* What is not here is a fault of ours or of the modules: VERDICT_UNAVAILABLE, which 0, VERDICT_OK, stands for too. */
static const struct {
	int code;
	enum verdict verdicts[PAM_STEP_COUNT]; /* authenticate, account, credentials */
} codes[] = {
	{ PAM_AUTH_ERR, { VERDICT_AUTHENTICATION_FAILED, VERDICT_AUTHORIZATION_FAILED } },
	{ PAM_USER_UNKNOWN, { VERDICT_AUTHENTICATION_FAILED, VERDICT_AUTHORIZATION_FAILED, VERDICT_AUTHORIZATION_FAILED } },
	{ PAM_MAXTRIES, { VERDICT_AUTHENTICATION_FAILED, VERDICT_AUTHORIZATION_FAILED } },
	{ PAM_CRED_INSUFFICIENT, { VERDICT_AUTHENTICATION_FAILED, VERDICT_AUTHORIZATION_FAILED } },
	{ PAM_PERM_DENIED, { VERDICT_AUTHENTICATION_FAILED, VERDICT_AUTHORIZATION_FAILED, VERDICT_AUTHORIZATION_FAILED } },
	{ PAM_ACCT_EXPIRED, { VERDICT_EXPIRED, VERDICT_EXPIRED, VERDICT_EXPIRED } },
	{ PAM_CRED_EXPIRED, { VERDICT_EXPIRED, VERDICT_EXPIRED, VERDICT_EXPIRED } },
	{ PAM_AUTHTOK_EXPIRED, { VERDICT_EXPIRED, VERDICT_EXPIRED, VERDICT_EXPIRED } },
	{ PAM_NEW_AUTHTOK_REQD, { VERDICT_EXPIRED, VERDICT_EXPIRED, VERDICT_EXPIRED } },
};

enum verdict pam_verdict(enum pam_step step, int code)
{
	must(step < PAM_STEP_COUNT);
	if (code == PAM_SUCCESS)
		return VERDICT_OK;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].code == code && codes[i].verdicts[step] != VERDICT_OK)
			return codes[i].verdicts[step];
	return VERDICT_UNAVAILABLE;
}

static struct slice prompt_words(const char *text)
{
	return slice_head(slice_trim(slice_str(text)), PROMPT_BYTES - 1);
}

static void keep_words(char kept[PROMPT_BYTES], const char *text)
{
	struct slice words = prompt_words(text);

	if (words.n > 0)
		memcpy(kept, words.p, words.n);
	kept[words.n] = '\0';
}

/* The password, in memory that PAM or the module wipes and frees. NULL: it is not given out. */
static char *password_for(struct conversation *c, const char *prompt)
{
	if (c->was_asked && !slice_equal(prompt_words(prompt), slice_str(c->prompt)))
		return NULL;
	if (!c->was_asked)
		keep_words(c->prompt, prompt);
	c->was_asked = true;
	return strndup(c->login->password.p, c->login->password.n);
}

static int answer(struct conversation *c, const struct pam_message *message, char **ret_text)
{
	const char *text = message->msg ? message->msg : "";
	char quoted[QUOTE_BYTES(PROMPT_BYTES)];

	if (message->msg_style == PAM_TEXT_INFO || message->msg_style == PAM_ERROR_MSG) {
		log_line(c->login->log, LOG_PRIORITY_DEBUG, "PAM says: %.300s", text);
		return PAM_SUCCESS;
	}
	if (message->msg_style == PAM_PROMPT_ECHO_OFF && c->is_open)
		*ret_text = password_for(c, text);
	if (*ret_text)
		return PAM_SUCCESS;
	keep_words(c->refused, text);
	log_line(c->login->log, LOG_PRIORITY_DEBUG, "PAM asks what has no answer: %s",
		quote_format(slice_str(c->refused), quoted, sizeof quoted));
	return PAM_CONV_ERR;
}

static void free_responses(struct pam_response *responses, int n)
{
	for (int i = 0; i < n; i++)
		if (responses[i].resp) {
			explicit_bzero(responses[i].resp, strlen(responses[i].resp));
			free(responses[i].resp);
		}
	free(responses);
}

static int on_conversation(int n, const struct pam_message **messages, struct pam_response **ret_responses, void *arg)
{
	struct conversation *c = arg;

	if (n <= 0 || n > PAM_MAX_NUM_MSG || !messages || !ret_responses)
		return PAM_CONV_ERR;

	struct pam_response *responses = calloc((size_t)n, sizeof *responses);

	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		int r = answer(c, messages[i], &responses[i].resp);

		if (r != PAM_SUCCESS) {
			free_responses(responses, n);
			return r;
		}
	}
	*ret_responses = responses;
	return PAM_SUCCESS;
}

/* PAM calls this instead of sleeping. It comes after every step, also those that went well, with what was asked until then. */
static void on_fail_delay(int code, unsigned usec, void *arg)
{
	struct conversation *c = arg;

	if (c && code != PAM_SUCCESS && usec > c->fail_delay_usec)
		c->fail_delay_usec = usec;
}

static int start(const char *service, const char *config_dir, const char *user, const struct pam_conv *conv,
	pam_handle_t **ret_pamh)
{
	if (config_dir && config_dir[0])
		return pam_start_confdir(service, user, conv, config_dir, ret_pamh);
	return pam_start(service, user, conv, ret_pamh);
}

static int set_items(pam_handle_t *pamh, const struct pam_login *login)
{
	const union {
		void (*call)(int code, unsigned usec, void *arg);
		const void *item;
	} fail_delay = { .call = on_fail_delay };
	int r = pam_set_item(pamh, PAM_FAIL_DELAY, fail_delay.item);

	if (r == PAM_SUCCESS)
		r = pam_set_item(pamh, PAM_RHOST, login->rhost);
	return r == PAM_SUCCESS ? pam_set_item(pamh, PAM_TTY, "restante") : r;
}

/* Turn what a step returned into a result. Returns whether to go on. */
static bool judge(pam_handle_t *pamh, enum pam_step step, int code, struct pam_result *result)
{
	static const char *const calls[PAM_STEP_COUNT] = {
		[PAM_STEP_AUTHENTICATE] = "pam_authenticate",
		[PAM_STEP_ACCOUNT] = "pam_acct_mgmt",
		[PAM_STEP_SESSION] = "PAM credentials or session",
	};

	result->verdict = pam_verdict(step, code);
	if (result->verdict != VERDICT_OK)
		snprintf(result->cause, sizeof result->cause, "%s: %.120s", calls[step], pam_strerror(pamh, code));
	return result->verdict == VERDICT_OK;
}

/* The code alone may hide it: a stack turns PAM_CONV_ERR into what its next lines say. */
static void add_refused_prompt(const struct conversation *c, struct pam_result *result)
{
	char quoted[QUOTE_BYTES(PROMPT_BYTES) / 2];
	size_t n = strlen(result->cause);

	if (result->verdict != VERDICT_OK && c->refused[0])
		snprintf(result->cause + n, sizeof result->cause - n, "; a module asked for more than a password: %s",
			quote_format(slice_str(c->refused), quoted, sizeof quoted));
}

static bool read_user(pam_handle_t *pamh, struct pam_result *result)
{
	const void *item = NULL;
	int r = pam_get_item(pamh, PAM_USER, &item);

	if (r == PAM_SUCCESS && item && slice_to_str(slice_str(item), result->user, sizeof result->user))
		return true;
	result->verdict = VERDICT_UNAVAILABLE;
	snprintf(result->cause, sizeof result->cause, "a module left no user name, or one over %d bytes", LIMIT_USER_BYTES);
	return false;
}

static int run_session(pam_handle_t *pamh)
{
	int r = pam_setcred(pamh, PAM_ESTABLISH_CRED | PAM_SILENT);

	/* PAM_PERM_DENIED is Linux-PAM's own answer where no module had anything to say (pam_exec, pam_ftp). */
	if (r != PAM_SUCCESS && r != PAM_PERM_DENIED)
		return r;
	r = pam_open_session(pamh, PAM_SILENT);
	if (r == PAM_SUCCESS)
		r = pam_close_session(pamh, PAM_SILENT);
	/* Nothing runs under them. A module that cannot take them back has told the system log. */
	(void)pam_setcred(pamh, PAM_DELETE_CRED | PAM_SILENT);
	return r;
}

/* In a child: what a session is given does not stay with the worker, and pam_systemd moves the child, not us. */
static int run_session_in_child(pam_handle_t *pamh)
{
	void (*before)(int) = signal(SIGCHLD, SIG_DFL);
	pid_t parent = getpid(), pid = fork();
	int status = 0;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(PAM_ABORT);
		_exit(run_session(pamh));
	}
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	signal(SIGCHLD, before);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : PAM_SYSTEM_ERR;
}

static void run_steps(pam_handle_t *pamh, struct conversation *c, struct pam_result *result)
{
	const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;

	c->is_open = true;

	int r = pam_authenticate(pamh, flags);

	c->is_open = false;
	if (!judge(pamh, PAM_STEP_AUTHENTICATE, r, result) || !judge(pamh, PAM_STEP_ACCOUNT, pam_acct_mgmt(pamh, flags), result))
		return;
	if (c->login->open_session && !judge(pamh, PAM_STEP_SESSION, run_session_in_child(pamh), result))
		return;
	read_user(pamh, result);
}

void pam_log_in(const struct pam_login *login, struct pam_result *ret_result)
{
	struct conversation c = { .login = login };
	const struct pam_conv conv = { .conv = on_conversation, .appdata_ptr = &c };
	pam_handle_t *pamh = NULL;
	int r = start(login->service, login->config_dir, login->user, &conv, &pamh);

	*ret_result = (struct pam_result){ .verdict = VERDICT_UNAVAILABLE };
	if (r == PAM_SUCCESS)
		r = set_items(pamh, login);
	if (r != PAM_SUCCESS)
		snprintf(ret_result->cause, sizeof ret_result->cause, "pam_start: %.120s", pam_strerror(pamh, r));
	else
		run_steps(pamh, &c, ret_result);
	add_refused_prompt(&c, ret_result);
	ret_result->fail_delay_usec = c.fail_delay_usec;
	if (pamh)
		(void)pam_end(pamh, r);
}

struct pam_idle {
	pam_handle_t *pamh;
	struct conversation conversation;
	struct pam_conv conv;
};

static const struct pam_login nobody = { .service = "", .config_dir = "", .user = "", .rhost = "" };

struct pam_idle *pam_idle_new(const char *service, const char *config_dir)
{
	_cleanup_free_ struct pam_idle *idle = calloc(1, sizeof *idle);

	must(idle != NULL);
	idle->conversation.login = &nobody;
	idle->conv = (struct pam_conv){ .conv = on_conversation, .appdata_ptr = &idle->conversation };
	if (start(service, config_dir, NULL, &idle->conv, &idle->pamh) != PAM_SUCCESS)
		return NULL;
	return take_ptr(idle);
}

void pam_idle_free(struct pam_idle *idle)
{
	if (idle)
		(void)pam_end(idle->pamh, PAM_SUCCESS);
	free(idle);
}
