/* The auth worker as a process: VERIFY and credentials in; ACCOUNT, or FAILED and a verdict, out; no password left behind. */
#include "server/worker/worker.h"

#include "auth/passwd_file.h"
#include "base/clock.h"
#include "base/must.h"
#include "server/ipc/channel.h"
#include "server/ipc/credentials.h"
#include "server/worker/check.h"
#include "server/worker/sandbox.h"
#include "tests/unit/pam_dir.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A worker and both ends that talk to it. */
struct bench {
	struct pam_dir dir;
	struct conf conf;
	struct penalty *penalty;
	struct line line; /* the master's end */
	pid_t pid;
	char mail_user[64];
	char log[4096]; /* its lines */
};

static void write_service(const struct bench *b, const char *auth, const char *account)
{
	char text[400];

	snprintf(text, sizeof text, "auth required %s\naccount required %s\n", auth, account);
	pam_dir_write(&b->dir, "mail", text);
}

static void write_passwords(const struct bench *b)
{
	char path[128], lines[] = "alice@example.org:sesame\nbob@example.org:tr0ub4dor&3\n-x:sesame\n";
	unsigned line;

	*strstr(lines, "-x:") = 'z'; /* a name beginning with "-" is none */
	snprintf(path, sizeof path, "%s/passwords", b->dir.path);

	_cleanup_fclose_ FILE *in = fmemopen(lines, strlen(lines), "r");

	must(in && passwd_file_make(in, path, &line) == 0);
}

/* In the child: what main.c does between the pool and the worker. */
__attribute__((noreturn)) static void run_worker(struct bench *b, int fd, bool sandboxed)
{
	struct pool_child child = { .line_fd = fd, .conf = &b->conf };
	struct status_slot *slot = calloc(1, 4096);
	struct seccomp_program filter;

	child.status.own = slot;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sandboxed && (worker_sandbox_compile(&filter) < 0 || worker_sandbox_enter(&filter, &b->conf) < 0))
		_exit(99);

	int status = worker_serve(&child, b->penalty);

	_exit(status);
}

/* Take frames until one of kind; LOG lines are kept. */
static bool wait_frame(struct bench *b, enum frame_kind kind, struct line_frame *ret)
{
	for (;;) {
		struct pollfd p = { .fd = b->line.fd, .events = POLLIN };
		int r = poll(&p, 1, 10000) == 1 ? line_receive(&b->line, ret) : -ETIMEDOUT;

		if (r < 0) {
			printf("no %s: %s\n%s", frame_name(kind), strerror(-r), b->log);
			return false;
		}
		if (ret->frame.kind == kind)
			return true;
		if (ret->frame.kind == FRAME_LOG) {
			size_t n = strlen(b->log);

			snprintf(b->log + n, sizeof b->log - n, "%.*s\n", SLICE_FMT(ret->frame.log.text));
		}
		line_frame_done(ret);
	}
}

static void start_worker(struct bench *b, bool sandboxed)
{
	int fds[2];
	struct line_frame f;

	must(line_pair(fds) == 0);
	b->pid = fork();
	must(b->pid >= 0);
	if (b->pid == 0) {
		close(fds[0]);
		run_worker(b, fds[1], sandboxed);
	}
	close(fds[1]);
	b->line = line_open(fds[0], ROLE_WORKER);
	b->log[0] = '\0';
	CU_ASSERT_FATAL(wait_frame(b, FRAME_READY, &f));
	line_frame_done(&f);
}

static int stop_worker(struct bench *b)
{
	int status = -1;

	line_close(&b->line);
	waitpid(b->pid, &status, 0);
	return status;
}

static struct bench bench_new(void)
{
	struct bench b = { .dir = pam_dir_new() };

	write_passwords(&b);

	char module[128];

	snprintf(module, sizeof module, "pam_pwdfile.so pwdfile=%s/passwords", b.dir.path);
	write_service(&b, module, "pam_permit.so");
	must(penalty_new(&b.penalty) == 0);
	return b;
}

/* The configuration borrows from the bench, so it is set where the bench lies. */
static void configure(struct bench *b)
{
	b->conf.auth.pam_service = "mail";
	b->conf.auth.pam_config_dir = b->dir.path;
	b->conf.auth.failure_delay_usec = 2 * USEC_PER_SEC;
	b->conf.auth.address_failures = 10;
	b->conf.auth.account_failures = 20;
	b->conf.auth.penalty_window_usec = 600 * USEC_PER_SEC;
	b->conf.auth.minimum_uid = 0;
	b->conf.mail.path = "/var/mail/%d/%n";
	b->conf.mail.index = "/var/lib/restante/%u";
	snprintf(b->mail_user, sizeof b->mail_user, "%u:%u", (unsigned)geteuid(), (unsigned)getegid());
	b->conf.mail.user = b->mail_user;
}

static void bench_free(struct bench *b)
{
	penalty_free(b->penalty);
	pam_dir_free(&b->dir);
}

static void send_verify(struct bench *b, uint64_t id, int far_end, uint8_t last_byte)
{
	uint8_t address[16] = { 192, 0, 2, last_byte };
	const struct frame frame = {
		.kind = FRAME_VERIFY,
		.login = {
			.login_id = id,
			.service = SERVICE_IMAPS,
			.address_family = 4,
			.address_bytes = slice_from(address, sizeof address),
			.address_port = 40000,
			.tls_version = SLICE("TLSv1.3"),
			.tls_cipher = SLICE("TLS_AES_256_GCM_SHA384"),
		},
	};

	must(line_send(&b->line, &frame, &far_end) == 0);
	close(far_end);
}

/* What a login came to, as master and front see it. */
struct answer {
	struct line_frame f;
	enum verdict verdict;
	struct channel_verdict from_channel;
};

static bool read_verdict(struct channel *channel, struct channel_verdict *ret)
{
	struct channel_frame frame;

	return channel_read(channel) == 0 && channel_next(channel, &frame) == 0 && frame.kind == CHANNEL_VERDICT &&
		channel_verdict_parse(frame.payload, ret) == 0;
}

/* Play the front and the master for the bytes of one record. */
static void log_in_raw(struct bench *b, enum channel_kind kind, struct slice payload, uint8_t last_byte, struct answer *ret)
{
	static uint64_t id = 1000;
	int fds[2];

	must(channel_pair(fds) == 0);

	struct channel channel = channel_open(fds[0], CHANNEL_PEER_SERVER);

	must(kind == CHANNEL_NONE || channel_send(&channel, kind, payload) == 0);
	send_verify(b, ++id, fds[1], last_byte);
	ret->verdict = VERDICT_COUNT;

	for (;;) {
		struct pollfd p = { .fd = b->line.fd, .events = POLLIN };

		if (poll(&p, 1, 10000) != 1 || line_receive(&b->line, &ret->f) < 0)
			break;
		if (ret->f.frame.kind != FRAME_LOG)
			break;
		snprintf(b->log, sizeof b->log, "%.*s", SLICE_FMT(ret->f.frame.log.text));
	}
	CU_ASSERT(ret->f.n_fds == 0);
	if (ret->f.frame.kind == FRAME_ACCOUNT) {
		ret->verdict = VERDICT_OK;
		CU_ASSERT(ret->f.frame.account.login_id == id);
		/* The session speaks first. */
		CU_ASSERT(!read_verdict(&channel, &ret->from_channel));
	} else if (ret->f.frame.kind == FRAME_FAILED) {
		ret->verdict = ret->f.frame.failed.verdict;
		CU_ASSERT(ret->f.frame.failed.login_id == id);
		CU_ASSERT(read_verdict(&channel, &ret->from_channel) && ret->from_channel.verdict == ret->verdict);
		CU_ASSERT(ret->from_channel.text.n == 0);
	}
	channel_close(&channel);
}

struct attempt {
	const char *authzid, *authcid, *password;
	uint8_t address;
};

static enum verdict log_in(struct bench *b, const struct attempt *a, struct answer *ret)
{
	uint8_t bytes[CREDENTIALS_MAX_BYTES];
	const struct credentials credentials = {
		.mechanism = CREDENTIALS_PLAIN,
		.authzid = slice_str(a->authzid),
		.authcid = slice_str(a->authcid),
		.password = slice_str(a->password),
	};
	size_t n = credentials_encode(&credentials, bytes);

	must(n > 0);
	b->log[0] = '\0';
	log_in_raw(b, CHANNEL_CREDENTIALS, slice_from(bytes, n), a->address, ret);
	explicit_bzero(bytes, sizeof bytes);
	return ret->verdict;
}

static void test_account(void)
{
	struct bench b = bench_new();
	struct answer answer;

	configure(&b);
	start_worker(&b, true);
	CHECK(log_in(&b, &(struct attempt){ "", "alice@example.org", "sesame", 1 }, &answer) == VERDICT_OK, "%s", b.log);

	const struct frame_account *account = &answer.f.frame.account;

	CU_ASSERT(slice_equal(account->user, SLICE("alice@example.org")));
	CU_ASSERT(account->user_uid == geteuid() && account->user_gid == getegid());
	CU_ASSERT(account->groups.n == 4 && account->home.n == 0);
	CU_ASSERT(slice_equal(account->mail_path, SLICE("/var/mail/example.org/alice")));
	CU_ASSERT(slice_equal(account->index_path, SLICE("/var/lib/restante/alice@example.org")));
	CU_ASSERT_STRING_EQUAL(b.log, ""); /* the session will log it */
	/* The same name twice, as some clients send it. */
	CU_ASSERT(log_in(&b, &(struct attempt){ "alice@example.org", "alice@example.org", "sesame", 1 }, &answer) == VERDICT_OK);
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

static void test_failures(void)
{
	static const struct {
		struct attempt attempt;
		enum verdict want;
		const char *log;
	} rows[] = {
		{ { "", "alice@example.org", "wrong", 1 }, VERDICT_AUTHENTICATION_FAILED,
			"login failed: user=alice@example.org addr=192.0.2.1 service=imaps cause=authentication: pam_authenticate: Authentication failure" },
		{ { "", "mallory@example.org", "wrong", 2 }, VERDICT_AUTHENTICATION_FAILED,
			"login failed: user=mallory@example.org addr=192.0.2.2 service=imaps cause=authentication: pam_authenticate: " },
		{ { "", "alice@example.org", "", 3 }, VERDICT_AUTHENTICATION_FAILED, "cause=authentication: empty password" },
		{ { "", "../x", "sesame", 4 }, VERDICT_AUTHENTICATION_FAILED, "user=../x addr=192.0.2.4" },
		{ { "", "x addr=198.51.100.1 \"\\\n", "sesame", 5 }, VERDICT_AUTHENTICATION_FAILED,
			"login failed: user=x\\x20addr\\x3d198.51.100.1\\x20\\x22\\x5c\\x0a addr=192.0.2.5 service" },
		{ { "bob@example.org", "alice@example.org", "sesame", 6 }, VERDICT_AUTHORIZATION_FAILED,
			"login failed: user=alice@example.org addr=192.0.2.6 service=imaps cause=authorization: asked to act for bob@example.org" },
		{ { "bob@example.org", "alice@example.org", "wrong", 7 }, VERDICT_AUTHENTICATION_FAILED, "login failed" },
	};
	struct bench b = bench_new();

	configure(&b);
	start_worker(&b, true);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct answer answer;

		CHECK(log_in(&b, &rows[i].attempt, &answer) == rows[i].want, "row %zu: %d", i, answer.verdict);
		CHECK(strstr(b.log, rows[i].log) != NULL, "row %zu: %s", i, b.log);
		/* At least our own; pam_pwdfile asks for 2 s, of which PAM makes up to 3. */
		CHECK(answer.from_channel.delay_usec >= 2 * USEC_PER_SEC && answer.from_channel.delay_usec <= 3 * USEC_PER_SEC,
			"row %zu: %llu", i, (unsigned long long)answer.from_channel.delay_usec);
	}
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

static void test_refused(void)
{
	struct bench b = bench_new();
	struct answer answer;

	configure(&b);
	b.conf.auth.address_failures = 4;
	start_worker(&b, true);
	for (int i = 0; i < 4; i++)
		CU_ASSERT(log_in(&b, &(struct attempt){ "", "bob@example.org", "x", 9 }, &answer) == VERDICT_AUTHENTICATION_FAILED);
	CU_ASSERT(answer.from_channel.delay_usec >= 4 * USEC_PER_SEC);
	CU_ASSERT(stop_worker(&b) == 0);

	/* The next worker knows; the right password does not help, another address does. */
	start_worker(&b, true);
	CU_ASSERT(log_in(&b, &(struct attempt){ "", "alice@example.org", "sesame", 9 }, &answer) == VERDICT_REFUSED);
	CHECK(strstr(b.log, "login failed: user=alice@example.org addr=192.0.2.9 service=imaps cause=refused: ") != NULL, "%s", b.log);
	CU_ASSERT(log_in(&b, &(struct attempt){ "", "alice@example.org", "sesame", 10 }, &answer) == VERDICT_OK);
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

static void test_pam_says(void)
{
	static const struct {
		const char *auth, *account;
		enum verdict want;
		const char *log;
	} rows[] = {
		{ "pam_permit.so", "pam_debug.so acct=acct_expired", VERDICT_EXPIRED, "cause=expired: pam_acct_mgmt: " },
		{ "pam_permit.so", "pam_debug.so acct=perm_denied", VERDICT_AUTHORIZATION_FAILED, "cause=authorization: pam_acct_mgmt: " },
		{ "pam_debug.so auth=authinfo_unavail", "pam_permit.so", VERDICT_UNAVAILABLE, "cause=unavailable: pam_authenticate: " },
		{ "pam_restante_no_such.so", "pam_permit.so", VERDICT_UNAVAILABLE, "cause=unavailable: pam_authenticate: " },
	};
	struct bench b = bench_new();
	struct answer answer;

	configure(&b);
	start_worker(&b, true);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		write_service(&b, rows[i].auth, rows[i].account);
		CHECK(log_in(&b, &(struct attempt){ "", "alice@example.org", "x", 1 }, &answer) == rows[i].want, "row %zu: %d", i,
			answer.verdict);
		CHECK(strstr(b.log, rows[i].log) != NULL, "row %zu: %s", i, b.log);
	}
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

/* A front that sends something else than credentials, or nothing, costs one temporary failure. */
static void test_hostile_front(void)
{
	struct bench b = bench_new();
	struct answer answer;
	uint64_t before_usec = clock_monotonic_usec();

	configure(&b);
	start_worker(&b, true);
	log_in_raw(&b, CHANNEL_DATA, SLICE("hello"), 1, &answer);
	CU_ASSERT(answer.verdict == VERDICT_UNAVAILABLE);
	log_in_raw(&b, CHANNEL_CREDENTIALS, SLICE("\x01\x00\x00\xff\xff"), 1, &answer);
	CU_ASSERT(answer.verdict == VERDICT_UNAVAILABLE);
	log_in_raw(&b, CHANNEL_CREDENTIALS, SLICE("\x01\x00\x00\x00\x01" "a\x00\x03" "a\0b"), 1, &answer);
	CU_ASSERT(answer.verdict == VERDICT_UNAVAILABLE);
	log_in_raw(&b, CHANNEL_NONE, SLICE(""), 1, &answer);
	CU_ASSERT(answer.verdict == VERDICT_UNAVAILABLE);
	CU_ASSERT(clock_monotonic_usec() - before_usec < 5 * USEC_PER_SEC);
	CU_ASSERT(log_in(&b, &(struct attempt){ "", "alice@example.org", "sesame", 1 }, &answer) == VERDICT_OK);
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

/* The master sends what it may not send to a worker: exit status 1. */
static void test_wrong_frame(void)
{
	struct bench b = bench_new();

	configure(&b);
	start_worker(&b, true);
	must(line_send(&b.line, &(struct frame){ .kind = FRAME_STOP }, NULL) == 0);

	int status;

	waitpid(b.pid, &status, 0);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	line_close(&b.line);
	bench_free(&b);
}

static void test_sandbox(void)
{
	struct bench b = bench_new();
	char path[64], text[4096] = "";

	configure(&b);
	start_worker(&b, true);
	snprintf(path, sizeof path, "/proc/%d/status", (int)b.pid);

	_cleanup_fclose_ FILE *f = fopen(path, "re");

	CU_ASSERT_FATAL(f != NULL && fread(text, 1, sizeof text - 1, f) > 0);
	CU_ASSERT(strstr(text, "Seccomp:\t2") != NULL);
	CU_ASSERT(strstr(text, geteuid() == 0 ? "NoNewPrivs:\t0" : "NoNewPrivs:\t1") != NULL);
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

/* Bit by bit what a worker may and may not; run in a child. */
static int try_calls(void)
{
	const struct conf conf = { 0 };
	struct seccomp_program filter;
	struct rlimit core;

	if (worker_sandbox_compile(&filter) < 0 || worker_sandbox_enter(&filter, &conf) < 0)
		return 1;
	errno = 0;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 || errno != EPERM)
		return 2;
	if (unshare(CLONE_NEWUTS) == 0 || errno != EPERM)
		return 3;
	if (mount("none", "/tmp", "tmpfs", 0, NULL) == 0 || errno != EPERM)
		return 4;
	if (prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 5;

	/* Modules ask servers, and run helpers. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return fd < 0 ? 6 : status != 0 ? 7 : 0;
}

static void test_sandbox_calls(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(try_calls());
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d", WEXITSTATUS(status));
}

static void test_pam_service_file(void)
{
	struct bench b = bench_new();
	char path[LIMIT_PATH_BYTES + 1];

	CU_ASSERT(check_pam_service("mail", b.dir.path, path) == 0);
	CU_ASSERT(check_pam_service("MAIL", b.dir.path, path) == 0);
	CU_ASSERT(check_pam_service("no-such", b.dir.path, path) == -ENOENT);
	CU_ASSERT(strstr(path, "/no-such") != NULL);
	CU_ASSERT(check_pam_service(".", b.dir.path, path) == -EINVAL);
	CU_ASSERT(check_pam_service("restante-no-such-service", "", path) == -ENOENT);
	CU_ASSERT(check_pam_service("other", "", path) == 0);
	bench_free(&b);
}

/* --- what is left in memory --- */

enum { NEEDLE_BYTES = 60, PIECE_BYTES = 10 };

/* Written so that no process has it in its memory before it is made. */
static void make_needle(char password[NEEDLE_BYTES + 1], char salt)
{
	uint32_t state = (uint32_t)salt * 2654435761u;

	for (int i = 0; i < NEEDLE_BYTES; i++) {
		state = state * 1664525 + 1013904223;
		password[i] = (char)('a' + (state >> 16) % 26);
	}
	password[NEEDLE_BYTES] = '\0';
}

static size_t count_in(int memory, uint64_t from, uint64_t to, struct slice needle, uint64_t *ret_at)
{
	_cleanup_free_ char *bytes = malloc(to - from);
	ssize_t n = bytes ? pread(memory, bytes, to - from, (off_t)from) : -1;
	size_t found = 0;

	for (struct slice rest = slice_from(bytes, n > 0 ? (size_t)n : 0);;) {
		ssize_t at = slice_find_slice(rest, needle);

		if (at < 0)
			break;
		*ret_at = from + (uint64_t)(rest.p - bytes) + (uint64_t)at;
		found++;
		rest = slice_tail(rest, (size_t)at + 1);
	}
	if (bytes)
		explicit_bzero(bytes, to - from);
	return found;
}

/* How often needle is in the writable memory of a process; where is told on standard output. */
static size_t search_memory(pid_t pid, struct slice needle)
{
	char path[64], line[512];
	size_t total = 0;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);

	_cleanup_close_ int memory = open(path, O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);

	_cleanup_fclose_ FILE *maps = fopen(path, "re");

	while (maps && memory >= 0 && fgets(line, sizeof line, maps)) {
		unsigned long long from, to;
		uint64_t at = 0;
		char rights[8];

		if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) != 3 || rights[1] != 'w' || to - from > 64 << 20)
			continue;

		size_t n = count_in(memory, from, to, needle, &at);

		if (n > 0)
			printf("%zu at %llx in %s", n, (unsigned long long)at, line);
		total += n;
	}
	return memory < 0 || !maps ? 1 : total;
}

/* Piece by piece: what was freed is overwritten at its beginning. */
static size_t search_pieces(pid_t pid, const char *password)
{
	size_t total = 0;

	for (size_t at = 0; at + PIECE_BYTES <= NEEDLE_BYTES; at += PIECE_BYTES)
		total += search_memory(pid, slice_from(password + at, PIECE_BYTES));
	return total;
}

/* Each run has a salt of its own: this process, of which the worker is a copy, remembers the others. */
static void expect_no_trace(const char *module, const char *known_user, char salt)
{
	if (geteuid() != 0)
		return; /* a worker is not dumpable: nobody but root can look */

	struct bench b = bench_new();
	char right[NEEDLE_BYTES + 1], wrong[NEEDLE_BYTES + 1];
	struct answer answer;

	configure(&b);
	if (module)
		write_service(&b, module, "pam_permit.so");
	start_worker(&b, true);
	make_needle(wrong, salt);
	for (int i = 0; i < 3; i++)
		log_in(&b, &(struct attempt){ "", known_user, wrong, (uint8_t)(i + 1) }, &answer);
	CHECK(search_pieces(b.pid, wrong) == 0, "%s: a password that was refused", module ? module : "pwdfile");
	/* A password that was taken: of a file made now. */
	make_needle(right, (char)(salt + 1));

	char path[128], lines[100];
	unsigned line;

	snprintf(lines, sizeof lines, "%s:%s\n", known_user, right);
	snprintf(path, sizeof path, "%s/passwords", b.dir.path);

	FILE *in = fmemopen(lines, strlen(lines), "r");

	must(passwd_file_make(in, path, &line) == 0);
	fclose(in);
	log_in(&b, &(struct attempt){ "", known_user, right, 1 }, &answer);
	CHECK(module || answer.verdict == VERDICT_OK, "%d", answer.verdict);
	CHECK(search_pieces(b.pid, right) == 0, "%s: a password that was taken", module ? module : "pwdfile");
	CU_ASSERT(stop_worker(&b) == 0);
	bench_free(&b);
}

static void test_no_password_left(void)
{
	expect_no_trace(NULL, "alice@example.org", 3);
}

static void test_no_password_left_by_pam_unix(void)
{
	expect_no_trace("pam_unix.so", "root", 11);
}

static const struct unit_test tests[] = {
	{ "account", test_account },
	{ "failures", test_failures },
	{ "refused", test_refused },
	{ "PAM says", test_pam_says },
	{ "hostile front", test_hostile_front },
	{ "wrong frame", test_wrong_frame },
	{ "sandbox", test_sandbox },
	{ "sandbox calls", test_sandbox_calls },
	{ "PAM service file", test_pam_service_file },
	{ "no password left", test_no_password_left },
	{ "no password left by pam_unix", test_no_password_left_by_pam_unix },
};

UNIT_MAIN("worker", tests)
