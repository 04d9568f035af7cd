/* A part of a merge: an edge merge as bytes, to be added to others later.
 *
 * Weights of edges are sums, so parts add up, but only where no input's share depends on which others it was merged with. Where it could,
 * there is no part. What can depend on the others, and is watched here:
 *
 *   - what makes values comparable (sample types, their units, the period's type) and which frames are dropped: all inputs must say the
 *     same of it, also those that were refused because of it;
 *   - addresses, which count from where their mapping was first seen: they must not be what tells apart a caller in one mapping and
 *     a callee in another.
 *
 * Threads: as merge.h. */
#pragma once

#include "edges.h"

#include <pgofs/buf.h>

/* What the inputs of a merge have in common. */
struct pgofs_kind {
	struct pgofs_buf common; /* of the inputs in it: each string with its length before it. Empty before the first */
	struct pgofs_buf input;  /* of the one being added */
	bool mixed;              /* there is no part of this merge */
};

void pgofs_kind_init(struct pgofs_kind *k);
void pgofs_kind_done(struct pgofs_kind *k);

/* A decoded input is about to be added. -ENOMEM. */
int pgofs_kind_begin(struct pgofs_kind *k, const struct pgofs_profile *p);

/* It is in, or was refused with `result`. */
void pgofs_kind_added(struct pgofs_kind *k);
void pgofs_kind_refused(struct pgofs_kind *k, const struct pgofs_profile *p, int result);
