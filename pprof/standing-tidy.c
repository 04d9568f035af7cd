/* A standing merge only grows, while a window goes on: in time most of its samples are of inputs that are gone. Then its tables are made anew
 * from the samples its runs have, and the runs told the new numbers. Mappings that go on in samples come first, since the first 63 alone can be. */
#include "standing.h"

#include <pgofs/cleanup.h>

/* All samples that the runs have, in s->sample. */
static int list_all(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n)
{
	int r = pgofs_standing_close(s);
	pgofs_round_begin(s);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = pgofs_round_add_run(s, &runs[i]->sums);
	return r;
}

static int move_string(struct pgofs_tables *to, const struct pgofs_tables *from, uint32_t *number)
{
	const struct pgofs_string *text = &from->strings.v[*number];
	return pgofs_string_add(to, text->data, text->len, number);
}

static int move_mapping(struct pgofs_tables *to, const struct pgofs_tables *from, struct pgofs_seen_mapping *m)
{
	struct pgofs_hash key = *pgofs_index_key(&from->mappings.index, m->number);
	struct pgofs_mapping place = { .start = from->mappings.v[m->number].start };
	int r = move_string(to, from, &m->as.file);
	if (r == 0)
		r = move_string(to, from, &m->as.build_id);
	m->number = pgofs_index_find(&to->mappings.index, key);
	return r == 0 && m->number == PGOFS_NONE ? pgofs_mappings_insert(to, key, &place, &m->number) : r;
}

static int move_run(struct pgofs_tables *to, const struct pgofs_tables *from, struct pgofs_run *run,
		    const uint32_t *number)
{
	int r = run->n ? move_mapping(to, from, &run->first) : 0;
	run->mappings = 0;
	for (size_t i = 0; r == 0 && i < run->n_mappings; i++) {
		r = move_mapping(to, from, &run->mapping[i]);
		run->mappings |= UINT64_C(1) << run->mapping[i].number;
	}
	for (size_t i = 0; i < run->sums.n; i++)
		run->sums.sample[i] = number[run->sums.sample[i]];
	return r;
}

/* Tables of just the samples in s->sample, and the runs moved to them. `number` has room for all old numbers. */
static int make_anew(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, uint32_t *number)
{
	struct pgofs_tables fresh;
	int r = pgofs_tables_init(&fresh, s->tables.n_types, s->tables.values_begin);
	if (r < 0)
		return r;
	r = pgofs_tables_compact(&fresh, &s->tables, s->sample, s->n);
	for (size_t i = 0; i < s->n; i++)
		number[s->sample[i]] = (uint32_t)i;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = move_run(&fresh, &s->tables, runs[i], number);
	pgofs_tables_done(&s->tables);
	s->tables = fresh;
	pgofs_standing_describe(s, 0);
	return r;
}

/* Of how many samples the last profile was made tells whether it is time. */
static bool samples_are_useless(const struct pgofs_standing *s, size_t spare)
{
	size_t useless = s->tables.samples.n - s->n;
	return useless > s->n && useless > spare;
}

/* Each build of a program is another mapping. */
static bool mappings_run_out(const struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n)
{
	uint64_t used = 0;
	for (size_t i = 0; i < n; i++)
		used |= runs[i]->mappings | (runs[i]->first.number < 64 ? UINT64_C(1) << runs[i]->first.number : 0);
	size_t all = s->tables.mappings.n, useless = all - (size_t)__builtin_popcountll(used);
	return all > PGOFS_STANDING_MAPPINGS * 3 / 4 && useless > PGOFS_STANDING_MAPPINGS / 8;
}

int pgofs_standing_tidy(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, size_t spare,
			struct pgofs_error *err)
{
	if (!s->begun || s->open || !(samples_are_useless(s, spare) || mappings_run_out(s, runs, n)))
		return 0;
	_cleanup_(pgofs_freep) uint32_t *number = malloc(s->tables.samples.n * sizeof *number);
	int r = number ? list_all(s, runs, n) : -ENOMEM;
	if (r == 0)
		r = make_anew(s, runs, n, number);
	return r < 0 ? pgofs_error_errno(err, r, "tidying a merge") : 0;
}
