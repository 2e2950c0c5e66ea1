/* courier_adopt.h - keywords of a mailbox that was Courier's: read once, into file names and dovecot-keywords. In steps. */
#pragma once

#include "maildir/mailbox_state.h"

/*
 * A mailbox that has Courier's keywords, and no uidlist yet, is being adopted: that is noted first, by an empty file
 * restante-courier-keywords, which goes when all keywords are in their new places, durably. So a kill at any point
 * leaves an adoption to go on with, which adds what was added before once more; and no later change is undone by
 * one that was finished, nor keywords taken that another server adopted. Courier's files stay as they are.
 */
struct courier_adoption;

/* Whether an adoption was begun in that directory of a mailbox, and not finished; or that cannot be told. */
bool courier_adopt_marked(int dir_fd);

/*
 * Before the first sync: whether there is anything to adopt.
 * Returns 0; -errno, logged: it cannot be told, or not be noted. Then there must be no sync: with the uidlist that it
 *         would make the mailbox would count as one that needs no adoption.
 */
_must_check_ int courier_adopt_begin(struct mailbox *mailbox);

/* Whether the messages are not to be shown yet, and courier_adopt_step() is to be called. Behind the first sync. */
bool courier_adopt_pending(const struct mailbox *mailbox);

/*
 * Go on. Returns 0: done; -EINPROGRESS, -EAGAIN as struct work; -ESTALE as mailbox_sync(); -errno, logged: the messages
 * are not to be shown without their keywords, and the next sync begins the adoption anew.
 */
_must_check_ int courier_adopt_step(struct mailbox *mailbox, struct work *work);

void courier_adoption_free(struct courier_adoption *adoption);
