/* Telling the service manager how we are: systemd's sd_notify protocol, which others speak too.
 *
 * Where no manager listens ($NOTIFY_SOCKET unset), everything here succeeds and does nothing.
 *
 * Threads: any, as long as nobody changes the environment. */
#pragma once

#include <pgofs/error.h>

#include <stdint.h>

/* Sends one state, such as "READY=1", "STOPPING=1", "WATCHDOG=1" or "STATUS=…"; several are joined by newlines. Never
 * blocks. 0 also where nobody listens; -EINVAL a socket name of a kind we do not know; what sendto said. */
int pgofs_notify(const char *state, struct pgofs_error *err);

/* How often to send "WATCHDOG=1": half of what the manager allows, as sd_watchdog_enabled(3) advises; 0 when it does
 * not watch this process. */
int64_t pgofs_notify_watchdog_ns(void);
