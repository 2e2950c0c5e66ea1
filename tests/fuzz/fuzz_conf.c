/* fuzz_conf.c - any bytes as restante.conf: either settings, or problems with lines that exist. */
#include "base/must.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct conf *conf = NULL;
	struct conf_problems problems;
	int r = conf_parse(slice_from(bytes, n), &conf, &problems);

	must((r == 0) == (conf != NULL) && (r == 0) == (problems.n == 0));
	for (size_t i = 0; i < problems.n; i++) {
		must(problems.items[i].text[0] != '\0' && problems.items[i].line <= n + 1);
		must(i == 0 || problems.items[i].line >= problems.items[i - 1].line);
	}
	conf_problems_done(&problems);
	conf_free(conf);
	free(conf_find_string(slice_from(bytes, n), "control", "socket"));
	return 0;
}
