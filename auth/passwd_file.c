#include "auth/passwd_file.h"

#include "auth/account.h"
#include "base/must.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { LINE_BYTES = LIMIT_USER_BYTES + 1 + LIMIT_PASSWORD_BYTES + 2 };

/* yescrypt, the default of Debian's own passwd; where this libcrypt has none, SHA-512. */
static const char *const prefixes[] = { "$y$", "$6$" };

/* Append "user:hash". Returns 0, -EINVAL, or -errno. */
static int write_entry(FILE *out, struct slice user, const char *password)
{
	struct crypt_data *state = calloc(1, sizeof *state);
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash = NULL;

	must(state != NULL);
	for (size_t i = 0; !hash && i < sizeof prefixes / sizeof *prefixes; i++)
		if (crypt_gensalt_rn(prefixes[i], 0, NULL, 0, salt, sizeof salt))
			hash = crypt_rn(password, salt, state, sizeof *state);

	int r = !hash ? -EINVAL : fprintf(out, "%.*s:%s\n", SLICE_FMT(user), hash) < 0 ? -EIO : 0;

	explicit_bzero(state, sizeof *state);
	free(state);
	return r;
}

/* "user:password", already without its LF; the NUL of the line ends the password. */
static int convert_line(FILE *out, const char *line)
{
	struct slice rest = slice_str(line), user;

	if (rest.n == 0 || rest.p[0] == '#')
		return 0;
	if (slice_find(rest, ':') < 0 || !slice_split(&rest, ':', &user))
		return -EINVAL;
	if (!account_user_is_valid(user) || rest.n == 0 || rest.n > LIMIT_PASSWORD_BYTES)
		return -EINVAL;
	return write_entry(out, user, rest.p);
}

static int convert(FILE *in, FILE *out, char line[LINE_BYTES], unsigned *ret_line)
{
	for (unsigned at = 1; fgets(line, LINE_BYTES, in); at++) {
		size_t n = strlen(line);
		bool is_whole = n > 0 && line[n - 1] == '\n';

		if (!is_whole && !feof(in)) {
			*ret_line = at; /* too long, or a NUL in it */
			return -EINVAL;
		}
		line[is_whole ? n - 1 : n] = '\0';

		int r = convert_line(out, line);

		if (r == -EINVAL)
			*ret_line = at;
		if (r < 0)
			return r;
	}
	return ferror(in) ? -EIO : 0;
}

static int convert_all(FILE *in, FILE *out, unsigned *ret_line)
{
	char line[LINE_BYTES], buffer[4096];

	/* A buffer of ours, since stdio's own would keep the passwords. */
	setvbuf(in, buffer, _IOFBF, sizeof buffer);

	int r = convert(in, out, line, ret_line);

	setvbuf(in, NULL, _IONBF, 0);
	explicit_bzero(line, sizeof line);
	explicit_bzero(buffer, sizeof buffer);
	return r;
}

int passwd_file_make(FILE *in, const char *path, unsigned *ret_line)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_fclose_ FILE *out = NULL;

	*ret_line = 0;
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;

	int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */

	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	must(out != NULL);

	int r = convert_all(in, out, ret_line);

	if (r == 0 && (fflush(out) != 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}
