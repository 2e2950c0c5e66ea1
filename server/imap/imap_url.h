/* imap_url.h - IMAP URLs that name a message or a part of one, as CATENATE takes them. Pure. */
#pragma once

#include "server/imap/grammar_fetch.h"

struct imap_url {
	struct slice mailbox; /* UTF-8, in the arena */
	uint32_t uidvalidity; /* 0: none was given */
	uint32_t msg_uid;
	struct section section; /* all zeros: the whole message */
	bool partial;
	uint64_t first_octet, octets; /* of a partial; octets is UINT64_MAX: to the end */
};

/*
 * "/" enc-mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number ["/;SECTION=" enc-section]
 * ["/;PARTIAL=" number ["." nz-number]], in any case, and nothing behind.
 * Returns PARSE_OK; PARSE_BAD: it is no such URL. Those of other servers and users ("imap:", "//"), of searches, with
 *         ;URLAUTH=, and relative paths (RFC 5092 section 7.2) are none.
 * Limits  the URL's length is the caller's to bound.
 * RFC     5092 sections 6, 7.1, 8, 11; 4469 section 3; 5550 section 5.7.1.
 */
_must_check_ enum parse imap_url_parse(
	struct slice url, struct arena *arena, struct imap_url *ret_url);
