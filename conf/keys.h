/* keys.h - the table of every section and key of restante.conf. Pure. */
#pragma once

#include "conf/conf.h"

enum conf_type {
	CONF_STRING,    /* const char * */
	CONF_LIST,      /* struct conf_list, each value checked */
	CONF_ADDRESSES, /* struct conf_listen */
	CONF_NUMBER,    /* unsigned */
	CONF_DURATION,  /* uint64_t microseconds */
	CONF_SIZE,      /* uint64_t bytes */
	CONF_BOOL,      /* bool */
	CONF_CHOICE,    /* unsigned or an enum: one of the choices' values */
	CONF_CHAR,      /* char: one of the choices' values */
};

struct conf_choice {
	const char *word; /* NULL ends the list */
	unsigned value;
};

struct conf_key {
	const char *section, *name;
	enum conf_type type;
	size_t offset;             /* in struct conf; for per_tls keys in struct conf_tls */
	const char *standard;      /* the default, written as in the file; NULL: none */
	uint64_t min, max;         /* numbers; durations in microseconds; strings: 1 forbids the empty one */
	const struct conf_choice *choices;
	const char *(*wrong)(struct slice value); /* of strings: NULL, or what is wrong and what to do */
	const char *doc;           /* one line */
	bool per_tls;              /* may stand in every [tls NAME] */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_n_keys;

/* The sections, in the order in which they are documented. */
extern const char *const conf_sections[];
extern const size_t conf_n_sections;

/* Find a key of a section; NULL if there is none. */
const struct conf_key *conf_key_find(struct slice section, struct slice name);

/* Find the key that name is most likely a slip of: in section, else (of exactly that name) in any other. NULL if none is near. */
const struct conf_key *conf_key_nearest(struct slice section, struct slice name);

/* Find a section; NULL if there is none. */
const char *conf_section_find(struct slice name);

/* Find the section that name is most likely a slip of; NULL if none is near. */
const char *conf_section_nearest(struct slice name);
