/* From the top down: a part that is at hand is used, any other is made of its children, or of its inputs. All inputs that are missing come
 * through one gathering, in the order of the parts, so that fetching is as parallel as it is without parts; whenever the last of a part
 * has come, that part is closed: encoded, kept, and added to the part it belongs to. At any time there is at most one merge under way for
 * each level.
 *
 * An hour or a day that is over and that was made here is stored on the way, a few at a time, for whoever begins with nothing. That a
 * storage takes none of it is nobody's failure.
 *
 * What must stay true: the bytes are those of a merge of all inputs at once. The engine answers for that, and where it cannot (-EDOM) so
 * do we; that is kept too, or a window of mixed profiles would be tried in vain at every read. */
#include "merging-parts.h"

#include "parallel.h"
#include "parts-plan.h"
#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <stdlib.h>

struct work {
	struct pgofs_merging_parts *x;
	struct pgofs_parts_plan plan;
	struct pgofs_merge **merge;          /* by part: under way */
	uint32_t *missing;                   /* inputs that are to be fetched */
	uint32_t *leaf;                      /* which each of them is for */
	size_t n_missing, n_settled;         /* parts before that number are done */
	struct pgofs_rollup_minutes minutes; /* of the hour under way */
	struct pgofs_rollups_queue queue;
};

static void done(struct work *w)
{
	for (size_t i = 0; w->merge && i < w->x->parts->n; i++)
		pgofs_merge_free(w->merge[i]);
	free(w->merge);
	free(w->missing);
	free(w->leaf);
	pgofs_rollup_minutes_done(&w->minutes);
	pgofs_rollups_queue_done(&w->queue);
	pgofs_parts_plan_done(&w->plan);
}

static int list_missing(struct work *w)
{
	const struct pgofs_parts *p = w->x->parts;
	size_t n = p->v[p->n - 1].n;
	w->missing = calloc(n, sizeof *w->missing);
	w->leaf = calloc(n, sizeof *w->leaf);
	if (!w->missing || !w->leaf)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n; i++) {
		const struct pgofs_part *part = &p->v[i];
		if (!w->plan.v[i].needed || w->plan.v[i].bytes || !part->is_leaf)
			continue;
		for (uint32_t k = part->first; k < part->first + part->n; k++) {
			w->missing[w->n_missing] = p->order[k];
			w->leaf[w->n_missing++] = i;
		}
	}
	return 0;
}

/* ---- storing ---- */

static void store_one(struct work *w, size_t i, bool day)
{
	struct pgofs_rollup which;
	bool with_minutes = !day && w->x->parts->v[i].n >= PGOFS_PARTS_MINUTES_MIN;
	if (pgofs_parts_plan_rollup(&w->plan, i, day, &which))
		pgofs_rollups_put(&w->queue, &which, w->plan.v[i].bytes, with_minutes ? &w->minutes : NULL);
}

/* A part whose bytes are here, and will be gone. */
static void store(struct work *w, size_t i)
{
	const struct pgofs_parts_entry *e = &w->plan.v[i];
	if (!e->bytes || !w->queue.rollups)
		return;
	if (pgofs_parts_plan_hour_of(&w->plan, i) != PGOFS_PART_NONE)
		pgofs_rollup_minutes_add(&w->minutes, pgofs_parts_plan_minute(&w->plan, i), e->bytes);
	if (e->store_hour) {
		store_one(w, i, false);
		pgofs_rollup_minutes_done(&w->minutes);
	}
	if (e->store_day)
		store_one(w, i, true);
}

struct sweep {
	const struct work *w;
	uint32_t *parts; /* of each directory one that was stored */
	size_t n;
};

static int sweep_one(void *context, size_t i, struct pgofs_error *unused)
{
	const struct sweep *s = context;
	struct pgofs_rollups_of_day day;
	pgofs_parts_plan_day(&s->w->plan, s->parts[i], &day);
	return pgofs_rollups_sweep(s->w->x->rollups, &day);
}

/* All is stored that was to be, or the storage wants none of it. Then others of the same days have had their time. */
static void sweep(struct work *w)
{
	const struct pgofs_parts *p = w->x->parts;
	_cleanup_(pgofs_freep) uint32_t *parts = calloc(p->n, sizeof *parts);
	struct sweep s = { .w = w, .parts = parts };
	const char *last = NULL;
	pgofs_rollups_flush(&w->queue);
	if (!parts || !pgofs_rollups_may_store(w->x->rollups))
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		const char *dir = p->inputs[p->order[p->v[i].first]].dir;
		if (!w->plan.v[i].store_hour && !w->plan.v[i].store_day)
			continue;
		pgofs_parts_kept_set_stored(w->x->kept, p->v[i].fingerprint);
		if (dir != last)
			parts[s.n++] = i;
		last = dir;
	}
	const struct pgofs_merging *m = w->x->merging;
	pgofs_parallel(s.n, m->n_fetch, m->patience, sweep_one, &s, NULL);
}

/* ---- making ---- */

static int merge_of(struct work *w, size_t part, struct pgofs_merge **ret, struct pgofs_error *err)
{
	struct pgofs_merge **merge = &w->merge[part];
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
		r = pgofs_merge_add_part(merge, w->plan.v[i].bytes->data, w->plan.v[i].bytes->len, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_FOLD, began_ns);
	if (r == -EDOM)
		pgofs_parts_kept_keep(w->x->kept, w->x->parts->v[part->parent].fingerprint, NULL);
	if (r == 0 && pgofs_merge_memory_bytes(merge) > m->raw_max_bytes)
		r = pgofs_error_set(err, -EFBIG, "merge: it holds more than the largest profile allowed");
	return r;
}

static int encode(struct work *w, size_t i, struct pgofs_error *err)
{
	const struct pgofs_merging *m = w->x->merging;
	const uint8_t *fingerprint = w->x->parts->v[i].fingerprint;
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(m->raw_max_bytes);
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_merge_encode_part(w->merge[i], &b, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_ENCODE, began_ns);
	if (r == -EDOM)
		pgofs_parts_kept_keep(w->x->kept, fingerprint, NULL);
	if (r < 0)
		return r;
	w->plan.v[i].bytes = pgofs_bytes_consume_buf(&b);
	if (!w->plan.v[i].bytes)
		return pgofs_error_errno(err, -ENOMEM, "merge");
	pgofs_parts_kept_keep(w->x->kept, fingerprint, w->plan.v[i].bytes);
	return 0;
}

/* A part all of whose inputs have come. The last one stays, for the file that is made of it. */
static int settle(struct work *w, size_t i, struct pgofs_error *err)
{
	uint32_t parent = w->x->parts->v[i].parent;
	struct pgofs_parts_entry *e = &w->plan.v[i];
	int r = 0;
	if (e->needed) {
		w->x->n_used += e->bytes != NULL;
		w->x->n_made += e->bytes == NULL;
	}
	if (e->needed && !e->bytes)
		r = encode(w, i, err);
	if (r < 0)
		return r;
	store(w, i);
	if (parent == PGOFS_PART_NONE)
		return 0;
	if (e->needed && w->plan.v[parent].needed && !w->plan.v[parent].bytes)
		r = add_to_parent(w, i, err);
	pgofs_bytes_unref(STEAL(e->bytes));
	pgofs_merge_free(STEAL(w->merge[i]));
	return r;
}

static int settle_before(struct work *w, size_t part, struct pgofs_error *err)
{
	int r = 0;
	while (r == 0 && w->n_settled < part)
		r = settle(w, w->n_settled++, err);
	return r;
}

static int each(void *context, size_t i, const struct pgofs_gathered *got, struct pgofs_error *err)
{
	struct work *w = context;
	struct pgofs_merge *merge = NULL;
	int r = settle_before(w, w->leaf[i], err);
	if (r == 0)
		r = merge_of(w, w->leaf[i], &merge, err);
	return r < 0 ? r : pgofs_merging_add(w->x->merging, merge, w->missing[i], got, err);
}

static int gather(struct work *w, struct pgofs_error *err)
{
	const struct pgofs_merging_some missing = { w->x->merging, w->missing, w->n_missing, w, each };
	int r = pgofs_merging_gather(&missing, err);
	return r < 0 ? r : settle_before(w, w->x->parts->n, err);
}

/* The last part is all of them. */
static int finish(struct work *w, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	size_t last = w->x->parts->n - 1;
	const struct pgofs_bytes *bytes = w->plan.v[last].bytes;
	struct pgofs_merge *merge;
	int r = 0;
	if (!w->merge[last]) {
		r = merge_of(w, last, &merge, err);
		if (r == 0)
			r = pgofs_merge_add_part(merge, bytes->data, bytes->len, err);
	}
	return r < 0 ? r : pgofs_merging_finish(w->x->merging, w->merge[last], ret, err);
}

static int prepare(struct work *w, struct pgofs_error *err)
{
	const struct pgofs_merging_parts *x = w->x;
	w->plan = (struct pgofs_parts_plan){ .parts = x->parts,
					     .selection = x->selection,
					     .kept = x->kept,
					     .rollups = x->rollups,
					     .patience = x->merging->patience,
					     .now_ns = x->now_ns };
	w->queue.rollups = x->rollups;
	w->queue.patience = x->merging->patience;
	w->merge = calloc(x->parts->n, sizeof *w->merge);
	int r = w->merge ? pgofs_parts_plan_make(&w->plan, err) : -ENOMEM;
	if (r == 0)
		r = list_missing(w);
	return r < 0 ? pgofs_error_wrap(err, r, "merge") : 0;
}

int pgofs_merging_parts_run(struct pgofs_merging_parts *x, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	_cleanup_(done) struct work w = { .x = x };
	int r = prepare(&w, err);
	if (r == 0)
		r = gather(&w, err);
	if (r == 0)
		r = finish(&w, ret, err);
	if (r == 0 && x->rollups)
		sweep(&w);
	return r;
}
