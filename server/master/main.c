/* restanted: the master. See restanted(8). */
#include "server/master/check.h"
#include "server/master/master.h"
#include "server/master/options.h"
#include "server/master/try.h"

#include <stdio.h>
#include <sys/stat.h>

enum { EXIT_USAGE = 2 };

/* Descriptors 0 to 2 must be open, or a socket would take their place. */
static void open_standard_descriptors(void)
{
	FILE *null;

	do {
		null = fopen("/dev/null", "r+");
	} while (null && fileno(null) <= STDERR_FILENO);
	if (null)
		fclose(null);
}

int main(int argc, char **argv)
{
	struct options options;

	open_standard_descriptors();
	umask(0022);
	if (options_parse(argc, argv, &options) < 0)
		return EXIT_USAGE;
	switch (options.action) {
	case OPTIONS_HELP:
		fputs(options_usage, stdout);
		return 0;
	case OPTIONS_VERSION:
		puts("restanted " RESTANTE_VERSION);
		return 0;
	case OPTIONS_CHECK:
		return check_file(options.conf_path);
	case OPTIONS_TRY:
		return try_serve(options.try_directory);
	case OPTIONS_SERVE:
		return master_serve(options.conf_path, NULL);
	}
	return EXIT_USAGE;
}
