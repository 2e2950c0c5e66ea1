/* try_ports.h - four free ports on 127.0.0.1 for --try. */
#pragma once

#include "base/cleanup.h"
#include "base/service.h"

/*
 * Find a free port for each service: 9993, 9995, 9143 and 9110 if all are free, else all of them 10000 further, and so on.
 * Returns 0, or -EADDRINUSE: there are none. A port may be taken again before it is used; then listening says so.
 */
_must_check_ int try_ports_find(uint16_t ret_ports[SERVICE_COUNT]);
