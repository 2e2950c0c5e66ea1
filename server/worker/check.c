#include "server/worker/check.h"

#include <errno.h>
#include <sys/stat.h>

struct account_rules check_account_rules(const struct conf *conf)
{
	return (struct account_rules){
		.mail_user = conf->mail.user,
		.mail_path = conf->mail.path,
		.index_path = conf->mail.index,
		.minimum_uid = conf->auth.minimum_uid,
	};
}

static int check_service_file(const char *dir, const char *service, char ret_path[LIMIT_PATH_BYTES + 1])
{
	char name[LIMIT_NAME_BYTES + 1];
	struct stat st;
	size_t n = 0;

	/* Linux-PAM looks for the name in lower case. */
	for (; service[n] && n < LIMIT_NAME_BYTES; n++)
		name[n] = ascii_lower(service[n]);
	name[n] = '\0';
	if (snprintf(ret_path, LIMIT_PATH_BYTES + 1, "%s/%s", dir, name) > LIMIT_PATH_BYTES)
		return -ENAMETOOLONG;
	if (stat(ret_path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return access(ret_path, R_OK) < 0 ? -errno : 0;
}

int check_pam_service(const char *service, const char *config_dir, char ret_path[LIMIT_PATH_BYTES + 1])
{
	char vendor_path[LIMIT_PATH_BYTES + 1];
	struct stat st;

	if (config_dir[0])
		return check_service_file(config_dir, service, ret_path);

	int r = check_service_file("/etc/pam.d", service, ret_path);

	if (r == -ENOENT && check_service_file("/usr/lib/pam.d", service, vendor_path) == 0)
		return 0;
	if (r == -ENOENT && stat("/etc/pam.d", &st) < 0 && stat("/etc/pam.conf", &st) == 0)
		return 0; /* the old way: one file for all services */
	return r;
}

int check_configuration(struct pool *pool, const struct conf *conf)
{
	struct account_rules rules = check_account_rules(conf);
	char path[LIMIT_PATH_BYTES + 1], cause[ACCOUNT_CAUSE_BYTES];
	int r = check_pam_service(conf->auth.pam_service, conf->auth.pam_config_dir, path);
	int result = 0;

	if (r == -ENOENT)
		pool_problem(pool, 0, "[auth] pam-service = %.100s: there is no file %.200s; install the one that comes with "
				      "restante, or name a PAM service that exists", conf->auth.pam_service, path);
	else if (r < 0)
		pool_problem(pool, 0, "[auth] pam-service = %.100s: %.200s: %s; it must be a file that PAM can read",
			conf->auth.pam_service, path, strerror(-r));
	if (r < 0)
		result = -EINVAL;
	if (account_check_rules(&rules, cause) < 0) {
		pool_problem(pool, 0, "%s", cause);
		result = -EINVAL;
	}
	return result;
}
