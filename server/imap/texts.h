/* texts.h - the human-readable half of responses, in each language offered. Pure. RFC 5255 section 3. */
#pragma once

#include "server/wire/language.h"
#include "server/wire/writer.h"

/*
 * A text as it stands in the code, in English, in another language: UTF-8, with the same response code in front, if any. What has no
 * translation stays as it is: it is about syntax, for those who write mail programs.
 */
const char *imap_text(enum language language, const char *english);

/* Append "NAME completed". */
void imap_write_completed(struct writer *w, enum language language, const char *command);

/* The n-th text that has a translation, for tests; NULL behind the last. */
const char *imap_text_row(size_t n);
