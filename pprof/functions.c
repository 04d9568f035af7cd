/* Functions of a merge. The same function with another start line is another function: two builds of one program (google/pprof
 * profile/merge.go, functionKey). */
#include "array.h"
#include "tables.h"

static bool same(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_function *a = &((const struct pgofs_functions *)table)->v[number], *b = key;
	return a->name == b->name && a->start_line == b->start_line && a->system_name == b->system_name &&
	       a->filename == b->filename;
}

static uint32_t hash(const struct pgofs_tables *t, const struct pgofs_function *f)
{
	uint64_t h = pgofs_hash_mix(t->seed, (uint64_t)f->name << 32 | f->system_name, f->filename);
	return pgofs_hash_short(pgofs_hash_mix(t->seed, h, (uint64_t)f->start_line));
}

void pgofs_functions_find(const struct pgofs_tables *t, const struct pgofs_function *f, size_t n, uint32_t *ret)
{
	uint32_t h[PGOFS_AT_ONCE];
	for (size_t i = 0; i < n; i++)
		h[i] = hash(t, &f[i]);
	pgofs_slots_find_all(&t->functions.slots, h, n, same, &t->functions, t->functions.v, sizeof *f, f, sizeof *f, ret);
}

int pgofs_functions_add(struct pgofs_tables *t, const struct pgofs_function *f, uint32_t *ret)
{
	struct pgofs_functions *functions = &t->functions;
	uint32_t h = hash(t, f);
	uint32_t number = pgofs_slots_find(&functions->slots, h, same, functions, f);
	if (number == PGOFS_NONE) {
		if (ARRAY_RESERVE(functions->v, functions->cap, functions->n + 1) < 0 ||
		    pgofs_slots_reserve(&functions->slots) < 0)
			return -ENOMEM;
		number = (uint32_t)functions->n++;
		functions->v[number] = *f;
		functions->v[number].hash = h;
		pgofs_slots_insert(&functions->slots, h, number);
	}
	*ret = number;
	return 0;
}
