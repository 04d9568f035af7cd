/* Growing and undoing, the rare half of an index. Growing re-inserts entries in their order, so that the undo's rule (the
 * youngest was pushed aside by older ones, never the other way) holds afterwards too. */
#include "slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64u
#define CAPACITY_MAX (UINT32_C(1) << 31)

void pgofs_slots_done(struct pgofs_slots *s)
{
	free(s->cell);
	*s = (struct pgofs_slots){ 0 };
}

void pgofs_slots_clear(struct pgofs_slots *s)
{
	if (s->mask / 8 > s->n) {
		pgofs_slots_done(s); /* clearing what one large input left behind would cost each later one */
		return;
	}
	if (s->cell)
		memset(s->cell, 0, ((size_t)s->mask + 1) * sizeof *s->cell);
	s->n = 0;
}

/* The hashes of the entries, by number. */
static uint32_t *hashes_by_number(const struct pgofs_slots *s)
{
	uint32_t *hash = malloc((size_t)s->n * sizeof *hash + 1);
	for (size_t i = 0; hash && s->cell && i <= s->mask; i++) {
		if (s->cell[i])
			hash[(uint32_t)s->cell[i] - 1] = (uint32_t)(s->cell[i] >> 32);
	}
	return hash;
}

static int grow(struct pgofs_slots *s)
{
	size_t capacity = s->cell ? ((size_t)s->mask + 1) * 2 : CAPACITY_MIN;
	if (capacity > CAPACITY_MAX)
		return -ENOMEM;
	struct pgofs_slots grown = { .cell = calloc(capacity, sizeof *grown.cell), .mask = (uint32_t)capacity - 1 };
	uint32_t *hash = hashes_by_number(s);
	if (!grown.cell || !hash) {
		free(grown.cell);
		free(hash);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < s->n; i++)
		pgofs_slots_insert(&grown, hash[i], i);
	free(hash);
	free(s->cell);
	*s = grown;
	return 0;
}

int pgofs_slots_reserve(struct pgofs_slots *s)
{
	if (s->cell && ((uint64_t)s->n + 1) * 3 <= ((uint64_t)s->mask + 1) * 2)
		return 0;
	return grow(s);
}

void pgofs_slots_remove(struct pgofs_slots *s, uint32_t hash, uint32_t number)
{
	uint32_t at = hash & s->mask;
	while ((uint32_t)s->cell[at] != number + 1)
		at = (at + 1) & s->mask;
	s->cell[at] = 0;
	s->n--;
}
