#include "server/ctl/tar.h"

#include <errno.h>

/* IEEE 1003.1, pax, ustar interchange format: offsets are the format's. */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
		magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155],
		rest[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK_BYTES, "a tar header is one block");

#define OCTAL_MAX(digits) ((1ULL << (3 * (digits))) - 1)

/* Digits, zeros in front, and a NUL behind. What does not fit has a pax record, which counts instead. */
static void put_octal(char *to, size_t bytes, uint64_t value)
{
	char text[32];

	if (value > OCTAL_MAX(bytes - 1))
		value = OCTAL_MAX(bytes - 1);
	snprintf(text, sizeof text, "%0*llo", (int)bytes - 1, (unsigned long long)value);
	memcpy(to, text, bytes);
}

/* Cut a path for prefix and name at a slash. Returns false if there is none at the right place. */
static bool put_path(struct ustar *header, struct slice path)
{
	if (path.n <= sizeof header->name) {
		memcpy(header->name, path.p, path.n);
		return true;
	}
	for (size_t i = path.n - 1; i > 0; i--) {
		struct slice prefix = slice_head(path, i), name = slice_tail(path, i + 1);

		if (path.p[i] != '/' || name.n == 0 || prefix.n > sizeof header->prefix ||
			name.n > sizeof header->name)
			continue;
		memcpy(header->prefix, prefix.p, prefix.n);
		memcpy(header->name, name.p, name.n);
		return true;
	}
	memcpy(header->name, path.p, sizeof header->name);
	return false;
}

static void finish(struct ustar *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	unsigned sum = 0;

	memcpy(header->magic, "ustar", 6);
	memcpy(header->version, "00", 2);
	memset(header->checksum, ' ', sizeof header->checksum);
	for (size_t i = 0; i < sizeof *header; i++)
		sum += bytes[i];
	put_octal(header->checksum, 7, sum);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits too. */
static int add_record(struct buf *records, const char *key, struct slice value)
{
	size_t rest = strlen(key) + value.n + 3, digits = 1;

	for (size_t limit = 10; rest + digits >= limit; limit *= 10)
		digits++;
	int r = buf_addf(records, "%zu %s=", rest + digits, key);

	if (r == 0)
		r = buf_add(records, value);
	return r < 0 ? r : buf_add_char(records, '\n');
}

static int add_number(struct buf *records, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return add_record(records, key, slice_str(text));
}

static int add_zeros(struct buf *out, size_t n)
{
	char *at = buf_reserve(out, n);

	if (!at)
		return -ENOBUFS;
	memset(at, 0, n);
	buf_grown(out, n);
	return 0;
}

static int add_extended(struct buf *out, struct slice records)
{
	struct ustar header = { .type = 'x' };
	int r;

	memcpy(header.name, "PaxHeader", sizeof "PaxHeader");
	put_octal(header.mode, sizeof header.mode, 0600);
	put_octal(header.uid, sizeof header.uid, 0);
	put_octal(header.gid, sizeof header.gid, 0);
	put_octal(header.size, sizeof header.size, records.n);
	put_octal(header.mtime, sizeof header.mtime, 0);
	finish(&header);
	r = buf_add(out, slice_from(&header, sizeof header));
	if (r == 0)
		r = buf_add(out, records);
	return r < 0 ? r : add_zeros(out, tar_padding(records.n));
}

/* What does not fit into the old fields. */
static int format_records(
	const struct tar_member *member, bool path_fits, struct slice path, struct buf *records)
{
	int r = path_fits ? 0 : add_record(records, "path", path);

	if (r == 0 && member->bytes > OCTAL_MAX(11))
		r = add_number(records, "size", member->bytes);
	if (r == 0 && member->mtime > (int64_t)OCTAL_MAX(11))
		r = add_number(records, "mtime", (uint64_t)member->mtime);
	if (r == 0 && member->user_uid > OCTAL_MAX(7))
		r = add_number(records, "uid", member->user_uid);
	if (r == 0 && member->user_gid > OCTAL_MAX(7))
		r = add_number(records, "gid", member->user_gid);
	return r;
}

int tar_add_header(struct buf *out, const struct tar_member *member)
{
	_cleanup_buf_ struct buf records = BUF(64 * 1024), path = BUF(32 * 1024);
	struct ustar header = { .type = member->is_directory ? '5' : '0' };
	int r = buf_add(&path, member->path);

	if (r == 0 && member->is_directory)
		r = buf_add_char(&path, '/');
	if (r == 0)
		r = format_records(
			member, put_path(&header, buf_slice(&path)), buf_slice(&path), &records);
	if (r == 0 && records.n > 0)
		r = add_extended(out, buf_slice(&records));
	if (r < 0)
		return r;
	put_octal(header.mode, sizeof header.mode, member->mode & 07777);
	put_octal(header.uid, sizeof header.uid, member->user_uid);
	put_octal(header.gid, sizeof header.gid, member->user_gid);
	put_octal(header.size, sizeof header.size, member->bytes);
	put_octal(
		header.mtime, sizeof header.mtime, member->mtime > 0 ? (uint64_t)member->mtime : 0);
	finish(&header);
	return buf_add(out, slice_from(&header, sizeof header));
}

int tar_add_end(struct buf *out)
{
	return add_zeros(out, 2 * (size_t)TAR_BLOCK_BYTES);
}
