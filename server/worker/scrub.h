/* scrub.h - overwrites what code we do not own leaves of a password on the stack. */
#pragma once

/*
 * Overwrite the stack below the caller, as deep as PAM modules get. After each login.
 * Freed heap is not reached: Linux-PAM, pam_unix and pam_pwdfile wipe theirs before they free it (a test looks);
 * a module that does not leaves its copy until that memory is used again, or the worker is replaced.
 */
void scrub_stack(void);
