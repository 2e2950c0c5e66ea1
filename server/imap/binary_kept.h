/* binary_kept.h - whether the store can keep a message octet for octet, where its parts say they are binary. Pure. */
#pragma once

#include "maildir/message/mime.h"

/*
 * A bare LF becomes CRLF in the store (maildir/message/crlf.h). In text that is a line end either way; a part whose
 * Content-Transfer-Encoding is binary would lose by it.
 * root     the message as it came
 * Returns  false: such a part has a bare LF in its body.
 * RFC      3516 section 4.4.
 */
bool binary_is_kept(const struct mime_part *root);
