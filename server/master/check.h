/* check.h - `restanted -t`: everything that is wrong with a configuration, on standard output. */
#pragma once

/*
 * Print every problem as FILE:LINE: message, each once: those of the text, and those that each role finds with
 * certificates, keys, users and the PAM service. Without any: "FILE: configuration OK".
 * Returns the exit status, 0 or 1. Blocks until the roles have looked.
 */
int check_file(const char *path);
