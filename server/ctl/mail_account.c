#include "server/ctl/mail_account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/stat.h>

#define STANDARD_CONFIG RESTANTE_SYSCONFDIR "/restante/restante.conf"

static int fail(char ret_cause[MAIL_CAUSE_BYTES], const char *format, ...) _printf_(2, 3);

static int fail(char ret_cause[MAIL_CAUSE_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_cause, MAIL_CAUSE_BYTES, format, args);
	va_end(args);
	return -1;
}

/* Settings that are wrong could mean mail elsewhere: none is guessed. */
static int read_conf(const char *config, bool is_needed, struct conf **ret_conf,
	char ret_cause[MAIL_CAUSE_BYTES])
{
	const char *path = config ? config : STANDARD_CONFIG;
	_cleanup_free_ char *text = NULL;
	struct conf_problems problems = { 0 };
	size_t n = 0;
	int r = conf_read_file(path, &text, &n);

	if (r == -ENOENT && !config && !is_needed) {
		*ret_conf = conf_parse_anyway(SLICE(""));
		return 0;
	}
	if (r < 0)
		return fail(ret_cause,
			"%.300s: %s; it says where mail lies: name the server's configuration with "
			"-c, or the mail itself with --path",
			path, strerror(-r));
	if (conf_parse(slice_from(text, n), ret_conf, &problems) < 0) {
		r = fail(ret_cause,
			"%.300s:%u: %.200s; `restantectl check' tells all that is wrong", path,
			problems.n > 0 ? problems.items[0].line : 0,
			problems.n > 0 ? problems.items[0].text : "it cannot be read");
		conf_problems_done(&problems);
		return r;
	}
	return 0;
}

static int find_user(
	struct mail_account *account, const char *user, char ret_cause[MAIL_CAUSE_BYTES])
{
	const struct conf *conf = account->conf;
	struct account_rules rules = {
		.mail_user = conf->mail.user,
		.mail_path = conf->mail.path,
		.index_path = conf->mail.index,
		.minimum_uid = conf->auth.minimum_uid,
	};
	char cause[ACCOUNT_CAUSE_BYTES];

	if (!conf->mail.user[0] && account_user_is_valid(slice_str(user)) && !getpwnam(user))
		return fail(ret_cause,
			"%.100s: no such user on this host; names are written as in /etc/passwd, "
			"and "
			"virtual users need [mail] user",
			user);
	if (account_find(&rules, slice_str(user), &account->account, cause) != VERDICT_OK)
		return fail(ret_cause, "%.100s: %s", user, cause);
	return 0;
}

static void load_owner(struct account *account, const struct stat *st)
{
	const struct passwd *owner = getpwuid(st->st_uid);
	int n = LIMIT_GROUPS;

	snprintf(account->user, sizeof account->user, "uid %u", (unsigned)st->st_uid);
	account->user_uid = st->st_uid;
	account->user_gid = owner ? owner->pw_gid : st->st_gid;
	account->groups[0] = account->user_gid;
	account->n_groups = 1;
	if (!owner)
		return;
	snprintf(account->user, sizeof account->user, "%s", owner->pw_name);
	if (getgrouplist(owner->pw_name, account->user_gid, account->groups, &n) >= 0)
		account->n_groups = (size_t)n;
	else
		account->n_groups = LIMIT_GROUPS;
}

/*
 * As root nothing is opened here: whose directory it is, is asked, and that owner, who can go nowhere they could not
 * go before, does the rest. So links on the way lead nobody to anything.
 */
static int find_path(struct account *account, const char *path, char ret_cause[MAIL_CAUSE_BYTES])
{
	char directory[LIMIT_PATH_BYTES + 1] = "";
	size_t n = strlen(path);
	struct stat st;

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (path[0] != '/' && !getcwd(directory, sizeof directory))
		return fail(ret_cause, "the working directory: %s; give an absolute path",
			strerror(errno));

	int written = snprintf(account->mail_path, sizeof account->mail_path, "%s%s%.*s", directory,
		path[0] == '/' ? "" : "/", (int)n, path);
	int r = snprintf(account->index_path, sizeof account->index_path, "%s/restante.index",
		account->mail_path);

	if (written > LIMIT_PATH_BYTES || r > LIMIT_PATH_BYTES)
		return fail(ret_cause, "%.100s...: the path is too long", path);
	if (lstat(account->mail_path, &st) < 0)
		return fail(ret_cause, "%.300s: %s", path, strerror(errno));
	if (S_ISLNK(st.st_mode))
		return fail(ret_cause, "%.300s: a symbolic link; name the directory itself", path);
	if (!S_ISDIR(st.st_mode))
		return fail(ret_cause, "%.300s: not a directory; mail is a Maildir", path);
	if (geteuid() == 0 && st.st_uid == 0)
		return fail(ret_cause,
			"%.300s: belongs to root, and mail is never read as root; give it to its "
			"user "
			"(chown), or name the user instead of --path",
			path);
	load_owner(account, &st);
	if (geteuid() != 0)
		account->user_uid = getuid(); /* as whoever asks: permissions decide */
	return 0;
}

int mail_account_find(const char *config, const char *user, const char *path,
	struct mail_account *ret_account, char ret_cause[MAIL_CAUSE_BYTES])
{
	struct mail_account found = { 0 };
	int r = read_conf(config, user != NULL, &found.conf, ret_cause);

	if (r == 0)
		r = user ? find_user(&found, user, ret_cause)
			 : find_path(&found.account, path, ret_cause);
	if (r < 0) {
		mail_account_done(&found);
		return r;
	}
	*ret_account = found;
	return 0;
}

void mail_account_done(struct mail_account *account)
{
	if (account->conf)
		conf_free(account->conf);
	account->conf = NULL;
}
