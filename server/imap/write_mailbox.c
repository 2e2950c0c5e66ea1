#include "server/imap/write_mailbox.h"

#include "base/limits.h"
#include "base/must.h"
#include "base/mutf7.h"

enum { ENCODED_BYTES_PER_BYTE = 5 }; /* "&AAE-" for U+0001 */

void write_mailbox(struct writer *w, struct slice name)
{
	_cleanup_buf_ struct buf encoded = BUF(ENCODED_BYTES_PER_BYTE * LIMIT_PATH_BYTES);

	if (w->utf8) {
		write_astring(w, name);
		return;
	}
	must(mutf7_encode(name, &encoded) == 0);
	write_astring(w, buf_slice(&encoded));
}
