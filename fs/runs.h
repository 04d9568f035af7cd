/* The inputs of a merge as runs of neighbours, cut so that adding or removing one input changes only the run it is in.
 *
 * Immutable once made. Pure; any thread. */
#pragma once

#include "selection.h"

struct pgofs_inputs_run {
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE]; /* of exactly its inputs: path, version, size; and of the salt */
	uint32_t first, n;
};

struct pgofs_inputs_runs {
	struct pgofs_inputs_run *v; /* owned; in the order of the inputs, which are all in them */
	size_t n;
};

/* Of `n` inputs, some hundred runs: of 2^bits inputs on average. */
unsigned pgofs_runs_bits(size_t n);

/* Of at least one input. `salt` goes into every fingerprint. -ENOMEM, -EFBIG. */
int pgofs_runs_cut(const struct pgofs_input *inputs, size_t n, unsigned bits, const void *salt, size_t salt_len,
		   struct pgofs_inputs_runs *ret);
void pgofs_runs_done(struct pgofs_inputs_runs *r);
