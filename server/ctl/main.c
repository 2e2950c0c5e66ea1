/* restantectl: asks the running restanted, and shows what it says; looks at mail by itself. */
#include "conf/keys.h"
#include "server/ctl/check.h"
#include "server/ctl/client.h"
#include "server/ctl/mailbox.h"
#include "server/ctl/output.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>

#define STANDARD_CONFIG RESTANTE_SYSCONFDIR "/restante/restante.conf"

enum { EXIT_USAGE = 2, WORDS_MAX = 3, MANY = 10000 };

enum {
	OPT_JSON = 256,
	OPT_ID,
	OPT_HELP,
	OPT_VERSION,
	OPT_PATH,
	OPT_FORMAT,
	OPT_ALL,
	OPT_COUNTS,
	OPT_QUICK,
	OPT_STRICT,
};

struct options {
	const char *config, *socket, *id; /* NULL: not given */
	bool json;
	struct mailbox_options mailbox;
};

struct verb {
	const char *name, *arguments, *help;
	int min_arguments, max_arguments;
	int (*run)(const struct options *options, char **arguments,
		int n); /* returns the exit status */
};

static int verb_plain(const struct options *options, char **arguments, int n);
static int verb_reload(const struct options *options, char **arguments, int n);
static int verb_kick(const struct options *options, char **arguments, int n);
static int verb_check(const struct options *options, char **arguments, int n);
static int verb_mailbox(const struct options *options, char **arguments, int n);
static int verb_help(const struct options *options, char **arguments, int n);

/* run sees arguments from the verb's own name on: arguments[0] is it. */
static const struct verb verbs[] = {
	{ "status", "",
		"what runs: pools, generations, connections, certificates and their days left", 0,
		0, verb_plain },
	{ "who", "", "who is logged in: user, address, service, TLS, idle time, commands", 0, 0,
		verb_plain },
	{ "kick", "USER | --id N",
		"close all connections of a user, or one (its id as `who' shows it)", 0, 1,
		verb_kick },
	{ "reload", "",
		"take over configuration, certificates and keys; wait, and tell what is wrong", 0,
		0, verb_reload },
	{ "check", "",
		"check configuration, certificates, keys and PAM service, without a running server",
		0, 0, verb_check },
	{ "mailbox", "VERB ...", "look at the mail of a user, without a running server:", 1, MANY,
		verb_mailbox },
	{ "help", "", "this text", 0, 0, verb_help },
};

static void print_usage(FILE *to)
{
	fprintf(to,
		"usage: restantectl [-c FILE] [-s SOCKET] [--json] VERB [ARGUMENT]\n\nVerbs:\n");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		char left[40];

		snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].arguments);
		fprintf(to, "  %-20s %s\n", left, verbs[i].help);
		if (verbs[i].run == verb_mailbox)
			mailbox_print_usage(to);
	}
	fprintf(to, "\nOptions:\n"
		    "  -c FILE              configuration that names the control socket; "
		    "standard: " STANDARD_CONFIG "\n"
		    "  -s SOCKET            the control socket itself\n"
		    "  --json               print JSON instead of tables\n"
		    "  --path DIR           the mail in DIR, as its owner, instead of a user's\n"
		    "  --all                all mailboxes\n"
		    "  --quick, --strict    verify: read no message; let notes count as problems\n"
		    "  --format, -o FILE    export: mbox or tar; into a new file\n"
		    "  --help, --version    print this text, or the version\n");
}

static int verb_help(const struct options *options, char **arguments, int n)
{
	(void)options, (void)arguments, (void)n;
	print_usage(stdout);
	return 0;
}

static int verb_mailbox(const struct options *options, char **arguments, int n)
{
	struct mailbox_options mailbox = options->mailbox;

	mailbox.config = options->config;
	mailbox.json = options->json;
	return mailbox_run(&mailbox, arguments + 1, n);
}

static int verb_check(const struct options *options, char **arguments, int n)
{
	(void)arguments, (void)n;
	return check_run(options->config, options->json);
}

static const char *standard_socket(void)
{
	return conf_key_find(SLICE("control"), SLICE("socket"))->standard;
}

/*
 * The control socket as the configuration names it. A configuration that is not there is no reason to give up, nor one with
 * mistakes: the running server has its own, and `reload' is how they are told.
 * Returns 0, or -errno if a file that was asked for cannot be read.
 */
static int find_socket(const struct options *options, char *ret_path, size_t path_bytes)
{
	_cleanup_free_ char *text = NULL, *found = NULL;
	size_t n = 0;
	int r = 0;

	if (!options->socket)
		r = conf_read_file(options->config ? options->config : STANDARD_CONFIG, &text, &n);
	if (r < 0 && options->config)
		return r;
	if (text)
		found = conf_find_string(slice_from(text, n), "control", "socket");
	snprintf(ret_path, path_bytes, "%s",
		options->socket ? options->socket
		: found         ? found
				: standard_socket());
	return 0;
}

static int explain_failure(const struct options *options, const char *socket, int error)
{
	char why[CLIENT_EXPLAIN_BYTES];

	client_explain(socket, error, why);
	return output_error(options->json, "%s", why);
}

static int show(const struct options *options, const char *socket, struct slice text)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct reply reply;

	if (reply_parse(text, &arena, &reply) < 0)
		return output_error(options->json,
			"%s: what answered there does not speak as restanted does; are both of the "
			"same version?",
			socket);
	if (!reply.complete && reply.n_tables + reply.n_messages + reply.n_errors == 0)
		return output_error(options->json,
			"%s: the server closed the connection without an answer. Its log may say "
			"why",
			socket);
	if (reply.complete)
		return output_reply(&reply, options->json);

	struct slice *errors = arena_array(&arena, reply.n_errors + 1, sizeof *errors);

	if (reply.n_errors > 0)
		memcpy(errors, reply.errors, reply.n_errors * sizeof *errors);
	errors[reply.n_errors++] =
		SLICE("the answer was cut off: the server ended before it was complete");
	reply.errors = errors;
	return output_reply(&reply, options->json);
}

static int ask(
	const struct options *options, unsigned timeout_seconds, const char *const *words, size_t n)
{
	_cleanup_buf_ struct buf request = BUF(CONTROL_REQUEST_BYTES),
				 answer = BUF(CONTROL_REPLY_BYTES);
	struct slice slices[WORDS_MAX];
	char socket[CLIENT_EXPLAIN_BYTES];
	int r;

	for (size_t i = 0; i < n; i++)
		slices[i] = slice_str(words[i]);
	if (client_format(&request, slices, n) < 0)
		return output_error(options->json, "the argument is too long");
	r = find_socket(options, socket, sizeof socket);
	if (r < 0)
		return output_error(options->json, "%s: %s", options->config, strerror(-r));
	r = client_ask(socket, buf_slice(&request), timeout_seconds, &answer);
	if (r < 0 && answer.n == 0)
		return explain_failure(options, socket, r);
	return show(options, socket, buf_slice(&answer));
}

static int verb_plain(const struct options *options, char **arguments, int n)
{
	(void)n;
	return ask(options, CLIENT_TIMEOUT_SECONDS, (const char *const[]){ arguments[0] }, 1);
}

static int verb_reload(const struct options *options, char **arguments, int n)
{
	(void)arguments, (void)n;
	return ask(options, CLIENT_RELOAD_TIMEOUT_SECONDS, (const char *const[]){ "reload" }, 1);
}

static int verb_kick(const struct options *options, char **arguments, int n)
{
	uint64_t number;

	if ((n == 1) == (options->id != NULL)) {
		fprintf(stderr, "restantectl: kick wants either the name of a user, or --id and a "
				"number\n");
		return EXIT_USAGE;
	}
	if (!options->id)
		return ask(options, CLIENT_TIMEOUT_SECONDS,
			(const char *const[]){ "kick", "user", arguments[1] }, 3);
	if (!slice_number(slice_str(options->id), UINT64_MAX, &number)) {
		fprintf(stderr,
			"restantectl: --id wants a number, as `restantectl who' shows it\n");
		return EXIT_USAGE;
	}
	return ask(options, CLIENT_TIMEOUT_SECONDS,
		(const char *const[]){ "kick", "id", options->id }, 3);
}

static int run_verb(const struct options *options, char **arguments, int n)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(arguments[0], verbs[i].name) != 0)
			continue;
		if (n < verbs[i].min_arguments || n > verbs[i].max_arguments ||
			(options->id && verbs[i].run != verb_kick) ||
			(mailbox_has_options(&options->mailbox) && verbs[i].run != verb_mailbox)) {
			fprintf(stderr, "restantectl: usage: restantectl %s %s\n", verbs[i].name,
				verbs[i].arguments);
			return EXIT_USAGE;
		}
		return verbs[i].run(options, arguments, n);
	}
	fprintf(stderr, "restantectl: unknown verb `%s'; try restantectl help\n", arguments[0]);
	return EXIT_USAGE;
}

/* Options of the mailbox verbs. Returns false for any other. */
static bool take_mailbox_option(struct mailbox_options *options, int c)
{
	switch (c) {
	case 'o':
		options->output = optarg;
		return true;
	case OPT_PATH:
		options->path = optarg;
		return true;
	case OPT_FORMAT:
		options->format = optarg;
		return true;
	case OPT_ALL:
		return options->all = true;
	case OPT_COUNTS:
		return options->counts = true;
	case OPT_QUICK:
		return options->quick = true;
	case OPT_STRICT:
		return options->strict = true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		{ "id", required_argument, NULL, OPT_ID },
		{ "path", required_argument, NULL, OPT_PATH },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ "all", no_argument, NULL, OPT_ALL },
		{ "counts", no_argument, NULL, OPT_COUNTS },
		{ "quick", no_argument, NULL, OPT_QUICK },
		{ "strict", no_argument, NULL, OPT_STRICT },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	struct options options = { 0 };

	signal(SIGPIPE, SIG_IGN);
	for (int c; (c = getopt_long(argc, argv, "c:s:o:h", longs, NULL)) != -1;)
		switch (c) {
		case 'c':
			options.config = optarg;
			break;
		case 's':
			options.socket = optarg;
			break;
		case OPT_JSON:
			options.json = true;
			break;
		case OPT_ID:
			options.id = optarg;
			break;
		case 'h':
		case OPT_HELP:
			print_usage(stdout);
			return 0;
		case OPT_VERSION:
			puts("restantectl " RESTANTE_VERSION);
			return 0;
		default:
			if (take_mailbox_option(&options.mailbox, c))
				break;
			print_usage(stderr);
			return EXIT_USAGE;
		}
	if (optind == argc) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return run_verb(&options, argv + optind, argc - optind - 1);
}
