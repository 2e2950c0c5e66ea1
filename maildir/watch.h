/*
 * watch.h - mailboxes that are watched without being open, and the root for what other programs do to names and
 * subscriptions: by inotify where store_watch() has one. RFC 5465.
 */
#pragma once

#include "maildir/store.h"

struct watched;

/* Watch a mailbox of that UTF-8 name. Kept until store_unwatch(); costs two watches of the kernel, no descriptor. */
struct watched *store_watch_name(struct store *store, struct slice name);
void store_unwatch(struct store *store, struct watched *watched);

/* Grows when something happened to the mailbox's directories. */
uint64_t watched_count(const struct watched *watched);

/* Whether both watch the same directories: a name may have come to mean another mailbox. */
bool watched_is_same(const struct watched *a, const struct watched *b);

/* Whether every change by others is counted; else look now and then. Also makes a watch that was lost anew. */
bool watched_is_sure(struct store *store, struct watched *watched);

/* Watch names and subscriptions; calls nest. */
void store_watch_tree(struct store *store);
void store_unwatch_tree(struct store *store);

/* Grows when names of mailboxes, or subscriptions, may have changed under store_watch_tree(). */
uint64_t store_tree_count(const struct store *store);

/* Whether every such change is counted. */
bool store_tree_is_sure(const struct store *store);

/* Whether a mailbox is open, or something is watched, that the kernel does not tell all of: then who waits must look by time. */
bool store_must_poll(const struct store *store);
