/* A whole uidlist, line by line; what is understood must be written so that it is understood the same. */
#include "base/must.h"
#include "maildir/uidlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_header(const struct uidlist_header *header)
{
	_cleanup_buf_ struct buf out = BUF(1 << 20);
	struct uidlist_header again;

	must(uidlist_format_header(header, &out) == 0);
	if (header->guid[0] == '\0')
		return; /* is never written without */
	must(uidlist_parse_header(slice_head(buf_slice(&out), out.n - 1), &again));
	must(again.version == 3 && again.uidvalidity == header->uidvalidity &&
		again.uidnext == header->uidnext);
	must(strcmp(again.guid, header->guid) == 0 && strcmp(again.others, header->others) == 0);
}

static void check_record(const struct uidlist_record *record)
{
	_cleanup_buf_ struct buf out = BUF(1 << 20), fields = BUF(1 << 20);
	struct uidlist_record again;
	struct slice value;

	must(uidlist_format_record(record, &out) == 0);
	must(uidlist_parse_record(3, slice_head(buf_slice(&out), out.n - 1), &again));
	must(again.msg_uid == record->msg_uid && slice_equal(again.fields, record->fields));
	must(slice_equal(again.base, record->base));
	must(uidlist_fields_with(record->fields, 'W', SLICE("7"), &fields) == 0);
	must(uidlist_field(buf_slice(&fields), 'W', &value) && slice_equal(value, SLICE("7")));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice text = slice_from(bytes, n), line;
	struct uidlist_header header = { .version = 3 };
	struct uidlist_record record;

	if (slice_split(&text, '\n', &line) && uidlist_parse_header(line, &header))
		check_header(&header);
	while (slice_split(&text, '\n', &line))
		if (uidlist_parse_record(header.version, line, &record) && header.version == 3)
			check_record(&record);
	return 0;
}
