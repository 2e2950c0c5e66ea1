/* Becoming the user and entering the sandbox are for good; so each test runs in a process of its own. */
#include "base/become.h"
#include "server/session/landlock.h"
#include "server/session/user_sandbox.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEST_UID = 54321, TEST_GID = 54322, OTHER_GID = 54323, MAX_CONNECTIONS = 5000 };

static char root[64]; /* of the test's files */
static bool has_landlock;

/* In a child, and where there is no test yet: leave, saying what failed. */
#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond,       \
				errno);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static int run_child(void (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

static bool succeeds(void (*run)(void))
{
	int status = run_child(run);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A path in root; the last two stay valid. */
static const char *in_root(const char *name)
{
	static char paths[2][256];
	static int turn;
	char *path = paths[turn ^= 1];

	snprintf(path, sizeof paths[0], "%s/%s", root, name);
	return path;
}

static void write_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	EXPECT(fd >= 0 && write(fd, "mail\n", 5) == 5);
	close(fd);
}

static bool can_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static struct identity test_identity(void)
{
	if (geteuid() != 0)
		return (struct identity){ .user_uid = getuid(), .user_gid = getgid() };
	return (struct identity){
		.user_uid = TEST_UID, .user_gid = TEST_GID, .groups = { OTHER_GID }, .n_groups = 1
	};
}

static void check_no_capabilities(void)
{
	char text[4096];
	FILE *f = fopen("/proc/self/status", "re");

	EXPECT(f != NULL);

	size_t n = fread(text, 1, sizeof text - 1, f);

	text[n] = '\0';
	fclose(f);
	EXPECT(strstr(text, "CapEff:\t0000000000000000") != NULL);
	EXPECT(strstr(text, "CapPrm:\t0000000000000000") != NULL);
}

static void become_and_look(void)
{
	struct identity identity = test_identity();
	uid_t uids[3];
	gid_t gids[3], groups[10];

	EXPECT(become_user(&identity) == 0);
	EXPECT(getresuid(&uids[0], &uids[1], &uids[2]) == 0 &&
		getresgid(&gids[0], &gids[1], &gids[2]) == 0);
	for (int i = 0; i < 3; i++)
		EXPECT(uids[i] == identity.user_uid && gids[i] == identity.user_gid);
	check_no_capabilities();
	if (identity.user_uid == TEST_UID)
		EXPECT(getgroups(10, groups) == 1 && groups[0] == OTHER_GID);
	EXPECT(setuid(0) < 0 && seteuid(0) < 0 && setgid(0) < 0);
	EXPECT(!can_read(in_root("of-root")) || geteuid() != TEST_UID);
}

static void become_root_without_capabilities(void)
{
	struct identity identity = { .user_uid = 0, .user_gid = 0 };

	EXPECT(become_user(&identity) == 0);
	check_no_capabilities();
}

static void become_somebody_else(void)
{
	struct identity identity = { .user_uid = TEST_UID + 1, .user_gid = TEST_GID };

	if (geteuid() == 0)
		EXPECT(setresgid(TEST_GID, TEST_GID, TEST_GID) == 0 &&
			setresuid(TEST_UID, TEST_UID, TEST_UID) == 0);
	EXPECT(become_user(&identity) == -EPERM);
	identity.user_uid = getuid();
	EXPECT(become_user(&identity) == 0);
}

static void test_become(void)
{
	CU_ASSERT(succeeds(become_and_look));
	CU_ASSERT(succeeds(become_somebody_else));
	if (geteuid() == 0)
		CU_ASSERT(succeeds(become_root_without_capabilities));
}

static void test_make_directory(void)
{
	char home[100], path[200];
	struct stat st;

	snprintf(home, sizeof home, "%s/home", root);
	snprintf(path, sizeof path, "%s/mail/Maildir", home);
	CU_ASSERT(become_make_directory(home, path) < 0); /* no home: not made */
	CU_ASSERT(stat(home, &st) < 0);
	CU_ASSERT(become_make_directory(home, home) == -ENOENT);
	CU_ASSERT(mkdir(home, 0755) == 0);
	CU_ASSERT(become_make_directory(home, path) == 0);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
	CU_ASSERT(become_make_directory(home, path) == 0);

	snprintf(path, sizeof path, "%s/spool/example.org/a", root);
	CU_ASSERT(become_make_directory("", path) == -ENOENT);
	CU_ASSERT(become_make_directory(home, path) ==
		  -ENOENT); /* not under home: only the last step */
	snprintf(path, sizeof path, "%s/spool", root);
	CU_ASSERT(become_make_directory(home, path) == 0);
	snprintf(path, sizeof path, "%s/homeless", root);
	CU_ASSERT(become_make_directory(home, path) == 0);
	snprintf(path, sizeof path, "%s/../x", home);
	CU_ASSERT(become_make_directory(home, path) == -EINVAL);
	CU_ASSERT(become_make_directory(home, "Maildir") == -EINVAL);
	snprintf(path, sizeof path, "%s/file", home);
	write_file(path);
	CU_ASSERT(become_make_directory(home, path) == -ENOTDIR);
}

/* The mail of two virtual users: the same uid, and only Landlock between them. */
static void make_two_maildirs(void)
{
	static const char *const directories[] = { "alice", "alice/cur", "alice/new", "bob",
		"bob/cur", "index" };
	struct identity identity = test_identity();

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		CU_ASSERT_FATAL(mkdir(in_root(directories[i]), 0700) == 0);
		CU_ASSERT_FATAL(
			chown(in_root(directories[i]), identity.user_uid, identity.user_gid) == 0);
	}
	for (int i = 0; i < 2; i++) {
		const char *path = in_root(i ? "bob/cur/1" : "alice/cur/1");

		write_file(path);
		CU_ASSERT_FATAL(chown(path, identity.user_uid, identity.user_gid) == 0);
	}
}

static void enter_sandbox(void)
{
	struct identity identity = test_identity();
	struct seccomp_program filter;
	char mail[100], index[100];

	snprintf(mail, sizeof mail, "%s/alice", root);
	snprintf(index, sizeof index, "%s/index", root);
	EXPECT(user_sandbox_compile(&filter) == 0);
	EXPECT(become_user(&identity) == 0);
	EXPECT(can_read(in_root("bob/cur/1"))); /* the uid alone would let us */
	EXPECT(user_sandbox_enter(&(struct user_sandbox_settings){ .mail_path = mail,
		       .index_path = index,
		       .max_connections = MAX_CONNECTIONS,
		       .filter = &filter }) == 0);
}

static void work_in_own_mail(void)
{
	char to[256];
	int fd;

	enter_sandbox();
	EXPECT(can_read(in_root("alice/cur/1")));
	fd = open(in_root("alice/new/2"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 0) == 0 && fdatasync(fd) == 0 &&
		close(fd) == 0);
	snprintf(to, sizeof to, "%s/alice/cur/2:2,S", root);
	EXPECT(rename(in_root("alice/new/2"), to) == 0); /* between directories: REFER */
	EXPECT(link(to, in_root("alice/new/3")) == 0);
	EXPECT(unlink(to) == 0);
	EXPECT(mkdir(in_root("alice/.Sent"), 0700) == 0);
	EXPECT(rmdir(in_root("alice/.Sent")) == 0);
	write_file(in_root("index/data.mdb"));
}

static void look_elsewhere(void)
{
	enter_sandbox();
	if (!has_landlock)
		return;
	EXPECT(open(in_root("bob/cur/1"), O_RDONLY) < 0 && errno == EACCES);
	EXPECT(open(in_root("bob/cur/2"), O_CREAT | O_WRONLY, 0600) < 0 && errno == EACCES);
	EXPECT(open(in_root("bob"), O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	EXPECT(unlink(in_root("bob/cur/1")) < 0 && errno == EACCES);
	EXPECT(link(in_root("bob/cur/1"), in_root("alice/cur/stolen")) < 0);
	EXPECT(rename(in_root("alice/cur/1"), in_root("bob/cur/planted")) < 0);
	EXPECT(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	EXPECT(open("/proc/self/environ", O_RDONLY) < 0);
}

static void make_sockets(void)
{
	int pair[2];

	enter_sandbox();
	EXPECT(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
	EXPECT(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 && errno == EAFNOSUPPORT);
}

static void run_a_program(void)
{
	enter_sandbox();
	execl("/bin/true", "true", NULL);
}

static void make_a_fifo(void)
{
	enter_sandbox();
	mkfifo(in_root("alice/fifo"), 0600);
}

static void trace_another(void)
{
	enter_sandbox();
	syscall(310 /* process_vm_readv */, getppid(), NULL, 0, NULL, 0, 0);
}

/* Of the same uid, as the sessions of virtual users are: neither Landlock nor the uid keeps them apart here. */
static void signal_another(void)
{
	pid_t other = getppid();

	enter_sandbox();
	syscall(SYS_tgkill, other, other, 0);
}

static void kill_another(void)
{
	pid_t other = getppid();

	enter_sandbox();
	kill(other, SIGCONT);
}

static void signal_another_by_descriptor(void)
{
	pid_t other = getppid();

	enter_sandbox();
	fcntl(STDIN_FILENO, F_SETOWN, other);
}

static void limit_another(void)
{
	pid_t other = getppid();
	struct rlimit now;

	enter_sandbox();
	prlimit(other, RLIMIT_CORE, NULL, &now);
}

static void change_mode_of_another(void)
{
	enter_sandbox();
	chmod(in_root("bob"), 0777);
}

static void change_times_of_another(void)
{
	enter_sandbox();
	utimensat(AT_FDCWD, in_root("bob/cur/1"), NULL, 0);
}

static void mind_own_business(void)
{
	struct rlimit now;
	int fd;

	enter_sandbox();
	EXPECT(syscall(SYS_tgkill, getpid(), gettid(), 0) == 0);
	EXPECT(kill(getpid(), 0) == 0); /* is the holder of a lock there? */
	EXPECT(prlimit(0, RLIMIT_CORE, NULL, &now) == 0);
	fd = open(in_root("alice/cur/1"), O_RDWR | O_CLOEXEC);
	EXPECT(fd >= 0 && futimens(fd, NULL) == 0 && fchmod(fd, 0600) == 0);
	EXPECT(fcntl(fd, F_GETFL) >= 0);
	EXPECT(fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK }) == 0);
	EXPECT(fcntl(fd, F_OFD_SETLK, &(struct flock){ .l_type = F_UNLCK }) == 0);
	EXPECT(fcntl(fd, F_DUPFD_CLOEXEC, 10) >= 10);
}

static void find_a_bug(void)
{
	enter_sandbox();
	abort();
}

static bool is_killed(void (*run)(void))
{
	int status = run_child(run);

	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void test_sandbox(void)
{
	make_two_maildirs();
	CU_ASSERT(succeeds(work_in_own_mail));
	CU_ASSERT(succeeds(look_elsewhere));
	CU_ASSERT(succeeds(make_sockets));
	CU_ASSERT(is_killed(run_a_program));
	CU_ASSERT(is_killed(make_a_fifo));
	CU_ASSERT(is_killed(trace_another));
	CU_ASSERT(is_killed(signal_another));
	CU_ASSERT(is_killed(kill_another));
	CU_ASSERT(is_killed(signal_another_by_descriptor));
	CU_ASSERT(is_killed(limit_another));
	CU_ASSERT(is_killed(change_mode_of_another));
	CU_ASSERT(is_killed(change_times_of_another));
	CU_ASSERT(succeeds(mind_own_business));
	CU_ASSERT(WTERMSIG(run_child(find_a_bug)) == SIGABRT);
	if (!has_landlock)
		printf("no Landlock here: what it denies was not tested\n");
}

static void limits(void)
{
	struct rlimit core, files, before;

	EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
	enter_sandbox();
	EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	/* As many as was said can be open: a channel that finds no descriptor would end the session. */
	EXPECT(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max <= 10 * MAX_CONNECTIONS);
	EXPECT(files.rlim_cur == before.rlim_max || files.rlim_cur > 2 * MAX_CONNECTIONS);
}

static void test_limits(void)
{
	CU_ASSERT(succeeds(limits));
}

static const struct unit_test tests[] = {
	{ "become the user", test_become },
	{ "make the mail directory", test_make_directory },
	{ "sandbox", test_sandbox },
	{ "resource limits", test_limits },
};

static void remove_files(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", root);
	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", root);
}

int main(void)
{
	strcpy(root, "/tmp/restante-sandbox-XXXXXX");
	if (!mkdtemp(root) || chmod(root, 0755) < 0)
		return 1;
	write_file(in_root("of-root"));
	has_landlock = landlock_abi() >= LANDLOCK_ABI_MIN;

	int status = unit_run("user_sandbox", tests, sizeof tests / sizeof *tests);

	remove_files();
	return status;
}
