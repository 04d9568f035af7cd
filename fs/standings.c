/* A name is looked for in a list: there are as many as merged files are read from while their window goes on, and a taken one saves seconds. */
#include "standings.h"

#include <pgofs/cleanup.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* So many names are known; those that do not stand are, too. */
#define NAMES_MAX 64

struct pgofs_standings {
	pthread_mutex_t mutex;
	uint64_t max_bytes, bytes;
	size_t n;
	struct pgofs_kept_standing *newest, *oldest;
};

struct pgofs_standings *pgofs_standings_new(uint64_t max_bytes)
{
	struct pgofs_standings *x = calloc(1, sizeof *x);
	if (x) {
		pthread_mutex_init(&x->mutex, NULL);
		x->max_bytes = max_bytes;
	}
	return x;
}

void pgofs_kept_standing_clear(struct pgofs_kept_standing *k)
{
	for (size_t i = 0; i < k->n_runs; i++)
		pgofs_run_free(k->runs[i].run);
	free(k->runs);
	pgofs_standing_free(k->standing);
	k->runs = NULL;
	k->n_runs = 0;
	k->standing = NULL;
}

static void unlink_use(struct pgofs_standings *x, struct pgofs_kept_standing *k)
{
	*(k->newer ? &k->newer->older : &x->newest) = k->older;
	*(k->older ? &k->older->newer : &x->oldest) = k->newer;
}

static void link_newest(struct pgofs_standings *x, struct pgofs_kept_standing *k)
{
	k->newer = NULL;
	k->older = x->newest;
	*(x->newest ? &x->newest->newer : &x->oldest) = k;
	x->newest = k;
}

static void drop(struct pgofs_standings *x, struct pgofs_kept_standing *k)
{
	unlink_use(x, k);
	x->n--;
	x->bytes -= k->bytes;
	pgofs_kept_standing_clear(k);
	free(k->name);
	free(k);
}

void pgofs_standings_free(struct pgofs_standings *x)
{
	if (!x)
		return;
	while (x->newest)
		drop(x, x->newest);
	pthread_mutex_destroy(&x->mutex);
	free(x);
}

static struct pgofs_kept_standing *find(struct pgofs_standings *x, const char *name)
{
	struct pgofs_kept_standing *k = x->newest;
	while (k && strcmp(k->name, name) != 0)
		k = k->older;
	return k;
}

static struct pgofs_kept_standing *add(struct pgofs_standings *x, const char *name)
{
	struct pgofs_kept_standing *k = calloc(1, sizeof *k);
	if (!k || !(k->name = strdup(name))) {
		free(k);
		return NULL;
	}
	link_newest(x, k);
	x->n++;
	return k;
}

struct pgofs_kept_standing *pgofs_standings_take(struct pgofs_standings *x, const char *name)
{
	PGOFS_LOCKED(&x->mutex);
	struct pgofs_kept_standing *k = find(x, name);
	if (k && k->taken)
		return NULL;
	if (!k)
		k = add(x, name);
	if (k)
		k->taken = true;
	return k;
}

static uint64_t bytes_of(const struct pgofs_kept_standing *k)
{
	uint64_t bytes = sizeof *k + k->n_runs * sizeof *k->runs;
	for (size_t i = 0; i < k->n_runs; i++)
		bytes += pgofs_run_memory_bytes(k->runs[i].run);
	return bytes + (k->standing ? pgofs_standing_memory_bytes(k->standing) : 0);
}

/* The least recently used that nobody has. */
static void make_room(struct pgofs_standings *x)
{
	struct pgofs_kept_standing *k = x->oldest, *newer;
	for (; k && (x->bytes > x->max_bytes || x->n > NAMES_MAX); k = newer) {
		newer = k->newer;
		if (!k->taken)
			drop(x, k);
	}
}

void pgofs_standings_give(struct pgofs_standings *x, struct pgofs_kept_standing *k)
{
	uint64_t bytes = bytes_of(k);
	if (bytes > x->max_bytes) {
		k->too_many = k->n_inputs;
		pgofs_kept_standing_clear(k);
		bytes = bytes_of(k);
	}
	PGOFS_LOCKED(&x->mutex);
	k->taken = false;
	unlink_use(x, k);
	link_newest(x, k);
	x->bytes += bytes - k->bytes;
	k->bytes = bytes;
	make_room(x);
}

uint64_t pgofs_standings_bytes(struct pgofs_standings *x)
{
	PGOFS_LOCKED(&x->mutex);
	return x->bytes;
}
