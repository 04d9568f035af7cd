/* The front of the engine: what is common to the three views of a merge.
 *
 * Each input is decoded, joined to the header, and folded into what the view keeps: the whole tables for .pprof, the
 * edges for .pgo, sums by function for .txt. Only when all three have succeeded is anything changed for good.
 *
 * What must stay true: a merge holds nothing of an input once it is in — but for the very first: `go tool pprof` does not merge
 * a single profile, it writes it as it is, so the first input's raw form is kept until there is a second. */
#include "merge.h"

#include "array.h"
#include "encode.h"

#include <string.h>

int pgofs_merge_new(enum pgofs_view view, struct pgofs_merge **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = calloc(1, sizeof *m);
	if (!m)
		return pgofs_error_errno(err, -ENOMEM, "starting a merge");
	m->view = view;
	m->only = PGOFS_BUF(SIZE_MAX);
	pgofs_decoded_init(&m->own);
	pgofs_kind_init(&m->kind);
	if (pgofs_tables_init(&m->names, 1, 0) < 0 || pgofs_edges_init(&m->edges) < 0 ||
	    pgofs_report_init(&m->report) < 0)
		return pgofs_error_errno(err, -ENOMEM, "starting a merge");
	*ret = STEAL(m);
	return 0;
}

void pgofs_merge_free(struct pgofs_merge *m)
{
	if (!m)
		return;
	pgofs_decoded_done(&m->own);
	pgofs_tables_done(&m->names);
	pgofs_tables_done(&m->tables);
	pgofs_fold_done(&m->fold);
	pgofs_edges_done(&m->edges);
	pgofs_report_done(&m->report);
	pgofs_frames_done(&m->frames);
	pgofs_prune_done(&m->prune);
	pgofs_kind_done(&m->kind);
	pgofs_buf_done(&m->only);
	free(m->comment);
	free(m->comment_seen);
	free(m);
}

size_t pgofs_merge_count(const struct pgofs_merge *m)
{
	return m->header.n_inputs;
}

size_t pgofs_merge_memory_bytes(const struct pgofs_merge *m)
{
	return sizeof *m + pgofs_decoded_memory_bytes(&m->own) + pgofs_tables_memory_bytes(&m->names) +
	       pgofs_tables_memory_bytes(&m->tables) + pgofs_edges_memory_bytes(&m->edges) +
	       pgofs_report_memory_bytes(&m->report) + m->only.cap;
}

/* Comments not seen before go to the end of the list, which has room for all of them already. */
static int stage_comments(struct pgofs_merge *m, size_t *ret_n)
{
	size_t n = m->n_comments;
	const struct pgofs_profile *p = m->input;
	if (ARRAY_RESERVE(m->comment, m->comment_cap, n + p->n_comments) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_comments; i++) {
		size_t len;
		const uint8_t *s = pgofs_profile_string(p, p->comment[i], &len);
		int r = pgofs_string_add(&m->names, s, len, &m->comment[n + i]);
		if (r < 0)
			return r;
	}
	size_t had = m->comment_seen_cap;
	if (ARRAY_RESERVE(m->comment_seen, m->comment_seen_cap, m->names.strings.n) < 0)
		return -ENOMEM;
	memset(m->comment_seen + had, 0, m->comment_seen_cap - had);
	*ret_n = n + p->n_comments;
	return 0;
}

static void commit_comments(struct pgofs_merge *m, size_t end)
{
	for (size_t i = m->n_comments; i < end; i++) {
		uint32_t name = m->comment[i];
		if (!m->comment_seen[name])
			m->comment[m->n_comments++] = name;
		m->comment_seen[name] = true;
	}
}

/* The samples that are not all zero in the columns the plan keeps. */
static size_t samples_left(const struct pgofs_tables *t, const struct pgofs_plan *plan, uint32_t *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < t->samples.n; i++) {
		const int64_t *value = pgofs_samples_values(t, i);
		int64_t any = 0;
		for (size_t k = 0; k < plan->n; k++)
			any |= value[plan->keep[k]];
		if (any)
			ret[n++] = (uint32_t)i;
	}
	return n;
}

static void take_values(struct pgofs_tables *into, size_t i, const int64_t *from, const struct pgofs_plan *plan)
{
	int64_t *value = pgofs_samples_values(into, i);
	for (size_t k = 0; k < plan->n; k++) {
		value[k] = from[plan->keep[k]];
		if (plan->rescale[k] != 1) /* a finer unit has come */
			value[k] = pgofs_value_scale(value[k], plan->rescale[k]);
	}
}

/* `t` anew with only the columns the plan keeps and only samples that are not 0 there. */
static int reshaped(const struct pgofs_tables *t, const struct pgofs_plan *plan, struct pgofs_tables *ret)
{
	_cleanup_(pgofs_freep) uint32_t *left = malloc((t->samples.n + 1) * sizeof *left);
	*ret = (struct pgofs_tables){ 0 };
	if (!left)
		return -ENOMEM;
	size_t n = samples_left(t, plan, left);
	int r = pgofs_tables_init(ret, plan->n, 0);
	if (r == 0)
		r = pgofs_tables_compact(ret, t, left, n);
	for (size_t i = 0; r == 0 && i < n; i++)
		take_values(ret, i, pgofs_samples_values(t, left[i]), plan);
	return r;
}

static bool any_zero(const struct pgofs_tables *t)
{
	for (size_t i = 0; i < t->samples.n; i++) {
		if (pgofs_samples_all_zero(t, i))
			return true;
	}
	return false;
}

/* profile/merge.go Merge: samples that cancelled out take their locations and functions with them. `ret` is for the caller to free. */
static int without_zero(const struct pgofs_tables *t, struct pgofs_tables *ret)
{
	struct pgofs_plan plan = { .n = (uint32_t)t->n_types };
	for (uint32_t i = 0; i < plan.n; i++) {
		plan.keep[i] = i;
		plan.rescale[i] = 1;
	}
	int r = reshaped(t, &plan, ret);
	if (r < 0)
		pgofs_tables_done(ret);
	return r;
}

static int drop_zero(struct pgofs_merge *m)
{
	struct pgofs_tables fresh;
	if (!any_zero(&m->tables))
		return 0;
	int r = without_zero(&m->tables, &fresh);
	if (r == 0) {
		pgofs_tables_done(&m->tables);
		m->tables = fresh;
	}
	return r;
}

/* The rare input that takes a sample type away or brings a finer unit: the tables are rebuilt beside the old ones. */
static int fold_reshaped(struct pgofs_merge *m, struct pgofs_folding of)
{
	struct pgofs_tables fresh;
	int r = reshaped(&m->tables, of.plan, &fresh);
	if (r < 0)
		pgofs_error_errno(of.err, r, "taking sample types away");
	else
		r = pgofs_fold_stage(&m->fold, &fresh, of);
	if (r < 0) {
		pgofs_tables_done(&fresh);
		return r;
	}
	pgofs_tables_done(&m->tables);
	m->tables = fresh;
	m->fold.t = &m->tables;
	pgofs_fold_commit(&m->fold);
	return 0;
}

static int fold_pprof(struct pgofs_merge *m, const struct pgofs_plan *plan, struct pgofs_error *err)
{
	struct pgofs_folding of = { m->input, m->content, plan, err, pgofs_header_chunk_full(&m->header) };
	int r = 0;
	if (m->header.n_inputs == 0) {
		pgofs_tables_done(&m->tables);
		r = pgofs_tables_init(&m->tables, plan->n, 0);
		if (r == 0)
			r = pgofs_buf_append(&m->only, m->input->raw, m->input->len);
	} else if (of.opens_chunk) {
		r = drop_zero(m);
	}
	if (r < 0)
		return pgofs_error_errno(err, r, "folding a profile in");
	if (plan->reshape)
		return fold_reshaped(m, of);
	r = pgofs_fold_stage(&m->fold, &m->tables, of);
	if (r == 0)
		pgofs_fold_commit(&m->fold);
	return r;
}

static int add_pprof(struct pgofs_merge *m, const struct pgofs_plan *plan, struct pgofs_error *err)
{
	int r = fold_pprof(m, plan, err);
	if (m->header.n_inputs == 0 ? r < 0 : r == 0)
		pgofs_buf_done(&m->only);
	return r;
}

static struct pgofs_pattern pattern(const struct pgofs_merge *m, uint32_t name)
{
	return (struct pgofs_pattern){ m->names.strings.v[name].data, m->names.strings.v[name].len };
}

/* Frames are dropped by the first input's patterns, in all inputs. */
static int prepare_frames(struct pgofs_merge *m, const struct pgofs_header *h)
{
	if (m->header.n_inputs == 0) {
		pgofs_frames_done(&m->frames);
		int r = pgofs_frames_init(&m->frames, pattern(m, h->drop_frames), pattern(m, h->keep_frames));
		if (r < 0)
			return r;
	}
	return pgofs_prune_prepare(&m->prune, &m->frames, m->input);
}

static uint32_t column(const struct pgofs_merge *m, const struct pgofs_header *h, const char *type, const char *unit)
{
	for (uint32_t i = 0; i < h->types.n; i++) {
		if (pgofs_string_is(&m->names, h->types.v[i].type, type) &&
		    pgofs_string_is(&m->names, h->types.v[i].unit, unit))
			return i;
	}
	return PGOFS_NONE;
}

static int add_edges(struct pgofs_merge *m, const struct pgofs_header *h, const struct pgofs_plan *plan,
		     struct pgofs_hot *hot, struct pgofs_error *err)
{
	struct pgofs_hot_columns columns = { .weight = pgofs_types_for_go(&h->types, &m->names),
					     .cpu = column(m, h, "cpu", "nanoseconds"),
					     .count = column(m, h, "samples", "count") };
	if (columns.weight == PGOFS_NONE)
		return pgofs_error_set(err, -EINVAL, "no sample type is samples/count or cpu/nanoseconds");
	int r = prepare_frames(m, h);
	if (r == 0 && hot)
		r = pgofs_hot_begin(hot, m->input, &m->prune, columns);
	if (r < 0)
		return pgofs_error_errno(err, r, "adding up edges");
	return pgofs_edges_fold(&m->edges, m->input, plan, &m->prune, hot, err);
}

static int add_pgo(struct pgofs_merge *m, const struct pgofs_header *h, const struct pgofs_plan *plan,
		   struct pgofs_error *err)
{
	int r = add_edges(m, h, plan, NULL, err);
	if (r == 0)
		pgofs_edges_commit(&m->edges, plan);
	return r;
}

static int add_txt(struct pgofs_merge *m, const struct pgofs_header *h, const struct pgofs_plan *plan,
		   const struct pgofs_merge_input *input, struct pgofs_error *err)
{
	int r = add_edges(m, h, plan, &m->report.hot, err);
	if (r < 0)
		return r;
	r = pgofs_hot_stage(&m->report.hot, m->input);
	if (r == 0)
		r = pgofs_report_input(&m->report, m->input, input);
	if (r < 0) {
		pgofs_edges_undo(&m->edges);
		return pgofs_error_errno(err, r, "reporting");
	}
	pgofs_edges_commit(&m->edges, plan);
	pgofs_hot_commit(&m->report.hot, m->input);
	return 0;
}

static int add_to_view(struct pgofs_merge *m, const struct pgofs_header *h, const struct pgofs_plan *plan,
		       const struct pgofs_merge_input *input, struct pgofs_error *err)
{
	switch (m->view) {
	case PGOFS_VIEW_PPROF:
		return add_pprof(m, plan, err);
	case PGOFS_VIEW_PGO:
		return add_pgo(m, h, plan, err);
	case PGOFS_VIEW_TXT:
		return add_txt(m, h, plan, input, err);
	}
	return -EINVAL;
}

/* Adds what was decoded. */
static int add(struct pgofs_merge *m, const struct pgofs_merge_input *input, struct pgofs_error *err)
{
	int r = 0;
	struct pgofs_tables_mark mark = pgofs_tables_mark(&m->names);
	struct pgofs_header header = m->header;
	struct pgofs_plan plan;
	size_t n_comments = 0;
	if (m->of_parts)
		return pgofs_error_set(err, -EINVAL, "a merge of parts takes no profiles");
	if (m->view == PGOFS_VIEW_PGO && (r = pgofs_kind_begin(&m->kind, m->input)) < 0)
		return pgofs_error_errno(err, r, "reading the header");
	r = pgofs_header_join(&header, &m->names, m->input, &plan, err);
	if (r == 0 && (r = stage_comments(m, &n_comments)) < 0)
		pgofs_error_errno(err, r, "reading the comments");
	if (r == 0)
		r = add_to_view(m, &header, &plan, input, err);
	if (r < 0) {
		pgofs_tables_undo(&m->names, mark);
		pgofs_kind_refused(&m->kind, m->input, r);
		return r;
	}
	m->header = header;
	commit_comments(m, n_comments);
	pgofs_kind_added(&m->kind);
	return 0;
}

int pgofs_merge_add_decoded(struct pgofs_merge *m, const struct pgofs_decoded *d, const struct pgofs_merge_input *input,
			    struct pgofs_error *err)
{
	if (d->result < 0) {
		if (err)
			*err = d->err;
		return d->result;
	}
	if (m->view == PGOFS_VIEW_PPROF && d->view != PGOFS_VIEW_PPROF)
		return pgofs_merge_add(m, d->profile.raw, d->profile.len, input, err);
	m->input = &d->profile;
	m->content = &d->content;
	return add(m, input, err);
}

int pgofs_merge_add(struct pgofs_merge *m, const void *raw, size_t len, const struct pgofs_merge_input *input,
		    struct pgofs_error *err)
{
	pgofs_decoded_read(&m->own, m->view, raw, len);
	return pgofs_merge_add_decoded(m, &m->own, input, err);
}

/* A single input, as it is. */
static int encode_only(struct pgofs_merge *m, struct pgofs_output *o, struct pgofs_buf *out, struct pgofs_error *err)
{
	struct pgofs_tables tables;
	struct pgofs_plan plan;
	struct pgofs_header header = { 0 };
	_cleanup_(pgofs_freep) uint32_t *comment = NULL;
	const struct pgofs_profile *p = &m->own.profile;
	pgofs_decoded_read(&m->own, m->view, m->only.data, m->only.len);
	int r = m->own.result;
	if (r < 0 && err)
		*err = m->own.err;
	if (r == 0)
		r = pgofs_header_join(&header, &m->names, p, &plan, err);
	if (r < 0)
		return r;
	comment = malloc((p->n_comments + 1) * sizeof *comment);
	if (!comment)
		return pgofs_error_errno(err, -ENOMEM, "writing the profile");
	for (size_t i = 0; r == 0 && i < p->n_comments; i++) {
		size_t len;
		const uint8_t *s = pgofs_profile_string(p, p->comment[i], &len);
		r = pgofs_string_add(&m->names, s, len, &comment[i]);
	}
	if (r == 0)
		r = pgofs_tables_init(&tables, plan.n, 0);
	if (r < 0)
		return pgofs_error_errno(err, r, "writing the profile");
	o->tables = &tables;
	o->verbatim = p;
	o->comment = comment;
	o->n_comments = p->n_comments;
	r = pgofs_fold_verbatim(&m->fold, &tables, (struct pgofs_folding){ p, &m->own.content, &plan, err });
	if (r == 0)
		r = pgofs_encode(o, out, err);
	pgofs_tables_done(&tables);
	return r;
}

static int encode_pprof(struct pgofs_merge *m, struct pgofs_buf *out, struct pgofs_error *err)
{
	struct pgofs_output o = { .tables = &m->tables,
				  .names = &m->names,
				  .header = &m->header,
				  .comment = m->comment,
				  .n_comments = m->n_comments };
	struct pgofs_tables fresh = { 0 };
	int r = 0;
	if (m->header.n_inputs == 1)
		return encode_only(m, &o, out, err);
	if (any_zero(&m->tables)) {
		r = without_zero(&m->tables, &fresh);
		o.tables = &fresh;
	}
	r = r < 0 ? pgofs_error_errno(err, r, "writing the profile") : pgofs_encode(&o, out, err);
	pgofs_tables_done(&fresh);
	return r;
}

int pgofs_merge_encode(struct pgofs_merge *m, struct pgofs_buf *out, struct pgofs_error *err)
{
	if (m->header.n_inputs == 0 && (m->view != PGOFS_VIEW_TXT || !m->report.n_skipped))
		return pgofs_error_set(err, -ENODATA, "no profiles to merge");
	if (m->view == PGOFS_VIEW_PPROF)
		return encode_pprof(m, out, err);
	if (m->view == PGOFS_VIEW_TXT)
		return pgofs_report_encode(&m->report, &m->edges, &m->header, &m->names, out, err);
	return pgofs_edges_encode(&m->edges, &m->header, &m->names, out, err);
}

int pgofs_merge_skip(struct pgofs_merge *m, const struct pgofs_merge_input *input, const char *why)
{
	return m->view == PGOFS_VIEW_TXT ? pgofs_report_skip(&m->report, input, why) : 0;
}
