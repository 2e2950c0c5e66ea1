#include "server/session/account.h"

#include "base/must.h"
#include "base/quote.h"
#include "server/session/user_sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum { EXIT_FAULT = 70, EXIT_NOT_PERMITTED = 77 }; /* EX_SOFTWARE, EX_NOPERM */

static char *copy(struct slice s)
{
	char *p = strndup(s.n > 0 ? s.p : "", s.n);

	must(p != NULL);
	return p;
}

static struct identity identity_of(const struct frame_adopt *adopt)
{
	struct identity identity = {
		.user_uid = adopt->user_uid,
		.user_gid = adopt->user_gid,
		.n_groups = adopt->groups.n / sizeof(uint32_t),
	};

	must(identity.n_groups <= LIMIT_GROUPS);
	for (size_t i = 0; i < identity.n_groups; i++) {
		uint32_t gid;

		memcpy(&gid, adopt->groups.p + i * sizeof gid, sizeof gid);
		identity.groups[i] = ntohl(gid);
	}
	return identity;
}

struct account *account_new(const struct frame_adopt *adopt)
{
	struct account *account = malloc(sizeof *account);

	must(account != NULL);
	*account = (struct account){
		.user = quote_dup(adopt->user),
		.home = copy(adopt->home),
		.mail_path = copy(adopt->mail_path),
		.index_path = copy(adopt->index_path),
		.drop_index = adopt->drop_index,
		.identity = identity_of(adopt),
	};
	return account;
}

void account_free(struct account *account)
{
	if (!account)
		return;
	free(account->user);
	free(account->home);
	free(account->mail_path);
	free(account->index_path);
	free(account);
}

bool account_matches(const struct account *account, const struct frame_adopt *adopt)
{
	return adopt->user_uid == account->identity.user_uid &&
	       slice_equal(adopt->mail_path, slice_str(account->mail_path));
}

/* As root a failure ends the session; an ordinary user's session may stay what it is, and refuse. */
static int become(const struct account *account, const struct log *log, bool *ret_may_serve)
{
	bool is_root = geteuid() == 0;
	int r = become_user(&account->identity);

	*ret_may_serve = r == 0;
	if (r == 0)
		return 0;
	if (is_root) {
		log_line(log, LOG_PRIORITY_ERROR, "user=%s: cannot become uid %u: %s",
			account->user, (unsigned)account->identity.user_uid, strerror(-r));
		return EXIT_NOT_PERMITTED;
	}
	log_line(log, LOG_PRIORITY_ERROR,
		"user=%s: their mail belongs to uid %u, and restante runs as uid %u: start it as "
		"root to serve other users, or set user in [mail]",
		account->user, (unsigned)account->identity.user_uid, (unsigned)getuid());
	return 0;
}

int account_enter(const struct account *account, const struct session_settings *settings,
	const struct log *log, bool *ret_may_serve)
{
	int r = become(account, log, ret_may_serve);

	if (r != 0)
		return r;
	if (*ret_may_serve) {
		r = become_make_directory(account->home, account->mail_path);
		if (r < 0)
			log_line(log, LOG_PRIORITY_ERROR, "user=%s: cannot make %s: %s",
				account->user, account->mail_path, strerror(-r));
		/* Elsewhere it must be there before the sandbox is; where it cannot be made, whoever opens it will tell. */
		(void)!become_make_directory(account->home, account->index_path);
	}
	r = user_sandbox_enter(&(struct user_sandbox_settings){
		.mail_path = account->mail_path,
		.index_path = account->index_path,
		.max_connections = settings->conf->session.max_connections_per_user,
		.filter = settings->filter,
	});
	if (r < 0)
		log_line(log, LOG_PRIORITY_ERROR, "user=%s: cannot enter the sandbox: %s",
			account->user, strerror(-r));
	return r < 0 ? EXIT_FAULT : 0;
}

static enum fsync_mode fsync_mode_of(enum conf_fsync fsync)
{
	static const enum fsync_mode modes[] = {
		[CONF_FSYNC_OPTIMIZED] = FSYNC_OPTIMIZED,
		[CONF_FSYNC_ALWAYS] = FSYNC_ALWAYS,
		[CONF_FSYNC_NEVER] = FSYNC_NEVER,
	};

	return modes[fsync];
}

static const char *remedy(int r)
{
	switch (-r) {
	case EACCES:
	case EPERM:
		return "the directory must belong to the user, and the user must be able to pass "
		       "every directory above it";
	case ENOENT:
		return "make the directory above it, or mount what is not mounted";
	case ENOTDIR:
		return "a file is in the place of the mail directory: an mbox must be converted "
		       "first";
	case ELOOP:
		return "cur, new and tmp must be directories, not symbolic links";
	case ENOSPC:
	case EDQUOT:
		return "free some space";
	case EROFS:
		return "the file system is mounted read-only";
	default:
		return "see path and index in [mail]";
	}
}

struct store *account_open_store(const struct account *account,
	const struct session_settings *settings, const struct log *log)
{
	struct store *store;
	int r = store_open(
		&(struct store_settings){
			.path = account->mail_path,
			.index_path = account->index_path,
			.hierarchy_separator = settings->conf->mail.hierarchy_separator,
			.fsync = fsync_mode_of(settings->conf->mail.fsync),
			.hostname = settings->hostname,
			.uidl_format = settings->conf->pop3.uidl_format,
			.boot_id = settings->boot_id,
			.drop_index = account->drop_index,
			.quota_bytes = settings->conf->mail.quota_storage_bytes,
			.quota_messages = settings->conf->mail.quota_messages,
			.quota_ignore = settings->conf->mail.quota_ignore.values,
			.quota_ignore_n = settings->conf->mail.quota_ignore.n,
		},
		log, &store);

	if (r == 0)
		return store;
	log_line(log, LOG_PRIORITY_ERROR, "user=%s: cannot open the mail in %s: %s: %s",
		account->user, account->mail_path, strerror(-r), remedy(r));
	return NULL;
}
