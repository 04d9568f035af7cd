/* The merge's rules one by one, read back by generated code. That all of them together are google/pprof's is the judges' business; here
 * each has a name, so that a break says which. */
#include "made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define BUF PGOFS_BUF(PGOFS_RAW_MAX)

struct result {
	struct pgofs_buf raw;
	Pprof__Profile *p;
};

static void result_done(struct result *r)
{
	read_free(r->p);
	pgofs_buf_done(&r->raw);
}

#define MERGED(name, ...)                                                                                              \
	_cleanup_(result_done) struct result name = { .raw = BUF };                                                    \
	MERGE_MADE(PGOFS_VIEW_PPROF, &name.raw, __VA_ARGS__);                                                          \
	name.p = read_raw(&name.raw);                                                                                  \
	cr_assert_not_null(name.p)

#define MADE(name) _cleanup_(made_freep) struct made *name

Test(merge, sums_values_of_equal_stacks)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->sample[0]->value[0], 6);
	cr_expect_eq(r.p->sample[0]->value[1], 60000000);
	cr_expect_eq(r.p->sample[0]->n_location_id, 3);
	cr_expect_eq(r.p->duration_nanos, 20000000000);
	cr_expect_eq(r.p->period, 10000000);
}

Test(merge, writes_a_single_input_as_it_is)
{
	MADE(a) = made_usable();
	MADE_SAMPLE(a, 0, 0, 1);
	MADE_SAMPLE(a, 3, 30000000, 3, 2, 1);
	made_function(a, "unused", 1);
	made_location_at(a, 2)->id = 77;
	a->p->sample[0]->location_id[1] = a->p->sample[2]->location_id[1] = 77;
	MERGED(r, a);
	cr_assert_eq(r.p->n_sample, 3);
	cr_expect_eq(r.p->sample[0]->location_id[1], 77);
	cr_expect_eq(r.p->location[1]->id, 77);
	cr_expect_eq(r.p->n_function, 4);
}

Test(merge, leaves_out_samples_of_zero_and_what_only_they_use)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	uint64_t lone = made_location(b, 0x404000, made_function(b, "main.lone", 50), 51);
	MADE_SAMPLE(b, 0, 0, lone);
	MERGED(r, a, b);
	cr_expect_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->n_location, 3);
	cr_expect_eq(r.p->n_function, 3);
}

Test(merge, drops_samples_that_cancel_out)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	b->p->sample[0]->value[0] = -3;
	b->p->sample[0]->value[1] = -30000000;
	MADE_SAMPLE(b, 1, 1, 3);
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->n_location, 1);
	cr_expect_str_eq(read_string(r.p, r.p->function[0]->name), "main.leaf");
	cr_expect_eq(r.p->n_mapping, 1);
}

Test(merge, keeps_a_sample_of_which_one_value_is_zero)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	b->p->sample[0]->value[0] = -3;
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->sample[0]->value[0], 0);
}

Test(merge, wraps_sums_as_go_does)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	a->p->sample[0]->value[0] = INT64_MAX;
	b->p->sample[0]->value[0] = 2;
	MERGED(r, a, b);
	cr_expect_eq(r.p->sample[0]->value[0], INT64_MIN + 1);
}

Test(merge, tells_functions_with_other_start_lines_apart)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	b->p->function[2]->start_line++;
	MERGED(r, a, b);
	cr_expect_eq(r.p->n_function, 4);
	cr_expect_eq(r.p->n_sample, 2);
}

Test(merge, knows_a_mapping_wherever_it_was_loaded)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	const uint64_t by = 0x7f0000000000;
	b->p->mapping[0]->memory_start += by;
	b->p->mapping[0]->memory_limit += by + 0xfff; /* the size counts in pages */
	a->p->mapping[0]->memory_limit += 1;
	for (size_t i = 0; i < b->p->n_location; i++)
		b->p->location[i]->address += by;
	MERGED(r, a, b);
	cr_expect_eq(r.p->n_mapping, 1);
	cr_expect_eq(r.p->n_location, 3);
	cr_expect_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->location[0]->address, 0x403000);
}

Test(merge, keeps_two_builds_apart)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	b->p->mapping[0]->build_id = made_string(b, "build2");
	MERGED(r, a, b);
	cr_expect_eq(r.p->n_mapping, 2);
	cr_expect_eq(r.p->n_sample, 2);
	cr_expect_eq(r.p->n_function, 3);
}

Test(merge, keeps_the_first_mapping_even_if_unused)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	made_mapping(a, 0x600000, 0x700000, "lib");
	made_mapping(a, 0x800000, 0x900000, "unused");
	for (size_t i = 0; i < a->p->n_location; i++)
		a->p->location[i]->mapping_id = 2;
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_mapping, 2);
	cr_expect_str_eq(read_string(r.p, r.p->mapping[0]->build_id), "build1");
	cr_expect_str_eq(read_string(r.p, r.p->mapping[1]->build_id), "lib");
}

/* google/pprof merges 128 files at a time, and takes the first mapping of each such chunk for the main program's, used or not. */
Test(merge, puts_a_mapping_where_the_first_input_of_the_chunk_has_it)
{
	struct made *all[132];
	_cleanup_(result_done) struct result r = { .raw = BUF };
	for (size_t i = 0; i < 132; i++) {
		Pprof__Mapping *other;
		all[i] = made_usable();
		if (i < 128)
			continue;
		other = made_mapping(all[i], 0x1000000 * (i - 127), 0x1000000 * (i - 127) + 0x1000, "other");
		other->has_functions = i > 128;
		if (i == 128) { /* which has it first, and does not use it */
			Pprof__Mapping *main = all[i]->p->mapping[0];
			all[i]->p->mapping[0] = other;
			all[i]->p->mapping[1] = main;
			continue;
		}
		uint64_t in = made_location(all[i], other->memory_start + 0x100, 1, 5);
		made_location_at(all[i], in)->mapping_id = other->id;
		MADE_SAMPLE(all[i], 1, 10, in, 1);
	}
	merge_made(PGOFS_VIEW_PPROF, all, 132, &r.raw);
	r.p = read_raw(&r.raw);
	cr_assert_not_null(r.p);
	cr_assert_eq(r.p->n_mapping, 2);
	cr_expect_eq(r.p->mapping[1]->memory_start, 0x1000000);
	cr_expect_str_eq(read_string(r.p, r.p->mapping[1]->build_id), "other");
	cr_expect_not(r.p->mapping[1]->has_functions);
	cr_expect_eq(r.p->location[r.p->n_location - 1]->address, 0x1000100);
	for (size_t i = 0; i < 132; i++)
		made_free(all[i]);
}

Test(merge, makes_up_a_mapping_where_there_is_none)
{
	MADE(a) = made_usable();
	pprof__mapping__free_unpacked(a->p->mapping[0], NULL);
	a->p->n_mapping = 0;
	MERGED(r, a);
	cr_assert_eq(r.p->n_mapping, 1);
	cr_expect_eq(r.p->mapping[0]->id, 1);
	cr_expect_eq(r.p->mapping[0]->filename, 0);
	cr_expect_eq(r.p->location[0]->mapping_id, 1);
}

Test(merge, clears_a_file_that_is_a_url)
{
	MADE(a) = made_usable();
	a->p->mapping[0]->build_id = 0;
	a->p->mapping[0]->filename = made_string(a, "http://host:6060/debug/pprof/profile");
	MERGED(r, a);
	cr_expect_eq(r.p->mapping[0]->filename, 0);
}

Test(merge, tells_folded_locations_apart)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	made_location_at(b, 1)->is_folded = true;
	MERGED(r, a, b);
	cr_expect_eq(r.p->n_location, 4);
	cr_expect_eq(r.p->location[3]->is_folded, true);
}

Test(merge, compares_inlined_lines_but_only_the_last_column)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE(c) = made_usable();
	struct made *all[] = { a, b, c };
	for (size_t i = 0; i < 3; i++)
		made_inline(all[i], 3, 2, 30)->column = 7;
	made_location_at(b, 3)->line[0]->column = 5; /* of an inner line: google/pprof does not see it */
	made_location_at(c, 3)->line[1]->column = 8;
	MERGED(r, a, b, c);
	cr_assert_eq(r.p->n_location, 4);
	cr_expect_eq(r.p->location[0]->line[0]->column, 0);
	cr_expect_eq(r.p->location[3]->line[1]->column, 8);
}

Test(merge, keeps_a_location_without_lines)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	uint64_t bare = made_location(a, 0x404000, 0, 0);
	MADE_SAMPLE(a, 1, 1, bare);
	MERGED(r, a, b);
	cr_expect_eq(r.p->n_location, 4);
	cr_expect_eq(r.p->location[3]->n_line, 0);
}

Test(merge, keeps_apart_what_labels_keep_apart)
{
	MADE(a) = made_usable();
	made_label(a, MADE_SAMPLE(a, 1, 1, 3), "key", "one");
	made_label(a, MADE_SAMPLE(a, 1, 1, 3), "key", "two");
	made_label(a, MADE_SAMPLE(a, 1, 1, 3), "key", "one");
	made_number(a, MADE_SAMPLE(a, 1, 1, 3), "size", 10, "bytes");
	made_number(a, MADE_SAMPLE(a, 1, 1, 3), "size", 10, "");
	MADE(b) = made_usable();
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_sample, 5);
	cr_expect_eq(r.p->sample[1]->value[0], 2);
}

Test(merge, sorts_labels_by_key_and_keeps_the_order_of_values)
{
	MADE(a) = made_usable();
	Pprof__Sample *s = MADE_SAMPLE(a, 1, 1, 3);
	made_number(a, s, "a", 1, "");
	made_label(a, s, "z", "2");
	made_label(a, s, "b", "x");
	made_label(a, s, "z", "1");
	made_number(a, s, "a", 2, "ms");
	MADE(b) = made_usable();
	MERGED(r, a, b);
	const char *expect[][2] = { { "b", "x" }, { "z", "2" }, { "z", "1" } };
	Pprof__Sample *out = r.p->sample[1];
	cr_assert_eq(out->n_label, 5);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_str_eq(read_string(r.p, out->label[i]->key), expect[i][0]);
		cr_expect_str_eq(read_string(r.p, out->label[i]->str), expect[i][1]);
	}
	cr_expect_eq(out->label[3]->num, 1);
	cr_expect_eq(out->label[3]->num_unit, 0);
	cr_expect_eq(out->label[4]->num, 2);
	cr_expect_str_eq(read_string(r.p, out->label[4]->num_unit), "ms");
}

Test(merge, forgets_a_number_label_of_zero_without_unit)
{
	MADE(a) = made_usable();
	made_number(a, a->p->sample[0], "nothing", 0, "");
	MADE(b) = made_usable();
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->sample[0]->n_label, 0);
}

Test(merge, lets_a_labels_string_beat_its_number)
{
	MADE(a) = made_usable();
	Pprof__Label *l = made_label(a, a->p->sample[0], "key", "text");
	l->num = 7;
	l->num_unit = 1000; /* out of range, but nobody looks */
	MERGED(r, a);
	cr_assert_eq(r.p->sample[0]->n_label, 1);
	cr_expect_eq(r.p->sample[0]->label[0]->num, 0);
}

Test(merge, takes_the_earliest_time_as_google_pprof_understands_it)
{
	const struct {
		int64_t in[3], out;
	} cases[] = { { { 100, 0, 0 }, 0 },
		      { { 100, 0, 200 }, 200 },
		      { { 0, 100, 200 }, 100 },
		      { { 200, 100, 300 }, 100 },
		      { { 100, -5, 7 }, -5 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		MADE(a) = made_usable();
		MADE(b) = made_usable();
		MADE(c) = made_usable();
		a->p->time_nanos = cases[i].in[0];
		b->p->time_nanos = cases[i].in[1];
		c->p->time_nanos = cases[i].in[2];
		MERGED(r, a, b, c);
		cr_expect_eq(r.p->time_nanos, cases[i].out, "case %zu: %lld", i, (long long)r.p->time_nanos);
	}
}

Test(merge, counts_time_in_chunks_of_128)
{
	struct made *all[130];
	_cleanup_(result_done) struct result r = { .raw = BUF };
	for (size_t i = 0; i < 130; i++) {
		all[i] = made_usable();
		all[i]->p->time_nanos = i == 0 ? 100 : i == 128 ? 0 : 300;
	}
	/* The second chunk alone is 300, which does not beat 100; read one after the other, the 0 would have won. */
	merge_made(PGOFS_VIEW_PPROF, all, 130, &r.raw);
	r.p = read_raw(&r.raw);
	cr_assert_not_null(r.p);
	cr_expect_eq(r.p->time_nanos, 100);
	cr_expect_eq(r.p->sample[0]->value[0], 390);
	for (size_t i = 0; i < 130; i++)
		made_free(all[i]);
}

Test(merge, joins_comments_each_once)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	int64_t in_a[] = { made_string(a, "x"), made_string(a, "y") },
		in_b[] = { made_string(b, "z"), made_string(b, "y") };
	a->p->comment = in_a;
	b->p->comment = in_b;
	a->p->n_comment = b->p->n_comment = 2;
	MERGED(r, a, b);
	a->p->comment = b->p->comment = NULL;
	a->p->n_comment = b->p->n_comment = 0;
	cr_assert_eq(r.p->n_comment, 3);
	cr_expect_str_eq(read_string(r.p, r.p->comment[2]), "z");
}

Test(merge, takes_the_first_default_type_and_doc_url)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE(c) = made_usable();
	b->p->default_sample_type = made_string(b, "cpu");
	b->p->doc_url = made_string(b, "https://example.com/");
	c->p->default_sample_type = made_string(c, "samples");
	MERGED(r, a, b, c);
	cr_expect_str_eq(read_string(r.p, r.p->default_sample_type), "cpu");
	cr_expect_str_eq(read_string(r.p, r.p->doc_url), "https://example.com/");
}

Test(merge, shrinks_to_the_sample_types_all_have)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	made_type(a, "other", "count");
	a->p->sample[0]->value[2] = 99;
	uint64_t only = made_location(a, 0x409000, made_function(a, "only.other", 1), 2);
	made_type(b, "more", "count");
	MADE_SAMPLE(a, 0, 0, only);
	Pprof__Sample *s = a->p->sample[1];
	s->value = realloc(s->value, 3 * sizeof *s->value);
	s->value[s->n_value++] = 5;
	MERGED(r, a, b);
	cr_assert_eq(r.p->n_sample_type, 2);
	cr_assert_eq(r.p->n_sample, 1);
	cr_expect_eq(r.p->sample[0]->n_value, 2);
	cr_expect_eq(r.p->sample[0]->value[1], 60000000);
	cr_expect_eq(r.p->n_function, 3);
	cr_expect_str_eq(read_string(r.p, r.p->default_sample_type), "samples");
}

Test(merge, converts_to_the_finest_unit_in_either_order)
{
	MADE(ns) = made_usable();
	MADE(ms) = made_usable();
	ms->p->sample_type[1]->unit = made_string(ms, "ms");
	ms->p->sample[0]->value[1] = 4;
	MERGED(coarse_later, ns, ms);
	MERGED(fine_later, ms, ns);
	cr_expect_eq(coarse_later.p->sample[0]->value[1], 34000000);
	cr_expect_eq(fine_later.p->sample[0]->value[1], 34000000);
	cr_expect_str_eq(read_string(fine_later.p, fine_later.p->sample_type[1]->unit), "nanoseconds");
}

Test(merge, goes_on_unchanged_after_a_bad_input)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = BUF;
	struct pgofs_error err = { "" };
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE(bad) = made_usable();
	MADE(other) = made_usable();
	uint64_t fresh = made_location(bad, 0x777000, made_function(bad, "fresh.function", 1), 2);
	made_label(bad, MADE_SAMPLE(bad, 5, 5, fresh, 1), "fresh", "label");
	MADE_SAMPLE(bad, 1, 1, 99);
	other->p->period_type->type = made_string(other, "space");

	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PPROF, &m, &err), 0);
	cr_expect_eq(add_made(m, bad, &err), -EINVAL);
	cr_expect_str_eq(err.text, "a sample names location 99, which is not there");
	cr_assert_eq(add_made(m, a, &err), 0);
	cr_expect_eq(add_made(m, bad, &err), -EINVAL);
	cr_expect_eq(add_made(m, other, &err), -EINVAL);
	cr_expect_str_eq(err.text, "its period type is space/nanoseconds, that of the others cpu/nanoseconds");
	cr_assert_eq(add_made(m, b, &err), 0);
	cr_expect_eq(add_made(m, bad, &err), -EINVAL);
	cr_expect_eq(pgofs_merge_count(m), 2);

	MERGED(r, a, b);
	cr_assert_eq(pgofs_merge_encode(m, &out, &err), 0);
	cr_assert_eq(out.len, r.raw.len);
	cr_expect_eq(memcmp(out.data, r.raw.data, out.len), 0);
}

Test(merge, may_go_on_after_encoding)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf first = BUF, all = BUF;
	struct pgofs_error err = { "" };
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PPROF, &m, &err), 0);
	cr_expect_eq(pgofs_merge_encode(m, &first, &err), -ENODATA);
	cr_assert_eq(add_made(m, a, &err), 0);
	cr_assert_eq(pgofs_merge_encode(m, &first, &err), 0);
	cr_assert_eq(add_made(m, b, &err), 0);
	cr_assert_eq(pgofs_merge_encode(m, &all, &err), 0);
	MERGED(r, a, b);
	cr_assert_eq(all.len, r.raw.len);
	cr_expect_eq(memcmp(all.data, r.raw.data, all.len), 0);
}

Test(merge, respects_the_outputs_limit)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf small = PGOFS_BUF(100);
	struct pgofs_error err = { "" };
	MADE(a) = made_usable();
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PPROF, &m, &err), 0);
	cr_assert_eq(add_made(m, a, &err), 0);
	cr_expect_eq(pgofs_merge_encode(m, &small, &err), -EFBIG);
	cr_expect_eq(small.len, 0);
}

Test(merge, respects_the_outputs_limit_in_one_large_message)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf small = PGOFS_BUF(1000000);
	struct pgofs_error err = { "" };
	char *name = calloc(2000001, 1);
	MADE(a) = made_usable();
	made_function(a, memset(name, 'x', 2000000), 1);
	a->p->location[0]->line[0]->function_id = a->p->n_function;
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PPROF, &m, &err), 0);
	cr_assert_eq(add_made(m, a, &err), 0);
	cr_assert_eq(add_made(m, a, &err), 0);
	cr_expect_eq(pgofs_merge_encode(m, &small, &err), -EFBIG);
	cr_expect_eq(small.len, 0);
	free(name);
}

Test(merge, takes_profiles_that_were_decoded_elsewhere)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_decoded_freep) struct pgofs_decoded *d = pgofs_decoded_new();
	_cleanup_(pgofs_buf_done) struct pgofs_buf first = BUF, second = BUF, out = BUF;
	struct pgofs_error err = { "" }, same = { "" };
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	MADE_SAMPLE(b, 1, 1, 3, made_location(b, 0x405000, made_function(b, "main.other", 5), 7));
	MERGED(wanted, a, b, a);
	made_pack(a, &first);
	made_pack(b, &second);
	const struct pgofs_buf *in[] = { &first, &second, &first };
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PPROF, &m, &err), 0);
	cr_expect_eq(pgofs_merge_add_decoded(m, d, NULL, &err), -EINVAL, "nothing was read yet");
	for (int i = 0; i < 3; i++) {
		pgofs_decoded_read(d, PGOFS_VIEW_PPROF, in[i]->data, in[i]->len);
		cr_expect_gt(pgofs_decoded_memory_bytes(d), 100);
		cr_assert_eq(pgofs_merge_add_decoded(m, d, NULL, &err), 0, "%s", err.text);
		pgofs_decoded_read(d, i ? PGOFS_VIEW_PPROF : PGOFS_VIEW_PGO, first.data, first.len - 1);
		cr_expect_eq(pgofs_merge_add_decoded(m, d, NULL, &err), -EINVAL);
		cr_expect_eq(pgofs_merge_add(m, first.data, first.len - 1, NULL, &same), -EINVAL);
		cr_expect_str_eq(err.text, same.text);
	}
	cr_assert_eq(pgofs_merge_encode(m, &out, &err), 0);
	cr_expect(out.len == wanted.raw.len && memcmp(out.data, wanted.raw.data, out.len) == 0);
}

Test(merge, drops_frames_by_the_first_inputs_patterns)
{
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	a->p->drop_frames = made_string(a, "main\\.l.*");
	b->p->drop_frames = made_string(b, "main\\.work");
	MERGED(r, a, b);
	cr_assert_eq(r.p->sample[0]->n_location_id, 2);
	cr_expect_str_eq(read_string(r.p, r.p->drop_frames), "main\\.l.*");
	cr_expect_eq(r.p->n_location, 3);
}

Test(merge, keeps_frames_that_are_to_be_kept)
{
	MADE(a) = made_usable();
	a->p->drop_frames = made_string(a, "main\\.l.*");
	a->p->keep_frames = made_string(a, "main\\.leaf");
	MERGED(r, a);
	cr_expect_eq(r.p->sample[0]->n_location_id, 3);
}

Test(merge, drops_the_inlined_part_of_a_location)
{
	MADE(a) = made_usable();
	a->p->drop_frames = made_string(a, "main\\.leaf");
	made_inline(a, 3, 2, 33);
	MERGED(r, a);
	cr_expect_eq(r.p->sample[0]->n_location_id, 3);
	cr_expect_eq(r.p->location[2]->n_line, 1);
	cr_expect_eq(r.p->location[2]->line[0]->function_id, 2);
}
