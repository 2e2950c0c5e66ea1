/* message_file.h - the message a connection reads: its file, header, octets and structure, each found out once, in steps. */
#pragma once

#include "maildir/message/section.h"
#include "maildir/reader.h"
#include "server/imap/binary_part.h"

enum { MESSAGE_FILE_BINARIES = 16 };

/*
 * The last message stays open: clients ask for the structure, then for one part after the other. All zeros is
 * a valid empty one; release it with message_file_close().
 */
struct message_file {
	struct mailbox *mailbox;
	uint32_t msg_uid;
	struct reader *reader; /* NULL: none is open */

	struct buf header; /* raw; at most LIMIT_HEADER_BYTES of it */
	size_t scanned;    /* of header: no empty line ends in it */
	bool has_header;
	uint64_t header_end; /* where the body begins in the file */
	uint64_t header_octets;

	bool has_octets;
	uint64_t counted; /* bytes of the file */
	uint64_t octets;  /* of the whole message */
	bool last_was_cr;

	const struct mime_part *root;

	struct binary_part binary;                           /* the part decoded last */
	struct binary_facts binaries[MESSAGE_FILE_BINARIES]; /* what decoding told of parts */
	size_t binaries_n; /* counts on: the oldest is replaced */
};

/* Open a message, or keep it if it is the one that is open. Returns 0; -ENOENT: it is gone; -errno. */
_must_check_ int message_file_open(
	struct message_file *file, struct mailbox *mailbox, uint32_t msg_uid);
void message_file_close(struct message_file *file);

/*
 * Find out, unless it is known: the header (header, header_end, header_octets), the octets of all, the MIME tree (root).
 * Return 0; -EINPROGRESS: the budget is used up; -ESTALE: the file shrank; -errno.
 */
_must_check_ int message_file_header(struct message_file *file, struct work *work);
_must_check_ int message_file_octets(struct message_file *file, struct work *work);
_must_check_ int message_file_structure(struct message_file *file, struct work *work);

/*
 * Find out the facts of a part, decoding it at most once; the structure is known by now.
 * Returns 0; -EOPNOTSUPP as binary_part_find(); else as the others.
 */
_must_check_ int message_file_binary(struct message_file *file, const uint32_t *numbers, size_t n,
	struct work *work, struct binary_facts *ret_facts);

/*
 * Append raw bytes of a stretch of the file, at most max_bytes of them, whatever the budget (it is charged).
 * Returns 0; -ESTALE; -errno.
 */
_must_check_ int message_file_read(struct message_file *file, uint64_t offset, uint64_t end,
	size_t max_bytes, struct buf *out, struct work *work);
