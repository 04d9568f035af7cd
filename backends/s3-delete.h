/* Removing many objects, up to 1,000 a request. */
#pragma once

#include "s3-client.h"

/* As pgofs_backend_remove_many; `keys` are below the source's prefix. */
int s3_delete_many(struct s3_client *c, const char *const *keys, size_t n, int *ret_results, struct pgofs_error *err);

/* One, by its key in the bucket. 0 also where nothing was there. */
int s3_delete_one(struct s3_client *c, const char *full_key, int64_t deadline_ns, struct pgofs_error *err);
