#include "server/ctl/mail_survey.h"

#include "base/must.h"
#include "maildir/filename.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#define UIDLIST_NAME "dovecot-uidlist"
#define COURIER_NAME "courierimapuiddb"

enum { UIDLIST_MAX_BYTES = 1 << 30, KEYWORDS_MAX_BYTES = 256 * 1024 * 1024 };

static void *grow(void *items, size_t n, size_t *cap, size_t item_bytes)
{
	if (n < *cap)
		return items;
	*cap = *cap ? 2 * *cap : 256;
	items = reallocarray(items, *cap, item_bytes);
	must(items != NULL);
	return items;
}

struct slice survey_text(struct survey *survey, const char *format, ...)
{
	char text[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return arena_copy(&survey->arena, slice_str(text));
}

void survey_find(struct survey *survey, const struct finding *finding)
{
	survey->findings = grow(survey->findings, survey->n_findings, &survey->findings_cap,
		sizeof *survey->findings);
	survey->findings[survey->n_findings] = *finding;
	survey->findings[survey->n_findings++].file = arena_copy(&survey->arena, finding->file);
}

struct slice survey_path(struct survey *survey, const struct survey_file *file)
{
	return arena_format(
		&survey->arena, "%s/%.*s", file->in_new ? "new" : "cur", SLICE_FMT(file->name));
}

/* The uidlist, line by line. */

static void add_record(struct survey *survey, const struct uidlist_record *record)
{
	survey->records = grow(
		survey->records, survey->n_records, &survey->records_cap, sizeof *survey->records);
	survey->records[survey->n_records++] = (struct survey_record){
		.base = record->base,
		.fields = record->fields,
		.msg_uid = record->msg_uid,
	};
}

static void find_broken(struct survey *survey, const char *name, size_t line, const char *why)
{
	survey->is_uidlist_broken = true;
	survey_find(
		survey, &(struct finding){
				.kind = "uidlist-broken",
				.file = slice_str(name),
				.detail = survey_text(survey,
					"line %zu: %s; the mailbox gets a new UIDVALIDITY when it "
					"is next opened",
					line, why),
			});
}

/* Reads on behind a line that is not understood, so that all are told. */
static void parse_uidlist(struct survey *survey, const char *name)
{
	struct slice text = buf_slice(&survey->uidlist_text), line;
	uint32_t last = 0;
	ssize_t end;

	for (size_t number = 1; (end = slice_find(text, '\n')) >= 0; number++) {
		struct uidlist_record record;

		line = slice_head(text, (size_t)end);
		text = slice_tail(text, (size_t)end + 1);
		if (number == 1) {
			survey->has_uidlist = uidlist_parse_header(line, &survey->header);
			if (!survey->has_uidlist) {
				find_broken(survey, name, number, "not a header of a uidlist");
				return;
			}
		} else if (!uidlist_parse_record(survey->header.version, line, &record)) {
			find_broken(survey, name, number, "not a record of a message");
		} else if (record.msg_uid <= last) {
			find_broken(survey, name, number, "its UID is not above the one before");
		} else {
			last = record.msg_uid;
			add_record(survey, &record);
		}
	}
	if (survey->has_uidlist && last >= survey->header.uidnext)
		survey->header.uidnext = last < UINT32_MAX ? last + 1 : last;
	if (text.n > 0)
		survey_find(survey,
			&(struct finding){
				.kind = "uidlist-unfinished",
				.is_note = true,
				.file = slice_str(name),
				.detail = SLICE("the last line has no end: it is being written, or "
						"was when its writer died"),
			});
}

/* A uidlist that is no file has no stamp, then as later. */
static struct stamp uidlist_stamp(const struct survey *survey)
{
	struct stamp stamp;

	return dirs_stamp(survey->dir_fd, UIDLIST_NAME, &stamp) == 0 ? stamp : (struct stamp){ 0 };
}

static void read_uidlist(struct survey *survey)
{
	const char *name = UIDLIST_NAME;
	struct stamp stamp;
	int r;

	survey->stamps[2] = uidlist_stamp(survey);
	r = dirs_read_file(survey->dir_fd, name, &survey->uidlist_text, &stamp);
	if (r == -ENOENT) {
		name = COURIER_NAME;
		r = dirs_read_file(survey->dir_fd, name, &survey->uidlist_text, &stamp);
		if (r == 0)
			survey_find(survey,
				&(struct finding){
					.kind = "courier",
					.is_note = true,
					.file = slice_str(name),
					.detail = SLICE("UIDs are Courier's; they are taken over "
							"when the mailbox is next opened"),
				});
	}
	if (r == 0)
		parse_uidlist(survey, name);
	else if (r != -ENOENT)
		find_broken(survey, name, 0, strerror(-r));
}

/* Files. */

static void find_odd(
	struct survey *survey, const char *directory, const char *name, const char *what)
{
	survey_find(survey, &(struct finding){
				    .kind = "odd-file",
				    .file = arena_format(&survey->arena, "%s/%s", directory, name),
				    .detail = survey_text(
					    survey, "%s; it is passed over, and no message", what),
			    });
}

static const char *what_it_is(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "a symbolic link";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

static void add_file(struct survey *survey, const char *name, bool in_new)
{
	struct slice copy = arena_copy(&survey->arena, slice_str(name));
	struct filename parts = filename_parse(copy);

	survey->files =
		grow(survey->files, survey->n_files, &survey->files_cap, sizeof *survey->files);
	survey->files[survey->n_files++] = (struct survey_file){
		.name = copy,
		.base = parts.base,
		.in_new = in_new,
		.octets = SURVEY_OCTETS_UNKNOWN,
		.letters = filename_letters(parts.info),
		.keywords = filename_letters(parts.info) & LETTERS_KEYWORDS,
	};
	survey->letters_used |= filename_letters(parts.info) & LETTERS_KEYWORDS;
}

static void meet(struct survey *survey, int fd, const struct dirent *e, bool in_new)
{
	const char *directory = in_new ? "new" : "cur";
	struct stat st;

	if (e->d_name[0] == '.')
		return;
	if (!filename_is_message(slice_str(e->d_name))) {
		find_odd(survey, directory, e->d_name,
			strpbrk(e->d_name, "\r\n")
				? "a name with a line end, which no uidlist can hold"
				: "a name that no message can have");
		return;
	}
	if (e->d_type != DT_REG) {
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return; /* renamed, or gone: survey_is_current() tells */
		if (!S_ISREG(st.st_mode)) {
			find_odd(survey, directory, e->d_name, what_it_is(st.st_mode));
			return;
		}
	}
	add_file(survey, e->d_name, in_new);
}

static int scan(struct survey *survey, int dir_fd, bool in_new)
{
	int fd = dirs_open(dir_fd, ".", false);
	DIR *dir;
	int r;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	must(dir != NULL);
	errno = 0;
	for (struct dirent *e; (e = readdir(dir)); errno = 0)
		meet(survey, fd, e, in_new);
	r = -errno;
	closedir(dir);
	return r;
}

static int by_base(const void *a, const void *b)
{
	const struct survey_file *x = a, *y = b;
	int order = slice_compare(x->base, y->base);

	if (order == 0)
		order = (int)x->in_new - (int)y->in_new;
	return order ? order : slice_compare(x->name, y->name);
}

static int records_by_base(const void *a, const void *b)
{
	const struct survey_record *x = a, *y = b;
	int order = slice_compare(x->base, y->base);

	return order ? order : (x->msg_uid > y->msg_uid) - (x->msg_uid < y->msg_uid);
}

static void sort(struct survey *survey)
{
	if (survey->n_files > 0)
		qsort(survey->files, survey->n_files, sizeof *survey->files, by_base);
	if (survey->n_records > 0)
		qsort(survey->records, survey->n_records, sizeof *survey->records, records_by_base);
	for (size_t i = 1; i < survey->n_files; i++) {
		struct survey_file *file = &survey->files[i];
		const struct survey_file *first = file - 1;

		file->is_second = slice_equal(file->base, first->base);
		if (file->is_second)
			survey_find(survey,
				&(struct finding){
					.kind = "duplicate-name",
					.file = survey_path(survey, file),
					.detail = survey_text(survey,
						"the base name of %s/%.*s too; it becomes a "
						"message of its own when the mailbox is next "
						"opened",
						first->in_new ? "new" : "cur",
						SLICE_FMT(first->name)),
				});
	}
}

/* Both sorted by base name. Of two UIDs of one file the higher one counts, as everywhere in the store. */
static void join(struct survey *survey)
{
	size_t at = 0;

	for (size_t i = 0; i < survey->n_records; i++) {
		struct survey_record *record = &survey->records[i];

		while (at < survey->n_files &&
			slice_compare(survey->files[at].base, record->base) < 0)
			at++;
		if (at == survey->n_files || !slice_equal(survey->files[at].base, record->base))
			continue;

		struct survey_file *file = &survey->files[at];

		if (file->msg_uid != 0)
			survey_find(survey,
				&(struct finding){
					.kind = "duplicate-uid",
					.msg_uid = file->msg_uid,
					.file = survey_path(survey, file),
					.detail = survey_text(survey,
						"has UID %u as well, which is the one that counts",
						record->msg_uid),
				});
		record->has_file = true;
		file->msg_uid = record->msg_uid;
		file->fields = record->fields;
	}
}

/* Keywords. */

static struct survey_file *file_of(const struct survey *survey, struct slice base)
{
	size_t low = 0, high = survey->n_files;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(survey->files[middle].base, base) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < survey->n_files && slice_equal(survey->files[low].base, base)
		       ? &survey->files[low]
		       : NULL;
}

static void take_keyword_line(struct survey *survey, struct slice line, size_t number)
{
	struct keyword_line_values values;
	struct survey_file *file;

	switch (keywords_parse_line(line, &values)) {
	case KEYWORD_LINE_NAME:
		keyword_table_set(&survey->keywords, values.number, values.name);
		break;
	case KEYWORD_LINE_MESSAGE:
		file = file_of(survey, values.name);
		if (file)
			file->keywords = (file->keywords & LETTERS_KEYWORDS) | values.keywords;
		break;
	case KEYWORD_LINE_NONE:
		if (number > 1)
			survey_find(survey,
				&(struct finding){
					.kind = "keywords-broken",
					.file = SLICE("restante-keywords"),
					.detail = survey_text(survey,
						"line %zu is not understood, and passed over",
						number),
				});
		break;
	}
}

static void find_unreadable(struct survey *survey, const char *name, int r)
{
	if (r < 0 && r != -ENOENT)
		survey_find(survey, &(struct finding){
					    .kind = "unreadable",
					    .file = slice_str(name),
					    .detail = survey_text(survey, "%s", strerror(-r)),
				    });
}

static void read_keywords(struct survey *survey)
{
	_cleanup_buf_ struct buf text = BUF(KEYWORDS_MAX_BYTES);
	struct stamp stamp;
	int r = dirs_read_file(survey->dir_fd, "dovecot-keywords", &text, &stamp);
	struct slice rest;
	ssize_t end;

	find_unreadable(survey, "dovecot-keywords", r);
	keywords_parse_dovecot(buf_slice(&text), &survey->keywords);
	r = dirs_read_file(survey->dir_fd, "restante-keywords", &survey->keywords_text, &stamp);
	find_unreadable(survey, "restante-keywords", r);
	rest = buf_slice(&survey->keywords_text);
	for (size_t number = 1; (end = slice_find(rest, '\n')) >= 0; number++) {
		take_keyword_line(survey, slice_head(rest, (size_t)end), number);
		rest = slice_tail(rest, (size_t)end + 1);
	}
}

static int open_directories(struct survey *survey, int root_fd, const char *directory)
{
	survey->dir_fd = dirs_open(root_fd, directory, false);
	if (survey->dir_fd < 0)
		return survey->dir_fd;
	survey->cur_fd = dirs_open(survey->dir_fd, "cur", false);
	if (survey->cur_fd < 0)
		return survey->cur_fd;
	survey->new_fd = dirs_open(survey->dir_fd, "new", false);
	if (survey->new_fd < 0)
		survey_find(survey,
			&(struct finding){
				.kind = "missing-directory",
				.file = SLICE("new"),
				.detail = survey_text(survey, "%s", strerror(-survey->new_fd)),
			});
	return 0;
}

int survey_read(int root_fd, const char *directory, struct survey *ret_survey)
{
	struct survey *survey = ret_survey;
	int r;

	*survey = (struct survey){
		.dir_fd = -1,
		.cur_fd = -1,
		.new_fd = -1,
		.uidlist_text = BUF(UIDLIST_MAX_BYTES),
		.keywords_text = BUF(KEYWORDS_MAX_BYTES),
	};
	r = open_directories(survey, root_fd, directory);
	if (r == 0)
		r = dirs_stamp_fd(survey->cur_fd, &survey->stamps[0]);
	if (r == 0 && survey->new_fd >= 0)
		r = dirs_stamp_fd(survey->new_fd, &survey->stamps[1]);
	/* The uidlist first: a file that comes later may lack its UID, but no UID its file. */
	if (r == 0)
		read_uidlist(survey);
	if (r == 0 && survey->new_fd >= 0)
		r = scan(survey, survey->new_fd, true);
	if (r == 0)
		r = scan(survey, survey->cur_fd, false);
	if (r < 0)
		return r;
	sort(survey);
	join(survey);
	read_keywords(survey);
	return 0;
}

void survey_done(struct survey *survey)
{
	int fds[] = { survey->dir_fd, survey->cur_fd, survey->new_fd };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(survey->files);
	free(survey->records);
	free(survey->findings);
	keyword_table_done(&survey->keywords);
	buf_done(&survey->uidlist_text);
	buf_done(&survey->keywords_text);
	arena_done(&survey->arena);
	*survey = (struct survey){ .dir_fd = -1, .cur_fd = -1, .new_fd = -1 };
}

bool survey_is_current(const struct survey *survey)
{
	struct stamp now[3] = { { 0 } };

	if (dirs_stamp_fd(survey->cur_fd, &now[0]) < 0 ||
		(survey->new_fd >= 0 && dirs_stamp_fd(survey->new_fd, &now[1]) < 0))
		return false;
	now[2] = uidlist_stamp(survey);
	for (size_t i = 0; i < 3; i++)
		if (!stamp_equal(&now[i], &survey->stamps[i]))
			return false;
	return true;
}

static int open_message(int dir_fd, const char *name)
{
	struct stat st;
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP ? -EINVAL : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -EINVAL;
}

/* Its name is another now; its base name is not. */
static int open_renamed(int dir_fd, struct slice base)
{
	int fd = dir_fd >= 0 ? dirs_open(dir_fd, ".", false) : -ENOENT, r = -ENOENT;
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	must(dir != NULL);
	for (struct dirent *e; r == -ENOENT && (e = readdir(dir));)
		if (slice_equal(filename_parse(slice_str(e->d_name)).base, base))
			r = open_message(fd, e->d_name);
	closedir(dir);
	return r;
}

int survey_open(const struct survey *survey, const struct survey_file *file)
{
	char name[NAME_MAX + 1];
	int r;

	if (!slice_to_str(file->name, name, sizeof name))
		return -EINVAL;
	r = open_message(survey_dir(survey, file), name);
	if (r == -ENOENT)
		r = open_renamed(survey->cur_fd, file->base);
	return r == -ENOENT ? open_renamed(survey->new_fd, file->base) : r;
}

int survey_stat(const struct survey *survey, const struct survey_file *file, struct stat *ret_st)
{
	char name[NAME_MAX + 1];

	if (!slice_to_str(file->name, name, sizeof name))
		return -EINVAL;
	return fstatat(survey_dir(survey, file), name, ret_st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
											: 0;
}
