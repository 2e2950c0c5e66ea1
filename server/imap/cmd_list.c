#include "server/imap/cmd_list.h"

#include "server/imap/connection.h"

static char delimiter(const struct imap *imap)
{
	return store_hierarchy_separator(imap->settings.store);
}

static void write_mailbox(
	struct imap *imap, const char *response, const char *attributes, struct slice name)
{
	char quoted[2] = { delimiter(imap), '\0' };

	write_format(&imap->out, "* %s (%s) \"%s\" ", response, attributes, quoted);
	write_astring(&imap->out, name);
	write_crlf(&imap->out);
}

/* The pattern continues the reference (RFC 9051 section 6.3.9). */
static struct slice whole_pattern(struct imap *imap)
{
	struct list_arguments *a = &imap->command.arguments.list;

	return arena_format(
		&imap->arena, "%.*s%.*s", SLICE_FMT(a->reference), SLICE_FMT(a->pattern));
}

enum run cmd_list(struct imap *imap)
{
	if (imap->command.arguments.list.pattern.n == 0) /* only the delimiter is asked for */
		write_mailbox(imap, "LIST", "\\Noselect", SLICE(""));
	else if (list_matches(whole_pattern(imap), SLICE("INBOX"), delimiter(imap)))
		write_mailbox(imap, "LIST", "\\HasNoChildren", SLICE("INBOX"));
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_lsub(struct imap *imap)
{
	if (list_matches(whole_pattern(imap), SLICE("INBOX"), delimiter(imap)))
		write_mailbox(imap, "LSUB", "", SLICE("INBOX"));
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_namespace(struct imap *imap)
{
	write_format(&imap->out, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n", delimiter(imap));
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_subscribe(struct imap *imap)
{
	if (slice_equal(imap->command.arguments.mailbox.name, SLICE("INBOX")))
		return imap_ok(imap, NULL, NULL);
	return imap_no(imap, "NONEXISTENT", "No such mailbox");
}
