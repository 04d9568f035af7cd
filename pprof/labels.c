/* Label sets of a merge. A fleet's samples carry few different sets, so a sample keeps only the number of its set.
 *
 * Two sets are the same when google/pprof's sampleKey() writes the same bytes for them: the order of values within a key counts, the
 * order of keys does not, and a number with a unit differs from one without. */
#include "array.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

static int compare_strings(const struct pgofs_strings *s, uint32_t a, uint32_t b)
{
	if (a == b)
		return 0;
	size_t len = s->v[a].len < s->v[b].len ? s->v[a].len : s->v[b].len;
	int r = memcmp(s->v[a].data, s->v[b].data, len);
	return r ? r : s->v[a].len < s->v[b].len ? -1 : 1;
}

static int compare(const struct pgofs_tables *t, const struct pgofs_label *a, const struct pgofs_label *b)
{
	if (a->numeric != b->numeric)
		return a->numeric ? 1 : -1;
	return compare_strings(&t->strings, a->key, b->key);
}

/* Bottom-up merge sort: stable, and no worse for a million labels than its bound. Sets of one to five are the rule. */
static int sort(const struct pgofs_tables *t, struct pgofs_label *label, size_t n)
{
	bool sorted = true;
	for (size_t i = 1; i < n && sorted; i++)
		sorted = compare(t, &label[i - 1], &label[i]) <= 0;
	if (sorted)
		return 0;
	struct pgofs_label *other = malloc(n * sizeof *other);
	if (!other)
		return -ENOMEM;
	for (size_t run = 1; run < n; run *= 2) {
		for (size_t at = 0; at < n; at += 2 * run) {
			size_t middle = at + run < n ? at + run : n, end = middle + run < n ? middle + run : n;
			for (size_t i = at, j = middle, k = at; k < end; k++) {
				bool left = j >= end || (i < middle && compare(t, &label[i], &label[j]) <= 0);
				other[k] = left ? label[i++] : label[j++];
			}
		}
		memcpy(label, other, n * sizeof *label);
	}
	free(other);
	return 0;
}

/* profile/encode.go postDecode: one unit among the numbers of a key gives all of them one, "" where none was said. */
static void spread_units(struct pgofs_label *label, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		bool units = false;
		for (end = i; end < n && label[end].key == label[i].key && label[end].numeric == label[i].numeric;
		     end++)
			units |= label[end].with_units;
		for (size_t j = i; j < end; j++)
			label[j].with_units = units;
	}
}

static bool same_label(const struct pgofs_label *a, const struct pgofs_label *b)
{
	return a->number == b->number && a->key == b->key && a->string == b->string && a->unit == b->unit &&
	       a->numeric == b->numeric && a->with_units == b->with_units;
}

struct wanted {
	const struct pgofs_label *label;
	size_t n;
};

static bool same(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_label_set *set = &((const struct pgofs_label_sets *)table)->v[number];
	const struct wanted *w = key;
	bool equal = set->n == w->n;
	for (size_t i = 0; equal && i < w->n; i++)
		equal = same_label(&set->label[i], &w->label[i]);
	return equal;
}

static uint32_t hash(const struct pgofs_tables *t, const struct wanted *w)
{
	uint64_t h = w->n;
	for (size_t i = 0; i < w->n; i++) {
		const struct pgofs_label *l = &w->label[i];
		h = pgofs_hash_mix(t->seed, h ^ (uint64_t)l->number, (uint64_t)l->key << 32 | l->string);
		h = pgofs_hash_mix(t->seed, h, (uint64_t)l->unit << 2 | l->numeric << 1 | l->with_units);
	}
	return pgofs_hash_short(h);
}

static int insert(struct pgofs_tables *t, const struct wanted *w, uint32_t h, uint32_t *ret)
{
	struct pgofs_label_sets *sets = &t->label_sets;
	if (w->n > UINT32_MAX)
		return -EFBIG;
	if (ARRAY_RESERVE(sets->v, sets->cap, sets->n + 1) < 0 || pgofs_slots_reserve(&sets->slots) < 0)
		return -ENOMEM;
	struct pgofs_label *label = pgofs_arena_take(&t->arena, w->n * sizeof *label, _Alignof(struct pgofs_label));
	if (!label)
		return -ENOMEM;
	if (w->n)
		memcpy(label, w->label, w->n * sizeof *label);
	*ret = (uint32_t)sets->n++;
	sets->v[*ret] = (struct pgofs_label_set){ label, (uint32_t)w->n, h };
	pgofs_slots_insert(&sets->slots, h, *ret);
	return 0;
}

int pgofs_label_sets_add(struct pgofs_tables *t, struct pgofs_label *label, size_t n, uint32_t *ret)
{
	int r = sort(t, label, n);
	if (r < 0)
		return r;
	spread_units(label, n);
	struct wanted w = { label, n };
	uint32_t h = hash(t, &w);
	*ret = pgofs_slots_find(&t->label_sets.slots, h, same, &t->label_sets, &w);
	return *ret == PGOFS_NONE ? insert(t, &w, h, ret) : 0;
}
