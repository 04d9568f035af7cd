/* The same bytes as pgofs_merging_run makes of a .pprof, by way of a standing merge: inputs that were in it the last time are not fetched again.
 *
 * Threads: as merging.h. */
#pragma once

#include "merging.h"
#include "standings.h"

struct pgofs_merging_standing {
	const struct pgofs_merging *merging; /* of the selection's inputs, by their numbers */
	const struct pgofs_selection *selection;
	struct pgofs_kept_standing *kept; /* taken; changed */
	const void *salt;                 /* goes into the fingerprints of runs */
	size_t salt_len;
	size_t max_bytes;      /* that may be kept */
	size_t n_used, n_made; /* runs that were had, and made: filled in */
};

/* As pgofs_merging_run; and -EDOM where these inputs do not stand (pgofs_run_add): merge them at once. Whatever it returns, what is kept is
 * good for the next time. */
int pgofs_merging_standing_run(struct pgofs_merging_standing *x, struct pgofs_bytes **ret, struct pgofs_error *err);
