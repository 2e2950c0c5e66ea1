/* address.h - an IP address and port in one fixed form; IPv4-mapped IPv6 is IPv4. Pure. */
#pragma once

#include "base/slice.h"

struct sockaddr_storage;

struct address {
	uint8_t family;    /* 4, 6, or 0: none (a UNIX socket, a test) */
	uint8_t bytes[16]; /* network order; the first 4 count if family is 4 */
	uint16_t port;     /* host order */
};

enum { ADDRESS_TEXT_BYTES = 64 };

/* Take from what accept() filled in. An IPv4-mapped address becomes IPv4; an unknown family becomes 0. */
struct address address_from_sockaddr(const struct sockaddr_storage *sa);

/* Write "192.0.2.1" or "2001:db8::1" (with the zone never shown), NUL-terminated; "unknown" for family 0. */
void address_format(const struct address *a, char ret_text[ADDRESS_TEXT_BYTES]);

/* As address_format() with ":port", an IPv6 address in brackets. */
void address_format_port(const struct address *a, char ret_text[ADDRESS_TEXT_BYTES]);

/* Parse "1.2.3.4:993" or "[::1]:993". Returns false if it is neither, or the port is 0. */
bool address_parse_port(struct slice text, struct address *ret_address);

/*
 * Who is counted as one client by limits, queues and penalties: the address without its port,
 * of IPv6 the first 64 bits.
 */
struct address address_client(const struct address *a);

/* The same address; ports are not compared. */
bool address_equal(const struct address *a, const struct address *b);
