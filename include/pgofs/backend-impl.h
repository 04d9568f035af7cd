/* Storage, for authors of one.
 *
 * A storage is a structure whose first member is `struct pgofs_backend`, and a table of operations. Callers come in through
 * pgofs_backend_*() (backends/backend.c), which checks keys and arguments, logs at debug level, prefixes errors with what
 * was being done, and does without an empty slot as said beside it. So an operation may trust what it is given.
 *
 * A storage that stands in front of another (a cache, faults for tests) holds it as `next`, calls it through
 * pgofs_backend_*(), and frees it.
 *
 * Each slot: same arguments, results, errors and threads as the function of its name in backend.h. */
#pragma once

#include <pgofs/backend.h>

struct pgofs_backend_ops {
	void (*destroy)(struct pgofs_backend *b); /* required; frees b */

	int (*probe)(struct pgofs_backend *b, struct pgofs_error *err); /* required */

	int (*list)(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		    struct pgofs_error *err); /* required */

	int (*get)(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		   struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err); /* required */

	int (*put)(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		   struct pgofs_stored *ret_stored, struct pgofs_error *err); /* empty: -EROFS */

	int (*remove)(struct pgofs_backend *b, const char *key, struct pgofs_error *err); /* empty: -EROFS */

	int (*remove_many)(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			   struct pgofs_error *err); /* empty: one after another by remove */

	int (*remove_dir)(struct pgofs_backend *b, const char *dir, struct pgofs_error *err); /* empty: 0 */

	int (*rename)(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
		      struct pgofs_stored *ret_stored, struct pgofs_error *err); /* empty: get, put, remove */

	int (*usage)(struct pgofs_backend *b, uint64_t *ret_total_bytes,
		     uint64_t *ret_free_bytes); /* empty: -EOPNOTSUPP */

	int (*stats)(struct pgofs_backend *b, struct pgofs_buf *append_to); /* empty: 0 */
};

struct pgofs_backend {
	const struct pgofs_backend_ops *ops;
	/* Both owned; freed by pgofs_backend_free after destroy. */
	char *name;
	char *place; /* what tells it from another of the same name, for a cache to go by; NULL: the name does */
};

/* One kind of storage. The registry in backends/backend.c lists them; a SOURCE is opened by the first whose `matches` is true. */
struct pgofs_backend_kind {
	const char *name;                   /* "s3" */
	const struct pgofs_option *options; /* offsets into a structure private to the kind */
	bool is_far; /* a get takes a network: what was fetched is kept in memory unless the user says otherwise */
	bool (*matches)(const char *source);
	int (*open)(const char *source, const char *const *options, struct pgofs_backend **ret,
		    struct pgofs_error *err);
};

/* For open: sets the defaults of `table` in `into` (zeroed before), then each "name=value" of `options` (NULL-terminated, or NULL). -EINVAL
 * with words for an unknown one. The caller frees with pgofs_options_done, also on failure. */
int pgofs_backend_parse_options(const struct pgofs_option *table, const char *const *options, void *into,
				struct pgofs_error *err);

extern const struct pgofs_backend_kind pgofs_backend_local;
extern const struct pgofs_backend_kind pgofs_backend_memory;
extern const struct pgofs_backend_kind pgofs_backend_s3;
