/* mailbox.h - restantectl mailbox VERB: its command line, and the showing of what came of it. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Options as given; NULL: not given. */
struct mailbox_options {
	const char *config, *path, *format, *output;
	bool all, counts, quick, strict, json;
};

/* Print a line for each verb. */
void mailbox_print_usage(FILE *to);

/* Whether any option was given that only these verbs have. */
bool mailbox_has_options(const struct mailbox_options *options);

/*
 * Run a verb.
 * words    n of them: the verb, then its arguments.
 * Returns  the exit status: enum mail_status, and MAIL_FAILED also for a command line that is wrong.
 */
int mailbox_run(const struct mailbox_options *options, char **words, int n);
