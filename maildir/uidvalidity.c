#include "maildir/uidvalidity.h"

#include "base/clock.h"
#include "maildir/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { HEX_CHARS = 8, NAME_BYTES = 40, ATTEMPTS = 10 };

static const char TEXT_NAME[] = "dovecot-uidvalidity";
#define MARK_PREFIX "dovecot-uidvalidity."

static bool parse_hex(struct slice text, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (text.n != HEX_CHARS)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = ascii_hex_value(text.p[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (uint32_t)digit;
	}
	*ret_value = value;
	return true;
}

/* The highest mark there is; 0 if none. */
static int find_mark(int root_fd, uint32_t *ret_value)
{
	uint32_t highest = 0;
	DIR *dir;
	int r = dirs_open_entries(root_fd, ".", &dir);

	if (r < 0)
		return r;
	errno = 0;
	for (struct dirent *e; (e = readdir(dir)); errno = 0) {
		struct slice name = slice_str(e->d_name);
		uint32_t value;

		if (slice_starts_with(name, SLICE(MARK_PREFIX)) &&
			parse_hex(slice_tail(name, sizeof MARK_PREFIX - 1), &value) &&
			value > highest)
			highest = value;
	}

	r = -errno;
	closedir(dir);
	if (r == 0)
		*ret_value = highest;
	return r;
}

/* 0: there is none, or it says nothing. */
static int read_text(int root_fd, uint32_t *ret_value)
{
	_cleanup_buf_ struct buf text = BUF(64);
	struct stamp stamp;
	uint32_t value = 0;
	int r = dirs_read_file(root_fd, TEXT_NAME, &text, &stamp);

	if (r < 0 && r != -ENOENT && r != -EFBIG)
		return r;
	if (r == 0 && !parse_hex(slice_trim(buf_slice(&text)), &value))
		value = 0;
	*ret_value = value;
	return 0;
}

/* The highest value that was given out, as far as anything tells. */
static int find_last(int root_fd, uint32_t *ret_mark, uint32_t *ret_last)
{
	uint32_t text = 0;
	int r = read_text(root_fd, &text);

	if (r == 0)
		r = find_mark(root_fd, ret_mark);
	if (r == 0)
		*ret_last = *ret_mark > text ? *ret_mark : text;
	return r;
}

/* Move the mark from one value to the next, or make the first. Returns 0; -EAGAIN: another was faster; -errno. */
static int move_mark(int root_fd, uint32_t from, uint32_t to)
{
	char from_name[NAME_BYTES], to_name[NAME_BYTES];

	snprintf(from_name, sizeof from_name, MARK_PREFIX "%08x", from);
	snprintf(to_name, sizeof to_name, MARK_PREFIX "%08x", to);
	if (from > 0) {
		int r = dirs_rename(root_fd, from_name, root_fd, to_name);

		return r == -ENOENT || r == -EEXIST ? -EAGAIN : r;
	}

	int fd = openat(root_fd, to_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);

	if (fd < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	close(fd);
	return 0;
}

static int write_text(int root_fd, uint32_t value)
{
	char hex[HEX_CHARS + 1];
	struct stamp stamp;

	snprintf(hex, sizeof hex, "%08x", value);
	return dirs_replace_file(root_fd,
		&(struct replacement){
			TEXT_NAME, "dovecot-uidvalidity.tmp", slice_str(hex), false, 0 },
		&stamp);
}

int uidvalidity_next(int root_fd, uint64_t now_usec, uint32_t *ret_uidvalidity)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		uint64_t value = now_usec / USEC_PER_SEC;
		uint32_t mark = 0, last = 0;
		int r = find_last(root_fd, &mark, &last);

		if (r < 0)
			return r;
		if (value <= last)
			value = (uint64_t)last + 1;
		if (value > UINT32_MAX - 1)
			return -EOVERFLOW;
		r = move_mark(root_fd, mark, (uint32_t)value);
		if (r == -EAGAIN)
			continue;
		if (r == 0)
			r = write_text(root_fd, (uint32_t)value);
		if (r < 0)
			return r;
		*ret_uidvalidity = (uint32_t)value;
		return 0;
	}
	return -EBUSY;
}

int uidvalidity_raise(int root_fd, uint32_t uidvalidity)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		uint32_t mark = 0, last = 0;
		int r = find_last(root_fd, &mark, &last);

		if (r < 0 || last >= uidvalidity)
			return r;
		r = move_mark(root_fd, mark, uidvalidity);
		if (r == 0)
			r = write_text(root_fd, uidvalidity);
		if (r != -EAGAIN)
			return r;
	}
	return -EBUSY;
}
