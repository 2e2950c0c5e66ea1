/* parse.h - what every grammar function answers. */
#pragma once

enum parse {
	PARSE_OK,   /* a value was taken, the input moved past it */
	PARSE_MORE, /* right so far, the rest has not come yet (framing only) */
	PARSE_BAD,  /* not the grammar; the input was not moved */
};
