/* listing.h - all names that LIST may tell: mailboxes, the levels between them, and names that are only subscribed. */
#pragma once

#include "maildir/tree.h"
#include "server/imap/command.h"

struct listing_entry {
	struct slice name; /* UTF-8, with the store's separator */
	bool exists;       /* a mailbox */
	bool has_children; /* there are mailboxes below it */
	bool subscribed;   /* with LISTING_SUBSCRIBED */
	unsigned uses;     /* with LISTING_USES: set of special_use_bit() */
};

struct listing {
	const struct listing_entry *entries; /* in the order of name_compare() */
	size_t n;
};

enum listing_facts {
	LISTING_SUBSCRIBED = 1 << 0, /* read the subscriptions; names that do not exist are among them then */
	LISTING_USES = 1 << 1,       /* find the special uses: costs a call a mailbox */
};

/*
 * Put tree and subscriptions together, both in the order of name_compare(); all levels above a name are there, too.
 * Made in arena. Pure.
 */
struct listing_parts {
	const struct tree_entry *tree;
	size_t tree_n;
	const unsigned *uses; /* of tree, or NULL */
	const struct slice *subscribed;
	size_t subscribed_n;
	char separator;
};
struct listing listing_merge(const struct listing_parts *parts, struct arena *arena);

/* Make it from what is on disk, in arena. Returns 0; -errno, logged. */
_must_check_ int listing_make(
	struct store *store, unsigned facts, struct arena *arena, struct listing *ret_listing);

/* Find a name. NULL: it is not there. */
const struct listing_entry *listing_find(
	const struct listing *listing, struct slice name, char separator);

/* What is told of an entry beside its name. */
struct listing_told {
	bool subscribed;      /* \Subscribed, where it is */
	bool uses;            /* its special uses */
	bool not_selectable;  /* it was found that it cannot be opened */
	const char *extended; /* extended data items, or NULL */
};

/* Append a LIST response. RFC 9051 section 7.3.1. */
void listing_write(
	struct imap *imap, const struct listing_entry *entry, const struct listing_told *told);
