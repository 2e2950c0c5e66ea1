#include "maildir/append.h"

#include "base/must.h"
#include "maildir/arrival.h"
#include "maildir/message/crlf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum {
	WRITE_BYTES = 32 * 1024,
	ALLOCATE_BYTES = 256 * 1024, /* from this size on, room is made beforehand */
};

struct append {
	struct mailbox *mailbox;
	struct arrival arrival;
	bool begun; /* arrival is there */
	struct quota_sum freed;
	size_t n;

	/* The message being written; fd is -1: none. */
	int fd;
	uint64_t file_size;
	struct crlf_count count;
	bool may_hold_nul;
	bool held_cr;     /* a CR was met: what follows decides what becomes of it */
	bool last_was_cr; /* the last byte written is a CR */
};

struct append *append_new(struct mailbox *mailbox)
{
	struct append *append = malloc(sizeof *append);

	must(append != NULL);
	*append = (struct append){ .mailbox = mailbox, .fd = -1 };
	return append;
}

void append_replaces(struct append *append, const struct quota_sum *freed)
{
	append->freed = *freed;
}

void append_free(struct append *append)
{
	if (append->fd >= 0)
		close(append->fd);
	if (append->begun)
		arrival_done(&append->arrival);
	free(append);
}

size_t append_count(const struct append *append)
{
	return append->n;
}

/* Returns a bit for the keyword, or 0: there are more than one mailbox can have. */
static uint64_t keyword_bit(struct keyword_table *table, struct slice name)
{
	int number = keyword_table_find(table, name);

	for (unsigned n = 0; number < 0 && n < LIMIT_KEYWORDS; n++)
		if (!table->names[n]) {
			keyword_table_set(table, n, name);
			number = (int)n;
		}
	return number >= 0 ? UINT64_C(1) << number : 0;
}

/* A message that has no room is better refused before it is sent. File systems that cannot say are asked later. */
static int make_room(int fd, uint64_t octets)
{
	if (octets == APPEND_OCTETS_UNKNOWN || octets < ALLOCATE_BYTES)
		return 0;
	if (octets > INT64_MAX)
		return -EFBIG;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)octets) == 0)
		return 0;
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? -errno : 0;
}

int append_begin(struct append *append, const struct append_message *message, uint64_t now_usec)
{
	must(append->fd < 0);
	if (!append->begun) {
		int r = arrival_init(&append->arrival, append->mailbox);

		if (r < 0)
			return r;
		append->begun = true;
	}

	struct arriving *file = arrival_add(&append->arrival, now_usec);
	_cleanup_close_ int fd = arrival_create(&append->arrival, file);
	int r = fd < 0 ? fd : make_room(fd, message->octets);

	if (r < 0) {
		arrival_drop_last(&append->arrival);
		return r;
	}
	file->flags = message->flags;
	for (size_t i = 0; i < message->keywords_n; i++)
		file->keywords |= keyword_bit(&append->arrival.keywords, message->keywords[i]);
	file->internaldate = message->internaldate == APPEND_DATE_NOW
				     ? (int64_t)(now_usec / 1000000)
				     : message->internaldate;
	append->fd = take_fd(&fd);
	append->n++;
	append->file_size = 0;
	append->may_hold_nul = message->may_hold_nul;
	append->count = (struct crlf_count){ 0 };
	append->held_cr = append->last_was_cr = false;
	return 0;
}

/*
 * Convert from the front of in: CRLF becomes LF, unless the byte before is a CR. out has room for two bytes at least.
 * Returns how many bytes were written; *in moves on.
 */
static size_t store_line_ends(struct append *append, struct slice *in, char *out, size_t out_bytes)
{
	size_t n = 0;

	while (in->n > 0 && n + 2 <= out_bytes) {
		if (append->held_cr) {
			append->held_cr = false;
			if (in->p[0] != '\n' || append->last_was_cr) {
				out[n++] = '\r';
				append->last_was_cr = true;
			}
			if (in->p[0] == '\n') {
				out[n++] = '\n';
				append->last_was_cr = false;
				*in = slice_tail(*in, 1);
			}
			continue;
		}

		struct slice run = slice_head(*in, out_bytes - n);
		ssize_t cr = slice_find(run, '\r');

		run = cr >= 0 ? slice_head(run, (size_t)cr) : run;
		if (run.n > 0) {
			memcpy(out + n, run.p, run.n);
			append->last_was_cr = false;
		}
		n += run.n;
		append->held_cr = cr >= 0;
		*in = slice_tail(*in, run.n + (cr >= 0));
	}
	return n;
}

static int write_stored(struct append *append, struct slice bytes)
{
	crlf_count(&append->count, bytes);
	append->file_size += bytes.n;
	return dirs_write(append->fd, bytes);
}

int append_write(struct append *append, struct slice octets)
{
	char bytes[WRITE_BYTES];
	int r = !append->may_hold_nul && slice_find(octets, '\0') >= 0 ? -EILSEQ : 0;

	must(append->fd >= 0);
	while (r == 0 && octets.n > 0) {
		size_t n = store_line_ends(append, &octets, bytes, sizeof bytes);

		r = write_stored(append, slice_from(bytes, n));
	}
	return r;
}

int append_begin_anew(struct append *append, int *ret_fd)
{
	struct arrival *arrival = &append->arrival;
	struct arriving *file = &arrival->files[arrival->n - 1];
	_cleanup_close_ int fd = -1;
	int r;

	must(append->fd >= 0);
	r = append->held_cr ? write_stored(append, SLICE("\r")) : 0;
	if (r == 0 && unlinkat(arrival->tmp_fd, file->temporary, 0) < 0)
		r = -errno;
	fd = r < 0 ? r : arrival_create(arrival, file);
	if (fd < 0)
		return fd;
	*ret_fd = append->fd;
	append->fd = take_fd(&fd);
	append->file_size = 0;
	append->count = (struct crlf_count){ 0 };
	append->held_cr = append->last_was_cr = false;
	return 0;
}

static int set_date(int fd, int64_t internaldate)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = internaldate } };

	return futimens(fd, times) < 0 ? -errno : 0;
}

int append_finish(struct append *append)
{
	struct arriving *file = &append->arrival.files[append->arrival.n - 1];
	int r = append->held_cr ? write_stored(append, SLICE("\r")) : 0;

	append->held_cr = false;
	if (r == 0 && ftruncate(append->fd, (off_t)append->file_size) <
			      0) /* what was allocated too much */
		r = -errno;
	if (r == 0)
		r = set_date(append->fd, file->internaldate);
	if (r == 0 && !mailbox_fsync_never(append->mailbox) && fsync(append->fd) < 0)
		r = -errno;
	if (r == 0) {
		file->rfc822_size = append->count.octets;
		r = arrival_name(file, SLICE(""), append->file_size);
	}
	close(append->fd);
	append->fd = -1;
	return r;
}

int append_commit(struct append *append, struct work *work, uint32_t *ret_first_uid)
{
	must(append->fd < 0 && append->begun && append->arrival.n > 0);
	append->arrival.freed = append->freed;
	return arrival_commit(&append->arrival, work, ret_first_uid);
}
