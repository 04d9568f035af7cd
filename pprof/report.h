/* The .txt view: what a person asks before trusting a merged profile. */
#pragma once

#include "edges.h"
#include "hot.h"

#include <pgofs/pprof.h>

/* Inputs by something they have in common: their source, their build id, why they were left out. */
struct pgofs_tally {
	uint32_t name; /* in the report's strings */
	uint32_t n;
};

struct pgofs_tallies {
	struct pgofs_tally *v; /* owned; in order of first appearance */
	size_t n, cap;
	uint32_t *at; /* owned; by string: place in `v`, or PGOFS_NONE */
	size_t at_cap, at_n;
};

struct pgofs_skipped {
	uint32_t path, why;
};

struct pgofs_report {
	struct pgofs_tables names; /* only its strings */
	struct pgofs_hot hot;
	struct pgofs_tallies sources, build_ids;
	struct pgofs_skipped *skipped; /* owned; the first few */
	size_t n_skipped_kept, skipped_cap, n_skipped;
	int64_t first_ns, last_ns; /* when inputs were taken; first > last before there is one */
	uint64_t stored_bytes;
};

int pgofs_report_init(struct pgofs_report *r);
void pgofs_report_done(struct pgofs_report *r);
size_t pgofs_report_memory_bytes(const struct pgofs_report *r);

/* Notes an input that was folded in. `input` may be NULL. -ENOMEM. */
int pgofs_report_input(struct pgofs_report *r, const struct pgofs_profile *p, const struct pgofs_merge_input *input);

/* Notes one that was not. -ENOMEM. */
int pgofs_report_skip(struct pgofs_report *r, const struct pgofs_merge_input *input, const char *why);

/* Appends the text. `names` has the header's strings. */
int pgofs_report_encode(const struct pgofs_report *r, const struct pgofs_edges *e, const struct pgofs_header *h,
			const struct pgofs_tables *names, struct pgofs_buf *out, struct pgofs_error *err);
