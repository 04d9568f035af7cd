/* Profiles that are small, or of no unusual form, and would cost a careless merge minutes or gigabytes. The time allowed guards against hanging
 * alone: what is tested for would take many times as long. */
#include "../fields.h"
#include "made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MANY       400000
#define MADE(name) _cleanup_(made_freep) struct made *name
#define BUF(name)  _cleanup_(pgofs_buf_done) struct pgofs_buf name = PGOFS_BUF(PGOFS_RAW_MAX)

/* ---- messages, where generated code would take for ever to make so many ---- */

static void put_sample(struct pgofs_buf *b, uint64_t leaf, uint64_t caller)
{
	BUF(sample);
	put_number(&sample, 1, leaf);
	put_number(&sample, 1, caller);
	put_number(&sample, 2, 1);
	put_number(&sample, 2, 10);
	put_bytes(b, 2, sample.data, sample.len);
}

/* A function, its name, and a location in it, with the same id. */
static void put_function(struct pgofs_buf *b, uint64_t id, uint64_t string, const char *name)
{
	BUF(function);
	BUF(line);
	BUF(location);
	put_number(&function, 1, id);
	put_number(&function, 2, string);
	put_number(&function, 5, 1);
	put_number(&line, 1, id);
	put_number(&line, 2, 7);
	put_number(&location, 1, id);
	put_bytes(&location, 4, line.data, line.len);
	put_bytes(b, 4, location.data, location.len);
	put_bytes(b, 5, function.data, function.len);
	put_bytes(b, 6, name, strlen(name));
}

static void merge(enum pgofs_view view, const struct pgofs_buf *raw, struct pgofs_buf *out)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	struct pgofs_error err = { "" };
	cr_assert_eq(pgofs_merge_new(view, &m, &err), 0);
	cr_assert_eq(pgofs_merge_add(m, raw->data, raw->len, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_merge_encode(m, out, &err), 0, "%s", err.text);
}

/* ---- time ---- */

Test(hostile, equal_samples_of_a_single_input_take_no_longer_than_others, .timeout = 60)
{
	BUF(raw);
	BUF(out);
	MADE(a) = made_usable();
	made_pack(a, &raw);
	for (size_t i = 0; i < MANY; i++)
		put_sample(&raw, 1, 2);
	merge(PGOFS_VIEW_PPROF, &raw, &out);
	cr_expect_gt(out.len, 10 * MANY);
}

Test(hostile, callers_of_one_function_take_no_longer_than_others, .timeout = 60)
{
	BUF(raw);
	BUF(out);
	MADE(a) = made_usable();
	made_pack(a, &raw);
	for (uint64_t i = 0; i < MANY; i++) {
		char name[16];
		snprintf(name, sizeof name, "caller%06u", (unsigned)i);
		put_function(&raw, 100 + i, a->p->n_string_table + i, name);
		put_sample(&raw, 1, 100 + i);
	}
	merge(PGOFS_VIEW_PGO, &raw, &out);
	cr_expect_gt(out.len, 10 * MANY);
}

/* ---- memory ---- */

Test(hostile, takes_no_memory_for_values_that_are_not_there)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	BUF(raw);
	struct pgofs_error err = { "" };
	MADE(a) = made_usable();
	char name[8];
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "t%d", i);
		made_type(a, name, "count");
	}
	made_pack(a, &raw);
	for (size_t i = 0; i < 1000; i++)
		cr_assert_eq(pgofs_buf_append(&raw, "\x12\x00", 2), 0);
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PPROF, &m, &err), 0);
	cr_expect_eq(pgofs_merge_add(m, raw.data, raw.len, NULL, &err), -EINVAL);
	cr_expect_str_eq(err.text, "it has more sample types than its samples have values");
}

Test(hostile, counts_the_memory_of_every_view)
{
	const enum pgofs_view view[] = { PGOFS_VIEW_PPROF, PGOFS_VIEW_TXT };
	for (size_t v = 0; v < 2; v++) {
		_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
		struct pgofs_merge_input input = { .path = "p", .source = "s" };
		cr_assert_eq(pgofs_merge_new(view[v], &m, NULL), 0);
		for (int i = 0; i < 100; i++) { /* each with a long name that is near no leaf */
			BUF(raw);
			struct pgofs_error err = { "" };
			char name[10001];
			MADE(a) = made_usable();
			memset(name, 'a' + i % 26, sizeof name);
			snprintf(name + 9990, 11, "%010d", i);
			uint64_t at = made_location(a, 0x404000, made_function(a, name, 1), 3);
			MADE_SAMPLE(a, 1, 10, 1, 2, 3, at);
			made_pack(a, &raw);
			cr_assert_eq(pgofs_merge_add(m, raw.data, raw.len, &input, &err), 0, "%s", err.text);
		}
		cr_expect_gt(pgofs_merge_memory_bytes(m), 1000000, "view %zu", v);
	}
}
