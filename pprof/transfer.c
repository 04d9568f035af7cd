/* The rules by which google/pprof merges one profile into another, applied to tables instead of a decoded profile: mapping before location,
 * functions in the order of lines, locations in the order of the stack, each only when a sample needs it. */
#include "transfer.h"

#include "array.h"
#include "wire.h"

#include <string.h>

static uint32_t *all_none(size_t n)
{
	uint32_t *v = malloc(n * sizeof *v + 1);
	if (v)
		memset(v, 0xff, n * sizeof *v);
	return v;
}

void pgofs_transfer_done(struct pgofs_transfer *x)
{
	free(x->string);
	free(x->function);
	free(x->mapping);
	free(x->location);
	free(x->label_set);
	free(x->stack);
	free(x->line);
	free(x->label);
	*x = (struct pgofs_transfer){ 0 };
}

int pgofs_transfer_string(struct pgofs_transfer *x, uint32_t number, uint32_t *ret)
{
	const struct pgofs_string *s = &x->from->strings.v[number];
	if (x->string[number] == PGOFS_NONE) {
		int r = pgofs_string_add(x->into, s->data, s->len, &x->string[number]);
		if (r < 0)
			return r;
	}
	*ret = x->string[number];
	return 0;
}

static int function(struct pgofs_transfer *x, uint32_t number, uint32_t *ret)
{
	if (x->function[number] == PGOFS_NONE) {
		struct pgofs_function f = x->from->functions.v[number];
		int r = pgofs_transfer_string(x, f.name, &f.name);
		if (r == 0)
			r = pgofs_transfer_string(x, f.system_name, &f.system_name);
		if (r == 0)
			r = pgofs_transfer_string(x, f.filename, &f.filename);
		if (r == 0)
			r = pgofs_functions_add(x->into, &f, &x->function[number]);
		if (r < 0)
			return r;
	}
	*ret = x->function[number];
	return 0;
}

static int mapping(struct pgofs_transfer *x, uint32_t number)
{
	if (x->mapping[number] != PGOFS_NONE)
		return 0;
	struct pgofs_mapping m = x->from->mappings.v[number];
	int r = pgofs_transfer_string(x, m.file, &m.file);
	if (r == 0)
		r = pgofs_transfer_string(x, m.build_id, &m.build_id);
	return r < 0 ? r : pgofs_mappings_add(x->into, &m, &x->mapping[number]);
}

static int lines(struct pgofs_transfer *x, const struct pgofs_location *from)
{
	if (ARRAY_RESERVE(x->line, x->line_cap, from->n_lines) < 0)
		return -ENOMEM;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < from->n_lines; i++) {
		x->line[i] = pgofs_location_lines(from)[i];
		r = function(x, x->line[i].function, &x->line[i].function);
	}
	return r;
}

static int location(struct pgofs_transfer *x, uint32_t number)
{
	struct pgofs_location l = x->from->locations.v[number];
	int r = l.mapping == PGOFS_NONE ? 0 : mapping(x, l.mapping);
	if (r == 0)
		r = lines(x, &l);
	if (r < 0)
		return r;
	if (l.mapping != PGOFS_NONE) {
		l.address -= x->from->mappings.v[l.mapping].start;
		l.mapping = x->mapping[l.mapping];
		l.address += x->into->mappings.v[l.mapping].start;
	}
	if (l.n_lines == 1)
		l.one = x->line[0];
	else
		l.many = x->line;
	return pgofs_locations_add(x->into, &l, &x->location[number]);
}

static int label_set(struct pgofs_transfer *x, uint32_t number)
{
	const struct pgofs_label_set *set = &x->from->label_sets.v[number];
	if (ARRAY_RESERVE(x->label, x->label_cap, set->n) < 0)
		return -ENOMEM;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < set->n; i++) {
		x->label[i] = set->label[i];
		r = pgofs_transfer_string(x, set->label[i].key, &x->label[i].key);
		if (r == 0)
			r = pgofs_transfer_string(x, set->label[i].string, &x->label[i].string);
		if (r == 0)
			r = pgofs_transfer_string(x, set->label[i].unit, &x->label[i].unit);
	}
	return r < 0 ? r : pgofs_label_sets_add(x->into, x->label, set->n, &x->label_set[number]);
}

int pgofs_transfer_init(struct pgofs_transfer *x, struct pgofs_tables *into, const struct pgofs_tables *from)
{
	*x = (struct pgofs_transfer){ .into = into, .from = from };
	x->string = all_none(from->strings.n);
	x->function = all_none(from->functions.n);
	x->mapping = all_none(from->mappings.n);
	x->location = all_none(from->locations.n);
	x->label_set = all_none(from->label_sets.n);
	if (!x->string || !x->function || !x->mapping || !x->location || !x->label_set)
		return -ENOMEM;
	return into->mappings.n == 0 && from->mappings.n ? mapping(x, 0) : 0;
}

/* The stack in the numbers of `into`, in x->stack. */
static int stack(struct pgofs_transfer *x, const struct pgofs_stacked *s, size_t *ret_bytes)
{
	struct pgofs_wire w = { s->stack, s->stack + s->stack_bytes };
	uint8_t *out = x->stack;
	while (w.p < w.end) {
		uint64_t id = 1;
		pgofs_wire_varint(&w, &id);
		uint32_t number = (uint32_t)id - 1;
		int r = x->location[number] == PGOFS_NONE ? location(x, number) : 0;
		if (r < 0)
			return r;
		out = pgofs_varint_put(out, (uint64_t)x->location[number] + 1);
	}
	*ret_bytes = (size_t)(out - x->stack);
	return 0;
}

int pgofs_transfer_sample(struct pgofs_transfer *x, size_t number, uint32_t *ret)
{
	struct pgofs_stacked s = x->from->samples.v[number];
	size_t bytes = 0;
	if (ARRAY_RESERVE(x->stack, x->stack_cap, (size_t)s.n_locations * 4) < 0)
		return -ENOMEM;
	int r = stack(x, &s, &bytes);
	if (r == 0 && x->label_set[s.labels] == PGOFS_NONE)
		r = label_set(x, s.labels);
	if (r < 0)
		return r;
	s.stack = x->stack;
	s.stack_bytes = (uint32_t)bytes;
	s.labels = x->label_set[s.labels];
	s.hash = pgofs_samples_hash(x->into, &s);
	return pgofs_samples_add(x->into, &s, ret);
}
