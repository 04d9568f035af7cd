/* Locations of a merge. The address counts from where its mapping starts, so it is the same wherever that was loaded.
 *
 * Of the lines, function and line number are compared, and of the columns only the last line's: google/pprof writes its key
 * into overlapping places (profile/merge.go, Location.key), and its output is the law here. docs/profiles.md has the table of such cases. */
#include "array.h"
#include "tables.h"

#include <string.h>

static uint64_t relative_address(const struct pgofs_tables *t, const struct pgofs_location *l)
{
	return l->mapping == PGOFS_NONE ? l->address : l->address - t->mappings.v[l->mapping].start;
}

static bool same_lines(const struct pgofs_location *a, const struct pgofs_location *b)
{
	const struct pgofs_line *x = pgofs_location_lines(a), *y = pgofs_location_lines(b);
	for (uint32_t i = 0; i < a->n_lines; i++) {
		if (x[i].function != y[i].function || x[i].line != y[i].line)
			return false;
	}
	return a->n_lines == 0 || x[a->n_lines - 1].column == y[a->n_lines - 1].column;
}

/* Within one mapping equal addresses are equal relative addresses, so `same` needs no look at the mapping. */
static inline __attribute__((always_inline)) bool same(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_location *a = &((const struct pgofs_locations *)table)->v[number], *b = key;
	return a->address == b->address && a->mapping == b->mapping && a->n_lines == b->n_lines &&
	       a->folded == b->folded && same_lines(a, b);
}

static inline __attribute__((always_inline)) uint32_t hash(const struct pgofs_tables *t,
							       const struct pgofs_location *l)
{
	const struct pgofs_line *line = pgofs_location_lines(l);
	uint64_t h = pgofs_hash_mix(t->seed, relative_address(t, l), (uint64_t)l->mapping << 1 | l->folded);
	for (uint32_t i = 0; i < l->n_lines; i++)
		h = pgofs_hash_mix(t->seed, h ^ (uint64_t)line[i].line, line[i].function);
	return pgofs_hash_short(h);
}

void pgofs_locations_find(const struct pgofs_tables *t, const struct pgofs_location *l, size_t n, uint32_t *ret)
{
	uint32_t h[PGOFS_AT_ONCE];
	for (size_t i = 0; i < n; i++)
		h[i] = hash(t, &l[i]);
	pgofs_slots_find_all(&t->locations.slots, h, n, same, &t->locations, t->locations.v, sizeof *l, l, sizeof *l, ret);
}

static int insert(struct pgofs_tables *t, const struct pgofs_location *l, uint32_t *ret)
{
	struct pgofs_locations *locations = &t->locations;
	if (locations->n + 1 >= PGOFS_LOCATIONS_MAX)
		return -EFBIG;
	if (ARRAY_RESERVE(locations->v, locations->cap, locations->n + 1) < 0 ||
	    pgofs_slots_reserve(&locations->slots) < 0)
		return -ENOMEM;
	struct pgofs_location *to = &locations->v[locations->n];
	*to = *l;
	if (l->n_lines != 1) {
		struct pgofs_line *line =
		    pgofs_arena_take(&t->arena, l->n_lines * sizeof *line, _Alignof(struct pgofs_line));
		if (!line)
			return -ENOMEM;
		if (l->n_lines)
			memcpy(line, l->many, l->n_lines * sizeof *line);
		to->many = line;
	}
	*ret = (uint32_t)locations->n++;
	pgofs_slots_insert(&locations->slots, l->hash, *ret);
	return 0;
}

int pgofs_locations_add(struct pgofs_tables *t, const struct pgofs_location *l, uint32_t *ret)
{
	struct pgofs_location key = *l;
	key.hash = hash(t, l);
	*ret = pgofs_slots_find(&t->locations.slots, key.hash, same, &t->locations, &key);
	return *ret == PGOFS_NONE ? insert(t, &key, ret) : 0;
}
