/* The least recently used part goes first. A part is kept after those it is made of, so the large ones outlive the small: what goes
 * first are the leaves of old hours, where nothing changes any more. */
#include "parts-kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_BUCKETS 4096

struct kept {
	struct kept *next_in_bucket;
	struct kept *newer, *older; /* by use */
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE];
	struct pgofs_bytes *bytes; /* NULL: there is no such part */
	bool is_stored;
};

struct pgofs_parts_kept {
	pthread_mutex_t mutex;
	uint64_t max_bytes, bytes;
	struct kept *newest, *oldest;
	struct kept *buckets[N_BUCKETS];
};

struct pgofs_parts_kept *pgofs_parts_kept_new(uint64_t max_bytes)
{
	struct pgofs_parts_kept *k = calloc(1, sizeof *k);
	if (k) {
		pthread_mutex_init(&k->mutex, NULL);
		k->max_bytes = max_bytes;
	}
	return k;
}

static struct kept **place_of(struct pgofs_parts_kept *k, const uint8_t *fingerprint)
{
	struct kept **at = &k->buckets[(fingerprint[0] | fingerprint[1] << 8) % N_BUCKETS];
	while (*at && memcmp((*at)->fingerprint, fingerprint, PGOFS_FINGERPRINT_SIZE) != 0)
		at = &(*at)->next_in_bucket;
	return at;
}

static uint64_t bytes_of(const struct kept *one)
{
	return sizeof *one + (one->bytes ? sizeof *one->bytes + one->bytes->len : 0);
}

static void unlink_use(struct pgofs_parts_kept *k, struct kept *one)
{
	*(one->newer ? &one->newer->older : &k->newest) = one->older;
	*(one->older ? &one->older->newer : &k->oldest) = one->newer;
}

static void link_newest(struct pgofs_parts_kept *k, struct kept *one)
{
	one->newer = NULL;
	one->older = k->newest;
	*(k->newest ? &k->newest->newer : &k->oldest) = one;
	k->newest = one;
}

static void drop(struct pgofs_parts_kept *k, struct kept *one)
{
	struct kept **at = place_of(k, one->fingerprint);
	*at = one->next_in_bucket;
	unlink_use(k, one);
	k->bytes -= bytes_of(one);
	pgofs_bytes_unref(one->bytes);
	free(one);
}

void pgofs_parts_kept_free(struct pgofs_parts_kept *k)
{
	if (!k)
		return;
	while (k->newest)
		drop(k, k->newest);
	pthread_mutex_destroy(&k->mutex);
	free(k);
}

int pgofs_parts_kept_find(struct pgofs_parts_kept *k, const uint8_t *fingerprint, struct pgofs_bytes **ret)
{
	PGOFS_LOCKED(&k->mutex);
	struct kept *one = *place_of(k, fingerprint);
	if (!one)
		return -ENOENT;
	unlink_use(k, one);
	link_newest(k, one);
	if (!one->bytes)
		return -EDOM;
	*ret = pgofs_bytes_ref(one->bytes);
	return 0;
}

void pgofs_parts_kept_keep(struct pgofs_parts_kept *k, const uint8_t *fingerprint, struct pgofs_bytes *bytes)
{
	PGOFS_LOCKED(&k->mutex);
	if (*place_of(k, fingerprint))
		return;
	struct kept *one = calloc(1, sizeof *one);
	if (!one)
		return;
	memcpy(one->fingerprint, fingerprint, sizeof one->fingerprint);
	one->bytes = bytes ? pgofs_bytes_ref(bytes) : NULL;
	*place_of(k, fingerprint) = one;
	link_newest(k, one);
	k->bytes += bytes_of(one);
	while (k->oldest && k->bytes > k->max_bytes)
		drop(k, k->oldest);
}

void pgofs_parts_kept_set_stored(struct pgofs_parts_kept *k, const uint8_t *fingerprint)
{
	PGOFS_LOCKED(&k->mutex);
	struct kept *one = *place_of(k, fingerprint);
	if (one)
		one->is_stored = true;
}

bool pgofs_parts_kept_is_stored(struct pgofs_parts_kept *k, const uint8_t *fingerprint)
{
	PGOFS_LOCKED(&k->mutex);
	const struct kept *one = *place_of(k, fingerprint);
	return one && one->is_stored;
}

uint64_t pgofs_parts_kept_bytes(struct pgofs_parts_kept *k)
{
	PGOFS_LOCKED(&k->mutex);
	return k->bytes;
}
