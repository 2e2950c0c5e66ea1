#include "server/imap/capability.h"

#include "base/limits.h"

/* IMAP4rev1 and IMAP4rev2 come first: some clients look no further for what they speak. */
static const struct capability capabilities[] = {
	{ .name = "IMAP4rev1", .rfc = "3501" },
	{ .name = "IMAP4rev2", .rfc = "9051", .enables = ENABLED_REV2 },
	{ .name = "LITERAL+", .rfc = "7888" },
	{ .name = "ID", .rfc = "2971" },
	{ .name = "ENABLE", .rfc = "5161" },
	{ .name = "COMPRESS=DEFLATE", .rfc = "4978" },
	{ .name = "LANGUAGE", .rfc = "5255" },
	{ .name = "IDLE", .rfc = "2177" },
	{ .name = "NAMESPACE", .rfc = "2342" },
	{ .name = "NOTIFY", .rfc = "5465" },
	{ .name = "UNSELECT", .rfc = "3691" },
	{ .name = "CHILDREN", .rfc = "3348" },
	{ .name = "LIST-EXTENDED", .rfc = "5258" },
	{ .name = "LIST-STATUS", .rfc = "5819" },
	{ .name = "LIST-METADATA", .rfc = "9590" },
	{ .name = "SPECIAL-USE", .rfc = "6154" },
	{ .name = "UIDPLUS", .rfc = "4315" },
	{ .name = "MOVE", .rfc = "6851" },
	{ .name = "MULTIAPPEND", .rfc = "3502" },
	{ .name = "REPLACE", .rfc = "8508" },
	{ .name = "BINARY", .rfc = "3516" },
	{ .name = "CATENATE", .rfc = "4469" },
	{ .name = "URL-PARTIAL", .rfc = "5550" },
	{ .name = "ESEARCH", .rfc = "4731" },
	{ .name = "WITHIN", .rfc = "5032" },
	{ .name = "SEARCHRES", .rfc = "5182" },
	{ .name = "SORT", .rfc = "5256" },
	{ .name = "SORT=DISPLAY", .rfc = "5957" },
	{ .name = "THREAD=ORDEREDSUBJECT", .rfc = "5256" },
	{ .name = "THREAD=REFERENCES", .rfc = "5256" },
	{ .name = "THREAD=REFS", .rfc = "draft-ietf-morg-inthread" },
	{ .name = "I18NLEVEL=1", .rfc = "5255" },
	{ .name = "ESORT", .rfc = "5267" },
	{ .name = "CONTEXT=SEARCH", .rfc = "5267" },
	{ .name = "CONTEXT=SORT", .rfc = "5267" },
	{ .name = "PARTIAL", .rfc = "9394" },
	{ .name = "MULTISEARCH", .rfc = "7377" },
	{ .name = "PREVIEW", .rfc = "8970" },
	{ .name = "OBJECTID", .rfc = "8474" },
	{ .name = "SAVEDATE", .rfc = "8514" },
	{ .name = "CONDSTORE", .rfc = "7162", .enables = ENABLED_CONDSTORE },
	{ .name = "QRESYNC", .rfc = "7162", .enables = ENABLED_QRESYNC },
	{ .name = "STATUS=SIZE", .rfc = "8438" },
	{ .name = "MESSAGELIMIT", .rfc = "9738", .value = LIMIT_COMMAND_MESSAGES },
	{ .name = "INPROGRESS", .rfc = "9585" },
	{ .name = "UIDONLY", .rfc = "9586", .enables = ENABLED_UIDONLY },
	{ .name = "UTF8=ACCEPT", .rfc = "6855", .enables = ENABLED_UTF8 },
	{ .name = "QUOTA", .rfc = "9208" },
	{ .name = "QUOTA=RES-STORAGE", .rfc = "9208" },
	{ .name = "QUOTA=RES-MESSAGE", .rfc = "9208" },
	{ .name = "METADATA", .rfc = "5464" },
	{ .name = "METADATA-SERVER", .rfc = "5464" },
	{ .name = "CREATE-SPECIAL-USE", .rfc = "6154" },
	{ .name = "APPENDLIMIT", .rfc = "7889", .value = LIMIT_MESSAGE_BYTES },
};

enum { CAPABILITIES = sizeof capabilities / sizeof *capabilities };

const struct capability *capability_row(size_t i)
{
	return i < CAPABILITIES ? &capabilities[i] : NULL;
}

const struct capability *capability_to_enable(struct slice name)
{
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (capabilities[i].enables &&
			slice_equal_nocase(name, slice_str(capabilities[i].name)))
			return &capabilities[i];
	return NULL;
}

void capability_write(struct writer *w)
{
	for (size_t i = 0; i < CAPABILITIES; i++) {
		write_format(w, "%s%s", i > 0 ? " " : "", capabilities[i].name);
		if (capabilities[i].value > 0)
			write_format(w, "=%llu", (unsigned long long)capabilities[i].value);
	}
}
