/* Chunks double from 16 KiB to 1 MiB, so a small merge stays small and a large one has little slack. What does not fit a chunk gets one of its
 * own. Own code, against one malloc an object: a merge of a thousand profiles makes half a million of them. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN ((size_t)16 << 10)
#define CHUNK_MAX ((size_t)1 << 20)

struct pgofs_arena_chunk {
	struct pgofs_arena_chunk *before;
	size_t used, size;
	uint8_t data[] __attribute__((aligned(16)));
};

static struct pgofs_arena_chunk *chunk_new(struct pgofs_arena *a, size_t need)
{
	size_t size = a->last ? a->last->size * 2 : CHUNK_MIN;
	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < need)
		size = need;
	if (size > SIZE_MAX - sizeof(struct pgofs_arena_chunk) - PGOFS_ARENA_SLACK)
		return NULL;
	struct pgofs_arena_chunk *c = malloc(sizeof *c + size + PGOFS_ARENA_SLACK);
	if (!c)
		return NULL;
	c->before = a->last;
	c->used = 0;
	c->size = size;
	a->last = c;
	a->bytes += size;
	return c;
}

void *pgofs_arena_take(struct pgofs_arena *a, size_t len, size_t align)
{
	struct pgofs_arena_chunk *c = a->last;
	size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;
	if (!c || at > c->size || len > c->size - at) {
		c = chunk_new(a, len);
		if (!c)
			return NULL;
		at = 0;
	}
	c->used = at + len;
	return c->data + at;
}

void *pgofs_arena_dup(struct pgofs_arena *a, const void *data, size_t len)
{
	void *copy = pgofs_arena_take(a, len, 1);
	if (copy && len)
		memcpy(copy, data, len);
	return copy;
}

struct pgofs_arena_mark pgofs_arena_mark(const struct pgofs_arena *a)
{
	return (struct pgofs_arena_mark){ a->last, a->last ? a->last->used : 0 };
}

void pgofs_arena_reset(struct pgofs_arena *a, struct pgofs_arena_mark mark)
{
	while (a->last != mark.chunk) {
		struct pgofs_arena_chunk *c = a->last;
		a->last = c->before;
		a->bytes -= c->size;
		free(c);
	}
	if (a->last)
		a->last->used = mark.used;
}

void pgofs_arena_done(struct pgofs_arena *a)
{
	pgofs_arena_reset(a, (struct pgofs_arena_mark){ NULL, 0 });
}
