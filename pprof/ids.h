/* From the ids a profile gives its locations, functions and mappings to their places in its tables.
 *
 * Ids may be any numbers but 0, each once. Go's runtime counts 1, 2, 3, …: then there is nothing to look up. Nearly dense ones
 * go through an array, all others through a hash table. */
#pragma once

#include "hash.h"
#include "slots.h"

#include <pgofs/error.h>

struct pgofs_ids {
	uint32_t n;        /* ids; the places are 0..n-1 */
	uint32_t *place;   /* owned; by id, PGOFS_NONE where there is none; NULL unless dense */
	size_t place_cap;  /* of `place` */
	uint64_t place_n;  /* ids below it are in `place` */
	bool counted;      /* id i + 1 is at place i */
	bool sparse;       /* through `slots` */
	const void *table; /* borrowed for `sparse` */
	size_t stride;     /* in bytes */
	struct pgofs_slots slots;
	struct pgofs_seed seed;
};

/* Reads the ids of a table of `n` entries, each `stride` bytes with the id at its start. `noun` names them in the words for -EINVAL: an id 0,
 * or one that is there twice. The ids are borrowed until the next build. */
int pgofs_ids_build(struct pgofs_ids *ids, const void *table, size_t stride, uint32_t n, const char *noun,
		    struct pgofs_error *err);

void pgofs_ids_done(struct pgofs_ids *ids);

uint32_t pgofs_ids_find_sparse(const struct pgofs_ids *ids, uint64_t id);

/* The place of `id`, or PGOFS_NONE. */
static inline uint32_t pgofs_ids_find(const struct pgofs_ids *ids, uint64_t id)
{
	if (ids->counted)
		return id - 1 < ids->n ? (uint32_t)(id - 1) : PGOFS_NONE;
	if (ids->sparse)
		return pgofs_ids_find_sparse(ids, id);
	return id < ids->place_n ? ids->place[id] : PGOFS_NONE;
}
