/* search_body.h - looks for one text in the parts of one message, in steps. */
#pragma once

#include "maildir/message/text.h"
#include "server/imap/message_file.h"

/*
 * Text parts are looked at as their reader sees them: transfer encoding and charset undone, HTML without its tags. Embedded messages belong
 * to the body with their headers. What is neither text nor message is left out.
 */
struct search_body {
	uint32_t msg_uid;             /* which message; 0: none is under way */
	const struct mime_part *part; /* the part that is looked at */
	bool header_done;
	uint64_t offset; /* in its body */
	struct text_decoder *decoder;
	struct text_search *search; /* NULL: its body was not begun */
};

struct search_body_wants {
	const struct text_needle *needle;
	bool headers;     /* in all headers too: TEXT; else BODY */
	struct buf *text; /* scratch for one header: LIMIT_HEADER_BYTES */
};

/*
 * Look through the message that file has open and whose structure is known; begins anew when it is another one.
 * Returns 0: *ret_found is set; -EINPROGRESS: call again; -errno.
 */
_must_check_ int search_body_run(struct search_body *body, struct message_file *file,
	const struct search_body_wants *wants, struct work *work, bool *ret_found);

/* Release what is under way. */
void search_body_done(struct search_body *body);
