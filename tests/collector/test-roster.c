#include "config.h"
#include "roster.h"
#include "schedule.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <stdio.h>

#define ROUND PGOFS_NS_PER_HOUR

static struct job job;
static const struct roster_config config = { .interval_ns = ROUND, .duration_ns = PGOFS_NS_PER_MIN, .seed = 7 };

/* Targets FIRST..LAST of app "a". */
static void set(struct roster *r, int first, int last, int64_t now)
{
	struct targets list = { 0 };
	for (int i = first; i <= last; i++) {
		char name[16];
		struct target t;
		snprintf(name, sizeof name, "t%02d", i);
		struct target_words words = { "a", name, "http://h:1", &job, PGOFS_NS_PER_S };
		cr_assert_eq(target_init(&t, &words, NULL), 0);
		cr_assert_eq(targets_consume(&list, &t), 0);
	}
	targets_unique(&list, NULL);
	cr_assert_eq(roster_set(r, &list, now), 0);
}

/* Plays until `until`, every start ending at once; counts starts into `starts` by target. Returns how many. */
static int play(struct roster *r, int64_t *now, int64_t until, int starts[100])
{
	int n = 0;
	for (;;) {
		struct slot *s = roster_due(r, *now);
		if (s) {
			int which;
			cr_assert_eq(sscanf(s->target.source, "t%d", &which), 1);
			starts[which]++;
			n++;
			roster_started(r, s);
			roster_finished(r, s, false, *now);
			continue;
		}
		int64_t wake = roster_wake_ns(r);
		cr_assert(wake > *now, "the loop would spin");
		if (wake >= until) {
			*now = until;
			roster_due(r, until - 1);
			return n;
		}
		*now = wake;
	}
}

Test(roster, starts_everybody_once_a_round)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	int starts[100] = { 0 };
	job.replicas = 0;
	roster_init(&r, &config, now);
	set(&r, 0, 49, now);
	cr_assert_eq(play(&r, &now, 13 * ROUND, starts), 150);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(starts[i], 3);
	roster_done(&r);
}

Test(roster, starts_k_of_n_a_round_and_others_in_the_next)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	int starts[100] = { 0 };
	job.replicas = 3;
	roster_init(&r, &config, now);
	set(&r, 0, 9, now);
	for (int round = 11; round <= 40; round++)
		cr_assert_eq(play(&r, &now, round * ROUND, starts), 3, "round %d", round);
	for (int i = 0; i < 10; i++) /* 9 of 30 expected */
		cr_assert(starts[i] >= 2 && starts[i] <= 18, "%d: %d", i, starts[i]);
	roster_done(&r);
}

Test(roster, starts_no_more_than_k_when_others_come_in_mid_round)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	int starts[100] = { 0 };
	job.replicas = 4;
	roster_init(&r, &config, now);
	set(&r, 0, 9, now);
	int n = play(&r, &now, 10 * ROUND + ROUND / 2, starts);
	set(&r, 0, 30, now);
	n += play(&r, &now, 11 * ROUND, starts);
	cr_assert(n <= 4, "%d", n);
	cr_assert_eq(play(&r, &now, 12 * ROUND, starts), 4);
	roster_done(&r);
}

Test(roster, never_starts_a_target_that_is_in_flight)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	job.replicas = 0;
	roster_init(&r, &config, now);
	set(&r, 0, 0, now);
	now = roster_wake_ns(&r);
	struct slot *s = roster_due(&r, now);
	cr_assert_not_null(s);
	roster_started(&r, s);
	cr_assert_null(roster_due(&r, now + 5 * ROUND));
	cr_assert_eq(roster_wake_ns(&r), INT64_MAX);
	roster_finished(&r, s, false, now + 5 * ROUND);
	cr_assert_not_null(roster_due(&r, now + 6 * ROUND));
	roster_done(&r);
}

Test(roster, keeps_a_target_that_goes_and_comes_in_flight)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	job.replicas = 0;
	roster_init(&r, &config, now);
	set(&r, 0, 1, now);
	now = 11 * ROUND - 1;
	struct slot *a = roster_due(&r, now);
	roster_started(&r, a);
	struct slot *b = roster_due(&r, now);
	roster_started(&r, b);
	cr_assert_null(roster_due(&r, now));

	set(&r, 5, 5, now); /* both go */
	cr_assert_eq(r.n, 3);
	struct targets none = { 0 };
	set(&r, 0, 0, now); /* one comes back */
	cr_assert_eq(r.n, 2);
	roster_finished(&r, a, false, now);
	roster_finished(&r, b, false, now);
	cr_assert_eq(r.n, 1);
	cr_assert_eq(r.n_in_flight, 0);
	cr_assert_eq(roster_set(&r, &none, now), 0);
	cr_assert_eq(r.n, 0);
	roster_done(&r);
}

Test(roster, tries_a_busy_target_again_in_the_same_round)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	job.replicas = 0;
	roster_init(&r, &config, now);
	set(&r, 0, 0, now);
	int64_t first = roster_wake_ns(&r);
	int n = 0;
	for (now = first; now < first + ROUND; now = roster_wake_ns(&r)) {
		struct slot *s = roster_due(&r, now);
		cr_assert_not_null(s);
		roster_started(&r, s);
		roster_finished(&r, s, true, now + PGOFS_NS_PER_S);
		n++;
	}
	cr_assert(n >= 4 && n <= 12, "%d tries", n);
	cr_assert_eq(now, first + ROUND); /* and the regular start is where it was */
	roster_done(&r);
}

Test(roster, starts_everybody_at_once_when_it_is_for_once)
{
	struct roster r;
	struct roster_config once = config;
	int64_t now = 10 * ROUND + 5;
	once.once = true;
	job.replicas = 0;
	roster_init(&r, &once, now);
	set(&r, 0, 4, now);
	for (int i = 0; i < 5; i++) {
		struct slot *s = roster_due(&r, now);
		cr_assert_not_null(s);
		roster_started(&r, s);
		roster_finished(&r, s, true, now);
	}
	cr_assert_null(roster_due(&r, now));
	cr_assert_eq(roster_wake_ns(&r), INT64_MAX);
	roster_done(&r);
}

Test(roster, counts_the_rounds_in_which_somebody_had_no_turn)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	int starts[100] = { 0 };
	job.replicas = 0;
	roster_init(&r, &config, now);
	set(&r, 0, 1, now);
	cr_assert_eq(play(&r, &now, 12 * ROUND, starts), 4);
	cr_assert_eq(r.n_missed, 0);
	now = 14 * ROUND + ROUND - 1; /* so long nobody was free */
	for (int i = 0; i < 2; i++) {
		struct slot *s = roster_due(&r, now);
		cr_assert_not_null(s);
		roster_started(&r, s);
		roster_finished(&r, s, false, now);
	}
	cr_assert_eq(r.n_missed, 4);
	roster_done(&r);
}

Test(roster, takes_nobodys_turn_away_with_a_new_configuration)
{
	struct roster r;
	int64_t now = 10 * ROUND;
	int starts[100] = { 0 };
	job.replicas = 0;
	roster_init(&r, &config, now);
	set(&r, 0, 9, now);
	cr_assert_eq(play(&r, &now, 11 * ROUND, starts), 10);
	now += ROUND / 2; /* of the next round, of which nobody has told it yet: five or so are late */
	roster_configure(&r, &config, now);
	cr_assert_eq(play(&r, &now, 12 * ROUND, starts), 10);
	roster_done(&r);
}
