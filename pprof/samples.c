/* Samples of a merge: stacks with their labels, and the sums of their values.
 *
 * Nine tenths of a merge's memory is here, so an entry is 24 bytes, its stack one or two bytes a frame, and its values lie
 * in an array of their own: adding an input's values touches nothing else. */
#include "array.h"
#include "tables.h"

#include <string.h>

static bool same(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_stacked *a = &((const struct pgofs_samples *)table)->v[number], *b = key;
	return a->stack_bytes == b->stack_bytes && a->labels == b->labels &&
	       memcmp(a->stack, b->stack, a->stack_bytes) == 0;
}

uint32_t pgofs_samples_hash(const struct pgofs_tables *t, const struct pgofs_stacked *s)
{
	uint64_t h = pgofs_hash_bytes(t->seed, s->stack, s->stack_bytes);
	return pgofs_hash_short(s->labels ? pgofs_hash_mix(t->seed, h, s->labels) : h);
}

uint32_t pgofs_samples_prefetch(const struct pgofs_tables *t, uint32_t hash)
{
	uint32_t likely = pgofs_slots_first(&t->samples.slots, hash);
	if (likely != PGOFS_NONE)
		__builtin_prefetch(&t->samples.v[likely]);
	return likely;
}

void pgofs_samples_prefetch_stack(const struct pgofs_tables *t, uint32_t likely)
{
	if (likely == PGOFS_NONE)
		return;
	__builtin_prefetch(t->samples.v[likely].stack);
	__builtin_prefetch(t->samples.v[likely].stack + 64);
}

static int room(struct pgofs_tables *t)
{
	struct pgofs_samples *samples = &t->samples;
	if (samples->n >= UINT32_MAX / 2)
		return -EFBIG;
	if (ARRAY_RESERVE(samples->v, samples->cap, samples->n + 1) < 0 ||
	    ARRAY_RESERVE(samples->value, samples->value_cap, (samples->n + 1) * t->n_types) < 0)
		return -ENOMEM;
	return 0;
}

int pgofs_samples_append(struct pgofs_tables *t, const struct pgofs_stacked *s, uint32_t *ret)
{
	struct pgofs_samples *samples = &t->samples;
	int r = room(t);
	if (r < 0)
		return r;
	const uint8_t *stack = pgofs_arena_dup(&t->arena, s->stack, s->stack_bytes);
	if (!stack)
		return -ENOMEM;
	*ret = (uint32_t)samples->n++;
	samples->v[*ret] = *s;
	samples->v[*ret].stack = stack;
	memset(pgofs_samples_values(t, *ret), 0, t->n_types * sizeof *samples->value);
	return 0;
}

int pgofs_samples_add(struct pgofs_tables *t, const struct pgofs_stacked *s, uint32_t *ret)
{
	struct pgofs_samples *samples = &t->samples;
	*ret = pgofs_slots_find(&samples->slots, s->hash, same, samples, s);
	if (*ret != PGOFS_NONE)
		return 0;
	if (pgofs_slots_reserve(&samples->slots) < 0)
		return -ENOMEM;
	int r = pgofs_samples_append(t, s, ret);
	if (r == 0)
		pgofs_slots_insert(&samples->slots, s->hash, *ret);
	return r;
}

bool pgofs_samples_all_zero(const struct pgofs_tables *t, size_t number)
{
	const int64_t *value = pgofs_samples_values(t, number);
	int64_t any = 0;
	for (size_t i = 0; i < t->n_types; i++)
		any |= value[i];
	return any == 0;
}
