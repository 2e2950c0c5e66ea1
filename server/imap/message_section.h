/* message_section.h - where a section of a message lies in its file. */
#pragma once

#include "server/imap/grammar_fetch.h"
#include "server/imap/message_file.h"

/*
 * Which bytes a section is; HEADER.FIELDS and HEADER.FIELDS.NOT are chosen from them. What it takes of the file is known by
 * now: the structure where there are part numbers; else header and octets.
 * Returns false: there is no such section.
 */
bool message_section_stretch(
	const struct message_file *file, const struct section *section, struct stretch *ret_stretch);

/* The same, finding out first what it takes. Returns 0; -ENOENT: there is no such section; -EINPROGRESS; -errno as message_file.h. */
_must_check_ int message_section_find(struct message_file *file, const struct section *section,
	struct work *work, struct stretch *ret_stretch);
