/* pam_dir.h - a temporary directory of PAM service files, for tests. */
#pragma once

#include "base/cleanup.h"
#include "base/must.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

struct pam_dir {
	char path[64];
};

static inline void pam_dir_write(const struct pam_dir *dir, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir->path, name);

	_cleanup_fclose_ FILE *f = fopen(path, "we");

	must(f && fputs(text, f) >= 0);
}

static inline struct pam_dir pam_dir_new(void)
{
	struct pam_dir dir = { "/tmp/restante-pam-XXXXXX" };

	must(mkdtemp(dir.path) != NULL && chmod(dir.path, 0755) == 0);
	pam_dir_write(&dir, "other", "auth required pam_deny.so\naccount required pam_deny.so\n");
	return dir;
}

static inline void pam_dir_free(const struct pam_dir *dir)
{
	DIR *d = opendir(dir->path);

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			must(unlinkat(dirfd(d), e->d_name, 0) == 0);
	if (d)
		closedir(d);
	rmdir(dir->path);
}
