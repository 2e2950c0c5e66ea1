#include "server/imap/search_answer.h"

#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

#include <stdlib.h>

/* " 1 2 3": every number. RFC 3501 section 7.2.5; 5256 section 4. */
static enum run tell_numbers(struct search_answer *a, struct imap *imap)
{
	for (; a->at < a->end; a->at++) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		write_raw(&imap->out, SLICE(" "));
		write_number(&imap->out, a->numbers[a->at]);
	}
	return RUN_DONE;
}

/* "1,3:7". What ascends by one is a range. RFC 4731 section 3.1; 5267 section 3.2. */
static enum run tell_ranges(struct search_answer *a, struct imap *imap, size_t first)
{
	while (a->at < a->end) {
		struct seq_range range = { a->numbers[a->at], a->numbers[a->at] };
		struct seq_ranges one = { .ranges = &range, .n = 1 };

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (a->at > first)
			write_raw(&imap->out, SLICE(","));
		while (++a->at < a->end && a->numbers[a->at] == range.last + 1)
			range.last++;
		write_ranges(&imap->out, &one);
	}
	return RUN_DONE;
}

/* Which of the numbers ALL or PARTIAL tell. Returns the first. */
static size_t bounds(const struct search_answer *a, size_t *ret_end)
{
	uint64_t first = 1, last = a->n;

	if ((a->returns & SEARCH_RETURN_PARTIAL) &&
		!partial_of(&a->partial, a->n, &first, &last)) {
		first = 1;
		last = 0;
	}
	*ret_end = (size_t)last;
	return (size_t)first - 1;
}

static void begin_extended(struct search_answer *a, struct imap *imap)
{
	struct writer *w = &imap->out;

	write_raw(w, SLICE("* ESEARCH (TAG "));
	write_string(w, imap->command.tag);
	if (a->mailbox.p) {
		write_raw(w, SLICE(" MAILBOX "));
		write_mailbox(w, a->mailbox);
		write_format(w, " UIDVALIDITY %u", a->uidvalidity);
	}
	write_text(w, a->by_uid ? ") UID" : ")");
	if ((a->returns & SEARCH_RETURN_MIN) && a->n > 0)
		write_format(w, " MIN %u", a->numbers[0]);
	if ((a->returns & SEARCH_RETURN_MAX) && a->n > 0)
		write_format(w, " MAX %u", a->numbers[a->n - 1]);
	if (a->returns & SEARCH_RETURN_COUNT)
		write_format(w, " COUNT %zu", a->n);
	a->at = bounds(a, &a->end);
	if (a->returns & SEARCH_RETURN_PARTIAL)
		write_format(w, " PARTIAL (%.*s %s", SLICE_FMT(a->partial.text),
			a->at == a->end ? "NIL" : "");
	else if ((a->returns & SEARCH_RETURN_ALL) && a->n > 0)
		write_raw(w, SLICE(" ALL "));
	else
		a->at = a->end;
}

static enum run tell_extended(struct search_answer *a, struct imap *imap)
{
	size_t end, first = bounds(a, &end);
	enum run run;

	if (!a->begun)
		begin_extended(a, imap);
	a->begun = imap->mid_response = true;
	run = tell_ranges(a, imap, first);
	if (run != RUN_DONE)
		return run;
	if (a->returns & SEARCH_RETURN_PARTIAL)
		write_raw(&imap->out, SLICE(")"));
	if (a->modseq > 0)
		write_format(&imap->out, " MODSEQ %llu", (unsigned long long)a->modseq);
	return RUN_DONE;
}

static enum run tell_plain(struct search_answer *a, struct imap *imap)
{
	enum run run;

	if (!a->begun) {
		write_format(&imap->out, "* %s", a->word);
		a->end = a->n;
	}
	a->begun = imap->mid_response = true;
	run = tell_numbers(a, imap);
	if (run == RUN_DONE && a->modseq > 0)
		write_format(&imap->out, " (MODSEQ %llu)", (unsigned long long)a->modseq);
	return run;
}

enum run search_answer_tell(struct search_answer *answer, struct imap *imap)
{
	enum run run;

	if (answer->extended && answer->returns == SEARCH_RETURN_SAVE)
		return RUN_DONE; /* RFC 5182 section 2.2: nothing was asked for */
	run = answer->extended ? tell_extended(answer, imap) : tell_plain(answer, imap);
	if (run != RUN_DONE)
		return run;
	write_crlf(&imap->out);
	imap->mid_response = false;
	return RUN_DONE;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Ascending ranges of any numbers; one may come twice. */
static struct seq_ranges ranges_of(uint32_t *numbers, size_t n, struct arena *arena)
{
	struct seq_ranges ranges = { 0 };

	qsort(numbers, n, sizeof *numbers, by_number);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || numbers[i] != numbers[i - 1])
			seq_ranges_add(&ranges, arena, numbers[i]);
	return ranges;
}

struct seq_ranges search_answer_saved(
	const struct search_answer *answer, const uint32_t *uids, struct arena *arena)
{
	const unsigned some =
		SEARCH_RETURN_MIN | SEARCH_RETURN_MAX | SEARCH_RETURN_PARTIAL;
	unsigned returns = answer->returns;
	uint32_t *chosen = arena_array(arena, answer->n + 2, sizeof *chosen);
	size_t first = 0, end = answer->n, n;
	bool all = !(returns & some) || (returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT));

	if (!all)
		first = returns & SEARCH_RETURN_PARTIAL ? bounds(answer, &end) : end;
	n = end - first;
	if (n > 0)
		memcpy(chosen, uids + first, n * sizeof *uids);
	if (!all && (returns & SEARCH_RETURN_MIN) && answer->n > 0)
		chosen[n++] = uids[0];
	if (!all && (returns & SEARCH_RETURN_MAX) && answer->n > 0)
		chosen[n++] = uids[answer->n - 1];
	return ranges_of(chosen, n, arena);
}
