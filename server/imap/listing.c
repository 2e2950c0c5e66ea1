#include "server/imap/listing.h"

#include "base/must.h"
#include "maildir/name.h"
#include "maildir/special_uses.h"
#include "maildir/subscriptions.h"
#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

struct merge {
	const struct listing_parts *parts;
	struct listing_entry *entries; /* NULL: they are only counted */
	size_t n;
	struct slice before; /* the name added last */
};

static void add_entry(struct merge *m, struct listing_entry entry)
{
	if (m->entries)
		m->entries[m->n] = entry;
	m->n++;
	m->before = entry.name;
}

/* The levels above a name, but for those that are there: the tree has those of its own mailboxes. */
static void add_missing_parents(struct merge *m, struct slice name)
{
	struct slice before = m->before;
	char separator = m->parts->separator;

	for (size_t i = 0; i < name.n; i++) {
		struct slice parent = slice_head(name, i);

		if (name.p[i] == separator && !slice_equal(before, parent) &&
			!name_is_below(before, parent, separator))
			add_entry(m, (struct listing_entry){ .name = parent });
	}
}

static void merge(struct merge *m)
{
	const struct listing_parts *p = m->parts;
	size_t t = 0, s = 0;

	while (t < p->tree_n || s < p->subscribed_n) {
		int order = t == p->tree_n	    ? 1
			    : s == p->subscribed_n ? -1
						   : name_compare(p->tree[t].name,
							     p->subscribed[s], p->separator);

		if (order <= 0) {
			add_entry(m, (struct listing_entry){ .name = p->tree[t].name,
					     .exists = p->tree[t].exists,
					     .has_children = p->tree[t].has_children,
					     .subscribed = order == 0,
					     .uses = p->uses ? p->uses[t] : 0 });
			t++;
		} else {
			add_missing_parents(m, p->subscribed[s]);
			add_entry(m, (struct listing_entry){
					     .name = p->subscribed[s], .subscribed = true });
		}
		s += order >= 0;
	}
}

struct listing listing_merge(const struct listing_parts *parts, struct arena *arena)
{
	struct merge m = { .parts = parts };

	merge(&m);
	m = (struct merge){ .parts = parts,
		.entries = arena_array(arena, m.n + 1, sizeof *m.entries) };
	merge(&m);
	return (struct listing){ .entries = m.entries, .n = m.n };
}

int listing_make(
	struct store *store, unsigned facts, struct arena *arena, struct listing *ret_listing)
{
	struct listing_parts parts = { .separator = store_hierarchy_separator(store) };
	struct slice *subscribed = NULL;
	int r = tree_list(store, arena, &parts.tree, &parts.tree_n);

	if (r == 0 && (facts & LISTING_SUBSCRIBED))
		r = subscriptions_read(store, arena, &subscribed, &parts.subscribed_n);
	if (r < 0)
		return r;
	parts.subscribed = subscribed;
	if (facts & LISTING_USES)
		parts.uses = special_uses_find(store, arena, parts.tree, parts.tree_n);
	*ret_listing = listing_merge(&parts, arena);
	return 0;
}

const struct listing_entry *listing_find(
	const struct listing *listing, struct slice name, char separator)
{
	size_t low = 0, high = listing->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = name_compare(listing->entries[middle].name, name, separator);

		if (order == 0)
			return &listing->entries[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void listing_write(
	struct imap *imap, const struct listing_entry *entry, const struct listing_told *told)
{
	_cleanup_buf_ struct buf uses = BUF(SPECIAL_USES_TEXT_BYTES);
	struct writer *w = &imap->out;

	must(special_use_format(told->uses ? entry->uses : 0, &uses) == 0);
	write_raw(w, SLICE("* LIST ("));
	if (!entry->exists)
		write_raw(w, SLICE("\\Noselect \\NonExistent "));
	else if (told->not_selectable)
		write_raw(w, SLICE("\\Noselect "));
	write_text(w, entry->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (told->subscribed && entry->subscribed)
		write_raw(w, SLICE(" \\Subscribed"));
	if (uses.n > 0)
		write_format(w, " %.*s", SLICE_FMT(buf_slice(&uses)));
	write_format(w, ") \"%c\" ", store_hierarchy_separator(imap->settings.store));
	write_mailbox(w, entry->name);
	if (told->extended)
		write_format(w, " (%s)", told->extended);
	write_crlf(w);
}
