/* service.h - the four services, and which protocol each speaks. Pure. */
#pragma once

#include "base/slice.h"

enum service { SERVICE_IMAPS, SERVICE_IMAP, SERVICE_POP3S, SERVICE_POP3, SERVICE_COUNT };

/* The name as in the configuration, in FileDescriptorName and in logs: "imaps", "imap", "pop3s", "pop3". */
const char *service_name(enum service service);

/* Find a service by its name. Returns false for any other name. */
bool service_parse(struct slice name, enum service *ret_service);

static inline bool service_is_imap(enum service service)
{
	return service == SERVICE_IMAPS || service == SERVICE_IMAP;
}

/* Whether TLS begins with the first byte (RFC 8314), rather than after STARTTLS or STLS. */
static inline bool service_is_implicit_tls(enum service service)
{
	return service == SERVICE_IMAPS || service == SERVICE_POP3S;
}
