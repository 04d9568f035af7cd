/* Folding one decoded profile into the tables of a merge. */
#pragma once

#include "header.h"
#include "sample.h"
#include "tables.h"

/* A location as it stands in a stack of the merge: its id as a varint in the low four bytes, this bit, and above it the varint's length. 0:
 * not looked up, or not there yet. */
#define PGOFS_CODE_KNOWN (UINT64_C(1) << 32)
#define PGOFS_CODE_LEN   33

struct pgofs_moved {
	uint64_t by;     /* added to an address */
	uint32_t number; /* in the merge's table, or PGOFS_NONE */
};

/* A label set by the bytes it has in the input. */
struct pgofs_known_labels {
	const uint8_t *bytes;
	uint32_t len, set;
};

/* What one input needs while it is folded in. Reused from input to input; all arrays owned. */
struct pgofs_fold {
	struct pgofs_tables *t; /* borrowed for one input, as the next three */
	const struct pgofs_profile *p;
	const struct pgofs_plan *plan;
	struct pgofs_error *err;

	uint32_t *string, *function; /* by number in the input; PGOFS_NONE */
	struct pgofs_moved *mapping; /* likewise */
	uint64_t *code;              /* by place of a location */
	size_t string_cap, function_cap, mapping_cap, code_cap;

	struct pgofs_known_labels *known;
	size_t n_known, known_cap;
	struct pgofs_slots known_slots;

	struct pgofs_stack stack;
	struct pgofs_line *line;
	struct pgofs_label *label;
	size_t line_cap, label_cap;

	struct pgofs_stacked *waiting; /* samples hashed but not looked up; their stacks are in `bytes` */
	uint8_t *bytes;
	size_t n_waiting, bytes_cap, n_bytes;

	uint32_t *target; /* number in the merge of each sample that counts */
	int64_t *value;   /* its values */
	size_t n_targets, target_cap, value_cap;
};

void pgofs_fold_done(struct pgofs_fold *f);

/* Looks up or inserts everything of the profile, and holds its values ready. 0, or -errno and words with the tables as they were. */
int pgofs_fold_stage(struct pgofs_fold *f, struct pgofs_tables *t, const struct pgofs_profile *p,
		     const struct pgofs_plan *plan, struct pgofs_error *err);

/* Adds the values held ready. */
void pgofs_fold_commit(struct pgofs_fold *f);

/* For folding without merging (verbatim.c): starts an input; a string and a label set of it in the merge's numbers; a mapping
 * but for its strings. */
int pgofs_fold_begin(struct pgofs_fold *f, struct pgofs_tables *t, const struct pgofs_profile *p,
		     const struct pgofs_plan *plan, struct pgofs_error *err);
int pgofs_fold_string(struct pgofs_fold *f, uint32_t number, uint32_t *ret);
int pgofs_fold_labels(struct pgofs_fold *f, const struct pgofs_sample *s, uint32_t *ret_set);
struct pgofs_mapping pgofs_fold_mapping(const struct pgofs_raw_mapping *raw);

/* Without merging: each sample, location, function and mapping of the profile becomes an entry of its own, in the
 * profile's order, used or not; stacks hold the profile's own ids. What pprof does with a single profile. `t` is fresh. */
int pgofs_fold_verbatim(struct pgofs_fold *f, struct pgofs_tables *t, const struct pgofs_profile *p,
			const struct pgofs_plan *plan, struct pgofs_error *err);
