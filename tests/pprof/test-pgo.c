/* The edge profile: which edges a sample has, and that the profile of edges is canonical. */
#include "made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MADE(name) _cleanup_(made_freep) struct made *name
#define BUF        _cleanup_(pgofs_buf_done) struct pgofs_buf

/* "main.work>main.leaf+7=3 main.a>main.b-1=2", in the order of the profile. */
static const char *edges_of(const struct pgofs_buf *raw)
{
	static char text[4096];
	_cleanup_(read_freep) Pprof__Profile *p = read_raw(raw);
	size_t at = 0;
	text[0] = 0;
	cr_assert_not_null(p);
	for (size_t i = 0; i < p->n_sample; i++) {
		const Pprof__Sample *s = p->sample[i];
		cr_assert_eq(s->n_location_id, 2);
		cr_assert_eq(s->n_value, 1);
		const Pprof__Line *callee = p->location[s->location_id[0] - 1]->line[0];
		const Pprof__Line *caller = p->location[s->location_id[1] - 1]->line[0];
		const Pprof__Function *from = p->function[caller->function_id - 1];
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "", read_string(p, from->name));
		at += (size_t)snprintf(text + at, sizeof text - at, ">%s%+d=%d",
				       read_string(p, p->function[callee->function_id - 1]->name),
				       (int)(caller->line - from->start_line), (int)s->value[0]);
	}
	return text;
}

static void expect_edges(struct made *m, const char *edges)
{
	BUF out = PGOFS_BUF(PGOFS_RAW_MAX);
	MERGE_MADE(PGOFS_VIEW_PGO, &out, m);
	cr_expect_str_eq(edges_of(&out), edges, "%s", edges_of(&out));
}

Test(pgo, has_the_call_nearest_the_leaf)
{
	MADE(m) = made_usable();
	expect_edges(m, "main.work>main.leaf+7=3");
}

Test(pgo, has_the_calls_inlined_in_the_two_locations_nearest_the_leaf)
{
	MADE(m) = made_usable();
	made_inline(m, 3, made_function(m, "main.outer", 60), 62); /* leaf is inlined in outer */
	made_inline(m, 2, made_function(m, "main.caller", 70), 77);
	made_inline(m, 1, made_function(m, "main.far", 80), 81);
	expect_edges(m, "main.caller>main.work+7=3 main.outer>main.leaf+2=3 main.work>main.outer+7=3");
}

Test(pgo, keeps_a_call_to_itself_on_one_line)
{
	MADE(m) = made_usable();
	uint64_t again = made_location(m, 0x403008, 3, 41);
	MADE_SAMPLE(m, 5, 5, 3, again);
	expect_edges(m, "main.leaf>main.leaf+1=5 main.work>main.leaf+7=3");
}

Test(pgo, has_no_call_from_a_place_to_itself)
{
	MADE(m) = made_usable();
	MADE_SAMPLE(m, 5, 5, 3, 3);
	expect_edges(m, "main.work>main.leaf+7=3");
}

Test(pgo, counts_an_edge_once_a_sample)
{
	MADE(m) = made_usable();
	uint64_t a = made_function(m, "a", 1), b = made_function(m, "b", 1);
	uint64_t at = made_location(m, 0x404000, a, 2);
	made_inline(m, at, b, 3);
	made_inline(m, at, a, 2);
	made_inline(m, at, b, 3);
	MADE_SAMPLE(m, 5, 5, at);
	expect_edges(m, "a>b+1=5 b>a+2=5 main.work>main.leaf+7=3");
}

Test(pgo, keeps_offsets_below_zero)
{
	MADE(m) = made_usable();
	made_location_at(m, 2)->line[0]->line = 19;
	expect_edges(m, "main.work>main.leaf-1=3");
	made_location_at(m, 3)->line[0]->function_id = 2;
	expect_edges(m, "main.work>main.work-1=3");
}

Test(pgo, takes_the_weight_go_takes)
{
	MADE(m) = made_usable();
	Pprof__ValueType *t = m->p->sample_type[0];
	m->p->sample_type[0] = m->p->sample_type[1];
	m->p->sample_type[1] = t;
	expect_edges(m, "main.work>main.leaf+7=3"); /* now called cpu/nanoseconds, and first */
	m->p->sample_type[0]->unit = made_string(m, "ms");
	expect_edges(m, "main.work>main.leaf+7=30000000");
}

Test(pgo, sorts_by_weight_then_names_then_offset)
{
	MADE(m) = made_usable();
	uint64_t other = made_location(m, 0x402100, 2, 21),
		 first = made_location(m, 0x405000, made_function(m, "a", 1), 1);
	MADE_SAMPLE(m, 3, 3, 3, other);
	MADE_SAMPLE(m, 3, 3, 3, first);
	MADE_SAMPLE(m, 9, 9, first, 1);
	expect_edges(m, "main.main>a+5=9 a>main.leaf+0=3 main.work>main.leaf+1=3 main.work>main.leaf+7=3");
}

Test(pgo, drops_frames)
{
	MADE(m) = made_usable();
	m->p->drop_frames = made_string(m, "main\\.leaf");
	expect_edges(m, "main.main>main.work+5=3");
}

Test(pgo, does_not_depend_on_order_or_on_merging_first)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE(c) = made_usable();
	made_location_at(b, 2)->line[0]->line = 22;
	c->p->sample[0]->value[0] = 50;
	BUF all = PGOFS_BUF(PGOFS_RAW_MAX), turned = PGOFS_BUF(PGOFS_RAW_MAX), merged = PGOFS_BUF(PGOFS_RAW_MAX);
	BUF two = PGOFS_BUF(PGOFS_RAW_MAX), one = PGOFS_BUF(PGOFS_RAW_MAX), again = PGOFS_BUF(PGOFS_RAW_MAX);
	MERGE_MADE(PGOFS_VIEW_PGO, &all, a, b, c);
	MERGE_MADE(PGOFS_VIEW_PGO, &turned, c, b, a);
	cr_assert_eq(all.len, turned.len);
	cr_expect_eq(memcmp(all.data, turned.data, all.len), 0);

	MERGE_MADE(PGOFS_VIEW_PGO, &two, a, b);
	MERGE_MADE(PGOFS_VIEW_PGO, &one, c);
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PGO, &m, NULL), 0);
	cr_assert_eq(pgofs_merge_add(m, one.data, one.len, NULL, NULL), 0);
	cr_assert_eq(pgofs_merge_add(m, two.data, two.len, NULL, NULL), 0);
	cr_assert_eq(pgofs_merge_encode(m, &again, NULL), 0);
	cr_assert_eq(all.len, again.len);
	cr_expect_eq(memcmp(all.data, again.data, all.len), 0);

	MERGE_MADE(PGOFS_VIEW_PPROF, &merged, a, b, c);
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *of_merged = NULL;
	BUF last = PGOFS_BUF(PGOFS_RAW_MAX);
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PGO, &of_merged, NULL), 0);
	cr_assert_eq(pgofs_merge_add(of_merged, merged.data, merged.len, NULL, NULL), 0);
	cr_assert_eq(pgofs_merge_encode(of_merged, &last, NULL), 0);
	cr_assert_eq(all.len, last.len);
	cr_expect_eq(memcmp(all.data, last.data, all.len), 0);
}

Test(pgo, refuses_what_has_no_weight_for_go_and_goes_on)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	struct pgofs_error err = { "" };
	MADE(heap) = made_usable();
	MADE(cpu) = made_usable();
	heap->p->sample_type[0]->type = made_string(heap, "alloc_objects");
	heap->p->sample_type[1]->type = made_string(heap, "alloc_space");
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PGO, &m, &err), 0);
	cr_expect_eq(add_made(m, heap, &err), -EINVAL);
	cr_expect_str_eq(err.text, "no sample type is samples/count or cpu/nanoseconds");
	cr_expect_eq(add_made(m, cpu, &err), 0, "%s", err.text);
	cr_expect_eq(pgofs_merge_count(m), 1);
}
