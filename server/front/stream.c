#include "server/front/stream.h"

#include "base/must.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

void stream_close(struct stream *stream)
{
	SSL_free(stream->ssl);
	cleanup_close(&stream->fd);
	*stream = (struct stream){ .fd = -1 };
}

void stream_start_tls(struct stream *stream, struct ssl_st *ssl)
{
	must(!stream->ssl && ssl);
	stream->ssl = ssl;
}

/* What OpenSSL could not do now. Returns -EAGAIN, 0 for end-of-file, -EPIPE. */
static int tls_result(struct stream *stream, int returned, bool *ret_other_direction, int other)
{
	int error = SSL_get_error(stream->ssl, returned);

	*ret_other_direction = error == other;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	stream->failed = true;
	return -EPIPE;
}

int stream_handshake(struct stream *stream, const char **ret_reason)
{
	ERR_clear_error();

	int n = SSL_accept(stream->ssl);

	if (n == 1) {
		stream->read_wants_writable = false;
		return 0;
	}

	unsigned long error = ERR_peek_error();
	int r = tls_result(stream, n, &stream->read_wants_writable, SSL_ERROR_WANT_WRITE);

	if (r == -EAGAIN)
		return r;
	stream->failed = true;
	if (r == 0 || error == 0)
		return -EPIPE;

	const char *reason = ERR_reason_error_string(error);

	*ret_reason = reason ? reason : "unknown";
	ERR_clear_error();
	return -EPROTO;
}

static ssize_t socket_read(struct stream *stream, char *at, size_t bytes)
{
	ssize_t n;

	do {
		n = recv(stream->fd, at, bytes, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? -EAGAIN : -EPIPE;
}

static ssize_t tls_read(struct stream *stream, char *at, size_t bytes)
{
	size_t n;

	if (stream->failed)
		return -EPIPE;
	ERR_clear_error();

	int r = SSL_read_ex(stream->ssl, at, bytes, &n);

	stream->read_wants_writable = false;
	if (r > 0)
		return (ssize_t)n;
	return tls_result(stream, r, &stream->read_wants_writable, SSL_ERROR_WANT_WRITE);
}

ssize_t stream_read(struct stream *stream, struct buf *in, size_t bytes)
{
	if (bytes > buf_room(in))
		bytes = buf_room(in);
	if (bytes == 0)
		return -EAGAIN;

	char *at = buf_reserve(in, bytes);

	must(at != NULL);

	ssize_t n = stream->ssl ? tls_read(stream, at, bytes) : socket_read(stream, at, bytes);

	if (n > 0)
		buf_grown(in, (size_t)n);
	if (n == 0)
		stream->eof = true;
	return n;
}

bool stream_has_pending(const struct stream *stream)
{
	return stream->ssl && SSL_has_pending(stream->ssl);
}

static ssize_t socket_write(struct stream *stream, struct slice bytes)
{
	ssize_t n;

	do {
		n = send(stream->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? -EAGAIN : -EPIPE;
}

static ssize_t tls_write(struct stream *stream, struct slice bytes)
{
	size_t n;

	if (stream->failed)
		return -EPIPE;
	ERR_clear_error();

	int r = SSL_write_ex(stream->ssl, bytes.p, bytes.n, &n);

	stream->write_wants_readable = false;
	if (r > 0)
		return (ssize_t)n;
	r = tls_result(stream, r, &stream->write_wants_readable, SSL_ERROR_WANT_READ);
	return r == 0 ? -EPIPE : r;
}

ssize_t stream_write(struct stream *stream, struct slice bytes)
{
	must(bytes.n > 0);
	return stream->ssl ? tls_write(stream, bytes) : socket_write(stream, bytes);
}

int stream_finish(struct stream *stream)
{
	if (stream->ssl && !stream->failed && SSL_is_init_finished(stream->ssl)) {
		bool ignored;

		ERR_clear_error();

		int r = SSL_shutdown(stream->ssl);

		if (r < 0 && tls_result(stream, r, &ignored, SSL_ERROR_WANT_READ) == -EAGAIN)
			return -EAGAIN;
	}
	return shutdown(stream->fd, SHUT_WR) < 0 ? -EPIPE : 0;
}

int stream_discard(struct stream *stream)
{
	char bytes[4096];

	for (int i = 0; i < 16; i++) {
		/* TCP drops the bytes in the kernel when asked to truncate. */
		ssize_t n = recv(stream->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		if (n < 0)
			return -EAGAIN;
	}
	return -EAGAIN;
}

size_t stream_drop_input(struct stream *stream)
{
	char bytes[4096];
	size_t dropped = 0;

	must(!stream->ssl);
	while (dropped < (size_t)1024 * 1024) {
		ssize_t n = recv(stream->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);

		if (n <= 0)
			break;
		dropped += (size_t)n;
	}
	return dropped;
}

struct slice stream_tls_version(const struct stream *stream)
{
	return slice_str(stream->ssl ? SSL_get_version(stream->ssl) : "");
}

struct slice stream_tls_cipher(const struct stream *stream)
{
	return slice_str(stream->ssl ? SSL_get_cipher_name(stream->ssl) : "");
}
