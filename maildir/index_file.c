#include "maildir/index_file.h"

#include "maildir/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define LOCK_NAME      "lock"
#define MARK_NAME      "mark"
#define MARK_TEMPORARY "mark.tmp"
#define MARK_WORD      "restante-index"

enum { MARK_MAX_BYTES = 256 };

int index_file_open_directory(const char *path)
{
	return dirs_open(AT_FDCWD, path, true);
}

int index_file_lock(int dir_fd)
{
	_cleanup_close_ int fd =
		openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	return take_fd(&fd);
}

static bool parse_mark(struct slice text, struct index_mark *ret_mark)
{
	struct slice line, word, version, boot;
	struct index_mark mark;
	uint64_t format;

	if (!slice_split(&text, '\n', &line) || !slice_split(&line, ' ', &word) ||
		!slice_equal(word, SLICE(MARK_WORD)) || !slice_split(&line, ' ', &version) ||
		!slice_number(version, UINT32_MAX, &format) || format != INDEX_FORMAT ||
		!slice_split(&line, ' ', &boot) || !slice_number(line, UINT64_MAX, &mark.durable_txn))
		return false;
	if (boot.n == 0 || !slice_to_str(boot, mark.boot, sizeof mark.boot))
		return false;
	*ret_mark = mark;
	return true;
}

int index_file_read_mark(int dir_fd, struct index_mark *ret_mark)
{
	_cleanup_buf_ struct buf text = BUF(MARK_MAX_BYTES);
	struct stamp stamp;
	int r = dirs_read_file(dir_fd, MARK_NAME, &text, &stamp);

	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	return parse_mark(buf_slice(&text), ret_mark) ? 0 : -EBADMSG;
}

int index_file_write_mark(int dir_fd, const struct index_mark *mark, bool sync)
{
	char text[MARK_MAX_BYTES];
	struct stamp stamp;
	int n = snprintf(text, sizeof text, MARK_WORD " %d %s %llu\n", INDEX_FORMAT, mark->boot,
		(unsigned long long)mark->durable_txn);

	return dirs_replace_file(dir_fd,
		&(struct replacement){ .name = MARK_NAME,
			.temporary_name = MARK_TEMPORARY,
			.text = slice_from(text, (size_t)n),
			.sync = sync },
		&stamp);
}

/*
 * LMDB 0.9's meta page. Its own checks at opening end with magic and version: what else they say is believed, and a
 * page beyond the end of the file is SIGBUS.
 */
struct meta_page {
	size_t page_number;
	uint16_t pad, flags;
	uint32_t bounds;
	uint32_t magic, version;
	void *address;
	size_t map_bytes;
	struct {
		uint32_t pad; /* of the first: the size of a page */
		uint16_t flags, depth;
		size_t branch_pages, leaf_pages, overflow_pages, entries, root;
	} trees[2];
	size_t last_page, txn;
};

enum { META_MAGIC = 0xBEEFC0DE, META_VERSION = 1, PAGE_MIN_BYTES = 512, PAGE_MAX_BYTES = 64 * 1024 };

static bool read_meta(int fd, uint64_t offset, struct meta_page *ret_meta)
{
	return dirs_read_at(fd, ret_meta, sizeof *ret_meta, offset) == (ssize_t)sizeof *ret_meta &&
	       ret_meta->magic == (uint32_t)META_MAGIC && ret_meta->version == META_VERSION;
}

static bool has_its_pages(const struct meta_page *meta, uint64_t page_bytes, uint64_t file_bytes)
{
	return meta->last_page < file_bytes / page_bytes;
}

int index_file_check_data(int dir_fd, uint64_t *ret_txn)
{
	_cleanup_close_ int fd = openat(
		dir_fd, INDEX_DATA_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct meta_page first, second;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!read_meta(fd, 0, &first))
		return -EBADMSG;

	uint64_t page_bytes = first.trees[0].pad;

	if (page_bytes < PAGE_MIN_BYTES || page_bytes > PAGE_MAX_BYTES ||
		(page_bytes & (page_bytes - 1)) != 0 || !read_meta(fd, page_bytes, &second) ||
		second.trees[0].pad != page_bytes)
		return -EBADMSG;
	if (!has_its_pages(&first, page_bytes, (uint64_t)st.st_size) ||
		!has_its_pages(&second, page_bytes, (uint64_t)st.st_size))
		return -EBADMSG;
	*ret_txn = first.txn > second.txn ? first.txn : second.txn;
	return 0;
}
