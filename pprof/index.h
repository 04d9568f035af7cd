/* The index of a table whose entries are known by a hash of their content (hash.h).
 *
 * It numbers them in the order of their insertion; the table keeps them in an array in that order. Finding one reads the index only. What is
 * changed whenever an entry was found can be kept in the index too, beside its key, where it is at hand then.
 *
 * Threads: the caller serialises. */
#pragma once

#include "hash.h"
#include "slots.h"

struct pgofs_index {
	struct pgofs_slots slots;
	uint8_t *record; /* owned; by number: a struct pgofs_hash, and `beside_bytes` after it */
	size_t cap;
	uint32_t beside_bytes; /* a multiple of 8; set it before the first insertion */
};

void pgofs_index_done(struct pgofs_index *x);
size_t pgofs_index_bytes(const struct pgofs_index *x);

/* Empties it; keeps its memory for an index of about the same size. */
void pgofs_index_clear(struct pgofs_index *x);

/* Takes the youngest out again, until n are left. */
void pgofs_index_undo(struct pgofs_index *x, size_t n);

/* Room for one more, kept until the next insertion. -ENOMEM, and nothing changed. */
int pgofs_index_reserve(struct pgofs_index *x);

static inline size_t pgofs_index_record_bytes(const struct pgofs_index *x)
{
	return sizeof(struct pgofs_hash) + x->beside_bytes;
}

static inline struct pgofs_hash *pgofs_index_key(const struct pgofs_index *x, size_t number)
{
	return (struct pgofs_hash *)(x->record + number * pgofs_index_record_bytes(x));
}

static inline void *pgofs_index_beside(const struct pgofs_index *x, size_t number)
{
	return pgofs_index_key(x, number) + 1;
}

static inline bool pgofs_hash_same(const struct pgofs_hash *a, const struct pgofs_hash *b)
{
	return a->a == b->a && a->b == b->b;
}

static inline bool pgofs_index_same(const void *index, uint32_t number, const void *key)
{
	return pgofs_hash_same(pgofs_index_key(index, number), key);
}

/* Its number, or PGOFS_NONE. */
static inline uint32_t pgofs_index_find(const struct pgofs_index *x, struct pgofs_hash key)
{
	return pgofs_slots_find(&x->slots, pgofs_hash_place(key), pgofs_index_same, x, &key);
}

/* After pgofs_index_reserve, for a key that pgofs_index_find did not find. Its number is how many there were; what is beside it is all 0. */
static inline void pgofs_index_insert(struct pgofs_index *x, struct pgofs_hash key)
{
	uint32_t number = x->slots.n;
	*pgofs_index_key(x, number) = key;
	if (x->beside_bytes)
		memset(pgofs_index_beside(x, number), 0, x->beside_bytes);
	pgofs_slots_insert(&x->slots, pgofs_hash_place(key), number);
}

/* Finding waits for memory twice. Long before, ask for the first; a while before, for the second. */
static inline void pgofs_index_prefetch(const struct pgofs_index *x, struct pgofs_hash key)
{
	pgofs_slots_prefetch(&x->slots, pgofs_hash_place(key));
}

static inline void pgofs_index_prefetch_record(const struct pgofs_index *x, struct pgofs_hash key)
{
	uint32_t likely = pgofs_slots_first(&x->slots, pgofs_hash_place(key));
	if (likely != PGOFS_NONE)
		__builtin_prefetch(pgofs_index_key(x, likely), 1);
}
