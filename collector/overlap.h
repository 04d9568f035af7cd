/* Whether one directory is, holds, or lies in another, by whatever names.
 *
 * Threads: any. */
#pragma once

#include <stdbool.h>

/* `other` need not be there yet; one that cannot be looked at overlaps with nothing. Does not wait for a mount that hangs. */
bool overlap_between(int dir_fd, const char *other);
