/* The same bytes as pgofs_merging_run makes of a .pgo, by way of parts: what is kept of the inputs is not fetched again.
 *
 * Threads: as merging.h. */
#pragma once

#include "merging.h"
#include "parts-kept.h"
#include "parts.h"

struct pgofs_merging_parts {
	const struct pgofs_merging *merging; /* of the selection's inputs, by their numbers */
	const struct pgofs_selection *selection;
	const struct pgofs_parts *parts; /* of the same */
	struct pgofs_parts_kept *kept;
	struct pgofs_rollups *rollups; /* nullable: none are used, none are made */
	int64_t now_ns;                /* since 1970: what is over by then may be stored */
	size_t n_used, n_made;         /* parts that were had, and made: filled in */
};

/* As pgofs_merging_run; and -EDOM where these inputs have no parts (pgofs_merge_encode_part): merge them at once. */
int pgofs_merging_parts_run(struct pgofs_merging_parts *x, struct pgofs_bytes **ret, struct pgofs_error *err);
