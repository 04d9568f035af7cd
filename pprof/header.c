/* Combining headers.
 *
 * Order matters in the reference, and where it matters it is followed to the letter: "if time == 0 || t < time" takes the
 * earliest time but lets a 0 win and then lose again; drop and keep patterns come from the first input; the default sample type
 * depends on whether an input lost a type to the others. */
#include "header.h"

#include <math.h>
#include <string.h>

static int intern(struct pgofs_tables *names, const struct pgofs_profile *p, uint32_t number, uint32_t *ret)
{
	size_t len;
	const uint8_t *s = pgofs_profile_string(p, number, &len);
	return pgofs_string_add(names, s, len, ret);
}

static int intern_type(struct pgofs_tables *names, const struct pgofs_profile *p, struct pgofs_raw_type t,
		       struct pgofs_type *ret)
{
	int r = intern(names, p, t.type, &ret->type);
	return r < 0 ? r : intern(names, p, t.unit, &ret->unit);
}

static struct pgofs_unit unit(const struct pgofs_tables *names, uint32_t number)
{
	return (struct pgofs_unit){ names->strings.v[number].data, names->strings.v[number].len };
}

/* Where `type` is in the list, or PGOFS_NONE; and how often. */
static uint32_t find_type(const struct pgofs_types *types, uint32_t type, uint32_t *ret_times)
{
	uint32_t at = PGOFS_NONE;
	*ret_times = 0;
	for (uint32_t i = types->n; i-- > 0;) {
		if (types->v[i].type == type) {
			at = i;
			(*ret_times)++;
		}
	}
	return at;
}

static bool has_type(const struct pgofs_types *types, uint32_t type)
{
	uint32_t times;
	return find_type(types, type, &times) != PGOFS_NONE;
}

static bool same_list(const struct pgofs_types *a, const struct pgofs_types *b)
{
	bool same = a->n == b->n;
	for (uint32_t i = 0; same && i < a->n; i++)
		same = a->v[i].type == b->v[i].type;
	return same;
}

/* profile/merge.go commonSampleTypes counts a type that is twice in one profile twice, so it is never in all of them. */
static void keep_common(struct pgofs_types *types, const struct pgofs_types *with)
{
	uint32_t n = 0, times;
	for (uint32_t i = 0; i < types->n; i++) {
		find_type(with, types->v[i].type, &times);
		if (times == 1)
			types->v[n++] = types->v[i];
	}
	types->n = n;
}

/* compatibilizeSampleTypes' default for a profile that lost types or had them in another order. */
static uint32_t adapted_default(const struct pgofs_types *types, uint32_t own)
{
	return own && has_type(types, own) ? own : types->n ? types->v[0].type : 0;
}

uint32_t pgofs_header_default(const struct pgofs_header_part *part)
{
	if (!same_list(&part->first, &part->types))
		return adapted_default(&part->types, part->first_default);
	return part->first_default ? part->first_default : part->later_default;
}

/* combineHeaders, one more. */
static void join_part(struct pgofs_header_part *part, const struct pgofs_header_part *one)
{
	if (part->n_inputs++ == 0) {
		part->first = part->types = one->first;
		keep_common(&part->types, &one->first);
		part->first_default = one->first_default;
	} else {
		keep_common(&part->types, &one->first);
		if (!part->later_default)
			part->later_default = same_list(&one->first, &part->first)
						  ? one->first_default
						  : adapted_default(&part->first, one->first_default);
	}
	if (part->time_ns == 0 || one->time_ns < part->time_ns)
		part->time_ns = one->time_ns;
	part->duration_ns = (int64_t)((uint64_t)part->duration_ns + (uint64_t)one->duration_ns);
	if (part->period == 0 || part->period < one->period)
		part->period = one->period;
	if (!part->doc_url)
		part->doc_url = one->doc_url;
}

/* A finished chunk as pprof sees it from then on: one profile. */
static struct pgofs_header_part as_one(const struct pgofs_header_part *part)
{
	struct pgofs_header_part one = *part;
	one.n_inputs = 1;
	one.first = part->types;
	one.first_default = pgofs_header_default(part);
	one.later_default = 0;
	return one;
}

struct pgofs_header_part pgofs_header_total(const struct pgofs_header *h)
{
	if (h->done.n_inputs == 0)
		return as_one(&h->chunk);
	struct pgofs_header_part total = h->done, chunk = as_one(&h->chunk);
	if (h->chunk.n_inputs)
		join_part(&total, &chunk);
	return as_one(&total);
}

int pgofs_header_own(struct pgofs_tables *names, const struct pgofs_profile *p, struct pgofs_header_own *ret)
{
	*ret = (struct pgofs_header_own){ .time_ns = p->time_ns, .duration_ns = p->duration_ns, .period = p->period };
	int r = intern(names, p, p->default_type, &ret->default_type);
	return r < 0 ? r : intern(names, p, p->doc_url, &ret->doc_url);
}

static struct pgofs_header_part one_part(const struct pgofs_header_own *own, const struct pgofs_types *types)
{
	return (struct pgofs_header_part){ .n_inputs = 1,
					   .first = *types,
					   .types = *types,
					   .first_default = own->default_type,
					   .doc_url = own->doc_url,
					   .time_ns = own->time_ns,
					   .duration_ns = own->duration_ns,
					   .period = own->period };
}

static int read_part(struct pgofs_header_part *one, struct pgofs_tables *names, const struct pgofs_profile *p)
{
	struct pgofs_header_own own;
	struct pgofs_types types = { .n = 0 };
	int r = pgofs_header_own(names, p, &own);
	for (size_t i = 0; r == 0 && i < p->n_types; i++)
		r = intern_type(names, p, p->type[i], &types.v[types.n++]);
	*one = one_part(&own, &types);
	return r;
}

static int mismatch(const struct pgofs_tables *names, const char *what, struct pgofs_type a, struct pgofs_type b,
		    struct pgofs_error *err)
{
	struct pgofs_unit t[] = { unit(names, a.type), unit(names, a.unit), unit(names, b.type), unit(names, b.unit) };
	for (size_t i = 0; i < 4; i++)
		t[i].len = t[i].len < 64 ? t[i].len : 64;
	return pgofs_error_set(err, -EINVAL, "its %s is %.*s/%.*s, that of the others %.*s/%.*s", what, (int)(t[2].len),
			       t[2].name, (int)(t[3].len), t[3].name, (int)(t[0].len), t[0].name, (int)(t[1].len),
			       t[1].name);
}

/* measurement.CommonValueType: the finer unit of the two, or -EINVAL. Ratios are 1 for whom nothing changes. */
static int join_units(const struct pgofs_tables *names, uint32_t *ours, uint32_t theirs, double *ret_ours,
		      double *ret_theirs)
{
	struct pgofs_unit a = unit(names, *ours), b = unit(names, theirs);
	if (!pgofs_units_compatible(a, b))
		return -EINVAL;
	bool finer = pgofs_units_scale(1, b, a) < 1;
	*ret_ours = finer ? pgofs_units_scale(1, a, b) : 1;
	*ret_theirs = finer ? 1 : pgofs_units_scale(1, b, a);
	if (finer)
		*ours = theirs;
	return 0;
}

static int join_period_type(struct pgofs_header *h, const struct pgofs_tables *names, struct pgofs_type theirs,
			    struct pgofs_header_part *one, struct pgofs_error *err)
{
	struct pgofs_type ours = h->period_type;
	double ratio[2];
	if (ours.type != theirs.type || join_units(names, &h->period_type.unit, theirs.unit, &ratio[0], &ratio[1]) < 0)
		return mismatch(names, "period type", ours, theirs, err);
	struct pgofs_unit to = unit(names, h->period_type.unit);
	int64_t *period[] = { &h->done.period, &h->chunk.period };
	for (size_t i = 0; i < 2; i++)
		*period[i] = pgofs_units_int64(pgofs_units_scale(*period[i], unit(names, ours.unit), to));
	one->period = pgofs_units_int64(pgofs_units_scale(one->period, unit(names, theirs.unit), to));
	return 0;
}

/* The types that stay, and the plan for both sides' values. */
static int join_types(struct pgofs_header *h, const struct pgofs_tables *names, const struct pgofs_types *theirs,
		      struct pgofs_plan *plan, struct pgofs_error *err)
{
	struct pgofs_types old = h->types;
	uint32_t times;
	keep_common(&h->types, theirs);
	plan->n = h->types.n;
	plan->reshape = old.n != h->types.n;
	plan->plain = theirs->n == h->types.n;
	if (!h->types.n)
		return pgofs_error_set(err, -EINVAL, "it has no sample type in common with the others");
	for (uint32_t i = 0; i < plan->n; i++) {
		struct pgofs_type *t = &h->types.v[i], was = *t;
		plan->keep[i] = find_type(&old, t->type, &times);
		plan->column[i] = find_type(theirs, t->type, &times);
		struct pgofs_type other = theirs->v[plan->column[i]];
		if (join_units(names, &t->unit, other.unit, &plan->rescale[i], &plan->ratio[i]) < 0)
			return mismatch(names, "sample type", was, other, err);
		plan->reshape |= plan->rescale[i] != 1;
		plan->plain &= plan->column[i] == i && plan->ratio[i] == 1;
	}
	return 0;
}

static int join_first(struct pgofs_header *h, struct pgofs_tables *names, const struct pgofs_profile *p,
		      const struct pgofs_header_part *one, struct pgofs_type period_type)
{
	h->types = one->first;
	keep_common(&h->types, &one->first);
	h->period_type = period_type;
	int r = intern(names, p, p->drop_frames, &h->drop_frames);
	return r < 0 ? r : intern(names, p, p->keep_frames, &h->keep_frames);
}

/* 128 inputs are a chunk; then the next begins. */
static void join_chunk(struct pgofs_header *h, const struct pgofs_header_part *one)
{
	if (pgofs_header_chunk_full(h)) {
		struct pgofs_header_part chunk = as_one(&h->chunk);
		join_part(&h->done, &chunk);
		h->done = as_one(&h->done);
		h->chunk = (struct pgofs_header_part){ 0 };
	}
	join_part(&h->chunk, one);
	h->n_inputs++;
}

int pgofs_header_join(struct pgofs_header *h, struct pgofs_tables *names, const struct pgofs_profile *p,
		      struct pgofs_plan *plan, struct pgofs_error *err)
{
	struct pgofs_header next = *h;
	struct pgofs_header_part one;
	struct pgofs_type period_type;

	if (p->n_types == 0)
		return pgofs_error_set(err, -EINVAL, "it has no sample types");
	int r = read_part(&one, names, p);
	if (r == 0)
		r = intern_type(names, p, p->period_type, &period_type);
	if (r == 0 && h->n_inputs == 0)
		r = join_first(&next, names, p, &one, period_type);
	if (r < 0)
		return pgofs_error_errno(err, r, "reading the header");

	if (h->n_inputs)
		r = join_period_type(&next, names, period_type, &one, err);
	if (r == 0)
		r = join_types(&next, names, &one.first, plan, err);
	if (r < 0)
		return r;
	join_chunk(&next, &one);
	*h = next;
	return 0;
}

void pgofs_header_join_own(struct pgofs_header *h, const struct pgofs_tables *names, const struct pgofs_header_own *own)
{
	struct pgofs_header_part one = one_part(own, &h->types);
	if (h->n_inputs)
		join_period_type(h, names, h->period_type, &one, NULL);
	join_chunk(h, &one);
}

int64_t pgofs_value_scale(int64_t value, double ratio)
{
	return pgofs_units_int64(round((double)value * ratio));
}

bool pgofs_plan_apply(const struct pgofs_plan *plan, int64_t *value)
{
	int64_t chosen[PGOFS_SAMPLE_TYPES_MAX];
	bool converts = false, keep = false;
	for (uint32_t i = 0; i < plan->n; i++) {
		chosen[i] = value[plan->column[i]];
		if (plan->ratio[i] == 1)
			continue;
		converts = true;
		chosen[i] = pgofs_value_scale(chosen[i], plan->ratio[i]);
		keep |= chosen[i] != 0;
	}
	memcpy(value, chosen, plan->n * sizeof *value);
	return keep || !converts;
}
