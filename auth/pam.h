/* pam.h - one login through PAM: authenticate, account, credentials, session; and what came of it. Blocks as the modules do. */
#pragma once

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/verdict.h"

/* What PAM is asked. Strings are borrowed. */
struct pam_login {
	const char *service;    /* the file in pam.d */
	const char *config_dir; /* pam_start_confdir() instead of the system's pam.d; "": the system's */
	const char *user;       /* at most LIMIT_USER_BYTES */
	struct slice password;  /* no NUL in it; the caller wipes it */
	const char *rhost;      /* PAM_RHOST: the client's address as text */
	bool open_session;      /* open a PAM session and close it at once (pam_mkhomedir) */
	const struct log *log;  /* for what modules say, at debug priority; may be NULL */
};

enum { PAM_CAUSE_BYTES = 300 };

struct pam_result {
	enum verdict verdict;
	char user[LIMIT_USER_BYTES + 1]; /* PAM_USER as it stood after authentication; set with VERDICT_OK only */
	uint64_t fail_delay_usec;        /* what modules asked for by pam_fail_delay(); nobody slept */
	char cause[PAM_CAUSE_BYTES];     /* for the log: which call failed and why, printable; "" with VERDICT_OK */
};

/* The calls of PAM whose results are told apart. */
enum pam_step { PAM_STEP_AUTHENTICATE, PAM_STEP_ACCOUNT, PAM_STEP_SESSION, PAM_STEP_COUNT };

/* What a return code of a step means to a client; VERDICT_UNAVAILABLE for codes that no table row names. Pure. */
enum verdict pam_verdict(enum pam_step step, int code);

/*
 * Run one login. Always sets *ret_result.
 *
 * The conversation gives the password to the first prompt without echo, and again to one of the same words (two modules of
 * one stack may each ask); every other prompt fails with PAM_CONV_ERR. Texts of modules go to the log at debug priority.
 * An empty password is never accepted (PAM_DISALLOW_NULL_AUTHTOK).
 *
 * Credentials (pam_setcred) are established for a session only: without one nothing would use them, and each call costs
 * an audit record. Whatever modules do to their process when a session is opened (limits, groups, keyrings, control groups) is done to a
 * child that ends with the session; credentials are deleted again, since nothing runs under them.
 * Blocks  as long as the modules do: whoever started this process ends it when it takes too long.
 */
void pam_log_in(const struct pam_login *login, struct pam_result *ret_result);

/* An idle PAM handle: it keeps the modules of a service loaded from one login to the next. */
struct pam_idle;

/* Start a handle and keep it. Returns NULL if PAM would not start: then each login says why. */
struct pam_idle *pam_idle_new(const char *service, const char *config_dir);
void pam_idle_free(struct pam_idle *idle);
