/* What was fetched, kept near: in front of a storage that is far. The essay is in cache.c. */
#pragma once

#include <pgofs/backend-impl.h>

struct pgofs_cache_config {
	uint64_t memory_bytes; /* 0: none in memory */
	char *dir;             /* NULL: none on disk. Made if missing, its parent not */
	uint64_t dir_bytes;
};

/* The rows of a far storage: it has a cache in memory unless told otherwise; and those of a near one. Offsets into
 * pgofs_cache_config. */
extern const struct pgofs_option pgofs_cache_options_far[];
extern const struct pgofs_option pgofs_cache_options_near[];

/* Stands in front of `next` and takes it over, also on failure. `config` is copied. */
int pgofs_cache_new(struct pgofs_backend *next, const struct pgofs_cache_config *config, struct pgofs_backend **ret,
		    struct pgofs_error *err);

/* ---- In memory (cache-memory.c) ----
 *
 * At most one version a key; the least recently used goes first. Threads: any. */

struct pgofs_cache_memory;

struct pgofs_cache_memory *pgofs_cache_memory_new(uint64_t max_bytes);
void pgofs_cache_memory_free(struct pgofs_cache_memory *m);

/* The bytes with one reference, or NULL. */
struct pgofs_bytes *pgofs_cache_memory_find(struct pgofs_cache_memory *m, const char *key, const char *version,
					    struct pgofs_stored *ret_stored);
/* Does nothing where there is no room. */
void pgofs_cache_memory_keep(struct pgofs_cache_memory *m, const char *key, const struct pgofs_stored *stored,
			     struct pgofs_bytes *bytes);
void pgofs_cache_memory_forget(struct pgofs_cache_memory *m, const char *key);
uint64_t pgofs_cache_memory_used(struct pgofs_cache_memory *m);

/* ---- On disk (cache-disk.c) ----
 *
 * The same, in a directory that other processes may use too. Never fails a caller. Threads: any. */

struct pgofs_cache_disk;

/* `source` names the storage that the bytes are of: caches of several may share a directory. */
int pgofs_cache_disk_new(const char *dir, uint64_t max_bytes, const char *source, struct pgofs_cache_disk **ret,
			 struct pgofs_error *err);
void pgofs_cache_disk_free(struct pgofs_cache_disk *d);
struct pgofs_bytes *pgofs_cache_disk_find(struct pgofs_cache_disk *d, const char *key, const char *version,
					  struct pgofs_stored *ret_stored);
void pgofs_cache_disk_keep(struct pgofs_cache_disk *d, const char *key, const struct pgofs_stored *stored,
			   const struct pgofs_bytes *bytes);
void pgofs_cache_disk_forget(struct pgofs_cache_disk *d, const char *key);

/* About how much of the disk it takes, as far as that is known: before the first write it is not, and false. */
bool pgofs_cache_disk_used(const struct pgofs_cache_disk *d, uint64_t *ret_bytes);

/* Files that were found damaged and dropped. */
uint64_t pgofs_cache_disk_damaged(const struct pgofs_cache_disk *d);
