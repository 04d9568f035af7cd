/* A timer wheel would be faster than what its callers do with this (a scan when a start is due), from some 100,000
 * targets on; a fleet's collector has 10,000, and each costs it a profile a round anyway. */
#include "schedule.h"

#include <pgofs/units.h>

#include <stdlib.h>

/* The finalizer of SplitMix64: every bit of the input moves half the bits of the output. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* FNV-1a */
static uint64_t fold(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t schedule_hash(const char *app, const char *source)
{
	return mix(fold(fold(fold(UINT64_C(0xcbf29ce484222325), app), "/"), source));
}

uint64_t schedule_random(uint64_t *state)
{
	return mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

int64_t schedule_round(int64_t interval_ns, int64_t now_ns)
{
	return now_ns / interval_ns - (now_ns % interval_ns < 0);
}

int64_t schedule_next(uint64_t hash, int64_t interval_ns, int64_t now_ns)
{
	int64_t place = (int64_t)(((unsigned __int128)hash * (uint64_t)interval_ns) >> 64);
	int64_t start = schedule_round(interval_ns, now_ns) * interval_ns + place;
	return start >= now_ns ? start : start + interval_ns;
}

int64_t schedule_retry(const struct schedule_retry *r)
{
	int64_t shortest = r->duration_ns > PGOFS_NS_PER_S ? r->duration_ns : PGOFS_NS_PER_S;
	int64_t wait = shortest << (r->n_tries < 6 ? r->n_tries - 1 : 5);
	wait = wait / 2 + (int64_t)(r->random % (uint64_t)wait);
	int64_t at = r->now_ns + wait;
	return at + r->duration_ns < r->next_ns ? at : -1;
}

static int by_score(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (!x->started != !y->started)
		return x->started ? -1 : 1;
	if (x->score != y->score)
		return x->score < y->score ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

void schedule_choose(struct candidate *candidates, size_t n, size_t k, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		candidates[i].score = mix(candidates[i].hash ^ mix(seed));
		candidates[i].at = i;
		candidates[i].chosen = k == 0 || k >= n;
	}
	if (k == 0 || k >= n)
		return;
	qsort(candidates, n, sizeof *candidates, by_score);
	for (size_t i = 0; i < k; i++)
		candidates[i].chosen = 1;
	qsort(candidates, n, sizeof *candidates, by_place);
}
