/* tls_name.h - which [tls NAME] section serves the name a client asks for by SNI. Pure. RFC 6066 section 3. */
#pragma once

#include "base/slice.h"

/*
 * Find the section for a host name: the exact name first, then "*.rest" for a name of one more label than rest.
 * names    of the sections, lower case; "" (the default section) matches nothing.
 * Returns  its index; 0, the default section, if no name matches.
 */
size_t tls_name_find(const struct slice *names, size_t n, struct slice host);
