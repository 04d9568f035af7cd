/* Listings: what is under a prefix, page after page. */
#pragma once

#include "s3-client.h"

#include <pgofs/backend.h>

/* As pgofs_backend_list. `dir` is a directory below the source's prefix, "" its root. `ret_n_foreign` counts what was left
 * out because no key is called that. */
int s3_list(struct s3_client *c, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
	    size_t *ret_n_foreign, struct pgofs_error *err);

/* May we list, and is the bucket there? -ENOENT no such bucket. */
int s3_list_probe(struct s3_client *c, struct pgofs_error *err);

/* One object without reading it, by a listing of it alone. -ENOENT; -EIO it is there, but not described. */
int s3_list_one(struct s3_client *c, const char *full_key, int64_t deadline_ns, struct pgofs_stored *ret,
		struct pgofs_error *err);

/* How many keys begin with `prefix` (beyond 2 nobody counts), and whether `prefix` itself is one. */
int s3_list_peek(struct s3_client *c, const char *prefix, int64_t deadline_ns, size_t *ret_n, bool *ret_itself,
		 struct pgofs_error *err);
