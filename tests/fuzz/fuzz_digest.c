/*
 * fuzz_digest.c - records of digests. The input as a record: whatever it is, what is read lies inside, and is the same
 * behind a record made of it. The input as header fields of two cards: what is found is what was put.
 */
#include "base/must.h"
#include "maildir/digest_format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_again(const struct digests *digests, uint32_t chunk)
{
	_cleanup_buf_ struct buf record = BUF(DIGESTS_MAX_BYTES);
	struct digests *again = calloc(1, sizeof *again);
	struct card a, b;

	must(again != NULL && digests_format(digests, &record) == 0);
	digests_begin(again, &digests->origin);
	must(digests_parse(again, buf_slice(&record), chunk) && again->n == digests->n);
	for (size_t i = 0; i < digests->n; i++) {
		digests_card(digests, i, &a);
		digests_card(again, i, &b);
		must(slice_equal(a.base_subject, b.base_subject) && slice_equal(a.to, b.to));
		must(slice_equal(a.fields, b.fields) && !a.fields.p == !b.fields.p);
		must(digests_place(digests, digests->entries[i].msg_uid) == i);
	}
	digests_done(again);
	free(again);
}

static void check_record(struct slice record)
{
	struct digests *digests = calloc(1, sizeof *digests);
	struct digests_origin origin = { 0 };

	must(digests != NULL);
	if (record.n >= 32)
		memcpy(&origin, record.p + 12, sizeof origin);
	digests_begin(digests, &origin);
	if (digests_parse(digests, record, 0))
		check_again(digests, 0);
	digests_done(digests);
	free(digests);
}

static void check_fields(struct slice fields)
{
	struct card card = { .fields = fields, .base_subject = slice_head(fields, 9) };
	struct digests *digests = calloc(1, sizeof *digests);

	must(digests != NULL);
	digests_begin(digests, &(struct digests_origin){ .uidvalidity = 1 });
	for (uint32_t msg_uid = 3; msg_uid > 0; msg_uid--)
		digests_put(digests, 255 + msg_uid % 2 + 1, msg_uid, &card);
	must(digests->n == 2 && digests->entries[0].msg_uid == 256 && digests->entries[1].hash == 1);
	digests_card(digests, 0, &card);
	must(slice_equal(card.base_subject, slice_head(fields, 9)));
	check_again(digests, 1);
	digests_done(digests);
	free(digests);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	check_record(slice_from(bytes, n));
	check_fields(slice_from(n > 0 ? (const char *)bytes : "", n));
	return 0;
}
