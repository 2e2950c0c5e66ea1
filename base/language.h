/* language.h - the languages that a person may be spoken to in. Pure. */
#pragma once

enum language { LANGUAGE_ENGLISH, LANGUAGE_JAPANESE, LANGUAGE_COUNT };
