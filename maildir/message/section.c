#include "maildir/message/section.h"

static const struct mime_part *child_of(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *child = part->children;

	while (child && --number > 0)
		child = child->next;
	return child;
}

/* Where one number leads from part, in place. Returns false if nowhere; *part may then have moved. */
static bool step(const struct mime_part **part, enum section_place *place, uint32_t number)
{
	bool in_message = *place == SECTION_MESSAGE;

	if (number == 0 || *place == SECTION_NO_BODY)
		return false;
	if (!in_message && (*part)->kind == MIME_MESSAGE) {
		*part = (*part)->children;
		in_message = true;
	}
	if ((*part)->kind == MIME_MULTIPART && (*part)->children) {
		*part = child_of(*part, number);
		*place = SECTION_PART;
		return *part != NULL;
	}
	*place = (*part)->kind == MIME_MULTIPART ? SECTION_NO_BODY : SECTION_ONLY_BODY;
	return number == 1 && (in_message || *place == SECTION_NO_BODY);
}

const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *numbers, size_t n,
	enum section_place *ret_place)
{
	const struct mime_part *part = root;
	enum section_place place = SECTION_MESSAGE;

	for (size_t i = 0; i < n; i++)
		if (!step(&part, &place, numbers[i]))
			return NULL;
	*ret_place = place;
	return part;
}

static struct stretch header_of(const struct mime_part *part)
{
	return (struct stretch){ part->header_offset, part->body_offset, part->header_octets,
		part->header_has_nul };
}

static struct stretch body_of(const struct mime_part *part)
{
	return (struct stretch){ part->body_offset, part->end_offset, part->body_octets,
		part->body_has_nul };
}

static struct stretch whole_of(const struct mime_part *part)
{
	return (struct stretch){ part->header_offset, part->end_offset, mime_octets(part),
		part->header_has_nul || part->body_has_nul };
}

/* Behind the last byte of a multipart that has no parts. */
static struct stretch nothing_of(const struct mime_part *part)
{
	return (struct stretch){ part->end_offset, part->end_offset, 0, false };
}

/* The message whose HEADER and TEXT there are at a place, or NULL. */
static const struct mime_part *message_at(const struct mime_part *part, enum section_place place)
{
	if (place == SECTION_MESSAGE)
		return part;
	return place != SECTION_NO_BODY && part->kind == MIME_MESSAGE ? part->children : NULL;
}

bool section_stretch(const struct mime_part *root, const uint32_t *numbers, size_t n,
	enum section_kind kind, struct stretch *ret_stretch)
{
	enum section_place place;
	const struct mime_part *part = mime_find(root, numbers, n, &place);
	const struct mime_part *message = part ? message_at(part, place) : NULL;

	if (!part)
		return false;
	switch (kind) {
	case SECTION_ALL:
		*ret_stretch = place == SECTION_MESSAGE ? whole_of(part) :
			place == SECTION_NO_BODY        ? nothing_of(part) :
							  body_of(part);
		return true;
	case SECTION_HEADER:
	case SECTION_TEXT:
		if (message)
			*ret_stretch = kind == SECTION_HEADER ? header_of(message) : body_of(message);
		return message != NULL;
	case SECTION_MIME:
		if (place == SECTION_MESSAGE)
			return false;
		*ret_stretch = place == SECTION_NO_BODY ? nothing_of(part) : header_of(part);
		return true;
	}
	return false;
}
