#include "server/imap/flags.h"

/* In the order in which they are told. */
static const struct {
	struct slice name;
	uint32_t flag;
} names[] = {
	{ { "\\Answered", 9 }, FLAG_ANSWERED },
	{ { "\\Flagged", 8 }, FLAG_FLAGGED },
	{ { "\\Deleted", 8 }, FLAG_DELETED },
	{ { "\\Seen", 5 }, FLAG_SEEN },
	{ { "\\Draft", 6 }, FLAG_DRAFT },
	{ { "$Forwarded", 10 }, FLAG_FORWARDED },
};

enum { NAMES = sizeof names / sizeof *names };

uint32_t flag_from_name(struct slice name)
{
	for (size_t i = 0; i < NAMES; i++)
		if (slice_equal_nocase(name, names[i].name))
			return names[i].flag;
	return 0;
}

static void write_one(struct writer *w, struct slice name, bool *first)
{
	if (!*first)
		write_raw(w, SLICE(" "));
	*first = false;
	write_raw(w, name);
}

static void write_names(struct writer *w, uint32_t flags, bool *first)
{
	for (size_t i = 0; i < NAMES; i++)
		if (flags & names[i].flag)
			write_one(w, names[i].name, first);
}

static void write_keywords(
	struct writer *w, const struct mailbox *mailbox, uint64_t keywords, bool *first)
{
	for (unsigned n = 0; keywords != 0 && n < mailbox_keywords(mailbox); n++, keywords >>= 1) {
		struct slice name = mailbox_keyword(mailbox, n);

		if ((keywords & 1) && name.n > 0)
			write_one(w, name, first);
	}
}

unsigned flags_keywords(const struct mailbox *mailbox)
{
	unsigned count = 0;

	for (unsigned n = 0; n < mailbox_keywords(mailbox); n++)
		count += mailbox_keyword(mailbox, n).n > 0;
	return count;
}

void flags_write(
	struct writer *w, const struct mailbox *mailbox, const struct message *message, bool recent)
{
	bool first = true;

	write_raw(w, SLICE("("));
	write_names(w, message->flags, &first);
	if (message->keywords)
		write_keywords(w, mailbox, message->keywords, &first);
	if (recent)
		write_one(w, SLICE("\\Recent"), &first);
	write_raw(w, SLICE(")"));
}

void flags_write_all(struct writer *w, const struct mailbox *mailbox, bool star)
{
	bool first = true;

	write_raw(w, SLICE("("));
	write_names(w, FLAGS_ALL, &first);
	write_keywords(w, mailbox, UINT64_MAX, &first);
	if (star)
		write_one(w, SLICE("\\*"), &first);
	write_raw(w, SLICE(")"));
}
