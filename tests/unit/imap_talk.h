/* imap_talk.h - an IMAP engine over a temporary Maildir, without a session around it: what is said to it, and what it answers. */
#pragma once

#include "base/limits.h"
#include "server/imap/imap.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some connections of one user share the store. */
struct talk {
	struct store *store;
	struct engine *engine;
	struct buf in, out;
	uint64_t now_usec;
};

static inline void talk_make_mailbox(const char *root, const char *directory)
{
	static const char *const names[] = { "", "/cur", "/new", "/tmp" };
	char path[400];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/%s%s", root, directory, names[i]);
		CU_ASSERT_FATAL(mkdir(path, 0700) == 0 || *directory == '\0');
	}
}

/* root: where to put the path of the Maildir; it must live until talk_remove_store(). */
static inline struct store *talk_make_store(char root[static 64])
{
	struct store *store = NULL;

	strcpy(root, "/tmp/restante-talk-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(root) != NULL);
	talk_make_mailbox(root, "");

	const struct store_settings settings = {
		.path = root,
		.hierarchy_separator = '/',
		.fsync = FSYNC_NEVER,
		.hostname = "host",
		.uidl_format = "%08Xu%08Xv",
	};

	CU_ASSERT_FATAL(store_open(&settings, NULL, &store) == 0);
	return store;
}

static inline int talk_remove_one(
	const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void talk_remove_store(struct store *store, const char *root)
{
	store_close(store);
	CU_ASSERT(nftw(root, talk_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static inline struct talk talk_begin(struct store *store, size_t out_bytes)
{
	return (struct talk){
		.store = store,
		.engine = imap_new(
			&(struct imap_settings){ .store = store, .user = "u", .version = "0" }),
		.in = BUF(4 * 1024 * 1024),
		.out = BUF(out_bytes),
		.now_usec = UINT64_C(1800000000000000),
	};
}

static inline void talk_end(struct talk *t)
{
	t->engine->type->free(t->engine);
	buf_done(&t->in);
	buf_done(&t->out);
}

/* Let it run until it waits for something else than its next step; what it puts out is added to out. */
static inline enum engine_wants talk_run(struct talk *t)
{
	enum engine_wants wants;

	do {
		struct engine_io io = {
			.in = &t->in, .out = &t->out, .now_usec = t->now_usec, .budget = 100
		};

		wants = t->engine->type->step(t->engine, &io);
	} while (wants == ENGINE_STEP);
	return wants;
}

static inline enum engine_wants talk_say(struct talk *t, const char *text)
{
	CU_ASSERT(buf_add_str(&t->in, text) == 0);
	return talk_run(t);
}

/* All that came since the last look is exactly this. */
#define TALK_EXPECT(t, want)                                                                       \
	do {                                                                                       \
		CHECK(slice_equal(buf_slice(&(t)->out), slice_str(want)), "%.*s",                  \
			SLICE_FMT(buf_slice(&(t)->out)));                                          \
		buf_clear(&(t)->out);                                                              \
	} while (0)

/* It contains this. */
#define TALK_EXPECT_IN(t, want)                                                                    \
	do {                                                                                       \
		CHECK(slice_find_slice(buf_slice(&(t)->out), slice_str(want)) >= 0, "%.*s",        \
			SLICE_FMT(buf_slice(&(t)->out)));                                          \
		buf_clear(&(t)->out);                                                              \
	} while (0)

/* As talk_run(), by a client that takes all that comes. What came is in *taken. */
static inline enum engine_wants talk_take(struct talk *t, struct buf *taken)
{
	enum engine_wants wants;

	do {
		wants = talk_run(t);
		CU_ASSERT_FATAL(buf_add(taken, buf_slice(&t->out)) == 0);
		buf_clear(&t->out);
	} while (wants == ENGINE_OUTPUT);
	return wants;
}
