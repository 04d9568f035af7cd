/* Adding up by function name, one pass over each stack. A function that is on a stack more than once counts once for cum, as in `go tool
 * pprof -top`. Nearly all locations have one line, so the name of that is looked up once an input and not once a frame: 22 instructions a
 * frame instead of 46. */
#include "hot.h"

#include "array.h"

#include <string.h>

#define LINES_MAX ((size_t)1 << 28) /* of one input, all samples together */

int pgofs_hot_init(struct pgofs_hot *h)
{
	*h = (struct pgofs_hot){ 0 };
	return pgofs_tables_init(&h->names, 1, 0);
}

void pgofs_hot_done(struct pgofs_hot *h)
{
	pgofs_tables_done(&h->names);
	free(h->v);
	free(h->name);
	free(h->mine);
	free(h->one);
	*h = (struct pgofs_hot){ 0 };
}

size_t pgofs_hot_memory_bytes(const struct pgofs_hot *h)
{
	return pgofs_tables_memory_bytes(&h->names) + h->cap * sizeof *h->v + h->name_cap * sizeof *h->name +
	       h->mine_cap * sizeof *h->mine + h->one_cap * sizeof *h->one;
}

static uint32_t name_of_line(const struct pgofs_profile *p, size_t line)
{
	return p->function[p->line[line].function].name;
}

static void find_ones(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_prune *prune)
{
	for (uint32_t i = 0; i < p->n_locations; i++) {
		const struct pgofs_raw_location *l = &p->location[i];
		uint32_t first = pgofs_prune_first_line(prune, i);
		h->one[i] = l->n_lines - first == 1 ? name_of_line(p, l->first_line + first) : PGOFS_NONE;
	}
}

int pgofs_hot_begin(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_prune *prune,
		    struct pgofs_hot_columns column)
{
	if (ARRAY_RESERVE(h->name, h->name_cap, p->n_strings) < 0 ||
	    ARRAY_RESERVE(h->mine, h->mine_cap, p->n_strings) < 0 ||
	    ARRAY_RESERVE(h->one, h->one_cap, p->n_locations) < 0)
		return -ENOMEM;
	find_ones(h, p, prune);
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

static inline void count(struct pgofs_hot_name *name, uint64_t sample, int64_t weight)
{
	if (name->seen == sample)
		return;
	name->seen = sample;
	add(&name->cum, weight);
}

/* -EFBIG where it is one line too many. */
static int count_lines(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_prune *prune,
		       uint32_t place, int64_t weight)
{
	const struct pgofs_raw_location *l = &p->location[place];
	uint32_t first = pgofs_prune_first_line(prune, place);
	h->n_lines += l->n_lines - first;
	if (h->n_lines > LINES_MAX)
		return -EFBIG;
	uint64_t sample = h->next.n_samples;
	struct pgofs_hot_name *name = h->name;
	for (size_t k = l->first_line + first, end = l->first_line + l->n_lines; k < end; k++)
		count(&name[name_of_line(p, k)], sample, weight);
	return 0;
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
	uint64_t sample = ++h->next.n_samples;
	if (stack->n)
		count_leaf(h, p, &p->location[stack->place[0]], pgofs_prune_first_line(prune, stack->place[0]), weight);
	h->n_lines += stack->n;
	int r = h->n_lines > LINES_MAX ? -EFBIG : 0;
	/* In locals: a sum might be anything else that is read here. */
	struct pgofs_hot_name *name = h->name;
	const uint32_t *one = h->one, *place = stack->place, *end = place + stack->n;
	for (; r == 0 && place < end; place++) {
		if (one[*place] != PGOFS_NONE)
			count(&name[one[*place]], sample, weight);
		else
			r = count_lines(h, p, prune, *place, weight);
	}
	return r;
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
