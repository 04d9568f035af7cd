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

uint32_t pgofs_functions_find(const struct pgofs_tables *t, const struct pgofs_function *f)
{
	return pgofs_slots_find(&t->functions.slots, hash(t, f), same, &t->functions, f);
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
