#include "conf/check.h"

#include "base/must.h"
#include "conf/problems.h"

struct check {
	const struct conf *conf;
	const struct conf_places *places;
	struct conf_problems *problems;
};

static unsigned line_of(const struct check *c, const char *section, const char *name)
{
	const struct conf_key *key = conf_key_find(slice_str(section), slice_str(name));

	must(key != NULL);
	return c->places->key_lines[key - conf_keys];
}

static void check_certificates(const struct check *c, size_t i)
{
	const struct conf_tls *tls = &c->conf->tls[i];
	const char *blank = i > 0 ? " " : "";

	if (c->places->tls_was_bad[i] || (i == 0 && !c->places->has_tls))
		return;
	if (tls->certificates.n == 0)
		problems_add(c->problems, tls->line,
			"[tls%s%s] has no certificate; write certificate = FILE and private-key = "
			"FILE",
			blank, tls->name);
	else if (tls->certificates.n != tls->private_keys.n)
		problems_add(c->problems, tls->line,
			"[tls%s%s] has %zu certificate(s) and %zu private key(s); each certificate "
			"needs its key, in the same order",
			blank, tls->name, tls->certificates.n, tls->private_keys.n);
}

static void check_tls(const struct check *c)
{
	if (!c->places->has_tls)
		problems_add(c->problems, 0,
			"no [tls] section: nothing is served without TLS; add [tls] with "
			"certificate = FILE and private-key = FILE");
	for (size_t i = 0; i < c->conf->n_tls; i++) {
		check_certificates(c, i);
		for (size_t j = 1; j < i; j++)
			if (strcmp(c->conf->tls[i].name, c->conf->tls[j].name) == 0)
				problems_add(c->problems, c->conf->tls[i].line,
					"[tls %s] was already begun at line %u; keep one of them",
					c->conf->tls[i].name, c->conf->tls[j].line);
	}
}

/* One address of a service against all before it: of the services before, and of its own list. */
static void check_address(const struct check *c, enum service service, size_t i)
{
	const struct address *a = &c->conf->listen[service].addresses[i];

	for (enum service other = 0; other <= service; other++)
		for (size_t j = 0; j < (other == service ? i : c->conf->listen[other].n); j++) {
			const struct address *b = &c->conf->listen[other].addresses[j];
			char text[ADDRESS_TEXT_BYTES];

			if (a->port != b->port || !address_equal(a, b))
				continue;
			address_format_port(a, text);
			problems_add(c->problems, line_of(c, "listen", service_name(service)),
				"%s: %s is already an address of %s; take it out of one of them",
				service_name(service), text, service_name(other));
			return;
		}
}

static void check_listen(const struct check *c)
{
	for (enum service service = 0; service < SERVICE_COUNT; service++)
		for (size_t i = 0; i < c->conf->listen[service].n; i++)
			check_address(c, service, i);
}

static void check_workers(const struct check *c)
{
	unsigned line = line_of(c, "auth", "workers-min");

	if (c->conf->auth.workers_min > c->conf->auth.workers_max)
		problems_add(c->problems, line ? line : line_of(c, "auth", "workers-max"),
			"workers-min (%u) is more than workers-max (%u); raise workers-max or "
			"lower workers-min",
			c->conf->auth.workers_min, c->conf->auth.workers_max);
}

/* A virtual user has no home of its own, and PAM knows of none. */
static void check_virtual_path(const struct check *c, const char *name, const char *path)
{
	unsigned line = line_of(c, "mail", name);

	if (path[0] == '~')
		problems_add(c->problems, line ? line : line_of(c, "mail", "user"),
			"with `user' set, %s may not begin with ~ (it is `%.80s'); write for "
			"example /var/vmail/%%d/%%n/Maildir",
			name, path);
}

static void check_mail_uid(const struct check *c)
{
	struct slice user = slice_str(c->conf->mail.user);
	ssize_t colon = slice_find(user, ':');
	uint64_t uid;

	if (colon < 0 || !slice_number(slice_head(user, (size_t)colon), UINT32_MAX, &uid))
		return;
	if (uid < c->conf->auth.minimum_uid)
		problems_add(c->problems, line_of(c, "mail", "user"),
			"user: uid %llu is below minimum-uid (%u); choose an ordinary user",
			(unsigned long long)uid, c->conf->auth.minimum_uid);
}

static void check_mail(const struct check *c)
{
	if (c->conf->mail.user[0] == '\0')
		return;
	check_virtual_path(c, "path", c->conf->mail.path);
	if (line_of(c, "mail", "index") > 0)
		check_virtual_path(c, "index", c->conf->mail.index);
	check_mail_uid(c);
}

void conf_check(
	const struct conf *conf, const struct conf_places *places, struct conf_problems *problems)
{
	struct check c = { conf, places, problems };

	check_tls(&c);
	check_listen(&c);
	check_workers(&c);
	check_mail(&c);
}
