#include "server/master/options.h"

#include <errno.h>
#include <getopt.h>

#define CONF_PATH RESTANTE_SYSCONFDIR "/restante/restante.conf"

const char options_usage[] =
	"restanted - POP3 and IMAP for users known to PAM, whose mail lies in Maildirs\n"
	"\n"
	"  restanted [-c FILE]      serve, in the foreground\n"
	"  restanted -t [-c FILE]   check configuration, certificates, keys and PAM service; tell everything that is wrong\n"
	"  restanted --try [DIR]    a throw-away server on 127.0.0.1 with sample mail, to try mail programs with;\n"
	"                           without DIR everything is in a temporary directory, removed at the end\n"
	"  restanted --help | --version\n"
	"\n"
	"  -c FILE                  the configuration; " CONF_PATH " if left out\n"
	"\n"
	"SIGHUP reads the configuration, certificates and keys again; SIGTERM stops. See restanted(8), restante.conf(5).\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "test", no_argument, NULL, 't' },
	{ "try", no_argument, NULL, 'T' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static bool take_option(struct options *o, int option)
{
	switch (option) {
	case 'c':
		o->conf_path = optarg;
		return true;
	case 't':
		o->action = OPTIONS_CHECK;
		return true;
	case 'T':
		o->action = OPTIONS_TRY;
		return true;
	case 'h':
		o->action = OPTIONS_HELP;
		return true;
	case 'V':
		o->action = OPTIONS_VERSION;
		return true;
	default:
		return false;
	}
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options o = { .action = OPTIONS_SERVE, .conf_path = CONF_PATH };
	int option;

	while ((option = getopt_long(argc, argv, "c:t", long_options, NULL)) != -1)
		if (!take_option(&o, option)) {
			fprintf(stderr, "Try restanted --help.\n");
			return -EINVAL;
		}
	if (o.action == OPTIONS_TRY && optind < argc)
		o.try_directory = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "restanted: what is \"%s\"? Try restanted --help.\n", argv[optind]);
		return -EINVAL;
	}
	*ret_options = o;
	return 0;
}
