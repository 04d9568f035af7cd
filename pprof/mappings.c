/* Mappings of a merge. A mapping is the same wherever it was loaded: its size in pages, its offset, and its build id, or its file where it has
 * none (google/pprof profile/merge.go, Mapping.key). That is what makes profiles of position-independent programs merge. */
#include "array.h"
#include "tables.h"

#define PAGE UINT64_C(0x1000)

static uint64_t rounded_size(const struct pgofs_mapping *m)
{
	uint64_t size = m->limit - m->start + PAGE - 1; /* wraps as Go's does */
	return size - size % PAGE;
}

static uint32_t identity(const struct pgofs_mapping *m)
{
	return m->build_id ? m->build_id : m->file;
}

static bool same(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_mapping *a = &((const struct pgofs_mappings *)table)->v[number], *b = key;
	return rounded_size(a) == rounded_size(b) && a->offset == b->offset && identity(a) == identity(b);
}

static uint32_t hash(const struct pgofs_tables *t, const struct pgofs_mapping *m)
{
	uint64_t h = pgofs_hash_mix(t->seed, rounded_size(m), m->offset);
	return pgofs_hash_short(pgofs_hash_mix(t->seed, h, identity(m)));
}

uint32_t pgofs_mappings_find(const struct pgofs_tables *t, const struct pgofs_mapping *m)
{
	return pgofs_slots_find(&t->mappings.slots, hash(t, m), same, &t->mappings, m);
}

int pgofs_mappings_add(struct pgofs_tables *t, const struct pgofs_mapping *m, uint32_t *ret)
{
	struct pgofs_mappings *mappings = &t->mappings;
	uint32_t h = hash(t, m);
	uint32_t number = pgofs_slots_find(&mappings->slots, h, same, mappings, m);
	if (number == PGOFS_NONE) {
		if (ARRAY_RESERVE(mappings->v, mappings->cap, mappings->n + 1) < 0 ||
		    pgofs_slots_reserve(&mappings->slots) < 0)
			return -ENOMEM;
		number = (uint32_t)mappings->n++;
		mappings->v[number] = *m;
		mappings->v[number].hash = h;
		pgofs_slots_insert(&mappings->slots, h, number);
	}
	*ret = number;
	return 0;
}
