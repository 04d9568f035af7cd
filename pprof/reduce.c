/* The canonical edge profile: the smallest profile in which `go tool preprofile` finds exactly these edges.
 *
 * One sample an edge: the leaf location is the callee's, its caller's is above it. Every function starts at line 1, so a call's line is its
 * offset plus 1. A callee's location has the address 1 and a caller's has none, because a node that looks like its caller makes no edge and a function
 * may call itself on any line. Everything is sorted, nothing says when or by whom: the same edges are the same bytes, on every
 * machine and in whatever order the inputs came. The edges of the edge profile are the edges, so such profiles merge like any others. */
#include "edges.h"
#include "encode.h"

#include <pgofs/cleanup.h>

#include <string.h>

uint32_t pgofs_types_for_go(const struct pgofs_types *types, const struct pgofs_tables *names)
{
	for (uint32_t i = 0; i < types->n; i++) {
		struct pgofs_type t = types->v[i];
		if ((pgofs_string_is(names, t.type, "samples") && pgofs_string_is(names, t.unit, "count")) ||
		    (pgofs_string_is(names, t.type, "cpu") && pgofs_string_is(names, t.unit, "nanoseconds")))
			return i;
	}
	return PGOFS_NONE;
}

static int compare_strings(const struct pgofs_string *a, const struct pgofs_string *b)
{
	int r = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
	return r ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare_edges(const void *a, const void *b, void *names)
{
	const struct pgofs_weighed *x = a, *y = b;
	const struct pgofs_string *s = names;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	int r = compare_strings(&s[x->edge->caller], &s[y->edge->caller]);
	if (!r)
		r = compare_strings(&s[x->edge->callee], &s[y->edge->callee]);
	return r ? r : (x->edge->offset > y->edge->offset) - (x->edge->offset < y->edge->offset);
}

int pgofs_edges_sorted(const struct pgofs_edges *e, const struct pgofs_header *h, const struct pgofs_tables *names,
		       struct pgofs_weighed **ret, size_t *ret_n, uint32_t *ret_type, struct pgofs_error *err)
{
	uint32_t type = pgofs_types_for_go(&h->types, names);
	if (type == PGOFS_NONE)
		return pgofs_error_set(err, -EINVAL, "no sample type is samples/count or cpu/nanoseconds");
	struct pgofs_weighed *v = malloc((e->n + 1) * sizeof *v);
	if (!v)
		return pgofs_error_errno(err, -ENOMEM, "sorting edges");
	size_t n = 0;
	for (size_t i = 0; i < e->n; i++) {
		int64_t weight = e->value[i * e->n_types + type];
		if (weight)
			v[n++] = (struct pgofs_weighed){ &e->v[i], weight };
	}
	qsort_r(v, n, sizeof *v, compare_edges, e->names.strings.v);
	*ret = v;
	*ret_n = n;
	*ret_type = type;
	return 0;
}

/* Builds the tables of the output. */
struct canon {
	struct pgofs_tables t;
	const struct pgofs_strings *names; /* of the edges */
	uint32_t *function;                /* owned; by name */
	int64_t start_line;
};

static int compare_names(const void *a, const void *b, void *strings)
{
	const struct pgofs_string *s = strings;
	return compare_strings(&s[*(const uint32_t *)a], &s[*(const uint32_t *)b]);
}

/* Functions in the order of their names: neighbours in the string table have prefixes in common, which gzip likes. */
static int add_functions(struct canon *c, const struct pgofs_weighed *edge, size_t n)
{
	_cleanup_(pgofs_freep) uint32_t *name = malloc((2 * n + 1) * sizeof *name);
	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		name[2 * i] = edge[i].edge->caller;
		name[2 * i + 1] = edge[i].edge->callee;
	}
	qsort_r(name, 2 * n, sizeof *name, compare_names, c->names->v);
	int r = 0;
	for (size_t i = 0; r == 0 && i < 2 * n; i++) {
		const struct pgofs_string *s = &c->names->v[name[i]];
		struct pgofs_hash key = *pgofs_index_key(&c->names->index, name[i]);
		struct pgofs_function f = { .start_line = c->start_line };
		if (i && name[i] == name[i - 1])
			continue;
		r = pgofs_string_add(&c->t, s->data, s->len, &f.name);
		if (r == 0)
			r = pgofs_functions_insert(&c->t, key, &f, &c->function[name[i]]);
	}
	return r;
}

static int add_location(struct canon *c, uint32_t name, int64_t line, uint64_t address, uint32_t *ret)
{
	struct pgofs_location at = { .address = address,
				     .one = { .line = line, .function = c->function[name] },
				     .n_lines = 1,
				     .mapping = PGOFS_NONE };
	struct {
		struct pgofs_hash function;
		int64_t line;
		uint64_t address;
	} content = { *pgofs_index_key(&c->names->index, name), line, address };
	struct pgofs_hash key = pgofs_hash_bytes(&content, sizeof content);
	*ret = pgofs_index_find(&c->t.locations.index, key);
	return *ret == PGOFS_NONE ? pgofs_locations_insert(&c->t, key, &at, ret) : 0;
}

static int add_sample(struct canon *c, const struct pgofs_weighed *w)
{
	uint8_t stack[20], *end = stack;
	uint32_t callee, caller, at;
	int r = add_location(c, w->edge->callee, 0, 1, &callee);
	if (r == 0)
		r = add_location(c, w->edge->caller, (int64_t)((uint64_t)w->edge->offset + (uint64_t)c->start_line), 0,
				 &caller);
	if (r < 0)
		return r;
	end = pgofs_varint_put(end, (uint64_t)callee + 1);
	end = pgofs_varint_put(end, (uint64_t)caller + 1);
	struct pgofs_stacked s = { .stack = stack, .stack_bytes = (uint32_t)(end - stack), .n_locations = 2 };
	r = pgofs_samples_insert(&c->t, (struct pgofs_hash){ c->t.samples.n, 0 }, &s, &at); /* no two are the same */
	if (r == 0)
		*pgofs_samples_values(&c->t, at) = w->weight;
	return r;
}

static int build(struct canon *c, const struct pgofs_edges *e, const struct pgofs_weighed *edge, size_t n)
{
	c->names = &e->names.strings;
	c->start_line = e->start_lines ? 1 : 0;
	int r = pgofs_tables_init(&c->t, 1, 0);
	if (r < 0)
		return r;
	c->function = malloc((e->names.strings.n + 1) * sizeof *c->function);
	r = c->function ? add_functions(c, edge, n) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_sample(c, &edge[i]);
	return r;
}

int pgofs_edges_encode(struct pgofs_edges *e, const struct pgofs_header *h, const struct pgofs_tables *names,
		       struct pgofs_buf *out, struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) struct pgofs_weighed *edge = NULL;
	struct canon c = { 0 };
	size_t n;
	uint32_t type;
	int r = pgofs_edges_sorted(e, h, names, &edge, &n, &type, err);
	if (r < 0)
		return r;
	if (n == 0)
		return pgofs_error_set(err, -ENODATA, "no calls: Go would build as if there were no profile");
	r = build(&c, e, edge, n);
	if (r == 0) {
		struct pgofs_header header = { .types = { .v = { h->types.v[type] }, .n = 1 },
					       .period_type = h->period_type };
		struct pgofs_output o = { .tables = &c.t, .names = names, .header = &header };
		r = pgofs_encode(&o, out, err);
	} else {
		pgofs_error_errno(err, r, "writing edges");
	}
	pgofs_tables_done(&c.t);
	free(c.function);
	return r;
}
