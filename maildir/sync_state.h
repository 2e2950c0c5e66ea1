/* sync_state.h - where a mailbox_sync() in steps stands. See the head of sync.c. */
#pragma once

#include "base/buf.h"
#include "maildir/dirs.h"
#include "maildir/entries.h"

/* A file met by the scan: its name in names, and where it lies. */
struct sync_file {
	uint32_t name_at;
	uint16_t name_bytes;
	bool in_new;
};

struct sync_files {
	struct sync_file *files;
	size_t n, cap;
	struct buf names;
};

enum sync_phase {
	SYNC_LOOK,       /* stat: what changed? */
	SYNC_READ,       /* uidlist and keywords */
	SYNC_SCAN_NEW,   /* readdir of new/ */
	SYNC_SCAN_CUR,   /* readdir of cur/ */
	SYNC_SCANNED,    /* what did the scan say? */
	SYNC_LOCK,       /* take the uidlist's lock, read what others wrote meanwhile */
	SYNC_ASSIGN,     /* UIDs to new files, durably */
	SYNC_MOVE,       /* new/ to cur/ */
	SYNC_DUPLICATES, /* two files of one name */
	SYNC_COMMIT,     /* show it */
};

struct sync_state {
	enum sync_phase phase;
	bool scan_cur;   /* cur/ is read as well */
	bool confirming; /* the second scan, before files count as gone */
	bool have_lock;
	bool uidlist_broken;
	bool again;          /* a further round was made already */
	bool degraded;       /* UIDs cannot be given now */
	bool stuck;          /* files cannot be moved out of new/ now */
	bool complained;     /* either was logged */
	bool stamps_moved;   /* cur/ was changed by us, its stamp taken anew */
	struct entries entries; /* of the directory that is being read */
	uint64_t round;      /* how often a sync began with a look at the files */
	uint32_t scan;       /* the number of the scan under way, from 1 */
	uint32_t first_scan; /* a file met by this one or a later one is there */
	struct stamp cur_before, new_before;
	struct sync_files unknown, duplicates;
	size_t ignored; /* things among the messages that are none */
	size_t ignored_before;
	uint32_t
		first_new_uid; /* the first UID given in this sync, or 0: what follows is \Recent in a first sync */
	uint32_t move_uid; /* cursor of SYNC_MOVE */
	size_t duplicate;  /* cursor of SYNC_DUPLICATES */
};
