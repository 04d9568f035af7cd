/* Strings of a merge, each once. Names repeat in every input, so nearly every look-up finds; what it costs is one hash and one compare. */
#include "array.h"
#include "tables.h"

#include <string.h>

static bool same(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_string *s = &((const struct pgofs_strings *)table)->v[number];
	const struct pgofs_wanted *w = key;
	return s->len == w->len && memcmp(s->data, w->data, w->len) == 0;
}

static uint32_t hash(const struct pgofs_tables *t, const struct pgofs_wanted *w)
{
	return pgofs_hash_short(pgofs_hash_bytes(t->seed, w->data, w->len));
}

void pgofs_strings_find(const struct pgofs_tables *t, const struct pgofs_wanted *wanted, size_t n, uint32_t *ret)
{
	uint32_t h[PGOFS_AT_ONCE];
	for (size_t i = 0; i < n; i++)
		h[i] = hash(t, &wanted[i]);
	pgofs_slots_find_all(&t->strings.slots, h, n, same, &t->strings, t->strings.v, sizeof *t->strings.v, wanted,
			     sizeof *wanted, ret);
}

int pgofs_string_add(struct pgofs_tables *t, const uint8_t *data, size_t len, uint32_t *ret)
{
	struct pgofs_strings *strings = &t->strings;
	struct pgofs_wanted w = { data, len };
	uint32_t h = hash(t, &w);
	uint32_t number = pgofs_slots_find(&strings->slots, h, same, strings, &w);
	if (number != PGOFS_NONE) {
		*ret = number;
		return 0;
	}
	if (len > UINT32_MAX)
		return -EFBIG;
	if (ARRAY_RESERVE(strings->v, strings->cap, strings->n + 1) < 0 || pgofs_slots_reserve(&strings->slots) < 0)
		return -ENOMEM;
	const uint8_t *copy = pgofs_arena_dup(&t->arena, data, len);
	if (!copy)
		return -ENOMEM;
	*ret = (uint32_t)strings->n;
	strings->v[strings->n] = (struct pgofs_string){ copy, (uint32_t)len, h };
	pgofs_slots_insert(&strings->slots, h, (uint32_t)strings->n++);
	return 0;
}

bool pgofs_string_is(const struct pgofs_tables *t, uint32_t number, const char *text)
{
	const struct pgofs_string *s = &t->strings.v[number];
	return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}
