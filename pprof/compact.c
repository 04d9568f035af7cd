/* Making tables anew from what is still needed of them.
 *
 * Needed where google/pprof merges a profile with nothing to drop what is not used: after samples cancelled out, and when a sample type is
 * dropped; and to forget what a standing merge has no more. Everything is numbered again in the order in which the samples left reach it, because
 * that is the order google/pprof would have met it in: mapping before location, functions in the order of lines, locations in the order of the stack. Each thing is there once,
 * so nothing is looked for: it was taken over already, or it is inserted. */
#include "array.h"
#include "tables.h"
#include "wire.h"

struct taking {
	struct pgofs_tables *into;
	const struct pgofs_tables *from;
	uint32_t *string, *function, *mapping, *location, *label_set; /* owned; number in `into`, or PGOFS_NONE */
	struct pgofs_line *line;                                      /* owned scratch, as what follows */
	struct pgofs_label *label;
	uint8_t *stack;
	size_t line_cap, label_cap, stack_cap;
};

static uint32_t *all_none(size_t n)
{
	uint32_t *v = malloc(n * sizeof *v + 1);
	if (v)
		memset(v, 0xff, n * sizeof *v);
	return v;
}

static int begin(struct taking *x, struct pgofs_tables *into, const struct pgofs_tables *from)
{
	*x = (struct taking){ .into = into, .from = from };
	x->string = all_none(from->strings.n);
	x->function = all_none(from->functions.n);
	x->mapping = all_none(from->mappings.n);
	x->location = all_none(from->locations.n);
	x->label_set = all_none(from->label_sets.n);
	if (!x->string || !x->function || !x->mapping || !x->location || !x->label_set)
		return -ENOMEM;
	x->string[0] = x->label_set[0] = 0; /* every table has them */
	return 0;
}

static void done(struct taking *x)
{
	free(x->string);
	free(x->function);
	free(x->mapping);
	free(x->location);
	free(x->label_set);
	free(x->line);
	free(x->label);
	free(x->stack);
}

/* Each of these turns the number of a thing in `from` into that in `into`. */
static int string(struct taking *x, uint32_t *number)
{
	uint32_t *taken = &x->string[*number];
	const struct pgofs_string *s = &x->from->strings.v[*number];
	int r = 0;
	if (*taken == PGOFS_NONE)
		r = pgofs_strings_insert(x->into, *pgofs_index_key(&x->from->strings.index, *number), s->data, s->len,
					 taken);
	*number = *taken;
	return r;
}

static int function(struct taking *x, uint32_t *number)
{
	uint32_t *taken = &x->function[*number];
	int r = 0;
	if (*taken == PGOFS_NONE) {
		struct pgofs_function f = x->from->functions.v[*number];
		r = string(x, &f.name);
		if (r == 0)
			r = string(x, &f.system_name);
		if (r == 0)
			r = string(x, &f.filename);
		if (r == 0)
			r = pgofs_functions_insert(x->into, *pgofs_index_key(&x->from->functions.index, *number), &f,
						   taken);
	}
	*number = *taken;
	return r;
}

static int mapping(struct taking *x, uint32_t *number)
{
	uint32_t *taken = &x->mapping[*number];
	int r = 0;
	if (*taken == PGOFS_NONE) {
		struct pgofs_mapping m = x->from->mappings.v[*number];
		r = string(x, &m.file);
		if (r == 0)
			r = string(x, &m.build_id);
		if (r == 0)
			r = pgofs_mappings_insert(x->into, *pgofs_index_key(&x->from->mappings.index, *number), &m,
						  taken);
	}
	*number = *taken;
	return r;
}

static int lines(struct taking *x, const struct pgofs_location *from)
{
	int r = ARRAY_RESERVE(x->line, x->line_cap, from->n_lines);
	for (uint32_t i = 0; r == 0 && i < from->n_lines; i++) {
		x->line[i] = pgofs_location_lines(from)[i];
		r = function(x, &x->line[i].function);
	}
	return r;
}

static int location(struct taking *x, uint32_t *number)
{
	uint32_t *taken = &x->location[*number];
	int r = 0;
	if (*taken == PGOFS_NONE) {
		struct pgofs_location l = x->from->locations.v[*number];
		if (l.mapping != PGOFS_NONE)
			r = mapping(x, &l.mapping);
		if (r == 0)
			r = lines(x, &l);
		if (r == 0 && l.n_lines == 1)
			l.one = x->line[0];
		else if (r == 0)
			l.many = x->line;
		if (r == 0)
			r = pgofs_locations_insert(x->into, *pgofs_index_key(&x->from->locations.index, *number), &l,
						   taken);
	}
	*number = *taken;
	return r;
}

static int label_set(struct taking *x, uint32_t *number)
{
	uint32_t *taken = &x->label_set[*number];
	const struct pgofs_label_set *set = &x->from->label_sets.v[*number];
	int r = 0;
	if (*taken == PGOFS_NONE) {
		r = ARRAY_RESERVE(x->label, x->label_cap, set->n);
		for (uint32_t i = 0; r == 0 && i < set->n; i++) {
			x->label[i] = set->label[i];
			r = string(x, &x->label[i].key);
			if (r == 0)
				r = string(x, &x->label[i].string);
			if (r == 0)
				r = string(x, &x->label[i].unit);
		}
		if (r == 0)
			r = pgofs_label_sets_insert(x->into, *pgofs_index_key(&x->from->label_sets.index, *number),
						    x->label, set->n, taken);
	}
	*number = *taken;
	return r;
}

static int stack(struct taking *x, struct pgofs_stacked *s)
{
	struct pgofs_wire w = { s->stack, s->stack + s->stack_bytes };
	if (ARRAY_RESERVE(x->stack, x->stack_cap, (size_t)s->n_locations * 4) < 0)
		return -ENOMEM;
	uint8_t *out = x->stack;
	while (w.p < w.end) {
		uint64_t id = 1;
		pgofs_wire_varint(&w, &id);
		uint32_t number = (uint32_t)id - 1;
		int r = location(x, &number);
		if (r < 0)
			return r;
		out = pgofs_varint_put(out, (uint64_t)number + 1);
	}
	s->stack = x->stack;
	s->stack_bytes = (uint32_t)(out - x->stack);
	return 0;
}

int pgofs_tables_compact(struct pgofs_tables *into, const struct pgofs_tables *from, const uint32_t *sample, size_t n)
{
	struct taking x;
	uint32_t number = 0;
	int r = begin(&x, into, from);
	if (r == 0 && from->mappings.n)
		r = mapping(&x, &number); /* the first stands for the main program */
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct pgofs_stacked s = from->samples.v[sample[i]];
		r = stack(&x, &s);
		if (r == 0)
			r = label_set(&x, &s.labels);
		if (r == 0)
			r = pgofs_samples_insert(into, *pgofs_index_key(&from->samples.index, sample[i]), &s, &number);
	}
	done(&x);
	return r;
}
