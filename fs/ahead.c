#include "ahead.h"

#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>

/* Inputs larger than this are decoded when their turn has come, one at a time: decoded, a hostile one may be forty times as large. */
#define AHEAD_MAX ((size_t)1 << 20)

/* Decoded ones larger than this are not kept for the next input. */
#define KEPT_MAX ((size_t)4 << 20)

int pgofs_ahead_init(struct pgofs_ahead *a, enum pgofs_view view, const struct pgofs_gather *g)
{
	*a = (struct pgofs_ahead){
		.view = view, .stages = g->stages, .n = pgofs_gather_n_ahead(g), .free_bytes_max = g->memory_bytes
	};
	pthread_mutex_init(&a->mutex, NULL);
	a->of = calloc(a->n, sizeof *a->of);
	a->free = calloc(a->n, sizeof *a->free);
	return a->of && a->free ? 0 : -ENOMEM;
}

void pgofs_ahead_done(struct pgofs_ahead *a)
{
	for (size_t i = 0; a->of && i < a->n; i++)
		pgofs_decoded_free(a->of[i]);
	while (a->n_free)
		pgofs_decoded_free(a->free[--a->n_free]);
	free(a->of);
	free(a->free);
	if (a->n)
		pthread_mutex_destroy(&a->mutex);
	*a = (struct pgofs_ahead){ 0 };
}

static struct pgofs_decoded *take_free(struct pgofs_ahead *a)
{
	PGOFS_LOCKED(&a->mutex);
	if (!a->n_free)
		return pgofs_decoded_new();
	struct pgofs_decoded *d = a->free[--a->n_free];
	a->free_bytes -= pgofs_decoded_memory_bytes(d);
	return d;
}

size_t pgofs_ahead_decode(struct pgofs_ahead *a, size_t i, const void *raw, size_t len)
{
	struct pgofs_decoded *d = len > AHEAD_MAX ? NULL : take_free(a);
	if (!d)
		return 0;
	int64_t began_ns = pgofs_monotonic_ns();
	pgofs_decoded_read(d, a->view, raw, len);
	pgofs_stages_end(a->stages, PGOFS_STAGE_FOLD, began_ns);
	a->of[i % a->n] = d;
	return pgofs_decoded_memory_bytes(d);
}

const struct pgofs_decoded *pgofs_ahead_of(const struct pgofs_ahead *a, size_t i)
{
	return a->of[i % a->n];
}

void pgofs_ahead_passed(struct pgofs_ahead *a, size_t i)
{
	struct pgofs_decoded *d = STEAL(a->of[i % a->n]);
	if (!d)
		return;
	size_t bytes = pgofs_decoded_memory_bytes(d);
	PGOFS_LOCKED(&a->mutex);
	if (bytes > KEPT_MAX || a->free_bytes + bytes > a->free_bytes_max) {
		pgofs_decoded_free(d);
		return;
	}
	a->free_bytes += bytes;
	a->free[a->n_free++] = d;
}
