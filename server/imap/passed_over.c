#include "server/imap/passed_over.h"

#include "server/imap/connection.h"

#include <errno.h>

void passed_over_add(struct passed_over *over, struct imap *imap, const struct mailbox *mailbox,
	uint32_t msg_uid, int error, const char *what)
{
	struct slice name = mailbox_name(mailbox);

	message_file_close(&imap->file);
	if (error == -ENOENT) {
		over->expunged = true;
		return;
	}
	if (error == -EOPNOTSUPP) {
		over->unknown_cte = true;
		return;
	}
	over->failed = true;
	log_line(imap->settings.log, LOG_PRIORITY_WARNING,
		"%s: %.*s: message with UID %u %s: %s", imap->settings.user, SLICE_FMT(name),
		msg_uid, what, strerror(-error));
}

enum run passed_over_finish(const struct passed_over *over, struct imap *imap)
{
	if (over->failed)
		return imap_no(imap, "UNAVAILABLE",
			"Some of the messages could not be read; see the server's log");
	if (over->unknown_cte)
		return imap_no(imap, "UNKNOWN-CTE",
			"A part has a transfer encoding that is not known; fetch BODY instead");
	return imap_ok(imap, over->expunged ? "EXPUNGEISSUED" : NULL,
		over->expunged ? "Some of the messages were expunged" : NULL);
}
