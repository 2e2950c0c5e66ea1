/*
 * mail_survey.h - one mailbox as it lies on disk: its files, and what uidlist and keyword files say of them. Reads
 * directories and small files, and changes nothing: no message moves from new/ to cur/, no UID is given.
 */
#pragma once

#include "base/arena.h"
#include "maildir/dirs.h"
#include "maildir/keywords.h"
#include "maildir/uidlist.h"

/* Something that is not as it should be, or, as a note, that is worth knowing and right all the same. */
struct finding {
	const char *kind; /* a word: see restantectl(8) */
	bool is_note;
	uint32_t msg_uid;  /* 0: none */
	struct slice file; /* in the mailbox's directory; empty: none */
	struct slice detail;
};

#define SURVEY_OCTETS_UNKNOWN UINT64_MAX

struct survey_file {
	struct slice name, base; /* base points into name */
	bool in_new, is_second;  /* another file, the one that counts, has the same base name */
	uint32_t letters;        /* maildir/filename.h */
	uint64_t keywords;       /* by number, those beyond the letters too */
	uint32_t msg_uid;        /* 0: none yet */
	struct slice fields;     /* of the uidlist, if there is a UID */
	uint64_t octets;         /* with CRLF line ends, as verify_mailbox() counted them; SURVEY_OCTETS_UNKNOWN */
};

struct survey_record {
	struct slice base, fields;
	uint32_t msg_uid;
	bool has_file;
};

/* Strings live in texts and arena until survey_done(). */
struct survey {
	int dir_fd, cur_fd, new_fd; /* -1: not there */
	struct stamp stamps[3];     /* of cur, new and the uidlist, before they were read */
	struct uidlist_header header;
	bool has_uidlist;       /* and its header is understood */
	bool is_uidlist_broken; /* at least in part: what follows there does not count */
	struct keyword_table keywords;
	uint64_t letters_used;     /* of all files */
	struct survey_file *files; /* by base name; of one name, that in cur/ first */
	size_t n_files, files_cap;
	struct survey_record *records; /* by base name, then UID */
	size_t n_records, records_cap;
	struct finding *findings;
	size_t n_findings, findings_cap;
	struct buf uidlist_text, keywords_text;
	struct arena arena;
};

/*
 * Read the mailbox in a directory of the root.
 * Returns 0: findings holds what was met on the way (duplicates, odd things among the messages, broken lines);
 *         -ENOENT: no such mailbox; -ELOOP: it, or its cur, is a symbolic link; -errno. survey_done() in any case.
 */
_must_check_ int survey_read(int root_fd, const char *directory, struct survey *ret_survey);
void survey_done(struct survey *survey);

/* Add a finding; file is copied. */
void survey_find(struct survey *survey, const struct finding *finding);
struct slice survey_text(struct survey *survey, const char *format, ...) _printf_(2, 3);

/* Whether nothing was changed since the survey began, as far as directories and uidlist tell. */
bool survey_is_current(const struct survey *survey);

/* The descriptor of a file's directory. */
static inline int survey_dir(const struct survey *survey, const struct survey_file *file)
{
	return file->in_new ? survey->new_fd : survey->cur_fd;
}

/* "cur/NAME", in the survey's arena. */
struct slice survey_path(struct survey *survey, const struct survey_file *file);

/*
 * Open a message for reading; one that was renamed meanwhile, as a flag change does, is found again.
 * Returns a descriptor, the caller's to close; -ENOENT: it is gone; -EINVAL: no regular file; -errno.
 */
_must_check_ int survey_open(const struct survey *survey, const struct survey_file *file);

/*
 * The size of the file as it is now, and its date. Links are not followed.
 * Returns 0; -ENOENT: gone, or renamed; -errno.
 */
_must_check_ int survey_stat(
	const struct survey *survey, const struct survey_file *file, struct stat *ret_st);
