/* A standing merge, as the files of this room see it. */
#pragma once

#include "decoded.h"
#include "fold.h"
#include "part.h"

#include <pgofs/pprof.h>

/* As many as there are bits, but one. */
#define PGOFS_STANDING_MAPPINGS 63

/* Beside a sample's key, before its values. Those are what sums it now has, if it is in the adding up that is under way. */
struct pgofs_standing_sample {
	uint64_t mappings; /* bits: those its locations are in; the last, any beyond */
	uint64_t round;    /* the adding up that had it last */
};

/* What of a mapping is not its key, as it was first seen. */
struct pgofs_seen_mapping {
	uint32_t number;
	struct pgofs_mapping as;
};

/* Samples in the order of their first appearance, each with the sum of its values. Nearly always each type's is a fixed number of times the
 * first's, as nanoseconds are of samples: then only the first is kept. */
struct pgofs_sums {
	uint32_t *sample; /* owned; n */
	uint32_t *first;  /* owned; n; NULL where they are in `value` */
	int64_t *times;   /* owned; by type */
	int64_t *value;   /* owned; n * n_types; or NULL */
	size_t n, n_types;
};

struct pgofs_run {
	struct pgofs_standing *open_in; /* it is being added to: then its sums are there */
	struct pgofs_sums sums;
	struct pgofs_seen_mapping first;    /* that of the first input, used or not */
	struct pgofs_seen_mapping *mapping; /* owned; in the order in which samples reached them */
	size_t n_mappings, mapping_cap;
	uint64_t mappings;               /* bits of those */
	bool first_unused;               /* an input's first mapping is in no sample of that input */
	struct pgofs_header_own *header; /* owned; of each input */
	uint32_t *n_comments;            /* owned; of each input */
	uint32_t *comment;               /* owned; of all, one after the other; in `names` */
	size_t n, header_cap, n_comments_cap, n_comment, comment_cap;
};

struct pgofs_standing {
	struct pgofs_tables tables;
	struct pgofs_tables names;
	struct pgofs_kind kind;
	struct pgofs_header header; /* of the first input: what all have in common */
	struct pgofs_plan plan;     /* of all: the values as they are */
	struct pgofs_fold fold;
	struct pgofs_decoded own;
	struct pgofs_run *open; /* whose sums are being added up; or NULL */
	bool begun;

	/* The adding up that is under way. */
	uint64_t round;
	uint32_t *sample; /* owned; those it has, in the order of their first appearance */
	size_t n, sample_cap;
};

/* ---- adding up: standing-sums.c ---- */

void pgofs_sums_done(struct pgofs_sums *s);
size_t pgofs_sums_bytes(const struct pgofs_sums *s);

/* Starts with nothing. Room for so many more samples: -EFBIG, -ENOMEM. */
void pgofs_round_begin(struct pgofs_standing *s);
int pgofs_round_room(struct pgofs_standing *s, size_t more);

/* Adds a sample's values; room is there. Below 0 where a sum has overflowed. */
int64_t pgofs_round_add(struct pgofs_standing *s, uint32_t sample, const int64_t *value);

/* Adds all of a run. -EDOM where a sum overflows, -EFBIG, -ENOMEM. */
int pgofs_round_add_run(struct pgofs_standing *s, const struct pgofs_sums *sums);

/* The run that is open is closed: its sums are in it. -ENOMEM, and it is open still. */
int pgofs_standing_close(struct pgofs_standing *s);

/* Notes beside the samples from number `first` on what is to be known of them. */
void pgofs_standing_describe(struct pgofs_standing *s, size_t first);
