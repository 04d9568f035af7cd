/* The report: what its lines say, and that a hostile name cannot draw on a terminal. */
#include "made.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <string.h>

#define MADE(name) _cleanup_(made_freep) struct made *name

static struct pgofs_merge *begin(void)
{
	struct pgofs_merge *m = NULL;
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_TXT, &m, NULL), 0);
	return m;
}

static void add(struct pgofs_merge *m, const struct made *made, const char *source, int64_t taken_s)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(PGOFS_RAW_MAX);
	struct pgofs_merge_input input = { "app/x.pprof", source, taken_s * PGOFS_NS_PER_S, 1000 };
	struct pgofs_error err = { "" };
	made_pack(made, &raw);
	cr_assert_eq(pgofs_merge_add(m, raw.data, raw.len, &input, &err), 0, "%s", err.text);
}

static char *text_of(struct pgofs_merge *m, struct pgofs_buf *out)
{
	cr_assert_eq(pgofs_merge_encode(m, out, NULL), 0);
	cr_assert_eq(pgofs_buf_append(out, "", 1), 0);
	return (char *)out->data;
}

static void expect_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);
	cr_expect(at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n', "no line \"%s\" in\n%s", line,
		  text);
}

Test(report, says_what_is_in_a_merge)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = begin();
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(1 << 20);
	MADE(a) = made_usable();
	MADE(b) = made_usable();
	b->p->sample[0]->value[0] = 30000;
	b->p->mapping[0]->build_id = made_string(b, "build2");
	struct pgofs_merge_input bad = { .path = "app/bad.pprof" };
	add(m, b, "web-2", 1790000060);
	add(m, a, "web-1", 1790000000);
	add(m, a, "web-1", 1790000030);
	cr_assert_eq(pgofs_merge_skip(m, &bad, "this is text"), 0);
	const char *text = text_of(m, &out);
	expect_line(text, "verdict         good: 30,006 samples");
	expect_line(text, "inputs          3, 2.9 KiB stored");
	expect_line(text, "skipped         1");
	expect_line(text, "  app/bad.pprof: this is text");
	expect_line(text, "sources         2");
	expect_line(text, "taken           2026-09-21T14:13:20Z to 2026-09-21T14:14:20Z");
	expect_line(text, "profiled        30s of wall time, all inputs together");
	expect_line(text, "CPU time        90ms, 0.00 CPUs busy on average");
	expect_line(text, "start lines     100.0 % of the weight");
	expect_line(text, "          30,006 100.0% 100.0%  main.work -> main.leaf +7");
	expect_line(text, "          30,006 100.0%           30,006 100.0%  main.leaf");
	expect_line(text, "               0   0.0%           30,006 100.0%  main.main");
	expect_line(text, "               2  build1");
	expect_line(text, "               1  web-2");
}

Test(report, warns_of_few_samples_and_of_missing_start_lines)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *few = begin(), *none = begin();
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(1 << 20), other = PGOFS_BUF(1 << 20);
	MADE(a) = made_usable();
	add(few, a, NULL, 0);
	cr_expect_not_null(strstr(text_of(few, &out), "verdict         too few samples: with 3,"));
	a->p->function[2]->start_line = 0;
	add(none, a, NULL, 0);
	cr_expect_not_null(strstr(text_of(none, &other), "of little use: only 0.0 % of the weight has start lines"));
}

Test(report, counts_a_recursive_function_once_a_sample)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = begin();
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(1 << 20);
	MADE(a) = made_new();
	uint64_t f = made_function(a, "f", 1), x = made_location(a, 1, f, 2), y = made_location(a, 2, f, 3);
	MADE_SAMPLE(a, 4, 4, x, y, x, y);
	add(m, a, NULL, 0);
	expect_line(text_of(m, &out), "               4 100.0%                4 100.0%  f");
}

Test(report, says_the_same_of_the_same_hot_functions_whatever_is_broken_in_between)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = begin(), *clean = begin();
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(1 << 20), expect = PGOFS_BUF(1 << 20);
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(1 << 20);
	MADE(a) = made_usable();
	MADE(bad) = made_usable();
	MADE_SAMPLE(bad, 1, 1, 99);
	made_pack(bad, &raw);
	add(m, a, "s", 1);
	cr_expect_lt(pgofs_merge_add(m, raw.data, raw.len, NULL, NULL), 0);
	add(m, a, "s", 2);
	add(clean, a, "s", 1);
	add(clean, a, "s", 2);
	cr_expect_str_eq(text_of(m, &out), text_of(clean, &expect));
}

Test(report, writes_no_control_bytes)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = begin();
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(1 << 20);
	char name[1000];
	MADE(a) = made_usable();
	memset(name, 'x', sizeof name);
	memcpy(name, "\033[2J\r\n\a", 7);
	name[sizeof name - 1] = 0;
	a->p->function[2]->name = made_string(a, name);
	add(m, a, "\033]0;title\a", 0);
	const char *text = text_of(m, &out);
	for (const char *at = text; *at; at++)
		cr_assert(*at == '\n' || (unsigned char)*at >= 0x20);
	cr_expect_null(strstr(text, "main.leaf"));
	cr_expect_not_null(strstr(text, "?[2J???xxx"));
}
