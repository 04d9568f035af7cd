/* From samples to call edges.
 *
 * Go's compiler looks at the two locations nearest the leaf, and at the lines inlined in them. Samples are first summed by that pair of
 * locations, so the work by name is done once for each pair and not for each sample. A pair is then walked as NewGraph walks a sample:
 * from the caller's outermost line to the leaf's innermost, an edge wherever one node follows another, each edge once, and none from a
 * node to itself. Nodes are the same when name, address, start line and line are: that is why a function that calls itself on one line
 * keeps its edge (two addresses), and why names alone would not do.
 *
 * What must stay true: weights are sums over samples, so that edges of merges add up; and work is bounded even where a profile pairs a
 * location of a million lines with a million others. */
#include "edges.h"

#include "array.h"
#include "content.h"

#include <string.h>

#define NODES_MAX ((size_t)1 << 26) /* of one input, all pairs together */
#define ALIKE_MAX 4096u             /* compared, of one pair; beyond it nodes count as alike */

int pgofs_edges_init(struct pgofs_edges *e)
{
	*e = (struct pgofs_edges){ .seed = pgofs_seed_new() };
	return pgofs_tables_init(&e->names, 1, 0);
}

void pgofs_edges_done(struct pgofs_edges *e)
{
	pgofs_tables_done(&e->names);
	free(e->v);
	pgofs_slots_done(&e->slots);
	free(e->value);
	free(e->pair);
	free(e->pair_value);
	pgofs_slots_done(&e->pair_slots);
	free(e->share);
	free(e->function_name);
	free(e->moved);
	free(e->node);
	free(e->seen);
	free(e->stack.place);
	*e = (struct pgofs_edges){ 0 };
}

size_t pgofs_edges_memory_bytes(const struct pgofs_edges *e)
{
	return pgofs_tables_memory_bytes(&e->names) + e->cap * sizeof *e->v + e->value_cap * sizeof *e->value +
	       pgofs_slots_bytes(&e->slots) + e->pair_cap * sizeof *e->pair + e->pair_value_cap * sizeof *e->value +
	       pgofs_slots_bytes(&e->pair_slots) + e->share_cap * sizeof *e->share;
}

/* Where the mapping was first seen to start. */
static int first_start(struct pgofs_edges *e, const struct pgofs_profile *p, const struct pgofs_raw_mapping *raw,
		       uint64_t *ret)
{
	size_t len;
	const uint8_t *identity = pgofs_profile_string(p, raw->build_id, &len);
	if (!len)
		identity = pgofs_profile_string(p, raw->file, &len);
	struct pgofs_hash key = pgofs_content_mapping(raw, pgofs_hash_bytes(identity, len));
	uint32_t number = pgofs_index_find(&e->names.mappings.index, key);
	int r = 0;
	if (number == PGOFS_NONE)
		r = pgofs_mappings_insert(&e->names, key, &(struct pgofs_mapping){ .start = raw->start }, &number);
	if (r == 0)
		*ret = e->names.mappings.v[number].start;
	return r;
}

/* As when whole profiles are merged, addresses count from where their mapping was first seen: they tell nodes apart. */
static int move_mappings(struct pgofs_edges *e, const struct pgofs_profile *p)
{
	int r = ARRAY_RESERVE(e->moved, e->moved_cap, p->n_mappings);
	for (size_t i = 0; r == 0 && i < p->n_mappings; i++) {
		uint64_t start;
		r = first_start(e, p, &p->mapping[i], &start);
		if (r == 0)
			e->moved[i] = start - p->mapping[i].start;
	}
	return r;
}

static int begin(struct pgofs_edges *e, const struct pgofs_profile *p, uint32_t n_types)
{
	if (ARRAY_RESERVE(e->function_name, e->function_name_cap, p->n_functions) < 0)
		return -ENOMEM;
	memset(e->function_name, 0xff, p->n_functions * sizeof *e->function_name);
	e->n_pairs = e->n_shares = 0;
	e->n_types = e->n ? e->n_types : n_types;
	pgofs_slots_clear(&e->pair_slots);
	return move_mappings(e, p);
}

static bool same_pair(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_pair *a = &((const struct pgofs_pair *)table)[number], *b = key;
	return a->leaf == b->leaf && a->caller == b->caller;
}

static int find_pair(struct pgofs_edges *e, struct pgofs_pair key, size_t n_types, uint32_t *ret)
{
	uint64_t hash = pgofs_hash_mix(e->seed, key.leaf, key.caller);
	key.hash = pgofs_hash_short(hash);
	*ret = pgofs_slots_find(&e->pair_slots, key.hash, same_pair, e->pair, &key);
	if (*ret != PGOFS_NONE)
		return 0;
	if (ARRAY_RESERVE(e->pair, e->pair_cap, e->n_pairs + 1) < 0 ||
	    ARRAY_RESERVE(e->pair_value, e->pair_value_cap, (e->n_pairs + 1) * n_types) < 0 ||
	    pgofs_slots_reserve(&e->pair_slots) < 0)
		return -ENOMEM;
	*ret = (uint32_t)e->n_pairs++;
	e->pair[*ret] = key;
	memset(e->pair_value + *ret * n_types, 0, n_types * sizeof *e->pair_value);
	pgofs_slots_insert(&e->pair_slots, key.hash, *ret);
	return 0;
}

static void add(int64_t *sum, const int64_t *value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] = (int64_t)((uint64_t)sum[i] + (uint64_t)value[i]);
}

static int note(struct pgofs_edges *e, const struct pgofs_stack *stack, const int64_t *value, size_t n_types)
{
	struct pgofs_pair key = { PGOFS_NONE, PGOFS_NONE, 0 };
	uint32_t pair;
	if (stack->n == 0)
		return 0;
	key.leaf = stack->place[0];
	if (stack->n > 1)
		key.caller = stack->place[1];
	int r = find_pair(e, key, n_types, &pair);
	if (r == 0)
		add(e->pair_value + pair * n_types, value, n_types);
	return r;
}

static bool same_edge(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_edge *a = &((const struct pgofs_edge *)table)[number], *b = key;
	return a->caller == b->caller && a->callee == b->callee && a->offset == b->offset;
}

static int find_edge(struct pgofs_edges *e, struct pgofs_edge key, size_t n_types, uint32_t *ret)
{
	uint64_t hash = pgofs_hash_mix(e->seed, (uint64_t)key.caller << 32 | key.callee, (uint64_t)key.offset);
	key.hash = pgofs_hash_short(hash);
	*ret = pgofs_slots_find(&e->slots, key.hash, same_edge, e->v, &key);
	if (*ret != PGOFS_NONE)
		return 0;
	if (ARRAY_RESERVE(e->v, e->cap, e->n + 1) < 0 ||
	    ARRAY_RESERVE(e->value, e->value_cap, (e->n + 1) * (e->n_types > n_types ? e->n_types : n_types)) < 0 ||
	    pgofs_slots_reserve(&e->slots) < 0)
		return -ENOMEM;
	*ret = (uint32_t)e->n++;
	e->v[*ret] = key;
	memset(e->value + *ret * e->n_types, 0, e->n_types * sizeof *e->value);
	pgofs_slots_insert(&e->slots, key.hash, *ret);
	return 0;
}

static int name_of(struct pgofs_edges *e, const struct pgofs_profile *p, uint64_t function, uint32_t *ret)
{
	uint32_t *known = &e->function_name[function];
	if (*known == PGOFS_NONE) {
		size_t len;
		const uint8_t *s = pgofs_profile_string(p, p->function[function].name, &len);
		int r = pgofs_string_add(&e->names, s, len, known);
		if (r < 0)
			return r;
	}
	*ret = *known;
	return 0;
}

/* A location's nodes, outermost first. Without lines it is one node that has but an address. */
static int push_nodes(struct pgofs_edges *e, const struct pgofs_profile *p, uint32_t place, uint32_t first, size_t *n)
{
	const struct pgofs_raw_location *l = &p->location[place];
	size_t lines = l->n_lines - first;
	if (ARRAY_RESERVE(e->node, e->node_cap, *n + lines + 1) < 0)
		return -ENOMEM;
	uint64_t address = l->address + (l->mapping == PGOFS_NONE ? 0 : e->moved[l->mapping]);
	if (!l->n_lines)
		e->node[(*n)++] = (struct pgofs_node){ .address = address };
	for (uint32_t k = l->n_lines; k-- > first;) {
		const struct pgofs_raw_line *line = &p->line[l->first_line + k];
		struct pgofs_node *node = &e->node[*n];
		*node = (struct pgofs_node){ .address = address,
					     .start_line = p->function[line->function].start_line,
					     .line = line->line };
		int r = name_of(e, p, line->function, &node->name);
		if (r < 0)
			return r;
		(*n)++;
	}
	return 0;
}

static bool same_node(const struct pgofs_node *a, const struct pgofs_node *b)
{
	return a->name == b->name && a->address == b->address && a->line == b->line && a->start_line == b->start_line;
}

static uint64_t mix_node(const struct pgofs_edges *e, uint64_t h, const struct pgofs_node *n)
{
	return pgofs_hash_mix(e->seed, h ^ n->address ^ (uint64_t)n->start_line << 20,
			      (uint64_t)n->line ^ (uint64_t)n->name << 32);
}

/* Has the pair had the edge that ends at node `at` before? Notes it. `seen` has room for twice the nodes, a power of two. */
static bool seen_before(struct pgofs_edges *e, uint32_t at, size_t seen_mask)
{
	const struct pgofs_node *n = e->node;
	size_t i = mix_node(e, mix_node(e, 0, &n[at - 1]), &n[at]) & seen_mask;
	for (; e->seen[i]; i = (i + 1) & seen_mask) {
		uint32_t other = e->seen[i];
		if (same_node(&n[other], &n[at]) && same_node(&n[other - 1], &n[at - 1]))
			return true;
	}
	e->seen[i] = at;
	return false;
}

static int share(struct pgofs_edges *e, uint32_t pair, uint32_t at, size_t n_types)
{
	const struct pgofs_node *from = &e->node[at - 1], *to = &e->node[at];
	struct pgofs_edge key = { .offset = (int64_t)((uint64_t)from->line - (uint64_t)from->start_line),
				  .caller = from->name,
				  .callee = to->name };
	struct pgofs_edge_share s = { .pair = pair };
	if (ARRAY_RESERVE(e->share, e->share_cap, e->n_shares + 1) < 0)
		return -ENOMEM;
	int r = find_edge(e, key, n_types, &s.edge);
	if (r == 0)
		e->share[e->n_shares++] = s;
	return r;
}

static int expand(struct pgofs_edges *e, uint32_t pair, size_t n_nodes, size_t n_types)
{
	size_t seen = 8;
	while (seen < 2 * n_nodes)
		seen *= 2;
	if (ARRAY_RESERVE(e->seen, e->seen_cap, seen) < 0)
		return -ENOMEM;
	memset(e->seen, 0, seen * sizeof *e->seen);
	int r = 0;
	for (uint32_t at = 0; at < n_nodes; at++)
		e->next_start_lines |= e->node[at].start_line != 0;
	for (uint32_t at = 1; r == 0 && at < n_nodes; at++) {
		if (!same_node(&e->node[at - 1], &e->node[at]) && !seen_before(e, at, seen - 1))
			r = share(e, pair, at, n_types);
	}
	return r;
}

/* Might an address be all that tells a node of the one location from a node of the other? `at` is where the second's nodes begin. */
static bool alike(const struct pgofs_edges *e, size_t at, size_t n)
{
	if (at * (n - at) > ALIKE_MAX)
		return true;
	for (size_t i = 0; i < at; i++) {
		for (size_t k = at; k < n; k++) {
			const struct pgofs_node *a = &e->node[i], *b = &e->node[k];
			if (a->name == b->name && a->line == b->line && a->start_line == b->start_line)
				return true;
		}
	}
	return false;
}

static int stage_pairs(struct pgofs_edges *e, const struct pgofs_profile *p, const struct pgofs_prune *prune,
		       size_t n_types)
{
	size_t all = 0;
	for (uint32_t i = 0; i < e->n_pairs; i++) {
		struct pgofs_pair pair = e->pair[i];
		size_t n = 0, n_caller;
		int r = 0;
		if (pair.caller != PGOFS_NONE)
			r = push_nodes(e, p, pair.caller, pgofs_prune_first_line(prune, pair.caller), &n);
		n_caller = n;
		if (r == 0)
			r = push_nodes(e, p, pair.leaf, pgofs_prune_first_line(prune, pair.leaf), &n);
		if (r == 0 && n_caller && p->location[pair.caller].mapping != p->location[pair.leaf].mapping)
			e->by_address |= alike(e, n_caller, n);
		all += n;
		if (r == 0 && all > NODES_MAX)
			r = -EFBIG;
		if (r == 0)
			r = expand(e, i, n, n_types);
		if (r < 0)
			return r;
	}
	return 0;
}

void pgofs_edges_undo(struct pgofs_edges *e)
{
	while (e->n > e->n_before) {
		e->n--;
		pgofs_slots_remove(&e->slots, e->v[e->n].hash, (uint32_t)e->n);
	}
	pgofs_tables_undo(&e->names, e->mark);
}

static int note_sample(struct pgofs_edges *e, const struct pgofs_profile *p, const struct pgofs_plan *plan,
		       const struct pgofs_prune *prune, struct pgofs_hot *hot)
{
	if (!plan->plain && !pgofs_plan_apply(plan, e->sample_value))
		return 0;
	pgofs_prune_stack(prune, &e->stack);
	int r = note(e, &e->stack, e->sample_value, plan->n);
	return r == 0 && hot ? pgofs_hot_sample(hot, p, prune, &e->stack, e->sample_value) : r;
}

static int note_samples(struct pgofs_edges *e, const struct pgofs_profile *p, const struct pgofs_plan *plan,
			const struct pgofs_prune *prune, struct pgofs_hot *hot, struct pgofs_error *err)
{
	bool whole = hot || prune->on;
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->n_samples; i++) {
		struct pgofs_sample s;
		r = pgofs_sample_parse(p, i, &s, e->sample_value, err);
		if (r == 0)
			r = (whole ? pgofs_sample_stack : pgofs_sample_leaves)(p, &s, &e->stack, err);
		if (r == 0 && s.labels.p)
			r = pgofs_sample_check_labels(p, &s, err);
		if (r == 0 && (r = note_sample(e, p, plan, prune, hot)) < 0)
			pgofs_error_errno(err, r, "adding up edges");
	}
	return r;
}

int pgofs_edges_fold(struct pgofs_edges *e, const struct pgofs_profile *p, const struct pgofs_plan *plan,
		     const struct pgofs_prune *prune, struct pgofs_hot *hot, struct pgofs_error *err)
{
	e->mark = pgofs_tables_mark(&e->names);
	e->n_before = e->n;
	int r = begin(e, p, plan->n);
	if (r < 0)
		pgofs_error_errno(err, r, "adding up edges");
	else
		r = note_samples(e, p, plan, prune, hot, err);
	e->next_start_lines = e->start_lines;
	if (r == 0 && (r = stage_pairs(e, p, prune, plan->n)) < 0)
		pgofs_error_errno(err, r, "adding up edges");
	if (r < 0)
		pgofs_edges_undo(e);
	return r;
}

/* Values in the columns that stay, in their new units. */
static void reshape(struct pgofs_edges *e, const struct pgofs_plan *plan)
{
	for (size_t i = 0; i < e->n; i++) {
		const int64_t *from = e->value + i * e->n_types;
		int64_t *to = e->value + i * plan->n, chosen[PGOFS_SAMPLE_TYPES_MAX];
		for (uint32_t k = 0; k < plan->n; k++) {
			chosen[k] = from[plan->keep[k]];
			if (plan->rescale[k] != 1)
				chosen[k] = pgofs_value_scale(chosen[k], plan->rescale[k]);
		}
		memcpy(to, chosen, plan->n * sizeof *to);
	}
	e->n_types = plan->n;
}

void pgofs_edges_commit(struct pgofs_edges *e, const struct pgofs_plan *plan)
{
	if (plan->reshape && e->n_before)
		reshape(e, plan);
	for (size_t i = 0; i < e->n_shares; i++) {
		const struct pgofs_edge_share *s = &e->share[i];
		add(e->value + s->edge * e->n_types, e->pair_value + s->pair * e->n_types, e->n_types);
	}
	e->start_lines = e->next_start_lines;
	e->n_shares = 0;
}

int pgofs_edges_add(struct pgofs_edges *e, struct pgofs_edge key, int64_t weight)
{
	uint32_t edge;
	if (!e->n)
		e->n_types = 1;
	int r = find_edge(e, key, 1, &edge);
	if (r == 0)
		add(e->value + edge, &weight, 1);
	return r;
}
