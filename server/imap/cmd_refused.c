#include "server/imap/cmd_refused.h"

#include "server/imap/connection.h"

/* The last row is for all others. inbox: said when the argument is INBOX, if not NULL. */
static const struct {
	const char *name;
	const char *code, *text;
	const char *inbox_code, *inbox_text;
} refusals[] = {
	{ "CREATE", "CANNOT", "Mailboxes cannot be created", "ALREADYEXISTS",
		"INBOX is always there" },
	{ "DELETE", "NONEXISTENT", "No such mailbox", "CANNOT", "INBOX cannot be deleted" },
	{ "RENAME", "NONEXISTENT", "No such mailbox", "CANNOT", "INBOX cannot be renamed" },
	{ "UNSUBSCRIBE", "NONEXISTENT", "No such mailbox", "CANNOT", "INBOX is always subscribed" },
	{ "", "CANNOT", "Mailboxes cannot be changed", NULL, NULL },
};

static size_t row_of(const struct command_type *type)
{
	size_t i = 0;

	while (refusals[i].name[0] && strcmp(refusals[i].name, type->name) != 0)
		i++;
	return i;
}

enum run cmd_refused(struct imap *imap)
{
	size_t i = row_of(imap->command.type);

	if (refusals[i].inbox_code &&
		slice_equal(imap->command.arguments.mailbox.name, SLICE("INBOX")))
		return imap_no(imap, refusals[i].inbox_code, refusals[i].inbox_text);
	return imap_no(imap, refusals[i].code, refusals[i].text);
}
