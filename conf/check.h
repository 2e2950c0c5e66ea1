/* check.h - what must hold between the settings, once all have been read. Pure. */
#pragma once

#include "conf/keys.h"

/* Where settings stood, for messages. */
struct conf_places {
	const unsigned *key_lines;  /* for every key of conf_keys (of per_tls ones, of [tls]); 0: not set */
	bool has_tls;               /* whether there was a [tls] */
	bool tls_was_bad[CONF_TLS_MAX]; /* a certificate or private key there was not understood: already told */
};

/* Add a problem for every rule that is broken. */
void conf_check(const struct conf *conf, const struct conf_places *places, struct conf_problems *problems);
