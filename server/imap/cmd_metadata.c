#include "server/imap/cmd_metadata.h"

#include "base/must.h"
#include "maildir/metadata_file.h"
#include "maildir/special_uses.h"
#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

#include <errno.h>

static const struct slice ADMIN = { "/shared/admin", 13 };
static const struct slice USES = { SPECIAL_USES_ENTRY, sizeof SPECIAL_USES_ENTRY - 1 };

/* One METADATA response under way. */
struct telling {
	struct imap *imap;
	const struct metadata_arguments *asked;
	bool begun;
	uint64_t longest_octets;
};

static void write_value(struct writer *w, struct slice value)
{
	if (slice_find(value, '\0') < 0) {
		write_nstring(w, value);
		return;
	}
	write_format(w, "~{%zu}\r\n", value.n); /* literal8: RFC 5464 section 5 */
	write_raw(w, value);
}

static void tell_entry(struct telling *telling, struct slice name, struct slice value)
{
	struct writer *w = &telling->imap->out;

	if (telling->asked->has_maxsize && value.n > telling->asked->maxsize_octets) {
		if (value.n > telling->longest_octets)
			telling->longest_octets = value.n;
		return;
	}
	if (!telling->begun) {
		write_raw(w, SLICE("* METADATA "));
		write_mailbox(w, telling->asked->mailbox);
		write_raw(w, SLICE(" ("));
	} else {
		write_raw(w, SLICE(" "));
	}
	telling->begun = true;
	write_astring(w, name);
	write_raw(w, SLICE(" "));
	write_value(w, value);
}

/* An entry, and what is below it. */
static void tell_asked(
	struct telling *telling, const struct metadata *metadata, struct slice name)
{
	enum metadata_depth depth = telling->asked->depth;
	const struct metadata_entry *entry = metadata_find(metadata, name);

	if (entry || depth == METADATA_DEPTH_0)
		tell_entry(telling, name, entry ? entry->value : (struct slice){ NULL, 0 });
	for (size_t i = 0; i < metadata->n; i++)
		if (metadata_is_below(metadata->entries[i].name, name, depth))
			tell_entry(telling, metadata->entries[i].name, metadata->entries[i].value);
}

static bool asks_for(const struct metadata_arguments *asked, struct slice name)
{
	for (size_t i = 0; i < asked->n; i++)
		if (slice_equal_nocase(asked->entries[i].name, name) ||
			metadata_is_below(name, asked->entries[i].name, asked->depth))
			return true;
	return false;
}

/* What LIST says of the mailbox. A list that is full has no room for it; then it is not asked for either. */
static int find_uses(struct imap *imap, struct slice mailbox, unsigned *ret_uses)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	size_t n;
	int r = tree_list(imap->settings.store, &arena, &entries, &n);

	if (r < 0)
		return r;

	const unsigned *uses = special_uses_find(imap->settings.store, &arena, entries, n);

	*ret_uses = 0;
	for (size_t i = 0; i < n; i++)
		if (slice_equal(entries[i].name, mailbox))
			*ret_uses = uses[i];
	return 0;
}

static void set_uses(unsigned uses, struct arena *arena, struct metadata *metadata)
{
	_cleanup_buf_ struct buf text = BUF(SPECIAL_USES_TEXT_BYTES);
	struct metadata_entry entry = { .name = USES };

	must(special_use_format(uses, &text) == 0);
	if (text.n > 0)
		entry.value = arena_copy(arena, buf_slice(&text));
	(void)metadata_set(metadata, &entry);
}

static int compute(struct imap *imap, const struct metadata_arguments *asked,
	struct arena *arena, struct metadata *metadata)
{
	const char *admin = imap->settings.admin;
	unsigned uses;

	if (asked->mailbox.n > 0) {
		int r = 0;

		if (!asks_for(asked, USES))
			return 0;
		if (asked->known_uses)
			uses = *asked->known_uses;
		else
			r = find_uses(imap, asked->mailbox, &uses);
		if (r == 0)
			set_uses(uses, arena, metadata);
		return r;
	}
	if (admin && admin[0])
		(void)metadata_set(metadata,
			&(struct metadata_entry){ .name = ADMIN, .value = slice_str(admin) });
	return 0;
}

int metadata_tell(
	struct imap *imap, const struct metadata_arguments *asked, uint64_t *ret_longest_octets)
{
	struct telling telling = { .imap = imap, .asked = asked };
	_cleanup_arena_ struct arena arena = { 0 }; /* LIST tells of many mailboxes */
	struct metadata metadata;
	int r = metadata_read(imap->settings.store, asked->mailbox, &arena, &metadata);

	if (r == 0)
		r = compute(imap, asked, &arena, &metadata);
	if (r < 0)
		return r;
	for (size_t i = 0; i < asked->n; i++)
		tell_asked(&telling, &metadata, asked->entries[i].name);
	if (telling.begun)
		write_raw(&imap->out, SLICE(")\r\n"));
	*ret_longest_octets = telling.longest_octets;
	return 0;
}

enum run cmd_getmetadata(struct imap *imap)
{
	uint64_t longest;
	int r = metadata_tell(imap, &imap->command.arguments.metadata, &longest);

	if (r < 0)
		return imap_failed(imap, r);
	if (longest == 0)
		return imap_ok(imap, NULL, NULL);

	struct slice code = arena_format(
		&imap->arena, "METADATA LONGENTRIES %llu", (unsigned long long)longest);

	return imap_ok(imap, arena_str(&imap->arena, code), NULL);
}

static enum run refuse_uses(struct imap *imap, const char *why)
{
	return imap_no(imap, "USEATTR", why);
}

/*
 * Put the value into the form it is stored in: without any use, an empty one where the mailbox's name would tell a use.
 * Returns false: the command is completed with why not.
 */
static bool check_uses(struct imap *imap, struct slice mailbox, struct slice *value)
{
	_cleanup_buf_ struct buf text = BUF(SPECIAL_USES_TEXT_BYTES);
	struct store *store = imap->settings.store;
	unsigned uses = 0, rank;

	if (value->p && !special_use_parse(*value, &uses)) {
		(void)refuse_uses(imap, "No mailbox can have such a use here");
		return false;
	}

	int r = uses ? special_uses_check(store, mailbox, uses) : 0;

	if (r == 0)
		r = special_use_format(uses, &text);
	if (r == -EEXIST)
		(void)refuse_uses(imap, "Another mailbox has that use");
	else if (r < 0)
		(void)imap_failed(imap, r);
	if (r < 0)
		return false;
	*value = text.n > 0 ? arena_copy(&imap->arena, buf_slice(&text))
		 : special_use_of_name(mailbox, store_hierarchy_separator(store), &rank)
			 ? SLICE("")
			 : (struct slice){ NULL, 0 };
	return true;
}

/* Returns false: the command is completed with why not. */
static bool check_entry(struct imap *imap, struct slice mailbox, struct metadata_entry *entry)
{
	if (mailbox.n == 0 && slice_equal_nocase(entry->name, ADMIN)) {
		(void)imap_no(imap, "NOPERM", "That is the administrator's to say");
		return false;
	}
	if (mailbox.n > 0 && slice_equal_nocase(entry->name, USES))
		return check_uses(imap, mailbox, &entry->value);
	return true;
}

static enum run set_failed(struct imap *imap, int error)
{
	struct slice code;

	if (error == -E2BIG)
		return imap_no(imap, "METADATA TOOMANY", "There are too many annotations");
	if (error != -EMSGSIZE)
		return imap_failed(imap, error);
	code = arena_format(&imap->arena, "METADATA MAXSIZE %d", LIMIT_METADATA_VALUE_BYTES);
	return imap_no(imap, arena_str(&imap->arena, code), "The value is too large");
}

enum run cmd_setmetadata(struct imap *imap)
{
	struct metadata_arguments *a = &imap->command.arguments.metadata;

	for (size_t i = 0; i < a->n; i++)
		if (!check_entry(imap, a->mailbox, &a->entries[i]))
			return RUN_DONE;

	int r = metadata_change(imap->settings.store,
		&(struct metadata_changes){
			.mailbox_name = a->mailbox, .entries = a->entries, .n = a->n },
		&imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	return r < 0 ? set_failed(imap, r) : imap_ok(imap, NULL, NULL);
}
