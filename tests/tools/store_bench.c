/*
 * CPU of the store for a large mailbox, each step in a process of its own: opened first, opened unchanged from the index,
 * after one new message, STORE over all, and memory. Usage: store_bench [messages]
 */
#include "base/clock.h"
#include "maildir/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { MESSAGES = 100000, BUDGET = 1000 };

static char root[200], index_path[220];

static struct store *open_store(void)
{
	const struct store_settings settings = {
		.path = root,
		.index_path = index_path,
		.boot_id = "bench",
		.hierarchy_separator = '/',
		.fsync = FSYNC_OPTIMIZED,
		.hostname = "bench",
		.uidl_format = "%08Xu%08Xv",
	};
	struct store *store;

	if (store_open(&settings, &log_to_stderr, &store) < 0)
		exit(1);
	return store;
}

static void sync_all(struct mailbox *mailbox)
{
	for (int r = -EINPROGRESS; r != 0;) {
		struct work work = { .now_usec = clock_realtime_usec(), .budget = BUDGET };

		r = mailbox_sync(mailbox, &work);
		if (r < 0 && r != -EINPROGRESS && r != -EAGAIN)
			exit(2);
	}
}

static void settle(struct store *store)
{
	for (uint64_t usec = 0; usec != UINT64_MAX; usec = store_rest(store))
		usleep((useconds_t)usec);
}

static double cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* What counts as this process's alone: its own memory, or with the pages of the index it has mapped. */
static long private_kib(bool with_index)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[200];
	long kib = 0, value;

	while (file && fgets(line, sizeof line, file))
		if (with_index ? sscanf(line, "Private_Clean: %ld", &value) == 1 ||
					 sscanf(line, "Private_Dirty: %ld", &value) == 1
			       : sscanf(line, "Anonymous: %ld", &value) == 1)
			kib += value;
	if (file)
		fclose(file);
	return kib;
}

static void store_all(struct mailbox *mailbox, struct store *store)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages), done = 0;
	uint32_t *uids = calloc(n + 1, sizeof *uids);
	const struct flags_change change = { FLAGS_ADD, FLAG_FLAGGED, 0, UINT64_MAX };
	int r = -EINPROGRESS;

	for (size_t i = 0; i < n; i++)
		uids[i] = messages[i].msg_uid;
	while (r == -EINPROGRESS) {
		struct work work = { .now_usec = clock_realtime_usec(), .budget = BUDGET };

		r = mailbox_store_flags(mailbox, uids, n, &done, &change, NULL, &work);
		store_watch_drain(store);
		(void)!store_rest(store);
	}
	free(uids);
	if (r != 0)
		exit(3);
}

static void touch_all(struct mailbox *mailbox)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);
	int64_t seconds;

	for (size_t i = 0; i < n; i++)
		if (mailbox_internaldate(mailbox, messages[i].msg_uid, &seconds) < 0)
			exit(4);
}

enum step { STEP_OPEN, STEP_NOTHING, STEP_STORE, STEP_ALL_LOADED };

/* One session: CPU from before the store is opened to when it has come to rest, and to the first answer. */
static void run(const char *name, enum step step)
{
	double before = cpu_ms(), opened;
	struct store *store = open_store();
	struct mailbox *mailbox;

	if (mailbox_open(store, SLICE("INBOX"), &mailbox) < 0)
		exit(5);
	sync_all(mailbox);
	opened = cpu_ms() - before;
	before = cpu_ms();
	if (step == STEP_STORE)
		store_all(mailbox, store);
	if (step == STEP_ALL_LOADED)
		touch_all(mailbox);

	double did = cpu_ms() - before;

	before = cpu_ms();
	settle(store);
	printf("%-34s open %8.2f ms  then %8.2f ms  saved %7.2f ms  memory %6ld KiB, private %6ld KiB\n", name, opened,
		did, cpu_ms() - before, private_kib(false), private_kib(true));
	fflush(stdout);
	mailbox_close(mailbox);
	store_close(store);
	exit(0);
}

static void step(const char *name, enum step what)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		run(name, what);
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "%s: failed\n", name);
		exit(1);
	}
}

static void deliver(const char *part, unsigned n)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%s/17%08u.M%06uP%u.mail.example.org,S=24%s", root, part, n,
		n * 7919 % 1000000, n % 30000, strcmp(part, "cur") == 0 ? ":2,S" : "");

	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "Subject: one\n\nbody text\n", 24) != 24)
		exit(6);
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : MESSAGES;

	snprintf(root, sizeof root, "%s/restante-bench-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(root))
		return 1;
	snprintf(index_path, sizeof index_path, "%s/restante.index", root);
	store_close(open_store());
	for (unsigned i = 0; i < n; i++)
		deliver("cur", i);
	usleep(100000);
	step("first, unknown messages", STEP_OPEN);
	for (int i = 0; i < 3; i++)
		step("unchanged", STEP_NOTHING);
	deliver("new", n);
	step("one new message", STEP_NOTHING);
	step("unchanged after it", STEP_NOTHING);
	step("STORE over all", STEP_STORE);
	step("unchanged after it", STEP_NOTHING);
	step("all names and dates", STEP_ALL_LOADED);
	step("all names and dates, known", STEP_ALL_LOADED);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
