/* Gathering what the report says about inputs. What it says about functions and edges is gathered in hot.c and edges.c; report-text.c
 * writes it.
 *
 * What must stay true: the same inputs give the same text, so nothing here looks at a clock, and ties have an order. */
#include "report.h"

#include "array.h"

#include <string.h>

#define SKIPPED_MAX 1000 /* kept by name; the rest is counted */

int pgofs_report_init(struct pgofs_report *r)
{
	*r = (struct pgofs_report){ .first_ns = INT64_MAX, .last_ns = INT64_MIN };
	int code = pgofs_tables_init(&r->names, 1, 0);
	return code < 0 ? code : pgofs_hot_init(&r->hot);
}

static void tallies_done(struct pgofs_tallies *t)
{
	free(t->v);
	free(t->at);
}

void pgofs_report_done(struct pgofs_report *r)
{
	pgofs_tables_done(&r->names);
	pgofs_hot_done(&r->hot);
	tallies_done(&r->sources);
	tallies_done(&r->build_ids);
	free(r->skipped);
	*r = (struct pgofs_report){ 0 };
}

size_t pgofs_report_memory_bytes(const struct pgofs_report *r)
{
	const struct pgofs_tallies *a = &r->sources, *b = &r->build_ids;
	return pgofs_tables_memory_bytes(&r->names) + pgofs_hot_memory_bytes(&r->hot) +
	       (a->cap + b->cap) * sizeof *a->v + (a->at_cap + b->at_cap) * sizeof *a->at;
}

/* Where the text is counted: room is made, nothing is counted yet. */
static int find_tally(struct pgofs_report *r, struct pgofs_tallies *t, const void *text, size_t len, uint32_t *ret_name)
{
	int code = pgofs_string_add(&r->names, text, len, ret_name);
	if (code < 0)
		return code;
	if (ARRAY_RESERVE(t->at, t->at_cap, r->names.strings.n) < 0 || ARRAY_RESERVE(t->v, t->cap, t->n + 1) < 0)
		return -ENOMEM;
	while (t->at_n < r->names.strings.n)
		t->at[t->at_n++] = PGOFS_NONE;
	return 0;
}

static void count(struct pgofs_tallies *t, uint32_t name)
{
	if (t->at[name] == PGOFS_NONE) {
		t->at[name] = (uint32_t)t->n;
		t->v[t->n++] = (struct pgofs_tally){ .name = name };
	}
	t->v[t->at[name]].n++;
}

int pgofs_report_input(struct pgofs_report *r, const struct pgofs_profile *p, const struct pgofs_merge_input *input)
{
	size_t len;
	const uint8_t *build_id = pgofs_profile_string(p, p->mapping[0].build_id, &len);
	const char *source = input && input->source ? input->source : "";
	uint32_t build, from;
	int code = find_tally(r, &r->build_ids, build_id, len, &build);
	if (code == 0)
		code = find_tally(r, &r->sources, source, strlen(source), &from);
	if (code < 0)
		return code;
	count(&r->build_ids, build);
	count(&r->sources, from);
	if (!input)
		return 0;
	int64_t taken_ns = input->taken_ns ? input->taken_ns : p->time_ns;
	r->stored_bytes += input->stored_bytes;
	if (taken_ns < r->first_ns)
		r->first_ns = taken_ns;
	if (taken_ns > r->last_ns)
		r->last_ns = taken_ns;
	return 0;
}

int pgofs_report_skip(struct pgofs_report *r, const struct pgofs_merge_input *input, const char *why)
{
	const char *path = input && input->path ? input->path : "?";
	r->n_skipped++;
	if (r->n_skipped_kept == SKIPPED_MAX)
		return 0;
	if (ARRAY_RESERVE(r->skipped, r->skipped_cap, r->n_skipped_kept + 1) < 0)
		return -ENOMEM;
	struct pgofs_skipped *s = &r->skipped[r->n_skipped_kept];
	int code = pgofs_string_add(&r->names, (const uint8_t *)path, strlen(path), &s->path);
	if (code == 0)
		code = pgofs_string_add(&r->names, (const uint8_t *)why, strlen(why), &s->why);
	if (code == 0)
		r->n_skipped_kept++;
	return code;
}
