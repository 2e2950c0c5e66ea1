/* texts.h - the human-readable halves of POP3 replies, in each language offered. Pure. */
#pragma once

#include "base/slice.h"

enum pop3_language { POP3_ENGLISH, POP3_JAPANESE, POP3_LANGUAGE_COUNT };

enum pop3_text {
	TEXT_CAPABILITIES,
	TEXT_LISTING, /* after the number of messages */
	TEXT_MESSAGE, /* after the number of octets */
	TEXT_TOP,
	TEXT_DELETED,
	TEXT_ALREADY_DELETED,
	TEXT_NO_SUCH_MESSAGE,
	TEXT_GONE,
	TEXT_UNREADABLE,
	TEXT_NOOP,
	TEXT_RESET,
	TEXT_LANGUAGES,
	TEXT_LANGUAGE_CHANGED,
	TEXT_LANGUAGE_UNKNOWN,
	TEXT_UTF8,
	TEXT_SIGNING_OFF,
	TEXT_NOT_ALL_REMOVED,
	TEXT_UNKNOWN_COMMAND,
	TEXT_BAD_ARGUMENTS,
	TEXT_ALREADY_LOGGED_IN,
	TEXT_LINE_TOO_LONG,
	TEXT_TOO_MANY_ERRORS,
	TEXT_MAILDROP_FAULT,
	TEXT_SHUTDOWN,
	TEXT_KICKED,
	TEXT_COUNT,
};

/* A text, in UTF-8 (in English: ASCII). Never begins with "[", which would be a response code (RFC 2449 section 8). */
const char *pop3_text(enum pop3_language language, enum pop3_text text);

/* The language tag, "en", and the language's name in itself. */
const char *pop3_language_tag(enum pop3_language language);
const char *pop3_language_name(enum pop3_language language);

/*
 * Find a language by a basic language range: "ja" and "ja-JP" are Japanese, "*" is English.
 * Returns false if none matches. RFC 4647 section 3.4 (lookup).
 */
bool pop3_language_find(struct slice range, enum pop3_language *ret_language);
