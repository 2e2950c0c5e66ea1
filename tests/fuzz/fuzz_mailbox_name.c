/* Names of mailboxes and directories: what is taken leads back to itself. */
#include "base/must.h"
#include "maildir/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_directory(struct slice directory, char separator)
{
	_cleanup_buf_ struct buf name = BUF(4096);
	char again[NAME_DIRECTORY_BYTES];

	if (name_from_directory(directory, separator, &name) < 0)
		return;
	must(name_to_directory(buf_slice(&name), separator, again) == 0);
	must(slice_equal(slice_str(again), directory));
}

static void check_name(struct slice name, char separator)
{
	_cleanup_buf_ struct buf again = BUF(4096);
	char directory[NAME_DIRECTORY_BYTES];

	(void)!name_check_new(name, separator);
	if (name_to_directory(name, separator, directory) < 0)
		return;
	must(directory[0] == '.' && slice_find(slice_str(directory), '/') < 0 &&
		strcmp(directory, "..") != 0);
	must(name_from_directory(slice_str(directory), separator, &again) == 0);
	must(slice_equal(buf_slice(&again), name) ||
		slice_starts_with_nocase(name, SLICE("INBOX")));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice text = slice_from(bytes, n);

	check_directory(text, '/');
	check_directory(text, '.');
	check_name(text, '/');
	check_name(text, '.');
	return 0;
}
