/* Parts of an edge merge: together they are the merge of all their inputs, or there are none. */
#include "made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MADE(name) _cleanup_(made_freep) struct made *name
#define BUF        _cleanup_(pgofs_buf_done) struct pgofs_buf
#define MERGE(name)                                                                                                    \
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *name = NULL;                                                  \
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PGO, &name, NULL), 0)

/* The part of these inputs, whichever can be used; what encoding returns. */
static int part_of(struct made *const *made, size_t n, struct pgofs_buf *out)
{
	MERGE(m);
	struct pgofs_error err = { "" };
	for (size_t i = 0; i < n; i++)
		add_made(m, made[i], &err);
	return pgofs_merge_encode_part(m, out, NULL);
}

static int direct(struct made *const *made, size_t n, struct pgofs_buf *out)
{
	MERGE(m);
	struct pgofs_error err = { "" };
	for (size_t i = 0; i < n; i++)
		add_made(m, made[i], &err);
	return pgofs_merge_encode(m, out, NULL);
}

/* Of two parts, the inputs before and from `cut`. */
static int in_parts(struct made *const *made, size_t n, size_t cut, struct pgofs_buf *out)
{
	BUF one = PGOFS_BUF(PGOFS_RAW_MAX), two = PGOFS_BUF(PGOFS_RAW_MAX);
	MERGE(m);
	int r = part_of(made, cut, &one);
	if (r == 0)
		r = part_of(made + cut, n - cut, &two);
	if (r == 0)
		r = pgofs_merge_add_part(m, two.data, two.len, NULL);
	if (r == 0)
		r = pgofs_merge_add_part(m, one.data, one.len, NULL);
	return r < 0 ? r : pgofs_merge_encode(m, out, NULL);
}

static bool same(const struct pgofs_buf *a, const struct pgofs_buf *b)
{
	return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

static void expect_same(struct made *const *made, size_t n)
{
	BUF all = PGOFS_BUF(PGOFS_RAW_MAX);
	int r = direct(made, n, &all);
	for (size_t cut = 0; cut <= n; cut++) {
		BUF parts = PGOFS_BUF(PGOFS_RAW_MAX);
		cr_expect_eq(in_parts(made, n, cut, &parts), r, "cut at %zu", cut);
		cr_expect(same(&parts, &all), "cut at %zu", cut);
	}
}

/* However it is cut there is either no part, or the same bytes; and one cut at least has none. */
static void expect_none(struct made *const *made, size_t n)
{
	BUF all = PGOFS_BUF(PGOFS_RAW_MAX);
	size_t n_none = 0;
	int r = direct(made, n, &all);
	for (size_t cut = 0; cut <= n; cut++) {
		BUF parts = PGOFS_BUF(PGOFS_RAW_MAX);
		int in = in_parts(made, n, cut, &parts);
		n_none += in == -EDOM;
		if (in != -EDOM)
			cr_expect(in == r && same(&parts, &all), "cut at %zu", cut);
	}
	cr_expect_gt(n_none, 0);
}

#define OF(...)     ((struct made *const[]){ __VA_ARGS__ })
#define SAME(...)   expect_same(OF(__VA_ARGS__), sizeof OF(__VA_ARGS__) / sizeof(struct made *))
#define NO_PART(...) expect_none(OF(__VA_ARGS__), sizeof OF(__VA_ARGS__) / sizeof(struct made *))

Test(part, adds_up_to_the_merge_of_all)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE(c) = made_usable();
	made_location_at(b, 2)->line[0]->line = 2;
	c->p->sample[0]->value[0] = 500;
	SAME(a, b, c, a);
}

Test(part, may_be_of_no_input)
{
	MADE(a) = made_usable();
	MADE(heap) = made_usable();
	heap->p->sample_type[0]->type = made_string(heap, "alloc_objects");
	heap->p->sample_type[1]->type = made_string(heap, "alloc_space");
	heap->p->period_type->type = made_string(heap, "space");
	SAME(heap, a, heap);
	SAME(heap, heap);
}

Test(part, keeps_weights_that_wrap_or_cancel_out)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE(c) = made_usable();
	a->p->sample[0]->value[0] = INT64_MAX;
	b->p->sample[0]->value[0] = INT64_MAX;
	c->p->sample[0]->value[0] = -INT64_MAX;
	SAME(a, b, c);
	SAME(a, c);
	SAME(c, b, a, b);
}

Test(part, remembers_start_lines_of_functions_without_edges)
{
	MADE(plain) = made_usable();
	MADE(alone) = made_new();
	for (size_t i = 0; i < plain->p->n_function; i++)
		plain->p->function[i]->start_line = 0;
	uint64_t at = made_location(alone, 0x401000, made_function(alone, "main.idle", 7), 9);
	MADE_SAMPLE(alone, 3, 3, at);
	SAME(plain, plain);
	SAME(plain, alone);
	SAME(alone, plain, alone);
	SAME(alone, alone);
}

Test(part, drops_frames_as_the_inputs_say)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	a->p->drop_frames = made_string(a, "main\\.leaf");
	b->p->drop_frames = made_string(b, "main\\.leaf");
	SAME(a, b, a);
	b->p->keep_frames = made_string(b, "main\\..*");
	NO_PART(a, b, a);
}

Test(part, is_not_made_of_profiles_that_change_each_other)
{
	MADE(a) = made_usable();
	MADE(more) = made_usable();
	MADE(turned) = made_usable();
	MADE(fine) = made_usable();
	MADE(other) = made_usable();
	made_type(more, "bytes", "bytes");
	turned->p->sample_type[0]->type = made_string(turned, "cpu");
	turned->p->sample_type[0]->unit = made_string(turned, "nanoseconds");
	turned->p->sample_type[1]->type = made_string(turned, "samples");
	turned->p->sample_type[1]->unit = made_string(turned, "count");
	fine->p->sample_type[1]->unit = made_string(fine, "ms"); /* refused alone, it goes with others */
	other->p->period_type->type = made_string(other, "wall");
	NO_PART(a, more);
	NO_PART(more, a, a);
	NO_PART(a, turned);
	NO_PART(a, fine);
	NO_PART(fine, a);
	NO_PART(a, other, a);
	NO_PART(other, a);
	SAME(other, other);
	SAME(turned, turned, turned);
}

Test(part, is_not_made_where_an_address_tells_two_mappings_apart)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	uint64_t mapping = made_mapping(a, 0x7f0000000000, 0x7f0000100000, "lib")->id;
	uint64_t twin = made_location(a, 0x7f0000003000, 3, 41);
	made_location_at(a, twin)->mapping_id = mapping;
	SAME(a, b);
	MADE_SAMPLE(a, 5, 5, 3, twin); /* the same function and line above itself, in another mapping */
	NO_PART(a, b);
}

Test(part, does_not_mix_with_profiles)
{
	MADE(a) = made_usable();
	BUF part = PGOFS_BUF(PGOFS_RAW_MAX);
	struct pgofs_error err = { "" };
	MERGE(raw);
	MERGE(parts);
	cr_assert_eq(part_of(OF(a), 1, &part), 0);
	cr_assert_eq(add_made(raw, a, &err), 0);
	cr_expect_eq(pgofs_merge_add_part(raw, part.data, part.len, &err), -EINVAL);
	cr_assert_eq(pgofs_merge_add_part(parts, part.data, part.len, &err), 0);
	cr_expect_eq(add_made(parts, a, &err), -EINVAL);
	cr_expect_eq(pgofs_merge_count(parts), 1);
}

Test(part, that_is_cut_or_bent_is_refused)
{
	MADE(a) = made_usable();
	BUF part = PGOFS_BUF(PGOFS_RAW_MAX);
	cr_assert_eq(part_of(OF(a, a), 2, &part), 0);
	for (size_t len = 0; len < part.len; len++) {
		MERGE(m);
		cr_expect_eq(pgofs_merge_add_part(m, part.data, len, NULL), -EINVAL, "the first %zu bytes", len);
	}
	MERGE(m);
	pgofs_buf_append(&part, "", 1);
	cr_expect_eq(pgofs_merge_add_part(m, part.data, part.len, NULL), -EINVAL, "a byte too many");
}

/* ---- any profiles, cut anywhere ---- */

static uint32_t dice(uint32_t *state, uint32_t sides)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % sides;
}

static struct made *any(uint32_t *state)
{
	static const char *const names[] = { "a", "b", "c", "" };
	struct made *m = made_new();
	uint64_t at[6];
	for (size_t i = 0; i < 6; i++) {
		uint64_t f = made_function(m, names[dice(state, 4)], dice(state, 3) ? dice(state, 3) : 0);
		at[i] = made_location(m, 0x400000 + dice(state, 4), f, dice(state, 4));
		if (dice(state, 4) == 0)
			made_inline(m, at[i], f, dice(state, 4));
	}
	for (uint32_t n = dice(state, 5); n > 0; n--)
		MADE_SAMPLE(m, (int64_t)dice(state, 5) - 2, dice(state, 3), at[dice(state, 6)], at[dice(state, 6)]);
	if (dice(state, 12) == 0)
		m->p->sample_type[dice(state, 2)]->unit = made_string(m, dice(state, 2) ? "ms" : "count");
	if (dice(state, 12) == 0)
		m->p->drop_frames = made_string(m, "a|b");
	if (dice(state, 12) == 0)
		made_type(m, "x", "count");
	if (dice(state, 12) == 0 && m->p->n_sample)
		m->p->sample[0]->location_id[0] = 99; /* broken */
	return m;
}

Test(part, of_any_profiles_cut_anywhere_is_the_merge_or_none, .timeout = 120)
{
	uint32_t state = 4711;
	size_t n_same = 0, n_none = 0;
	for (int round = 0; round < 400; round++) {
		struct made *made[5];
		BUF all = PGOFS_BUF(PGOFS_RAW_MAX), parts = PGOFS_BUF(PGOFS_RAW_MAX);
		for (size_t i = 0; i < 5; i++)
			made[i] = any(&state);
		int r = direct(made, 5, &all), in = in_parts(made, 5, dice(&state, 6), &parts);
		n_none += in == -EDOM;
		n_same += in != -EDOM;
		if (in != -EDOM)
			cr_expect(in == r && same(&parts, &all), "round %d: %d, direct %d", round, in, r);
		for (size_t i = 0; i < 5; i++)
			made_free(made[i]);
	}
	cr_expect_gt(n_same, 50);
	cr_expect_gt(n_none, 50);
}
