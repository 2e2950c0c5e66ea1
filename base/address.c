#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static struct address from_in6(const uint8_t bytes[16], uint16_t port)
{
	struct address a = { .family = 6, .port = port };

	if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
		a.family = 4;
		memcpy(a.bytes, bytes + sizeof mapped_prefix, 4);
	} else {
		memcpy(a.bytes, bytes, sizeof a.bytes);
	}
	return a;
}

struct address address_from_sockaddr(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		struct address a = { .family = 4, .port = ntohs(in->sin_port) };

		memcpy(a.bytes, &in->sin_addr, 4);
		return a;
	}
	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		return from_in6(in6->sin6_addr.s6_addr, ntohs(in6->sin6_port));
	}
	return (struct address){ 0 };
}

void address_format(const struct address *a, char ret_text[ADDRESS_TEXT_BYTES])
{
	int family = a->family == 4 ? AF_INET : AF_INET6;

	if ((a->family != 4 && a->family != 6) || !inet_ntop(family, a->bytes, ret_text, ADDRESS_TEXT_BYTES))
		strcpy(ret_text, "unknown");
}

void address_format_port(const struct address *a, char ret_text[ADDRESS_TEXT_BYTES])
{
	char host[ADDRESS_TEXT_BYTES];

	address_format(a, host);
	snprintf(ret_text, ADDRESS_TEXT_BYTES, a->family == 6 ? "[%.46s]:%u" : "%.46s:%u", host, a->port);
}

bool address_parse_port(struct slice text, struct address *ret_address)
{
	ssize_t colon = slice_find_last(text, ':');
	struct slice host = slice_head(text, colon < 0 ? 0 : (size_t)colon);
	bool in_brackets = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	char name[ADDRESS_TEXT_BYTES];
	uint8_t bytes[16];
	uint64_t port;

	if (in_brackets)
		host = slice_head(slice_tail(host, 1), host.n - 2);
	if (colon < 0 || !slice_number(slice_tail(text, (size_t)colon + 1), 65535, &port) || port == 0)
		return false;
	if (!slice_to_str(host, name, sizeof name) || inet_pton(in_brackets ? AF_INET6 : AF_INET, name, bytes) != 1)
		return false;
	if (in_brackets) {
		*ret_address = from_in6(bytes, (uint16_t)port);
		return true;
	}
	*ret_address = (struct address){ .family = 4, .port = (uint16_t)port };
	memcpy(ret_address->bytes, bytes, 4);
	return true;
}

struct address address_client(const struct address *a)
{
	struct address client = *a;

	client.port = 0;
	if (a->family == 6)
		memset(client.bytes + 8, 0, 8);
	return client;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
