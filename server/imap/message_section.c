#include "server/imap/message_section.h"

#include <errno.h>

/* Of the message itself: no structure is needed for it. */
static void stretch_of_message(
	const struct message_file *file, enum section_kind kind, struct stretch *ret_stretch)
{
	struct stretch all = {
		.offset = 0, .end = reader_file_size(file->reader), .octets = file->octets
	};

	if (kind == SECTION_HEADER) {
		all.end = file->header_end;
		all.octets = file->header_octets;
	} else if (kind == SECTION_TEXT) {
		all.offset = file->header_end;
		all.octets -= file->header_octets;
	}
	*ret_stretch = all;
}

bool message_section_stretch(
	const struct message_file *file, const struct section *section, struct stretch *ret_stretch)
{
	if (section->n > 0)
		return section_stretch(
			file->root, section->numbers, section->n, section->kind, ret_stretch);
	stretch_of_message(file, section->kind, ret_stretch);
	return true;
}

int message_section_find(struct message_file *file, const struct section *section,
	struct work *work, struct stretch *ret_stretch)
{
	int r = 0;

	if (section->n > 0)
		r = message_file_structure(file, work);
	else if (section->kind != SECTION_ALL)
		r = message_file_header(file, work);
	if (r == 0 && section->n == 0 && section->kind != SECTION_HEADER)
		r = message_file_octets(file, work);
	if (r < 0)
		return r;
	return message_section_stretch(file, section, ret_stretch) ? 0 : -ENOENT;
}
