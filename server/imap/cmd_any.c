#include "server/imap/cmd_any.h"

#include "server/imap/connection.h"

/* Only what is true of the whole engine. */
struct slice imap_capability_text(void)
{
	return SLICE("IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UNSELECT CHILDREN SPECIAL-USE UIDPLUS "
		     "MOVE MULTIAPPEND ESEARCH WITHIN");
}

enum run cmd_capability(struct imap *imap)
{
	write_raw(&imap->out, SLICE("* CAPABILITY "));
	write_raw(&imap->out, imap_capability_text());
	write_crlf(&imap->out);
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_noop(struct imap *imap)
{
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_logout(struct imap *imap)
{
	write_raw(&imap->out, SLICE("* BYE Logging out\r\n"));
	imap_deselect(imap);
	imap_set_state(imap, IMAP_LOGOUT);
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_id(struct imap *imap)
{
	write_raw(&imap->out, SLICE("* ID (\"name\" \"restante\" \"version\" "));
	write_nstring(&imap->out, slice_str(imap->settings.version));
	write_raw(&imap->out, SLICE(")\r\n"));
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_enable(struct imap *imap)
{
	write_raw(&imap->out, SLICE("* ENABLED\r\n"));
	return imap_ok(imap, NULL, NULL);
}
