/* preview.h - the beginning of a message's text, for a list of messages. Pure but for libc's converters. */
#pragma once

#include "maildir/message/mime.h"

enum {
	PREVIEW_CHARACTERS = 256, /* RFC 8970 section 3.1: at most */
	PREVIEW_TEXT_BYTES = 4 * PREVIEW_CHARACTERS,
	PREVIEW_INPUT_BYTES = 512 * 1024, /* of the part; style sheets in front may be long */
};

/*
 * The parts whose text may be shown: text/plain and text/html that are no attachments, not inside of an
 * embedded message. One after the other, until one has text.
 * Returns the first behind after (NULL: the first of all); NULL: there is none.
 */
const struct mime_part *preview_part(const struct mime_part *root, const struct mime_part *after);

/*
 * Taking the preview from a part's body. Transfer encoding, charset and HTML are undone; lines quoted from another
 * message (">"), the line that introduces them, what follows the signature's dashes and rules of "-----" are left out,
 * unless nothing else is there; every run of blanks and line ends is one blank; control characters are none.
 */
struct preview;
struct preview *preview_new(const struct mime_part *part);
void preview_free(struct preview *preview);

/* Take the next bytes of the body, as in the file. Returns whether that is enough: no more need be fed. */
bool preview_feed(struct preview *preview, struct slice in);

/*
 * Say that no more comes.
 * Returns the text: UTF-8, at most PREVIEW_CHARACTERS, without blanks at the ends; perhaps empty.
 * Valid   until preview_free().
 */
struct slice preview_finish(struct preview *preview);
