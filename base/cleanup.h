/* cleanup.h - locals that release themselves, and the explicit handing over of what they own. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* For results that a caller may not overlook. */
#define _must_check_ __attribute__((warn_unused_result))

/* For functions that take a printf format: F is its place, A the place of the first argument. */
#define _printf_(F, A) __attribute__((format(printf, F, A)))

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_close_  _cleanup_(cleanup_close)
#define _cleanup_free_   _cleanup_(cleanup_free)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

/* Hand over a descriptor: *fd becomes -1. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Hand over a pointer: *p becomes NULL. */
#define take_ptr(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(p) *_pp = &(p);                                                         \
		__typeof__(p) _taken = *_pp;                                                       \
		*_pp = NULL;                                                                       \
		_taken;                                                                            \
	})
