/* Some inputs of a merge, through one gathering.
 *
 * For .pprof and .txt the thread that inflates decodes as well, and for .pprof hashes what it decoded: all that does not need the merge. For
 * .pgo the merge is the shorter half already. */
#include "ahead.h"
#include "gather.h"
#include "merging.h"
#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <unistd.h>

struct work {
	const struct pgofs_merging_some *some;
	struct pgofs_ahead ahead;
};

static void done(struct work *w)
{
	pgofs_ahead_done(&w->ahead);
}

static size_t number(const struct work *w, size_t k)
{
	return w->some->inputs ? w->some->inputs[k] : k;
}

static int fetch(void *context, size_t k, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	const struct work *w = context;
	const struct pgofs_merging *m = w->some->merging;
	int64_t began_ns = pgofs_monotonic_ns();
	int r = m->fetch(m->context, number(w, k), ret, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_FETCH, began_ns);
	if (r == 0 && m->stages)
		atomic_fetch_add_explicit(&m->stages->fetched_bytes, (*ret)->len, memory_order_relaxed);
	return r;
}

static uint64_t size_of(void *context, size_t k)
{
	const struct work *w = context;
	return w->some->merging->size_of(w->some->merging->context, number(w, k));
}

static size_t decode(void *context, size_t k, const void *raw, size_t len)
{
	return pgofs_ahead_decode(&((struct work *)context)->ahead, k, raw, len);
}

static int each(void *context, size_t k, const void *raw, size_t len, const char *why, struct pgofs_error *err)
{
	struct work *w = context;
	const struct pgofs_merging *m = w->some->merging;
	struct pgofs_gathered got = { raw, len, why, pgofs_ahead_of(&w->ahead, k) };
	int r = w->some->each(w->some->context, k, &got, err);
	pgofs_ahead_passed(&w->ahead, k);
	if (r == 0 && m->progress)
		m->progress(m->progress_context, m->n - w->some->n + k + 1, m->n);
	return r;
}

unsigned pgofs_merging_n_inflate(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 1 ? (unsigned)n : 1;
}

int pgofs_merging_gather(const struct pgofs_merging_some *some, struct pgofs_error *err)
{
	_cleanup_(done) struct work w = { .some = some };
	const struct pgofs_merging *m = some->merging;
	const struct pgofs_gather g = {
		.n = some->n,
		.context = &w,
		.fetch = fetch,
		.size_of = size_of,
		.prepare = m->view == PGOFS_VIEW_PGO ? NULL : decode,
		.each = each,
		.n_fetch = m->n_fetch,
		.n_inflate = pgofs_merging_n_inflate(),
		.raw_max_bytes = m->raw_max_bytes,
		.memory_bytes = m->memory_bytes,
		.patience = m->patience,
		.stages = m->stages,
	};
	if (!some->n)
		return 0;
	int r = pgofs_ahead_init(&w.ahead, m->view, &g);
	return r < 0 ? pgofs_error_errno(err, r, "merge") : pgofs_gather_run(&g, err);
}
