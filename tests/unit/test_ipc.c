/* test_ipc.c - frames, lines, channels, credentials, the control format and the status memory. */
#include "base/must.h"
#include "server/ipc/channel.h"
#include "server/ipc/control.h"
#include "server/ipc/credentials.h"
#include "server/ipc/line.h"
#include "server/ipc/status.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const char zeros16[16];

static struct frame sample(enum frame_kind kind)
{
	struct frame f = { .kind = kind };

	/* Give every slice of a kind something valid, by what the table asks for. */
	switch (kind) {
	case FRAME_CONFIG:
		f.config = (struct frame_config){ 3, SLICE("/etc/x.conf") };
		break;
	case FRAME_LISTENERS:
		f.listeners.services = SLICE("\0\1\3");
		break;
	case FRAME_LOGIN:
	case FRAME_VERIFY:
		f.login = (struct frame_login){ 77, SERVICE_POP3, 4, slice_from(zeros16, 16), 993, SLICE("TLSv1.3"), SLICE("X"),
			LANGUAGE_JAPANESE };
		break;
	case FRAME_ACCOUNT:
		f.account = (struct frame_account){ 9, SLICE("alice"), 1000, 1001, SLICE("\0\0\3\350"), SLICE("/home/a"),
			SLICE("/home/a/Maildir"), SLICE("/home/a/Maildir/restante.index") };
		break;
	case FRAME_ADOPT:
		f.adopt = (struct frame_adopt){ 9, SERVICE_IMAPS, 1, SLICE("alice"), 1000, 1001, SLICE(""), SLICE("/home/a"),
			SLICE("/m"), SLICE("/i"), SLICE("192.0.2.1"), LANGUAGE_JAPANESE };
		break;
	case FRAME_FAILED:
		f.failed = (struct frame_failed){ 9, VERDICT_EXPIRED };
		break;
	case FRAME_TICKET_KEYS:
		f.ticket_keys.keys = slice_from("0123456789abcdef", 16);
		break;
	default:
		break;
	}
	return f;
}

static const enum role any_roles[] = { ROLE_MASTER, ROLE_FRONT_POOL, ROLE_AUTH_POOL, ROLE_SESSION_POOL, ROLE_FRONT, ROLE_WORKER, ROLE_SESSION };

static void test_frames_round_trip(void)
{
	for (enum frame_kind kind = 1; kind < FRAME_KIND_COUNT; kind++) {
		struct frame in = sample(kind), out;
		uint8_t bytes[FRAME_MAX_BYTES], again[FRAME_MAX_BYTES];
		size_t n = frame_encode(&in, bytes), allowed = 0;

		for (size_t r = 0; r < ROLE_COUNT; r++) {
			if (frame_decode(slice_from(bytes, n), any_roles[r], &out) < 0)
				continue;
			allowed++;
			CHECK(out.kind == kind, "%s", frame_name(kind));
			CHECK(frame_encode(&out, again) == n && memcmp(bytes, again, n) == 0, "%s", frame_name(kind));
			/* One byte less, one byte more: no frame. */
			CHECK(frame_decode(slice_from(bytes, n - 1), any_roles[r], &out) == -EBADMSG, "%s cut", frame_name(kind));
			bytes[n] = 0;
			CHECK(frame_decode(slice_from(bytes, n + 1), any_roles[r], &out) == -EBADMSG, "%s long", frame_name(kind));
		}
		CHECK(allowed >= 1 && allowed < ROLE_COUNT, "%s may be sent by %zu roles", frame_name(kind), allowed);
	}
}

static void test_frames_bad(void)
{
	uint8_t bytes[FRAME_MAX_BYTES];
	struct frame f = sample(FRAME_ACCOUNT), out;
	size_t n;

	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_SESSION, &out) == -EBADMSG, "a session may not send ACCOUNT");
	CHECK(frame_decode(slice_from(bytes, n), ROLE_WORKER, &out) == 0, "a worker may");
	f.account.mail_path = SLICE("relative");
	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_WORKER, &out) == -EBADMSG, "relative path");
	f = sample(FRAME_ACCOUNT);
	f.account.user = SLICE("al\0ce");
	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_WORKER, &out) == -EBADMSG, "NUL in a name");
	f = sample(FRAME_ACCOUNT);
	f.account.groups = SLICE("123");
	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_WORKER, &out) == -EBADMSG, "groups not in fours");
	f = sample(FRAME_FAILED);
	f.failed.verdict = VERDICT_OK;
	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_WORKER, &out) == -EBADMSG, "FAILED with OK");
	f = sample(FRAME_LOGIN);
	f.login.service = SERVICE_COUNT;
	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_FRONT, &out) == -EBADMSG, "no such service");
	f = sample(FRAME_LOGIN);
	f.login.address_bytes = SLICE("1234");
	n = frame_encode(&f, bytes);
	CHECK(frame_decode(slice_from(bytes, n), ROLE_FRONT, &out) == -EBADMSG, "short address");
	CHECK(frame_decode((struct slice){ NULL, 0 }, ROLE_FRONT, &out) == -EBADMSG, "nothing");
	CHECK(frame_decode(SLICE("\xff"), ROLE_MASTER, &out) == -EBADMSG, "no such kind");
}

static void test_line_descriptors(void)
{
	int ends[2], pipe_fds[2];
	struct frame f = sample(FRAME_LOGIN);
	static struct line_frame got;

	CHECK(line_pair(ends) == 0 && pipe2(pipe_fds, O_CLOEXEC) == 0, "pairs");

	struct line front = line_open(ends[0], ROLE_MASTER), master = line_open(ends[1], ROLE_FRONT);

	CHECK(line_receive(&master, &got) == -EAGAIN, "nothing yet");
	CHECK(line_send(&front, &f, &pipe_fds[1]) == 0, "send");
	CHECK(line_receive(&master, &got) == 0 && got.frame.kind == FRAME_LOGIN && got.n_fds == 1, "received");

	int fd = line_frame_take_fd(&got, 0);

	line_frame_done(&got);
	CHECK(write(fd, "x", 1) == 1 && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "the descriptor works, close-on-exec");
	close(fd);

	/* A frame that needs a descriptor, without one: the peer is misbehaving. */
	uint8_t bytes[FRAME_MAX_BYTES];
	size_t n = frame_encode(&f, bytes);

	CHECK(send(front.fd, bytes, n, 0) == (ssize_t)n, "raw");
	CHECK(line_receive(&master, &got) == -EBADMSG, "descriptor missing");

	line_close(&front);
	CHECK(line_receive(&master, &got) == -EPIPE, "end of file");
	CHECK(line_send(&master, &(struct frame){ .kind = FRAME_STOP }, NULL) == -EPIPE, "peer gone");
	line_close(&master);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A process that can open no more files loses what comes with descriptors, and nothing else. */
static void test_line_out_of_descriptors(void)
{
	int ends[2], pipe_fds[2];
	struct rlimit before, none;
	struct frame login = sample(FRAME_LOGIN);
	static struct line_frame got;

	CHECK(line_pair(ends) == 0 && pipe2(pipe_fds, O_CLOEXEC) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0, "pairs");

	struct line front = line_open(ends[0], ROLE_MASTER), master = line_open(ends[1], ROLE_FRONT);

	CHECK(line_send(&front, &login, &pipe_fds[0]) == 0, "LOGIN");
	CHECK(line_send(&front, &(struct frame){ .kind = FRAME_READY }, NULL) == 0, "READY");
	none = (struct rlimit){ 0, before.rlim_max };
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0, "limit");

	int r = line_receive(&master, &got);

	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0, "limit back");
	CHECK(r == 0 && got.frame.kind == FRAME_READY && master.lost_frames == 1, "the next frame comes: %d", r);
	line_frame_done(&got);
	CHECK(line_send(&front, &login, &pipe_fds[0]) == 0 && line_receive(&master, &got) == 0 && got.n_fds == 1, "and then all is well");
	line_frame_done(&got);
	line_close(&front);
	line_close(&master);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_line_queue(void)
{
	int ends[2];
	static struct line_frame got;

	CHECK(line_pair(ends) == 0, "pair");

	struct line master = line_open(ends[0], ROLE_WORKER), worker = line_open(ends[1], ROLE_MASTER);
	struct frame log = { .kind = FRAME_LOG, .log = { 3, SLICE("text") } };
	uint64_t sent = 0, received = 0;

	/* Until the kernel takes no more and the queue is full. */
	while (line_send(&master, &(struct frame){ .kind = FRAME_PING, .serial = { sent } }, NULL) == 0)
		sent++;
	CHECK(line_wants_write(&master) && sent > 1000, "%llu sent", (unsigned long long)sent);
	CHECK(line_send(&master, &log, NULL) == 0 && master.dropped_logs == 1, "logs are dropped, not queued");
	for (;;) {
		int r = line_receive(&worker, &got);

		if (r == -EAGAIN && !line_wants_write(&master))
			break;
		if (r == -EAGAIN) {
			CHECK(line_flush(&master) == 0, "flush");
			continue;
		}
		if (r < 0 || got.frame.serial.serial != received) {
			CHECK(false, "order at %llu", (unsigned long long)received);
			break;
		}
		received++;
		line_frame_done(&got);
	}
	CHECK(received == sent, "%llu of %llu", (unsigned long long)received, (unsigned long long)sent);
	line_close(&master);
	line_close(&worker);
}

static void test_channel_data(void)
{
	/* A megabyte through a socket that fills up: in order, whole, by frames of any split. */
	int ends[2];
	size_t total = 1000003, at = 0, got = 0, owed = 0;
	char *bytes = malloc(total);

	CHECK(channel_pair(ends) == 0, "pair");
	for (size_t i = 0; i < total; i++)
		bytes[i] = (char)(i * 7 % 253);

	struct channel server = channel_open(ends[0], CHANNEL_PEER_FRONT), front = channel_open(ends[1], CHANNEL_PEER_SERVER);

	while (got < total) {
		size_t sent = 0;
		struct channel_frame frame;

		CHECK(channel_send_data(&server, slice_from(bytes + at, total - at), &owed, &sent) == 0, "send");
		at += sent;
		while (channel_read(&front) == 0)
			;
		while (channel_next(&front, &frame) == 0) {
			if (memcmp(frame.payload.p, bytes + got, frame.payload.n) != 0)
				CHECK(false, "bytes differ near %zu", got);
			got += frame.payload.n;
		}
	}
	CHECK(at == total && got == total && owed == 0, "all of it");
	CHECK(channel_send(&server, CHANNEL_CLOSE, (struct slice){ NULL, 0 }) == 0, "close frame");
	channel_close(&server);

	struct channel_frame frame;

	CHECK(channel_read(&front) == 0 && channel_next(&front, &frame) == 0 && frame.kind == CHANNEL_CLOSE, "close frame");
	CHECK(channel_read(&front) == 0 && front.in_eof && channel_read(&front) == -EAGAIN, "end of file");
	channel_close(&front);
	free(bytes);
}

static void test_channel_hostile(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *what;
	} rows[] = {
		{ "\0\0\0\1x", 5, "kind 0" },
		{ "\x7f\0\0\1x", 5, "unknown kind" },
		{ "\2\1\0\1x", 5, "DATA beyond its limit" },
		{ "\2\0\0\0", 4, "empty DATA" },
		{ "\3\0\0\1x", 5, "TIMEOUT with payload" },
		{ "\4\0\0\1x", 5, "VERDICT from a front" },
		{ "\5\0\0\0", 4, "CLOSE from a front" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int ends[2];
		struct channel_frame frame;

		CHECK(channel_pair(ends) == 0, "pair");

		struct channel server = channel_open(ends[0], CHANNEL_PEER_FRONT);

		CHECK(write(ends[1], rows[i].bytes, rows[i].n) == (ssize_t)rows[i].n, "write");
		CHECK(channel_read(&server) == 0, "read");
		CHECK(channel_next(&server, &frame) == -EBADMSG, "%s", rows[i].what);
		channel_close(&server);
		close(ends[1]);
	}
}

static void test_channel_ancillary(void)
{
	int ends[2];

	CHECK(channel_pair(ends) == 0, "pair");

	struct channel server = channel_open(ends[0], CHANNEL_PEER_FRONT);
	struct line sender = line_open(ends[1], ROLE_MASTER);
	struct frame f = sample(FRAME_LOGIN);
	int next = dup(0);

	close(next);
	CHECK(line_send(&sender, &f, &ends[0]) == 0, "a descriptor down the channel");
	CHECK(channel_read(&server) == -EBADMSG, "refused");

	int after = dup(0);

	CHECK(after == next, "the descriptor that came was closed");
	close(after);
	channel_close(&server);
	line_close(&sender);
}

static void test_channel_origin(void)
{
	int ends[2], seqpacket[2], pipe_fds[2];

	CHECK(channel_pair(ends) == 0 && line_pair(seqpacket) == 0 && pipe(pipe_fds) == 0, "pairs");
	CHECK(channel_is_from(ends[0], getpid()), "ours");
	CHECK(!channel_is_from(ends[0], getpid() + 1) && !channel_is_from(ends[0], 0), "another's");
	CHECK(!channel_is_from(seqpacket[0], getpid()), "not a stream");
	CHECK(!channel_is_from(pipe_fds[0], getpid()), "not a socket");

	int tcp = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(!channel_is_from(tcp, getpid()), "not AF_UNIX");
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(seqpacket[i]);
		close(pipe_fds[i]);
	}
	close(tcp);
}

static void test_verdict(void)
{
	int ends[2];
	struct channel_verdict in = { VERDICT_EXPIRED, 2500000, SLICE("[EXPIRED] gone") }, out;
	struct channel_frame frame;

	CHECK(channel_pair(ends) == 0, "pair");

	struct channel worker = channel_open(ends[0], CHANNEL_PEER_FRONT), front = channel_open(ends[1], CHANNEL_PEER_SERVER);

	CHECK(channel_send_verdict(&worker, &in) == 0, "send");
	CHECK(channel_read(&front) == 0 && channel_next(&front, &frame) == 0, "read");
	CHECK(channel_verdict_parse(frame.payload, &out) == 0, "parse");
	CHECK(out.verdict == in.verdict && out.delay_usec == in.delay_usec && slice_equal(out.text, in.text), "same");
	CHECK(channel_verdict_parse(SLICE("\x09\0\0\0\0\0\0\0\0"), &out) == -EBADMSG, "no such verdict");
	CHECK(channel_verdict_parse(SLICE("\0\0\0\0\0\0\0\0\0a\r\nb"), &out) == -EBADMSG, "line end in the text");
	channel_close(&worker);
	channel_close(&front);
}

static void test_credentials(void)
{
	struct credentials in = { CREDENTIALS_PLAIN, SLICE(""), SLICE("user"), SLICE("pass word") }, out;
	uint8_t bytes[CREDENTIALS_MAX_BYTES];
	size_t n = credentials_encode(&in, bytes);

	CHECK(n == 1 + 6 + 4 + 9 && credentials_decode(slice_from(bytes, n), &out) == 0, "size %zu", n);
	CHECK(slice_equal(out.authcid, in.authcid) && slice_equal(out.password, in.password) && out.authzid.n == 0, "same");
	for (size_t cut = 0; cut < n; cut++)
		CHECK(credentials_decode(slice_from(bytes, cut), &out) == -EBADMSG, "cut at %zu", cut);
	in.authcid = SLICE("");
	CHECK(credentials_encode(&in, bytes) == 0, "empty user");
	in.authcid = SLICE("a\0b");
	CHECK(credentials_encode(&in, bytes) == 0, "NUL");

	char long_name[257];

	memset(long_name, 'u', sizeof long_name);
	in.authcid = slice_from(long_name, 256);
	CHECK(credentials_encode(&in, bytes) == 0, "too long");
	in.authcid = slice_from(long_name, 255);
	CHECK(credentials_encode(&in, bytes) > 0, "as long as may be");
}

static void test_control(void)
{
	struct buf out = BUF(1000);
	struct slice fields[] = { SLICE("plain"), SLICE("tab\there"), SLICE(""), SLICE("back\\slash\nline") };

	CHECK(control_add_line(&out, 'R', fields, 4) == 0, "add");
	CHECK(slice_equal(buf_slice(&out), SLICE("R\tplain\ttab\\there\t\tback\\\\slash\\nline\n")), "text");

	struct slice line = slice_from(out.p, out.n - 1), field;

	CHECK(control_take_field(&line, &field) && slice_equal(field, SLICE("R")), "letter");
	for (int i = 0; i < 4; i++)
		CHECK(control_take_field(&line, &field) && slice_equal(field, fields[i]), "field %d", i);
	CHECK(!control_take_field(&line, &field), "end");
	buf_done(&out);
}

static void test_status(void)
{
	int fd;
	struct status master, front, other, session;
	struct address a = { .family = 4, .bytes = { 192, 0, 2, 1 } }, b = { .family = 4, .bytes = { 192, 0, 2, 2 } };

	CHECK(status_create(&fd) == 0 && status_map(fd, 0, &master) == 0, "create");
	CHECK(status_map(fd, 1, &front) == 0 && status_map(fd, 2, &other) == 0 && status_map(fd, 500, &session) == 0, "map");
	CHECK(session.all == NULL && session.own_clients == NULL, "a session maps its own page only");
	status_add(&front, STATUS_CONNECTIONS_IMAP, 3);
	status_add(&other, STATUS_CONNECTIONS_IMAPS, 2);
	status_add(&other, STATUS_CONNECTIONS_IMAPS, -1);
	status_add(&session, STATUS_COMMANDS, 9);
	CHECK(status_connections(&front) == 4 && status_read(&master, 500, STATUS_COMMANDS) == 9, "sums");
	status_count_client(&front, &a, 1);
	status_count_client(&other, &a, 1);
	a.port = 7;
	CHECK(status_client_connections(&other, &a) == 2, "over all fronts, whatever the port");
	CHECK(status_client_connections(&other, &b) == 0, "another client");
	status_clear_slot(fd, 2);
	CHECK(status_client_connections(&front, &a) == 1 && status_connections(&master) == 3, "a dead front's are gone");
	free(master.own);
	close(fd);
}

/* mremap() makes a shared mapping reach what lies behind it in the file: behind a session's slot lies nothing of the fronts'. */
static void test_status_reach(void)
{
	struct address a = { .family = 4, .bytes = { 192, 0, 2, 1 } };
	struct status front, session;
	int fd;

	CHECK(status_create(&fd) == 0 && status_map(fd, STATUS_FRONTS, &front) == 0, "create");
	CHECK(status_map(fd, STATUS_FRONTS + 1, &session) == 0, "map");
	status_add(&session, STATUS_COMMANDS, 1);

	off_t own = lseek(fd, STATUS_SLOT_BYTES, SEEK_DATA);

	status_add(&front, STATUS_CONNECTIONS_IMAP, 1);
	status_count_client(&front, &a, 1);
	CHECK(own > 0 && lseek(fd, own + STATUS_SLOT_BYTES, SEEK_DATA) < 0 && errno == ENXIO, "a front's counts lie behind");
	CHECK(lseek(fd, STATUS_SLOT_BYTES, SEEK_DATA) < own, "they lie before");
	close(fd);
}

static const struct unit_test tests[] = {
	{ "frames round trip", test_frames_round_trip },
	{ "frames bad", test_frames_bad },
	{ "line descriptors", test_line_descriptors },
	{ "line out of descriptors", test_line_out_of_descriptors },
	{ "line queue", test_line_queue },
	{ "channel data", test_channel_data },
	{ "channel hostile", test_channel_hostile },
	{ "channel ancillary", test_channel_ancillary },
	{ "channel origin", test_channel_origin },
	{ "verdict", test_verdict },
	{ "credentials", test_credentials },
	{ "control", test_control },
	{ "status", test_status },
	{ "status reach", test_status_reach },
};

UNIT_MAIN("ipc", tests)
