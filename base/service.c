#include "base/service.h"

#include "base/must.h"

static const char *const names[SERVICE_COUNT] = {
	[SERVICE_IMAPS] = "imaps",
	[SERVICE_IMAP] = "imap",
	[SERVICE_POP3S] = "pop3s",
	[SERVICE_POP3] = "pop3",
};

const char *service_name(enum service service)
{
	must(service < SERVICE_COUNT);
	return names[service];
}

bool service_parse(struct slice name, enum service *ret_service)
{
	for (enum service s = 0; s < SERVICE_COUNT; s++)
		if (slice_equal(name, slice_str(names[s]))) {
			*ret_service = s;
			return true;
		}
	return false;
}
