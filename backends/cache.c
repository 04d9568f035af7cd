/* Fetched once, read many times: stands in front of a storage that is far, and keeps what was fetched in memory, on disk,
 * or both.
 *
 * Why it may: a version names bytes. Who asks for a key in the version that a listing just gave, gets exactly those bytes,
 * from here or from there. Who asks for whatever is there now (no version) is always sent on. So nothing here can be
 * stale; the one thing that differs from asking the storage is that a version replaced or removed by another machine, a moment ago, may
 * still be had. What is changed through this storage is forgotten at once.
 *
 * What must stay true: the cache never fails a call that the storage would not fail. Locks: none here; each half has its
 * own. Two who miss the same key both fetch it: those above see to that. */
#include "cache.h"

#include <pgofs/units.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct cache {
	struct pgofs_backend backend;
	struct pgofs_backend *next;
	struct pgofs_cache_memory *memory; /* nullable */
	struct pgofs_cache_disk *disk;     /* nullable */
	atomic_uint_fast64_t n_memory_hits, n_disk_hits, n_misses, hit_bytes, miss_bytes;
};

static struct cache *cache_of(struct pgofs_backend *b)
{
	return (struct cache *)b;
}

static void forget(struct cache *c, const char *key)
{
	if (c->memory)
		pgofs_cache_memory_forget(c->memory, key);
	if (c->disk)
		pgofs_cache_disk_forget(c->disk, key);
}

static void keep_in_memory(struct cache *c, const char *key, const struct pgofs_stored *stored,
			   struct pgofs_bytes *bytes)
{
	if (c->memory)
		pgofs_cache_memory_keep(c->memory, key, stored, bytes);
}

/* ---- Get ---- */

static struct pgofs_bytes *find(struct cache *c, const char *key, const char *version, struct pgofs_stored *ret_stored)
{
	struct pgofs_bytes *bytes = NULL;
	if (c->memory && (bytes = pgofs_cache_memory_find(c->memory, key, version, ret_stored))) {
		atomic_fetch_add(&c->n_memory_hits, 1);
	} else if (c->disk && (bytes = pgofs_cache_disk_find(c->disk, key, version, ret_stored))) {
		atomic_fetch_add(&c->n_disk_hits, 1);
		keep_in_memory(c, key, ret_stored, bytes);
	}
	if (bytes)
		atomic_fetch_add(&c->hit_bytes, bytes->len);
	return bytes;
}

static int fetch(struct cache *c, const char *key, const char *version, size_t max_bytes, struct pgofs_bytes **ret,
		 struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	int r = pgofs_backend_get(c->next, key, version, max_bytes, ret, ret_stored, err);
	if (r < 0)
		return r;
	atomic_fetch_add(&c->n_misses, 1);
	atomic_fetch_add(&c->miss_bytes, (*ret)->len);
	if (!ret_stored->version[0]) /* nobody could ask for it */
		return 0;
	keep_in_memory(c, key, ret_stored, *ret);
	if (c->disk)
		pgofs_cache_disk_keep(c->disk, key, ret_stored, *ret);
	return 0;
}

static int cache_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		     struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct cache *c = cache_of(b);
	struct pgofs_stored stored;
	struct pgofs_bytes *bytes = version && version[0] ? find(c, key, version, &stored) : NULL;
	if (!bytes)
		return fetch(c, key, version, max_bytes, ret, ret_stored, err);
	if (bytes->len > max_bytes) {
		pgofs_bytes_unref(bytes);
		return -EFBIG;
	}
	*ret = bytes;
	*ret_stored = stored;
	return 0;
}

/* ---- What changes ---- */

/* What was pushed is what will be merged next. In memory only: should it go, it can be fetched. */
static int cache_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		     struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct cache *c = cache_of(b);
	int r = pgofs_backend_put(c->next, key, data, len, flags, ret_stored, err);
	if (r != -EEXIST)
		forget(c, key);
	if (r < 0 || !c->memory || !ret_stored->version[0])
		return r;
	struct pgofs_bytes *bytes = pgofs_bytes_dup(data, len);
	if (bytes)
		keep_in_memory(c, key, ret_stored, bytes);
	pgofs_bytes_unref(bytes);
	return r;
}

static int cache_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	struct cache *c = cache_of(b);
	int r = pgofs_backend_remove(c->next, key, err);
	forget(c, key);
	return r;
}

static int cache_remove_many(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			     struct pgofs_error *err)
{
	struct cache *c = cache_of(b);
	int r = pgofs_backend_remove_many(c->next, keys, n, ret_results, err);
	for (size_t i = 0; i < n; i++)
		forget(c, keys[i]);
	return r;
}

static int cache_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct cache *c = cache_of(b);
	int r = pgofs_backend_rename(c->next, from, to, flags, ret_stored, err);
	forget(c, from);
	forget(c, to);
	return r;
}

/* ---- What passes through ---- */

static int cache_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	return pgofs_backend_probe(cache_of(b)->next, err);
}

static int cache_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		      struct pgofs_error *err)
{
	return pgofs_backend_list(cache_of(b)->next, dir, flags, each, context, err);
}

static int cache_remove_dir(struct pgofs_backend *b, const char *dir, struct pgofs_error *err)
{
	return pgofs_backend_remove_dir(cache_of(b)->next, dir, err);
}

static int cache_usage(struct pgofs_backend *b, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	return pgofs_backend_usage(cache_of(b)->next, ret_total_bytes, ret_free_bytes);
}

static int cache_stats(struct pgofs_backend *b, struct pgofs_buf *append_to)
{
	struct cache *c = cache_of(b);
	const struct {
		const char *name;
		uint64_t n;
	} lines[] = {
		{ "cache_memory_hits_total", atomic_load(&c->n_memory_hits) },
		{ "cache_disk_hits_total", atomic_load(&c->n_disk_hits) },
		{ "cache_misses_total", atomic_load(&c->n_misses) },
		{ "cache_hit_bytes_total", atomic_load(&c->hit_bytes) },
		{ "cache_miss_bytes_total", atomic_load(&c->miss_bytes) },
		{ "cache_memory_bytes", c->memory ? pgofs_cache_memory_used(c->memory) : 0 },
		{ "cache_disk_damaged_total", c->disk ? pgofs_cache_disk_damaged(c->disk) : 0 },
	};
	int r = 0;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0] && r == 0; i++)
		r = pgofs_buf_printf(append_to, "%s %llu\n", lines[i].name, (unsigned long long)lines[i].n);
	uint64_t disk_bytes;
	if (r == 0 && c->disk && pgofs_cache_disk_used(c->disk, &disk_bytes))
		r = pgofs_buf_printf(append_to, "cache_disk_bytes %llu\n", (unsigned long long)disk_bytes);
	return r < 0 ? r : pgofs_backend_stats(c->next, append_to);
}

/* ---- Life ---- */

static void cache_destroy(struct pgofs_backend *b)
{
	struct cache *c = cache_of(b);
	pgofs_cache_memory_free(c->memory);
	pgofs_cache_disk_free(c->disk);
	pgofs_backend_free(c->next);
	free(c);
}

static const struct pgofs_backend_ops cache_ops = {
	.destroy = cache_destroy,
	.probe = cache_probe,
	.list = cache_list,
	.get = cache_get,
	.put = cache_put,
	.remove = cache_remove,
	.remove_many = cache_remove_many,
	.remove_dir = cache_remove_dir,
	.rename = cache_rename,
	.usage = cache_usage,
	.stats = cache_stats,
};

int pgofs_cache_new(struct pgofs_backend *next, const struct pgofs_cache_config *config, struct pgofs_backend **ret,
		    struct pgofs_error *err)
{
	struct cache *c = calloc(1, sizeof *c);
	if (!c) {
		pgofs_backend_free(next);
		return -ENOMEM;
	}
	c->next = next;
	c->backend.ops = &cache_ops;
	c->backend.name = strdup(pgofs_backend_name(next));
	int r = c->backend.name ? 0 : -ENOMEM;
	if (r == 0 && config->memory_bytes && !(c->memory = pgofs_cache_memory_new(config->memory_bytes)))
		r = -ENOMEM;
	if (r == 0 && config->dir)
		r = pgofs_cache_disk_new(config->dir, config->dir_bytes, next->place ? next->place : next->name,
					 &c->disk, err);
	if (r < 0) {
		pgofs_backend_free(&c->backend);
		return r;
	}
	*ret = &c->backend;
	return 0;
}

#define OFFSET(field) offsetof(struct pgofs_cache_config, field)
#define ROWS(memory_initial)                                                                                              \
	{                                                                                                                 \
		{ "cache",                                                                                                \
		  0,                                                                                                      \
		  PGOFS_OPTION_STRING,                                                                                    \
		  OFFSET(dir),                                                                                            \
		  NULL,                                                                                                   \
		  "DIR",                                                                                                  \
		  "keep what was fetched in DIR as well, across restarts" },                                              \
		    { "cache-size", 0, PGOFS_OPTION_SIZE, OFFSET(dir_bytes), "1GiB", "SIZE", "how much to keep in DIR" }, \
		    { "cache-memory",                                                                                     \
		      0,                                                                                                  \
		      PGOFS_OPTION_SIZE,                                                                                  \
		      OFFSET(memory_bytes),                                                                               \
		      memory_initial,                                                                                     \
		      "SIZE",                                                                                             \
		      "how much of what was fetched to keep in memory" },                                                 \
		    { NULL },                                                                                             \
	}

const struct pgofs_option pgofs_cache_options_far[] = ROWS("64MiB");
const struct pgofs_option pgofs_cache_options_near[] = ROWS("0");
