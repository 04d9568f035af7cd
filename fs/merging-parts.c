/* From the top down: a part that is at hand is used, any other is made of its children, or of its inputs. All inputs that are missing come through one
 * gathering, in the order of the parts, so that fetching is as parallel as it is without parts; whenever the last of a part has come, that
 * part is closed: encoded, kept, and added to the part it belongs to. At any time there is at most one merge under way for each level.
 *
 * What must stay true: the bytes are those of a merge of all inputs at once. The engine answers for that, and where it cannot (-EDOM) so
 * do we; that is kept too, or a window of mixed profiles would be tried in vain at every read. */
#include "merging-parts.h"

#include "gather.h"
#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <stdlib.h>

/* What becomes of a part. */
struct plan {
	struct pgofs_bytes *bytes; /* at hand; one reference, until it is used */
	struct pgofs_merge *merge; /* under way */
	bool needed;
};

/* An input that is to be fetched, and the leaf it is for. */
struct missing {
	uint32_t input, part;
};

struct work {
	struct pgofs_merging_parts *x;
	struct plan *plan; /* by part */
	struct missing *missing;
	size_t n_missing, n_settled; /* parts before that number are done */
	struct pgofs_merge *whole;   /* the last part's */
};

static void done(struct work *w)
{
	for (size_t i = 0; w->plan && i < w->x->parts->n; i++) {
		pgofs_bytes_unref(w->plan[i].bytes);
		pgofs_merge_free(w->plan[i].merge);
	}
	pgofs_merge_free(w->whole);
	free(w->plan);
	free(w->missing);
}

/* ---- what is there, and what is missing ---- */

static int look(struct work *w)
{
	const struct pgofs_parts *p = w->x->parts;
	for (size_t i = p->n; i-- > 0;) {
		struct plan *plan = &w->plan[i];
		uint32_t parent = p->v[i].parent;
		plan->needed = parent == PGOFS_PART_NONE || (w->plan[parent].needed && !w->plan[parent].bytes);
		if (plan->needed && pgofs_parts_kept_find(w->x->kept, p->v[i].fingerprint, &plan->bytes) == -EDOM)
			return -EDOM;
	}
	return 0;
}

static int list_missing(struct work *w)
{
	const struct pgofs_parts *p = w->x->parts;
	w->missing = calloc(p->v[p->n - 1].n, sizeof *w->missing);
	if (!w->missing)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n; i++) {
		const struct pgofs_part *part = &p->v[i];
		if (!w->plan[i].needed || w->plan[i].bytes || !part->is_leaf)
			continue;
		for (uint32_t k = part->first; k < part->first + part->n; k++)
			w->missing[w->n_missing++] = (struct missing){ p->order[k], i };
	}
	return 0;
}

/* ---- making ---- */

static int merge_of(struct work *w, size_t part, struct pgofs_merge **ret, struct pgofs_error *err)
{
	struct pgofs_merge **merge = &w->plan[part].merge;
	int r = *merge ? 0 : pgofs_merge_new(PGOFS_VIEW_PGO, merge, err);
	*ret = *merge;
	return r;
}

static int add_to_parent(struct work *w, size_t i, struct pgofs_error *err)
{
	const struct pgofs_part *part = &w->x->parts->v[i];
	const struct pgofs_merging *m = w->x->merging;
	struct pgofs_merge *merge;
	int64_t began_ns = pgofs_monotonic_ns();
	int r = merge_of(w, part->parent, &merge, err);
	if (r == 0)
		r = pgofs_merge_add_part(merge, w->plan[i].bytes->data, w->plan[i].bytes->len, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_FOLD, began_ns);
	if (r == -EDOM)
		pgofs_parts_kept_keep(w->x->kept, w->x->parts->v[part->parent].fingerprint, NULL);
	if (r == 0 && pgofs_merge_memory_bytes(merge) > m->raw_max_bytes)
		r = pgofs_error_set(err, -EFBIG, "merge: it holds more than the largest profile allowed");
	pgofs_bytes_unref(STEAL(w->plan[i].bytes));
	return r;
}

static int encode(struct work *w, size_t i, struct pgofs_error *err)
{
	const struct pgofs_merging *m = w->x->merging;
	const uint8_t *fingerprint = w->x->parts->v[i].fingerprint;
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(m->raw_max_bytes);
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_merge_encode_part(w->plan[i].merge, &b, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_ENCODE, began_ns);
	if (r == -EDOM)
		pgofs_parts_kept_keep(w->x->kept, fingerprint, NULL);
	if (r < 0)
		return r;
	w->plan[i].bytes = pgofs_bytes_consume_buf(&b);
	if (!w->plan[i].bytes)
		return pgofs_error_errno(err, -ENOMEM, "merge");
	pgofs_parts_kept_keep(w->x->kept, fingerprint, w->plan[i].bytes);
	return 0;
}

/* A part all of whose inputs have come. The last one stays, for the file that is made of it. */
static int settle(struct work *w, size_t i, struct pgofs_error *err)
{
	const struct pgofs_part *part = &w->x->parts->v[i];
	struct plan *plan = &w->plan[i];
	int r = 0;
	if (!plan->needed)
		return 0;
	w->x->n_used += plan->bytes != NULL;
	w->x->n_made += plan->bytes == NULL;
	if (!plan->bytes)
		r = encode(w, i, err);
	if (r == 0 && part->parent != PGOFS_PART_NONE)
		r = add_to_parent(w, i, err);
	if (r == 0 && part->parent == PGOFS_PART_NONE)
		return 0;
	pgofs_merge_free(STEAL(plan->merge));
	return r;
}

static int settle_before(struct work *w, size_t part, struct pgofs_error *err)
{
	int r = 0;
	while (r == 0 && w->n_settled < part)
		r = settle(w, w->n_settled++, err);
	return r;
}

static int fetch(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	const struct work *w = context;
	return pgofs_merging_fetch(w->x->merging, w->missing[i].input, ret, err);
}

static uint64_t size_of(void *context, size_t i)
{
	const struct work *w = context;
	return w->x->merging->size_of(w->x->merging->context, w->missing[i].input);
}

static int each(void *context, size_t i, const void *raw, size_t len, const char *why, struct pgofs_error *err)
{
	struct work *w = context;
	const struct pgofs_merging *m = w->x->merging;
	struct pgofs_merge *merge;
	int r = settle_before(w, w->missing[i].part, err);
	if (r == 0)
		r = merge_of(w, w->missing[i].part, &merge, err);
	if (r == 0)
		r = pgofs_merging_add(m, merge, w->missing[i].input, &(struct pgofs_gathered){ raw, len, why }, err);
	if (r == 0 && m->progress)
		m->progress(m->progress_context, m->n - w->n_missing + i + 1, m->n);
	return r;
}

static int gather(struct work *w, struct pgofs_error *err)
{
	const struct pgofs_merging *m = w->x->merging;
	const struct pgofs_gather g = {
		.n = w->n_missing,
		.context = w,
		.fetch = fetch,
		.size_of = size_of,
		.each = each,
		.n_fetch = m->n_fetch,
		.n_inflate = pgofs_merging_n_inflate(),
		.raw_max_bytes = m->raw_max_bytes,
		.memory_bytes = m->memory_bytes,
		.stages = m->stages,
	};
	int r = w->n_missing ? pgofs_gather_run(&g, err) : 0;
	return r < 0 ? r : settle_before(w, w->x->parts->n, err);
}

/* The last part is all of them. */
static int finish(struct work *w, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	const struct plan *last = &w->plan[w->x->parts->n - 1];
	struct pgofs_merge *merge = last->merge;
	int r = 0;
	if (!merge) {
		r = pgofs_merge_new(PGOFS_VIEW_PGO, &w->whole, err);
		merge = w->whole;
		if (r == 0)
			r = pgofs_merge_add_part(merge, last->bytes->data, last->bytes->len, err);
	}
	return r < 0 ? r : pgofs_merging_finish(w->x->merging, merge, ret, err);
}

int pgofs_merging_parts_run(struct pgofs_merging_parts *x, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	_cleanup_(done) struct work w = { .x = x, .plan = calloc(x->parts->n, sizeof *w.plan) };
	int r = w.plan ? look(&w) : -ENOMEM;
	if (r == 0)
		r = list_missing(&w);
	if (r < 0)
		return pgofs_error_errno(err, r, "merge");
	r = gather(&w, err);
	return r < 0 ? r : finish(&w, ret, err);
}
