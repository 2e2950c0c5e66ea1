/* nfc.h - Unicode Normalization Form C, and what Net-Unicode allows in a name. Pure. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"

enum { NFC_MAX_CHARACTERS = 4096 }; /* of the text, decomposed */

/*
 * Append valid UTF-8 in Normalization Form C (Unicode Standard Annex 15; RFC 5198 section 2).
 * Returns 0; -ENOBUFS: it is longer than out or NFC_MAX_CHARACTERS allow; out is as before then.
 */
_must_check_ int nfc_normalize(struct slice utf8, struct buf *out);

/*
 * Whether valid UTF-8 has a character that no mailbox name may have (RFC 6855 section 3): controls (C0, DEL, C1), line and
 * paragraph separator.
 */
bool nfc_has_forbidden(struct slice utf8);
