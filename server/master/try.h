/* try.h - `restanted --try [DIR]`: a throw-away server on 127.0.0.1 with a CA, certificates, real PAM, two users and sample mail. */
#pragma once

/*
 * Make DIR (or use the one that is there, keeping its mail, certificates and passwords), print how to use it, and serve
 * until told to stop.
 * directory  NULL: a new temporary one, removed at the end.
 * Returns    the exit status.
 */
int try_serve(const char *directory);
