/* Adding up by function name, one pass over each stack. A function that is on a stack more than once counts once for cum, as in `go tool
 * pprof -top`. */
#include "hot.h"

#include "array.h"

#include <string.h>

#define LINES_MAX ((size_t)1 << 28) /* of one input, all samples together */

int pgofs_hot_init(struct pgofs_hot *h)
{
	*h = (struct pgofs_hot){ 0 };
	return pgofs_tables_init(&h->names, 1);
}

void pgofs_hot_done(struct pgofs_hot *h)
{
	pgofs_tables_done(&h->names);
	free(h->v);
	free(h->name);
	free(h->mine);
	*h = (struct pgofs_hot){ 0 };
}

int pgofs_hot_begin(struct pgofs_hot *h, const struct pgofs_profile *p, struct pgofs_hot_columns column)
{
	if (ARRAY_RESERVE(h->name, h->name_cap, p->n_strings) < 0 ||
	    ARRAY_RESERVE(h->mine, h->mine_cap, p->n_strings) < 0)
		return -ENOMEM;
	memset(h->name, 0, p->n_strings * sizeof *h->name);
	h->next = h->totals;
	h->column = column;
	h->n_lines = 0;
	return 0;
}

static void add(int64_t *sum, int64_t value)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

static int64_t value_in(const int64_t *value, uint32_t column)
{
	return column == PGOFS_NONE ? 0 : value[column];
}

static void count_leaf(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_raw_location *leaf,
		       uint32_t first, int64_t weight)
{
	if (leaf->n_lines <= first)
		return;
	const struct pgofs_raw_function *f = &p->function[p->line[leaf->first_line + first].function];
	add(&h->name[f->name].flat, weight);
	if (f->start_line)
		add(&h->next.with_start, weight);
}

static void count_lines(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_raw_location *l,
			uint32_t first, int64_t weight)
{
	for (uint32_t k = first; k < l->n_lines; k++) {
		struct pgofs_hot_name *name = &h->name[p->function[p->line[l->first_line + k].function].name];
		if (name->seen == h->next.n_samples)
			continue;
		name->seen = h->next.n_samples;
		add(&name->cum, weight);
	}
}

int pgofs_hot_sample(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_prune *prune,
		     const struct pgofs_stack *stack, const int64_t *value)
{
	int64_t weight = value_in(value, h->column.weight);
	add(&h->next.cpu_ns, value_in(value, h->column.cpu));
	add(&h->next.count, value_in(value, h->column.count));
	if (!weight)
		return 0;
	add(&h->next.weight, weight);
	h->next.n_samples++;
	for (size_t i = 0; i < stack->n; i++) {
		uint32_t first = pgofs_prune_first_line(prune, stack->place[i]);
		const struct pgofs_raw_location *l = &p->location[stack->place[i]];
		h->n_lines += l->n_lines - first;
		if (h->n_lines > LINES_MAX)
			return -EFBIG;
		if (i == 0)
			count_leaf(h, p, l, first, weight);
		count_lines(h, p, l, first, weight);
	}
	return 0;
}

int pgofs_hot_stage(struct pgofs_hot *h, const struct pgofs_profile *p)
{
	struct pgofs_tables_mark mark = pgofs_tables_mark(&h->names);
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->n_strings; i++) {
		size_t len;
		const uint8_t *s = pgofs_profile_string(p, (uint32_t)i, &len);
		if (h->name[i].seen)
			r = pgofs_string_add(&h->names, s, len, &h->mine[i]);
	}
	if (r == 0)
		r = ARRAY_RESERVE(h->v, h->cap, h->names.strings.n);
	if (r < 0)
		pgofs_tables_undo(&h->names, mark);
	return r;
}

void pgofs_hot_commit(struct pgofs_hot *h, const struct pgofs_profile *p)
{
	for (; h->n < h->names.strings.n; h->n++)
		h->v[h->n] = (struct pgofs_hot_function){ 0 };
	for (size_t i = 0; i < p->n_strings; i++) {
		if (!h->name[i].seen)
			continue;
		add(&h->v[h->mine[i]].flat, h->name[i].flat);
		add(&h->v[h->mine[i]].cum, h->name[i].cum);
	}
	h->totals = h->next;
}
