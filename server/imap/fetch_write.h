/* fetch_write.h - writes the response to one message of a FETCH, item after item, in steps. */
#pragma once

#include "maildir/objectid.h"
#include "maildir/reader.h"
#include "server/imap/binary_part.h"
#include "server/imap/fetch_card.h"
#include "server/imap/command.h"

/* What is being written. All zeros at the start of a message but text, binaries and card.bytes, which are kept. */
struct fetch_write {
	uint32_t seqnum, msg_uid;
	bool seen_set;        /* \Seen came with this FETCH: FLAGS are told even if not asked for */
	uint64_t rfc822_size; /* where an item asks for it */
	int64_t internaldate;
	struct fetch_card card;

	struct message message; /* as it was when the response was begun: FLAGS and MODSEQ belong together */
	bool begun;
	size_t item;  /* the next one */
	bool sending; /* range is under way */
	struct reader_range range;
	struct binary_facts *binaries; /* of each item, where one is BINARY or BINARY.SIZE */
	size_t binaries_n;             /* items looked at */
	bool sending_binary;           /* of the item before the next one */
	struct binary_range binary_range;
	struct buf text; /* scratch: chosen header fields */
};

/* What the items of a FETCH need to know of a message before its response is begun. */
enum fetch_need {
	NEED_FILE = 1 << 0,
	NEED_HEADER = 1 << 1,
	NEED_OCTETS = 1 << 2,
	NEED_STRUCTURE = 1 << 3,
	NEED_SIZE = 1 << 4,
	NEED_DATE = 1 << 5,
	NEED_SEEN = 1 << 6,   /* \Seen is to be set */
	NEED_MODSEQ = 1 << 7, /* MODSEQ is told: CONDSTORE is enabled by that */
	NEED_CARD = 1 << 8, /* what the header says */
	NEED_WHOLE_CARD = 1 << 12,
	NEED_PREVIEW = 1 << 9,
	NEED_PREVIEW_KNOWN = 1 << 10, /* only if it is known */
	NEED_EMAILID = 1 << 11,
	NEED_BINARY = 1 << 13, /* what parts are once they are decoded */
};
unsigned fetch_needs(const struct fetch_arguments *arguments);

/* What they need beside a card that was found, because it is not on it. */
unsigned fetch_needs_beyond(
	const struct fetch_arguments *arguments, const struct fetch_card *card);

/*
 * Find out what the parts are that BINARY and BINARY.SIZE ask for. Structure and file are known by now.
 * Returns as message_file_binary().
 */
_must_check_ int fetch_find_binaries(struct imap *imap, struct fetch_write *write);

/*
 * Write the whole response, or go on with it. What fetch_needs() says is known by now.
 * Returns RUN_DONE: it is written; RUN_STEP, RUN_OUTPUT; RUN_CLOSE: the file did not hold what was promised.
 */
enum run fetch_write(struct imap *imap, struct fetch_write *write);
