/* Memory for what lives as long as its table: handed out in order, given back all at once or back to a mark.
 *
 * Threads: the caller serialises. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pgofs_arena_chunk;

struct pgofs_arena {
	struct pgofs_arena_chunk *last; /* owned, with all before it */
	size_t bytes;                   /* of all chunks */
};

struct pgofs_arena_mark {
	struct pgofs_arena_chunk *chunk;
	size_t used;
};

/* So many bytes after any of it may be read, whatever they are: for who reads eight at a time. */
#define PGOFS_ARENA_SLACK 8

/* `len` bytes aligned to `align` (a power of two, at most 16), not cleared; NULL when memory is out. */
void *pgofs_arena_take(struct pgofs_arena *a, size_t len, size_t align);

/* A copy of `len` bytes, aligned to nothing. */
void *pgofs_arena_dup(struct pgofs_arena *a, const void *data, size_t len);

struct pgofs_arena_mark pgofs_arena_mark(const struct pgofs_arena *a);

/* Gives back everything taken since the mark. */
void pgofs_arena_reset(struct pgofs_arena *a, struct pgofs_arena_mark mark);

void pgofs_arena_done(struct pgofs_arena *a);
