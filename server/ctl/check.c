#include "server/ctl/check.h"

#include "base/must.h"
#include "server/ctl/output.h"

#include <errno.h>
#include <sys/wait.h>

enum { OUTPUT_MAX_BYTES = 4 * 1024 * 1024, COLUMNS = 3 };

static void parse_line(struct slice line, struct slice path, struct slice cells[COLUMNS])
{
	struct slice rest = slice_tail(line, path.n), digits;
	uint64_t number;
	ssize_t colon;

	cells[0] = cells[1] = SLICE("");
	cells[2] = line;
	if (path.n == 0 || !slice_starts_with(line, path) || !slice_skip(&rest, ':'))
		return;
	cells[0] = path;
	cells[2] = slice_trim(rest);
	colon = slice_find(rest, ':');
	digits = slice_head(rest, colon < 0 ? 0 : (size_t)colon);
	if (!slice_number(digits, UINT32_MAX, &number))
		return;
	cells[1] = digits;
	cells[2] = slice_trim(slice_tail(rest, (size_t)colon + 1));
}

struct reply check_parse(struct slice output, struct slice path, struct arena *arena)
{
	struct reply_table *table = arena_alloc(arena, sizeof *table);
	struct reply_column *columns = arena_array(arena, COLUMNS, sizeof *columns);
	size_t n_lines = 0;
	struct slice rest = output, line;

	while (slice_split(&rest, '\n', &line))
		n_lines++;
	columns[0] = (struct reply_column){ SLICE("file"), 's' };
	columns[1] = (struct reply_column){ SLICE("line"), 'n' };
	columns[2] = (struct reply_column){ SLICE("message"), 's' };
	*table = (struct reply_table){
		.name = SLICE("problems"), .columns = columns, .n_columns = COLUMNS
	};
	table->cells = arena_array(arena, n_lines * COLUMNS, sizeof *table->cells);
	while (slice_split(&output, '\n', &line))
		if (slice_trim(line).n > 0)
			parse_line(
				slice_trim(line), path, &table->cells[COLUMNS * table->n_rows++]);
	return (struct reply){ .tables = table, .n_tables = 1, .complete = true };
}

/* Where restanted is: beside this program, as built and as installed. */
static void find_restanted(char *ret_path, size_t path_bytes)
{
	char own[4096];
	ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
	ssize_t slash = n > 0 ? slice_find_last(slice_from(own, (size_t)n), '/') : -1;

	snprintf(ret_path, path_bytes, "%.*srestanted", slash < 0 ? 0 : (int)slash + 1, own);
}

static void exec_restanted(const char *path)
{
	char program[4200];
	const char *argv[] = { "restanted", "-t", path ? "-c" : NULL, path, NULL };

	find_restanted(program, sizeof program);
	execvp(program, (char *const *)argv);
	fprintf(stderr,
		"restantectl: %s: %s; the check is done by restanted, which must lie beside "
		"restantectl\n",
		program, strerror(errno));
}

static int read_all(int fd, struct buf *out)
{
	for (;;) {
		char bytes[4096];
		ssize_t n = read(fd, bytes, sizeof bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (buf_add(out, slice_from(bytes, (size_t)n)) < 0)
			return -ENOBUFS;
	}
}

/* Run restanted with its standard output read into out. Returns its exit status, or -errno. */
static int capture(const char *path, struct buf *out)
{
	int ends[2], status, r;
	pid_t pid;

	if (pipe(ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		exec_restanted(path);
		_exit(127);
	}
	close(ends[1]);
	r = pid < 0 ? -errno : read_all(ends[0], out);
	close(ends[0]);
	if (pid < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int check_run(const char *path, bool json)
{
	_cleanup_buf_ struct buf out = BUF(OUTPUT_MAX_BYTES);
	_cleanup_arena_ struct arena arena = { 0 };
	struct slice all_well;
	struct reply reply;
	int r;

	if (!json) {
		exec_restanted(path);
		return 1;
	}
	r = capture(path, &out);
	if (r < 0)
		return output_error(json, "restanted -t: %s", strerror(-r));
	reply = check_parse(buf_slice(&out),
		slice_str(path ? path : RESTANTE_SYSCONFDIR "/restante/restante.conf"), &arena);
	if (r == 0) { /* what it says then is no problem */
		all_well = slice_trim(buf_slice(&out));
		reply.tables[0].n_rows = 0;
		reply.messages = &all_well;
		reply.n_messages = 1;
	}
	return output_reply(&reply, json) != 0 ? 1 : r;
}
