/* Which of the three ways fits is decided when the table is complete; a hostile id near 2^64 costs a hash table, not an array. */
#include "ids.h"

#include "array.h"

#include <string.h>

static uint64_t id_at(const struct pgofs_ids *ids, uint32_t place)
{
	return *(const uint64_t *)((const char *)ids->table + (size_t)place * ids->stride);
}

static int twice(uint64_t id, const char *noun, struct pgofs_error *err)
{
	return pgofs_error_set(err, -EINVAL, "two %ss have the id %llu", noun, (unsigned long long)id);
}

static int build_dense(struct pgofs_ids *ids, uint64_t max, const char *noun, struct pgofs_error *err)
{
	if (ARRAY_RESERVE(ids->place, ids->place_cap, max + 1) < 0)
		return pgofs_error_errno(err, -ENOMEM, "%s ids", noun);
	memset(ids->place, 0xff, (max + 1) * sizeof *ids->place);
	ids->place_n = max + 1;
	for (uint32_t i = 0; i < ids->n; i++) {
		uint32_t *place = &ids->place[id_at(ids, i)];
		if (*place != PGOFS_NONE)
			return twice(id_at(ids, i), noun, err);
		*place = i;
	}
	return 0;
}

static uint32_t hash_of(const struct pgofs_ids *ids, uint64_t id)
{
	return pgofs_hash_short(pgofs_hash_mix(ids->seed, id, ids->seed.a));
}

static bool same_id(const void *table, uint32_t number, const void *key)
{
	return id_at(table, number) == *(const uint64_t *)key;
}

uint32_t pgofs_ids_find_sparse(const struct pgofs_ids *ids, uint64_t id)
{
	return pgofs_slots_find(&ids->slots, hash_of(ids, id), same_id, ids, &id);
}

static int build_sparse(struct pgofs_ids *ids, const char *noun, struct pgofs_error *err)
{
	ids->sparse = true;
	for (uint32_t i = 0; i < ids->n; i++) {
		uint64_t id = id_at(ids, i);
		if (pgofs_ids_find_sparse(ids, id) != PGOFS_NONE)
			return twice(id, noun, err);
		if (pgofs_slots_reserve(&ids->slots) < 0)
			return pgofs_error_errno(err, -ENOMEM, "%s ids", noun);
		pgofs_slots_insert(&ids->slots, hash_of(ids, id), i);
	}
	return 0;
}

int pgofs_ids_build(struct pgofs_ids *ids, const void *table, size_t stride, uint32_t n, const char *noun,
		    struct pgofs_error *err)
{
	uint64_t max = 0;
	ids->table = table;
	ids->stride = stride;
	ids->n = n;
	ids->counted = true;
	ids->sparse = false;
	pgofs_slots_clear(&ids->slots);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t this = id_at(ids, i);
		if (this == 0)
			return pgofs_error_set(err, -EINVAL, "a %s has the id 0, which means none", noun);
		ids->counted &= this == (uint64_t)i + 1;
		if (this > max)
			max = this;
	}
	if (ids->counted)
		return 0;
	if (max / 4 <= (uint64_t)n + 256)
		return build_dense(ids, max, noun, err);
	return build_sparse(ids, noun, err);
}

void pgofs_ids_done(struct pgofs_ids *ids)
{
	free(ids->place);
	pgofs_slots_done(&ids->slots);
	*ids = (struct pgofs_ids){ 0 };
}
