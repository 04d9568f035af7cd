#include "contract.h"
#include "scratch.h"

static char path[SCRATCH_SIZE];

static int open_local(struct pgofs_backend **ret)
{
	scratch_make(path);
	return pgofs_backend_open(path, NULL, ret, NULL);
}

static void close_local(struct pgofs_backend *b)
{
	pgofs_backend_free(b);
	scratch_remove(path);
}

const struct contract_store contract_store = { .open = open_local, .close = close_local };
