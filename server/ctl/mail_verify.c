#include "server/ctl/mail_verify.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/filename.h"
#include "maildir/leftovers.h"
#include "maildir/lock.h"
#include "maildir/message/crlf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

enum { READ_BYTES = 256 * 1024 };

static void find_file(struct survey *survey, const struct survey_file *file, const char *kind,
	struct slice detail)
{
	survey_find(survey, &(struct finding){
				    .kind = kind,
				    .msg_uid = file->msg_uid,
				    .file = survey_path(survey, file),
				    .detail = detail,
			    });
}

/* Returns 0, -errno. */
static int count_octets(
	const struct survey *survey, const struct survey_file *file, uint64_t *ret_octets)
{
	_cleanup_close_ int fd = survey_open(survey, file);
	_cleanup_free_ char *bytes = NULL;
	struct crlf_count count = { 0 };
	ssize_t n;

	if (fd < 0)
		return fd;
	bytes = malloc(READ_BYTES);
	must(bytes != NULL);
	while ((n = read(fd, bytes, READ_BYTES)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			crlf_count(&count, slice_from(bytes, (size_t)n));
	}
	*ret_octets = count.octets;
	return 0;
}

static void check_number(struct survey *survey, const struct survey_file *file, const char *what,
	uint64_t recorded, uint64_t real)
{
	if (recorded != real)
		find_file(survey, file, "wrong-size",
			survey_text(survey, "%s says %llu, but it is %llu", what,
				(unsigned long long)recorded, (unsigned long long)real));
}

static bool field_number(struct slice fields, char key, uint64_t *ret_value)
{
	struct slice value;

	return uidlist_field(fields, key, &value) && slice_number(value, INT64_MAX, ret_value);
}

static void check_octets(struct survey *survey, struct survey_file *file, bool quick)
{
	uint64_t of_name, of_uidlist, octets = 0;
	bool in_name = filename_size(file->base, 'W', &of_name);
	bool in_uidlist = field_number(file->fields, 'W', &of_uidlist);
	int r;

	if (quick)
		return;
	r = count_octets(survey, file, &octets);
	if (r == -ENOENT)
		return;
	if (r < 0) {
		find_file(survey, file, "unreadable", survey_text(survey, "%s", strerror(-r)));
		return;
	}
	file->octets = octets;
	if (in_name)
		check_number(survey, file, "W= in its name", of_name, octets);
	if (in_uidlist)
		check_number(survey, file, "W in the uidlist", of_uidlist, octets);
}

static void check_size(struct survey *survey, const struct survey_file *file)
{
	uint64_t recorded;
	struct stat st;
	int r = survey_stat(survey, file, &st);

	if (r < 0) {
		if (r != -ENOENT)
			find_file(survey, file, "unreadable",
				survey_text(survey, "%s", strerror(-r)));
		return;
	}
	if (filename_size(file->base, 'S', &recorded))
		check_number(survey, file, "S= in its name", recorded, (uint64_t)st.st_size);
	if (field_number(file->fields, 'S', &recorded))
		check_number(survey, file, "S in the uidlist", recorded, (uint64_t)st.st_size);
}

static void check_files(struct survey *survey, const struct verify_order *order)
{
	for (size_t i = 0; i < survey->n_files; i++) {
		struct survey_file *file = &survey->files[i];

		report_progress(order->report, order->name, i, survey->n_files);
		if (file->msg_uid == 0 && !file->in_new && !file->is_second && survey->has_uidlist)
			find_file(survey, file, "no-uid",
				SLICE("the uidlist has no UID for it; it gets one when the mailbox "
				      "is next "
				      "opened"));
		check_size(survey, file);
		check_octets(survey, file, order->quick);
	}
	if (!survey->has_uidlist && !survey->is_uidlist_broken && survey->n_files > 0)
		survey_find(survey,
			&(struct finding){
				.kind = "no-uidlist",
				.is_note = true,
				.file = SLICE("dovecot-uidlist"),
				.detail = SLICE(
					"there is none yet: UIDs are given when the mailbox is "
					"first opened"),
			});
}

/* What was expunged leaves such a record behind until the uidlist is next written as a whole. So it is no fault. */
static void check_records(struct survey *survey)
{
	for (size_t i = 0; i < survey->n_records; i++) {
		const struct survey_record *record = &survey->records[i];

		if (!record->has_file)
			survey_find(survey, &(struct finding){
						    .kind = "no-file",
						    .is_note = true,
						    .msg_uid = record->msg_uid,
						    .file = record->base,
						    .detail = SLICE("the uidlist has a UID, but "
								    "there is no file: it was "
								    "expunged, or is lost"),
					    });
	}
}

static void check_keywords(struct survey *survey)
{
	for (unsigned i = 0; i < FILENAME_KEYWORD_LETTERS; i++)
		if ((survey->letters_used & (1ULL << i)) != 0 && !survey->keywords.names[i])
			survey_find(survey,
				&(struct finding){
					.kind = "nameless-keyword",
					.file = SLICE("dovecot-keywords"),
					.detail = survey_text(survey,
						"files have the letter %c, which has no name there",
						(int)('a' + i)),
				});
}

/* Whether a lock names a process of this host that is no more. */
static bool is_dead(struct slice text, const char *hostname)
{
	struct slice pid;
	uint64_t number;

	return slice_split(&text, ':', &pid) &&
	       slice_equal(slice_trim(text), slice_str(hostname)) &&
	       slice_number(pid, INT32_MAX, &number) && number > 0 && kill((pid_t)number, 0) < 0 &&
	       errno == ESRCH;
}

void verify_lock(
	struct survey *survey, int dir_fd, const char *name, const struct verify_order *order)
{
	_cleanup_buf_ struct buf text = BUF(1024);
	struct stamp stamp = { 0 };
	int r = dirs_read_file(dir_fd, name, &text, &stamp);
	uint64_t changed_usec;
	const char *why = NULL;

	if (r == -ENOENT)
		return;
	changed_usec = stamp.mtime_sec > 0 ? (uint64_t)stamp.mtime_sec * USEC_PER_SEC : 0;
	if (r < 0)
		why = strerror(-r);
	else if (is_dead(buf_slice(&text), order->hostname))
		why = "its holder, a process of this host, is no more";
	else if (changed_usec + LOCK_STALE_USEC < order->now_usec)
		why = "unchanged for more than two minutes";
	if (why)
		survey_find(survey,
			&(struct finding){
				.kind = "stale-lock",
				.file = slice_str(name),
				.detail = survey_text(survey,
					"%s; the next program that wants it takes it over", why),
			});
}

static void check_tmp(struct survey *survey, const struct verify_order *order)
{
	int fd = dirs_open(survey->dir_fd, "tmp", false);
	int64_t old = (int64_t)((order->now_usec - LEFTOVER_AGE_USEC) / USEC_PER_SEC);
	struct stat st;
	size_t n = 0;
	DIR *dir;

	if (fd < 0) {
		survey_find(survey, &(struct finding){
					    .kind = "missing-directory",
					    .file = SLICE("tmp"),
					    .detail = survey_text(survey, "%s", strerror(-fd)),
				    });
		return;
	}
	dir = fdopendir(fd);
	for (struct dirent *e; dir && (e = readdir(dir));)
		n += e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		     S_ISREG(st.st_mode) && st.st_ctim.tv_sec < old;
	if (dir)
		closedir(dir);
	if (n > 0)
		survey_find(
			survey, &(struct finding){
					.kind = "leftovers",
					.is_note = true,
					.file = SLICE("tmp"),
					.detail = survey_text(survey,
						"%zu files older than 36 hours, of deliveries that "
						"did not end; "
						"they are removed when the mailbox is next opened",
						n),
				});
}

void verify_mailbox(struct survey *survey, const struct verify_order *order)
{
	check_files(survey, order);
	check_records(survey);
	check_keywords(survey);
	verify_lock(survey, survey->dir_fd, "dovecot-uidlist.lock", order);
	verify_lock(survey, survey->dir_fd, "dovecot-keywords.lock", order);
	check_tmp(survey, order);
}
