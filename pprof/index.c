#include "index.h"

#include "array.h"

void pgofs_index_done(struct pgofs_index *x)
{
	pgofs_slots_done(&x->slots);
	free(x->record);
	*x = (struct pgofs_index){ .beside_bytes = x->beside_bytes };
}

size_t pgofs_index_bytes(const struct pgofs_index *x)
{
	return pgofs_slots_bytes(&x->slots) + x->cap * pgofs_index_record_bytes(x);
}

void pgofs_index_clear(struct pgofs_index *x)
{
	pgofs_slots_clear(&x->slots);
}

void pgofs_index_undo(struct pgofs_index *x, size_t n)
{
	while (x->slots.n > n)
		pgofs_slots_remove(&x->slots, pgofs_hash_place(*pgofs_index_key(x, x->slots.n - 1)), x->slots.n - 1);
}

int pgofs_index_reserve(struct pgofs_index *x)
{
	int r = pgofs_array_reserve((void **)&x->record, &x->cap, (size_t)x->slots.n + 1, pgofs_index_record_bytes(x));
	return r < 0 ? r : pgofs_slots_reserve(&x->slots);
}
