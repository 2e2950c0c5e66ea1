#include "base/checksum.h"
#include "maildir/index.h"

/*
 * INDEX_MAILBOXES, mailbox 0: key is a number, the value the GUID that has it. The number is a hash of the GUID, or one
 * of the next where that is taken: not a count, so that a record lost does not give a number to a second mailbox.
 */
enum { PROBES = 8 };

static uint32_t number_of(struct slice guid, uint32_t probe)
{
	uint32_t number = (uint32_t)checksum(0, guid) + probe;

	return number ? number : PROBES;
}

uint32_t index_mailbox(struct index *index, struct slice guid, bool make)
{
	struct slice value;

	if (!index_works(index) || guid.n != INDEX_GUID_CHARS)
		return 0;
	for (uint32_t probe = 0; probe < PROBES; probe++) {
		uint32_t number = number_of(guid, probe);

		if (index_get(index, INDEX_MAILBOXES, 0, number, &value) == 0) {
			if (slice_equal(value, guid))
				return number;
			continue;
		}
		if (!make)
			return 0;
		index_put(index, INDEX_MAILBOXES, 0, number, guid);
		return index_works(index) ? number : 0;
	}
	return 0;
}
