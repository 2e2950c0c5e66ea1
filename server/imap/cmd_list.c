/*
 * LIST goes through all names twice: first which of them match, and which criteria those below meet; then it tells.
 */
#include "server/imap/cmd_list.h"

#include "base/must.h"
#include "maildir/name.h"
#include "server/imap/cmd_metadata.h"
#include "server/imap/connection.h"
#include "server/imap/list_pattern.h"
#include "server/imap/listing.h"
#include "server/imap/status_look.h"

#include <errno.h>

enum list_mark {
	MARK_MATCHES = 1 << 0,       /* a pattern */
	MARK_BELOW = 1 << 1,         /* a name below it meets the criteria */
	MARK_BELOW_HIDDEN = 1 << 2,  /* and such a one matches no pattern */
};

struct list_progress {
	struct list_patterns patterns;
	struct listing listing;
	uint8_t *marks; /* enum list_mark, of each entry */
	size_t marked, told;
	size_t above[LIMIT_MAILBOX_LEVELS]; /* the entries above the one that is marked */
	size_t depth;
	struct status_look look;
	bool looking;
};

void end_list(struct imap *imap)
{
	struct list_progress *p = imap->command.progress;

	if (p)
		status_look_end(&p->look);
}

static const struct list_arguments *asked(const struct imap *imap)
{
	return &imap->command.arguments.list;
}

static char delimiter(const struct imap *imap)
{
	return store_hierarchy_separator(imap->settings.store);
}

/* The basic syntax tells special uses unasked; whoever says what is wanted gets that. */
static bool tells_uses(const struct list_arguments *a)
{
	return !a->extended || (a->returns & LIST_RETURN_SPECIAL_USE);
}

static int begin_list(struct imap *imap)
{
	const struct list_arguments *a = asked(imap);
	struct list_progress *p = arena_alloc(&imap->arena, sizeof *p);
	unsigned facts = 0;

	if (a->returns & LIST_RETURN_SUBSCRIBED)
		facts |= LISTING_SUBSCRIBED;
	if (tells_uses(a) || a->metadata.n > 0)
		facts |= LISTING_USES;

	int r = listing_make(imap->settings.store, facts, &imap->arena, &p->listing);

	if (r < 0)
		return r;
	if (a->status_items & STATUS_HIGHESTMODSEQ)
		connection_enable_condstore(imap);
	p->patterns = list_patterns_make(imap, a);
	p->marks = arena_alloc(&imap->arena, p->listing.n + 1);
	p->look.items = a->status_items;
	imap->command.progress = p;
	return 0;
}

static bool meets_criteria(const struct list_arguments *a, const struct listing_entry *entry)
{
	return (!(a->select & LIST_SELECT_SUBSCRIBED) || entry->subscribed) &&
	       (!(a->select & LIST_SELECT_SPECIAL_USE) || entry->uses != 0);
}

/* Names follow those above them: keep the latter for the entry that is next. */
static void descend(const struct imap *imap, struct list_progress *p, struct slice name)
{
	while (p->depth > 0 &&
		!name_is_below(name, p->listing.entries[p->above[p->depth - 1]].name,
			delimiter(imap)))
		p->depth--;
}

static void mark(struct imap *imap, struct list_progress *p, size_t i)
{
	const struct listing_entry *entry = &p->listing.entries[i];
	bool matches = list_patterns_match(imap, &p->patterns, entry->name);

	descend(imap, p, entry->name);
	p->marks[i] |= matches ? MARK_MATCHES : 0;
	if (meets_criteria(asked(imap), entry))
		for (size_t k = 0; k < p->depth; k++)
			p->marks[p->above[k]] |= MARK_BELOW | (matches ? 0 : MARK_BELOW_HIDDEN);
	must(p->depth < LIMIT_MAILBOX_LEVELS);
	p->above[p->depth++] = i;
}

static enum run mark_all(struct imap *imap, struct list_progress *p)
{
	for (; p->marked < p->listing.n; p->marked++) {
		enum run run = list_patterns_wait(imap, &p->patterns);

		if (run != RUN_DONE)
			return run;
		mark(imap, p, p->marked);
	}
	return RUN_DONE;
}

/*
 * Whether an entry that matches a pattern is selected. A level of hierarchy that is no mailbox: the basic syntax tells
 * every one (RFC 9051 section 6.3.5 has an example), the extended one only where "%" asks for levels (section 7.3.1,
 * \NonExistent).
 */
static bool is_selected(
	const struct imap *imap, const struct list_progress *p, const struct listing_entry *entry)
{
	const struct list_arguments *a = asked(imap);

	if (a->select & LIST_SELECT_CRITERIA)
		return meets_criteria(a, entry);
	if (entry->exists)
		return true;
	return entry->has_children &&
	       (!a->extended || list_patterns_match_level(imap, &p->patterns, entry->name));
}

/* RFC 5258 section 3.5: which criteria are met below. */
static const char *childinfo(const struct imap *imap)
{
	switch (asked(imap)->select & LIST_SELECT_CRITERIA) {
	case LIST_SELECT_SUBSCRIBED:
		return "\"CHILDINFO\" (\"SUBSCRIBED\")";
	case LIST_SELECT_SPECIAL_USE:
		return "\"CHILDINFO\" (\"SPECIAL-USE\")";
	default:
		return "\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\")";
	}
}

/* What cannot be read is left out (RFC 9590 section 3); it is logged by the store. */
static void tell_metadata(struct imap *imap, const struct listing_entry *entry)
{
	struct metadata_arguments wanted = asked(imap)->metadata;
	uint64_t longest;

	wanted.mailbox = entry->name;
	wanted.known_uses = &entry->uses;
	(void)!metadata_tell(imap, &wanted, &longest);
}

/*
 * Look for the STATUS of an entry. *ret_r is 0; -errno: there is none to tell, and with *ret_selectable false the mailbox
 * cannot be selected. RFC 5819 section 2.
 */
static enum run look(struct imap *imap, struct list_progress *p, const struct listing_entry *entry,
	int *ret_r)
{
	enum run run = RUN_DONE;
	int r = 0;

	if (!p->looking)
		r = status_look_begin(imap, &p->look, entry->name);
	p->looking = r == 0;
	if (r == 0)
		run = status_look_run(imap, &p->look, &r);
	if (run == RUN_DONE)
		*ret_r = r;
	return run;
}

static bool is_unselectable(int r)
{
	return r == -ENOENT || r == -EACCES || r == -ELOOP || r == -ENOTDIR || r == -ESTALE;
}

static void tell(struct imap *imap, const struct list_progress *p, size_t i, int r)
{
	const struct list_arguments *a = asked(imap);
	const struct listing_entry *entry = &p->listing.entries[i];
	bool below = (a->select & LIST_SELECT_RECURSIVEMATCH) && (p->marks[i] & MARK_BELOW);

	listing_write(imap, entry,
		&(struct listing_told){
			.subscribed = a->returns & LIST_RETURN_SUBSCRIBED,
			.uses = tells_uses(a),
			.not_selectable = is_unselectable(r),
			.extended = below ? childinfo(imap) : NULL,
		});
}

/* An entry that is selected, with what is asked for of its mailbox. */
static enum run tell_selected(struct imap *imap, struct list_progress *p, size_t i)
{
	const struct list_arguments *a = asked(imap);
	const struct listing_entry *entry = &p->listing.entries[i];
	int r = 0;

	if (entry->exists && a->status_items) {
		enum run run = look(imap, p, entry, &r);

		if (run != RUN_DONE)
			return run;
	}
	tell(imap, p, i, r);
	if (entry->exists && a->status_items && r == 0)
		status_look_write(imap, &p->look, a->status_items);
	if (entry->exists && a->metadata.n > 0 && !is_unselectable(r))
		tell_metadata(imap, entry);
	status_look_end(&p->look);
	p->looking = false;
	return RUN_DONE;
}

static enum run tell_entry(struct imap *imap, struct list_progress *p, size_t i)
{
	if (!(p->marks[i] & MARK_MATCHES))
		return RUN_DONE;
	if (is_selected(imap, p, &p->listing.entries[i]))
		return tell_selected(imap, p, i);
	if ((asked(imap)->select & LIST_SELECT_RECURSIVEMATCH) && (p->marks[i] & MARK_BELOW_HIDDEN))
		tell(imap, p, i, 0);
	return RUN_DONE;
}

static enum run tell_all(struct imap *imap, struct list_progress *p)
{
	for (; p->told < p->listing.n; p->told++) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (!p->looking && !imap_spend(imap))
			return RUN_STEP;

		enum run run = tell_entry(imap, p, p->told);

		if (run != RUN_DONE)
			return run;
		connection_progress(imap, p->told + 1, p->listing.n);
	}
	return RUN_DONE;
}

enum run cmd_list(struct imap *imap)
{
	const struct list_arguments *a = asked(imap);

	if (!a->extended && a->patterns[0].n == 0) { /* only the delimiter is asked for */
		write_format(&imap->out, "* LIST (\\Noselect) \"%c\" \"\"\r\n", delimiter(imap));
		return imap_ok(imap, NULL, NULL);
	}

	int r = imap->command.progress ? 0 : begin_list(imap);

	if (r < 0)
		return imap_failed(imap, r);

	struct list_progress *p = imap->command.progress;
	enum run run = mark_all(imap, p);

	if (run == RUN_DONE)
		run = tell_all(imap, p);
	return run == RUN_DONE ? imap_ok(imap, NULL, NULL) : run;
}

enum run cmd_namespace(struct imap *imap)
{
	write_format(&imap->out, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n", delimiter(imap));
	return imap_ok(imap, NULL, NULL);
}
