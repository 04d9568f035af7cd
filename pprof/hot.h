/* Which functions a merge's time is in: flat, where the sample was taken in it; cum, where it was anywhere on the stack. And the sums of
 * all samples, for the report.
 *
 * Threads: the caller serialises. */
#pragma once

#include "prune.h"
#include "sample.h"
#include "tables.h"

struct pgofs_hot_function {
	int64_t flat, cum;
};

/* The same for one input, by number of the name in its string table. */
struct pgofs_hot_name {
	int64_t flat, cum;
	uint64_t seen; /* the sample that counted it last, plus one */
};

struct pgofs_hot_totals {
	int64_t weight;     /* in the sample type Go would choose */
	int64_t cpu_ns;     /* of cpu/nanoseconds, 0 without */
	int64_t count;      /* of samples/count, 0 without */
	int64_t with_start; /* of `weight`: whose leaf function has a start line */
	uint64_t n_samples; /* with a weight */
};

/* Which of the merge's values mean what; PGOFS_NONE where there is none. */
struct pgofs_hot_columns {
	uint32_t weight, cpu, count;
};

struct pgofs_hot {
	struct pgofs_tables names;    /* only its strings */
	struct pgofs_hot_function *v; /* owned; by string */
	size_t n, cap;
	struct pgofs_hot_totals totals;

	/* Of the input under way. */
	struct pgofs_hot_name *name; /* owned; by string of the input */
	size_t name_cap;
	uint32_t *mine; /* owned; its strings in `names` */
	size_t mine_cap;
	uint32_t *one; /* owned; by place of a location: the name of its only line, or PGOFS_NONE */
	size_t one_cap;
	struct pgofs_hot_totals next;
	struct pgofs_hot_columns column;
	size_t n_lines;
};

int pgofs_hot_init(struct pgofs_hot *h);
void pgofs_hot_done(struct pgofs_hot *h);
size_t pgofs_hot_memory_bytes(const struct pgofs_hot *h);

/* Starts an input. -ENOMEM. */
int pgofs_hot_begin(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_prune *prune,
		    struct pgofs_hot_columns column);

/* Counts one sample; `prune` is the one it began with. -EFBIG where stacks and inlined lines multiply beyond reason. */
int pgofs_hot_sample(struct pgofs_hot *h, const struct pgofs_profile *p, const struct pgofs_prune *prune,
		     const struct pgofs_stack *stack, const int64_t *value);

/* Makes room for the input's names; then commit cannot fail. -ENOMEM. */
int pgofs_hot_stage(struct pgofs_hot *h, const struct pgofs_profile *p);
void pgofs_hot_commit(struct pgofs_hot *h, const struct pgofs_profile *p);
