/* text.h - the text of header fields and parts as UTF-8, and finding words in it: SEARCH. Pure but for libc's converters. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"
#include "maildir/message/mime.h"

/* Append the text of a raw header field value: rfc2047_decode(). Returns 0 or -ENOBUFS. */
_must_check_ int text_header(struct slice value, struct buf *out);

/* What is looked for, prepared once for many messages. */
struct text_needle {
	struct buf folded;
};

/* Prepare UTF-8 text (a SEARCH argument after its charset). An empty one is found everywhere. Returns 0; -ENOBUFS: too long. */
_must_check_ int text_needle_init(struct text_needle *needle, struct slice utf8);
void text_needle_done(struct text_needle *needle);

/* Whether UTF-8 text holds the needle, by casemap.h. */
bool text_contains(struct slice utf8, const struct text_needle *needle);

/* Whether the decoded value of a raw header field holds the needle. */
bool text_header_contains(struct slice value, const struct text_needle *needle);

/*
 * The body of one part on its way through transfer encoding and charset to UTF-8, resumable at any byte. Input is as
 * in the file or with CRLF, output keeps its line ends.
 */
struct text_decoder;
struct text_decoder *text_decoder_new(const struct mime_part *part);
void text_decoder_free(struct text_decoder *decoder);
/* Return 0; -ENOBUFS: out has less than TEXT_GROWTH * in.n + CHARSET_HELD_BYTES of room, and text is lost. */
enum { TEXT_GROWTH = 4 };
_must_check_ int text_decoder_feed(struct text_decoder *decoder, struct slice in, struct buf *out);
_must_check_ int text_decoder_finish(struct text_decoder *decoder, struct buf *out);

/*
 * Looking for one needle in a body that comes in pieces. Little more is held than the needle is long.
 * Both arguments of text_search_new() are borrowed until text_search_free().
 */
struct text_search;
struct text_search *text_search_new(struct text_decoder *decoder, const struct text_needle *needle);
void text_search_free(struct text_search *search);

/* Say, before the first bytes, that they are HTML: what its reader does not see is not looked at (html_text.h). */
void text_search_html(struct text_search *search);

/* Look through the next bytes. Returns whether the needle was found, now or before. */
bool text_search_feed(struct text_search *search, struct slice in);
/* Say that the part has ended. Returns whether the needle was found. */
bool text_search_finish(struct text_search *search);
