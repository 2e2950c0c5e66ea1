/* Any bytes as a user name in templates of mail paths: it stays one component below the directory that the template names. */
#include "auth/account.h"
#include "auth/expand.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const char *template, struct slice user, size_t components)
{
	const struct expand_names names = { .user = user, .home = SLICE("/home/x") };
	char path[LIMIT_PATH_BYTES + 1];
	struct slice rest, component;

	if (expand_path(template, &names, path) < 0)
		return;
	rest = slice_str(path);
	must(slice_starts_with(rest, SLICE("/home/x/")) && rest.n <= LIMIT_PATH_BYTES);
	must(slice_skip(&rest, '/') && !slice_ends_with(rest, SLICE("/")));
	while (slice_split(&rest, '/', &component)) {
		must(component.n > 0 && !slice_equal(component, SLICE(".")) && !slice_equal(component, SLICE("..")));
		components--;
	}
	must(components == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice user = slice_from(bytes, n);

	if (!account_user_is_valid(user))
		return 0;
	check("/home/x/%u", user, 3);
	check("~/%d/%n", user, 4);
	check("/home/x/.%n/%u@%d//", user, 4);
	return 0;
}
