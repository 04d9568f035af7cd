/* A storage with no slot but those it must have, put and remove: the wrapper does the rest. */
#include "contract.h"

#include <pgofs/backend-impl.h>

#include <stdlib.h>
#include <string.h>

struct bare {
	struct pgofs_backend backend;
	struct pgofs_backend *memory;
};

static struct pgofs_backend *memory_of(struct pgofs_backend *b)
{
	return ((struct bare *)b)->memory;
}

static int bare_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	return pgofs_backend_probe(memory_of(b), err);
}

static int bare_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		     struct pgofs_error *err)
{
	return pgofs_backend_list(memory_of(b), dir, flags, each, context, err);
}

static int bare_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		    struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	return pgofs_backend_get(memory_of(b), key, version, max_bytes, ret, ret_stored, err);
}

static int bare_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		    struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	return pgofs_backend_put(memory_of(b), key, data, len, flags, ret_stored, err);
}

static int bare_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	return pgofs_backend_remove(memory_of(b), key, err);
}

static void bare_destroy(struct pgofs_backend *b)
{
	pgofs_backend_free(memory_of(b));
	free(b);
}

static const struct pgofs_backend_ops bare_ops = {
	.destroy = bare_destroy,
	.probe = bare_probe,
	.list = bare_list,
	.get = bare_get,
	.put = bare_put,
	.remove = bare_remove,
};

static int open_bare(struct pgofs_backend **ret)
{
	struct bare *b = calloc(1, sizeof *b);
	b->backend = (struct pgofs_backend){ &bare_ops, strdup("bare:") };
	*ret = &b->backend;
	return pgofs_backend_open("memory:", NULL, &b->memory, NULL);
}

const struct contract_store contract_store = { .open = open_bare, .close = pgofs_backend_free };
