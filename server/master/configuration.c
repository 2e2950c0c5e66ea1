#include "server/master/configuration.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static int seal_text(struct slice text, int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("restante.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < text.n;) {
		ssize_t n = pwrite(fd, text.p + done, text.n - done, (off_t)done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int configuration_load(const char *path, uint64_t number, struct configuration **ret, struct conf_problems *ret_problems)
{
	_cleanup_free_ char *text = NULL;
	size_t bytes;
	struct conf *conf;
	int memfd = -1;

	*ret_problems = (struct conf_problems){ 0 };

	int r = conf_read_file(path, &text, &bytes);

	if (r < 0)
		return r;
	r = conf_parse(slice_from(text, bytes), &conf, ret_problems);
	if (r < 0)
		return r;
	r = seal_text(slice_from(text, bytes), &memfd);
	if (r < 0) {
		conf_free(conf);
		return r;
	}

	struct configuration *c = malloc(sizeof *c);

	must(c != NULL);
	*c = (struct configuration){ .references = 1, .number = number, .memfd = memfd, .conf = conf };
	c->path = strdup(path);
	must(c->path != NULL);
	*ret = c;
	return 0;
}

struct configuration *configuration_ref(struct configuration *configuration)
{
	configuration->references++;
	return configuration;
}

void configuration_unref(struct configuration *configuration)
{
	if (!configuration || --configuration->references > 0)
		return;
	conf_free(configuration->conf);
	cleanup_close(&configuration->memfd);
	free(configuration->path);
	free(configuration);
}
