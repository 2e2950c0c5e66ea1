#include "server/master/check.h"

#include "base/buf.h"
#include "conf/conf.h"
#include "server/master/programs.h"

#include <errno.h>
#include <stdio.h>

enum { OUTPUT_BYTES = 1024 * 1024 };

static void add_line(struct buf *found, const char *format, ...) _printf_(2, 3);

static void add_line(struct buf *found, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (buf_vaddf(found, format, args) < 0 || buf_add_char(found, '\n') < 0)
		fprintf(stderr, "restanted: too many problems to show\n");
	va_end(args);
}

/* Returns whether there is a text, good or bad. */
static bool check_text(const char *path, struct buf *found)
{
	_cleanup_free_ char *text = NULL;
	size_t bytes = 0;
	struct conf *conf = NULL;
	struct conf_problems problems = { 0 };
	int r = conf_read_file(path, &text, &bytes);

	if (r < 0) {
		add_line(found, "%s: cannot read the configuration: %s", path, strerror(-r));
		return false;
	}
	r = conf_parse(slice_from(text, bytes), &conf, &problems);
	for (size_t i = 0; r < 0 && i < problems.n; i++) {
		const struct conf_problem *p = &problems.items[i];

		if (p->line > 0)
			add_line(found, "%s:%u: %s", path, p->line, p->text);
		else
			add_line(found, "%s: %s", path, p->text);
	}
	conf_free(conf);
	conf_problems_done(&problems);
	return true;
}

static void check_role(const struct programs *programs, enum role role, const char *path, struct buf *found)
{
	const char *const arguments[] = { "-t", path, NULL };
	size_t before = found->n;
	int status = programs_run(programs, role, arguments, (struct slice){ 0 }, found);

	if (status < 0)
		add_line(found, "%s: %s could not check it: %s", path, programs_name(role), strerror(-status));
	else if (status != 0 && found->n == before)
		add_line(found, "%s: %s could not check it: exit status %d", path, programs_name(role), status);
}

/* The same line from several roles is printed once. Returns the number printed. */
static size_t print_each_once(struct slice found)
{
	struct slice rest = found, line;
	size_t n = 0;

	while (slice_split(&rest, '\n', &line)) {
		struct slice earlier = slice_head(found, (size_t)(line.p - found.p)), other;
		bool known = line.n == 0;

		while (!known && slice_split(&earlier, '\n', &other))
			known = slice_equal(other, line);
		if (known)
			continue;
		printf("%.*s\n", SLICE_FMT(line));
		n++;
	}
	return n;
}

int check_file(const char *path)
{
	_cleanup_buf_ struct buf found = BUF(OUTPUT_BYTES);
	struct programs programs;
	char missing[PATH_MAX];

	bool is_readable = check_text(path, &found);

	if (programs_find(&programs, missing) < 0)
		add_line(&found, "%s is missing, or may not be executed: the installation is not complete", missing);
	else if (is_readable)
		for (enum role role = ROLE_FRONT_POOL; role <= ROLE_SESSION_POOL; role++)
			check_role(&programs, role, path, &found);
	if (print_each_once(buf_slice(&found)) > 0)
		return 1;
	printf("%s: configuration OK\n", path);
	return 0;
}
