/* Gathered inputs are folded in as they come; then the merge is encoded once.
 *
 * One broken input never fails a merge: it is left out, and its owner hears of it. What the merge holds is bounded as well as each
 * input is, so that a folder full of hostile profiles ends in words and not in the kernel's hands.
 *
 * The .pprof is compressed at libdeflate's level 1: at level 6 it would be a tenth smaller and cost 90 ms more for the merge of a
 * thousand, on every read. The .pgo is small and goes where bytes are kept (build contexts, repositories): level 6. */
#include "merging.h"

#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>

struct run {
	const struct pgofs_merging *m;
	struct pgofs_merge *merge;
};

static void run_done(struct run *run)
{
	pgofs_merge_free(run->merge);
}

static int skip(const struct pgofs_merging *m, struct pgofs_merge *merge, size_t i,
		const struct pgofs_merge_input *input, const char *why, struct pgofs_error *err)
{
	int r = pgofs_merge_skip(merge, input, why);
	if (r < 0)
		return pgofs_error_errno(err, r, "%s", input->path);
	return m->skipped(m->context, i, why, err);
}

void pgofs_merging_explain(const struct pgofs_merging *m, const struct pgofs_gathered *got, struct pgofs_error *broken)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *alone = NULL;
	struct pgofs_error words = { "" };
	if (pgofs_merge_new(m->view, &alone, NULL) < 0)
		return;
	if (pgofs_merge_add(alone, got->raw, got->len, &(struct pgofs_merge_input){ .path = "" }, NULL) == -EINVAL &&
	    pgofs_pprof_check(got->raw, got->len, m->raw_max_bytes, NULL, &words) == -EINVAL)
		*broken = words;
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
	if (r < 0 && !got->why)
		pgofs_merging_explain(m, got, &broken);
	if (r < 0)
		r = skip(m, merge, i, &input, got->why ? got->why : broken.text, err);
	if (r == 0 && pgofs_merge_memory_bytes(merge) > m->raw_max_bytes)
		r = pgofs_error_set(err, -EFBIG, "merge: with %s it holds more than the largest profile allowed",
				    input.path);
	return r;
}

static int each(void *context, size_t i, const struct pgofs_gathered *got, struct pgofs_error *err)
{
	const struct run *run = context;
	return pgofs_merging_add(run->m, run->merge, i, got, err);
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
	const struct pgofs_merging_some all = { .merging = m, .n = m->n, .context = &run, .each = each };
	int r = pgofs_merge_new(m->view, &run.merge, err);
	if (r == 0)
		r = pgofs_merging_gather(&all, err);
	return r < 0 ? r : pgofs_merging_finish(m, run.merge, ret, err);
}
