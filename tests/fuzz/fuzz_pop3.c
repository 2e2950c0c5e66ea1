/*
 * fuzz_pop3.c - a POP3 dialogue over a small Maildir. The first byte: how large the pieces are that the client's bytes come in, and the
 * budget of a step. What must hold beside not crashing: without a QUIT nothing is removed, and the engine never runs on for ever.
 */
#include "base/limits.h"
#include "base/must.h"
#include "server/pop3/pop3.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct {
	const char *name;
	struct slice text;
} files[] = {
	{ "cur/1700000001.M1P1.h:2,S", SLICE("Subject: a\n\n.\n..\nb\0c\n") },
	{ "cur/1700000002.M2P1.h,W=9999:2,", SLICE("Subject: wrong size\r\n\r\n\r.\r\nno end") },
	{ "new/1700000003.M3P1.h", SLICE("") },
};

enum { FILES = sizeof files / sizeof *files, STEPS_MAX = 1000000 };

static char root[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static unsigned counted;

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)kind;
	(void)at;
	counted += S_ISREG(st->st_mode) && strstr(path, "/17");
	return 0;
}

static void make_maildir(void)
{
	static const char *const directories[] = { "", "cur", "new", "tmp" };
	char path[200];

	snprintf(root, sizeof root, "%s/restante-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(root) != NULL);
	for (size_t i = 1; i < sizeof directories / sizeof *directories; i++) {
		snprintf(path, sizeof path, "%s/%s", root, directories[i]);
		must(mkdir(path, 0700) == 0);
	}
	for (size_t i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "%s/%s", root, files[i].name);

		FILE *f = fopen(path, "we");

		must(f != NULL &&
			fwrite(files[i].text.p, 1, files[i].text.n, f) == files[i].text.n);
		fclose(f);
	}
}

static bool has_all_messages(void)
{
	counted = 0;
	return nftw(root, count_one, 16, FTW_PHYS) == 0 && counted == FILES;
}

/* Step until the engine wants input. Returns false once it wants to be closed. */
static bool run(struct engine *engine, struct engine_io *io, size_t budget)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		io->budget = budget;

		enum engine_wants wants = engine->type->step(engine, io);

		must(io->out->n < 2 * LIMIT_OUTPUT_HIGH_WATER_BYTES);
		buf_consume(io->out, io->out->n);
		if (wants == ENGINE_INPUT || wants == ENGINE_CLOSE)
			return wants == ENGINE_INPUT;
		io->now_usec += wants == ENGINE_RETRY ? io->retry_usec + 1 : 0;
	}
	must(!"it goes on for ever");
	return false;
}

static void talk(struct engine *engine, struct slice input, size_t piece, size_t budget)
{
	_cleanup_buf_ struct buf in = BUF(1024 * 1024), out = BUF(LIMIT_OUTPUT_BYTES);
	struct engine_io io = { .in = &in, .out = &out, .now_usec = 1800000000000000 };
	uint32_t messages;
	uint64_t octets;

	while (pop3_opened(engine, &messages, &octets) == -EINPROGRESS)
		must(run(engine, &io, budget));
	while (input.n > 0) {
		must(buf_add(&in, slice_take(&input, piece < input.n ? piece : input.n)) == 0);
		if (!run(engine, &io, budget))
			return;
	}
	io.in_eof = true;
	must(!run(engine, &io, budget));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct store *store;
	struct slice input = slice_from(bytes, n);
	uint8_t mode = n > 0 ? (uint8_t)slice_take(&input, 1).p[0] : 0;

	make_maildir();

	const struct store_settings settings = {
		.path = root,
		.index_path = "/dev/null/none",
		.hierarchy_separator = '/',
		.fsync = FSYNC_NEVER,
		.hostname = "h",
		.uidl_format = "%08Xu%08Xv",
	};

	must(store_open(&settings, NULL, &store) == 0 && store_lock_maildrop(store) == 0);

	struct engine *engine =
		pop3_new(&(struct pop3_settings){ .store = store, .user = "u" });

	talk(engine, input, (mode & 15) * (mode & 15) + 1, (size_t)(mode >> 4) + 1);
	engine->type->free(engine);
	store_unlock_maildrop(store);
	store_close(store);

	bool has_quit = false;

	for (; input.n > 0 && !has_quit; input = slice_tail(input, 1))
		has_quit = slice_starts_with_nocase(input, SLICE("QUIT"));
	must(has_quit || has_all_messages());
	must(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	return 0;
}
