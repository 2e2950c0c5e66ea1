/* reader.h - reads one message in steps: its MIME tree, and any stretch of it with CRLF line ends. */
#pragma once

#include "base/buf.h"
#include "maildir/mailbox.h"
#include "maildir/message/mime.h"

/*
 * The file is read, never mapped: another process may truncate it. All offsets are in the file; all octets are
 * counted with CRLF line ends. A bare LF becomes CRLF, CRLF stays, a CR elsewhere stays; NUL becomes 0x80 where
 * the caller asks for it (IMAP literals cannot carry NUL: RFC 9051 section 4.3).
 */
struct reader;

/* Open. Returns 0; -ENOENT: the message is gone; -errno. */
_must_check_ int reader_open(struct mailbox *mailbox, uint32_t msg_uid, struct reader **ret_reader);
void reader_close(struct reader *reader);

uint64_t reader_file_size(const struct reader *reader);

/* The file's mtime when it was opened: INTERNALDATE, seconds since 1970. */
int64_t reader_internaldate(const struct reader *reader);

/*
 * Parse the message, once; the tree is the reader's and lives as long as it.
 * Returns 0; -EINPROGRESS: call again with a fresh budget; -errno.
 */
_must_check_ int reader_structure(struct reader *reader, struct work *work, const struct mime_part **ret_root);

/*
 * Append the raw header, with its empty line, to out; all of the file if it has none.
 * Returns 0; -EFBIG: it is longer than max_bytes, some of it was appended; -ESTALE, -ENOBUFS, -errno as reader_read().
 */
_must_check_ int reader_header(struct reader *reader, size_t max_bytes, struct buf *out);

/* A stretch to send. Set first, last, skip and left; the rest is the reader's. */
struct reader_range {
	uint64_t offset;      /* where the stretch begins in the file; moves on */
	uint64_t end;         /* where it ends in the file */
	uint64_t skip_octets; /* of the converted stretch, not to be sent (a partial's start); counts down */
	uint64_t left_octets; /* to be sent at most; counts down; 0: done. The caller has promised them to the client */
	bool last_was_cr;     /* start with false */
	bool replace_nul;
};

/*
 * Append converted bytes of a range to out, until the range is done, out holds high_water bytes or the budget is used up.
 * Returns 0: done (left_octets is 0, or the stretch ended); -EINPROGRESS: call again;
 *         -ESTALE: the file shrank: what was promised cannot be sent, the connection must be closed; -errno.
 */
_must_check_ int reader_send(struct reader *reader, struct reader_range *range, struct buf *out, size_t high_water, struct work *work);

/*
 * Append raw bytes of the file (no conversion) to out, at most bytes of them: for header fields and text to search.
 * Returns 0; -ESTALE: the file is shorter; -ENOBUFS; -errno.
 */
_must_check_ int reader_read(struct reader *reader, uint64_t offset, size_t bytes, struct buf *out);
