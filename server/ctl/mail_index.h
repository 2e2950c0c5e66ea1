/* mail_index.h - the state of a user's index, told without opening it: nothing in it changes. */
#pragma once

#include "server/ctl/mail_report.h"

enum mail_index_state {
	MAIL_INDEX_NONE,   /* there is none: it is made when the mail is next opened */
	MAIL_INDEX_IN_USE, /* a session of the user has it open */
	MAIL_INDEX_READY,  /* whole, as far as its files tell */
	MAIL_INDEX_STALE, /* of another format, or of a boot that left it unsynced: dropped when it is next opened */
	MAIL_INDEX_DAMAGED, /* its files are not whole: dropped when it is next opened */
	MAIL_INDEX_UNKNOWN, /* it cannot be looked at */
	MAIL_INDEX_STATES
};

struct mail_index {
	enum mail_index_state state;
	int error;      /* of MAIL_INDEX_UNKNOWN: -errno */
	uint64_t bytes; /* on disk */
};

enum { MAIL_BOOT_ID_BYTES = 64 };

/* The id of this boot, as index.h wants it; "" if it cannot be read. */
void mail_boot_id(char ret_id[MAIL_BOOT_ID_BYTES]);

struct mail_index mail_index_look(const char *path);

/* "none", "in use", ... */
const char *mail_index_word(enum mail_index_state state);

/* Append a table "index" with one row. */
void mail_index_report(const struct mail_index *index, const char *path, struct report *report);
