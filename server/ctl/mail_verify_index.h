/* mail_verify_index.h - where the index disagrees with the files of a mailbox, as far as it claims to know them. Pure. */
#pragma once

#include "maildir/snapshot_format.h"
#include "server/ctl/index_records.h"
#include "server/ctl/mail_survey.h"

enum index_view {
	INDEX_VIEW_NONE,    /* the mailbox is not in it (yet) */
	INDEX_VIEW_BEHIND,  /* as it was: what changed since is found when the mailbox is next opened */
	INDEX_VIEW_CURRENT, /* the directories and files are those that it describes */
};

/* How the index stands to a mailbox. ret_header is set unless INDEX_VIEW_NONE is returned. */
enum index_view verify_index_view(const struct index_records *records, const struct survey *survey,
	struct snapshot_header *ret_header);

/*
 * Add to the findings of a survey: records that do not fit their checksum, or are none; and, of an index that is current,
 * whatever is not as the files say. Sizes are compared with files' octets where the survey has counted them.
 */
void verify_index_mailbox(const struct index_records *records, struct survey *survey);
