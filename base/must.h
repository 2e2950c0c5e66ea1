/* must.h - the check for our own bugs; always compiled in. */
#pragma once

/*
 * End the process, with the condition and its place on standard error, unless cond holds.
 * For what only a bug in this program can break; never for input or system errors.
 */
#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))

__attribute__((noreturn, cold)) void must_failed(const char *cond, const char *file, int line);
