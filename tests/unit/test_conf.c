/* test_conf.c - restante.conf: what is read, and what is said of what is wrong. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/keys.h"
#include "conf/lexer.h"
#include "conf/nearest.h"
#include "conf/values.h"
#include "conf/wrong.h"
#include "maildir/pop3_uidl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define TLS "[tls]\ncertificate = /c\nprivate-key = /k\n"

static struct conf *parse_good(const char *text)
{
	struct conf *conf = NULL;
	struct conf_problems problems;
	int r = conf_parse(slice_str(text), &conf, &problems);

	CHECK(r == 0, "%s", text);
	for (size_t i = 0; i < problems.n; i++)
		printf("line %u: %s\n", problems.items[i].line, problems.items[i].text);
	conf_problems_done(&problems);
	return conf;
}

static void test_defaults(void)
{
	struct conf *conf = parse_good(TLS);

	if (!conf)
		return;
	CU_ASSERT_EQUAL(conf->tls_minimum_minor, 2);
	CU_ASSERT_EQUAL(conf->n_tls, 1);
	CU_ASSERT_STRING_EQUAL(conf->tls[0].name, "");
	CU_ASSERT_EQUAL(conf->tls[0].line, 1);
	CU_ASSERT_STRING_EQUAL(conf->tls[0].certificates.values[0], "/c");
	CU_ASSERT_STRING_EQUAL(conf->tls[0].private_keys.values[0], "/k");
	CU_ASSERT_EQUAL(conf->listen[SERVICE_IMAPS].n, 0);
	CU_ASSERT_STRING_EQUAL(conf->front.user, "restante");
	CU_ASSERT_EQUAL(conf->front.max_connections, 20000);
	CU_ASSERT_EQUAL(conf->front.imap_idle_timeout_usec, 31 * 60 * USEC_PER_SEC);
	CU_ASSERT_STRING_EQUAL(conf->auth.pam_service, "restante");
	CU_ASSERT_FALSE(conf->auth.pam_session);
	CU_ASSERT_TRUE(conf->auth.pam_helpers);
	CU_ASSERT_EQUAL(conf->auth.minimum_uid, 1);
	CU_ASSERT_STRING_EQUAL(conf->mail.path, "~/Maildir");
	CU_ASSERT_STRING_EQUAL(conf->mail.index, "~/Maildir/restante.index");
	CU_ASSERT_EQUAL(conf->mail.hierarchy_separator, '/');
	CU_ASSERT_EQUAL(conf->mail.fsync, CONF_FSYNC_OPTIMIZED);
	CU_ASSERT_STRING_EQUAL(conf->pop3.uidl_format, "%08Xu%08Xv");
	CU_ASSERT_EQUAL(conf->log.target, CONF_LOG_AUTO);
	CU_ASSERT_EQUAL(conf->log.level, LOG_PRIORITY_INFO);
	CU_ASSERT_STRING_EQUAL(conf->control.socket, "/run/restante/control.sock");
	conf_free(conf);
}

static void test_all_kinds(void)
{
	struct conf *conf = parse_good("\xef\xbb\xbf; a comment\r\n"
				       "[listen]\t; and another\r\n"
				       "imaps = 0.0.0.0:993, [::]:993 # two\r\n"
				       "pop3=127.0.0.1:110\r\n"
				       "[tls MAIL.example.net]\n"
				       "private-key = /k3\n"
				       "certificate = /c3\n"
				       "[tls *.example.org]\ncertificate=/c4\nprivate-key=/k4\n"
				       "[tls]\n"
				       "certificate = /c1, /c2;x\n"
				       "private-key = /k1 , /k#2\n"
				       "minimum-version = 1.3\n"
				       "[mail]\nuser = 5000:5000\npath = "
				       "/var/vmail/%d/%n/\nhierarchy-separator = .\nfsync = never\n"
				       "[auth]\npam-session = yes\nfailure-delay = 0\nqueue-length "
				       "= 17\npam-config-dir =\n"
				       "[front]\nkeepalive = 1 min 30 s\nchroot =\nuser =\n"
				       "[log]\nlevel = debug\ntarget = syslog");

	if (!conf)
		return;
	CU_ASSERT_EQUAL(conf->listen[SERVICE_IMAPS].n, 2);
	CU_ASSERT_EQUAL(conf->listen[SERVICE_IMAPS].addresses[1].family, 6);
	CU_ASSERT_EQUAL(conf->listen[SERVICE_IMAPS].addresses[1].port, 993);
	CU_ASSERT_EQUAL(conf->listen[SERVICE_POP3].n, 1);
	CU_ASSERT_EQUAL(conf->n_tls, 3);
	CU_ASSERT_EQUAL(conf->tls[0].certificates.n, 2);
	CU_ASSERT_STRING_EQUAL(conf->tls[0].certificates.values[1], "/c2;x");
	CU_ASSERT_STRING_EQUAL(conf->tls[0].private_keys.values[1], "/k#2");
	CU_ASSERT_STRING_EQUAL(conf->tls[1].name, "mail.example.net");
	CU_ASSERT_STRING_EQUAL(conf->tls[1].certificates.values[0], "/c3");
	CU_ASSERT_STRING_EQUAL(conf->tls[2].name, "*.example.org");
	CU_ASSERT_EQUAL(conf->tls_minimum_minor, 3);
	CU_ASSERT_STRING_EQUAL(conf->mail.user, "5000:5000");
	CU_ASSERT_STRING_EQUAL(conf->mail.index, "/var/vmail/%d/%n/restante.index");
	CU_ASSERT_EQUAL(conf->mail.hierarchy_separator, '.');
	CU_ASSERT_EQUAL(conf->mail.fsync, CONF_FSYNC_NEVER);
	CU_ASSERT_TRUE(conf->auth.pam_session);
	CU_ASSERT_EQUAL(conf->auth.failure_delay_usec, 0);
	CU_ASSERT_EQUAL(conf->auth.queue_length, 17);
	CU_ASSERT_STRING_EQUAL(conf->auth.pam_config_dir, "");
	CU_ASSERT_EQUAL(conf->front.keepalive_usec, 90 * USEC_PER_SEC);
	CU_ASSERT_STRING_EQUAL(conf->front.user, "");
	CU_ASSERT_EQUAL(conf->log.level, LOG_PRIORITY_DEBUG);
	CU_ASSERT_EQUAL(conf->log.target, CONF_LOG_SYSLOG);
	conf_free(conf);
}

/* Each text has exactly one problem, at that line, whose message contains these words. */
static const struct {
	const char *text;
	unsigned line;
	const char *words;
} wrongs[] = {
	{ "", 0, "no [tls] section" },
	{ "[tls]\ncertifcate = /c\nprivate-key = /k\n", 2,
		"unknown key `certifcate'; did you mean `certificate'?" },
	{ TLS "[lisen]\n", 4, "unknown section [lisen]; did you mean [listen]?" },
	{ TLS "[tsl]\n", 4, "did you mean [tls]?" },
	{ TLS "[quota]\nmax = 1\n", 4, "unknown section [quota]; see restante.conf(5)" },
	{ TLS "[mail]\nuidl-format = x\n", 5,
		"unknown key `uidl-format' in [mail]; it belongs in [pop3]" },
	{ "path = ~/x\n" TLS, 1, "`path' stands before any [section]; it belongs in [mail]" },
	{ "zzz = 1\n" TLS, 1, "`zzz' stands before any [section]; begin with one" },
	{ TLS "[mail]\nwhatever-this-is = 1\n", 5, "unknown key `whatever-this-is' in [mail]" },
	{ TLS "[mail]\npath = ~/a\npath = ~/b\n", 6, "path was already set at line 5" },
	{ TLS "[log]\n[mail]\n[log]\n", 6, "[log] was already begun at line 4" },
	{ TLS "[log x]\n", 4, "only [tls] takes a name" },
	{ TLS "[mail\n", 4, "must end with `]'" },
	{ TLS "[]\n", 4, "a section header is a name in brackets" },
	{ TLS "hello\n", 4, "neither a [section], nor `key = value'" },
	{ TLS "= 3\n", 4, "before `=' must stand the name of a key" },
	{ TLS "[mail]\npath = ~/\x01\n", 5, "a control character" },
	{ "[tls]\ncertificate = /c\n", 1, "[tls] has 1 certificate(s) and 0 private key(s)" },
	{ "[tls]\ncertificate = /a, /b\nprivate-key = /k\n", 1,
		"[tls] has 2 certificate(s) and 1 private key(s)" },
	{ "[tls]\n", 1, "[tls] has no certificate" },
	{ "[tls]\ncertificate = c.pem\nprivate-key = /k\n", 2,
		"certificate: `c.pem' is not an absolute path" },
	{ "[tls]\ncertificate =\nprivate-key = /k\n", 2, "certificate: must not be empty" },
	{ "[tls]\ncertificate = /a,,/b\nprivate-key = /k\n", 2, "certificate: must not be empty" },
	{ TLS "minimum-version = 1.1\n", 4,
		"versions before TLS 1.2 are broken, and restante does not offer them" },
	{ TLS "minimum-version = SSLv3\n", 4, "does not offer them; write 1.2 or 1.3" },
	{ TLS "minimum-version = 1.4\n", 4, "`1.4' is not one of: 1.2, 1.3" },
	{ TLS "[tls a.example]\n", 4, "[tls a.example] has no certificate" },
	{ TLS "[tls a.example]\nminimum-version = 1.3\ncertificate=/c\nprivate-key=/k\n", 5,
		"minimum-version holds for all names; set it in [tls]" },
	{ TLS "[tls a.example]\ncertificate=/c\nprivate-key=/k\n[tls "
	      "A.Example]\ncertificate=/c\nprivate-key=/k\n",
		7, "[tls a.example] was already begun at line 4" },
	{ TLS "[tls a..b]\n", 4, "[tls a..b] is not a host name" },
	{ TLS "[tls *.]\n", 4, "is not a host name" },
	{ TLS "[tls a.*.b]\n", 4, "is not a host name" },
	{ TLS "[listen]\nimaps = 993\n", 5, "imaps: `993' is not an address with a port" },
	{ TLS "[listen]\nimaps = 1.2.3.4:993, 1.2.3.4:993\n", 5,
		"1.2.3.4:993 is already an address of imaps" },
	{ TLS "[listen]\npop3 = [::1]:110\nimap = [::1]:110\n", 5,
		"pop3: [::1]:110 is already an address of imap" },
	{ TLS "[auth]\nworkers-min = 9\nworkers-max = 8\n", 5,
		"workers-min (9) is more than workers-max (8)" },
	{ TLS "[auth]\nworkers-max = 1\n", 5, "workers-min (2) is more than workers-max (1)" },
	{ TLS "[auth]\nworkers-max = 0\n", 5, "workers-max: 0 is outside 1 to 512" },
	{ TLS "[auth]\nworkers-max = many\n", 5,
		"workers-max: `many' is not a whole number; write for example 32" },
	{ TLS "[auth]\nworkers-max = 99999999999999999999999\n", 5, "is not a whole number" },
	{ TLS "[auth]\npam-session = true\n", 5, "pam-session: `true' is neither yes nor no" },
	{ TLS "[auth]\npam-service = /etc/pam.d/x\n", 5, "is not the name of a PAM service" },
	{ TLS "[auth]\nfailure-delay = soon\n", 5,
		"failure-delay: `soon' is not a duration; write for example 30s, 2 min or 12h" },
	{ TLS "[auth]\nfailure-delay = 2 h\n", 5, "failure-delay: `2 h' is outside 0 s to 1 min" },
	{ TLS "[mail]\nquota-storage = much\n", 5,
		"quota-storage: `much' is not a size; write for example 500M or 2.5G" },
	{ TLS "[imap]\nadmin = postmaster@example.org\n", 5,
		"is no URI; write for example mailto:postmaster@example.org" },
	{ TLS "[front]\nimap-idle-timeout = 5 min\n", 5, "is outside 30 min to 7 d" },
	{ TLS "[mail]\npath = /var/mail/all\n", 5,
		"is the same for all users; put %u, %n or ~ into it" },
	{ TLS "[mail]\npath = Maildir\n", 5, "is not absolute" },
	{ TLS "[mail]\npath = ~other/Maildir\n", 5, "begins with ~ but goes on without /" },
	{ TLS "[mail]\npath = /x/%q/%u\n", 5, "has a % with no meaning" },
	{ TLS "[mail]\npath = /x/%u/%\n", 5, "has a % with no meaning" },
	{ TLS "[mail]\npath = /x/%%u\n", 5, "is the same for all users" },
	{ TLS "[mail]\nindex = /x/y\n", 5, "index: `/x/y' is the same for all users" },
	{ TLS "[mail]\nuser = vmail\n", 5,
		"with `user' set, path may not begin with ~ (it is `~/Maildir')" },
	{ TLS "[mail]\nuser = vmail\npath = /v/%u\nindex = ~/i\n", 7,
		"with `user' set, index may not begin with ~" },
	{ TLS "[mail]\nuser = 0:0\npath = /v/%u\n", 5, "uid 0 is below minimum-uid (1)" },
	{ TLS "[mail]\nuser = a:b\npath = /v/%u\n", 5, "is not UID:GID" },
	{ TLS "[mail]\nuser = a b\npath = /v/%u\n", 5,
		"is not the name of a user; write a name or UID:GID" },
	{ TLS "[mail]\nhierarchy-separator = ^\n", 5, "`^' is not one of: /, ." },
	{ TLS "[pop3]\nuidl-format = %v\n", 5, "gives every message the same unique-id" },
	{ TLS "[pop3]\nuidl-format =\n", 5, "uidl-format: must not be empty" },
	{ TLS "[log]\nlevel = all\n", 5,
		"`all' is not one of: error, warning, notice, info, debug" },
	{ TLS "[mail]\npath = \"~/x ; y\n", 5, "path: has a quote without its end" },
	{ TLS "[mail]\npath = \"~/x\"y\n", 5, "path: goes on behind its closing quote" },
	{ "[tls]\ncertificate = \"/a\" /b\nprivate-key = /k\n", 2,
		"goes on behind its closing quote" },
	{ "[tls]\ncertificate = /a, \"/b\nprivate-key = /k\n", 2, "has a quote without its end" },
	{ "[tls]\ncertificate = \"\"\nprivate-key = /k\n", 2, "must not be empty" },
	{ TLS "[control]\nsocket = x.sock\n", 5, "socket: `x.sock' is not an absolute path" },
};

static void test_wrongs(void)
{
	for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
		struct conf *conf = NULL;
		struct conf_problems problems;
		int r = conf_parse(slice_str(wrongs[i].text), &conf, &problems);

		CHECK(r == -EINVAL && !conf, "row %zu: %s", i, wrongs[i].text);
		CHECK(problems.n == 1, "row %zu: %s: %zu problems", i, wrongs[i].text, problems.n);
		if (problems.n > 0) {
			CHECK(problems.items[0].line == wrongs[i].line, "row %zu: line %u", i,
				problems.items[0].line);
			CHECK(strstr(problems.items[0].text, wrongs[i].words), "row %zu: %s", i,
				problems.items[0].text);
		}
		conf_problems_done(&problems);
		conf_free(conf);
	}
}

static void test_all_at_once(void)
{
	/* [mial] itself is a problem at line 1; [front] at line 5 is none. */
	static const unsigned lines[] = { 0, 1, 2, 3, 4, 7, 8 };
	struct conf *conf = NULL;
	struct conf_problems problems;
	int r = conf_parse(SLICE("[mial]\n"
				 "pathh = ~/x\n"
				 "fsync = perhaps\n"
				 "rubbish\n"
				 "[front]\n"
				 "processes = 1\n"
				 "processes = 2\n"
				 "login-timeout = x\n"),
		&conf, &problems);

	CU_ASSERT_EQUAL(r, -EINVAL);
	CU_ASSERT_EQUAL(problems.n, sizeof lines / sizeof *lines);
	for (size_t i = 0; i < problems.n && i < sizeof lines / sizeof *lines; i++)
		CHECK(problems.items[i].line == lines[i], "problem %zu: line %u: %s", i,
			problems.items[i].line, problems.items[i].text);
	conf_problems_done(&problems);
}

static void test_many_problems(void)
{
	char text[4 * CONF_PROBLEMS_MAX];
	struct conf *conf = NULL;
	struct conf_problems problems;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 ? '\n' : 'x';
	CU_ASSERT_EQUAL(conf_parse(slice_from(text, sizeof text), &conf, &problems), -EINVAL);
	CU_ASSERT_EQUAL(problems.n, CONF_PROBLEMS_MAX + 1);
	CU_ASSERT_STRING_EQUAL(problems.items[problems.n - 1].text, "and more; mend these first");
	conf_problems_done(&problems);
}

static void test_many_tls(void)
{
	char text[CONF_TLS_MAX * 64 + 100];
	size_t n = (size_t)snprintf(text, sizeof text, TLS);
	struct conf *conf;
	struct conf_problems problems;

	for (unsigned i = 1; i < CONF_TLS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
			"[tls h%u.example]\ncertificate=/c\nprivate-key=/k\n", i);
	conf = parse_good(text);
	CU_ASSERT_EQUAL(conf->n_tls, CONF_TLS_MAX);
	conf_free(conf);
	conf = NULL;
	snprintf(text + n, sizeof text - n, "[tls one.more]\ncertificate=/c\n");
	CU_ASSERT_EQUAL(conf_parse(slice_str(text), &conf, &problems), -EINVAL);
	CU_ASSERT_EQUAL(problems.n, 1);
	conf_problems_done(&problems);
}

static void test_quotes(void)
{
	struct conf *conf = parse_good("[tls]\n"
				       "certificate = \"/a, b ; c # d\" , /e , \"/f\"\t; three\n"
				       "private-key = /1,\"/2\",/3\n"
				       "[mail]\npath = \"~/My Mail # 1, new\" # one\n"
				       "[pop3]\nuidl-format = %u\"x\"\n"
				       "[auth]\npam-config-dir = \"\"\n");

	if (!conf)
		return;
	CU_ASSERT_EQUAL(conf->tls[0].certificates.n, 3);
	CU_ASSERT_STRING_EQUAL(conf->tls[0].certificates.values[0], "/a, b ; c # d");
	CU_ASSERT_STRING_EQUAL(conf->tls[0].certificates.values[1], "/e");
	CU_ASSERT_STRING_EQUAL(conf->tls[0].certificates.values[2], "/f");
	CU_ASSERT_STRING_EQUAL(conf->tls[0].private_keys.values[1], "/2");
	CU_ASSERT_STRING_EQUAL(conf->mail.path, "~/My Mail # 1, new");
	CU_ASSERT_STRING_EQUAL(conf->mail.index, "~/My Mail # 1, new/restante.index");
	CU_ASSERT_STRING_EQUAL(conf->pop3.uidl_format, "%u\"x\"");
	CU_ASSERT_STRING_EQUAL(conf->auth.pam_config_dir, "");
	conf_free(conf);
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		int64_t usec; /* -1: wrong */
		const char *formatted;
	} rows[] = {
		{ "30s", 30000000, "30 s" },
		{ "2 min", 120000000, "2 min" },
		{ "12h", 43200000000, "12 h" },
		{ "1h 30min", 5400000000, "90 min" },
		{ "1h30min", 5400000000, "90 min" },
		{ "7", 7000000, "7 s" },
		{ "0", 0, "0 s" },
		{ "250 ms", 250000, "250 ms" },
		{ "2 days", 172800000000, "2 d" },
		{ "", -1, NULL },
		{ "s", -1, NULL },
		{ "5x", -1, NULL },
		{ "-5s", -1, NULL },
		{ "1.5h", 5400000000, "90 min" },
		{ "0.2s", 200000, "200 ms" },
		{ "0.25", 250000, "250 ms" },
		{ "1.000001s", 1000001, NULL },
		{ "1.0000001s", -1, NULL },
		{ "1.s", -1, NULL },
		{ ".5s", -1, NULL },
		{ "18446744073709551615", -1, NULL },
		{ "3650d 1s", -1, NULL },
		{ "5 5", -1, NULL },
		{ "99999999999999999999s", -1, NULL },
		{ "9999999999d", -1, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t usec = 0;
		char text[32] = "";
		bool good = conf_duration_parse(slice_str(rows[i].text), &usec);

		CHECK(good == (rows[i].usec >= 0), "row %zu", i);
		if (!good)
			continue;
		CHECK(usec == (uint64_t)rows[i].usec, "row %zu: %llu", i, (unsigned long long)usec);
		conf_duration_format(usec, text, sizeof text);
		CHECK(!rows[i].formatted || strcmp(text, rows[i].formatted) == 0, "row %zu: %s", i,
			text);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: wrong */
	} rows[] = {
		{ "0", 0 },
		{ "1024", 1024 },
		{ "12B", 12 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", -1 },
		{ "500M", 500 << 20 },
		{ "1.5 G", (int64_t)3 << 29 },
		{ "2 GiB", (int64_t)1 << 31 },
		{ "1kb", 1024 },
		{ "0.25K", 256 },
		{ "2T", (int64_t)1 << 41 },
		{ "8388607T", (int64_t)8388607 << 40 },
		{ "8388608T", -1 },
		{ "", -1 },
		{ "G", -1 },
		{ "-1", -1 },
		{ "1 X", -1 },
		{ "1 GG", -1 },
		{ "1 1G", -1 },
		{ "99999999999999999999", -1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t bytes = 0;
		bool good = conf_size_parse(slice_str(rows[i].text), &bytes);

		CHECK(good == (rows[i].bytes >= 0), "row %zu", i);
		CHECK(!good || bytes == (uint64_t)rows[i].bytes, "row %zu: %llu", i,
			(unsigned long long)bytes);
	}
}

static void test_uidl_formats(void)
{
	static const struct {
		const char *format;
		bool good;
	} rows[] = {
		{ "%08Xu%08Xv", true },
		{ "%v.%u", true },
		{ "%f", true },
		{ "%g", true },
		{ "UID%u-%v", true },
		{ "%Xv%xu", true },
		{ "%%%u", true },
		{ "%8u", false },
		{ "%070u", true },
		{ "%v", false },
		{ "abc", false },
		{ "%", false },
		{ "%08X", false },
		{ "%071u", false },
		{ "%0070u", false },
		{ "%040u%040v", false },
		{ "%8f", false },
		{ "%Xg", false },
		{ "%m", false },
		{ "a b%u", false },
		{ "\xc3\xa9%u", false },
		{ "%99999999999999999999u", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK(!conf_wrong_uidl_format(slice_str(rows[i].format)) == rows[i].good,
			"row %zu: %s", i, rows[i].format);
		/* Who makes them must agree. */
		CHECK(!rows[i].good || pop3_uidl_format_is_valid(slice_str(rows[i].format)),
			"row %zu: %s", i, rows[i].format);
	}
}

static void test_nearest(void)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} rows[] = {
		{ "", "", 0 },
		{ "abc", "abc", 0 },
		{ "abc", "ABC", 0 },
		{ "abc", "acb", 1 },
		{ "abc", "ab", 1 },
		{ "abc", "xabc", 1 },
		{ "abc", "axc", 1 },
		{ "", "abc", 3 },
		{ "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK(nearest_distance(slice_str(rows[i].a), slice_str(rows[i].b)) ==
				rows[i].distance,
			"row %zu", i);
		CHECK(nearest_distance(slice_str(rows[i].b), slice_str(rows[i].a)) ==
				rows[i].distance,
			"row %zu", i);
	}
	CU_ASSERT_FALSE(nearest_is_slip(SLICE("ab"), 2));
	CU_ASSERT_TRUE(nearest_is_slip(SLICE("certifcate"), 1));
}

static void test_find_string(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", NULL },
		{ "rubbish\n[control\n[control]\nsockt=/a\nsocket = \"/run/x y\" ; "
		  "c\nsocket=/z\n[lgo]\n",
			"/run/x y" },
		{ "[log]\nsocket = /a\n[control]\n", NULL },
		{ "[control]\nsocket = a\n", NULL },
		{ "socket = /a\n", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_free_ char *found =
			conf_find_string(slice_str(rows[i].text), "control", "socket");

		CHECK(rows[i].want ? found && strcmp(found, rows[i].want) == 0 : !found,
			"row %zu: %s", i, found ? found : "none");
	}
}

/* The table itself: names are unique, sections known, defaults within their limits. */
static void test_key_table(void)
{
	for (size_t i = 0; i < conf_n_keys; i++) {
		const struct conf_key *key = &conf_keys[i];
		char path[CONF_WRONG_BYTES];
		_cleanup_arena_ struct arena strings = { 0 };
		_cleanup_free_ struct conf *conf = calloc(1, sizeof *conf);

		CHECK(conf_key_find(slice_str(key->section), slice_str(key->name)) == key, "%s",
			key->name);
		CHECK(conf_section_find(slice_str(key->section)), "%s", key->section);
		CHECK(key->doc && key->doc[0] && strlen(key->doc) < 120, "%s", key->name);
		CHECK(!key->standard || conf_value_store(key, slice_str(key->standard), &strings,
						conf, path) == 0,
			"%s", key->name);
	}
}

static void test_long_values(void)
{
	static char text[CONF_TEXT_MAX_BYTES + 2];
	struct conf *conf = NULL;
	struct conf_problems problems;

	memset(text, 'a', sizeof text);
	memcpy(text, TLS "[mail]\npath=~/", sizeof(TLS "[mail]\npath=~/") - 1);
	CU_ASSERT_EQUAL(
		conf_parse(slice_from(text, CONF_TEXT_MAX_BYTES), &conf, &problems), -EINVAL);
	CU_ASSERT_EQUAL(problems.n, 1);
	CU_ASSERT_TRUE(problems.n == 1 && strstr(problems.items[0].text, "bytes long"));
	conf_problems_done(&problems);
	CU_ASSERT_EQUAL(
		conf_parse(slice_from(text, CONF_TEXT_MAX_BYTES + 1), &conf, &problems), -EINVAL);
	CU_ASSERT_TRUE(problems.n == 1 && strstr(problems.items[0].text, "larger than"));
	conf_problems_done(&problems);
}

static void test_read_file(void)
{
	_cleanup_free_ char *text = NULL, *again = NULL;
	_cleanup_close_ int fd = memfd_create("conf", MFD_CLOEXEC);
	size_t n;

	CU_ASSERT_EQUAL(write(fd, TLS, strlen(TLS)), (ssize_t)strlen(TLS));
	CU_ASSERT_EQUAL(conf_read_fd(fd, &text, &n), 0);
	CU_ASSERT_TRUE(slice_equal(slice_from(text, n), SLICE(TLS)));
	CU_ASSERT_EQUAL(conf_read_fd(fd, &again, &n), 0); /* from the start, again */
	CU_ASSERT_EQUAL(n, strlen(TLS));
	CU_ASSERT_EQUAL(ftruncate(fd, CONF_TEXT_MAX_BYTES + 1), 0);
	CU_ASSERT_EQUAL(conf_read_fd(fd, &again, &n), -EFBIG);
	CU_ASSERT_EQUAL(conf_read_file("/nonexistent/restante.conf", &again, &n), -ENOENT);
	CU_ASSERT_EQUAL(conf_read_file("/", &again, &n), -EISDIR);
	CU_ASSERT_EQUAL(conf_read_file("/dev/zero", &again, &n), -EINVAL);
}

/* The same value in both, for a key that is not of a [tls]. */
static bool same_value(const struct conf_key *key, const struct conf *a, const struct conf *b)
{
	const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;

	switch (key->type) {
	case CONF_STRING:
		return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
	case CONF_NUMBER:
	case CONF_CHOICE:
		return *(const unsigned *)x == *(const unsigned *)y;
	case CONF_DURATION:
	case CONF_SIZE:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case CONF_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case CONF_CHAR:
		return *(const char *)x == *(const char *)y;
	case CONF_ADDRESSES:
	case CONF_LIST:
		break;
	}
	return true;
}

/* What the sample shows as defaults is what holds without them; uncommented it is still right. */
static void test_sample(void)
{
	_cleanup_free_ char *text = NULL, *shown = NULL;
	size_t n = 0, m = 0;
	struct conf *conf, *all;

	CU_ASSERT_EQUAL_FATAL(conf_read_file("conf/restante.conf", &text, &n), 0);
	shown = calloc(1, n + 1);
	for (size_t i = 0; i < n; i++)
		if ((i == 0 || text[i - 1] == '\n') && i + 1 < n && text[i] == ';' &&
			text[i + 1] == ' ')
			i++;
		else
			shown[m++] = text[i];
	text = realloc(text, n + 1);
	text[n] = '\0';
	conf = parse_good(text);
	all = parse_good(shown);
	CU_ASSERT_FATAL(conf && all);
	CU_ASSERT_EQUAL(all->n_tls, 2);
	for (size_t i = 0; i < conf_n_keys; i++)
		CHECK(conf_keys[i].per_tls || same_value(&conf_keys[i], conf, all), "%s",
			conf_keys[i].name);
	conf_free(conf);
	conf_free(all);
}

static const struct unit_test tests[] = {
	{ "what is left out has its default", test_defaults },
	{ "every kind of value", test_all_kinds },
	{ "each mistake alone", test_wrongs },
	{ "all mistakes at once, by line", test_all_at_once },
	{ "too many mistakes", test_many_problems },
	{ "as many names as fit", test_many_tls },
	{ "quotes", test_quotes },
	{ "durations", test_durations },
	{ "sizes", test_sizes },
	{ "uidl-format", test_uidl_formats },
	{ "edit distance", test_nearest },
	{ "the table of keys", test_key_table },
	{ "one setting alone", test_find_string },
	{ "limits of size", test_long_values },
	{ "reading files", test_read_file },
	{ "the sample configuration", test_sample },
};

UNIT_MAIN("conf", tests)
