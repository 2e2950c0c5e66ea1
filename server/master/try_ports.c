#include "server/master/try_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint16_t nice_ports[SERVICE_COUNT] = {
	[SERVICE_IMAPS] = 9993,
	[SERVICE_POP3S] = 9995,
	[SERVICE_IMAP] = 9143,
	[SERVICE_POP3] = 9110,
};

static bool is_free(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
		bind(fd, (struct sockaddr *)&to, sizeof to) == 0 && listen(fd, 1) == 0;
}

static bool all_free(unsigned beyond)
{
	for (enum service s = 0; s < SERVICE_COUNT; s++)
		if (!is_free((uint16_t)(nice_ports[s] + beyond)))
			return false;
	return true;
}

int try_ports_find(uint16_t ret_ports[SERVICE_COUNT])
{
	for (unsigned beyond = 0; beyond + 9995 < 65536; beyond += beyond < 50000 ? 10000 : 100)
		if (all_free(beyond)) {
			for (enum service s = 0; s < SERVICE_COUNT; s++)
				ret_ports[s] = (uint16_t)(nice_ports[s] + beyond);
			return 0;
		}
	return -EADDRINUSE;
}
