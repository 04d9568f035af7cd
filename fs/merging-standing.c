/* The window's inputs are cut into runs; those that are kept stay, the inputs of all others come through one gathering, in order, and are folded in.
 * Then the profile is written from the runs, whatever it was that changed.
 *
 * What must stay true: the bytes are those of a merge of all inputs at once. The engine answers for that, and where it cannot (-EDOM) so do we; the
 * run that does not stand is remembered, or it would be tried in vain at every read.
 *
 * A run is kept when all its inputs have come. After a failure the others are, and what the tables hold for them. */
#include "merging-standing.h"

#include "stages.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Samples of no use that are borne with. */
#define SPARE_SAMPLES 65536

/* A merge that had become so many times as large as when its runs were cut, or as small, is begun anew. */
#define RECUT_FACTOR 8

struct work {
	struct pgofs_merging_standing *x;
	struct pgofs_inputs_runs cut;
	struct pgofs_kept_run *runs; /* of the cut; moves into what is kept */
	uint32_t *missing;           /* inputs that are to be fetched */
	uint32_t *run;               /* which each of them is for */
	size_t n_missing;
	uint32_t under_way; /* the run whose inputs come; those before are whole */
	uint64_t whole_bytes; /* of the runs that are whole, those that were kept among them */
	size_t n_done;      /* inputs that came */
	bool unfit;         /* the run under way does not stand */
};

#define NO_RUN UINT32_MAX

static void done(struct work *w)
{
	pgofs_runs_done(&w->cut);
	free(w->runs);
	free(w->missing);
	free(w->run);
}

/* ---- what is kept, and what is not ---- */

static int begin(struct pgofs_kept_standing *k, size_t n, struct pgofs_error *err)
{
	if (k->too_many && n > k->too_many / 2)
		return pgofs_error_set(err, -EDOM, "of so many profiles none is kept");
	k->too_many = 0;
	if (n / RECUT_FACTOR > k->n_inputs || k->n_inputs / RECUT_FACTOR > n)
		pgofs_kept_standing_clear(k);
	if (k->standing)
		return 0;
	k->n_inputs = n;
	k->bits = pgofs_runs_bits(n);
	return pgofs_standing_new(&k->standing, err);
}

/* Kept runs are in the order of their inputs, as those of the cut: whoever is found is behind the one found before. */
static void find_kept(struct work *w)
{
	struct pgofs_kept_standing *k = w->x->kept;
	size_t from = 0;
	for (size_t i = 0; i < w->cut.n; i++) {
		size_t at = from;
		memcpy(w->runs[i].fingerprint, w->cut.v[i].fingerprint, PGOFS_FINGERPRINT_SIZE);
		while (at < k->n_runs &&
		       memcmp(k->runs[at].fingerprint, w->cut.v[i].fingerprint, PGOFS_FINGERPRINT_SIZE) != 0)
			at++;
		if (at == k->n_runs)
			continue;
		w->runs[i].run = STEAL(k->runs[at].run);
		w->whole_bytes += pgofs_run_memory_bytes(w->runs[i].run);
		from = at + 1;
		w->x->n_used++;
	}
}

/* What the cut has not is gone. */
static void forget_others(struct pgofs_kept_standing *k)
{
	for (size_t i = 0; i < k->n_runs; i++)
		pgofs_run_free(k->runs[i].run);
	free(k->runs);
	k->runs = NULL;
	k->n_runs = 0;
}

static int list_missing(struct work *w)
{
	w->missing = calloc(w->x->selection->n, sizeof *w->missing);
	w->run = calloc(w->x->selection->n, sizeof *w->run);
	if (!w->missing || !w->run)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->cut.n; i++) {
		const struct pgofs_inputs_run *run = &w->cut.v[i];
		for (uint32_t k = run->first; !w->runs[i].run && k < run->first + run->n; k++) {
			w->missing[w->n_missing] = k;
			w->run[w->n_missing++] = i;
		}
	}
	return 0;
}

static bool has_unfit(const struct work *w)
{
	bool has = false;
	for (size_t i = 0; w->x->kept->unfit && i < w->cut.n && !has; i++)
		has = !memcmp(w->x->kept->unfit_fingerprint, w->cut.v[i].fingerprint, PGOFS_FINGERPRINT_SIZE);
	return has;
}

static int prepare(struct work *w, struct pgofs_error *err)
{
	struct pgofs_merging_standing *x = w->x;
	int r = begin(x->kept, x->selection->n, err);
	if (r < 0)
		return r;
	r = pgofs_runs_cut(x->selection->inputs, x->selection->n, x->kept->bits, x->salt, x->salt_len, &w->cut);
	if (r == 0 && has_unfit(w))
		return pgofs_error_set(err, -EDOM, "a profile in it does not stand");
	if (r == 0 && !(w->runs = calloc(w->cut.n, sizeof *w->runs)))
		r = -ENOMEM;
	if (r < 0)
		return pgofs_error_errno(err, r, "merge");
	x->kept->unfit = false;
	find_kept(w);
	forget_others(x->kept);
	r = list_missing(w);
	return r < 0 ? pgofs_error_errno(err, r, "merge") : 0;
}

/* ---- what is new ---- */

static int fold(struct work *w, size_t i, const struct pgofs_gathered *got, struct pgofs_error *err)
{
	const struct pgofs_merging *m = w->x->merging;
	struct pgofs_standing *standing = w->x->kept->standing;
	struct pgofs_run *run = w->runs[w->run[i]].run;
	struct pgofs_error broken = { "" };
	int64_t began_ns = pgofs_monotonic_ns();
	int r = got->why       ? -EINVAL
		: got->decoded ? pgofs_run_add_decoded(standing, run, got->decoded, &broken)
			       : pgofs_run_add(standing, run, got->raw, got->len, &broken);
	pgofs_stages_end(m->stages, PGOFS_STAGE_FOLD, began_ns);
	if (r == -EINVAL && !got->why)
		pgofs_merging_explain(m, got, &broken);
	if (r == -EINVAL)
		return m->skipped(m->context, w->missing[i], got->why ? got->why : broken.text, err);
	w->unfit = r == -EDOM;
	if (r < 0 && err)
		*err = broken;
	uint64_t bytes = pgofs_standing_memory_bytes(standing) + w->whole_bytes + pgofs_run_memory_bytes(run);
	if (r == 0 && bytes > w->x->max_bytes)
		r = pgofs_error_set(err, -EFBIG, "merge: it holds more than may be kept");
	return r;
}

/* The run of the next input; those before it are whole. */
static int go_to(struct work *w, uint32_t run, struct pgofs_error *err)
{
	if (run == w->under_way)
		return 0;
	if (w->under_way != NO_RUN)
		w->whole_bytes += pgofs_run_memory_bytes(w->runs[w->under_way].run);
	w->under_way = run;
	w->x->n_made++;
	return pgofs_run_new(&w->runs[run].run, err);
}

static int each(void *context, size_t i, const struct pgofs_gathered *got, struct pgofs_error *err)
{
	struct work *w = context;
	int r = go_to(w, w->run[i], err);
	if (r == 0)
		r = fold(w, i, got, err);
	w->n_done += r == 0;
	return r;
}

/* ---- what comes of it ---- */

/* The runs that are whole are kept from now on. */
static void keep(struct work *w)
{
	struct pgofs_kept_standing *k = w->x->kept;
	bool all = w->n_done == w->n_missing;
	for (uint32_t i = 0; i < w->cut.n; i++) {
		if (w->runs[i].run && (all || i != w->under_way))
			w->runs[k->n_runs++] = w->runs[i];
		else
			pgofs_run_free(w->runs[i].run);
	}
	k->runs = STEAL(w->runs);
}

static void remember_unfit(struct work *w, size_t run)
{
	struct pgofs_kept_standing *k = w->x->kept;
	k->unfit = true;
	memcpy(k->unfit_fingerprint, w->cut.v[run].fingerprint, PGOFS_FINGERPRINT_SIZE);
}

static int encode(const struct pgofs_kept_standing *k, const struct pgofs_merging *m, struct pgofs_run *const *runs,
		  struct pgofs_bytes **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(m->raw_max_bytes);
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_standing_encode(k->standing, runs, k->n_runs, &raw, err);
	pgofs_stages_end(m->stages, PGOFS_STAGE_ENCODE, began_ns);
	return r < 0 ? r : pgofs_merging_deflate(m, &raw, ret, err);
}

static int finish(const struct pgofs_kept_standing *k, const struct pgofs_merging *m, struct pgofs_bytes **ret,
		  struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) struct pgofs_run **runs = calloc(k->n_runs + 1, sizeof *runs);
	if (!runs)
		return pgofs_error_errno(err, -ENOMEM, "merge");
	for (size_t i = 0; i < k->n_runs; i++)
		runs[i] = k->runs[i].run;
	int r = encode(k, m, runs, ret, err);
	return r < 0 ? r : pgofs_standing_tidy(k->standing, runs, k->n_runs, SPARE_SAMPLES, err);
}

int pgofs_merging_standing_run(struct pgofs_merging_standing *x, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	_cleanup_(done) struct work w = { .x = x, .under_way = NO_RUN };
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int r = prepare(&w, err);
	const struct pgofs_merging_some missing = { x->merging, w.missing, w.n_missing, &w, each };
	if (r == 0)
		r = pgofs_merging_gather(&missing, err);
	if (w.unfit)
		remember_unfit(&w, w.under_way);
	if (w.runs)
		keep(&w);
	if (r == 0 && (r = finish(x->kept, x->merging, &bytes, err)) == -EDOM)
		remember_unfit(&w, w.cut.n - 1); /* the first that will change */
	if (r == -EFBIG)
		x->kept->too_many = x->selection->n;
	if (r == -EDOM || r == -EFBIG || r == -ENOMEM)
		pgofs_kept_standing_clear(x->kept);
	if (r == 0)
		*ret = STEAL(bytes);
	return r;
}
