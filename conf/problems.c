#include "conf/problems.h"

#include "base/must.h"

#include <stdarg.h>

static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void insert(struct conf_problems *problems, const struct conf_problem *problem)
{
	struct conf_problem *items = reallocarray(problems->items, problems->n + 1, sizeof *items);
	size_t at = problems->n;

	must(items != NULL);
	while (at > 0 && items[at - 1].line > problem->line)
		at--;
	memmove(&items[at + 1], &items[at], (problems->n - at) * sizeof *items);
	items[at] = *problem;
	problems->items = items;
	problems->n++;
}

void problems_add(struct conf_problems *problems, unsigned line, const char *format, ...)
{
	struct conf_problem problem = { .line = line };
	va_list args;

	if (problems->n > CONF_PROBLEMS_MAX)
		return;
	if (problems->n == CONF_PROBLEMS_MAX) {
		problem.line = problems->items[problems->n - 1].line;
		snprintf(problem.text, sizeof problem.text, "and more; mend these first");
		insert(problems, &problem);
		return;
	}
	va_start(args, format);
	vsnprintf(problem.text, sizeof problem.text, format, args);
	va_end(args);
	clean(problem.text);
	insert(problems, &problem);
}

void conf_problems_done(struct conf_problems *problems)
{
	free(problems->items);
	*problems = (struct conf_problems){ 0 };
}
