/* scrub.h - overwrites what PAM modules leave of a password in memory they gave back: below the stack, and in the heap. */
#pragma once

/* Make the heap forget what is freed from now on, as far as the C library offers that. Once, before the first login. */
void scrub_prepare(void);

/* Overwrite the unused stack below the caller, and memory that was freed. After each login. */
void scrub_memory(void);
