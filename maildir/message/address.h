/* address.h - mail addresses of a header field, as RFC 5322 has them and as they are found broken. Pure. */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

/*
 * One step of an address list. A group is a MAIL_GROUP_START, its addresses, and a MAIL_GROUP_END.
 * Slices are decoded from quoting and folding, never from encoded words; p is NULL where there is nothing.
 */
enum mail_address_kind { MAIL_ADDRESS, MAIL_GROUP_START, MAIL_GROUP_END };

struct mail_address {
	enum mail_address_kind kind;
	bool broken;          /* not the syntax; what could be made out is there */
	struct slice name;    /* the display name; of an address without one, the comment after it */
	struct slice route;   /* "@a,@b" of an obsolete source route */
	struct slice mailbox; /* the local part; of MAIL_GROUP_START the group's name */
	struct slice domain;  /* without the @; with the brackets of a domain literal */
	struct mail_address *next;
};

/*
 * Take apart the value of a From, To, ... field, folded or not.
 *
 * Returns  the first address, NULL if there is none. Any input has an outcome: what is no address is left out or
 *          marked broken, and the list goes on behind the next comma.
 * Owns     all of it is in the arena.
 * Limits   LIMIT_ADDRESSES: what follows is not looked at. Comments nest to any depth.
 * RFC      5322 sections 3.4 and 4.4; 8-bit bytes pass (RFC 6532).
 */
struct mail_address *mail_address_parse(struct slice value, struct arena *arena);
