/* html_text.h - the text of HTML as its reader sees it, near enough to search and to preview it. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Tags and comments go; what script, style, title and the like hold goes with them; entities become characters (one
 * that is not known stays as it is); a tag that begins a block or a cell becomes a line end or a blank, any other
 * leaves no gap ("<b>a</b>b" is "ab"). Blanks and line ends of the source stay. Any input has an outcome; "<" that begins no tag is
 * text.
 *
 * Input is UTF-8 (after text_decoder_feed()), in pieces of any size, also cut inside a character; output is UTF-8 if
 * the input is.
 */
enum { HTML_TEXT_HELD_BYTES = 32, HTML_TEXT_NAME_BYTES = 15 };

enum html_text_state {
	HTML_TEXT_PLAIN,
	HTML_TEXT_ENTITY, /* behind "&" */
	HTML_TEXT_OPEN,   /* behind "<" */
	HTML_TEXT_TAG_NAME,
	HTML_TEXT_TAG,           /* behind the name, to ">" */
	HTML_TEXT_QUOTED,        /* in an attribute's value */
	HTML_TEXT_DECLARATION,   /* <!DOCTYPE ...>, <?xml ...> */
	HTML_TEXT_COMMENT_START, /* behind "<!-" */
	HTML_TEXT_COMMENT,       /* to "-->" */
};

/* Start with all zeros but skip_quoted. Nothing is to be released. */
struct html_text {
	bool skip_quoted; /* leave out what blockquote holds: for previews */

	enum html_text_state state;
	bool closing;   /* of a tag */
	char quote;     /* that ends the value; '=': one may begin */
	uint8_t dashes; /* of a comment's end */
	uint8_t name_n, held_n;
	char name[HTML_TEXT_NAME_BYTES]; /* lower case; longer ones are cut */
	char held[HTML_TEXT_NAME_BYTES]; /* an entity under way, without its & */
	uint8_t hidden;  /* which element's content is left out: 1 + row of the table; 0: none */
	uint32_t quoted; /* blockquotes open */
};

/*
 * Take the next bytes and append their text to out.
 * Returns 0; -ENOBUFS: out has less than in.n + HTML_TEXT_HELD_BYTES of room, nothing was done.
 */
_must_check_ int html_text_feed(struct html_text *html, struct slice in, struct buf *out);

/* Say that it has ended; what was held back is text. Returns 0 or -ENOBUFS (HTML_TEXT_HELD_BYTES are enough). */
_must_check_ int html_text_finish(struct html_text *html, struct buf *out);
