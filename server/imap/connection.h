/* connection.h - the state of one IMAP connection, and what every command family does to it. */
#pragma once

#include "maildir/view.h"
#include "server/imap/capability.h"
#include "server/imap/command.h"
#include "server/imap/imap.h"
#include "server/imap/message_file.h"
#include "server/imap/notify.h"
#include "server/imap/texts.h"
#include "server/imap/search_context.h"
#include "server/imap/updates.h"
#include "server/wire/frame_imap.h"
#include "server/wire/writer.h"

/* The tagged response to come. */
enum completion { COMPLETION_NONE, COMPLETION_OK, COMPLETION_NO, COMPLETION_BAD };

/*
 * The command under way. Everything in it lives in the arena, or in the frame's command, until the command ends.
 */
struct command {
	const struct command_type *type; /* NULL: none */
	struct slice tag;                /* n is 0: none could be read, "*" is sent */
	union arguments arguments;
	void *progress;             /* of type->run: made at its first call */
	bool holds_expunges;        /* sequence numbers must not shift with it (RFC 9051 section 7.5.1) */
	uint64_t locked_since_usec; /* when a lock was first found held elsewhere; 0: not */

	uint64_t items_done, items_goal; /* for INPROGRESS; goal 0: not known */
	uint64_t progress_usec;          /* when it was told last, or the command began */
	uint32_t limited_uid; /* not all was worked on: this UID was the lowest that was; 0: all was */

	bool switches; /* compression begins behind its tagged response */
	enum completion completion;
	const char *code; /* response code without its brackets; NULL: none */
	const char *text; /* NULL: "NAME completed" */
};

/* What the next step has to do. */
enum imap_phase {
	PHASE_READ,    /* find the next command */
	PHASE_RUN,     /* go on with the command */
	PHASE_UPDATES, /* tell changes */
	PHASE_ANSWER,  /* the tagged response */
	PHASE_CLOSED,
};

struct imap {
	struct engine engine; /* first: the session knows only this */
	struct imap_settings settings;
	enum imap_state state;
	enum imap_phase phase;
	struct frame_imap frame;
	struct arena arena; /* of the command */
	struct command command;
	unsigned bad_commands; /* in a row */
	unsigned enabled;      /* enum imap_enabled: for good, once set */
	uint64_t modseq_told;  /* the highest MODSEQ since the last tagged response */
	bool expunge_told;     /* since then */
	enum language language;
	bool compressed;       /* or will be, when the answer to COMPRESS has gone out */
	struct notify *notify; /* NULL: NOTIFY was never used */
	bool mid_response;     /* half a response is in the output: nothing may come between */

	/* IMAP_SELECTED: all are set; else none. */
	struct mailbox *mailbox;
	struct view *view;
	bool read_write;
	unsigned keywords_told; /* how many of the mailbox's keywords the client knows */
	struct message_file file;
	struct updates updates;
	struct contexts contexts;
	struct seq_ranges saved; /* "$": UIDs; ranges are on the heap (RFC 5182) */

	/* During a step only. */
	struct engine_io *io;
	struct work work;
	struct writer out;
};

enum {
	IMAP_LOCK_WAIT_USEC = 30 * 1000 * 1000, /* then a command fails: [INUSE] */
	IMAP_SEEN_WAIT_USEC = 2 * 1000 * 1000,  /* then FETCH sets no \Seen: a lock keeps no mail from its reader */
	IMAP_PROGRESS_USEC = 10 * 1000 * 1000,  /* between two INPROGRESS (RFC 9585 section 4) */
};

/* The one place where the state changes: must be an edge of the table in connection.c. */
void imap_set_state(struct imap *imap, enum imap_state state);

/* Complete the command. Returns RUN_DONE. code and text live in static memory or in the arena; both may be NULL. */
enum run imap_ok(struct imap *imap, const char *code, const char *text);
enum run imap_no(struct imap *imap, const char *code, const char *text);
enum run imap_bad(struct imap *imap, const char *text);

/*
 * Complete the command with what a negative errno means to a client: NO, with a response code of RFC 5530. With -ESTALE
 * while the selected mailbox is stale, its UIDs mean nothing any more: the connection ends (RFC 9051 section 2.3.1.1).
 * Returns RUN_DONE or RUN_CLOSE.
 */
enum run imap_failed(struct imap *imap, int error);

/*
 * The same where a mailbox was to be changed: a fault of the server or its disk, which the store does not
 * log, is logged with user, mailbox and cause.
 * what      "flags cannot be changed", ...
 */
enum run imap_change_failed(
	struct imap *imap, const struct mailbox *mailbox, const char *what, int error);

/* Complete the command with BAD [UIDREQUIRED]: it would need sequence numbers (RFC 9586 section 3). Returns RUN_DONE. */
enum run imap_uidrequired(struct imap *imap);

/* Complete the command with why its arguments are not taken. Returns RUN_DONE. */
enum run imap_fault(struct imap *imap, const struct grammar *grammar);

/* End the connection for that reason. Returns RUN_CLOSE. */
enum run imap_close(struct imap *imap, enum close_reason reason);

/*
 * What to do about the answer of a store operation.
 * Returns RUN_DONE: it is done, or failed: *r says (a lock that is held for too long has become -EBUSY);
 *         RUN_STEP, RUN_RETRY: return this from run, and call the operation again then.
 */
enum run imap_wait(struct imap *imap, int *r);

/* Whether the output is full: return RUN_OUTPUT, unless half a response must be completed first. */
bool imap_output_full(const struct imap *imap);

/* Take one unit of work. Returns false when the budget is used up: return RUN_STEP. */
bool imap_spend(struct imap *imap);

/* Set bits of enum imap_enabled, and those that they imply. */
void connection_enable(struct imap *imap, unsigned enabled);

/* Tell what became visible of the selected mailbox since *enabled was before: HIGHESTMODSEQ. RFC 7162 section 3.1.2. */
void connection_tell_enabled(struct imap *imap, unsigned before);

/*
 * Call it when a command that enables CONDSTORE begins to run (RFC 7162 section 3.1: STATUS HIGHESTMODSEQ, FETCH MODSEQ, FETCH
 * CHANGEDSINCE, STORE UNCHANGEDSINCE, SEARCH MODSEQ): the first time, HIGHESTMODSEQ of the selected mailbox is told.
 */
void connection_enable_condstore(struct imap *imap);

/*
 * Whether responses of FETCH that the client did not ask for carry UID (RFC 9051 section 7.5.2; 7162 section 3.2.4), or
 * MODSEQ.
 */
bool connection_tells_uid(const struct imap *imap);
bool connection_tells_modseq(const struct imap *imap);

/* Whether \Recent is told with a message: IMAP4rev2 knows it no more (RFC 9051 appendix E). */
bool connection_is_recent(const struct imap *imap, uint32_t msg_uid);

/* Begin a FETCH response: "* n FETCH (", or "* uid UIDFETCH (" (RFC 9586 section 3.3). */
void connection_write_fetch(struct imap *imap, uint32_t seqnum, uint32_t msg_uid);

/* Append "MODSEQ (n)", and keep in mind that the client saw it. */
void connection_write_modseq(struct imap *imap, uint64_t modseq);

/*
 * What the client may take for its last known modseq goes with the tagged response, where it is not what it
 * would conclude itself: messages were expunged, or MODSEQ was told of a message while earlier expunges are held back.
 * Call it when the command is completed. RFC 7162 sections 3.2, 3.2.7, 6.
 */
void connection_complete_modseq(struct imap *imap);

/* How far the command under way has come: INPROGRESS tells it, if it takes long. */
void connection_progress(struct imap *imap, uint64_t done, uint64_t goal);

/*
 * Keep the highest messages only where a set names more than one command may work on (RFC 9738 section 3.1). The tagged
 * response will say so.
 * Returns whether it did.
 */
bool connection_limit(struct imap *imap, struct seq_ranges *seqnums);

/* MESSAGELIMIT goes with the tagged response, or before it. Call it when the command is completed. */
void connection_complete_limit(struct imap *imap);

/*
 * The name of a mailbox that there is: name itself, or its Normalization Form C where no mailbox has it as it stands
 * (RFC 9051 section 5.1). In the arena.
 */
struct slice connection_name(struct imap *imap, struct slice name);

/*
 * Whether a mailbox may be made under that name; *ret_name is its Normalization Form C, in the arena. RFC 5198 section 2; 6855
 * section 3.
 */
bool connection_new_name(struct imap *imap, struct slice name, struct slice *ret_name);

/*
 * Tell that a name that was given is not the one that is used: LIST with OLDNAME, to clients of IMAP4rev2. Nothing where both
 * are the same. RFC 9051 section 6.3.9.7.
 */
void connection_tell_name(
	struct imap *imap, const char *attributes, struct slice given, struct slice used);

/* Leave the mailbox: close view, file and mailbox. The state is authenticated then. */
void imap_deselect(struct imap *imap);

/*
 * The sequence numbers that a set of sequence numbers or (by_uid) UIDs names in the view, ascending.
 * "$" is the saved search result in both forms.
 * Returns PARSE_OK; PARSE_BAD: a sequence number beyond EXISTS, or "*" in an empty mailbox (RFC 9051 section 9,
 * seq-number). UIDs that do not exist are left out.
 */
_must_check_ enum parse imap_seqnums(
	struct imap *imap, struct slice set, bool by_uid, struct seq_ranges *ret_seqnums);

/* What "*" stands for among UIDs: the highest there is; in an empty mailbox it names nothing. */
uint32_t imap_uid_star(const struct imap *imap);

/* What "$" stands for from now on: a copy of UIDs, of the selected mailbox. NULL: nothing. */
void imap_save_result(struct imap *imap, const struct seq_ranges *uids);

/* The UIDs of sequence numbers, ascending, in the arena; *ret_n of them. Messages that are expunged are left out. */
uint32_t *imap_uids(struct imap *imap, const struct seq_ranges *seqnums, size_t *ret_n);
