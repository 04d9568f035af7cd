/* Standing merges: a .pprof whose window goes on has the same bytes as a merge at once, whatever comes, goes or is broken; and when little has
 * changed, little is read. */
#include "faulty.h"
#include "model.h"
#include "runs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH "app/merged/last-3d.pprof"

static void open_it(void)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.reads_again = true;
	model_open(&config);
}

TestSuite(standing, .init = open_it, .fini = model_close, .timeout = 300);

static void expect_window(const char *when)
{
	int64_t from_ns = model_now_ns - 3 * PGOFS_NS_PER_DAY;
	expect_same(PATH, PGOFS_VIEW_PPROF, from_ns - from_ns % PGOFS_NS_PER_MIN, INT64_MAX, when);
}

static unsigned fetched(const char *when)
{
	faulty_reset_counts(model_storage);
	expect_window(when);
	return faulty_count(model_storage, FAULTY_GET);
}

static uint64_t stat_of(const char *name)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf stats = PGOFS_BUF(1 << 16);
	cr_assert_eq(pgofs_tree_stats(model_tree, &stats), 0);
	cr_assert_eq(pgofs_buf_append(&stats, "", 1), 0);
	const char *at = strstr((const char *)stats.data, name);
	cr_assert_not_null(at, "%s", name);
	return strtoull(at + strlen(name), NULL, 10);
}

Test(standing, is_the_merge_at_once_while_profiles_come_and_go)
{
	for (int i = 0; i < 500; i++)
		model_add_any(usable());
	expect_window("in the beginning");
	for (int round = 0; round < 60; round++) {
		if (dice(2))
			model_add_any(usable());
		for (uint32_t n = dice(4); n > 0; n--)
			model_drop(dice((uint32_t)n_model));
		expect_window("after a change");
	}
	cr_expect_gt(stat_of("runs_used_total"), 1000);
}

Test(standing, is_the_merge_at_once_while_the_window_moves_on)
{
	for (int i = 0; i < 300; i++)
		model_add_any(usable());
	for (int hour = 0; hour < 60; hour++) {
		model_now_ns += PGOFS_NS_PER_HOUR;
		expect_window("an hour later");
	}
}

Test(standing, is_the_merge_at_once_with_broken_inputs_among_them)
{
	for (int i = 0; i < 300; i++) {
		struct pgofs_bytes *b = usable();
		if (dice(4) == 0)
			b->len = dice((uint32_t)b->len); /* cut */
		model_add_any(b);
	}
	for (int round = 0; round < 10; round++) {
		expect_window("with broken ones");
		model_drop(dice((uint32_t)n_model));
	}
	cr_expect_gt(stat_of("runs_used_total"), 100);
}

Test(standing, is_given_up_where_profiles_of_other_kinds_are_among_them)
{
	for (int i = 0; i < 200; i++)
		model_add_any(usable());
	expect_window("of one kind");
	for (int round = 0; round < 4; round++) {
		struct pgofs_bytes *b = usable();
		bend(b, "nanoseconds", round % 2 ? "millisecond" : "nanosecondZ");
		model_add_any(b);
		expect_window("of several kinds");
	}
	uint64_t made = stat_of("runs_made_total");
	model_add_any(usable());
	expect_window("of several kinds, again");
	cr_expect_leq(stat_of("runs_made_total"), made, "it is not tried in vain");
	for (size_t i = n_model; i-- > 0;)
		if (!memmem(model[i].bytes->data, model[i].bytes->len, "nanoseconds", 11))
			model_drop(i);
	expect_window("of one kind again");
	model_add_any(usable());
	cr_expect_lt(fetched("of one kind, one more"), 40);
}

Test(standing, of_one_usable_profile_is_that_profile)
{
	for (int i = 0; i < 60; i++)
		model_add_any(pgofs_bytes_dup("no profile", 10));
	expect_window("of none");
	model_add_any(usable());
	expect_window("of one");
	model_add_any(usable());
	expect_window("of two");
}

Test(standing, costs_one_run_when_one_profile_comes_or_goes)
{
	unsigned most = 0, sum = 0;
	for (int i = 0; i < 1000; i++)
		model_add_any(usable());
	cr_assert_eq(fetched("all"), 1000);
	for (int round = 0; round < 30; round++) {
		if (round % 2)
			model_add_any(usable());
		else
			model_drop(dice((uint32_t)n_model));
		unsigned n = fetched("one more or less");
		most = n > most ? n : most;
		sum += n;
	}
	cr_expect_leq(most, 40);
	cr_expect_leq(sum / 30, 12, "on average");
}

Test(standing, is_kept_when_the_storage_failed_meanwhile)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *got = NULL;
	for (int i = 0; i < 400; i++)
		model_add_any(usable());
	faulty_rule(model_storage, &(struct faulty_rule){ FAULTY_GET, .after = 300, .times = 1, .error = -EIO });
	cr_assert_eq(pgofs_tree_read(model_tree, PATH, NULL, &got, NULL), -EIO);
	faulty_mend(model_storage);
	cr_expect_lt(fetched("after a failure"), 150, "what had come is not asked for again");
}

Test(standing, is_not_kept_for_a_window_that_is_over)
{
	int64_t to_ns = DAY_NS + PGOFS_NS_PER_DAY;
	for (int i = 0; i < 200; i++)
		model_add_any(usable());
	for (int round = 0; round < 3; round++) {
		expect_same("app/merged/2026-11-22.pprof", PGOFS_VIEW_PPROF, DAY_NS, to_ns, "over");
		model_drop(dice((uint32_t)n_model));
	}
	cr_expect_eq(stat_of("runs_made_total"), 0);
}

static void open_small(void)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.reads_again = true;
	config.memory_bytes = 256 << 10;
	model_open(&config);
}

TestSuite(small, .init = open_small, .fini = model_close, .timeout = 300);

Test(small, standing_merges_that_are_too_large_are_not_kept)
{
	for (int i = 0; i < 300; i++)
		model_add_any(usable());
	expect_window("too large");
	uint64_t made = stat_of("runs_made_total");
	for (int round = 0; round < 5; round++) {
		model_add_any(usable());
		expect_window("too large, one more");
	}
	cr_expect_eq(stat_of("runs_made_total"), made, "it is not tried in vain");
	cr_expect_lt(stat_of("standing_merges_bytes"), 100 << 10);
}

Test(small, standing_merges_whose_runs_are_too_large_are_left_on_the_way)
{
	for (int i = 0; i < 900; i++)
		model_add_any(profile_new("same", 1 + dice(9), 0));
	expect_window("too many runs");
	cr_expect_lt(stat_of("runs_made_total"), 60, "of more than a hundred");
}

/* ---- runs ---- */

static struct pgofs_item items[MODEL_MAX];
static char names[MODEL_MAX][48];

static void name_inputs(struct pgofs_input *inputs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "%06zuZ-w.pprof", i);
		items[i] = (struct pgofs_item){ .name = names[i], .version = "v", .size_bytes = 100 };
		inputs[i] = (struct pgofs_input){ "app/2026/11/22", &items[i], DAY_NS };
	}
}

static size_t n_not_in(const struct pgofs_inputs_runs *r, const struct pgofs_inputs_runs *other)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++) {
		bool has = false;
		for (size_t k = 0; k < other->n && !has; k++)
			has = !memcmp(r->v[i].fingerprint, other->v[k].fingerprint, PGOFS_FINGERPRINT_SIZE);
		n += !has;
	}
	return n;
}

Test(runs, have_each_input_once)
{
	static struct pgofs_input inputs[MODEL_MAX];
	name_inputs(inputs, MODEL_MAX);
	for (size_t n = 1; n <= MODEL_MAX; n += 333) {
		_cleanup_(pgofs_runs_done) struct pgofs_inputs_runs r = { 0 };
		unsigned bits = pgofs_runs_bits(n);
		cr_assert_eq(pgofs_runs_cut(inputs, n, bits, "s", 1, &r), 0);
		size_t next = 0;
		for (size_t i = 0; i < r.n; i++) {
			cr_expect_eq(r.v[i].first, next);
			cr_expect_leq(r.v[i].n, (size_t)8 << bits);
			next += r.v[i].n;
		}
		cr_expect_eq(next, n);
		cr_expect_leq(r.n, 512);
	}
}

Test(runs, are_nearly_all_the_same_with_one_input_less)
{
	static struct pgofs_input inputs[MODEL_MAX], fewer[MODEL_MAX];
	_cleanup_(pgofs_runs_done) struct pgofs_inputs_runs all = { 0 };
	name_inputs(inputs, MODEL_MAX);
	cr_assert_eq(pgofs_runs_cut(inputs, MODEL_MAX, 4, "s", 1, &all), 0);
	size_t most = 0, sum = 0, n = 0;
	for (size_t gone = 3; gone < MODEL_MAX; gone += 37, n++) {
		_cleanup_(pgofs_runs_done) struct pgofs_inputs_runs r = { 0 };
		memcpy(fewer, inputs, gone * sizeof *inputs);
		memcpy(fewer + gone, inputs + gone + 1, (MODEL_MAX - 1 - gone) * sizeof *inputs);
		cr_assert_eq(pgofs_runs_cut(fewer, MODEL_MAX - 1, 4, "s", 1, &r), 0);
		size_t other = n_not_in(&r, &all);
		most = other > most ? other : most;
		sum += other;
	}
	cr_expect_leq(most, 6);
	cr_expect_leq(sum, 2 * n);
}
