/* Where the time of merges goes: sums over all merges, for those who watch.
 *
 * Threads: any; the counting is atomic. Times are wall time, added up over the threads that work side by side, so that the sum of
 * all stages may be more than the merges took. A NULL `s` counts nothing. */
#pragma once

#include <pgofs/units.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum pgofs_stage {
	PGOFS_STAGE_FETCH,   /* waiting for storage, or for what is kept near */
	PGOFS_STAGE_INFLATE, /* gzip to raw */
	PGOFS_STAGE_FOLD,    /* decode and merge: one pass, so one figure */
	PGOFS_STAGE_ENCODE,  /* the merge to raw */
	PGOFS_STAGE_DEFLATE, /* raw to gzip */
	PGOFS_N_STAGES,
};

struct pgofs_stages {
	atomic_uint_fast64_t ns[PGOFS_N_STAGES];
	atomic_uint_fast64_t fetched_bytes; /* as they are stored */
};

/* A stage that began at `began_ns` of the monotonic clock is over. Returns the present, where the next may begin. */
static inline int64_t pgofs_stages_end(struct pgofs_stages *s, enum pgofs_stage stage, int64_t began_ns)
{
	int64_t now_ns = pgofs_monotonic_ns();
	if (s)
		atomic_fetch_add_explicit(&s->ns[stage], (uint64_t)(now_ns - began_ns), memory_order_relaxed);
	return now_ns;
}
