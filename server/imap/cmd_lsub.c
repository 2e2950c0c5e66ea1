#include "server/imap/cmd_lsub.h"

#include "maildir/subscriptions.h"
#include "server/imap/connection.h"
#include "server/imap/list_pattern.h"
#include "server/imap/write_mailbox.h"

struct lsub_progress {
	struct list_patterns pattern; /* one */
	struct slice *names;
	size_t n, next;
	struct slice told; /* the name told last */
};

static char delimiter(const struct imap *imap)
{
	return store_hierarchy_separator(imap->settings.store);
}

static void write_response(struct imap *imap, const char *attributes, struct slice name)
{
	write_format(&imap->out, "* LSUB (%s) \"%c\" ", attributes, delimiter(imap));
	write_mailbox(&imap->out, name);
	write_crlf(&imap->out);
}

/* "%" finds a name of which only one below it is subscribed: it is told as \Noselect (RFC 3501 section 6.3.9). */
static void tell_parent(struct imap *imap, struct lsub_progress *p, struct slice name)
{
	struct slice pattern = p->pattern.patterns[0].text;

	if (slice_find(pattern, '%') < 0 || slice_find(pattern, '*') >= 0)
		return;
	for (size_t i = 1; i < name.n; i++) {
		struct slice parent = slice_head(name, i);

		if (name.p[i] != delimiter(imap) || slice_equal(parent, p->told) ||
			!list_patterns_match(imap, &p->pattern, parent))
			continue;
		write_response(imap, "\\Noselect", parent);
		p->told = parent;
	}
}

static void tell_subscribed(struct imap *imap, struct lsub_progress *p, struct slice name)
{
	if (!list_patterns_match(imap, &p->pattern, name)) {
		tell_parent(imap, p, name);
		return;
	}
	write_response(imap, "", name);
	p->told = name;
}

static int begin_lsub(struct imap *imap)
{
	struct lsub_progress *p = arena_alloc(&imap->arena, sizeof *p);
	int r = subscriptions_read(imap->settings.store, &imap->arena, &p->names, &p->n);

	if (r < 0)
		return r;
	p->pattern = list_patterns_make(imap, &imap->command.arguments.list);
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
		enum run run = list_patterns_wait(imap, &p->pattern);

		if (run != RUN_DONE)
			return run;
		tell_subscribed(imap, p, p->names[p->next]);
	}
	return imap_ok(imap, NULL, NULL);
}
