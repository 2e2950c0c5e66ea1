#include "server/imap/cmd_list.h"

#include "base/mutf7.h"
#include "maildir/special_use.h"
#include "maildir/subscriptions.h"
#include "maildir/tree.h"
#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

/* What a client looks for. */
struct list_pattern {
	struct slice text;
	bool utf8; /* written as UTF-8; else it is compared with names in modified UTF-7 */
};

struct list_progress {
	struct list_pattern pattern;
	const struct tree_entry *entries;
	size_t n, next;
	size_t special[SPECIAL_USE_COUNT]; /* which entry has the use; n: none */
};

struct lsub_progress {
	struct list_pattern pattern;
	struct slice *names;
	size_t n, next;
	struct slice told; /* the name told last */
};

static char delimiter(const struct imap *imap)
{
	return store_hierarchy_separator(imap->settings.store);
}

static void write_response(
	struct imap *imap, const char *response, const char *attributes, struct slice name)
{
	write_format(&imap->out, "* %s (%s) \"%c\" ", response, attributes, delimiter(imap));
	write_mailbox(&imap->out, name);
	write_crlf(&imap->out);
}

/* The pattern continues the reference (RFC 9051 section 6.3.9). */
static struct list_pattern whole_pattern(struct imap *imap)
{
	struct list_arguments *a = &imap->command.arguments.list;
	struct list_pattern pattern = { .text = arena_format(&imap->arena, "%.*s%.*s",
						SLICE_FMT(a->reference), SLICE_FMT(a->pattern)) };

	pattern.utf8 = imap->enabled & ENABLED_UTF8_NAMES;
	for (size_t i = 0; i < pattern.text.n; i++)
		pattern.utf8 |= pattern.text.p[i] < 0;
	return pattern;
}

static bool matches(const struct imap *imap, const struct list_pattern *pattern, struct slice name)
{
	_cleanup_buf_ struct buf encoded = BUF(LIMIT_PATH_BYTES);

	if (pattern->utf8)
		return list_matches(pattern->text, name, delimiter(imap));
	return mutf7_encode(name, &encoded) == 0 &&
	       list_matches(pattern->text, buf_slice(&encoded), delimiter(imap));
}

/* For each use the one mailbox whose name says it best. */
static void find_special(const struct imap *imap, struct list_progress *p)
{
	unsigned best[SPECIAL_USE_COUNT], rank;

	for (size_t use = 0; use < SPECIAL_USE_COUNT; use++)
		p->special[use] = p->n;
	for (size_t i = 0; i < p->n; i++) {
		enum special_use use =
			special_use_of_name(p->entries[i].name, delimiter(imap), &rank);

		if (use == SPECIAL_USE_NONE || !p->entries[i].exists ||
			(p->special[use] < p->n && best[use] <= rank))
			continue;
		p->special[use] = i;
		best[use] = rank;
	}
}

static enum special_use use_of_entry(const struct list_progress *p, size_t i)
{
	for (int use = SPECIAL_USE_NONE + 1; use < SPECIAL_USE_COUNT; use++)
		if (p->special[use] == i)
			return use;
	return SPECIAL_USE_NONE;
}

static void tell_entry(struct imap *imap, const struct list_progress *p, size_t i)
{
	const struct tree_entry *entry = &p->entries[i];
	enum special_use use = use_of_entry(p, i);
	char attributes[100];

	if (imap->command.arguments.list.special_use_only && use == SPECIAL_USE_NONE)
		return;
	if (!matches(imap, &p->pattern, entry->name))
		return;
	snprintf(attributes, sizeof attributes, "%s%s%s%s",
		entry->exists ? "" : "\\Noselect \\NonExistent ",
		entry->has_children ? "\\HasChildren" : "\\HasNoChildren",
		use == SPECIAL_USE_NONE ? "" : " ", special_use_attribute(use));
	write_response(imap, "LIST", attributes, entry->name);
}

static int begin_list(struct imap *imap)
{
	struct list_progress *p = arena_alloc(&imap->arena, sizeof *p);
	int r = tree_list(imap->settings.store, &imap->arena, &p->entries, &p->n);

	if (r < 0)
		return r;
	p->pattern = whole_pattern(imap);
	find_special(imap, p);
	imap->command.progress = p;
	return 0;
}

/* A pattern costs more the longer it is; so it takes more of the budget. */
static enum run wait_for_turn(struct imap *imap, const struct list_pattern *pattern)
{
	if (imap_output_full(imap))
		return RUN_OUTPUT;
	if (!imap_spend(imap))
		return RUN_STEP;
	for (size_t i = 0; i < pattern->text.n / 64; i++)
		(void)imap_spend(imap);
	return RUN_DONE;
}

enum run cmd_list(struct imap *imap)
{
	const struct list_arguments *a = &imap->command.arguments.list;

	if (a->pattern.n == 0) { /* only the delimiter is asked for */
		write_response(imap, "LIST", "\\Noselect", SLICE(""));
		return imap_ok(imap, NULL, NULL);
	}

	int r = imap->command.progress ? 0 : begin_list(imap);

	if (r < 0)
		return imap_failed(imap, r);

	struct list_progress *p = imap->command.progress;

	for (; p->next < p->n; p->next++) {
		enum run run = wait_for_turn(imap, &p->pattern);

		if (run != RUN_DONE)
			return run;
		tell_entry(imap, p, p->next);
	}
	return imap_ok(imap, NULL, NULL);
}

/* "%" finds a name of which only one below it is subscribed: it is told as \Noselect (RFC 3501 section 6.3.9). */
static void tell_parent(struct imap *imap, struct lsub_progress *p, struct slice name)
{
	if (slice_find(p->pattern.text, '%') < 0 || slice_find(p->pattern.text, '*') >= 0)
		return;
	for (size_t i = 1; i < name.n; i++) {
		struct slice parent = slice_head(name, i);

		if (name.p[i] != delimiter(imap) || slice_equal(parent, p->told) ||
			!matches(imap, &p->pattern, parent))
			continue;
		write_response(imap, "LSUB", "\\Noselect", parent);
		p->told = parent;
	}
}

static void tell_subscribed(struct imap *imap, struct lsub_progress *p, struct slice name)
{
	if (!matches(imap, &p->pattern, name)) {
		tell_parent(imap, p, name);
		return;
	}
	write_response(imap, "LSUB", "", name);
	p->told = name;
}

static int begin_lsub(struct imap *imap)
{
	struct lsub_progress *p = arena_alloc(&imap->arena, sizeof *p);
	int r = subscriptions_read(imap->settings.store, &imap->arena, &p->names, &p->n);

	if (r < 0)
		return r;
	p->pattern = whole_pattern(imap);
	imap->command.progress = p;
	return 0;
}

enum run cmd_lsub(struct imap *imap)
{
	int r = imap->command.progress ? 0 : begin_lsub(imap);

	if (r < 0)
		return imap_failed(imap, r);

	struct lsub_progress *p = imap->command.progress;

	for (; p->next < p->n; p->next++) {
		enum run run = wait_for_turn(imap, &p->pattern);

		if (run != RUN_DONE)
			return run;
		tell_subscribed(imap, p, p->names[p->next]);
	}
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_namespace(struct imap *imap)
{
	write_format(&imap->out, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n", delimiter(imap));
	return imap_ok(imap, NULL, NULL);
}
