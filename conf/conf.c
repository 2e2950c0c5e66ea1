#include "conf/conf.h"

#include "base/must.h"
#include "conf/check.h"
#include "conf/keys.h"
#include "conf/lexer.h"
#include "conf/problems.h"
#include "conf/values.h"
#include "conf/wrong.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { KEYS_MAX = 128, SECTIONS_MAX = 16 };

/* A reading under way. */
struct reader {
	struct conf *conf;
	struct arena *strings;
	struct conf_problems *problems;
	struct conf_places places;
	unsigned line;
	const char *section;  /* of the lines that follow; NULL: unknown or none */
	bool in_unknown;      /* the section is unknown: that was told, its keys are passed over */
	struct conf_tls *tls; /* in [tls] and [tls NAME] */
	unsigned section_lines[SECTIONS_MAX];
	unsigned key_lines[KEYS_MAX];
	unsigned tls_key_lines[CONF_TLS_MAX][KEYS_MAX];
	struct conf_tls surplus; /* where settings of a [tls NAME] go that is not kept */
};

static void begin_named_tls(struct reader *r, struct slice name)
{
	const char *why = conf_wrong_tls_name(name);
	char *lower;

	if (why)
		problems_add(r->problems, r->line, "[tls %.*s] %s",
			SLICE_FMT(slice_head(name, 100)), why);
	else if (r->conf->n_tls == CONF_TLS_MAX)
		problems_add(r->problems, r->line,
			"more than %d [tls] sections; leave some out, or use certificates with "
			"several names",
			CONF_TLS_MAX);
	if (why || r->conf->n_tls == CONF_TLS_MAX) {
		r->surplus = (struct conf_tls){ 0 };
		r->tls = &r->surplus;
		return;
	}
	lower = arena_str(r->strings, name);
	for (char *c = lower; *c; c++)
		*c = ascii_lower(*c);
	r->tls = &r->conf->tls[r->conf->n_tls++];
	*r->tls = (struct conf_tls){ .name = lower, .line = r->line };
}

static void begin_tls(struct reader *r)
{
	r->tls = &r->conf->tls[0];
	r->tls->line = r->line;
	r->places.has_tls = true;
}

/* Note that a section begins; twice is a problem, for whoever reads the first may overlook the
 * second. */
static void note_section(struct reader *r)
{
	size_t i = 0;

	while (conf_sections[i] != r->section)
		i++;
	if (r->section_lines[i] > 0)
		problems_add(r->problems, r->line,
			"[%s] was already begun at line %u; put its settings there", r->section,
			r->section_lines[i]);
	else
		r->section_lines[i] = r->line;
}

/*
 * The section meant by name, or NULL. The settings below a misspelt header are read as what was
 * meant, so that their problems show too.
 */
static const char *find_section(struct reader *r, struct slice name, bool *ret_misspelt)
{
	const char *section = conf_section_find(name);
	struct slice shown = slice_head(name, 60);

	*ret_misspelt = !section;
	if (section)
		return section;
	section = conf_section_nearest(name);
	if (section)
		problems_add(r->problems, r->line, "unknown section [%.*s]; did you mean [%s]?",
			SLICE_FMT(shown), section);
	else
		problems_add(r->problems, r->line,
			"unknown section [%.*s]; see restante.conf(5) for those that exist",
			SLICE_FMT(shown));
	return section;
}

static void on_section(struct reader *r, const struct conf_line *line)
{
	bool misspelt, is_tls;

	r->section = find_section(r, line->name, &misspelt);
	r->in_unknown = !r->section;
	r->tls = NULL;
	if (r->in_unknown)
		return;
	is_tls = strcmp(r->section, "tls") == 0;
	if (line->argument.n > 0 && is_tls) {
		begin_named_tls(r, line->argument);
		return;
	}
	if (line->argument.n > 0)
		problems_add(
			r->problems, r->line, "only [tls] takes a name; write [%s]", r->section);
	if (!misspelt)
		note_section(r);
	if (is_tls)
		begin_tls(r);
}

static void explain_unknown_key(struct reader *r, struct slice name)
{
	const struct conf_key *near =
		conf_key_nearest(r->section ? slice_str(r->section) : SLICE(""), name);
	struct slice shown = slice_head(name, 60);

	if (!near && !r->section)
		problems_add(r->problems, r->line,
			"`%.*s' stands before any [section]; begin with one, as in [tls]",
			SLICE_FMT(shown));
	else if (!near)
		problems_add(r->problems, r->line,
			"unknown key `%.*s' in [%s]; see restante.conf(5) for those that exist",
			SLICE_FMT(shown), r->section);
	else if (!r->section)
		problems_add(r->problems, r->line,
			"`%.*s' stands before any [section]; it belongs in [%s]", SLICE_FMT(shown),
			near->section);
	else if (strcmp(near->section, r->section) != 0)
		problems_add(r->problems, r->line, "unknown key `%.*s' in [%s]; it belongs in [%s]",
			SLICE_FMT(shown), r->section, near->section);
	else
		problems_add(r->problems, r->line, "unknown key `%.*s'; did you mean `%s'?",
			SLICE_FMT(shown), near->name);
}

/* Where the line of a setting is remembered: of the keys of [tls] and [tls NAME] once a section.
 * NULL: nowhere. */
static unsigned *place_of(struct reader *r, const struct conf_key *key)
{
	size_t i = (size_t)(key - conf_keys);

	if (!key->per_tls)
		return &r->key_lines[i];
	return r->tls == &r->surplus ? NULL : &r->tls_key_lines[r->tls - r->conf->tls][i];
}

static void note_bad_certificate(struct reader *r, const struct conf_key *key)
{
	if (key->per_tls && r->tls != &r->surplus)
		r->places.tls_was_bad[r->tls - r->conf->tls] = true;
}

static void store(struct reader *r, const struct conf_key *key, struct slice value)
{
	unsigned *place = place_of(r, key);
	char wrong[CONF_WRONG_BYTES];

	if (place && *place > 0) {
		problems_add(r->problems, r->line,
			"%s was already set at line %u; keep one of them", key->name, *place);
		return;
	}
	if (place)
		*place = r->line;
	if (conf_value_store(
		    key, value, r->strings, key->per_tls ? (void *)r->tls : r->conf, wrong) < 0) {
		problems_add(r->problems, r->line, "%s: %s", key->name, wrong);
		note_bad_certificate(r, key);
	}
}

static void on_setting(struct reader *r, const struct conf_line *line)
{
	const struct conf_key *key;

	if (r->in_unknown)
		return;
	key = r->section ? conf_key_find(slice_str(r->section), line->name) : NULL;
	if (!key) {
		explain_unknown_key(r, line->name);
		/* Not to be told also that it is missing. */
		if (r->tls && (key = conf_key_nearest(SLICE("tls"), line->name)))
			note_bad_certificate(r, key);
		return;
	}
	if (!key->per_tls && r->tls && r->tls != &r->conf->tls[0])
		problems_add(
			r->problems, r->line, "%s holds for all names; set it in [tls]", key->name);
	else
		store(r, key, line->value);
}

static void read_lines(struct reader *r, struct slice text)
{
	struct conf_line line;

	if (slice_starts_with(text, SLICE("\xef\xbb\xbf")))
		text = slice_tail(text, 3);
	while (conf_line_next(&text, &line)) {
		r->line++;
		if (line.kind == CONF_LINE_BAD)
			problems_add(r->problems, r->line, "%s", line.reason);
		else if (line.kind == CONF_LINE_SECTION)
			on_section(r, &line);
		else if (line.kind == CONF_LINE_SETTING)
			on_setting(r, &line);
	}
}

static void set_defaults(struct conf *conf, struct arena *strings)
{
	char wrong[CONF_WRONG_BYTES];

	for (size_t i = 0; i < conf_n_keys; i++)
		if (conf_keys[i].standard)
			must(conf_value_store(&conf_keys[i], slice_str(conf_keys[i].standard),
				     strings, conf, wrong) == 0);
	conf->tls[0].name = "";
	conf->n_tls = 1;
}

/* Without a place of its own the index lies in the Maildir, where a name without a leading dot is
 * no mailbox. */
static void set_index(struct reader *r)
{
	const struct conf_key *index = conf_key_find(SLICE("mail"), SLICE("index"));
	struct slice path = slice_str(r->conf->mail.path);

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (r->key_lines[index - conf_keys] == 0)
		r->conf->mail.index =
			arena_format(r->strings, "%.*s/restante.index", SLICE_FMT(path)).p;
}

static struct conf *conf_new(void)
{
	struct conf *conf = calloc(1, sizeof *conf);

	must(conf != NULL);
	conf->memory = calloc(1, sizeof(struct arena));
	must(conf->memory != NULL);
	return conf;
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	arena_done(conf->memory);
	free(conf->memory);
	free(conf);
}

static void cleanup_conf(struct conf **conf)
{
	conf_free(*conf);
}

static struct conf *parse(struct slice text, struct conf_problems *problems)
{
	struct conf *conf = conf_new();
	_cleanup_free_ struct reader *r = calloc(1, sizeof *r);

	must(r != NULL && conf_n_keys <= KEYS_MAX && conf_n_sections <= SECTIONS_MAX);
	*r = (struct reader){ .conf = conf, .strings = conf->memory, .problems = problems };
	r->places.key_lines = r->key_lines;
	set_defaults(conf, conf->memory);
	if (text.n > CONF_TEXT_MAX_BYTES) {
		problems_add(problems, 0,
			"larger than %d bytes; this is no configuration of restante",
			CONF_TEXT_MAX_BYTES);
		return conf;
	}
	read_lines(r, text);
	set_index(r);
	conf_check(conf, &r->places, problems);
	return conf;
}

int conf_parse(struct slice text, struct conf **ret_conf, struct conf_problems *ret_problems)
{
	struct conf_problems problems = { 0 };
	_cleanup_(cleanup_conf) struct conf *conf = parse(text, &problems);

	*ret_problems = problems;
	if (problems.n > 0)
		return -EINVAL;
	*ret_conf = take_ptr(conf);
	return 0;
}

struct conf *conf_parse_anyway(struct slice text)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = parse(text, &problems);

	conf_problems_done(&problems);
	return conf;
}

char *conf_find_string(struct slice text, const char *section, const char *name)
{
	const struct conf_key *key = conf_key_find(slice_str(section), slice_str(name));
	_cleanup_(cleanup_conf) struct conf *conf = conf_new();
	char wrong[CONF_WRONG_BYTES], *found = NULL;
	bool in_section = false;
	struct conf_line line;

	must(key && key->type == CONF_STRING && !key->per_tls);
	while (!found && conf_line_next(&text, &line)) {
		if (line.kind == CONF_LINE_SECTION)
			in_section = slice_equal(line.name, slice_str(section));
		if (line.kind != CONF_LINE_SETTING || !in_section ||
			!slice_equal(line.name, slice_str(name)))
			continue;
		if (conf_value_store(key, line.value, conf->memory, conf, wrong) < 0)
			break;
		found = strdup(*(const char **)((char *)conf + key->offset));
		must(found != NULL);
	}
	return found;
}

int conf_read_fd(int fd, char **ret_text, size_t *ret_bytes)
{
	_cleanup_free_ char *text = malloc(CONF_TEXT_MAX_BYTES + 1);
	size_t n = 0;

	must(text != NULL);
	for (;;) {
		ssize_t got = pread(fd, text + n, CONF_TEXT_MAX_BYTES + 1 - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > CONF_TEXT_MAX_BYTES)
			return -EFBIG;
	}
	*ret_text = take_ptr(text);
	*ret_bytes = n;
	return 0;
}

int conf_read_file(const char *path, char **ret_text, size_t *ret_bytes)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* A device or FIFO could give bytes for ever, or none. */
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return conf_read_fd(fd, ret_text, ret_bytes);
}
