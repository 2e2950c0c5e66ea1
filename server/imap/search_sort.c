#include "server/imap/search_sort.h"

#include "base/limits.h"
#include "base/must.h"
#include "server/imap/order.h"
#include "server/imap/sort_key.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

/* Where a key is, and how it begins: most are told apart by that. */
struct sort_item {
	uint64_t prefix;
	uint32_t at, n; /* in keys */
};

struct search_sort {
	const struct sort_criterion *criteria;
	size_t criteria_n;
	struct buf keys;
	struct sort_item *items;
	size_t n, cap;
	uint32_t *numbers, *scratch;
	struct order order;
};

struct search_sort *search_sort_new(const struct sort_criterion *criteria, size_t n)
{
	struct search_sort *s = calloc(1, sizeof *s);

	must(s != NULL);
	s->criteria = criteria;
	s->criteria_n = n;
	s->keys = BUF(LIMIT_SORT_BYTES);
	return s;
}

void search_sort_free(struct search_sort *sort)
{
	if (!sort)
		return;
	buf_done(&sort->keys);
	free(sort->items);
	free(sort->numbers);
	free(sort->scratch);
	free(sort);
}

bool search_sort_has(const struct sort_criterion *criteria, size_t n, enum sort_by by)
{
	for (size_t i = 0; i < n; i++)
		if (criteria[i].by == by)
			return true;
	return false;
}

static int add_part(const struct sort_criterion *c, const struct card *card, struct buf *out)
{
	switch (c->by) {
	case SORT_ARRIVAL:
		return sort_key_add_number(out, card->internaldate, c->reverse);
	case SORT_DATE:
		return sort_key_add_number(out, card->sent_date, c->reverse);
	case SORT_SIZE:
		return sort_key_add_number(out, (int64_t)card->rfc822_size, c->reverse);
	case SORT_CC:
		return sort_key_add_text(out, card->cc, c->reverse);
	case SORT_FROM:
		return sort_key_add_text(out, card->from, c->reverse);
	case SORT_SUBJECT:
		return sort_key_add_text(out, card->base_subject, c->reverse);
	case SORT_TO:
		return sort_key_add_text(out, card->to, c->reverse);
	case SORT_DISPLAYFROM:
		return sort_key_add_text(out, card->display_from, c->reverse);
	case SORT_DISPLAYTO:
		return sort_key_add_text(out, card->display_to, c->reverse);
	}
	return -EINVAL;
}

int search_sort_key(const struct sort_criterion *criteria, size_t n, const struct card *card,
	struct buf *out)
{
	size_t before = out->n;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_part(&criteria[i], card, out);
	if (r < 0)
		buf_truncate(out, before);
	return r;
}

static uint64_t prefix_of(struct slice key)
{
	uint64_t prefix = 0;

	memcpy(&prefix, key.p, key.n < sizeof prefix ? key.n : sizeof prefix);
	return be64toh(prefix);
}

int search_sort_add(struct search_sort *sort, const struct card *card)
{
	size_t at = sort->keys.n;
	int r = search_sort_key(sort->criteria, sort->criteria_n, card, &sort->keys);

	if (r < 0)
		return r;
	if (sort->n == sort->cap) {
		sort->cap = sort->cap > 0 ? sort->cap * 2 : 64;
		sort->items = realloc(sort->items, sort->cap * sizeof *sort->items);
		must(sort->items != NULL);
	}

	struct slice key = slice_tail(buf_slice(&sort->keys), at);

	sort->items[sort->n++] = (struct sort_item){
		.prefix = prefix_of(key), .at = (uint32_t)at, .n = (uint32_t)key.n
	};
	return 0;
}

struct slice search_sort_key_of(const struct search_sort *sort, uint32_t number)
{
	const struct sort_item *item = &sort->items[number];

	return slice_from(sort->keys.p + item->at, item->n);
}

static bool is_before(const void *context, uint32_t a, uint32_t b)
{
	const struct search_sort *s = context;

	if (s->items[a].prefix != s->items[b].prefix)
		return s->items[a].prefix < s->items[b].prefix;
	return slice_compare(search_sort_key_of(s, a), search_sort_key_of(s, b)) <= 0;
}

static void begin_order(struct search_sort *s)
{
	s->numbers = calloc(s->n + 1, sizeof *s->numbers);
	s->scratch = calloc(s->n + 1, sizeof *s->scratch);
	must(s->numbers != NULL && s->scratch != NULL);
	for (size_t i = 0; i < s->n; i++)
		s->numbers[i] = (uint32_t)i;
	order_init(&s->order, s->numbers, s->scratch, s->n);
}

bool search_sort_run(struct search_sort *sort, size_t *moves, const uint32_t **ret_numbers)
{
	if (!sort->numbers)
		begin_order(sort);
	if (!order_step(&sort->order, is_before, sort, moves))
		return false;
	*ret_numbers = sort->order.from;
	return true;
}
