/* The index of a table: from a hash to the numbers of the entries that have it.
 *
 * A table is an array in order of insertion; its slots say where in the array an entry with a given key may be. A slot is
 * 32 bits of hash and the entry's number plus one; the whole key is compared by the table.
 * Linear probing, at most two thirds full. Entries are only ever removed in the reverse order of insertion (an undo), for which clearing the
 * slot is enough: no older entry was ever pushed aside by a younger one.
 *
 * Limits: 2^31 entries. Threads: the caller serialises. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGOFS_NONE UINT32_MAX

struct pgofs_slots {
	uint64_t *cell; /* owned; hash << 32 | number + 1; 0 is empty */
	uint32_t mask;  /* capacity - 1; 0 while there are none */
	uint32_t n;
};

void pgofs_slots_done(struct pgofs_slots *s);

/* Empties it; keeps its memory for an index of about the same size. */
void pgofs_slots_clear(struct pgofs_slots *s);

/* Room for one more, kept until the next insertion. -ENOMEM, and nothing changed. */
int pgofs_slots_reserve(struct pgofs_slots *s);

/* Takes the entry `number` out again; it must be the youngest. */
void pgofs_slots_remove(struct pgofs_slots *s, uint32_t hash, uint32_t number);

static inline size_t pgofs_slots_bytes(const struct pgofs_slots *s)
{
	return s->cell ? ((size_t)s->mask + 1) * sizeof *s->cell : 0;
}

static inline void pgofs_slots_prefetch(const struct pgofs_slots *s, uint32_t hash)
{
	if (s->cell)
		__builtin_prefetch(&s->cell[hash & s->mask]);
}

/* The first entry with this hash, whatever its key; PGOFS_NONE. */
static inline uint32_t pgofs_slots_first(const struct pgofs_slots *s, uint32_t hash)
{
	for (uint32_t at = hash & s->mask; s->cell && s->cell[at]; at = (at + 1) & s->mask) {
		if (s->cell[at] >> 32 == hash)
			return (uint32_t)s->cell[at] - 1;
	}
	return PGOFS_NONE;
}

/* Is the entry `number` of `table` the one with `key`? */
typedef bool (*pgofs_same_fn)(const void *table, uint32_t number, const void *key);

/* The entry's number, or PGOFS_NONE. `same` is a constant, so that it is inlined. */
static inline __attribute__((always_inline)) uint32_t
pgofs_slots_find(const struct pgofs_slots *s, uint32_t hash, pgofs_same_fn same, const void *table, const void *key)
{
	if (!s->cell)
		return PGOFS_NONE;
	for (uint32_t at = hash & s->mask;; at = (at + 1) & s->mask) {
		uint64_t cell = s->cell[at];
		if (!cell)
			return PGOFS_NONE;
		if (cell >> 32 == hash && same(table, (uint32_t)cell - 1, key))
			return (uint32_t)cell - 1;
	}
}

/* After pgofs_slots_reserve, for a key that pgofs_slots_find did not find. */
static inline void pgofs_slots_insert(struct pgofs_slots *s, uint32_t hash, uint32_t number)
{
	uint32_t at = hash & s->mask;
	while (s->cell[at])
		at = (at + 1) & s->mask;
	s->cell[at] = (uint64_t)hash << 32 | (number + 1);
	s->n++;
}
