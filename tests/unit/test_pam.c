#include "auth/pam.h"

#include "auth/passwd_file.h"
#include "tests/unit/pam_dir.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <time.h>

static struct pam_dir dir;

static struct pam_result run_with(const char *service, const char *user, const char *password, bool with_session)
{
	struct pam_result result;

	pam_log_in(
		&(struct pam_login){
			.service = service,
			.config_dir = dir.path,
			.user = user,
			.password = slice_str(password),
			.rhost = "192.0.2.1",
			.open_session = with_session,
		},
		&result);
	return result;
}

static struct pam_result run(const char *service, const char *user, const char *password)
{
	return run_with(service, user, password, false);
}

/* pam_debug gives any code at any step: the table of verdicts, by way of a real stack. */
static void test_verdicts(void)
{
	static const struct {
		const char *step, *code;
		enum verdict want;
	} rows[] = {
		{ "auth", "success", VERDICT_OK },
		{ "auth", "auth_err", VERDICT_AUTHENTICATION_FAILED },
		{ "auth", "user_unknown", VERDICT_AUTHENTICATION_FAILED },
		{ "auth", "maxtries", VERDICT_AUTHENTICATION_FAILED },
		{ "auth", "cred_insufficient", VERDICT_AUTHENTICATION_FAILED },
		{ "auth", "perm_denied", VERDICT_AUTHENTICATION_FAILED },
		{ "auth", "acct_expired", VERDICT_EXPIRED },
		{ "auth", "cred_expired", VERDICT_EXPIRED },
		{ "auth", "authtok_expired", VERDICT_EXPIRED },
		{ "auth", "new_authtok_reqd", VERDICT_EXPIRED },
		{ "auth", "authinfo_unavail", VERDICT_UNAVAILABLE },
		{ "auth", "system_err", VERDICT_UNAVAILABLE },
		{ "auth", "buf_err", VERDICT_UNAVAILABLE },
		{ "auth", "service_err", VERDICT_UNAVAILABLE },
		{ "auth", "open_err", VERDICT_UNAVAILABLE },
		{ "auth", "symbol_err", VERDICT_UNAVAILABLE },
		{ "auth", "conv_err", VERDICT_UNAVAILABLE },
		{ "auth", "abort", VERDICT_UNAVAILABLE },
		{ "auth", "module_unknown", VERDICT_UNAVAILABLE },
		{ "auth", "authtok_err", VERDICT_UNAVAILABLE },
		{ "auth", "try_again", VERDICT_UNAVAILABLE },
		{ "acct", "success", VERDICT_OK },
		{ "acct", "perm_denied", VERDICT_AUTHORIZATION_FAILED },
		{ "acct", "auth_err", VERDICT_AUTHORIZATION_FAILED },
		{ "acct", "user_unknown", VERDICT_AUTHORIZATION_FAILED },
		{ "acct", "acct_expired", VERDICT_EXPIRED },
		{ "acct", "new_authtok_reqd", VERDICT_EXPIRED },
		{ "acct", "authtok_expired", VERDICT_EXPIRED },
		{ "acct", "cred_expired", VERDICT_EXPIRED },
		{ "acct", "authinfo_unavail", VERDICT_UNAVAILABLE },
		{ "acct", "system_err", VERDICT_UNAVAILABLE },
		{ "cred", "cred_expired", VERDICT_EXPIRED },
		{ "cred", "cred_unavail", VERDICT_UNAVAILABLE },
		{ "cred", "perm_denied", VERDICT_OK }, /* what PAM says where all modules ignore the call */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[300];

		snprintf(text, sizeof text,
			"auth required pam_debug.so %s=%s\naccount required pam_debug.so %s=%s\nsession required pam_permit.so\n",
			rows[i].step, rows[i].code, rows[i].step, rows[i].code);
		pam_dir_write(&dir, "debug", text);

		struct pam_result result = run_with("debug", "root", "x", strcmp(rows[i].step, "cred") == 0);

		CHECK(result.verdict == rows[i].want, "%s=%s: verdict %d, %s", rows[i].step, rows[i].code, result.verdict, result.cause);
		CHECK((result.verdict == VERDICT_OK) == (result.cause[0] == '\0'), "%s=%s", rows[i].step, rows[i].code);
	}
}

static void test_unknown_codes(void)
{
	for (enum pam_step step = 0; step < PAM_STEP_COUNT; step++) {
		CU_ASSERT(pam_verdict(step, PAM_SUCCESS) == VERDICT_OK);
		CU_ASSERT(pam_verdict(step, 9999) == VERDICT_UNAVAILABLE);
		CU_ASSERT(pam_verdict(step, -1) == VERDICT_UNAVAILABLE);
		for (int code = 1; code < 40; code++)
			CHECK(pam_verdict(step, code) != VERDICT_OK, "step %d code %d", step, code);
	}
	CU_ASSERT(pam_verdict(PAM_STEP_SESSION, PAM_AUTH_ERR) == VERDICT_UNAVAILABLE);
}

static void write_passwords(const char *text)
{
	char path[128], lines[300];
	unsigned line;

	snprintf(path, sizeof path, "%s/passwords", dir.path);
	snprintf(lines, sizeof lines, "%s", text);

	_cleanup_fclose_ FILE *in = fmemopen(lines, strlen(lines), "r");

	CU_ASSERT(passwd_file_make(in, path, &line) == 0);
}

static void write_service(const char *name, const char *before, const char *after)
{
	char text[600];

	snprintf(text, sizeof text, "%sauth required pam_pwdfile.so pwdfile=%s/passwords\n%saccount required pam_permit.so\n", before,
		dir.path, after);
	pam_dir_write(&dir, name, text);
}

/* Real modules and a real password file. */
static void test_pwdfile(void)
{
	write_passwords("# a comment\n\nalice:sesame\nbob@example.org:p\xc3\xa4ss:w\xc3\xb6rd \n");
	write_service("mail", "", "");

	struct pam_result result = run("mail", "alice", "sesame");

	CHECK(result.verdict == VERDICT_OK, "%s", result.cause);
	CU_ASSERT_STRING_EQUAL(result.user, "alice");
	CU_ASSERT(run("mail", "bob@example.org", "p\xc3\xa4ss:w\xc3\xb6rd ").verdict == VERDICT_OK);
	CU_ASSERT(run("mail", "alice", "Sesame").verdict == VERDICT_AUTHENTICATION_FAILED);
	CU_ASSERT(run("mail", "alice", "sesame ").verdict == VERDICT_AUTHENTICATION_FAILED);
	CU_ASSERT(run("mail", "alice", "").verdict == VERDICT_AUTHENTICATION_FAILED);
	CU_ASSERT(run("mail", "mallory", "sesame").verdict == VERDICT_AUTHENTICATION_FAILED);
	CU_ASSERT(run("mail", "#", "sesame").verdict == VERDICT_AUTHENTICATION_FAILED);
	CU_ASSERT(run("mail", "", "sesame").verdict != VERDICT_OK);
	CU_ASSERT(run("MAIL", "alice", "sesame").verdict == VERDICT_OK);
	CU_ASSERT(run("no-such-service", "alice", "sesame").verdict != VERDICT_OK);
}

/* The second module asks in the same words, or in others. */
static void test_prompts(void)
{
	write_passwords("alice:sesame\nanonymous:me@example.org\n");
	write_service("same", "", "auth required pam_unix.so\n");
	write_service("other-words", "", "auth required pam_ftp.so\n");

	/* pam_unix does not know the user, but it got its answer. */
	struct pam_result same = run("same", "alice", "sesame"), other = run("other-words", "anonymous", "me@example.org");

	CHECK(same.verdict == VERDICT_AUTHENTICATION_FAILED, "%d %s", same.verdict, same.cause);
	CHECK(strstr(same.cause, "more than a password") == NULL, "%s", same.cause);
	CHECK(other.verdict == VERDICT_UNAVAILABLE, "%d %s", other.verdict, other.cause);
	CHECK(strstr(other.cause, "more than a password: Guest\\x20login") != NULL, "%s", other.cause);
}

/* A module that changes PAM_USER is believed: pam_ftp makes "ftp" of "anonymous". */
static void test_pam_user(void)
{
	pam_dir_write(&dir, "ftp", "auth required pam_ftp.so\naccount required pam_permit.so\n");

	struct pam_result result = run("ftp", "anonymous", "me@example.org");

	CHECK(result.verdict == VERDICT_OK, "%s", result.cause);
	CU_ASSERT_STRING_EQUAL(result.user, "ftp");
}

static uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void test_fail_delay(void)
{
	write_passwords("alice:sesame\n");
	write_service("slow", "auth optional pam_faildelay.so delay=4000000\n", "");

	uint64_t before_usec = now_usec();
	struct pam_result bad = run("slow", "alice", "wrong"), good = run("slow", "alice", "sesame");

	CU_ASSERT(now_usec() - before_usec < 2000000); /* nobody slept */
	CU_ASSERT(bad.verdict == VERDICT_AUTHENTICATION_FAILED);
	CHECK(bad.fail_delay_usec >= 1000000 && bad.fail_delay_usec <= 8000000, "%llu", (unsigned long long)bad.fail_delay_usec);
	CU_ASSERT(good.verdict == VERDICT_OK);
	CU_ASSERT(good.fail_delay_usec == 0);
}

static void test_session(void)
{
	char marker[128], text[700];

	write_passwords("alice:sesame\n");
	snprintf(marker, sizeof marker, "%s/marker", dir.path);
	snprintf(text, sizeof text,
		"auth required pam_pwdfile.so pwdfile=%s/passwords\naccount required pam_permit.so\n"
		"session required pam_exec.so log=%s /usr/bin/env\n", dir.path, marker);
	pam_dir_write(&dir, "session", text);

	struct pam_result result;
	struct pam_login login = {
		.service = "session",
		.config_dir = dir.path,
		.user = "alice",
		.password = SLICE("sesame"),
		.rhost = "192.0.2.7",
		.open_session = true,
	};

	pam_log_in(&login, &result);
	CHECK(result.verdict == VERDICT_OK, "%s", result.cause);

	_cleanup_fclose_ FILE *f = fopen(marker, "re");
	char all[8192] = "";

	CU_ASSERT_FATAL(f != NULL);
	CU_ASSERT(fread(all, 1, sizeof all - 1, f) > 0);
	CU_ASSERT(strstr(all, "PAM_TYPE=open_session") != NULL);
	CU_ASSERT(strstr(all, "PAM_TYPE=close_session") != NULL);
	CU_ASSERT(strstr(all, "PAM_RHOST=192.0.2.7") != NULL);
	CU_ASSERT(strstr(all, "PAM_TTY=restante") != NULL);
	CU_ASSERT(strstr(all, "PAM_USER=alice") != NULL);
	CU_ASSERT(strstr(all, "sesame") == NULL);

	snprintf(text, sizeof text,
		"auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_debug.so open_session=session_err\n");
	pam_dir_write(&dir, "session", text);
	pam_log_in(&login, &result);
	CU_ASSERT(result.verdict == VERDICT_UNAVAILABLE);
}

static void test_idle(void)
{
	write_passwords("alice:sesame\n");
	write_service("mail", "", "");

	struct pam_idle *idle = pam_idle_new("mail", dir.path);

	CU_ASSERT_FATAL(idle != NULL);
	CU_ASSERT(run("mail", "alice", "sesame").verdict == VERDICT_OK);
	/* A handle that idles does not freeze the file. */
	pam_dir_write(&dir, "mail", "auth required pam_deny.so\n");
	CU_ASSERT(run("mail", "alice", "sesame").verdict == VERDICT_AUTHENTICATION_FAILED);
	pam_idle_free(idle);
	pam_idle_free(NULL);
}

static void test_passwd_file(void)
{
	static const struct {
		const char *lines;
		int want;
		unsigned line;
	} rows[] = {
		{ "", 0, 0 },
		{ "a:b", 0, 0 },
		{ "a:b\nc", -EINVAL, 2 },
		{ "a:b\n\n#x\n:p\n", -EINVAL, 4 },
		{ "a:\n", -EINVAL, 1 },
		{ "../x:p\n", -EINVAL, 1 },
	};
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s/passwords", dir.path);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char lines[64];
		unsigned line = 99;

		snprintf(lines, sizeof lines, "%s", rows[i].lines);
		unlink(path);

		_cleanup_fclose_ FILE *in = lines[0] ? fmemopen(lines, strlen(lines), "r") : fopen("/dev/null", "re");
		int r = passwd_file_make(in, path, &line);

		CHECK(r == rows[i].want && line == rows[i].line, "row %zu: %d, line %u", i, r, line);
		bool exists = stat(path, &st) == 0;

		CHECK(exists == (r == 0) && (!exists || (st.st_mode & 07777) == 0600), "row %zu", i);
	}

	unsigned line;
	_cleanup_fclose_ FILE *in = fopen("/dev/null", "re");

	CU_ASSERT(passwd_file_make(in, "/nonexistent/dir/file", &line) == -ENOENT);
}

static const struct unit_test tests[] = {
	{ "verdicts", test_verdicts },
	{ "unknown codes", test_unknown_codes },
	{ "pwdfile", test_pwdfile },
	{ "prompts", test_prompts },
	{ "PAM_USER", test_pam_user },
	{ "fail delay", test_fail_delay },
	{ "session", test_session },
	{ "idle", test_idle },
	{ "passwd file", test_passwd_file },
};

int main(void)
{
	dir = pam_dir_new();

	int status = unit_run("pam", tests, sizeof tests / sizeof *tests);

	pam_dir_free(&dir);
	return status;
}
