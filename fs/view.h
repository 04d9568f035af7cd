/* The bytes of merged files: made once for all who wait, kept while there is room.
 *
 * A snapshot belongs to a set of inputs and a view, not to a name: last-24h and yesterday's date share one where their
 * inputs are the same.
 *
 * Threads: pgofs_views_* may be called from any thread. One mutex, not held while a merge is made. */
#pragma once

#include "selection.h"
#include "stages.h"
#include "tree.h"

struct pgofs_views;

struct pgofs_views_config {
	struct pgofs_backend *backend; /* borrowed */
	struct pgofs_rollups *rollups; /* borrowed; NULL: none */
	int64_t (*now_ns)(void);       /* since 1970 */
	size_t stored_max_bytes, raw_max_bytes;
	uint64_t memory_bytes;    /* snapshots kept; least recently used go first */
	uint64_t parts_bytes;     /* parts kept, of which a .pgo is made when little has changed: parts.h */
	uint64_t standings_bytes; /* standing merges kept, for .pprof: standings.h. 0: none, for who reads once */
	size_t gather_bytes;      /* inputs held ahead, of one merge */
	unsigned n_fetch;
	void (*progress)(void *context, size_t n_done, size_t n); /* nullable */
	void *progress_context;
};

int pgofs_views_new(const struct pgofs_views_config *config, struct pgofs_views **ret, struct pgofs_error *err);
void pgofs_views_free(struct pgofs_views *v);
PGOFS_DEFINE_FREEP(struct pgofs_views, pgofs_views_free)

struct pgofs_views_wanted {
	const struct pgofs_selection *selection; /* not empty */
	enum pgofs_view view;
	bool without_gone; /* leave out what was removed or replaced since it was selected */
	const struct pgofs_patience *patience;
	const char *standing; /* the path that it is read at, where inputs will come and go under it; else NULL */
};

/* The snapshot of a selection. -ENOENT no input was usable (words name one; the report is made all the same); -EFBIG it would be too
 * large, both kept like a snapshot; -ESTALE an input was removed or replaced since: select again; and when patience has
 * come to an end, this one's or that of who made it for all. */
int pgofs_views_get(struct pgofs_views *v, const struct pgofs_views_wanted *wanted, struct pgofs_snapshot **ret,
		    struct pgofs_error *err);

/* Is it known already that no input is usable? Makes nothing. */
bool pgofs_views_known_unusable(struct pgofs_views *v, const struct pgofs_selection *s, enum pgofs_view view);

struct pgofs_views_stats {
	uint64_t n_made, n_kept_hits, n_joined, n_inputs, n_skipped;
	uint64_t fetched_bytes;
	uint64_t made_ns;                  /* wall time spent in making */
	uint64_t stage_ns[PGOFS_N_STAGES]; /* of that, and of threads that help: stages.h */
	uint64_t n_kept, memory_bytes;
	uint64_t n_parts_made, n_parts_used, parts_bytes;
	uint64_t n_runs_made, n_runs_used, standings_bytes;
};
void pgofs_views_stats(struct pgofs_views *v, struct pgofs_views_stats *ret);
