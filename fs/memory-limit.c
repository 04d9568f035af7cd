/* The limit of a cgroup is that of the process's own and of each one above it; in a container the files of its own
 * are at the root of /sys/fs/cgroup whatever /proc/self/cgroup calls them, so both places are asked. */
#include "memory-limit.h"

#include <pgofs/cleanup.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void take_file(const char *name, uint64_t *limit)
{
	_cleanup_(pgofs_fclosep) FILE *f = fopen(name, "re");
	uint64_t n;
	if (f && fscanf(f, "%" SCNu64, &n) == 1 && n && n < *limit)
		*limit = n;
}

/* From `path` up to the root. */
static void take_paths(const char *root, char *path, const char *file, uint64_t *limit)
{
	char name[8192];
	for (;;) {
		snprintf(name, sizeof name, "%s%s/%s", root, path, file);
		take_file(name, limit);
		char *slash = strrchr(path, '/');
		if (!slash)
			return;
		*slash = 0;
	}
}

uint64_t pgofs_memory_limit(void)
{
	uint64_t limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	_cleanup_(pgofs_fclosep) FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	take_file("/sys/fs/cgroup/memory.max", &limit);
	take_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit);
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		if (!controllers[1])
			take_paths("/sys/fs/cgroup", path, "memory.max", &limit);
		else if (strstr(controllers, "memory"))
			take_paths("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", &limit);
	}
	return limit;
}
