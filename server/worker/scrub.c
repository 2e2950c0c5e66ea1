#include "server/worker/scrub.h"

#include <string.h>

/* The deepest are the buffers of NSS and crypt(3): some ten kilobytes each. */
enum { DEPTH_BYTES = 256 * 1024 };

__attribute__((noinline)) void scrub_stack(void)
{
	char below[DEPTH_BYTES];

	explicit_bzero(below, sizeof below);
}
