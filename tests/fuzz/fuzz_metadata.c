/* fuzz_metadata.c - the text of restante-metadata: what was read is written, and read again, the same. */
#include "base/must.h"
#include "maildir/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_arena_ struct arena arena = { 0 };
	_cleanup_buf_ struct buf text = BUF(16 * 1024 * 1024), again = BUF(16 * 1024 * 1024);
	struct metadata metadata;

	if (!metadata_parse(slice_from(bytes, n), &arena, &metadata))
		return 0;
	must(metadata.n <= LIMIT_METADATA_ENTRIES);
	for (size_t i = 0; i < metadata.n; i++) {
		must(metadata_name_is_valid(metadata.entries[i].name));
		must(metadata_find(&metadata, metadata.entries[i].name) == &metadata.entries[i]);
	}
	must(metadata_format(&metadata, &text) == 0);
	must(metadata_parse(buf_slice(&text), &arena, &metadata));
	must(metadata_format(&metadata, &again) == 0);
	must(slice_equal(buf_slice(&text), buf_slice(&again)));
	return 0;
}
