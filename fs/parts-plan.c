/* Memory is looked through from the top down; what is missing of hours and days that are over is asked of the storage, days first, then
 * the hours of days that are not there, all of one kind side by side. An hour of which the window has only some minutes is asked for by
 * the fingerprint of the whole hour, which the listing tells.
 *
 * Whether an hour is whole is a question of what is listed, not of the window: it is, when none of its profiles was left out. What is kept
 * in memory, but is not known to be stored, is asked for too: a mount that watched an hour go by is the one that can store it. */
#include "parts-plan.h"

#include "parallel.h"

#include <pgofs/units.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_PARALLEL 16

/* A rollup of fewer inputs is not worth its request. */
#define INPUTS_MIN 8

/* Profiles are late by so much: until then an hour is not over. */
#define LATE_NS (10 * PGOFS_NS_PER_MIN)

void pgofs_parts_plan_done(struct pgofs_parts_plan *p)
{
	for (size_t i = 0; p->v && i < p->parts->n; i++)
		pgofs_bytes_unref(p->v[i].bytes);
	free(p->v);
	p->v = NULL;
}

static const struct pgofs_input *first_of(const struct pgofs_parts_plan *p, size_t part)
{
	return &p->parts->inputs[p->parts->order[p->parts->v[part].first]];
}

/* Is nothing left out of these instants? */
static bool is_whole(const struct pgofs_selection *s, int64_t from_ns, int64_t to_ns)
{
	return from_ns > s->before_ns && to_ns <= s->after_ns;
}

bool pgofs_parts_plan_rollup(const struct pgofs_parts_plan *p, size_t part, bool day, struct pgofs_rollup *ret)
{
	const struct pgofs_part *v = &p->parts->v[part];
	const struct pgofs_input *first = first_of(p, part);
	int64_t length_ns = day ? PGOFS_NS_PER_DAY : PGOFS_NS_PER_HOUR;
	int64_t from_ns = first->taken_ns - first->taken_ns % length_ns, to_ns = from_ns + length_ns;
	if (!(day ? v->is_day : v->is_hour) || v->n < INPUTS_MIN || to_ns + LATE_NS > p->now_ns ||
	    !is_whole(p->selection, from_ns, to_ns))
		return false;
	*ret = (struct pgofs_rollup){
		.dir = first->dir,
		.of = day ? PGOFS_ROLLUP_DAY : (int)(from_ns % PGOFS_NS_PER_DAY / PGOFS_NS_PER_HOUR),
		.fingerprint = v->fingerprint,
	};
	return true;
}

unsigned pgofs_parts_plan_minute(const struct pgofs_parts_plan *p, size_t part)
{
	return (unsigned)(first_of(p, part)->taken_ns % PGOFS_NS_PER_HOUR / PGOFS_NS_PER_MIN);
}

static bool stores_minutes(const struct pgofs_parts_plan *p, size_t part)
{
	return p->v[part].store_hour && p->parts->v[part].n >= PGOFS_PARTS_MINUTES_MIN;
}

uint32_t pgofs_parts_plan_hour_of(const struct pgofs_parts_plan *p, size_t part)
{
	uint32_t hour = (uint32_t)part;
	if (!p->parts->v[part].is_minute)
		return PGOFS_PART_NONE;
	while (hour != PGOFS_PART_NONE && !p->parts->v[hour].is_hour)
		hour = p->parts->v[hour].parent;
	return hour != PGOFS_PART_NONE && stores_minutes(p, hour) ? hour : PGOFS_PART_NONE;
}

void pgofs_parts_plan_day(const struct pgofs_parts_plan *p, size_t part, struct pgofs_rollups_of_day *ret)
{
	const struct pgofs_input *first = first_of(p, part);
	int64_t day_ns = first->taken_ns - first->taken_ns % PGOFS_NS_PER_DAY;
	*ret = (struct pgofs_rollups_of_day){ .dir = first->dir };
	for (int hour = 0; hour < PGOFS_ROLLUP_DAY; hour++)
		ret->known[hour] = is_whole(p->selection, day_ns + hour * PGOFS_NS_PER_HOUR,
					    day_ns + (hour + 1) * PGOFS_NS_PER_HOUR);
	ret->known[PGOFS_ROLLUP_DAY] = is_whole(p->selection, day_ns, day_ns + PGOFS_NS_PER_DAY);
	for (size_t i = 0; i < p->parts->n; i++) {
		const struct pgofs_part *v = &p->parts->v[i];
		const struct pgofs_input *input = first_of(p, i);
		if (input->dir != first->dir)
			continue;
		if (v->is_hour)
			ret->fingerprint[input->taken_ns % PGOFS_NS_PER_DAY / PGOFS_NS_PER_HOUR] = v->fingerprint;
		if (v->is_day)
			ret->fingerprint[PGOFS_ROLLUP_DAY] = v->fingerprint;
	}
}

/* ---- in memory ---- */

static int look(struct pgofs_parts_plan *p)
{
	for (size_t i = p->parts->n; i-- > 0;) {
		struct pgofs_parts_entry *e = &p->v[i];
		uint32_t parent = p->parts->v[i].parent;
		const struct pgofs_parts_entry *above = parent == PGOFS_PART_NONE ? NULL : &p->v[parent];
		e->in_full |= above && above->in_full && !p->parts->v[parent].is_minute && !p->parts->v[i].is_minute;
		e->needed = e->in_full || !above || (above->needed && !above->bytes);
		if (e->in_full)
			pgofs_bytes_unref(STEAL(e->bytes));
		if (e->needed && !e->in_full && !e->bytes &&
		    pgofs_parts_kept_find(p->kept, p->parts->v[i].fingerprint, &e->bytes) == -EDOM)
			return -EDOM;
	}
	return 0;
}

/* ---- in storage ---- */

struct question {
	uint32_t part;
	struct pgofs_rollup which;
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE]; /* of the whole hour, where `minutes` */
	bool minutes;
	unsigned first, end;
	struct pgofs_bytes *bytes; /* the answer; NULL where it is not there */
};

struct asking {
	struct pgofs_rollups *rollups;
	struct question *v;
	size_t n, cap;
};

static void asking_done(struct asking *a)
{
	for (size_t i = 0; i < a->n; i++)
		pgofs_bytes_unref(a->v[i].bytes);
	free(a->v);
}

static int add_question(struct asking *a, const struct question *q)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 32;
		struct question *v = reallocarray(a->v, cap, sizeof *v);
		if (!v)
			return -ENOMEM;
		a->v = v;
		a->cap = cap;
	}
	a->v[a->n++] = *q;
	return 0;
}

static int ask_one(void *context, size_t i, struct pgofs_error *unused)
{
	struct asking *a = context;
	struct question *q = &a->v[i];
	if (q->minutes) {
		q->which.fingerprint = q->fingerprint;
		pgofs_rollups_get_minutes(a->rollups, &q->which, q->first, q->end, &q->bytes);
	} else {
		pgofs_rollups_get(a->rollups, &q->which, &q->bytes);
	}
	return 0;
}

/* Wanted for this merge; or kept, and perhaps to be stored. */
static bool is_asked_for(const struct pgofs_parts_plan *p, size_t part)
{
	const struct pgofs_parts_entry *e = &p->v[part];
	const uint8_t *fingerprint = p->parts->v[part].fingerprint;
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *kept = NULL;
	if (e->needed && !e->bytes)
		return true;
	return pgofs_rollups_may_store(p->rollups) && !pgofs_parts_kept_is_stored(p->kept, fingerprint) &&
	       pgofs_parts_kept_find(p->kept, fingerprint, &kept) == 0;
}

/* The minutes of an hour that are in the window, when each of them is whole: 0; -ENOENT. `inputs` are those of the hour. */
static int find_minutes(const struct pgofs_selection *s, const struct pgofs_input *inputs, size_t n, struct question *q)
{
	bool in[60] = { false }, out[60] = { false };
	q->first = 60;
	q->end = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned minute = (unsigned)(inputs[i].taken_ns % PGOFS_NS_PER_HOUR / PGOFS_NS_PER_MIN);
		if (inputs[i].taken_ns > s->before_ns && inputs[i].taken_ns < s->after_ns) {
			in[minute] = true;
			q->first = minute < q->first ? minute : q->first;
			q->end = minute >= q->end ? minute + 1 : q->end;
		} else {
			out[minute] = true;
		}
	}
	for (unsigned i = 0; i < 60; i++) {
		if (in[i] && out[i])
			return -ENOENT;
	}
	return q->end ? 0 : -ENOENT;
}

/* An hour that the window has a part of: the whole one is known by its fingerprint. */
static int ask_for_minutes(const struct pgofs_parts_plan *p, size_t part, struct asking *a)
{
	const struct pgofs_part *v = &p->parts->v[part];
	const struct pgofs_input *first = first_of(p, part);
	int64_t hour_ns = first->taken_ns - first->taken_ns % PGOFS_NS_PER_HOUR;
	_cleanup_(pgofs_freep) struct pgofs_input *inputs = NULL;
	_cleanup_(pgofs_parts_freep) struct pgofs_parts *hour = NULL;
	struct question q = { .part = (uint32_t)part, .minutes = true };
	size_t n;
	if (!v->is_hour || v->n < INPUTS_MIN || !p->v[part].needed || p->v[part].bytes ||
	    hour_ns + PGOFS_NS_PER_HOUR + LATE_NS > p->now_ns ||
	    is_whole(p->selection, hour_ns, hour_ns + PGOFS_NS_PER_HOUR))
		return 0;
	int r = pgofs_selection_hour(p->selection, first->dir, hour_ns, &inputs, &n);
	if (r < 0 || n < PGOFS_PARTS_MINUTES_MIN || find_minutes(p->selection, inputs, n, &q) < 0)
		return r;
	r = pgofs_parts_new(inputs, n, p->parts->salt, p->parts->salt_len, &hour, NULL);
	if (r < 0)
		return r;
	memcpy(q.fingerprint, hour->v[hour->n - 1].fingerprint, sizeof q.fingerprint);
	q.which.dir = first->dir;
	q.which.of = (int)(hour_ns % PGOFS_NS_PER_DAY / PGOFS_NS_PER_HOUR);
	return add_question(a, &q);
}

static void take_answer(struct pgofs_parts_plan *p, const struct question *q)
{
	struct pgofs_parts_entry *e = &p->v[q->part];
	const uint8_t *fingerprint = p->parts->v[q->part].fingerprint;
	if (q->bytes) {
		pgofs_parts_kept_keep(p->kept, fingerprint, q->bytes);
		if (!q->minutes)
			pgofs_parts_kept_set_stored(p->kept, fingerprint);
		if (!e->bytes)
			e->bytes = pgofs_bytes_ref(q->bytes);
	} else if (!q->minutes && pgofs_rollups_may_store(p->rollups)) {
		e->store_day |= q->which.of == PGOFS_ROLLUP_DAY;
		e->store_hour |= q->which.of != PGOFS_ROLLUP_DAY;
		if (!e->bytes)
			pgofs_parts_kept_find(p->kept, fingerprint, &e->bytes);
	}
}

static int ask_storage(struct pgofs_parts_plan *p, bool days, struct pgofs_error *err)
{
	_cleanup_(asking_done) struct asking a = { .rollups = p->rollups };
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->parts->n; i++) {
		struct question q = { .part = (uint32_t)i };
		if (pgofs_parts_plan_rollup(p, i, days, &q.which) && is_asked_for(p, i))
			r = add_question(&a, &q);
		else if (!days)
			r = ask_for_minutes(p, i, &a);
	}
	if (r == 0)
		r = pgofs_parallel(a.n, N_PARALLEL, p->patience, ask_one, &a, err);
	for (size_t i = 0; r == 0 && i < a.n; i++)
		take_answer(p, &a.v[i]);
	return r < 0 ? r : look(p);
}

/* Where minutes are to be stored they must come by. */
static int expand(struct pgofs_parts_plan *p)
{
	bool any = false;
	for (size_t i = 0; i < p->parts->n; i++) {
		p->v[i].in_full = stores_minutes(p, i) && !p->parts->v[i].is_minute;
		any |= p->v[i].in_full;
	}
	return any ? look(p) : 0;
}

int pgofs_parts_plan_make(struct pgofs_parts_plan *p, struct pgofs_error *err)
{
	p->v = calloc(p->parts->n, sizeof *p->v);
	int r = p->v ? look(p) : -ENOMEM;
	if (r == 0 && p->rollups)
		r = ask_storage(p, true, err);
	if (r == 0 && p->rollups)
		r = ask_storage(p, false, err);
	return r < 0 || !p->rollups ? r : expand(p);
}
