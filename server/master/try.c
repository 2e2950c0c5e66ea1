/*
 * What lies in DIR:
 *   restante.conf    as it was made; edit it and start again
 *   tls/             ca.pem, server.pem, server.key, ... by restante-front --make-certificates
 *   pam.d/restante   pam_pwdfile: real PAM, no second way in
 *   passwd           what pam_pwdfile reads; passwords: the same in the clear, to be shown again
 *   mail/USER/       Maildirs
 *   empty/           for the fronts' chroot
 *   control.sock     for restantectl
 */
#include "server/master/try.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/master.h"
#include "server/master/try_mail.h"
#include "server/master/try_ports.h"
#include "server/master/try_remove.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { USERS = 2, PASSWORD_GROUPS = 3, PASSWORD_GROUP_LETTERS = 4, PASSWORD_BYTES = 16, CERTIFICATE_DAYS = 300, NOBODY = 65534 };

static const char *const user_names[USERS] = { "alice", "hanako" };

struct try {
	char directory[PATH_MAX];
	bool temporary;
	struct programs programs;
	uid_t mail_uid;
	gid_t mail_gid;
	char passwords[USERS][PASSWORD_BYTES];
	uint16_t ports[SERVICE_COUNT];
};

/* Say what went wrong. Returns false, for `return complain(...)`. */
static bool complain(const char *format, ...) _printf_(1, 2);

static bool complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("restanted --try: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return false;
}

/* A path in DIR. DIR is short enough: see find_directory(). */
static const char *path_in(const struct try *t, const char *name, char ret_path[PATH_MAX])
{
	must(snprintf(ret_path, PATH_MAX, "%.3900s/%.100s", t->directory, name) < PATH_MAX);
	return ret_path;
}

static bool has(const struct try *t, const char *name)
{
	char path[PATH_MAX];

	return access(path_in(t, name, path), F_OK) == 0;
}

static bool is_empty(const char *directory)
{
	glob_t found;
	char pattern[PATH_MAX + 2];

	snprintf(pattern, sizeof pattern, "%s/*", directory);
	if (glob(pattern, 0, NULL, &found) != 0)
		return true;
	globfree(&found);
	return false;
}

static bool make_temporary(struct try *t)
{
	const char *parent = getenv("TMPDIR");

	snprintf(t->directory, sizeof t->directory, "%.3000s/restante-try-XXXXXX", parent && parent[0] == '/' ? parent : "/tmp");
	t->temporary = mkdtemp(t->directory) != NULL;
	return t->temporary || complain("cannot make a directory in %s: %m", parent ? parent : "/tmp");
}

/*
 * Whoever owns the directory, or may write into it, decides where what is written there goes, and what the server is told to do.
 * Under sudo, that may also be who called it.
 */
static bool is_in_our_hands(const struct try *t)
{
	struct stat st;

	if (stat(t->directory, &st) < 0 || (st.st_mode & S_IWOTH))
		return false;
	return st.st_uid == geteuid() || (st.st_uid == t->mail_uid && t->mail_uid != NOBODY);
}

/* A directory that is there must be one of ours, or empty: nobody's files are mixed with these. */
static bool find_directory(struct try *t, const char *directory)
{
	if (!directory)
		return make_temporary(t);
	if (mkdir(directory, 0711) < 0 && errno != EEXIST)
		return complain("%s: %m", directory);
	if (!realpath(directory, t->directory))
		return complain("%s: %m", directory);
	if (strlen(t->directory) > 3000)
		return complain("%s: the path is too long", directory);
	if (strpbrk(t->directory, ",;#%']\n"))
		return complain("%s: choose a path without , ; # %% ' and ]", directory);
	if (!is_in_our_hands(t))
		return complain("%s belongs to somebody else, or anybody may write into it: choose another directory", t->directory);
	if (!has(t, "restante.conf") && !is_empty(t->directory))
		return complain("%s is neither empty nor made by an earlier --try", directory);
	return true;
}

static bool make_directories(const struct try *t)
{
	static const char *const names[] = { "tls", "pam.d", "mail", "empty" };
	char path[PATH_MAX];

	if (chmod(t->directory, 0711) < 0) /* the mail user goes through */
		return complain("%s: %m", t->directory);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (mkdir(path_in(t, names[i], path), 0711) < 0 && errno != EEXIST)
			return complain("%s: %m", path);
	return true;
}

/* As root, mail belongs to who called sudo, or to nobody: sessions must not be root. */
static void find_mail_user(struct try *t)
{
	const char *sudo_uid = getenv("SUDO_UID"), *sudo_gid = getenv("SUDO_GID");
	uint64_t uid, gid;

	t->mail_uid = geteuid();
	t->mail_gid = getegid();
	if (t->mail_uid != 0)
		return;
	t->mail_uid = t->mail_gid = NOBODY;
	if (sudo_uid && sudo_gid && slice_number(slice_str(sudo_uid), UINT32_MAX - 1, &uid) &&
		slice_number(slice_str(sudo_gid), UINT32_MAX - 1, &gid) && uid > 0 && gid > 0) {
		t->mail_uid = (uid_t)uid;
		t->mail_gid = (gid_t)gid;
	}
}

static bool write_text(const char *path, mode_t mode, struct slice text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
		return complain("%s: %m", path);
	return true;
}

static bool run_role(const struct try *t, enum role role, const char *const *arguments, struct slice input)
{
	int status = programs_run(&t->programs, role, arguments, input, NULL);

	if (status < 0)
		return complain("%s: %s", programs_name(role), strerror(-status));
	return status == 0 || complain("%s %s failed (exit status %d)", programs_name(role), arguments[0], status);
}

static bool make_certificates(const struct try *t)
{
	char path[PATH_MAX], tls[PATH_MAX];
	struct stat st;
	const char *arguments[] = { "--make-certificates", path_in(t, "tls", tls), "localhost", "127.0.0.1", NULL };

	if (stat(path_in(t, "tls/ca.pem", path), &st) == 0 && time(NULL) - st.st_mtime < CERTIFICATE_DAYS * 86400)
		return true;
	return run_role(t, ROLE_FRONT_POOL, arguments, (struct slice){ 0 });
}

static bool find_pam_module(void)
{
	static const char *const patterns[] = { "/lib/*/security/pam_pwdfile.so", "/usr/lib/*/security/pam_pwdfile.so",
		"/lib*/security/pam_pwdfile.so", "/usr/lib*/security/pam_pwdfile.so" };

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found) == 0) {
			globfree(&found);
			return true;
		}
	}
	return complain("pam_pwdfile.so is not installed; on Debian and Ubuntu: apt install libpam-pwdfile");
}

static bool make_pam_service(const struct try *t)
{
	_cleanup_buf_ struct buf text = BUF(2 * PATH_MAX);
	char path[PATH_MAX], passwd[PATH_MAX];

	if (!find_pam_module())
		return false;
	/* In brackets, the argument may contain spaces: pam.conf(5). */
	if (buf_addf(&text, "auth    required pam_pwdfile.so [pwdfile=%s]\naccount required pam_permit.so\n",
		    path_in(t, "passwd", passwd)) < 0)
		return complain("%s: the path is too long", passwd);
	return write_text(path_in(t, "pam.d/restante", path), 0644, buf_slice(&text));
}

/* Letters that are not taken for others, in groups, and nothing that a shell or a URL would see as special. */
static bool make_password(char ret_password[PASSWORD_BYTES])
{
	static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t random[PASSWORD_GROUPS * PASSWORD_GROUP_LETTERS];
	size_t n = 0;

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return complain("the kernel gives no random numbers");
	for (size_t i = 0; i < sizeof random; i++) {
		if (i > 0 && i % PASSWORD_GROUP_LETTERS == 0)
			ret_password[n++] = '-';
		ret_password[n++] = letters[random[i] % sizeof letters];
	}
	ret_password[n] = '\0';
	return true;
}

static bool read_passwords(struct try *t, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[256];

	if (!f)
		return complain("%s: %m", path);
	while (fgets(line, sizeof line, f)) {
		struct slice rest = slice_trim(slice_str(line)), name;

		if (!slice_split(&rest, ':', &name))
			continue;
		for (size_t u = 0; u < USERS; u++)
			if (slice_equal(name, slice_str(user_names[u])) && !slice_to_str(rest, t->passwords[u], PASSWORD_BYTES))
				return complain("%s: a password of %s of at most %d characters is expected", path, user_names[u],
					PASSWORD_BYTES - 1);
	}
	for (size_t u = 0; u < USERS; u++)
		if (t->passwords[u][0] == '\0')
			return complain("%s: no password of %s", path, user_names[u]);
	return true;
}

/* "passwords" is what the user may edit; "passwd" follows it. */
static bool make_passwords(struct try *t)
{
	_cleanup_buf_ struct buf lines = BUF(4096);
	char path[PATH_MAX], passwd[PATH_MAX];
	const char *arguments[] = { "--make-passwd", path_in(t, "passwd", passwd), NULL };
	bool known = has(t, "passwords");

	path_in(t, "passwords", path);
	if (known && !read_passwords(t, path))
		return false;
	for (size_t u = 0; u < USERS; u++) {
		if (!known && !make_password(t->passwords[u]))
			return false;
		must(buf_addf(&lines, "%s:%s\n", user_names[u], t->passwords[u]) == 0);
	}
	if (!known && !write_text(path, 0600, buf_slice(&lines)))
		return false;
	return run_role(t, ROLE_AUTH_POOL, arguments, buf_slice(&lines));
}

static bool make_mail(const struct try *t)
{
	char path[PATH_MAX], name[64], address[64];

	for (size_t u = 0; u < USERS; u++) {
		snprintf(name, sizeof name, "mail/%s", user_names[u]);
		snprintf(address, sizeof address, "%s@example.org", user_names[u]);
		if (has(t, name))
			continue;

		int r = try_mail_make(&(struct try_mailbox){
			.path = path_in(t, name, path),
			.address = address,
			.user_uid = t->mail_uid,
			.user_gid = t->mail_gid,
			.now_usec = clock_realtime_usec(),
		});

		if (r < 0)
			return complain("%s: %s", path, strerror(-r));
	}
	return true;
}

static bool write_configuration(struct try *t)
{
	_cleanup_buf_ struct buf text = BUF(16 * PATH_MAX);
	char path[PATH_MAX];
	const char *d = t->directory;
	int r = try_ports_find(t->ports);

	if (r < 0)
		return complain("no free ports on 127.0.0.1");
	r = buf_addf(&text,
		"; Made by restanted --try. Settings may be changed; the file is made anew only if it is missing.\n"
		"[listen]\nimaps = 127.0.0.1:%u\npop3s = 127.0.0.1:%u\nimap = 127.0.0.1:%u\npop3 = 127.0.0.1:%u\n\n"
		"[tls]\ncertificate = %s/tls/server.pem, %s/tls/server-rsa.pem\n"
		"private-key = %s/tls/server.key, %s/tls/server-rsa.key\n\n"
		"[auth]\npam-config-dir = %s/pam.d\npam-helpers = no\n\n"
		"[mail]\npath = %s/mail/%%u\nuser = %u:%u\n\n"
		"[front]\nuser = %s\nchroot = %s/empty\n\n"
		"[control]\nsocket = %s/control.sock\n",
		t->ports[SERVICE_IMAPS], t->ports[SERVICE_POP3S], t->ports[SERVICE_IMAP], t->ports[SERVICE_POP3], d, d, d, d, d,
		d, (unsigned)t->mail_uid, (unsigned)t->mail_gid, getpwnam("restante") ? "restante" : "nobody", d, d);
	if (r < 0)
		return complain("%s: the path is too long", d);
	return write_text(path_in(t, "restante.conf", path), 0644, buf_slice(&text));
}

/* The ports of a configuration that is there, for what is printed. Whatever is wrong with it is told when it is used. */
static bool read_configuration(struct try *t)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t bytes;
	struct conf *conf;
	struct conf_problems problems;
	int r = conf_read_file(path_in(t, "restante.conf", path), &text, &bytes);

	if (r < 0)
		return complain("%s: %s", path, strerror(-r));
	if (conf_parse(slice_from(text, bytes), &conf, &problems) == 0) {
		for (enum service s = 0; s < SERVICE_COUNT; s++)
			if (conf->listen[s].n > 0)
				t->ports[s] = conf->listen[s].addresses[0].port;
		conf_free(conf);
	}
	conf_problems_done(&problems);
	return true;
}

static bool prepare(struct try *t, const char *directory)
{
	char missing[PATH_MAX];

	if (programs_find(&t->programs, missing) < 0)
		return complain("%s is missing, or may not be executed: the installation is not complete", missing);
	find_mail_user(t);
	return find_pam_module() && find_directory(t, directory) && make_directories(t) && make_certificates(t) &&
		make_pam_service(t) && make_passwords(t) && make_mail(t) &&
		(has(t, "restante.conf") ? read_configuration(t) : write_configuration(t));
}

static void print_guide(void *arg)
{
	const struct try *t = arg;
	const char *d = t->directory;

	printf("\nThe server is up. Set a mail program to:\n\n"
	       "    IMAP    host 127.0.0.1   port %-5u   security SSL/TLS\n"
	       "       or   host 127.0.0.1   port %-5u   security STARTTLS\n"
	       "    POP3    host 127.0.0.1   port %-5u   security SSL/TLS\n"
	       "       or   host 127.0.0.1   port %-5u   security STARTTLS\n",
		t->ports[SERVICE_IMAPS], t->ports[SERVICE_IMAP], t->ports[SERVICE_POP3S], t->ports[SERVICE_POP3]);
	for (size_t u = 0; u < USERS; u++)
		printf("    user    %-16s password %s\n", user_names[u], t->passwords[u]);
	printf("\nLet it trust this CA certificate (of this server alone; its key was thrown away):\n\n"
	       "    %s/tls/ca.pem\n\n"
	       "or try the command line:\n\n"
	       "    curl --cacert '%s/tls/ca.pem' --user %s:%s 'imaps://127.0.0.1:%u/INBOX/;UID=1'\n"
	       "    curl --cacert '%s/tls/ca.pem' --user %s:%s 'pop3s://127.0.0.1:%u/'\n"
	       "    curl --cacert '%s/tls/ca.pem' --user %s:%s --ssl-reqd 'imap://127.0.0.1:%u/INBOX/;UID=2'\n\n",
		d, d, user_names[0], t->passwords[0], t->ports[SERVICE_IMAPS], d, user_names[0], t->passwords[0],
		t->ports[SERVICE_POP3S], d, user_names[1], t->passwords[1], t->ports[SERVICE_IMAP]);
	printf("Without TLS there is no way in. A client that asks finds no login on offer, and gives up, as this one does:\n\n"
	       "    curl --user %s:wrong 'pop3://127.0.0.1:%u/'\n\n"
	       "One that sends its name or password all the same is refused (IMAP: NO [PRIVACYREQUIRED]; POP3: -ERR, with a\n"
	       "text that says what to set in the client), and named in the log below.\n\n"
	       "What runs and who is there: restantectl -c '%s/restante.conf' status (or who)\n"
	       "%s Ctrl-C stops the server.\n\n",
		user_names[0], t->ports[SERVICE_POP3], d,
		t->temporary ? "Everything is in a temporary directory, removed at the end." : "Mail, certificates and passwords stay for the next time.");
	fflush(stdout);
}

int try_serve(const char *directory)
{
	static const char name[] = "restante.conf";
	struct try t = { 0 };
	struct master_hooks hooks = { .on_serving = print_guide, .arg = &t };
	char path[PATH_MAX];
	int status = 1;

	if (prepare(&t, directory)) {
		printf("restanted --try: %s\n", t.directory);
		fflush(stdout);
		status = master_serve(path_in(&t, name, path), &hooks);
	}
	explicit_bzero(t.passwords, sizeof t.passwords);
	if (t.temporary && try_remove(t.directory) < 0)
		complain("%s could not be removed", t.directory);
	return status;
}
