#include "server/imap/binary_kept.h"

static bool loses(const struct mime_part *part)
{
	bool is_binary = slice_equal_nocase(slice_trim(part->encoding), SLICE("binary"));

	return is_binary && !part->children &&
	       part->body_octets != part->end_offset - part->body_offset;
}

/* The one that follows in the tree, from above. */
static const struct mime_part *next_part(const struct mime_part *part)
{
	if (part->children)
		return part->children;
	while (part && !part->next)
		part = part->parent;
	return part ? part->next : NULL;
}

bool binary_is_kept(const struct mime_part *root)
{
	for (const struct mime_part *part = root; part; part = next_part(part))
		if (loses(part))
			return false;
	return true;
}
