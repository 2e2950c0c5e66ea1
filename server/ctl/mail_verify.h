/* mail_verify.h - where the files of a mailbox disagree with each other. Changes nothing. */
#pragma once

#include "server/ctl/mail_report.h"
#include "server/ctl/mail_survey.h"

struct verify_order {
	struct slice name; /* of the mailbox, for progress */
	bool quick;        /* read no message: sizes with CRLF are not checked */
	const char *hostname;
	uint64_t now_usec;
	struct report *report; /* for progress */
};

/* Add to the findings of a survey what only a closer look tells: sizes, records without files, locks, keywords. */
void verify_mailbox(struct survey *survey, const struct verify_order *order);

/* Find lock files in a directory that are stale: unchanged for two minutes, or of a process that is no more. */
void verify_lock(
	struct survey *survey, int dir_fd, const char *name, const struct verify_order *order);
