#include "server/imap/cmd_quota.h"

#include "maildir/name.h"
#include "maildir/quota_file.h"
#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

#include <errno.h>

/* The name Dovecot's documentation gives it, so that programs that show it go on showing it. */
static const struct slice ROOT = { "User quota", 10 };

enum { STORAGE_UNIT_BYTES = 1024 };

static uint64_t storage_units(uint64_t bytes)
{
	return bytes / STORAGE_UNIT_BYTES + (bytes % STORAGE_UNIT_BYTES > 0);
}

/* Resources without a limit are not named (RFC 9208 section 4.2.1). */
static void write_quota(struct writer *w, const struct quota_usage *usage)
{
	bool storage = usage->limits.bytes > 0;

	write_raw(w, SLICE("* QUOTA "));
	write_astring(w, ROOT);
	write_raw(w, SLICE(" ("));
	if (storage)
		write_format(w, "STORAGE %llu %llu",
			(unsigned long long)storage_units((uint64_t)usage->used.bytes),
			(unsigned long long)storage_units(usage->limits.bytes));
	if (usage->limits.messages > 0)
		write_format(w, "%sMESSAGE %llu %llu", storage ? " " : "",
			(unsigned long long)usage->used.messages,
			(unsigned long long)usage->limits.messages);
	write_raw(w, SLICE(")\r\n"));
}

/* Returns RUN_DONE: *r is 0, -ENODATA: there is no quota, or -errno; else what to wait for. */
static enum run find_usage(struct imap *imap, struct quota_usage *ret_usage, int *r)
{
	*r = quota_usage(imap->settings.store, &imap->work, ret_usage);
	return imap_wait(imap, r);
}

enum run cmd_getquota(struct imap *imap)
{
	struct quota_usage usage;
	int r = -ENODATA;

	if (slice_equal(imap->command.arguments.quota.root, ROOT)) {
		enum run wait = find_usage(imap, &usage, &r);

		if (wait != RUN_DONE)
			return wait;
	}
	if (r == -ENODATA)
		return imap_no(imap, "NONEXISTENT", "No such quota root");
	if (r < 0)
		return imap_failed(imap, r);
	write_quota(&imap->out, &usage);
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_getquotaroot(struct imap *imap)
{
	struct slice name = imap->command.arguments.mailbox.name;
	char directory[NAME_DIRECTORY_BYTES];
	struct quota_usage usage;
	int r = name_to_directory(
		name, store_hierarchy_separator(imap->settings.store), directory);

	if (r < 0) /* the mailbox need not exist, but be one that could */
		return imap_failed(imap, r);
	r = -ENODATA;
	if (quota_counts_mailbox(imap->settings.store, name)) {
		enum run wait = find_usage(imap, &usage, &r);

		if (wait != RUN_DONE)
			return wait;
	}
	if (r < 0 && r != -ENODATA)
		return imap_failed(imap, r);
	write_raw(&imap->out, SLICE("* QUOTAROOT "));
	write_mailbox(&imap->out, name);
	if (r == 0) {
		write_raw(&imap->out, SLICE(" "));
		write_astring(&imap->out, ROOT);
	}
	write_crlf(&imap->out);
	if (r == 0)
		write_quota(&imap->out, &usage);
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_setquota(struct imap *imap)
{
	return imap_no(imap, "NOPERM", "The quota is set by the administrator");
}
