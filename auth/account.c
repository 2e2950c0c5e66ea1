#include "auth/account.h"

#include "auth/expand.h"
#include "base/must.h"
#include "base/quote.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/stat.h>

enum { PASSWD_MAX_BYTES = 1024 * 1024 };

/* A passwd record and the memory its strings lie in. */
struct record {
	struct passwd passwd;
	char *memory;
};

static void record_done(struct record *record)
{
	free(record->memory);
}

#define _cleanup_record_ _cleanup_(record_done)

static void say(char ret_cause[ACCOUNT_CAUSE_BYTES], const char *format, ...) _printf_(2, 3);

static void say(char ret_cause[ACCOUNT_CAUSE_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_cause, ACCOUNT_CAUSE_BYTES, format, args);
	va_end(args);
}

/* Returns 0, -ENOENT: no such user, or -errno: NSS failed. */
static int record_load(const char *name, struct record *ret_record)
{
	struct record record = { 0 };
	struct passwd *found = NULL;
	int r = ERANGE;

	for (size_t bytes = 4096; r == ERANGE && bytes <= PASSWD_MAX_BYTES; bytes *= 4) {
		free(record.memory);
		record.memory = malloc(bytes);
		must(record.memory != NULL);
		r = getpwnam_r(name, &record.passwd, record.memory, bytes, &found);
	}
	if (!found) {
		record_done(&record);
		return r == 0 || r == ENOENT || r == ESRCH ? -ENOENT : -r;
	}
	*ret_record = record;
	return 0;
}

static bool parse_ids(const char *text, uid_t *ret_uid, gid_t *ret_gid)
{
	struct slice gid = slice_str(text), uid;
	uint64_t u, g;

	if (slice_find(gid, ':') < 0 || !slice_split(&gid, ':', &uid))
		return false;
	/* The highest number means "no change" to setuid() and its like. */
	if (!slice_number(uid, UINT32_MAX - 1, &u) || !slice_number(gid, UINT32_MAX - 1, &g))
		return false;
	*ret_uid = (uid_t)u;
	*ret_gid = (gid_t)g;
	return true;
}

static void load_groups(const char *name, struct account *account)
{
	int n = LIMIT_GROUPS;

	if (getgrouplist(name, account->user_gid, account->groups, &n) >= 0) {
		account->n_groups = (size_t)n;
		return;
	}
	/* Too many: the first LIMIT_GROUPS were stored, n says how many there are. */
	account->n_groups = LIMIT_GROUPS;
	account->groups_left_out = n > LIMIT_GROUPS ? (unsigned)n - LIMIT_GROUPS : 0;
}

void account_preload(void)
{
	struct account root = { 0 };

	load_groups("root", &root);
}

bool account_user_is_valid(struct slice user)
{
	if (user.n == 0 || user.n > LIMIT_USER_BYTES || user.p[0] == '-')
		return false;
	if (slice_equal(user, SLICE(".")) || slice_equal(user, SLICE("..")))
		return false;
	for (size_t i = 0; i < user.n; i++)
		if ((uint8_t)user.p[i] < ' ' || user.p[i] == 0x7f || user.p[i] == '/')
			return false;
	return true;
}

/* Returns whose mail it is: mail_user, or NULL where all of it is in the numbers. */
static int load_mail_user(const char *mail_user, struct account *account, char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	_cleanup_record_ struct record record = { 0 };

	if (parse_ids(mail_user, &account->user_uid, &account->user_gid)) {
		account->groups[0] = account->user_gid;
		account->n_groups = 1;
		return 0;
	}

	int r = record_load(mail_user, &record);

	if (r < 0) {
		say(ret_cause, r == -ENOENT ? "[mail] user = %.100s: no such user; make it (useradd --system), or write UID:GID" :
					      "[mail] user = %.100s: the user database cannot be asked (%s)",
			mail_user, strerror(-r));
		return r;
	}
	account->user_uid = record.passwd.pw_uid;
	account->user_gid = record.passwd.pw_gid;
	load_groups(mail_user, account);
	return 0;
}

static enum verdict find_system_user(struct account *account, char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	_cleanup_record_ struct record record = { 0 };
	int r = record_load(account->user, &record);

	if (r == -ENOENT) {
		say(ret_cause, "PAM let the user in, but there is no such system user; for virtual users set [mail] user");
		return VERDICT_AUTHORIZATION_FAILED;
	}
	if (r < 0) {
		say(ret_cause, "the user database cannot be asked: %s", strerror(-r));
		return VERDICT_UNAVAILABLE;
	}
	/* One user, one spelling: a database that takes "Bob" for "bob" must not lead to two sessions. */
	if (!slice_to_str(slice_str(record.passwd.pw_name), account->user, sizeof account->user) ||
		!account_user_is_valid(slice_str(account->user)) ||
		!slice_to_str(slice_str(record.passwd.pw_dir), account->home, sizeof account->home)) {
		say(ret_cause, "name or home directory in the user database is too long or not allowed");
		return VERDICT_AUTHORIZATION_FAILED;
	}
	account->user_uid = record.passwd.pw_uid;
	account->user_gid = record.passwd.pw_gid;
	load_groups(account->user, account);
	return VERDICT_OK;
}

static const char *expand_problem(int r)
{
	switch (r) {
	case -ENOENT:
		return "\"~\" needs a home directory, and there is none";
	case -EDOM:
		return "a %n or %d that is empty, \".\" or \"..\" in this user name";
	case -ENAMETOOLONG:
		return "too long";
	default:
		return "no absolute path, or one with \".\", \"..\" or an unknown letter after %";
	}
}

/* A home that is not there may be one that is not mounted. One that we may not look at (root on NFS) is there. */
static bool home_is_there(const char *home)
{
	struct stat st;

	return stat(home, &st) < 0 ? errno != ENOENT && errno != ENOTDIR : S_ISDIR(st.st_mode);
}

static bool needs_home(const struct account_rules *rules)
{
	return rules->mail_path[0] == '~' || rules->index_path[0] == '~';
}

static enum verdict check_home(const struct account *account, char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	char quoted[QUOTE_BYTES(50)];

	if (home_is_there(account->home))
		return VERDICT_OK;
	say(ret_cause, "home directory %s does not exist; is it mounted?",
		quote_format(slice_str(account->home), quoted, sizeof quoted));
	return VERDICT_UNAVAILABLE;
}

static enum verdict expand_one(const char *key, const char *template, const struct account *account,
	char ret_path[LIMIT_PATH_BYTES + 1], char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	struct expand_names names = { .user = slice_str(account->user), .home = slice_str(account->home) };
	char quoted[QUOTE_BYTES(25)];
	int r = expand_path(template, &names, ret_path);

	if (r == 0)
		return VERDICT_OK;
	say(ret_cause, "[mail] %s = %.50s%s%s: %s", key, template, template[0] == '~' ? ", home " : "",
		template[0] == '~' ? quote_format(names.home, quoted, sizeof quoted) : "", expand_problem(r));
	return VERDICT_AUTHORIZATION_FAILED;
}

static enum verdict expand_paths(const struct account_rules *rules, struct account *account,
	char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	enum verdict verdict = expand_one("path", rules->mail_path, account, account->mail_path, ret_cause);

	if (verdict == VERDICT_OK)
		verdict = expand_one("index", rules->index_path, account, account->index_path, ret_cause);
	return verdict;
}

int account_check_rules(const struct account_rules *rules, char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	bool is_virtual = rules->mail_user[0] != '\0';
	struct account account = { .user = "user@example.org" };

	if (is_virtual && load_mail_user(rules->mail_user, &account, ret_cause) < 0)
		return -EINVAL;
	if (is_virtual && account.user_uid < rules->minimum_uid) {
		say(ret_cause, "[mail] user = %.100s: uid %u is below [auth] minimum-uid = %u", rules->mail_user,
			(unsigned)account.user_uid, (unsigned)rules->minimum_uid);
		return -EINVAL;
	}
	if (is_virtual && needs_home(rules)) {
		say(ret_cause, "[mail] path and index may not begin with \"~\" when [mail] user is set: virtual users have no "
			       "home; write an absolute path, such as /var/mail/%%d/%%n");
		return -EINVAL;
	}
	if (!is_virtual)
		strcpy(account.home, "/home/user");
	return expand_paths(rules, &account, ret_cause) == VERDICT_OK ? 0 : -EINVAL;
}

static enum verdict find_owner(const struct account_rules *rules, struct account *account,
	char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	if (!rules->mail_user[0])
		return find_system_user(account, ret_cause);
	return load_mail_user(rules->mail_user, account, ret_cause) < 0 ? VERDICT_UNAVAILABLE : VERDICT_OK;
}

enum verdict account_find(const struct account_rules *rules, struct slice user, struct account *ret_account,
	char ret_cause[ACCOUNT_CAUSE_BYTES])
{
	struct account account = { 0 };

	if (!account_user_is_valid(user) || !slice_to_str(user, account.user, sizeof account.user)) {
		say(ret_cause, "a user name that is not allowed (empty, too long, \".\", \"..\", or with \"/\" or control characters)");
		return VERDICT_AUTHORIZATION_FAILED;
	}

	enum verdict verdict = find_owner(rules, &account, ret_cause);

	if (verdict == VERDICT_OK && account.user_uid < rules->minimum_uid) {
		say(ret_cause, "uid %u is below [auth] minimum-uid = %u", (unsigned)account.user_uid, (unsigned)rules->minimum_uid);
		verdict = VERDICT_AUTHORIZATION_FAILED;
	}
	if (verdict == VERDICT_OK)
		verdict = expand_paths(rules, &account, ret_cause);
	if (verdict == VERDICT_OK && needs_home(rules))
		verdict = check_home(&account, ret_cause);
	if (verdict == VERDICT_OK)
		*ret_account = account;
	return verdict;
}
