/* Standing merges that are kept, each for one merged file whose inputs come and go: what the next reading of it needs besides the inputs that
 * are new.
 *
 * Who takes one has it alone until it is given back. Threads: any; one mutex, which is a leaf. */
#pragma once

#include "runs.h"

#include <pgofs/pprof.h>

#include <stdbool.h>

/* The inputs of one run, folded in. */
struct pgofs_kept_run {
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE];
	struct pgofs_run *run; /* owned */
};

struct pgofs_kept_standing {
	struct pgofs_standing *standing; /* owned; NULL: nothing is kept */
	struct pgofs_kept_run *runs;     /* owned; in the order of their inputs */
	size_t n_runs;
	size_t n_inputs; /* when it began; then runs were cut by so many bits (pgofs_runs_cut), and are since */
	unsigned bits;

	/* An input of this run does not stand: no merge that has the run can be made this way. */
	bool unfit;
	uint8_t unfit_fingerprint[PGOFS_FINGERPRINT_SIZE];

	size_t too_many; /* of so many inputs it had become too large; 0: it has not */

	/* The owner's. */
	char *name;
	struct pgofs_kept_standing *newer, *older; /* by use */
	bool taken;
	uint64_t bytes;
};

struct pgofs_standings;

/* NULL when memory is out. All that is kept has up to `max_bytes`; what was used least recently goes first. */
struct pgofs_standings *pgofs_standings_new(uint64_t max_bytes);
void pgofs_standings_free(struct pgofs_standings *x);

/* What is kept under a name, or an empty one. NULL where another has it, or memory is out. */
struct pgofs_kept_standing *pgofs_standings_take(struct pgofs_standings *x, const char *name);
void pgofs_standings_give(struct pgofs_standings *x, struct pgofs_kept_standing *k);

/* Forgets all that is in one. */
void pgofs_kept_standing_clear(struct pgofs_kept_standing *k);

uint64_t pgofs_standings_bytes(struct pgofs_standings *x);
