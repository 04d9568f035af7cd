/* Folding one decoded profile into the tables of a merge. */
#pragma once

#include "content.h"
#include "header.h"
#include "tables.h"

#include <pgofs/buf.h>

struct pgofs_moved {
	uint64_t by;     /* added to an address */
	uint32_t number; /* in the merge's table, or PGOFS_NONE */
};

/* What is folded, and how. All borrowed. */
struct pgofs_folding {
	const struct pgofs_profile *profile;
	const struct pgofs_content *content; /* of the profile */
	const struct pgofs_plan *plan;
	struct pgofs_error *err;
	bool opens_chunk; /* of 128 inputs, but not the first one */
};

/* Where a mapping will be, should one be made in this chunk: google/pprof has it since the chunk's first input, which does not use it. */
struct pgofs_promise {
	bool on;
	struct pgofs_hash key;
	struct pgofs_mapping as; /* but its strings: */
	struct pgofs_buf file, build_id;
};

/* What one input needs while it is folded in. Reused from input to input; all arrays owned. */
struct pgofs_fold {
	struct pgofs_tables *t; /* borrowed for one input, as `of` */
	struct pgofs_folding of;

	uint32_t *string, *function,
	    *set;                    /* by number in the input: that in the merge; PGOFS_NONE: not looked up yet */
	struct pgofs_moved *mapping; /* likewise */
	struct pgofs_promise promise;
	uint64_t *code; /* by place of a location */
	size_t string_cap, function_cap, set_cap, mapping_cap, code_cap;

	struct pgofs_stack stack;
	struct pgofs_line *line;
	struct pgofs_label *label;
	uint8_t *bytes; /* of a stack */
	size_t line_cap, label_cap, bytes_cap;

	uint32_t *target; /* number in the merge of each sample; PGOFS_NONE: it does not count */
	int64_t *value;   /* their values, where they are not the input's as they are */
	size_t target_cap, value_cap;
};

void pgofs_fold_done(struct pgofs_fold *f);

/* Finds or inserts everything of the profile, and holds its values ready. 0, or -errno and words with the tables as they were. */
int pgofs_fold_stage(struct pgofs_fold *f, struct pgofs_tables *t, struct pgofs_folding of);

/* Adds the values held ready. */
void pgofs_fold_commit(struct pgofs_fold *f);

/* For folding without merging (verbatim.c): starts an input; the number in the merge of a string, of a label set; a mapping but for its
 * strings. */
int pgofs_fold_begin(struct pgofs_fold *f, struct pgofs_tables *t, struct pgofs_folding of);
int pgofs_fold_string(struct pgofs_fold *f, uint32_t number, uint32_t *ret);
int pgofs_fold_labels(struct pgofs_fold *f, uint32_t set, uint32_t *ret);
struct pgofs_mapping pgofs_fold_mapping(const struct pgofs_raw_mapping *raw);

/* Without merging: each sample, location, function and mapping of the profile becomes an entry of its own, in the
 * profile's order, used or not; stacks hold the profile's own ids. What pprof does with a single profile. `t` is fresh. */
int pgofs_fold_verbatim(struct pgofs_fold *f, struct pgofs_tables *t, struct pgofs_folding of);
