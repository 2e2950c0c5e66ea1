/*
 * fake_roles - stands in for restante-front, restante-auth and restante-session (by the name it is called with), so that
 * tests/e2e/test_master.py can make each of them do what a good one never does.
 *
 * front     speaks lines in the clear: "LOGIN USER PASSWORD" is answered "OK TEXT", "NO VERDICT" or "GONE"; then lines are
 *           relayed. "PID", "RETRY" (LOGIN again without waiting), "FOREIGN", "GARBAGE", "OUT-OF-TURN", "FLOOD", "MUTE"
 * worker    decides by the password: "ok", "bad", "hang", "die", "wrong-id"; every user is uid 1000 with the mail of that name
 * session   echoes lines; "PID", "DROPPED" (whether it was told to drop its index), "SEGV", "EXIT", "GARBAGE", "SLOW-WHO",
 *           "LIE" (CLOSED for a connection it does not have)
 * pools     refuse a configuration whose certificate, pam-service or mail path contains "broken", and die on "deadly"
 */
#include "base/must.h"
#include "server/ipc/channel.h"
#include "server/ipc/credentials.h"
#include "server/pool/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <sys/socket.h>

enum { CLIENTS = 200, LINE = 1000 };

static void say(struct line *line, enum frame_kind kind)
{
	must(line_send(line, &(struct frame){ .kind = kind }, NULL) == 0);
}

static bool is_broken(const char *text)
{
	if (strstr(text, "deadly"))
		raise(SIGKILL);
	return strstr(text, "broken") != NULL;
}

/* ---- front ---- */

struct client {
	int fd;
	struct channel channel; /* fd -1: none */
	bool relaying;
	uint64_t id;
	size_t owed;
};

struct front {
	struct line line;
	const struct pool_child *child;
	struct client clients[CLIENTS];
	bool accepting;
	uint64_t last_id;
};

static void tell(int fd, const char *format, ...) _printf_(2, 3);

static void tell(int fd, const char *format, ...)
{
	char text[LINE + 100];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static struct frame login_frame(uint64_t id)
{
	static const uint8_t address[16] = { 192, 0, 2, 1 };

	return (struct frame){
		.kind = FRAME_LOGIN,
		.login = { .login_id = id, .service = SERVICE_IMAPS, .address_family = 4, .address_bytes = slice_from(address, 16),
			.tls_version = SLICE("TLSv1.3"), .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384") },
	};
}

static void log_in(struct front *f, struct client *c, char *user, char *password)
{
	uint8_t bytes[CREDENTIALS_MAX_BYTES];
	int ends[2];
	struct frame frame = login_frame(c->id);
	struct credentials credentials = { .mechanism = CREDENTIALS_PLAIN, .authcid = slice_str(user), .password = slice_str(password) };

	if (c->channel.fd >= 0)
		channel_close(&c->channel);
	must(channel_pair(ends) == 0);
	c->channel = channel_open(ends[0], CHANNEL_PEER_SERVER);
	must(channel_send(&c->channel, CHANNEL_CREDENTIALS, slice_from(bytes, credentials_encode(&credentials, bytes))) == 0);
	must(line_send(&f->line, &frame, &ends[1]) == 0);
	close(ends[1]);
}

static void misbehave(struct front *f, struct client *c, const char *word)
{
	if (strcmp(word, "FOREIGN") == 0) {
		struct frame frame = login_frame(c->id);

		must(line_send(&f->line, &frame, &c->fd) == 0);
	} else if (strcmp(word, "GARBAGE") == 0) {
		(void)!send(f->line.fd, "\xff\xff\xff", 3, MSG_NOSIGNAL);
	} else if (strcmp(word, "OUT-OF-TURN") == 0) {
		say(&f->line, FRAME_READY);
	} else if (strcmp(word, "FLOOD") == 0) {
		char text[500];
		struct frame frame = { .kind = FRAME_LOG, .log = { LOG_PRIORITY_INFO, slice_from(text, sizeof text) } };

		memset(text, '~', sizeof text);

		for (int i = 0; i < 20000; i++) {
			struct pollfd ready = { .fd = f->line.fd, .events = POLLOUT };

			poll(&ready, 1, 1000);
			(void)!line_send(&f->line, &frame, NULL);
		}
		tell(c->fd, "DONE\n");
	} else if (strcmp(word, "MUTE") == 0) {
		raise(SIGSTOP);
	}
}

static void on_line_of_client(struct front *f, struct client *c, char *text)
{
	char user[LINE], password[LINE];
	size_t sent;

	if (c->relaying) {
		size_t n = strlen(text);

		text[n++] = '\n';
		if (channel_send_data(&c->channel, slice_from(text, n), &c->owed, &sent) < 0)
			tell(c->fd, "GONE\n");
	} else if (sscanf(text, "LOGIN %s %s", user, password) == 2) {
		log_in(f, c, user, password);
	} else if (strcmp(text, "PID") == 0) {
		tell(c->fd, "%d %llu\n", (int)getpid(), (unsigned long long)f->child->generation);
	} else if (strcmp(text, "CANCEL") == 0) {
		must(line_send(&f->line, &(struct frame){ .kind = FRAME_CANCEL, .login_id = { c->id } }, NULL) == 0);
		channel_close(&c->channel);
	} else {
		misbehave(f, c, text);
	}
}

static void drop_client(struct front *f, struct client *c)
{
	if (c->channel.fd >= 0)
		channel_close(&c->channel);
	close(c->fd);
	c->fd = -1;
	status_add((struct status *)&f->child->status, STATUS_CONNECTIONS_IMAPS, -1);
}

static void read_client(struct front *f, struct client *c)
{
	char text[LINE];
	ssize_t n = recv(c->fd, text, sizeof text - 2, MSG_DONTWAIT);

	if (n <= 0) {
		drop_client(f, c);
		return;
	}
	text[n] = '\0';
	for (char *save, *l = strtok_r(text, "\r\n", &save); l && c->fd >= 0; l = strtok_r(NULL, "\r\n", &save)) {
		char copy[LINE + 2];

		snprintf(copy, LINE, "%s", l);
		on_line_of_client(f, c, copy);
	}
}

static void read_channel(struct client *c)
{
	struct channel_frame frame;
	struct channel_verdict verdict;
	int r = channel_read(&c->channel);

	while (channel_next(&c->channel, &frame) == 0) {
		if (frame.kind == CHANNEL_VERDICT && channel_verdict_parse(frame.payload, &verdict) == 0) {
			c->relaying = verdict.verdict == VERDICT_OK;
			if (c->relaying) {
				tell(c->fd, "OK %.*s\n", SLICE_FMT(verdict.text));
				continue;
			}
			tell(c->fd, "NO %d\n", verdict.verdict);
			channel_close(&c->channel);
			return;
		} else if (frame.kind == CHANNEL_DATA) {
			tell(c->fd, "%.*s", SLICE_FMT(frame.payload));
		}
	}
	if ((r < 0 && r != -EAGAIN) || c->channel.in_eof) {
		channel_close(&c->channel);
		tell(c->fd, "GONE\n");
		c->relaying = false;
	}
}

static void accept_client(struct front *f, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = 0; fd >= 0 && i < CLIENTS; i++)
		if (f->clients[i].fd < 0) {
			f->clients[i] = (struct client){ .fd = fd, .channel.fd = -1, .id = ++f->last_id };
			status_add((struct status *)&f->child->status, STATUS_CONNECTIONS_IMAPS, 1);
			status_add((struct status *)&f->child->status, STATUS_ACCEPTED, 1);
			return;
		}
}

/* Returns false when it is over. */
static bool read_master(struct front *f)
{
	struct line_frame frame;
	int r = line_receive(&f->line, &frame);

	if (r == -EAGAIN)
		return true;
	if (r < 0)
		return false;
	if (frame.frame.kind == FRAME_STOP_ACCEPT)
		f->accepting = false;

	bool stop = frame.frame.kind == FRAME_STOP;

	line_frame_done(&frame);
	return !stop;
}

static int be_front(void *state, const struct pool_child *child)
{
	static struct front f;
	const int *listeners = child->listener_fds;

	(void)state;
	f = (struct front){ .line = line_open(child->line_fd, ROLE_MASTER), .child = child, .accepting = true };
	for (size_t i = 0; i < CLIENTS; i++)
		f.clients[i].fd = f.clients[i].channel.fd = -1;
	say(&f.line, FRAME_READY);
	for (;;) {
		struct pollfd fds[1 + FRAME_MAX_FDS + 2 * CLIENTS];
		size_t n = 0, connected = 0;

		fds[n++] = (struct pollfd){ .fd = f.line.fd, .events = POLLIN };
		for (size_t i = 0; i < child->n_listeners; i++)
			fds[n++] = (struct pollfd){ .fd = f.accepting ? listeners[i] : -1, .events = POLLIN };
		for (size_t i = 0; i < CLIENTS; i++) {
			fds[n++] = (struct pollfd){ .fd = f.clients[i].fd, .events = POLLIN };
			fds[n++] = (struct pollfd){ .fd = f.clients[i].fd < 0 ? -1 : f.clients[i].channel.fd, .events = POLLIN };
			connected += f.clients[i].fd >= 0;
		}
		if (!f.accepting && connected == 0)
			return 0;
		poll(fds, n, -1);
		if (fds[0].revents && !read_master(&f))
			return 0;
		for (size_t i = 0; i < child->n_listeners; i++)
			if (f.accepting && fds[1 + i].revents)
				accept_client(&f, listeners[i]);
		for (size_t i = 0; i < CLIENTS; i++) {
			const struct pollfd *of = &fds[1 + child->n_listeners + 2 * i];

			if (of[1].revents && f.clients[i].channel.fd == of[1].fd)
				read_channel(&f.clients[i]);
			if (of[0].revents && f.clients[i].fd == of[0].fd)
				read_client(&f, &f.clients[i]);
		}
	}
}

/* ---- worker ---- */

static void wait_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	poll(&ready, 1, -1);
}

static void fail(struct line *line, struct channel *channel, uint64_t id)
{
	must(channel_send_verdict(channel, &(struct channel_verdict){ .verdict = VERDICT_AUTHENTICATION_FAILED }) == 0);
	must(line_send(line, &(struct frame){ .kind = FRAME_FAILED, .failed = { id, VERDICT_AUTHENTICATION_FAILED } }, NULL) == 0);
}

static void accept_login(struct line *line, uint64_t id, struct slice user)
{
	char path[300];
	struct frame frame = {
		.kind = FRAME_ACCOUNT,
		.account = { .login_id = id, .user = user, .user_uid = 1000, .user_gid = 1000, .home = SLICE("/nowhere") },
	};

	snprintf(path, sizeof path, "/nowhere/%.*s", SLICE_FMT(user));
	frame.account.mail_path = frame.account.index_path = slice_str(path);
	must(line_send(line, &frame, NULL) == 0);
}

static void verify(struct line *line, struct channel *channel, uint64_t id)
{
	struct channel_frame frame;
	struct credentials credentials;

	wait_readable(channel->fd);
	if (channel_read(channel) < 0 || channel_next(channel, &frame) < 0 || credentials_decode(frame.payload, &credentials) < 0)
		fail(line, channel, id);
	else if (slice_equal(credentials.password, SLICE("ok")))
		accept_login(line, id, credentials.authcid);
	else if (slice_equal(credentials.password, SLICE("wrong-id")))
		accept_login(line, id + 1, credentials.authcid);
	else if (slice_equal(credentials.password, SLICE("hang")))
		pause();
	else if (slice_equal(credentials.password, SLICE("die")))
		raise(SIGKILL);
	else
		fail(line, channel, id);
}

static int be_worker(void *state, const struct pool_child *child)
{
	struct line line = line_open(child->line_fd, ROLE_MASTER);

	(void)state;
	say(&line, FRAME_READY);
	for (;;) {
		struct line_frame frame;

		wait_readable(line.fd);

		int r = line_receive(&line, &frame);

		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return 0;

		struct channel channel = channel_open(line_frame_take_fd(&frame, 0), CHANNEL_PEER_FRONT);

		verify(&line, &channel, frame.frame.login.login_id);
		channel_close(&channel);
		line_frame_done(&frame);
	}
}

/* ---- session ---- */

struct connection {
	uint64_t id;
	struct channel channel; /* fd -1: free */
	size_t owed;
};

struct session {
	struct line line;
	struct connection connections[CLIENTS];
	size_t n;
	bool adopted, dropped, slow_who;
};

static void reply(struct connection *c, const char *text)
{
	size_t sent;

	must(channel_send_data(&c->channel, slice_str(text), &c->owed, &sent) <= 0);
}

static void on_adopt(struct session *s, struct line_frame *frame)
{
	const struct frame_adopt *a = &frame->frame.adopt;

	s->adopted = true;
	s->dropped |= a->drop_index != 0;
	for (size_t i = 0; i < CLIENTS; i++) {
		struct connection *c = &s->connections[i];

		if (c->channel.fd >= 0)
			continue;
		*c = (struct connection){ .id = a->login_id, .channel = channel_open(line_frame_take_fd(frame, 0), CHANNEL_PEER_FRONT) };
		must(channel_send_verdict(&c->channel, &(struct channel_verdict){ .verdict = VERDICT_OK, .text = a->user }) <= 0);
		s->n++;
		return;
	}
}

static void close_connection(struct session *s, struct connection *c)
{
	channel_close(&c->channel);
	s->n--;
	must(line_send(&s->line, &(struct frame){ .kind = FRAME_CLOSED, .login_id = { c->id } }, NULL) == 0);
}

static void on_who(struct session *s, uint64_t serial)
{
	for (size_t i = 0; i < CLIENTS && !s->slow_who; i++) {
		struct frame frame = { .kind = FRAME_WHO_ENTRY, .who_entry = { s->connections[i].id, 5000000, 7, SLICE("IDLE") } };

		if (s->connections[i].channel.fd >= 0)
			must(line_send(&s->line, &frame, NULL) == 0);
	}
	if (!s->slow_who)
		must(line_send(&s->line, &(struct frame){ .kind = FRAME_WHO_END, .serial = { serial } }, NULL) == 0);
}

static void on_word(struct session *s, struct connection *c, const char *word)
{
	char text[100];

	if (strcmp(word, "PID") == 0) {
		snprintf(text, sizeof text, "%d\n", (int)getpid());
		reply(c, text);
	} else if (strcmp(word, "DROPPED") == 0) {
		reply(c, s->dropped ? "yes\n" : "no\n");
	} else if (strcmp(word, "SEGV") == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer would make a plain exit of it */
		raise(SIGSEGV);
	} else if (strcmp(word, "EXIT") == 0) {
		_exit(3);
	} else if (strcmp(word, "GARBAGE") == 0) {
		(void)!send(s->line.fd, "\xff", 1, MSG_NOSIGNAL);
	} else if (strcmp(word, "LIE") == 0) {
		must(line_send(&s->line, &(struct frame){ .kind = FRAME_CLOSED, .login_id = { UINT64_MAX } }, NULL) == 0);
	} else if (strcmp(word, "SLOW-WHO") == 0) {
		s->slow_who = true;
		reply(c, "slow\n");
	} else {
		snprintf(text, sizeof text, "%.90s\n", word);
		reply(c, text);
	}
}

static void read_connection(struct session *s, struct connection *c)
{
	struct channel_frame frame;
	int r = channel_read(&c->channel);

	while (channel_next(&c->channel, &frame) == 0) {
		char word[LINE];
		struct slice text = slice_trim(frame.payload);

		if (frame.kind == CHANNEL_DATA && slice_to_str(text, word, sizeof word))
			on_word(s, c, word);
	}
	if ((r < 0 && r != -EAGAIN) || c->channel.in_eof)
		close_connection(s, c);
}

static void kick(struct session *s, uint64_t id)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (s->connections[i].channel.fd >= 0 && s->connections[i].id == id)
			close_connection(s, &s->connections[i]);
}

/* Returns false when it is over. */
static bool session_read_master(struct session *s)
{
	struct line_frame frame;
	bool go_on = true;
	int r = line_receive(&s->line, &frame);

	if (r == -EAGAIN)
		return true;
	if (r < 0)
		return false;
	switch (frame.frame.kind) {
	case FRAME_ADOPT:
		on_adopt(s, &frame);
		break;
	case FRAME_WHO:
		on_who(s, frame.frame.serial.serial);
		break;
	case FRAME_KICK:
		kick(s, frame.frame.login_id.login_id);
		break;
	default: /* RETIRE_OK, STOP */
		go_on = false;
	}
	line_frame_done(&frame);
	return go_on;
}

static int be_session(void *state, const struct pool_child *child)
{
	static struct session s;
	bool asked = false;

	(void)state;
	s = (struct session){ .line = line_open(child->line_fd, ROLE_MASTER) };
	for (size_t i = 0; i < CLIENTS; i++)
		s.connections[i].channel.fd = -1;
	say(&s.line, FRAME_READY);
	for (;;) {
		struct pollfd fds[1 + CLIENTS];
		int linger = (int)(child->conf->session.linger_usec / 1000);

		fds[0] = (struct pollfd){ .fd = s.line.fd, .events = POLLIN };
		for (size_t i = 0; i < CLIENTS; i++)
			fds[1 + i] = (struct pollfd){ .fd = s.connections[i].channel.fd, .events = POLLIN };

		int n = poll(fds, 1 + CLIENTS, s.adopted && s.n == 0 && !asked ? linger : -1);

		if (n == 0) {
			say(&s.line, FRAME_RETIRE);
			asked = true;
		}
		if (fds[0].revents && !session_read_master(&s))
			return 0;
		if (s.n > 0)
			asked = false; /* ADOPT cancels */
		for (size_t i = 0; i < CLIENTS; i++)
			if (fds[1 + i].revents && s.connections[i].channel.fd == fds[1 + i].fd)
				read_connection(&s, &s.connections[i]);
	}
}

/* ---- pools ---- */

static int configure_front(void *state, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	(void)state, (void)generation;
	for (size_t i = 0; i < conf->n_tls; i++)
		for (size_t j = 0; j < conf->tls[i].certificates.n; j++) {
			if (is_broken(conf->tls[i].certificates.values[j]))
				pool_problem(pool, conf->tls[i].line, "the certificate is broken");
			pool_send(pool, &(struct frame){
				.kind = FRAME_CERTIFICATE,
				.certificate = { slice_str(conf->tls[i].name), slice_str(conf->tls[i].certificates.values[j]), SLICE("mail.example.org"),
					SLICE("EC P-256"), 4102444800000000 },
			});
		}
	return 0;
}

static int configure_auth(void *state, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	(void)state, (void)generation;
	if (is_broken(conf->auth.pam_service))
		pool_problem(pool, 0, "the PAM service is broken");
	return 0;
}

static int configure_session(void *state, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	(void)state, (void)generation;
	if (is_broken(conf->mail.path))
		pool_problem(pool, 0, "the mail path is broken");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct pool_type types[] = {
		{ ROLE_FRONT_POOL, ROLE_FRONT, "restante-front", configure_front, be_front },
		{ ROLE_AUTH_POOL, ROLE_WORKER, "restante-auth", configure_auth, be_worker },
		{ ROLE_SESSION_POOL, ROLE_SESSION, "restante-session", configure_session, be_session },
	};
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(name, types[i].program) == 0)
			return pool_main(&types[i], NULL, argc, argv);
	fprintf(stderr, "call it as restante-front, restante-auth or restante-session\n");
	return 64;
}
