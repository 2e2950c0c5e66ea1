#include "server/worker/scrub.h"

#include <malloc.h>
#include <string.h>

/* Deeper than PAM modules go: their own limits are the stack buffers of NSS and crypt(3). */
enum { STACK_BYTES = 256 * 1024 };

void scrub_prepare(void)
{
}

static __attribute__((noinline)) void scrub_stack(void)
{
	char below[STACK_BYTES];

	explicit_bzero(below, sizeof below);
}

void scrub_memory(void)
{
	scrub_stack();
}
