/* How much memory this process may use, so that a default can be modest in a small container. */
#pragma once

#include <stdint.h>

/* The smallest of the limits of its cgroups (v1 or v2) and of the machine's memory. Never 0. */
uint64_t pgofs_memory_limit(void);
