/* What profiles say besides their samples, and how a merge combines it: sample types and their units, times, period, comments,
 * patterns of frames to drop.
 *
 * `go tool pprof` reads 128 files at a time, combines those, and then combines the result with what it had
 * (internal/driver/fetch.go, chunkedGrab). For samples that makes no difference; for time_nanos and default_sample_type it can, so
 * a header keeps the chunk under way apart.
 *
 * A header is a value: joining makes a new one, and whoever owns it replaces the old one when the input is in. Its strings are
 * numbers in `names`, whose additions can be undone by a mark. */
#pragma once

#include "measure.h"
#include "profile.h"
#include "tables.h"

#define PGOFS_CHUNK 128u

struct pgofs_type {
	uint32_t type, unit;
};

struct pgofs_types {
	struct pgofs_type v[PGOFS_SAMPLE_TYPES_MAX];
	uint32_t n;
};

/* One profile's, or those of several combined (profile/merge.go, combineHeaders). */
struct pgofs_header_part {
	uint32_t n_inputs;
	struct pgofs_types first; /* of the first input */
	struct pgofs_types types; /* what is left of them */
	uint32_t first_default;   /* default_sample_type of the first input */
	uint32_t later_default;   /* of the first later one that has one, should the first stay as it is */
	uint32_t doc_url;
	int64_t time_ns, duration_ns, period;
};

struct pgofs_header {
	struct pgofs_header_part done, chunk; /* of the chunks before; of this one */
	struct pgofs_types types;             /* of the merge now, in their finest units */
	struct pgofs_type period_type;
	uint32_t drop_frames, keep_frames;
	size_t n_inputs;
};

/* What joining asks for: where the merge's values are among the input's, and what becomes of the values it has. */
struct pgofs_plan {
	uint32_t n;                              /* sample types of the merge from now on */
	uint32_t column[PGOFS_SAMPLE_TYPES_MAX]; /* the input's value for each */
	double ratio[PGOFS_SAMPLE_TYPES_MAX];    /* by which it is multiplied */
	bool plain;                              /* the input's values as they are */
	bool reshape;                            /* the merge's own values change: */
	uint32_t keep[PGOFS_SAMPLE_TYPES_MAX];   /* its old value for each */
	double rescale[PGOFS_SAMPLE_TYPES_MAX];  /* by which it is multiplied */
};

/* Joins the profile to *h. 0; or -EINVAL and words where it does not go with the others, -ENOMEM; then *h, though not `names`, is as
 * it was. */
int pgofs_header_join(struct pgofs_header *h, struct pgofs_tables *names, const struct pgofs_profile *p,
		      struct pgofs_plan *plan, struct pgofs_error *err);

/* What of a profile's header is its own where all of a merge say the same of types and of frames to drop. Strings are in `names`. */
struct pgofs_header_own {
	int64_t time_ns, duration_ns, period;
	uint32_t default_type, doc_url;
};
int pgofs_header_own(struct pgofs_tables *names, const struct pgofs_profile *p, struct pgofs_header_own *ret);

/* Joins a profile that says the same of all else as the one that *h began with, which is the same as joining it by pgofs_header_join. */
void pgofs_header_join_own(struct pgofs_header *h, const struct pgofs_tables *names, const struct pgofs_header_own *own);

/* Of all that was joined. */
struct pgofs_header_part pgofs_header_total(const struct pgofs_header *h);

/* The merge's default_sample_type. */
uint32_t pgofs_header_default(const struct pgofs_header_part *part);

/* Does a chunk end with this input? Then samples that cancelled out are dropped, as pprof does. */
static inline bool pgofs_header_chunk_full(const struct pgofs_header *h)
{
	return h->n_inputs && h->n_inputs % PGOFS_CHUNK == 0;
}

/* An input's values as the merge wants them, in place; false where pprof drops the sample (profile/profile.go, ScaleN: one of which every
 * converted value is 0). `value` has room for the input's and the merge's. */
bool pgofs_plan_apply(const struct pgofs_plan *plan, int64_t *value);

/* One value converted: half away from zero, as Go's math.Round. */
int64_t pgofs_value_scale(int64_t value, double ratio);
