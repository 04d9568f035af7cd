/* Adding to a standing merge.
 *
 * Each sample of each input is found by its hash in tables that only grow, as in any merge (fold.c); but its values go into the run's own list,
 * which names samples by number. So a run is what its inputs add, and no more is needed of them.
 *
 * For the result to be what merging all inputs in their order gives, byte for byte, nothing of an input may depend on which others it is merged
 * with. Where it could, the input does not stand:
 *
 *   - all must say the same of sample types, units, period type, and frames to drop (struct pgofs_kind);
 *   - no value may be below 0, and no sum overflow: a sample that cancels out is dropped, when is a question of how files are grouped;
 *   - lines inlined in a location must have no columns: two locations that differ only there are one, as the first has it;
 *   - of more than 128 inputs, each must use its first mapping: in the chunk that one opens, its place would be the mapping's (fold.c).
 *
 * What is left to the first that has it is the place and the flags of a mapping. Each run notes them as its first input that uses the mapping
 * has them; which mappings a sample uses is kept beside it, as bits. */
#include "standing.h"

#include "array.h"
#include "wire.h"

int pgofs_standing_new(struct pgofs_standing **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_standing_freep) struct pgofs_standing *s = calloc(1, sizeof *s);
	if (!s)
		return pgofs_error_errno(err, -ENOMEM, "starting a merge");
	pgofs_kind_init(&s->kind);
	pgofs_decoded_init(&s->own);
	if (pgofs_tables_init(&s->names, 1, 0) < 0)
		return pgofs_error_errno(err, -ENOMEM, "starting a merge");
	*ret = STEAL(s);
	return 0;
}

void pgofs_standing_free(struct pgofs_standing *s)
{
	if (!s)
		return;
	pgofs_tables_done(&s->tables);
	pgofs_tables_done(&s->names);
	pgofs_kind_done(&s->kind);
	pgofs_fold_done(&s->fold);
	pgofs_decoded_done(&s->own);
	if (s->open)
		s->open->open_in = NULL;
	free(s->sample);
	free(s);
}

int pgofs_run_new(struct pgofs_run **ret, struct pgofs_error *err)
{
	*ret = calloc(1, sizeof **ret);
	return *ret ? 0 : pgofs_error_errno(err, -ENOMEM, "starting a merge");
}

void pgofs_run_free(struct pgofs_run *r)
{
	if (!r)
		return;
	if (r->open_in)
		r->open_in->open = NULL;
	pgofs_sums_done(&r->sums);
	free(r->mapping);
	free(r->header);
	free(r->n_comments);
	free(r->comment);
	free(r);
}

size_t pgofs_run_count(const struct pgofs_run *r)
{
	return r->n;
}

size_t pgofs_run_memory_bytes(const struct pgofs_run *r)
{
	return sizeof *r + pgofs_sums_bytes(&r->sums) + r->mapping_cap * sizeof *r->mapping +
	       r->header_cap * sizeof *r->header + (r->n_comments_cap + r->comment_cap) * sizeof *r->comment;
}

size_t pgofs_standing_memory_bytes(const struct pgofs_standing *s)
{
	return sizeof *s + pgofs_tables_memory_bytes(&s->tables) + pgofs_tables_memory_bytes(&s->names) +
	       pgofs_decoded_memory_bytes(&s->own) + s->sample_cap * sizeof *s->sample;
}

static int cannot_stand(struct pgofs_error *err, const char *why)
{
	return pgofs_error_set(err, -EDOM, "%s: it must be merged with the others at once", why);
}

/* ---- may it stand? ---- */

static int begin(struct pgofs_standing *s, const struct pgofs_profile *p, struct pgofs_error *err)
{
	int r = pgofs_header_join(&s->header, &s->names, p, &s->plan, err);
	if (r < 0)
		return r == -EINVAL ? cannot_stand(err, "its sample types are in doubt") : r;
	if (s->header.types.n != p->n_types)
		return cannot_stand(err, "it has a sample type twice");
	r = pgofs_tables_init(&s->tables, p->n_types, sizeof(struct pgofs_standing_sample));
	if (r < 0)
		return pgofs_error_errno(err, r, "starting a merge");
	s->begun = true;
	return 0;
}

static bool any_below_zero(const struct pgofs_profile *p, const struct pgofs_content *c)
{
	int64_t all = 0;
	for (size_t i = 0; i < p->n_samples * p->n_types; i++)
		all |= c->value[i];
	return all < 0;
}

static int may_stand(struct pgofs_standing *s, const struct pgofs_decoded *d, struct pgofs_error *err)
{
	const struct pgofs_profile *p = &d->profile;
	if (p->n_types == 0)
		return pgofs_error_set(err, -EINVAL, "it has no sample types");
	if (any_below_zero(p, &d->content))
		return cannot_stand(err, "it has values below 0");
	if (d->content.inlined_columns)
		return cannot_stand(err, "it has columns of inlined lines");
	int r = pgofs_kind_begin(&s->kind, p);
	if (r < 0)
		return pgofs_error_errno(err, r, "reading the header");
	if (!s->begun && (r = begin(s, p, err)) < 0)
		return r;
	pgofs_kind_added(&s->kind);
	return s->kind.mixed ? cannot_stand(err, "it is a profile of another kind") : 0;
}

/* ---- mappings ---- */

static uint64_t bit_of(uint32_t mapping)
{
	return UINT64_C(1) << (mapping < PGOFS_STANDING_MAPPINGS ? mapping : PGOFS_STANDING_MAPPINGS);
}

static uint64_t mappings_of(const struct pgofs_standing *s, const struct pgofs_stacked *sample)
{
	struct pgofs_wire w = { sample->stack, sample->stack + sample->stack_bytes };
	uint64_t bits = 0;
	while (w.p < w.end) {
		uint64_t id = 1;
		pgofs_wire_varint(&w, &id);
		uint32_t mapping = s->tables.locations.v[id - 1].mapping;
		bits |= mapping == PGOFS_NONE ? 0 : bit_of(mapping);
	}
	return bits;
}

static bool same_place(const struct pgofs_raw_mapping *a, const struct pgofs_raw_mapping *b)
{
	return a->start == b->start && a->limit == b->limit && a->file == b->file && a->build_id == b->build_id &&
	       a->has_functions == b->has_functions && a->has_filenames == b->has_filenames &&
	       a->has_line_numbers == b->has_line_numbers && a->has_inline_frames == b->has_inline_frames;
}

/* The profile's mapping that is number `number` of the merge's: 0 and its place. -EDOM where there are several, in different places. */
static int find_mapping(const struct pgofs_standing *s, const struct pgofs_decoded *d, uint32_t number, size_t *ret)
{
	const struct pgofs_hash *key = pgofs_index_key(&s->tables.mappings.index, number);
	const struct pgofs_raw_mapping *mapping = d->profile.mapping;
	*ret = SIZE_MAX;
	for (size_t i = 0; i < d->profile.n_mappings; i++) {
		if (!pgofs_hash_same(&d->content.mapping[i], key))
			continue;
		if (*ret != SIZE_MAX && !same_place(&mapping[*ret], &mapping[i]))
			return -EDOM;
		*ret = *ret == SIZE_MAX ? i : *ret;
	}
	return *ret == SIZE_MAX ? -EDOM : 0;
}

static int see_mapping(struct pgofs_standing *s, uint32_t number, size_t place, struct pgofs_seen_mapping *ret)
{
	const struct pgofs_raw_mapping *raw = &s->fold.of.profile->mapping[place];
	*ret = (struct pgofs_seen_mapping){ number, pgofs_fold_mapping(raw) };
	int r = pgofs_fold_string(&s->fold, raw->file, &ret->as.file);
	return r < 0 ? r : pgofs_fold_string(&s->fold, raw->build_id, &ret->as.build_id);
}

/* The mappings that the input is the first of its run to use. */
static int see_used(struct pgofs_standing *s, struct pgofs_run *run, const struct pgofs_decoded *d, uint64_t used)
{
	uint64_t fresh = used & ~run->mappings;
	if (used >> PGOFS_STANDING_MAPPINGS)
		return -EDOM;
	int r = ARRAY_RESERVE(run->mapping, run->mapping_cap, run->n_mappings + (size_t)__builtin_popcountll(fresh));
	for (; r == 0 && fresh; fresh &= fresh - 1) {
		uint32_t number = (uint32_t)__builtin_ctzll(fresh);
		size_t place;
		r = find_mapping(s, d, number, &place);
		if (r == 0)
			r = see_mapping(s, number, place, &run->mapping[run->n_mappings]);
		run->n_mappings += r == 0;
	}
	run->mappings |= used;
	return r;
}

/* A profile begins with the first mapping of its first input, used or not. */
static int see_first(struct pgofs_standing *s, struct pgofs_run *run, const struct pgofs_decoded *d, uint64_t used)
{
	struct pgofs_hash key = d->content.mapping[0];
	uint32_t number = pgofs_index_find(&s->tables.mappings.index, key);
	int r = 0;
	run->first_unused |= number == PGOFS_NONE || !(used & bit_of(number));
	if (run->n)
		return 0;
	if (number == PGOFS_NONE)
		r = pgofs_mappings_insert(&s->tables, key,
					  &(struct pgofs_mapping){ .start = d->profile.mapping[0].start }, &number);
	return r < 0 ? r : see_mapping(s, number, 0, &run->first);
}

/* ---- an input ---- */

/* Room for what the run notes of its header, and the comments in it. */
static int note_header(struct pgofs_standing *s, struct pgofs_run *run, const struct pgofs_profile *p)
{
	int r = ARRAY_RESERVE(run->header, run->header_cap, run->n + 1);
	if (r == 0)
		r = ARRAY_RESERVE(run->n_comments, run->n_comments_cap, run->n + 1);
	if (r == 0)
		r = ARRAY_RESERVE(run->comment, run->comment_cap, run->n_comment + p->n_comments);
	if (r == 0)
		r = pgofs_header_own(&s->names, p, &run->header[run->n]);
	for (size_t i = 0; r == 0 && i < p->n_comments; i++) {
		size_t len;
		const uint8_t *text = pgofs_profile_string(p, p->comment[i], &len);
		r = pgofs_string_add(&s->names, text, len, &run->comment[run->n_comment + i]);
	}
	return r;
}

void pgofs_standing_describe(struct pgofs_standing *s, size_t first)
{
	for (size_t i = first; i < s->tables.samples.n; i++) {
		struct pgofs_standing_sample *beside = pgofs_index_beside(&s->tables.samples.index, i);
		*beside = (struct pgofs_standing_sample){ .mappings = mappings_of(s, &s->tables.samples.v[i]) };
	}
}

static uint64_t mappings_used(const struct pgofs_standing *s, size_t n)
{
	uint64_t used = 0;
	for (size_t i = 0; i < n; i++) {
		if (s->fold.target[i] != PGOFS_NONE) {
			const struct pgofs_standing_sample *beside =
			    pgofs_index_beside(&s->tables.samples.index, s->fold.target[i]);
			used |= beside->mappings;
		}
	}
	return used;
}

/* The run's sums are beside its samples while inputs are added to it. */
static int open_run(struct pgofs_standing *s, struct pgofs_run *run)
{
	if (s->open == run)
		return 0;
	int r = pgofs_standing_close(s);
	if (r < 0)
		return r;
	pgofs_round_begin(s);
	r = pgofs_round_add_run(s, &run->sums);
	if (r == 0) {
		s->open = run;
		run->open_in = s;
	}
	return r;
}

static int add_samples(struct pgofs_standing *s, const struct pgofs_decoded *d, struct pgofs_error *err)
{
	const int64_t *value = d->content.value;
	int64_t all = 0;
	for (size_t i = 0; i < d->profile.n_samples; i++, value += s->tables.n_types) {
		if (s->fold.target[i] != PGOFS_NONE)
			all |= pgofs_round_add(s, s->fold.target[i], value);
	}
	return all < 0 ? cannot_stand(err, "its values add up to too much") : 0;
}

/* Everything is in the tables, with values still to be added. */
static int fold(struct pgofs_standing *s, struct pgofs_run *run, const struct pgofs_decoded *d, struct pgofs_error *err)
{
	size_t n_before = s->tables.samples.n;
	struct pgofs_folding of = { &d->profile, &d->content, &s->plan, err };
	int r = pgofs_fold_stage(&s->fold, &s->tables, of);
	if (r < 0)
		return r;
	pgofs_standing_describe(s, n_before);
	uint64_t used = mappings_used(s, d->profile.n_samples);
	r = open_run(s, run);
	if (r == 0)
		r = pgofs_round_room(s, d->profile.n_samples);
	if (r == 0)
		r = note_header(s, run, &d->profile);
	if (r == 0)
		r = see_used(s, run, d, used);
	if (r == 0)
		r = see_first(s, run, d, used);
	if (r == -EDOM)
		return cannot_stand(err, "its mappings are too many, or in two places");
	return r < 0 ? pgofs_error_errno(err, r, "folding a profile in") : add_samples(s, d, err);
}

int pgofs_run_add_decoded(struct pgofs_standing *s, struct pgofs_run *run, const struct pgofs_decoded *d,
			  struct pgofs_error *err)
{
	if (d->result < 0) {
		if (err)
			*err = d->err;
		return d->result == -EFBIG ? -EINVAL : d->result;
	}
	if (d->view != PGOFS_VIEW_PPROF)
		return pgofs_run_add(s, run, d->profile.raw, d->profile.len, err);
	int r = may_stand(s, d, err);
	if (r == 0)
		r = fold(s, run, d, err);
	if (r < 0)
		return r;
	run->n_comments[run->n++] = (uint32_t)d->profile.n_comments;
	run->n_comment += d->profile.n_comments;
	return 0;
}

int pgofs_run_add(struct pgofs_standing *s, struct pgofs_run *run, const void *raw, size_t len, struct pgofs_error *err)
{
	pgofs_decoded_read(&s->own, PGOFS_VIEW_PPROF, raw, len);
	return pgofs_run_add_decoded(s, run, &s->own, err);
}
