/* What the things in a decoded profile are known by: a hash of their content, equal for what google/pprof's Merge holds for the same
 * (profile/merge.go: the key() functions).
 *
 * A function of the profile alone, and most of the work of a merge: any thread may do it ahead of the merge's. Reading it reads every sample,
 * its stack and its labels, so a profile whose content was read has nothing wrong in it.
 *
 * A structure is reused from one profile to the next and keeps its arrays. Threads: the caller serialises. */
#pragma once

#include "hash.h"
#include "index.h"
#include "sample.h"
#include "tables.h"

/* A label set as it is in `label`: sorted, with its units spread (struct pgofs_label_set), its strings numbers of the profile. */
struct pgofs_content_set {
	struct pgofs_hash key;
	uint32_t first, n;
};

struct pgofs_content {
	struct pgofs_hash *string, *function, *mapping, *location; /* by number or place */
	struct pgofs_hash *sample;                                 /* with its labels */
	int64_t *value;                                            /* as many of each sample as there are types */
	uint32_t *labels;                                          /* of each sample: its set. 0: it has none */
	struct pgofs_content_set *set;
	struct pgofs_label *label;
	size_t string_cap, function_cap, mapping_cap, location_cap, sample_cap, value_cap, labels_cap, set_cap,
	    label_cap;
	size_t n_sets, n_labels;
	bool inlined_columns;       /* some line that is not its location's last has a column: no part of any key */
	struct pgofs_index spelled; /* sets, by their bytes in the profile: they repeat */
	struct pgofs_stack stack;   /* scratch */
};

void pgofs_content_done(struct pgofs_content *c);
size_t pgofs_content_memory_bytes(const struct pgofs_content *c);

/* -EINVAL and words: what is wrong with a sample. -EFBIG, -ENOMEM. */
int pgofs_content_read(struct pgofs_content *c, const struct pgofs_profile *p, struct pgofs_error *err);

/* The number of the sample's label set. */
int pgofs_content_labels(struct pgofs_content *c, const struct pgofs_profile *p, const struct pgofs_sample *s,
			 uint32_t *ret, struct pgofs_error *err);

/* A mapping is the same wherever it was loaded: its size in pages, its offset, and its build id, or its file where it has none. That is what
 * makes profiles of position-independent programs merge. `identity` is the hash of that id or file. */
struct pgofs_hash pgofs_content_mapping(const struct pgofs_raw_mapping *m, struct pgofs_hash identity);
