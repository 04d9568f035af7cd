/* The tables as one: made and freed, put back to a mark, and compacted. */
#include "tables.h"

#include "array.h"
#include "wire.h"

int pgofs_tables_init(struct pgofs_tables *t, size_t n_types)
{
	uint32_t zero;
	*t = (struct pgofs_tables){ .seed = pgofs_seed_new(), .n_types = n_types };
	int r = pgofs_string_add(t, (const uint8_t *)"", 0, &zero);
	if (r == 0)
		r = pgofs_label_sets_add(t, NULL, 0, &zero);
	if (r < 0)
		pgofs_tables_done(t);
	return r;
}

void pgofs_tables_done(struct pgofs_tables *t)
{
	free(t->strings.v);
	free(t->functions.v);
	free(t->mappings.v);
	free(t->locations.v);
	free(t->label_sets.v);
	free(t->samples.v);
	free(t->samples.value);
	pgofs_slots_done(&t->strings.slots);
	pgofs_slots_done(&t->functions.slots);
	pgofs_slots_done(&t->mappings.slots);
	pgofs_slots_done(&t->locations.slots);
	pgofs_slots_done(&t->label_sets.slots);
	pgofs_slots_done(&t->samples.slots);
	pgofs_arena_done(&t->arena);
	*t = (struct pgofs_tables){ 0 };
}

size_t pgofs_tables_memory_bytes(const struct pgofs_tables *t)
{
	return t->arena.bytes + t->strings.cap * sizeof *t->strings.v + t->functions.cap * sizeof *t->functions.v +
	       t->mappings.cap * sizeof *t->mappings.v + t->locations.cap * sizeof *t->locations.v +
	       t->label_sets.cap * sizeof *t->label_sets.v + t->samples.cap * sizeof *t->samples.v +
	       t->samples.value_cap * sizeof *t->samples.value + pgofs_slots_bytes(&t->strings.slots) +
	       pgofs_slots_bytes(&t->functions.slots) + pgofs_slots_bytes(&t->mappings.slots) +
	       pgofs_slots_bytes(&t->locations.slots) + pgofs_slots_bytes(&t->label_sets.slots) +
	       pgofs_slots_bytes(&t->samples.slots);
}

struct pgofs_tables_mark pgofs_tables_mark(const struct pgofs_tables *t)
{
	return (struct pgofs_tables_mark){ pgofs_arena_mark(&t->arena),
					   t->strings.n,
					   t->functions.n,
					   t->mappings.n,
					   t->locations.n,
					   t->label_sets.n,
					   t->samples.n };
}

#define UNDO(table, mark)                                                                                              \
	while ((table)->n > (mark)) {                                                                                  \
		(table)->n--;                                                                                          \
		pgofs_slots_remove(&(table)->slots, (table)->v[(table)->n].hash, (uint32_t)(table)->n);                \
	}

void pgofs_tables_undo(struct pgofs_tables *t, struct pgofs_tables_mark mark)
{
	UNDO(&t->samples, mark.n_samples)
	UNDO(&t->label_sets, mark.n_label_sets)
	UNDO(&t->locations, mark.n_locations)
	UNDO(&t->mappings, mark.n_mappings)
	UNDO(&t->functions, mark.n_functions)
	UNDO(&t->strings, mark.n_strings)
	pgofs_arena_reset(&t->arena, mark.arena);
}
