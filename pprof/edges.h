/* The call edges of a merge: all that Go's compiler reads of a profile.
 *
 * An edge is (caller, callee, line of the call from the caller's start); its weight is the sum of the samples whose two leaf
 * locations have it (cmd/internal/pgo/pprof.go; internal/profile/graph.go, NewGraph). Sums, so edges of a merge are the sums of its inputs'
 * edges, whatever the order: a fleet of any size is a few thousand edges.
 *
 * Threads: the caller serialises. */
#pragma once

#include "header.h"
#include "hot.h"
#include "prune.h"
#include "sample.h"
#include "tables.h"

#include <pgofs/buf.h>

struct pgofs_edge {
	int64_t offset;
	uint32_t caller, callee; /* strings of `names` */
	uint32_t hash;
};

/* A leaf location and the one that called it; what an input's samples with those two sum up to. */
struct pgofs_pair {
	uint32_t leaf, caller; /* places; PGOFS_NONE where the stack has but one location */
	uint32_t hash;
};

/* What a part of a pair adds to an edge, held ready. */
struct pgofs_edge_share {
	uint32_t edge, pair;
};

struct pgofs_node {
	uint64_t address;
	int64_t start_line, line;
	uint32_t name;
};

struct pgofs_edges {
	struct pgofs_seed seed;
	struct pgofs_tables names; /* only its strings and mappings */
	struct pgofs_edge *v;      /* owned, as all arrays here */
	size_t n, cap;
	struct pgofs_slots slots;
	int64_t *value; /* n * n_types */
	size_t value_cap, n_types;
	bool start_lines; /* any function Go looks at has one, edge or not: it asks no more */
	bool next_start_lines;
	bool by_address; /* an address alone told a caller from a callee in another mapping */

	/* Of the input under way. */
	size_t n_before;               /* edges before it */
	struct pgofs_tables_mark mark; /* names before it */
	struct pgofs_pair *pair;
	int64_t *pair_value;
	size_t n_pairs, pair_cap, pair_value_cap;
	struct pgofs_slots pair_slots;
	struct pgofs_edge_share *share;
	size_t n_shares, share_cap;
	uint32_t *function_name; /* by place; in `names`, or PGOFS_NONE */
	size_t function_name_cap;
	uint64_t *moved; /* by place of a mapping: what is added to its addresses */
	size_t moved_cap;
	struct pgofs_node *node;
	uint32_t *seen; /* edges of one pair, by hash */
	size_t node_cap, seen_cap;
	struct pgofs_stack stack;
	int64_t sample_value[2 * PGOFS_SAMPLE_TYPES_MAX];
};

int pgofs_edges_init(struct pgofs_edges *e);
void pgofs_edges_done(struct pgofs_edges *e);
size_t pgofs_edges_memory_bytes(const struct pgofs_edges *e);

/* Everything of one input but the commit. 0, or -errno and words with the edges as they were. `hot`, where not NULL, is shown each
 * sample; the caller began it. */
int pgofs_edges_fold(struct pgofs_edges *e, const struct pgofs_profile *p, const struct pgofs_plan *plan,
		     const struct pgofs_prune *prune, struct pgofs_hot *hot, struct pgofs_error *err);

/* Takes back what pgofs_edges_fold did, in place of a commit. */
void pgofs_edges_undo(struct pgofs_edges *e);

/* Adds one weight, of edges that have one value each. `key` without its hash; its names are in e->names. -ENOMEM. */
int pgofs_edges_add(struct pgofs_edges *e, struct pgofs_edge key, int64_t weight);

/* Adds the weights held ready; where the plan says so, to values reshaped. */
void pgofs_edges_commit(struct pgofs_edges *e, const struct pgofs_plan *plan);

/* The edges with a weight in the sample type that Go would choose, heaviest first, then by caller, callee, offset, as `go tool preprofile` sorts
 * them. *ret is for the caller to free. -EINVAL where no sample type is one Go takes. */
struct pgofs_weighed {
	const struct pgofs_edge *edge;
	int64_t weight;
};
int pgofs_edges_sorted(const struct pgofs_edges *e, const struct pgofs_header *h, const struct pgofs_tables *names,
		       struct pgofs_weighed **ret, size_t *ret_n, uint32_t *ret_type, struct pgofs_error *err);

/* Appends the canonical edge profile. `names` has the header's strings. -ENODATA where no edge has a weight: Go would take such a profile
 * without a word and do nothing. */
int pgofs_edges_encode(struct pgofs_edges *e, const struct pgofs_header *h, const struct pgofs_tables *names,
		       struct pgofs_buf *out, struct pgofs_error *err);

/* Which of the sample types Go takes the weights from: the first that is samples/count or cpu/nanoseconds; PGOFS_NONE. */
uint32_t pgofs_types_for_go(const struct pgofs_types *types, const struct pgofs_tables *names);
