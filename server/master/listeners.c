/*
 * Options of a listening socket: SO_REUSEADDR (a restart need not wait for old connections), IPV6_V6ONLY (0.0.0.0
 * and [::] are listed side by side), O_NONBLOCK (several fronts race for one connection). Not TCP_DEFER_ACCEPT:
 * clients that say nothing would fill the kernel's queue, where no limit of ours sees them.
 */
#include "server/master/listeners.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

enum { BACKLOG = 4096 };

static void add_problem(struct listener_problems *problems, const char *format, ...) _printf_(2, 3);

static void add_problem(struct listener_problems *problems, const char *format, ...)
{
	va_list args;

	if (problems->n == sizeof problems->texts / sizeof problems->texts[0])
		return;
	va_start(args, format);
	vsnprintf(problems->texts[problems->n++], sizeof problems->texts[0], format, args);
	va_end(args);
}

static struct address local_address(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof sa;

	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
		return (struct address){ 0 };
	return address_from_sockaddr(&sa);
}

static void take_passed(struct listeners *listeners, int fd, const char *name, struct listener_problems *problems)
{
	enum service service;

	if (!service_parse(slice_str(name), &service))
		add_problem(problems, "systemd passed a socket named \"%s\"; FileDescriptorName= must be imaps, imap, pop3s or pop3", name);
	else if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		add_problem(problems, "the socket \"%s\" that systemd passed is no listening stream socket (ListenStream=, Accept=no)", name);
	else if (listeners->n == FRAME_MAX_FDS)
		add_problem(problems, "systemd passed more than %d sockets; \"%s\" is one too many", FRAME_MAX_FDS, name);
	else {
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		listeners->items[listeners->n++] = (struct listener){ fd, service, local_address(fd) };
		return;
	}
	close(fd);
}

static void free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

int listeners_from_systemd(struct listeners *ret, struct listener_problems *problems)
{
	char **names = NULL;
	struct listeners listeners = { .from_systemd = true };
	int n = sd_listen_fds_with_names(1, &names);

	problems->n = 0;
	if (n == 0)
		return -ENOENT;
	if (n < 0)
		add_problem(problems, "cannot take the sockets that systemd passed: %s", strerror(-n));
	for (int i = 0; i < n; i++)
		take_passed(&listeners, SD_LISTEN_FDS_START + i, names[i], problems);
	free_names(names);
	if (problems->n > 0) {
		listeners_done(&listeners);
		return -EINVAL;
	}
	*ret = listeners;
	return 0;
}

static socklen_t to_sockaddr(const struct address *a, struct sockaddr_storage *ret)
{
	*ret = (struct sockaddr_storage){ 0 };
	if (a->family == 6) {
		struct sockaddr_in6 *to = (struct sockaddr_in6 *)ret;

		to->sin6_family = AF_INET6;
		to->sin6_port = htons(a->port);
		memcpy(&to->sin6_addr, a->bytes, 16);
		return sizeof *to;
	}

	struct sockaddr_in *to = (struct sockaddr_in *)ret;

	to->sin_family = AF_INET;
	to->sin_port = htons(a->port);
	memcpy(&to->sin_addr, a->bytes, 4);
	return sizeof *to;
}

static int open_one(const struct address *address, int *ret_fd)
{
	struct sockaddr_storage sa;
	socklen_t bytes = to_sockaddr(address, &sa);
	int on = 1;
	_cleanup_close_ int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -errno;
	if (sa.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, bytes) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* What a person can do about it. */
static const char *remedy(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another server (or another restanted) listens there: stop it, or choose another address or port in [listen]; `ss -ltnp` shows which";
	case -EACCES:
	case -EPERM:
		return "ports below 1024 need root, CAP_NET_BIND_SERVICE or sockets from systemd";
	case -EADDRNOTAVAIL:
		return "this host has no such address (yet)";
	case -EAFNOSUPPORT:
		return "this host has no IPv6: remove the address from [listen]";
	default:
		return "see [listen]";
	}
}

static const struct listener *find_open(const struct listeners *have, enum service service, const struct address *address)
{
	for (size_t i = 0; have && i < have->n; i++)
		if (have->items[i].service == service && have->items[i].address.port == address->port &&
			address_equal(&have->items[i].address, address))
			return &have->items[i];
	return NULL;
}

static void open_listener(struct listeners *to, const struct listeners *have, struct listener want,
	struct listener_problems *problems)
{
	const struct listener *open = find_open(have, want.service, &want.address);
	char text[ADDRESS_TEXT_BYTES];
	int r = 0;

	if (open)
		want.fd = fcntl(open->fd, F_DUPFD_CLOEXEC, 0);
	else
		r = open_one(&want.address, &want.fd);
	if (open && want.fd < 0)
		r = -errno;
	if (r == 0) {
		to->items[to->n++] = want;
		return;
	}
	address_format_port(&want.address, text);
	add_problem(problems, "cannot listen on %s for %s: %s (%s)", text, service_name(want.service), strerror(-r), remedy(r));
}

int listeners_open(const struct conf *conf, const struct listeners *have, struct listeners *ret, struct listener_problems *problems)
{
	struct listeners listeners = { 0 };

	problems->n = 0;
	for (enum service s = 0; s < SERVICE_COUNT; s++)
		for (size_t i = 0; i < conf->listen[s].n; i++) {
			struct listener want = { -1, s, conf->listen[s].addresses[i] };

			if (listeners.n == FRAME_MAX_FDS) {
				add_problem(problems, "[listen] has more than %d addresses in all", FRAME_MAX_FDS);
				break;
			}
			open_listener(&listeners, have, want, problems);
		}
	if (listeners.n == 0 && problems->n == 0)
		add_problem(problems, "nothing to listen on: [listen] names no address, and systemd passed no socket");
	if (problems->n > 0) {
		listeners_done(&listeners);
		return -EINVAL;
	}
	*ret = listeners;
	return 0;
}

struct frame listeners_frame(const struct listeners *listeners, uint8_t *services, int *fds)
{
	for (size_t i = 0; i < listeners->n; i++) {
		services[i] = (uint8_t)listeners->items[i].service;
		fds[i] = listeners->items[i].fd;
	}
	return (struct frame){ .kind = FRAME_LISTENERS, .listeners.services = slice_from(services, listeners->n) };
}

void listeners_done(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->n; i++)
		cleanup_close(&listeners->items[i].fd);
	listeners->n = 0;
}
