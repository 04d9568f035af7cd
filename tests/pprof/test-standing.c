/* Standing merges: what stands in them, what does not and why, and that runs come and go. That the bytes are those of a merge at once, the judge and
 * the fuzzer hold against all that is odd. */
#include "made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MADE(name) _cleanup_(made_freep) struct made *name
#define BUF        _cleanup_(pgofs_buf_done) struct pgofs_buf
#define RUN(name)                                                                                                      \
	_cleanup_(pgofs_run_freep) struct pgofs_run *name = NULL;                                                      \
	cr_assert_eq(pgofs_run_new(&name, NULL), 0)
#define STANDING(name)                                                                                                 \
	_cleanup_(pgofs_standing_freep) struct pgofs_standing *name = NULL;                                            \
	cr_assert_eq(pgofs_standing_new(&name, NULL), 0)

static int add(struct pgofs_standing *s, struct pgofs_run *run, const struct made *m, struct pgofs_error *err)
{
	BUF raw = PGOFS_BUF(PGOFS_RAW_MAX);
	made_pack(m, &raw);
	return pgofs_run_add(s, run, raw.data, raw.len, err);
}

#define EXPECT_PROFILE(standing, runs, n, ...)                                                                         \
	do {                                                                                                           \
		BUF _got = PGOFS_BUF(PGOFS_RAW_MAX), _wanted = PGOFS_BUF(PGOFS_RAW_MAX);                               \
		struct pgofs_error _err = { "" };                                                                      \
		cr_assert_eq(pgofs_standing_encode((standing), (runs), (n), &_got, &_err), 0, "%s", _err.text);        \
		MERGE_MADE(PGOFS_VIEW_PPROF, &_wanted, __VA_ARGS__);                                                   \
		cr_expect(_got.len == _wanted.len && memcmp(_got.data, _wanted.data, _got.len) == 0);                  \
	} while (0)

/* One usable profile, with a sample of its own, at another place in memory. */
static struct made *made_at(uint64_t moved, const char *name, int64_t count)
{
	struct made *m = made_usable();
	m->p->mapping[0]->memory_start += moved;
	m->p->mapping[0]->memory_limit += moved;
	for (size_t i = 0; i < m->p->n_location; i++)
		m->p->location[i]->address += moved;
	MADE_SAMPLE(m, count, count * 10000000, made_location(m, 0x405000 + moved, made_function(m, name, 5), 7), 1);
	return m;
}

Test(standing, makes_of_each_sequence_of_runs_what_a_merge_makes_of_their_inputs)
{
	STANDING(s);
	RUN(one);
	RUN(two);
	RUN(three);
	MADE(a) = made_at(0, "main.a", 1);
	MADE(b) = made_at(0x1000, "main.b", 2);
	MADE(c) = made_at(0x555500000, "main.c", 3);
	MADE(d) = made_at(0x7000, "main.a", 4);
	cr_assert_eq(add(s, two, c, NULL), 0);
	cr_assert_eq(add(s, one, a, NULL), 0);
	cr_assert_eq(add(s, one, b, NULL), 0);
	cr_assert_eq(add(s, two, d, NULL), 0);
	cr_assert_eq(add(s, three, a, NULL), 0);
	cr_expect_eq(pgofs_run_count(one), 2);
	EXPECT_PROFILE(s, ((struct pgofs_run *[]){ one, two, three }), 3, a, b, c, d, a);
	EXPECT_PROFILE(s, ((struct pgofs_run *[]){ two, one }), 2, c, d, a, b);
	EXPECT_PROFILE(s, ((struct pgofs_run *[]){ three, two }), 2, a, c, d);
	cr_assert_eq(add(s, three, b, NULL), 0);
	EXPECT_PROFILE(s, ((struct pgofs_run *[]){ three }), 1, a, b);
}

Test(standing, is_left_as_it_was_by_a_broken_input)
{
	STANDING(s);
	RUN(run);
	struct pgofs_error err = { "" };
	MADE(a) = made_at(0, "main.a", 1);
	MADE(b) = made_at(0, "main.b", 2);
	MADE(broken) = made_at(0, "main.c", 3);
	broken->p->sample[0]->location_id[0] = 77;
	cr_assert_eq(add(s, run, a, NULL), 0);
	cr_expect_eq(add(s, run, broken, &err), -EINVAL);
	cr_expect_str_eq(err.text, "a sample names location 77, which is not there");
	cr_assert_eq(add(s, run, b, NULL), 0);
	cr_expect_eq(pgofs_run_count(run), 2);
	EXPECT_PROFILE(s, &run, 1, a, b);
}

Test(standing, takes_values_that_are_no_fixed_number_of_times_the_first)
{
	STANDING(s);
	RUN(one);
	RUN(two);
	MADE(a) = made_at(0, "main.a", 1);
	MADE(b) = made_at(0, "main.b", 2);
	a->p->sample[0]->value[1] = 77;
	b->p->sample[0]->value[0] = 0;
	b->p->sample[1]->value[0] = INT64_C(1) << 40;
	cr_assert_eq(add(s, one, a, NULL), 0);
	cr_assert_eq(add(s, two, b, NULL), 0);
	EXPECT_PROFILE(s, ((struct pgofs_run *[]){ one, two, one }), 3, a, b, a);
}

Test(standing, forgets_what_no_run_has)
{
	STANDING(s);
	RUN(kept);
	MADE(a) = made_at(0, "main.a", 1);
	MADE(b) = made_at(0x1000, "main.b", 2);
	for (int i = 0; i < 500; i++) {
		char name[32];
		snprintf(name, sizeof name, "main.gone%d", i);
		MADE(gone) = made_at(0, name, 1);
		RUN(run);
		cr_assert_eq(add(s, run, gone, NULL), 0);
	}
	cr_assert_eq(add(s, kept, a, NULL), 0);
	cr_assert_eq(add(s, kept, b, NULL), 0);
	size_t before = pgofs_standing_memory_bytes(s);
	EXPECT_PROFILE(s, &kept, 1, a, b);
	cr_assert_eq(pgofs_standing_tidy(s, &kept, 1, 10000, NULL), 0);
	cr_expect_eq(pgofs_standing_memory_bytes(s), before, "so much may be of no use");
	cr_assert_eq(pgofs_standing_tidy(s, &kept, 1, 100, NULL), 0);
	cr_expect_lt(pgofs_standing_memory_bytes(s), before / 2);
	EXPECT_PROFILE(s, &kept, 1, a, b);
	cr_assert_eq(add(s, kept, a, NULL), 0);
	EXPECT_PROFILE(s, &kept, 1, a, b, a);
}

/* Whether a profile that was changed so stands after one that was not; the words, where it does not. */
static void expect_unfit(struct made *changed, const char *words)
{
	STANDING(s);
	RUN(run);
	struct pgofs_error err = { "" };
	MADE(usual) = made_usable();
	cr_assert_eq(add(s, run, usual, NULL), 0);
	cr_expect_eq(add(s, run, changed, &err), -EDOM);
	cr_expect_not_null(strstr(err.text, words), "\"%s\" in \"%s\"", words, err.text);
}

Test(standing, does_not_take_what_depends_on_the_others)
{
	MADE(negative) = made_usable();
	negative->p->sample[0]->value[0] = -1;
	expect_unfit(negative, "values below 0");

	MADE(other_type) = made_usable();
	made_type(other_type, "more", "count");
	expect_unfit(other_type, "another kind");

	MADE(other_period) = made_usable();
	other_period->p->period_type->unit = made_string(other_period, "seconds");
	expect_unfit(other_period, "another kind");

	MADE(dropping) = made_usable();
	dropping->p->drop_frames = made_string(dropping, "main");
	expect_unfit(dropping, "another kind");

	MADE(columns) = made_usable();
	made_inline(columns, 1, 2, 33);
	columns->p->location[0]->line[0]->column = 5;
	expect_unfit(columns, "columns of inlined lines");

	MADE(huge) = made_usable();
	huge->p->sample[0]->value[0] = INT64_MAX;
	expect_unfit(huge, "add up to too much");
}

/* Where its own samples do not say which, an input before it in the run may. */
Test(standing, does_not_begin_a_run_with_one_mapping_in_two_places)
{
	STANDING(s);
	RUN(run);
	RUN(other);
	struct pgofs_error err = { "" };
	MADE(usual) = made_usable();
	MADE(twice) = made_usable();
	made_mapping(twice, 0x900000, 0xa00000, "build1");
	twice->p->location[1]->mapping_id = 2;
	cr_assert_eq(add(s, run, usual, NULL), 0);
	cr_assert_eq(add(s, run, twice, NULL), 0);
	EXPECT_PROFILE(s, &run, 1, usual, twice);
	cr_expect_eq(add(s, other, twice, &err), -EDOM);
	cr_expect_not_null(strstr(err.text, "in two places"), "%s", err.text);
}

/* Its first mapping is not used by the one that is merged first of all; of more than 128, which do not matters. */
static struct made *made_with_first(const char *build, uint64_t start)
{
	struct made *m = made_usable();
	Pprof__Mapping *first = made_mapping(m, start, start + 0x1000, build);
	m->p->mapping[1] = m->p->mapping[0];
	m->p->mapping[0] = first;
	return m;
}

Test(standing, keeps_first_mappings_that_no_sample_uses)
{
	STANDING(s);
	struct pgofs_run *run[90] = { NULL };
	struct made *m[90];
	for (uint64_t i = 0; i < 90; i++) {
		char build[16];
		snprintf(build, sizeof build, "first%02u", (unsigned)i);
		m[i] = made_with_first(build, 0x900000 + i * 0x100000);
		cr_assert_eq(pgofs_run_new(&run[i], NULL), 0);
		cr_assert_eq(add(s, run[i], m[i], NULL), 0);
	}
	for (size_t i = 0; i < 88; i++)
		EXPECT_PROFILE(s, run + i, 2, m[i], m[i + 1]);
	for (size_t i = 0; i < 90; i++) {
		pgofs_run_free(run[i]);
		made_free(m[i]);
	}
}

Test(standing, of_more_than_128_does_not_take_one_that_does_not_use_its_first_mapping)
{
	STANDING(s);
	RUN(run);
	RUN(odd);
	MADE(usual) = made_usable();
	MADE(first) = made_with_first("first", 0x900000);
	BUF out = PGOFS_BUF(PGOFS_RAW_MAX);
	for (int i = 0; i < 127; i++)
		cr_assert_eq(add(s, run, usual, NULL), 0);
	cr_assert_eq(add(s, odd, first, NULL), 0);
	struct pgofs_run *both[] = { run, odd };
	cr_expect_eq(pgofs_standing_encode(s, both, 2, &out, NULL), 0);
	cr_assert_eq(add(s, run, usual, NULL), 0);
	cr_expect_eq(pgofs_standing_encode(s, both, 2, &out, NULL), -EDOM);
	cr_expect_eq(pgofs_standing_encode(s, &run, 1, &out, NULL), 0);
}

/* A fleet that is built again and again while its window goes on. */
Test(standing, goes_on_through_any_number_of_builds)
{
	STANDING(s);
	for (unsigned i = 0; i < 500; i++) {
		char build[16];
		RUN(run);
		MADE(a) = made_usable();
		MADE(b) = made_usable();
		snprintf(build, sizeof build, "build%03u", i);
		a->p->mapping[0]->build_id = b->p->mapping[0]->build_id = made_string(a, build);
		cr_assert_eq(made_string(b, build), a->p->mapping[0]->build_id);
		cr_assert_eq(add(s, run, a, NULL), 0);
		cr_assert_eq(add(s, run, b, NULL), 0);
		EXPECT_PROFILE(s, &run, 1, a, b);
		cr_assert_eq(pgofs_standing_tidy(s, &run, 1, 65536, NULL), 0);
		EXPECT_PROFILE(s, &run, 1, a, b);
	}
}

/* A name too costly to match, in an input that is gone, says nothing of those that are there. */
Test(standing, drops_frames_whatever_was_in_it_before)
{
	const char *explodes = "(a|aa)+$x|(a|aa|aaa)+b|drop.me",
		   *costly = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac";
	STANDING(s);
	RUN(gone);
	RUN(run);
	MADE(x) = made_at(0, costly, 1);
	MADE(y) = made_at(0, "drop.me", 2);
	x->p->drop_frames = made_string(x, explodes);
	y->p->drop_frames = made_string(y, explodes);
	cr_assert_eq(add(s, gone, x, NULL), 0);
	cr_assert_eq(add(s, run, y, NULL), 0);
	cr_assert_eq(add(s, run, y, NULL), 0);
	EXPECT_PROFILE(s, &run, 1, y, y);
}

Test(standing, is_left_as_it_was_by_one_past_a_limit)
{
	STANDING(s);
	RUN(run);
	BUF raw = PGOFS_BUF(PGOFS_RAW_MAX);
	struct pgofs_error err = { "" };
	const size_t too_many = ((size_t)1 << 24) + 1;
	MADE(a) = made_usable();
	made_pack(a, &raw);
	cr_assert_eq(pgofs_buf_reserve(&raw, 2 * too_many), 0);
	for (size_t i = 0; i < too_many; i++)
		memcpy(raw.data + raw.len + 2 * i, "\x32", 2); /* one string more, "" */
	raw.len += 2 * too_many;
	cr_assert_eq(add(s, run, a, NULL), 0);
	cr_expect_eq(pgofs_run_add(s, run, raw.data, raw.len, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "more than 16777216 entries"), "%s", err.text);
	cr_assert_eq(add(s, run, a, NULL), 0);
	EXPECT_PROFILE(s, &run, 1, a, a);
}

Test(standing, of_less_than_two_inputs_is_none)
{
	STANDING(s);
	RUN(none);
	RUN(one);
	MADE(a) = made_usable();
	BUF out = PGOFS_BUF(PGOFS_RAW_MAX);
	cr_expect_eq(pgofs_standing_encode(s, &none, 1, &out, NULL), -EDOM);
	cr_assert_eq(add(s, one, a, NULL), 0);
	cr_expect_eq(pgofs_standing_encode(s, ((struct pgofs_run *[]){ none, one }), 2, &out, NULL), -EDOM);
}
