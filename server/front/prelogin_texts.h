/* prelogin_texts.h - what a person may see before login, in each language offered. Pure. RFC 5255 section 3. */
#pragma once

#include "base/language.h"

/* A text as it stands in the code, in English, in another language; itself where it has no translation: it is about syntax. */
const char *prelogin_text(enum language language, const char *english);
