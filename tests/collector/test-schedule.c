#include "schedule.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HOUR PGOFS_NS_PER_HOUR

Test(schedule, gives_a_target_one_place_in_every_round)
{
	uint64_t hash = schedule_hash("shop", "web-1");
	int64_t first = schedule_next(hash, HOUR, 1000 * HOUR);
	cr_assert(first >= 1000 * HOUR && first < 1001 * HOUR);
	cr_assert_eq(schedule_next(hash, HOUR, first), first);
	cr_assert_eq(schedule_next(hash, HOUR, first + 1), first + HOUR);
	cr_assert_eq(schedule_next(hash, HOUR, 1001 * HOUR), first + HOUR);
}

Test(schedule, knows_rounds_on_both_sides_of_zero)
{
	cr_assert_eq(schedule_round(10, 0), 0);
	cr_assert_eq(schedule_round(10, 9), 0);
	cr_assert_eq(schedule_round(10, 10), 1);
	cr_assert_eq(schedule_round(10, -1), -1);
	cr_assert_eq(schedule_round(10, -10), -1);
	cr_assert_eq(schedule_round(10, -11), -2);
}

Test(schedule, spreads_a_fleet_evenly_over_the_interval)
{
	int in_minute[60] = { 0 };
	for (int i = 0; i < 6000; i++) {
		char name[32];
		snprintf(name, sizeof name, "web-%d", i);
		in_minute[schedule_next(schedule_hash("shop", name), HOUR, 0) / PGOFS_NS_PER_MIN]++;
	}
	for (int i = 0; i < 60; i++) /* 100 expected; five standard deviations */
		cr_assert(in_minute[i] > 50 && in_minute[i] < 150, "minute %d: %d", i, in_minute[i]);
}

Test(schedule, tells_an_app_from_a_name)
{
	cr_assert_neq(schedule_hash("a", "bc"), schedule_hash("ab", "c"));
	cr_assert_neq(schedule_hash("", "a"), schedule_hash("a", ""));
}

Test(schedule, retries_within_the_round_or_not_at_all)
{
	struct schedule_retry r = { .now_ns = 0, .next_ns = HOUR, .duration_ns = PGOFS_NS_PER_MIN, .n_tries = 1 };
	int64_t shortest = schedule_retry(&r);
	cr_assert_eq(shortest, PGOFS_NS_PER_MIN / 2);
	r.random = PGOFS_NS_PER_MIN - 1;
	cr_assert_eq(schedule_retry(&r), PGOFS_NS_PER_MIN / 2 + PGOFS_NS_PER_MIN - 1);
	r.random = 0;
	for (r.n_tries = 2; r.n_tries < 100; r.n_tries++) {
		int64_t at = schedule_retry(&r);
		cr_assert(at >= shortest && at + r.duration_ns < r.next_ns);
		shortest = at;
	}
	r.next_ns = shortest + r.duration_ns;
	cr_assert_eq(schedule_retry(&r), -1);
}

static size_t choose(struct candidate *candidates, size_t n, size_t k, uint64_t seed)
{
	size_t chosen = 0;
	schedule_choose(candidates, n, k, seed);
	for (size_t i = 0; i < n; i++)
		chosen += candidates[i].chosen != 0;
	return chosen;
}

Test(schedule, chooses_exactly_k_and_in_the_end_everybody)
{
	struct candidate c[20] = { { 0 } };
	int times[20] = { 0 };
	for (size_t i = 0; i < 20; i++)
		c[i].hash = schedule_hash("", (char[]){ (char)('a' + i), '\0' });
	cr_assert_eq(choose(c, 20, 0, 1), 20);
	cr_assert_eq(choose(c, 20, 20, 1), 20);
	cr_assert_eq(choose(c, 20, 21, 1), 20);
	for (uint64_t seed = 0; seed < 1000; seed++) {
		cr_assert_eq(choose(c, 20, 5, seed), 5);
		for (size_t i = 0; i < 20; i++)
			times[i] += c[i].chosen;
	}
	for (size_t i = 0; i < 20; i++) /* 250 expected */
		cr_assert(times[i] > 180 && times[i] < 320, "%zu: %d", i, times[i]);
}

Test(schedule, counts_who_has_started_among_the_chosen)
{
	struct candidate c[10] = { { 0 } };
	for (size_t i = 0; i < 10; i++)
		c[i].hash = i;
	c[3].started = c[7].started = 1;
	for (uint64_t seed = 0; seed < 50; seed++) {
		cr_assert_eq(choose(c, 10, 3, seed), 3);
		cr_assert(c[3].chosen && c[7].chosen);
		cr_assert_eq(choose(c, 10, 1, seed), 1);
	}
}
