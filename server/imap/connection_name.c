#include "base/nfc.h"
#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

static struct slice normalized(struct imap *imap, struct slice name)
{
	_cleanup_buf_ struct buf text = BUF(LIMIT_PATH_BYTES);

	if (nfc_normalize(name, &text) < 0 || slice_equal(buf_slice(&text), name))
		return name;
	return arena_copy(&imap->arena, buf_slice(&text));
}

struct slice connection_name(struct imap *imap, struct slice name)
{
	struct slice used = normalized(imap, name);
	struct mailbox *mailbox;

	if (slice_equal(used, name) || mailbox_open(imap->settings.store, name, &mailbox) < 0)
		return used;
	mailbox_close(mailbox);
	return name;
}

bool connection_new_name(struct imap *imap, struct slice name, struct slice *ret_name)
{
	if (nfc_has_forbidden(name))
		return false;
	*ret_name = normalized(imap, name);
	return true;
}

void connection_tell_name(
	struct imap *imap, const char *attributes, struct slice given, struct slice used)
{
	struct writer *w = &imap->out;

	if (!(imap->enabled & ENABLED_REV2) || slice_equal(given, used))
		return;
	write_format(w, "* LIST (%s) \"%c\" ", attributes,
		store_hierarchy_separator(imap->settings.store));
	write_mailbox(w, used);
	write_raw(w, SLICE(" (\"OLDNAME\" ("));
	write_mailbox(w, given);
	write_raw(w, SLICE("))\r\n"));
}
