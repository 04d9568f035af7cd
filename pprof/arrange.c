#include "arrange.h"

#include "array.h"
#include "frames.h"
#include "packed.h"
#include "stack-code.h"

static void number(struct pgofs_numbering *x, uint32_t entry)
{
	if (x->id[entry])
		return;
	x->entry[x->n++] = entry;
	x->id[entry] = (uint32_t)x->n;
}

static int begin(struct pgofs_numbering *x, size_t n)
{
	x->entry = malloc((n + 1) * sizeof *x->entry);
	x->id = calloc(n + 1, sizeof *x->id);
	return x->entry && x->id ? 0 : -ENOMEM;
}

static void done(struct pgofs_numbering *x)
{
	free(x->entry);
	free(x->id);
}

int pgofs_arranging_init(struct pgofs_arranging *x, const struct pgofs_tables *t, uint32_t first_mapping)
{
	*x = (struct pgofs_arranging){ .t = t };
	x->code = calloc(t->locations.n + 1, sizeof *x->code);
	int r = x->code ? begin(&x->location, t->locations.n) : -ENOMEM;
	if (r == 0)
		r = begin(&x->function, t->functions.n);
	if (r == 0)
		r = begin(&x->mapping, t->mappings.n);
	if (r == 0)
		number(&x->mapping, first_mapping);
	return r;
}

void pgofs_arranging_done(struct pgofs_arranging *x)
{
	done(&x->location);
	done(&x->function);
	done(&x->mapping);
	free(x->code);
	free(x->place);
	free(x->flag);
	free(x->stack);
	*x = (struct pgofs_arranging){ 0 };
}

static void reach(struct pgofs_arranging *x, uint32_t place)
{
	const struct pgofs_location *l = &x->t->locations.v[place];
	const struct pgofs_line *line = pgofs_location_lines(l);
	if (x->code[place])
		return;
	if (l->mapping != PGOFS_NONE)
		number(&x->mapping, l->mapping);
	number(&x->location, place);
	x->code[place] = pgofs_stack_code(x->location.id[place]);
	for (uint32_t i = 0; i < l->n_lines; i++)
		number(&x->function, line[i].function);
}

static size_t leaf_of(struct pgofs_arranging *x, size_t n, const uint8_t *flag)
{
	if (!flag)
		return 0;
	for (size_t i = 0; i < n; i++)
		x->flag[i] = flag[x->place[i]];
	return pgofs_frames_leaf(x->flag, n);
}

int pgofs_arranging_stack(struct pgofs_arranging *x, struct pgofs_stack_part *s, const uint8_t *flag)
{
	size_t n;
	uint32_t max;
	if (ARRAY_RESERVE(x->place, x->place_cap, s->len + 16) < 0 || ARRAY_RESERVE(x->flag, x->flag_cap, s->n) < 0 ||
	    ARRAY_RESERVE(x->stack, x->stack_cap, (s->n + 1) * sizeof(uint32_t)) < 0)
		return -ENOMEM;
	pgofs_packed_read(s->bytes, s->bytes + s->len, s->bytes + s->len + PGOFS_ARENA_SLACK, x->place, &n, &max);
	size_t leaf = leaf_of(x, n, flag);
	uint8_t *end = leaf ? NULL : pgofs_stack_write(x->stack, x->code, x->place, n);
	if (!end) {
		for (size_t i = 0; i < n; i++)
			reach(x, x->place[i]);
		end = pgofs_stack_write(x->stack, x->code, x->place + leaf, n - leaf);
	}
	*s = (struct pgofs_stack_part){ x->stack, (size_t)(end - x->stack), n - leaf };
	return 0;
}
