#include "server/imap/cmd_any.h"

#include "base/must.h"
#include "server/imap/capability.h"
#include "server/imap/connection.h"

void imap_capability_text(struct buf *out)
{
	struct writer w = { .out = out };

	capability_write(&w);
	must(!w.failed);
}

enum run cmd_capability(struct imap *imap)
{
	write_raw(&imap->out, SLICE("* CAPABILITY "));
	capability_write(&imap->out);
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

static enum run list_languages(struct imap *imap)
{
	write_raw(&imap->out, SLICE("* LANGUAGE ("));
	for (enum language i = 0; i < LANGUAGE_COUNT; i++)
		write_format(&imap->out, "%s ", language_tag(i));
	write_raw(&imap->out, SLICE("i-default)\r\n"));
	return imap_ok(imap, NULL, "Languages follow");
}

/* There is one namespace, without a prefix: nothing of NAMESPACE to translate (section 3.4). */
enum run cmd_language(struct imap *imap)
{
	const struct language_arguments *a = &imap->command.arguments.language;

	if (a->n == 0)
		return list_languages(imap);
	for (size_t i = 0; i < a->n; i++)
		if (language_find(a->ranges[i], &imap->language)) {
			write_format(&imap->out, "* LANGUAGE (%s)\r\n",
				language_tag(imap->language));
			return imap_ok(imap, NULL, "Responses are in this language now");
		}
	return imap_no(imap, "CANNOT", "Not a language spoken here");
}

/* Who carries the bytes compresses them, from the CRLF of the answer on. RFC 4978 section 3. */
enum run cmd_compress(struct imap *imap)
{
	if (imap->compressed)
		return imap_no(imap, "COMPRESSIONACTIVE", "DEFLATE is active already");
	imap->compressed = true;
	imap->command.switches = true;
	return imap_ok(imap, NULL, "DEFLATE active");
}

enum run cmd_enable(struct imap *imap)
{
	const struct enable_arguments *a = &imap->command.arguments.enable;
	unsigned before = imap->enabled;

	write_raw(&imap->out, SLICE("* ENABLED"));
	for (size_t i = 0; i < a->n; i++) {
		const struct capability *row = capability_to_enable(a->capabilities[i]);

		if (!row || !(row->enables & ~imap->enabled))
			continue;
		connection_enable(imap, row->enables);
		write_format(&imap->out, " %s", row->name);
	}
	write_crlf(&imap->out);
	connection_tell_enabled(imap, before);
	return imap_ok(imap, NULL, NULL);
}
