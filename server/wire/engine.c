#include "server/wire/engine.h"

#include "base/must.h"

static const char *const texts[CLOSE_REASON_COUNT] = {
	[CLOSE_NOT_YET] = "open",
	[CLOSE_LOGOUT] = "logged out",
	[CLOSE_CLIENT_GONE] = "client gone without logging out",
	[CLOSE_IDLE_TIMEOUT] = "idle for too long",
	[CLOSE_SHUTDOWN] = "server stopping",
	[CLOSE_KICKED] = "closed by the administrator",
	[CLOSE_BAD_COMMANDS] = "too many bad commands",
	[CLOSE_LIMIT] = "a line or literal beyond its limit",
	[CLOSE_MAILBOX_FAULT] = "fault in the mailbox",
	[CLOSE_PROTOCOL] = "broken frame from the front",
};

const char *close_reason_text(enum close_reason reason)
{
	must(reason < CLOSE_REASON_COUNT);
	return texts[reason];
}
