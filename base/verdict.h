/* verdict.h - what a login came to; each front maps it to a response code. Pure. */
#pragma once

enum verdict {
	VERDICT_OK,
	VERDICT_AUTHENTICATION_FAILED, /* wrong password or unknown user: IMAP [AUTHENTICATIONFAILED], POP3 [AUTH] */
	VERDICT_EXPIRED,               /* password or account expired: IMAP [EXPIRED], POP3 [AUTH] */
	VERDICT_AUTHORIZATION_FAILED,  /* known, but not allowed in: IMAP [AUTHORIZATIONFAILED], POP3 [SYS/PERM] */
	VERDICT_UNAVAILABLE,           /* a temporary fault of ours: IMAP [UNAVAILABLE], POP3 [SYS/TEMP] */
	VERDICT_REFUSED,               /* too many failures before: IMAP [UNAVAILABLE], POP3 [SYS/TEMP] */
	VERDICT_IN_USE,                /* the maildrop is locked: POP3 [IN-USE] */
	VERDICT_LIMIT,                 /* too many connections of this user: IMAP [LIMIT], POP3 [IN-USE] */
	VERDICT_COUNT,
};
