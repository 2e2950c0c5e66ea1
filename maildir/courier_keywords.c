#include "maildir/courier_keywords.h"

/* Take a whole line. Returns false where there is none (any more). */
static bool take_line(struct slice *text, struct slice *ret_line)
{
	ssize_t end = slice_find(*text, '\n');

	if (end < 0)
		return false;
	*ret_line = slice_head(*text, (size_t)end);
	*text = slice_tail(*text, (size_t)end + 1);
	return true;
}

struct courier_list courier_list_parse(struct slice text, struct arena *arena)
{
	struct courier_list list = { .names = arena_array(
					     arena, COURIER_NAMES_MAX, sizeof *list.names) };
	struct slice line;

	while (take_line(&text, &line) && line.n > 0)
		if (list.n < COURIER_NAMES_MAX)
			list.names[list.n++] = line;
	list.lines = text;
	return list;
}

bool courier_list_next(struct slice *lines, struct courier_message *ret_message)
{
	struct slice line;

	while (take_line(lines, &line)) {
		ssize_t colon = slice_find_last(line, ':');

		if (colon < 1)
			continue;
		ret_message->base = slice_head(line, (size_t)colon);
		ret_message->numbers = slice_tail(line, (size_t)colon + 1);
		return true;
	}
	return false;
}

bool courier_number_next(struct slice *numbers, size_t end, size_t *ret_number)
{
	struct slice word;
	uint64_t value;

	while (slice_split(numbers, ' ', &word))
		if (end > 0 && slice_number(word, end - 1, &value)) {
			*ret_number = (size_t)value;
			return true;
		}
	return false;
}

bool courier_change_parse(struct slice file_name, uint64_t *ret_turn, struct slice *ret_base)
{
	struct slice turn;

	if (file_name.n == 0 || file_name.p[0] == ':')
		return false;
	if (!slice_skip(&file_name, '.')) {
		*ret_turn = UINT64_MAX;
		*ret_base = file_name;
		return true;
	}
	if (!slice_split(&file_name, '.', &turn) || file_name.n == 0 ||
		!slice_number(turn, UINT64_MAX - 1, ret_turn))
		return false;
	*ret_base = file_name;
	return true;
}
