#include "server/ctl/client.h"

#include "server/ipc/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { READ_BYTES = 64 * 1024 };

int client_format(struct buf *out, const struct slice *words, size_t n)
{
	_cleanup_buf_ struct buf line = BUF(CONTROL_REQUEST_BYTES + 2);
	int r = control_add_line(&line, '-', words, n);

	/* A request has no letter in front: take "-" and its TAB away. */
	if (r == 0)
		r = buf_add(out, slice_tail(buf_slice(&line), 2));
	return r < 0 ? -E2BIG : 0;
}

static int connect_to(const char *path, unsigned timeout_seconds, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = { .tv_sec = timeout_seconds };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	if (!slice_to_str(slice_str(path), address.sun_path, sizeof address.sun_path))
		return -ENAMETOOLONG;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int send_all(int fd, struct slice bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			bytes = slice_tail(bytes, (size_t)n);
	}
	return 0;
}

static int receive_all(int fd, struct buf *reply)
{
	for (;;) {
		char bytes[READ_BYTES];
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (buf_add(reply, slice_from(bytes, (size_t)n)) < 0)
			return -ENOBUFS;
	}
}

int client_ask(
	const char *socket_path, struct slice request, unsigned timeout_seconds, struct buf *reply)
{
	_cleanup_close_ int fd = -1;
	int r = connect_to(socket_path, timeout_seconds, &fd);

	if (r == 0)
		r = send_all(fd, request);
	/* A master that refuses may have answered and closed before it read all. */
	if (r == 0 || r == -EPIPE)
		r = receive_all(fd, reply);
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

void client_explain(const char *socket_path, int error, char ret_text[CLIENT_EXPLAIN_BYTES])
{
	static const struct {
		int error;
		const char *text;
	} causes[] = {
		{ -ENOENT, "no server: there is no such socket. Start it (systemctl start "
			   "restante), or name its socket with -s or its configuration with -c" },
		{ -ENOTDIR, "no server: there is no such socket. Name the socket with -s or the "
			    "configuration with -c" },
		{ -ECONNREFUSED, "no server: nobody listens there any more. Start it (systemctl "
				 "start restante)" },
		{ -EACCES, "permission denied: the socket is for root, or for the user who runs "
			   "the server. Try again as that user" },
		{ -EPERM, "permission denied: the socket is for root, or for the user who runs the "
			  "server. Try again as that user" },
		{ -ETIMEDOUT, "the server took the request but gave no answer in time. Its log may "
			      "say why" },
		{ -ECONNRESET,
			"the server closed the connection without an answer. Its log may say why" },
		{ -EPROTOTYPE, "this is no control socket of restanted. Name the socket with -s" },
		{ -ENAMETOOLONG, "too long for a socket; at most 107 bytes are possible" },
		{ -ENOBUFS, "the answer is larger than any should be; is this a control socket of "
			    "restanted?" },
	};

	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
		if (causes[i].error == error) {
			snprintf(ret_text, CLIENT_EXPLAIN_BYTES, "%.300s: %s", socket_path,
				causes[i].text);
			return;
		}
	snprintf(ret_text, CLIENT_EXPLAIN_BYTES, "%.300s: %s", socket_path, strerror(-error));
}
