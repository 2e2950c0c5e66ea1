/* A whole session process and hostile fronts: each harms nobody but its own connection. */
#include "tests/unit/session_process.h"

/* A well-behaved connection beside the hostile one still gets its answers. */
static void expect_served(struct channel *good)
{
	uint64_t before_usec = clock_monotonic_usec();

	say(good, "LIST 1\r\n");
	expect_data(good, "+OK 1 74\r\n");
	CU_ASSERT(clock_monotonic_usec() - before_usec < USEC_PER_SEC);
}

static void test_malformed_frames(void)
{
	static const struct slice rows[] = {
		SLICE("\0\0\0\1x"),   /* no kind */
		SLICE("\x63\0\0\1x"), /* an unknown one */
		SLICE("\2\0\0\0"),    /* DATA without any */
		SLICE("\2\xff\xff\xff"
		      "x"),         /* DATA beyond its limit */
		SLICE("\3\0\0\1x"), /* TIMEOUT with a payload */
		SLICE("\4\0\0\x0a"
		      "\0\0\0\0\0\0\0\0\0x"), /* VERDICT: not a front's to send */
		SLICE("\1\0\0\1x"),           /* CREDENTIALS: too late */
		SLICE("\5\0\0\0"),            /* CLOSE: not a front's to send */
	};

	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct channel bad = adopt(&master, 100 + i, SERVICE_IMAP);

		expect_verdict(&bad, VERDICT_OK, SLICE(""));
		CHECK(send(bad.fd, rows[i].p, rows[i].n, MSG_NOSIGNAL) == (ssize_t)rows[i].n,
			"row %zu", i);
		expect_kind(&bad, CHANNEL_NONE);
		channel_close(&bad);
		expect_closed(&master, 100 + i);
		expect_served(&good);
	}
	CU_ASSERT(slice_find_slice(buf_slice(&master.logs),
			  SLICE("reason=\"broken frame from the front\"")) >= 0);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

static void send_descriptor(int to)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char space[CMSG_SPACE(sizeof fd)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (char[]){ 2, 0, 0, 1, 'x' }, .iov_len = 5 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof space };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	CU_ASSERT(sendmsg(to, &msg, MSG_NOSIGNAL) == 5);
	close(fd);
}

static int count_descriptors(pid_t pid)
{
	char command[100];
	int n = -1;

	snprintf(command, sizeof command, "ls /proc/%d/fd 2>/dev/null | wc -l", (int)pid);

	FILE *f = popen(command, "r");

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	return n;
}

static void test_passed_descriptors(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1);
	int before = count_descriptors(master.pid);

	for (uint64_t i = 0; i < 20; i++) {
		struct channel bad = adopt(&master, 100 + i, SERVICE_IMAP);

		expect_verdict(&bad, VERDICT_OK, SLICE(""));
		send_descriptor(bad.fd);
		drain(&bad);
		expect_closed(&master, 100 + i);
	}
	CU_ASSERT(count_descriptors(master.pid) == before);
	expect_served(&good);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

/* Kilobytes of private memory, by /proc; 0 where that is not to be had. */
static long memory_kib(pid_t pid)
{
	char path[64], line[200];
	long kib = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);

	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* Send as much as the channel takes for a while. Returns the bytes taken. */
static size_t flood(int fd, struct slice bytes, int rounds)
{
	size_t sent = 0, at = 0;

	for (int i = 0; i < rounds; i++) {
		ssize_t n = send(fd, bytes.p + at, bytes.n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			sent += (size_t)n;
			at = (at + (size_t)n) % bytes.n;
		} else {
			usleep(1000);
		}
	}
	return sent;
}

/* One that sends commands with large answers, and never reads. The session waits for it, with bounded memory. */
static void test_front_that_stops_reading(void)
{
	static char bytes[4 + 60000];

	make_home();
	run_command("yes 'a line of text' | head -c 5000000 > %s/cur/1800000001.M1P1.host:2,; "
		    "chown %u %s/cur/18*",
		mail_path, (unsigned)mail_uid, mail_path);

	struct master master = start(60 * USEC_PER_SEC);
	struct channel bad = adopt(&master, 1, SERVICE_POP3);
	struct channel good = adopt(&master, 2, SERVICE_IMAP);

	expect_verdict(&bad, VERDICT_OK, SLICE("6 messages"));
	expect_verdict(&good, VERDICT_OK, SLICE(""));
	bytes[0] = 2;
	bytes[2] = (char)(60000 >> 8);
	bytes[3] = (char)(60000 & 0xff);
	for (size_t i = 0; i < 60000 / 8; i++)
		memcpy(bytes + 4 + i * 8, "RETR 6\r\n", 8);

	long before = memory_kib(master.pid);
	size_t sent = flood(bad.fd, slice_from(bytes, sizeof bytes), 1000);

	CHECK(sent < 4 * 1024 * 1024, "%zu bytes were taken", sent);
	CHECK(memory_kib(master.pid) - before < 16 * 1024, "grew by %ld KiB",
		memory_kib(master.pid) - before);
	for (int i = 0; i < 3; i++) {
		say(&good, "1 NOOP\r\n");
		expect_data(&good, "1 OK NOOP completed\r\n");
	}
	channel_close(&bad);
	expect_closed(&master, 1);
	channel_close(&good);
	expect_closed(&master, 2);
	stop(&master);
	remove_home();
}

/* One that sends without end what is no command. */
static void test_flood(void)
{
	static char bytes[4 + 65535];

	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1), bad = adopt(&master, 2, SERVICE_IMAP);

	expect_verdict(&bad, VERDICT_OK, SLICE(""));
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, "\2\0\xff\xff", 4);
	flood(bad.fd, slice_from(bytes, sizeof bytes), 300);
	expect_served(&good);
	CHECK(memory_kib(master.pid) < 64 * 1024, "%ld KiB", memory_kib(master.pid));
	channel_close(&bad);
	expect_closed(&master, 2);
	expect_served(&good);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

/* File status flags are shared by all copies of a descriptor: whoever holds one may make the session's end block. */
static void test_cleared_nonblock(void)
{
	int far_fd;

	make_home();
	run_command("yes 'a line of text' | head -c 5000000 > %s/cur/1800000001.M1P1.host:2,; "
		    "chown %u %s/cur/18*",
		mail_path, (unsigned)mail_uid, mail_path);

	struct master master = start(60 * USEC_PER_SEC);
	struct frame frame = adopt_frame(1, SERVICE_POP3);
	struct channel bad = adopt_with(&master, &frame, &far_fd),
		       good = adopt(&master, 2, SERVICE_IMAP);

	CU_ASSERT(fcntl(far_fd, F_SETFL, fcntl(far_fd, F_GETFL) & ~O_NONBLOCK) == 0);
	expect_verdict(&bad, VERDICT_OK, SLICE("6 messages"));
	expect_verdict(&good, VERDICT_OK, SLICE(""));
	say(&bad, "RETR 6\r\nRETR 6\r\n"); /* more than the socket holds, and nobody reads */
	for (int i = 0; i < 3; i++) {
		say(&good, "1 NOOP\r\n");
		expect_data(&good, "1 OK NOOP completed\r\n");
	}
	/* Half a frame, and then nothing: a read that blocked would hang here. */
	CU_ASSERT(send(bad.fd, "\2\0\0\x10x", 5, MSG_NOSIGNAL) == 5);
	say(&good, "1 NOOP\r\n");
	expect_data(&good, "1 OK NOOP completed\r\n");
	close(far_fd);
	channel_close(&bad);
	expect_closed(&master, 1);
	channel_close(&good);
	expect_closed(&master, 2);
	stop(&master);
	remove_home();
}

/* The channel is a descriptor of any kind: the master checks that, and the session does not depend on it. */
static void test_channel_that_is_none(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1);
	struct frame frame = adopt_frame(2, SERVICE_IMAP);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	tell(&master, &frame, &fd);
	close(fd);
	expect_closed(&master, 2);
	expect_served(&good);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

/* Many at once, all of them working: everybody has a turn. */
static void test_fairness(void)
{
	enum { MANY = 30, COMMANDS = 200 };
	struct channel channels[MANY];
	_cleanup_buf_ struct buf want = BUF(64 * 1024);

	make_home();

	struct master master = start(60 * USEC_PER_SEC);

	for (int i = 0; i < MANY; i++) {
		channels[i] = adopt(&master, (uint64_t)i + 1, SERVICE_IMAP);
		expect_verdict(&channels[i], VERDICT_OK, SLICE(""));
	}
	for (int k = 0; k < COMMANDS; k++) {
		CU_ASSERT(buf_add_str(&want, "1 OK NOOP completed\r\n") == 0);
		for (int i = 0; i < MANY; i++)
			say(&channels[i], "1 NOOP\r\n");
	}
	CU_ASSERT(buf_add_char(&want, '\0') == 0);
	for (int i = MANY; i-- > 0;) {
		expect_data(&channels[i], want.p);
		channel_close(&channels[i]);
	}
	stop(&master);
	remove_home();
}

static const struct unit_test tests[] = {
	{ "malformed frames", test_malformed_frames },
	{ "passed descriptors", test_passed_descriptors },
	{ "a front that stops reading", test_front_that_stops_reading },
	{ "a flood", test_flood },
	{ "cleared O_NONBLOCK", test_cleared_nonblock },
	{ "a channel that is none", test_channel_that_is_none },
	{ "fairness", test_fairness },
};

UNIT_MAIN("session_hostile", tests)
