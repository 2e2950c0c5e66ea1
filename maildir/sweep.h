/* sweep.h - removes from the index what it has of mailboxes that are gone, whoever deleted them. */
#pragma once

#include "maildir/store.h"

/*
 * Sweep, before a process that nobody is connected to ends.
 * Limits   a small file is read for each mailbox, and some ten thousand records are deleted at most: the next process
 *          goes on.
 */
void sweep_index(struct store *store);
