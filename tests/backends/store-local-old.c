/* A directory on a filesystem that cannot rename without replacing, and whose calls do a part and are interrupted. */
#include "contract.h"
#include "fakesys.h"
#include "scratch.h"

static char path[SCRATCH_SIZE];

static int open_local(struct pgofs_backend **ret)
{
	scratch_make(path);
	int r = pgofs_backend_open(path, NULL, ret, NULL);
	if (r == 0)
		fakesys_use(*ret, &(struct fakesys){ .old = true, .slow = true });
	return r;
}

static void close_local(struct pgofs_backend *b)
{
	pgofs_backend_free(b);
	scratch_remove(path);
}

const struct contract_store contract_store = { .open = open_local, .close = close_local };
