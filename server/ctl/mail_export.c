/*
 * A tar archive holds a Maildir as it lies on disk, with its uidlists, keyword files and subscriptions, so that what
 * is unpacked is the same mail with the same UIDs and flags:
 *
 *   Maildir/subscriptions, Maildir/cur/NAME, Maildir/dovecot-uidlist, Maildir/.Sent/cur/NAME, ...
 */
#include "server/ctl/mail_export.h"

#include "maildir/filename.h"
#include "maildir/name.h"
#include "server/ctl/mail.h"
#include "server/ctl/mbox.h"
#include "server/ctl/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

enum { COPY_BYTES = 256 * 1024, SMALL_FILE_BYTES = 1 << 30, OUT_BYTES = 4 * COPY_BYTES };

struct export
{
	struct mail *mail;
	struct buf out, chunk;
	uint64_t n_messages, n_left_out;
	int error; /* of the output: nothing more is written */
};

static void flush(struct export *export)
{
	while (export->out.n > 0 && export->error == 0) {
		ssize_t n = write(STDOUT_FILENO, export->out.p, export->out.n);

		if (n < 0 && errno != EINTR)
			export->error = -errno;
		if (n > 0)
			buf_consume(&export->out, (size_t)n);
	}
	if (export->error < 0)
		buf_clear(&export->out);
}

static bool want_more(struct export *export)
{
	if (export->out.n >= COPY_BYTES)
		flush(export);
	return export->error == 0;
}

static void complain(struct export *export, struct slice mailbox, const struct survey_file *file,
	const char *why)
{
	export->n_left_out++;
	report_error(export->mail->report, "%.*s: %s/%.*s: %s", SLICE_FMT(mailbox),
		file->in_new ? "new" : "cur", SLICE_FMT(file->name), why);
}

/* Read on into the chunk, in place of what it held. Returns how many bytes, 0 at the end, -errno. */
static ssize_t read_chunk(struct export *export, int fd, uint64_t bytes)
{
	char *at;
	ssize_t n;

	buf_clear(&export->chunk);
	at = buf_reserve(&export->chunk, COPY_BYTES);
	if (!at)
		return -ENOBUFS;
	do
		n = read(fd, at, bytes < COPY_BYTES ? (size_t)bytes : COPY_BYTES);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		buf_grown(&export->chunk, (size_t)n);
	return n < 0 ? -errno : n;
}

/* Returns 0, or -errno of reading; of what it wrote the end is marked either way. */
static int write_mbox_message(struct export *export, int fd, int64_t date)
{
	struct mbox mbox;
	ssize_t n = read_chunk(export, fd, COPY_BYTES);
	int r;

	if (n < 0)
		return (int)n;
	r = mbox_begin(&mbox, buf_slice(&export->chunk), date, &export->out);
	while (r == 0 && n > 0 && want_more(export)) {
		r = mbox_add(&mbox, buf_slice(&export->chunk), &export->out);
		if (r == 0)
			n = read_chunk(export, fd, COPY_BYTES);
	}
	if (r == 0)
		r = mbox_end(&mbox, &export->out);
	return r < 0 ? r : n < 0 ? (int)n : 0;
}

/* The header has promised so many bytes: what is missing becomes zeros, or the rest of the archive could not be read. */
static int write_zeros(struct export *export, uint64_t bytes)
{
	static const char zeros[TAR_BLOCK_BYTES];
	int r = 0;

	while (r == 0 && bytes > 0 && want_more(export)) {
		size_t n = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;

		r = buf_add(&export->out, slice_from(zeros, n));
		bytes -= n;
	}
	return r;
}

/* Returns 0; -ESTALE: the file shrank; -errno of reading. */
static int write_tar_content(struct export *export, int fd, uint64_t bytes)
{
	uint64_t left = bytes;
	ssize_t n = 1;
	int r = 0;

	while (left > 0 && r == 0 && want_more(export)) {
		n = read_chunk(export, fd, left);
		if (n <= 0)
			break;
		r = buf_add(&export->out, buf_slice(&export->chunk));
		left -= (uint64_t)n;
	}
	if (r == 0)
		r = write_zeros(export, left);
	if (r == 0)
		r = write_zeros(export, tar_padding(bytes));
	if (r == 0 && n < 0)
		r = (int)n;
	return r == 0 && left > 0 && export->error == 0 ? -ESTALE : r;
}

static int add_member(struct export *export, struct slice path, const struct stat *st)
{
	struct tar_member member = {
		.path = path,
		.is_directory = S_ISDIR(st->st_mode),
		.mode = st->st_mode & 0777,
		.user_uid = st->st_uid,
		.user_gid = st->st_gid,
		.bytes = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
		.mtime = st->st_mtim.tv_sec,
	};

	return tar_add_header(&export->out, &member);
}

/* The directory of a mailbox in the archive, with its slash: "Maildir/", "Maildir/.Sent/". */
static struct slice directory_of(const struct mail *mail, struct arena *arena, struct slice name)
{
	char directory[NAME_DIRECTORY_BYTES];

	if (name_to_directory(name, mail->task->conf->mail.hierarchy_separator, directory) < 0 ||
		strcmp(directory, ".") == 0)
		return SLICE("Maildir/");
	return arena_format(arena, "Maildir/%s/", directory);
}

static void add_directory(
	struct export *export, struct survey *survey, struct slice at, const char *name)
{
	struct stat st;

	if (fstatat(survey->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return;

	struct slice path = strcmp(name, ".") == 0
				    ? slice_head(at, at.n - 1)
				    : arena_format(&survey->arena, "%.*s%s", SLICE_FMT(at), name);

	if (add_member(export, path, &st) < 0)
		export->error = -ENOBUFS;
}

/* One of the small files that say what the messages are. It is read whole, for it may be replaced any time. */
static void add_small_file(
	struct export *export, struct survey *survey, struct slice at, const char *name)
{
	_cleanup_buf_ struct buf text = BUF(SMALL_FILE_BYTES);
	struct stamp stamp;
	struct stat st;
	int r = dirs_read_file(survey->dir_fd, name, &text, &stamp);

	if (r == -ENOENT || (r == 0 && fstatat(survey->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0))
		return;
	if (r < 0) {
		export->n_left_out++;
		report_error(export->mail->report, "%.*s%s: %s", SLICE_FMT(at), name, strerror(-r));
		return;
	}
	st.st_size = (off_t)text.n;
	r = add_member(export, arena_format(&survey->arena, "%.*s%s", SLICE_FMT(at), name), &st);
	flush(export);
	for (struct slice rest = buf_slice(&text); r == 0 && rest.n > 0 && want_more(export);)
		r = buf_add(&export->out,
			slice_take(&rest, rest.n < COPY_BYTES ? rest.n : (size_t)COPY_BYTES));
	if (r == 0)
		r = write_zeros(export, tar_padding(text.n));
	if (r < 0)
		export->error = r;
}

static void begin_tar(struct export *export, struct survey *survey, struct slice at)
{
	static const char *const directories[] = { ".", "cur", "new", "tmp" };
	static const char *const files[] = { "dovecot-uidlist", "dovecot-keywords",
		"restante-keywords", "restante-metadata", "maildirfolder", "subscriptions",
		"courierimapuiddb", "courierimapsubscribed" };

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		add_directory(export, survey, at, directories[i]);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		add_small_file(export, survey, at, files[i]);
}

static int write_message(struct export *export, struct slice at, const struct survey_file *file,
	int fd, const struct stat *st)
{
	char path[8 + NAME_DIRECTORY_BYTES + 8 + NAME_MAX + 1];
	int r;

	if (export->mail->task->format == MAIL_FORMAT_MBOX)
		return write_mbox_message(export, fd, st->st_mtim.tv_sec);
	snprintf(path, sizeof path, "%.*s%s/%.*s", SLICE_FMT(at), file->in_new ? "new" : "cur",
		SLICE_FMT(file->name));
	r = add_member(export, slice_str(path), st);
	return r < 0 ? r : write_tar_content(export, fd, (uint64_t)st->st_size);
}

/* A message that was expunged meanwhile is not missed. */
static void export_message(struct export *export, struct survey *survey, struct slice mailbox,
	struct slice at, const struct survey_file *file)
{
	struct stat st;
	_cleanup_close_ int fd = survey_open(survey, file);
	int r = fd;

	if (fd == -ENOENT)
		return;
	if (fd >= 0)
		r = fstat(fd, &st) < 0 ? -errno : write_message(export, at, file, fd, &st);
	if (r == -ENOBUFS)
		export->error = r;
	else if (r == -ESTALE)
		complain(export, mailbox, file,
			"it shrank while it was read: zeros are in place of its end");
	else if (r < 0)
		complain(export, mailbox, file, strerror(-r));
	else
		export->n_messages++;
}

/* By UID, then in the order in which those without one will get theirs. */
static int by_uid(const void *a, const void *b)
{
	const struct survey_file *x = *(const struct survey_file *const *)a;
	const struct survey_file *y = *(const struct survey_file *const *)b;

	if (x->msg_uid != y->msg_uid) /* no UID is 0, which comes last */
		return x->msg_uid - 1 < y->msg_uid - 1 ? -1 : 1;
	return filename_compare_arrival(x->name, y->name);
}

static enum mail_status export_one(void *arg, struct slice name, struct survey *survey)
{
	struct export *export = arg;
	struct slice at = directory_of(export->mail, &survey->arena, name);
	const struct survey_file **files =
		arena_array(&survey->arena, survey->n_files, sizeof *files);

	for (size_t i = 0; i < survey->n_files; i++)
		files[i] = &survey->files[i];
	if (survey->n_files > 0)
		qsort(files, survey->n_files, sizeof *files, by_uid);
	if (export->mail->task->format == MAIL_FORMAT_TAR)
		begin_tar(export, survey, at);
	for (size_t i = 0; i < survey->n_files && export->error == 0; i++) {
		report_progress(export->mail->report, name, i, survey->n_files);
		export_message(export, survey, name, at, files[i]);
		flush(export);
	}
	return MAIL_DONE;
}

static enum mail_status finish(struct export *export, enum mail_status status)
{
	struct report *report = export->mail->report;

	if (export->mail->task->format == MAIL_FORMAT_TAR && export->error == 0 &&
		tar_add_end(&export->out) < 0)
		export->error = -ENOBUFS;
	flush(export);
	if (export->error < 0) {
		report_error(report, "the output: %s; what was written is not whole",
			strerror(-export->error));
		return MAIL_FAILED;
	}
	report_message(report, "%llu messages%s", (unsigned long long)export->n_messages,
		export->n_left_out > 0 ? "; others were left out" : "");
	return status == MAIL_DONE && export->n_left_out > 0 ? MAIL_FINDINGS : status;
}

enum mail_status mail_task_export(void *arg, struct report *report)
{
	struct mail mail;
	struct export export = {
		.mail = &mail,
		.out = BUF(OUT_BYTES),
		.chunk = BUF(COPY_BYTES),
	};
	enum mail_status status = MAIL_FAILED;

	if (mail_open(&mail, arg, report))
		status = finish(&export, mail_each(&mail, export_one, &export));
	mail_close(&mail);
	buf_done(&export.out);
	buf_done(&export.chunk);
	return status;
}
