/* prelogin_pop3.h - POP3 in its AUTHORIZATION state. Pure. RFC 1939 section 4; RFC 2449, 2595, 3206, 5034, 6856. */
#pragma once

#include "server/front/prelogin.h"

/*
 * CAPA STLS USER PASS AUTH UTF8 LANG QUIT; APOP is never offered. AUTH knows PLAIN; without an argument it lists
 * the mechanisms, as clients from before RFC 5034 expect. UTF8 is granted: messages are always sent as they are.
 */
extern const struct prelogin_protocol prelogin_pop3;
