#include "contract.h"

static int open_memory(struct pgofs_backend **ret)
{
	return pgofs_backend_open("memory:", NULL, ret, NULL);
}

const struct contract_store contract_store = { .open = open_memory, .close = pgofs_backend_free };
