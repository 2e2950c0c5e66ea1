/* check.h - whether logins can work at all with a configuration: the PAM service, and the users and paths of mail. */
#pragma once

#include "auth/account.h"
#include "server/pool/pool.h"

/* The part of a configuration that auth/account asks for. Strings are borrowed from conf. */
struct account_rules check_account_rules(const struct conf *conf);

/*
 * Say whether PAM finds a file for a service.
 * Returns 0, or -errno: ret_path is where it was looked for first, or the file that cannot be read.
 */
_must_check_ int check_pam_service(const char *service, const char *config_dir, char ret_path[LIMIT_PATH_BYTES + 1]);

/* Report every problem by pool_problem(). Returns 0, or -EINVAL if there was any. */
_must_check_ int check_configuration(struct pool *pool, const struct conf *conf);
