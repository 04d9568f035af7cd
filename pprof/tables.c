/* The tables: made and freed, added to, and put back to a mark. */
#include "tables.h"

#include "array.h"

int pgofs_tables_init(struct pgofs_tables *t, size_t n_types, size_t values_begin)
{
	uint32_t zero;
	*t = (struct pgofs_tables){ .n_types = n_types, .values_begin = values_begin };
	t->samples.index.beside_bytes = (uint32_t)(values_begin + n_types * sizeof(int64_t));
	int r = pgofs_string_add(t, (const uint8_t *)"", 0, &zero);
	if (r == 0)
		r = pgofs_label_sets_insert(t, (struct pgofs_hash){ 0, 0 }, NULL, 0, &zero);
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
	pgofs_index_done(&t->strings.index);
	pgofs_index_done(&t->functions.index);
	pgofs_index_done(&t->mappings.index);
	pgofs_index_done(&t->locations.index);
	pgofs_index_done(&t->label_sets.index);
	pgofs_index_done(&t->samples.index);
	pgofs_arena_done(&t->arena);
	*t = (struct pgofs_tables){ 0 };
}

size_t pgofs_tables_memory_bytes(const struct pgofs_tables *t)
{
	return t->arena.bytes + t->strings.cap * sizeof *t->strings.v + t->functions.cap * sizeof *t->functions.v +
	       t->mappings.cap * sizeof *t->mappings.v + t->locations.cap * sizeof *t->locations.v +
	       t->label_sets.cap * sizeof *t->label_sets.v + t->samples.cap * sizeof *t->samples.v +
	       pgofs_index_bytes(&t->strings.index) + pgofs_index_bytes(&t->functions.index) +
	       pgofs_index_bytes(&t->mappings.index) + pgofs_index_bytes(&t->locations.index) +
	       pgofs_index_bytes(&t->label_sets.index) + pgofs_index_bytes(&t->samples.index);
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

#define UNDO(table, mark) pgofs_index_undo(&(table)->index, (table)->n = (mark))

void pgofs_tables_undo(struct pgofs_tables *t, struct pgofs_tables_mark mark)
{
	UNDO(&t->samples, mark.n_samples);
	UNDO(&t->label_sets, mark.n_label_sets);
	UNDO(&t->locations, mark.n_locations);
	UNDO(&t->mappings, mark.n_mappings);
	UNDO(&t->functions, mark.n_functions);
	UNDO(&t->strings, mark.n_strings);
	pgofs_arena_reset(&t->arena, mark.arena);
}

/* Room for one more entry and its key; then adding it cannot fail. */
#define ROOM(table)                                                                                                    \
	(ARRAY_RESERVE((table)->v, (table)->cap, (table)->n + 1) < 0 ? -ENOMEM : pgofs_index_reserve(&(table)->index))

#define ADD(table, key, entry, ret)                                                                                    \
	do {                                                                                                           \
		pgofs_index_insert(&(table)->index, (key));                                                            \
		(table)->v[(table)->n] = (entry);                                                                      \
		*(ret) = (uint32_t)(table)->n++;                                                                       \
	} while (0)

int pgofs_strings_insert(struct pgofs_tables *t, struct pgofs_hash key, const uint8_t *data, size_t len, uint32_t *ret)
{
	if (len > UINT32_MAX)
		return -EFBIG;
	if (ROOM(&t->strings) < 0)
		return -ENOMEM;
	struct pgofs_string s = { pgofs_arena_dup(&t->arena, data, len), (uint32_t)len };
	if (!s.data)
		return -ENOMEM;
	ADD(&t->strings, key, s, ret);
	return 0;
}

int pgofs_string_add(struct pgofs_tables *t, const uint8_t *data, size_t len, uint32_t *ret)
{
	struct pgofs_hash key = pgofs_hash_bytes(data, len);
	uint32_t number = pgofs_index_find(&t->strings.index, key);
	if (number == PGOFS_NONE)
		return pgofs_strings_insert(t, key, data, len, ret);
	*ret = number;
	return 0;
}

bool pgofs_string_is(const struct pgofs_tables *t, uint32_t number, const char *text)
{
	const struct pgofs_string *s = &t->strings.v[number];
	return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}

int pgofs_functions_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_function *f, uint32_t *ret)
{
	if (ROOM(&t->functions) < 0)
		return -ENOMEM;
	ADD(&t->functions, key, *f, ret);
	return 0;
}

int pgofs_mappings_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_mapping *m, uint32_t *ret)
{
	if (ROOM(&t->mappings) < 0)
		return -ENOMEM;
	ADD(&t->mappings, key, *m, ret);
	return 0;
}

int pgofs_locations_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_location *l, uint32_t *ret)
{
	struct pgofs_location entry = *l;
	if (t->locations.n + 1 >= PGOFS_LOCATIONS_MAX)
		return -EFBIG;
	if (ROOM(&t->locations) < 0)
		return -ENOMEM;
	if (l->n_lines != 1) {
		size_t bytes = l->n_lines * sizeof(struct pgofs_line);
		struct pgofs_line *line = pgofs_arena_take(&t->arena, bytes, _Alignof(struct pgofs_line));
		if (!line)
			return -ENOMEM;
		if (bytes)
			memcpy(line, l->many, bytes);
		entry.many = line;
	}
	ADD(&t->locations, key, entry, ret);
	return 0;
}

int pgofs_label_sets_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_label *label, size_t n,
			    uint32_t *ret)
{
	if (n > UINT32_MAX)
		return -EFBIG;
	if (ROOM(&t->label_sets) < 0)
		return -ENOMEM;
	struct pgofs_label *copy = pgofs_arena_take(&t->arena, n * sizeof *copy, _Alignof(struct pgofs_label));
	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, label, n * sizeof *copy);
	struct pgofs_label_set set = { copy, (uint32_t)n };
	ADD(&t->label_sets, key, set, ret);
	return 0;
}

int pgofs_samples_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_stacked *s, uint32_t *ret)
{
	struct pgofs_stacked entry = *s;
	if (t->samples.n >= UINT32_MAX / 2)
		return -EFBIG;
	if (ROOM(&t->samples) < 0)
		return -ENOMEM;
	entry.stack = pgofs_arena_dup(&t->arena, s->stack, s->stack_bytes);
	if (!entry.stack)
		return -ENOMEM;
	ADD(&t->samples, key, entry, ret);
	return 0;
}

bool pgofs_samples_all_zero(const struct pgofs_tables *t, size_t number)
{
	const int64_t *value = pgofs_samples_values(t, number);
	int64_t any = 0;
	for (size_t i = 0; i < t->n_types; i++)
		any |= value[i];
	return any == 0;
}
