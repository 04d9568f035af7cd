/* Gathered inputs are folded in as they come; then the merge is encoded once.
 *
 * One broken input never fails a merge: it is left out, and its owner hears of it. What the merge holds is bounded as well as each
 * input is, so that a folder full of hostile profiles ends in words and not in the kernel's hands.
 *
 * For .pprof and .txt the thread that inflates decodes as well, and for .pprof hashes what it decoded: all that does not need the merge. For
 * .pgo the merge is the shorter half already.
 *
 * The .pprof is compressed at libdeflate's level 1: at level 6 it would be a tenth smaller and cost 90 ms more for the merge of a
 * thousand, on every read. The .pgo is small and goes where bytes are kept (build contexts, repositories): level 6. */
#include "merging.h"

#include "ahead.h"
#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <unistd.h>

struct run {
	const struct pgofs_merging *m;
	struct pgofs_merge *merge;
	struct pgofs_ahead ahead;
};

static void run_done(struct run *run)
{
	pgofs_ahead_done(&run->ahead);
	pgofs_merge_free(run->merge);
}

int pgofs_merging_fetch(const struct pgofs_merging *m, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	int64_t began_ns = pgofs_monotonic_ns();
	int r = m->fetch(m->context, i, ret, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_FETCH, began_ns);
	if (r == 0 && m->stages)
		atomic_fetch_add_explicit(&m->stages->fetched_bytes, (*ret)->len, memory_order_relaxed);
	return r;
}

static int fetch(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	return pgofs_merging_fetch(((struct run *)context)->m, i, ret, err);
}

static uint64_t size_of(void *context, size_t i)
{
	const struct pgofs_merging *m = ((struct run *)context)->m;
	return m->size_of(m->context, i);
}

static int skip(const struct pgofs_merging *m, struct pgofs_merge *merge, size_t i,
		const struct pgofs_merge_input *input, const char *why, struct pgofs_error *err)
{
	int r = pgofs_merge_skip(merge, input, why);
	if (r < 0)
		return pgofs_error_errno(err, r, "%s", input->path);
	return m->skipped(m->context, i, why, err);
}

int pgofs_merging_add(const struct pgofs_merging *m, struct pgofs_merge *merge, size_t i,
		      const struct pgofs_gathered *got, struct pgofs_error *err)
{
	struct pgofs_merge_input input = { 0 };
	struct pgofs_error broken = { "" };
	m->describe(m->context, i, &input);

	int64_t began_ns = pgofs_monotonic_ns();
	int r = got->why       ? -EINVAL
		: got->decoded ? pgofs_merge_add_decoded(merge, got->decoded, &input, &broken)
			       : pgofs_merge_add(merge, got->raw, got->len, &input, &broken);
	pgofs_stages_end(m->stages, PGOFS_STAGE_FOLD, began_ns);
	if (r == -ENOMEM)
		return pgofs_error_errno(err, r, "merge %s", input.path);
	if (r < 0)
		r = skip(m, merge, i, &input, got->why ? got->why : broken.text, err);
	if (r == 0 && pgofs_merge_memory_bytes(merge) > m->raw_max_bytes)
		r = pgofs_error_set(err, -EFBIG, "merge: with %s it holds more than the largest profile allowed",
				    input.path);
	return r;
}

static size_t decode(void *context, size_t i, const void *raw, size_t len)
{
	return pgofs_ahead_decode(&((struct run *)context)->ahead, i, raw, len);
}

static int each(void *context, size_t i, const void *raw, size_t len, const char *why, struct pgofs_error *err)
{
	struct run *run = context;
	const struct pgofs_merging *m = run->m;
	struct pgofs_gathered got = { raw, len, why, pgofs_ahead_of(&run->ahead, i) };
	int r = pgofs_merging_add(m, run->merge, i, &got, err);
	pgofs_ahead_passed(&run->ahead, i);
	if (r == 0 && m->progress)
		m->progress(m->progress_context, i + 1, m->n);
	return r;
}

unsigned pgofs_merging_n_inflate(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 1 ? (unsigned)n : 1;
}

int pgofs_merging_deflate(const struct pgofs_merging *m, struct pgofs_buf *raw, struct pgofs_bytes **ret,
			  struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf stored = PGOFS_BUF(m->raw_max_bytes);
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_pprof_deflate(raw->data, raw->len, m->view == PGOFS_VIEW_PGO ? 6 : 1, &stored, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_DEFLATE, began_ns);
	if (r < 0)
		return r;
	*ret = pgofs_bytes_consume_buf(&stored);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "merge");
}

int pgofs_merging_finish(const struct pgofs_merging *m, struct pgofs_merge *merge, struct pgofs_bytes **ret,
			 struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(m->raw_max_bytes);
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_merge_encode(merge, &raw, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_ENCODE, began_ns);
	if (r < 0)
		return r;
	if (m->view != PGOFS_VIEW_TXT)
		return pgofs_merging_deflate(m, &raw, ret, err);
	*ret = pgofs_bytes_consume_buf(&raw);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "merge");
}

int pgofs_merging_run(const struct pgofs_merging *m, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	_cleanup_(run_done) struct run run = { .m = m };
	int r = pgofs_merge_new(m->view, &run.merge, err);
	if (r < 0)
		return r;
	const struct pgofs_gather g = {
		.n = m->n,
		.context = &run,
		.fetch = fetch,
		.size_of = size_of,
		.prepare = m->view == PGOFS_VIEW_PGO ? NULL : decode,
		.each = each,
		.n_fetch = m->n_fetch,
		.n_inflate = pgofs_merging_n_inflate(),
		.raw_max_bytes = m->raw_max_bytes,
		.memory_bytes = m->memory_bytes,
		.stages = m->stages,
	};
	r = pgofs_ahead_init(&run.ahead, m->view, &g);
	if (r < 0)
		return pgofs_error_errno(err, r, "merge");
	r = pgofs_gather_run(&g, err);
	return r < 0 ? r : pgofs_merging_finish(m, run.merge, ret, err);
}
