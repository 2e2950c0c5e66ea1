#include "server/pool/children.h"

#include "base/must.h"

#include <stdlib.h>

void children_add(struct children *children, struct child child)
{
	if (children->n == children->cap) {
		size_t cap = children->cap > 0 ? children->cap * 2 : 64;
		struct child *items = realloc(children->items, cap * sizeof *items);

		must(items != NULL);
		children->items = items;
		children->cap = cap;
	}
	children->items[children->n++] = child;
}

static struct child *find(const struct children *children, uint32_t pid)
{
	for (size_t i = 0; i < children->n; i++)
		if (children->items[i].pid == pid)
			return &children->items[i];
	return NULL;
}

bool children_remove(struct children *children, uint32_t pid, struct child *ret_child)
{
	struct child *at = find(children, pid);

	if (!at)
		return false;
	*ret_child = *at;
	*at = children->items[--children->n];
	return true;
}

bool children_has(const struct children *children, uint32_t pid)
{
	return find(children, pid) != NULL;
}

void children_done(struct children *children)
{
	free(children->items);
	*children = (struct children){ 0 };
}
