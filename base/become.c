#include "base/become.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Also for root itself, where the configuration lets root log in: no capability stays. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2];

	if (syscall(SYS_capget, &header, have) < 0)
		return true;
	for (int i = 0; i < 2; i++)
		if (have[i].effective || have[i].permitted || have[i].inheritable)
			return true;
	return false;
}

static bool has_ids(const struct identity *identity)
{
	uid_t real, effective, saved;
	gid_t real_gid, effective_gid, saved_gid;

	if (getresuid(&real, &effective, &saved) < 0 ||
		getresgid(&real_gid, &effective_gid, &saved_gid) < 0)
		return false;
	return real == identity->user_uid && effective == identity->user_uid &&
	       saved == identity->user_uid && real_gid == identity->user_gid &&
	       effective_gid == identity->user_gid && saved_gid == identity->user_gid;
}

/* Try the ways back to root. */
static bool can_return(const struct identity *identity)
{
	if (identity->user_uid != 0 &&
		(setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0))
		return true;
	return identity->user_gid != 0 && identity->user_uid != 0 &&
	       (setgid(0) == 0 || setresgid(0, 0, 0) == 0);
}

static int become_from_root(const struct identity *identity)
{
	if (setgroups(identity->n_groups, identity->groups) < 0 ||
		setresgid(identity->user_gid, identity->user_gid, identity->user_gid) < 0 ||
		setresuid(identity->user_uid, identity->user_uid, identity->user_uid) < 0)
		return -errno;

	int r = drop_capabilities();

	if (r < 0)
		return r;
	if (has_capabilities() || !has_ids(identity) || can_return(identity))
		return -EPERM;
	return 0;
}

int become_user(const struct identity *identity)
{
	must(identity->n_groups <= LIMIT_GROUPS);
	if (geteuid() == 0) {
		int r = become_from_root(identity);

		if (r < 0)
			return r;
	} else if (identity->user_uid != getuid() || getuid() != geteuid()) {
		return -EPERM;
	}
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* Whether path is dir itself or lies beneath it. */
static bool is_at_or_beneath(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n > 0 && dir[n - 1] == '/')
		n--;
	return n > 0 && strncmp(dir, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Make one directory. Returns 0 (also when another process was faster) or -errno. */
static int make_one(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return is_directory(path) ? 0 : -ENOTDIR;
	return -errno;
}

static bool has_parent_steps(const char *path)
{
	for (const char *at = strstr(path, "/.."); at; at = strstr(at + 1, "/.."))
		if (at[3] == '/' || at[3] == '\0')
			return true;
	return false;
}

int become_make_directory(const char *home, const char *path)
{
	char prefix[LIMIT_PATH_BYTES + 1];

	if (path[0] != '/' || strlen(path) > LIMIT_PATH_BYTES || has_parent_steps(path))
		return -EINVAL;
	if (is_directory(path))
		return 0;
	/* Under a home: everything below it. Elsewhere: nothing but the last step, lest a missing mount is filled. */
	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		memcpy(prefix, path, (size_t)(end - path));
		prefix[end - path] = '\0';
		if (!is_at_or_beneath(home, prefix) || is_at_or_beneath(prefix, home) ||
			end[1] == '\0' || end[1] == '/')
			continue;

		int r = make_one(prefix);

		if (r < 0)
			return r;
	}
	if (is_at_or_beneath(path, home))
		return -ENOENT;
	return make_one(path);
}
