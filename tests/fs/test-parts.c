/* Merging in parts: the same bytes as merging at once, whatever comes, goes or is broken; and little work when little has changed. */
#include "faulty.h"
#include "model.h"
#include "parts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX MODEL_MAX

static void open_it(void)
{
	model_open(&(struct pgofs_tree_config)PGOFS_TREE_CONFIG_DEFAULTS);
}

TestSuite(parts, .init = open_it, .fini = model_close, .timeout = 300);

static void expect_window(int64_t from_ns, int64_t to_ns, const char *when)
{
	char path[128];
	int64_t first = (from_ns - DAY_NS) / PGOFS_NS_PER_S, end = (to_ns - DAY_NS) / PGOFS_NS_PER_S;
	snprintf(path, sizeof path, "app/merged/202611%02dT%02d%02d%02dZ..202611%02dT%02d%02d%02dZ.pgo",
		 22 + (int)(first / 86400), (int)(first / 3600 % 24), (int)(first / 60 % 60), (int)(first % 60),
		 22 + (int)(end / 86400), (int)(end / 3600 % 24), (int)(end / 60 % 60), (int)(end % 60));
	expect_same(path, PGOFS_VIEW_PGO, from_ns, to_ns, when);
}

/* Days here are 21 and 22, so instants before DAY_NS need their own day. */
static int64_t any_instant(void)
{
	return DAY_NS + (int64_t)dice(86400) * PGOFS_NS_PER_S;
}

static void compare_windows(const char *when)
{
	expect_window(DAY_NS, DAY_NS + PGOFS_NS_PER_DAY, when);
	for (int i = 0; i < 3; i++) {
		int64_t a = any_instant(), b = any_instant();
		if (a != b)
			expect_window(a < b ? a : b, a < b ? b : a, when);
	}
	expect_window(DAY_NS + 6 * PGOFS_NS_PER_HOUR, DAY_NS + 7 * PGOFS_NS_PER_HOUR, when);
	expect_window(DAY_NS + 6 * PGOFS_NS_PER_HOUR + 17 * PGOFS_NS_PER_MIN, DAY_NS + 9 * PGOFS_NS_PER_HOUR, when);
}

Test(parts, are_the_merge_at_once_while_profiles_come_and_go)
{
	for (int i = 0; i < 700; i++)
		model_add_any(usable());
	compare_windows("in the beginning");
	for (int round = 0; round < 25; round++) {
		if (dice(2))
			model_add_any(usable());
		for (uint32_t n = dice(4); n > 0; n--)
			model_drop(dice((uint32_t)n_model));
		compare_windows("after a change");
	}
}

Test(parts, are_the_merge_at_once_with_broken_inputs_among_them)
{
	for (int i = 0; i < 400; i++) {
		struct pgofs_bytes *b = usable();
		if (dice(8) == 0)
			b->len = dice((uint32_t)b->len); /* cut */
		else if (dice(8) == 0)
			bend(b, "samples", "objects"), bend(b, "cpu", "mem"); /* a heap profile */
		model_add_any(b);
	}
	compare_windows("with broken ones");
	for (int round = 0; round < 5; round++) {
		model_drop(dice((uint32_t)n_model));
		compare_windows("with broken ones, after a change");
	}
}

Test(parts, are_given_up_where_profiles_of_other_kinds_are_among_them)
{
	for (int i = 0; i < 300; i++)
		model_add_any(usable());
	compare_windows("of one kind");
	for (int round = 0; round < 6; round++) {
		struct pgofs_bytes *b = usable();
		bend(b, "nanoseconds", round % 2 ? "millisecond" : "nanosecondZ");
		model_add_any(b);
		compare_windows("of several kinds");
	}
	for (size_t i = n_model; i-- > 0;)
		if (!memmem(model[i].bytes->data, model[i].bytes->len, "nanoseconds", 11))
			model_drop(i);
	compare_windows("of one kind again");
}

Test(parts, say_in_words_when_nothing_is_usable)
{
	for (int i = 0; i < 100; i++)
		model_add_any(pgofs_bytes_dup("no profile", 10));
	compare_windows("of nothing");
	model_add_any(usable());
	compare_windows("of one");
}

static unsigned fetched_for(int64_t from_ns, int64_t to_ns)
{
	faulty_reset_counts(model_storage);
	expect_window(from_ns, to_ns, "counted");
	return faulty_count(model_storage, FAULTY_GET);
}

Test(parts, cost_one_part_when_one_profile_comes_or_goes)
{
	unsigned most = 0, sum = 0;
	for (int i = 0; i < 1000; i++)
		model_add_any(usable());
	unsigned all = fetched_for(DAY_NS, DAY_NS + PGOFS_NS_PER_DAY);
	cr_assert_gt(all, 300);
	for (int round = 0; round < 20; round++) {
		if (round % 2)
			model_add_any(usable());
		else
			model_drop(dice((uint32_t)n_model));
		unsigned n = fetched_for(DAY_NS, DAY_NS + PGOFS_NS_PER_DAY);
		most = n > most ? n : most;
		sum += n;
	}
	cr_expect_leq(most, 64);
	cr_expect_leq(sum / 20, 16, "on average");
}

Test(parts, of_one_window_serve_another)
{
	for (int i = 0; i < 1000; i++)
		model_add_any(usable());
	fetched_for(DAY_NS, DAY_NS + PGOFS_NS_PER_DAY);
	cr_expect_eq(fetched_for(DAY_NS, DAY_NS + 23 * PGOFS_NS_PER_HOUR), 0, "but for one hour, the same");
	cr_expect_eq(fetched_for(DAY_NS + 6 * PGOFS_NS_PER_HOUR, DAY_NS + 12 * PGOFS_NS_PER_HOUR), 0, "a part of it");
}

Test(parts, are_made_again_when_the_storage_failed_meanwhile)
{
	for (int i = 0; i < 200; i++)
		model_add_any(usable());
	faulty_rule(model_storage, &(struct faulty_rule){ FAULTY_GET, .after = 50, .times = 1, .error = -EIO });
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *got = NULL;
	cr_assert_eq(pgofs_tree_read(model_tree, "app/merged/2026-11-22.pgo", NULL, &got, NULL), -EIO);
	faulty_mend(model_storage);
	compare_windows("after a failure");
}

/* ---- the tree of parts ---- */

static struct pgofs_item items[MAX];
static char names[MAX][48];

static void name_inputs(struct pgofs_input *inputs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t s = (int64_t)i * 86400 / (int64_t)n;
		snprintf(names[i], sizeof names[i], "%02d%02d%02dZ-%zu.pprof", (int)(s / 3600), (int)(s / 60 % 60),
			 (int)(s % 60), i);
		items[i] = (struct pgofs_item){ .name = names[i], .version = "v", .size_bytes = 100 };
		inputs[i] = (struct pgofs_input){ "app/2026/11/22", &items[i], DAY_NS + s * PGOFS_NS_PER_S };
	}
}

static struct pgofs_parts *parts_of(const struct pgofs_input *inputs, size_t n)
{
	struct pgofs_parts *p = NULL;
	cr_assert_eq(pgofs_parts_new(inputs, n, "salt", 4, &p, NULL), 0);
	return p;
}

static bool has(const struct pgofs_parts *p, const uint8_t *fingerprint)
{
	for (size_t i = 0; i < p->n; i++)
		if (!memcmp(p->v[i].fingerprint, fingerprint, PGOFS_FINGERPRINT_SIZE))
			return true;
	return false;
}

static size_t n_not_in(const struct pgofs_parts *p, const struct pgofs_parts *other)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n; i++)
		n += !has(other, p->v[i].fingerprint);
	return n;
}

Test(parts, hold_each_input_once_under_parents_that_follow_them)
{
	static struct pgofs_input inputs[MAX];
	static const size_t counts[] = { 1, 2, 31, 500, 1999 };
	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		size_t n = counts[c], next = 0;
		name_inputs(inputs, n);
		for (size_t i = 0; i < n; i += 7) /* no stamp: counts elsewhere than where it stands */
			inputs[i].taken_ns = DAY_NS + (int64_t)dice(86400) * PGOFS_NS_PER_S;
		_cleanup_(pgofs_parts_freep) struct pgofs_parts *p = parts_of(inputs, n);
		_cleanup_(pgofs_freep) bool *seen = calloc(n, 1);
		for (size_t i = 0; i < p->n; i++) {
			const struct pgofs_part *part = &p->v[i];
			cr_expect_eq(part->parent == PGOFS_PART_NONE, i + 1 == p->n);
			if (i + 1 < p->n) {
				const struct pgofs_part *parent = &p->v[part->parent];
				cr_expect(part->parent > i && !parent->is_leaf && parent->first <= part->first);
				cr_expect_leq(part->first + part->n, parent->first + parent->n);
			}
			if (!part->is_leaf)
				continue;
			cr_expect_eq(part->first, next);
			next = part->first + part->n;
		}
		cr_expect_eq(next, n);
		for (size_t i = 0; i < n; i++) {
			cr_expect_not(seen[p->order[i]]);
			seen[p->order[i]] = true;
		}
		cr_expect(p->v[p->n - 1].first == 0 && p->v[p->n - 1].n == n && p->v[p->n - 1].is_day);
	}
}

Test(parts, change_only_around_what_changed)
{
	static struct pgofs_input inputs[MAX], fewer[MAX];
	name_inputs(inputs, 1999);
	_cleanup_(pgofs_parts_freep) struct pgofs_parts *all = parts_of(inputs, 1999);
	for (size_t gone = 3; gone < 1999; gone += 97) {
		memcpy(fewer, inputs, gone * sizeof *inputs);
		memcpy(fewer + gone, inputs + gone + 1, (1998 - gone) * sizeof *inputs);
		_cleanup_(pgofs_parts_freep) struct pgofs_parts *p = parts_of(fewer, 1998);
		cr_expect_leq(n_not_in(p, all), 12);
		cr_expect_leq(n_not_in(all, p), 12);
	}
}

Test(parts, have_fingerprints_of_path_version_size_and_salt)
{
	static struct pgofs_input inputs[40];
	_cleanup_(pgofs_parts_freep) struct pgofs_parts *salted = NULL;
	name_inputs(inputs, 40);
	_cleanup_(pgofs_parts_freep) struct pgofs_parts *all = parts_of(inputs, 40);
	for (int what = 0; what < 3; what++) {
		struct pgofs_item was = items[5];
		items[5].name = what == 0 ? "000005Z-another.pprof" : was.name;
		items[5].version = what == 1 ? "w" : was.version;
		items[5].size_bytes += what == 2;
		_cleanup_(pgofs_parts_freep) struct pgofs_parts *p = parts_of(inputs, 40);
		cr_expect_not(has(all, p->v[p->n - 1].fingerprint), "%d", what);
		items[5] = was;
	}
	cr_assert_eq(pgofs_parts_new(inputs, 40, "other", 5, &salted, NULL), 0);
	cr_expect_eq(n_not_in(salted, all), salted->n);
}
