#include "server/imap/cmd_list.h"

#include "base/must.h"
#include "base/mutf7.h"
#include "maildir/special_uses.h"
#include "maildir/subscriptions.h"
#include "maildir/tree.h"
#include "server/imap/cmd_metadata.h"
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
	const unsigned *uses; /* of each entry: sets of special_use_bit() */
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

/* What cannot be read is left out (RFC 9590 section 3); it is logged by the store. */
static void tell_metadata(struct imap *imap, struct slice name, const unsigned *uses)
{
	struct metadata_arguments asked = imap->command.arguments.list.metadata;
	uint64_t longest;

	asked.mailbox = name;
	asked.known_uses = uses;
	(void)!metadata_tell(imap, &asked, &longest);
}

static void tell_entry(struct imap *imap, const struct list_progress *p, size_t i)
{
	const struct tree_entry *entry = &p->entries[i];
	_cleanup_buf_ struct buf uses = BUF(SPECIAL_USES_TEXT_BYTES);
	char attributes[2 * SPECIAL_USES_TEXT_BYTES];

	if (imap->command.arguments.list.special_use_only && p->uses[i] == 0)
		return;
	if (!matches(imap, &p->pattern, entry->name))
		return;
	must(special_use_format(p->uses[i], &uses) == 0);
	snprintf(attributes, sizeof attributes, "%s%s%s%.*s",
		entry->exists ? "" : "\\Noselect \\NonExistent ",
		entry->has_children ? "\\HasChildren" : "\\HasNoChildren",
		uses.n > 0 ? " " : "", SLICE_FMT(buf_slice(&uses)));
	write_response(imap, "LIST", attributes, entry->name);
	if (entry->exists && imap->command.arguments.list.metadata.n > 0)
		tell_metadata(imap, entry->name, &p->uses[i]);
}

static int begin_list(struct imap *imap)
{
	struct list_progress *p = arena_alloc(&imap->arena, sizeof *p);
	int r = tree_list(imap->settings.store, &imap->arena, &p->entries, &p->n);

	if (r < 0)
		return r;
	p->pattern = whole_pattern(imap);
	p->uses = special_uses_find(imap->settings.store, &imap->arena, p->entries, p->n);
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
