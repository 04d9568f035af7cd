/* A cache before a storage: CACHED is "memory" or "local", CACHE_ON_DISK 0 or 1. Small, so that things leave it. */
#include "contract.h"
#include "scratch.h"

#include <stdio.h>
#include <string.h>

static char path[SCRATCH_SIZE];

static int open_cached(struct pgofs_backend **ret)
{
	char source[SCRATCH_SIZE], dir[SCRATCH_SIZE + 16];
	scratch_make(path);
	snprintf(source, sizeof source, "%s", strcmp(CACHED, "local") ? "memory:" : path);
	snprintf(dir, sizeof dir, "cache=%s.cache", path);
	const char *options[] = { "cache-memory=1MiB", "cache-size=2MiB", CACHE_ON_DISK ? dir : NULL, NULL };
	return pgofs_backend_open(source, options, ret, NULL);
}

static void close_cached(struct pgofs_backend *b)
{
	pgofs_backend_free(b);
	scratch_remove(path);
	strcat(path, ".cache");
	scratch_remove(path);
}

const struct contract_store contract_store = { .open = open_cached, .close = close_cached };
