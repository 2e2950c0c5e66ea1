#include "maildir/special_use.h"

#include "maildir/name.h"

/* For each use, the name that is most clearly meant first. */
static const struct {
	enum special_use use;
	const char *name;
} NAMES[] = {
	{ SPECIAL_USE_ARCHIVE, "Archive" },
	{ SPECIAL_USE_ARCHIVE, "Archives" },
	{ SPECIAL_USE_ARCHIVE, "アーカイブ" },
	{ SPECIAL_USE_ARCHIVE, "保存" },
	{ SPECIAL_USE_DRAFTS, "Drafts" },
	{ SPECIAL_USE_DRAFTS, "Draft" },
	{ SPECIAL_USE_DRAFTS, "下書き" },
	{ SPECIAL_USE_JUNK, "Junk" },
	{ SPECIAL_USE_JUNK, "Spam" },
	{ SPECIAL_USE_JUNK, "Junk E-mail" },
	{ SPECIAL_USE_JUNK, "迷惑メール" },
	{ SPECIAL_USE_SENT, "Sent" },
	{ SPECIAL_USE_SENT, "Sent Items" },
	{ SPECIAL_USE_SENT, "Sent Messages" },
	{ SPECIAL_USE_SENT, "送信済み" },
	{ SPECIAL_USE_SENT, "送信済みトレイ" },
	{ SPECIAL_USE_SENT, "送信済みアイテム" },
	{ SPECIAL_USE_TRASH, "Trash" },
	{ SPECIAL_USE_TRASH, "Deleted Items" },
	{ SPECIAL_USE_TRASH, "Deleted Messages" },
	{ SPECIAL_USE_TRASH, "ゴミ箱" },
	{ SPECIAL_USE_TRASH, "ごみ箱" },
	{ SPECIAL_USE_TRASH, "削除済み" },
	{ SPECIAL_USE_TRASH, "削除済みアイテム" },
};

enum { NAMES_COUNT = sizeof NAMES / sizeof *NAMES };

const char *special_use_attribute(enum special_use use)
{
	static const char *const attributes[SPECIAL_USE_COUNT] = {
		[SPECIAL_USE_NONE] = "",
		[SPECIAL_USE_ARCHIVE] = "\\Archive",
		[SPECIAL_USE_DRAFTS] = "\\Drafts",
		[SPECIAL_USE_JUNK] = "\\Junk",
		[SPECIAL_USE_SENT] = "\\Sent",
		[SPECIAL_USE_TRASH] = "\\Trash",
	};

	return attributes[use];
}

bool special_use_parse(struct slice text, unsigned *ret_uses)
{
	struct slice word;
	unsigned uses = 0;
	bool known = true;

	while (slice_split(&text, ' ', &word)) {
		int use = SPECIAL_USE_NONE + 1;

		while (use < SPECIAL_USE_COUNT &&
			!slice_equal_nocase(word, slice_str(special_use_attribute(use))))
			use++;
		if (use < SPECIAL_USE_COUNT)
			uses |= special_use_bit(use);
		else
			known = false;
	}
	*ret_uses = uses;
	return known;
}

int special_use_format(unsigned uses, struct buf *out)
{
	bool first = true;
	int r = 0;

	for (int use = SPECIAL_USE_NONE + 1; r == 0 && use < SPECIAL_USE_COUNT; use++)
		if (uses & special_use_bit(use)) {
			r = buf_addf(out, "%s%s", first ? "" : " ", special_use_attribute(use));
			first = false;
		}
	return r;
}

enum special_use special_use_of_name(struct slice name, char separator, unsigned *ret_rank)
{
	bool below_inbox = name_is_below(name, SLICE("INBOX"), separator);
	struct slice last = below_inbox ? slice_tail(name, sizeof "INBOX") : name;

	for (unsigned i = 0; i < NAMES_COUNT; i++)
		if (slice_equal_nocase(last, slice_str(NAMES[i].name))) {
			*ret_rank = i + (below_inbox ? NAMES_COUNT : 0);
			return NAMES[i].use;
		}
	return SPECIAL_USE_NONE;
}
