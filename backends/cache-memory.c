/* The near half of the cache: a tree to find by key, a list to know the least recently used.
 *
 * Bytes are shared with those who read them, not copied: what is dropped here while somebody reads it lives until they are
 * done, and is theirs to account for.
 *
 * Lock: `lock` covers everything; under it only pointers move. */
#include "cache.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>

struct kept {
	TAILQ_ENTRY(kept) by_use; /* first: least recently used */
	struct pgofs_stored stored;
	struct pgofs_bytes *bytes;
	const char *key; /* in `text`, but for a probe */
	char text[];
};

struct pgofs_cache_memory {
	uint64_t max_bytes;
	pthread_mutex_t lock;
	uint64_t used_bytes;
	void *by_key; /* of tsearch(3) */
	TAILQ_HEAD(, kept) by_use;
};

struct pgofs_cache_memory *pgofs_cache_memory_new(uint64_t max_bytes)
{
	struct pgofs_cache_memory *m = calloc(1, sizeof *m);
	if (!m)
		return NULL;
	m->max_bytes = max_bytes;
	pthread_mutex_init(&m->lock, NULL);
	TAILQ_INIT(&m->by_use);
	return m;
}

static int compare(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	return strcmp(x->key, y->key);
}

/* With what it takes to keep it. */
static uint64_t cost(const struct kept *k)
{
	return k->bytes->len + sizeof *k + sizeof *k->bytes + strlen(k->key) + 64;
}

static struct kept *find(struct pgofs_cache_memory *m, const char *key)
{
	struct kept probe = { .key = key };
	struct kept **at = tfind(&probe, &m->by_key, compare);
	return at ? *at : NULL;
}

static void drop(struct pgofs_cache_memory *m, struct kept *k)
{
	m->used_bytes -= cost(k);
	tdelete(k, &m->by_key, compare);
	TAILQ_REMOVE(&m->by_use, k, by_use);
	pgofs_bytes_unref(k->bytes);
	free(k);
}

struct pgofs_bytes *pgofs_cache_memory_find(struct pgofs_cache_memory *m, const char *key, const char *version,
					    struct pgofs_stored *ret_stored)
{
	PGOFS_LOCKED(&m->lock);
	struct kept *k = find(m, key);
	if (!k || strcmp(k->stored.version, version) != 0)
		return NULL;
	TAILQ_REMOVE(&m->by_use, k, by_use);
	TAILQ_INSERT_TAIL(&m->by_use, k, by_use);
	*ret_stored = k->stored;
	return pgofs_bytes_ref(k->bytes);
}

static struct kept *kept_new(const char *key, const struct pgofs_stored *stored, struct pgofs_bytes *bytes)
{
	size_t len = strlen(key) + 1;
	struct kept *k = malloc(sizeof *k + len);
	if (!k)
		return NULL;
	memcpy(k->text, key, len);
	k->key = k->text;
	k->stored = *stored;
	k->bytes = pgofs_bytes_ref(bytes);
	return k;
}

void pgofs_cache_memory_keep(struct pgofs_cache_memory *m, const char *key, const struct pgofs_stored *stored,
			     struct pgofs_bytes *bytes)
{
	struct kept *k = kept_new(key, stored, bytes);
	if (!k)
		return;
	PGOFS_LOCKED(&m->lock);
	struct kept *old = find(m, key);
	if (old)
		drop(m, old);
	/* One large object must not push out all others. */
	bool fits = cost(k) <= m->max_bytes / 2;
	while (fits && m->used_bytes + cost(k) > m->max_bytes)
		drop(m, TAILQ_FIRST(&m->by_use));
	if (!fits || !tsearch(k, &m->by_key, compare)) {
		pgofs_bytes_unref(k->bytes);
		free(k);
		return;
	}
	m->used_bytes += cost(k);
	TAILQ_INSERT_TAIL(&m->by_use, k, by_use);
}

void pgofs_cache_memory_forget(struct pgofs_cache_memory *m, const char *key)
{
	PGOFS_LOCKED(&m->lock);
	struct kept *k = find(m, key);
	if (k)
		drop(m, k);
}

uint64_t pgofs_cache_memory_used(struct pgofs_cache_memory *m)
{
	PGOFS_LOCKED(&m->lock);
	return m->used_bytes;
}

void pgofs_cache_memory_free(struct pgofs_cache_memory *m)
{
	if (!m)
		return;
	while (!TAILQ_EMPTY(&m->by_use))
		drop(m, TAILQ_FIRST(&m->by_use));
	pthread_mutex_destroy(&m->lock);
	free(m);
}
