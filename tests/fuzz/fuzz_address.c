/* fuzz_address.c - address lists: groups open and close in turn, within the limit. */
#include "base/limits.h"
#include "base/must.h"
#include "maildir/message/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_arena_ struct arena arena = { 0 };
	bool in_group = false;
	unsigned count = 0;

	for (struct mail_address *a = mail_address_parse(slice_from(bytes, n), &arena); a; a = a->next) {
		must(a->kind != MAIL_GROUP_START || !in_group);
		must(a->kind != MAIL_GROUP_END || in_group);
		must(a->kind != MAIL_GROUP_START || a->mailbox.p);
		if (a->kind != MAIL_ADDRESS)
			in_group = a->kind == MAIL_GROUP_START;
		count++;
	}
	must(!in_group && count <= LIMIT_ADDRESSES + 1);
	return 0;
}
