/* Would Go's compiler use this profile?
 *
 * The decode is the merge's own, so what is accepted here can be merged. On top of it stand the compiler's rules
 * (cmd/internal/pgo/pprof.go), and those where it says nothing and does nothing: no samples, no calls, start lines nearly nowhere.
 * Somebody who writes such a profile learns it now, and not from a binary that is no faster.
 *
 * Each rule is a row of the table in docs/profiles.md and a file under tests/pprof/bad/. */
#include "edges.h"
#include "guess.h"
#include "sample.h"

#include <pgofs/cleanup.h>
#include <pgofs/pprof.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Below it, start lines are an accident: the edges of all other functions would never match a call. */
#define START_LINES_MIN 0.1

struct check {
	struct pgofs_profile p;
	struct pgofs_stack stack;
	struct pgofs_edges edges;
	struct pgofs_profile_info info;
	size_t count, cpu, chosen;        /* indices of sample types, or SIZE_MAX */
	double weight, named, with_start; /* all; with a leaf function; with one that has a start line */
	uint64_t n_stacks;                /* samples with a location */
	bool symbolized;                  /* some location near a leaf has a function */
	bool start_lines;
	bool negative;
};

static void check_done(struct check *c)
{
	pgofs_profile_done(&c->p);
	pgofs_edges_done(&c->edges);
	free(c->stack.place);
}

static bool type_is(const struct pgofs_profile *p, size_t i, const char *type, const char *unit)
{
	return pgofs_profile_string_is(p, p->type[i].type, type) && pgofs_profile_string_is(p, p->type[i].unit, unit);
}

static bool same_string(const struct pgofs_profile *p, uint32_t a, uint32_t b)
{
	size_t a_len, b_len;
	const uint8_t *x = pgofs_profile_string(p, a, &a_len), *y = pgofs_profile_string(p, b, &b_len);
	return a_len == b_len && memcmp(x, y, a_len) == 0;
}

/* "alloc_objects/count, alloc_space/bytes", for the words. */
static int wrong_types(const struct pgofs_profile *p, struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf list = PGOFS_BUF(400);
	for (size_t i = 0; i < p->n_types; i++) {
		size_t type_len, unit_len;
		const uint8_t *type = pgofs_profile_string(p, p->type[i].type, &type_len);
		const uint8_t *unit = pgofs_profile_string(p, p->type[i].unit, &unit_len);
		if (pgofs_buf_printf(&list, "%s%.*s/%.*s", i ? ", " : "", (int)(type_len & 63), type,
				     (int)(unit_len & 63), unit) < 0)
			break;
	}
	return pgofs_error_set(
	    err, -EINVAL, "not a CPU profile: its sample types are %.*s; samples/count or cpu/nanoseconds is needed",
	    (int)list.len, list.len ? (const char *)list.data : "");
}

static int choose_types(struct check *c, struct pgofs_error *err)
{
	const struct pgofs_profile *p = &c->p;
	c->count = c->cpu = c->chosen = SIZE_MAX;
	for (size_t i = p->n_types; i-- > 0;) {
		if (type_is(p, i, "samples", "count"))
			c->chosen = c->count = i;
		else if (type_is(p, i, "cpu", "nanoseconds"))
			c->chosen = c->cpu = i;
		for (size_t k = 0; k < i; k++) {
			if (same_string(p, p->type[i].type, p->type[k].type))
				return pgofs_error_set(err, -EINVAL, "two of its sample types have the same name");
		}
	}
	return c->chosen == SIZE_MAX ? wrong_types(p, err) : 0;
}

static const struct pgofs_raw_function *function_of(const struct pgofs_profile *p, const struct pgofs_raw_location *l,
						    uint32_t line)
{
	return &p->function[p->line[l->first_line + line].function];
}

/* Weighs one sample by the rules of internal/profile/graph.go. */
static void weigh(struct check *c, const int64_t *value)
{
	const struct pgofs_profile *p = &c->p;
	double weight = (double)value[c->chosen];
	if (weight == 0)
		return;
	c->negative |= weight < 0;
	c->weight += weight;
	if (!c->stack.n)
		return;
	c->n_stacks++;
	for (size_t i = 0; i < c->stack.n && i < 2; i++) {
		const struct pgofs_raw_location *l = &p->location[c->stack.place[i]];
		if (!l->n_lines)
			continue;
		c->symbolized = true;
		c->start_lines |= function_of(p, l, 0)->start_line || function_of(p, l, l->n_lines - 1)->start_line;
	}
	const struct pgofs_raw_location *leaf = &p->location[c->stack.place[0]];
	if (leaf->n_lines) {
		c->named += weight;
		if (function_of(p, leaf, 0)->start_line)
			c->with_start += weight;
	}
}

static void total(int64_t *sum, const int64_t *value, size_t type)
{
	if (type != SIZE_MAX)
		*sum = (int64_t)((uint64_t)*sum + (uint64_t)value[type]);
}

static int read_samples(struct check *c, struct pgofs_error *err)
{
	int64_t value[PGOFS_SAMPLE_TYPES_MAX];
	for (size_t i = 0; i < c->p.n_samples; i++) {
		struct pgofs_sample s;
		int64_t any = 0;
		int r = pgofs_sample_parse(&c->p, i, &s, value, err);
		if (r == 0)
			r = pgofs_sample_stack(&c->p, &s, &c->stack, err);
		if (r == 0 && s.labels.p)
			r = pgofs_sample_check_labels(&c->p, &s, err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < c->p.n_types; k++)
			any |= value[k];
		c->info.n_samples += any != 0;
		total(&c->info.total_count, value, c->count);
		total(&c->info.total_cpu_ns, value, c->cpu);
		weigh(c, value);
	}
	return 0;
}

static int judge(const struct check *c, struct pgofs_error *err)
{
	if (c->p.n_samples == 0)
		return pgofs_error_set(err, -EINVAL, "no samples: the program was idle, or was not profiled for long");
	if (c->negative)
		return pgofs_error_set(err, -EINVAL,
				       "negative values: this is the difference of two profiles, not a profile");
	if (c->weight == 0)
		return pgofs_error_set(err, -EINVAL, "all values are 0");
	if (c->n_stacks == 0)
		return pgofs_error_set(err, -EINVAL, "no sample has a stack");
	if (!c->symbolized)
		return pgofs_error_set(err, -EINVAL, "no sample has a function's name: it was not symbolized");
	if (!c->start_lines)
		return pgofs_error_set(
		    err, -EINVAL,
		    "no function has a start line: built by a Go before 1.20, or symbolized by another tool");
	if (c->named && c->with_start / c->named < START_LINES_MIN)
		return pgofs_error_set(
		    err, -EINVAL,
		    "only %.1f %% of the samples are in functions with a start line: Go could match no others",
		    100 * c->with_start / c->named);
	return 0;
}

/* Is there a call at all? Only where nodes differ (edges.c), which is more than two frames. */
static int judge_calls(struct check *c, struct pgofs_error *err)
{
	struct pgofs_plan plan = { .n = (uint32_t)c->p.n_types, .plain = true };
	struct pgofs_prune none = { .on = false };
	bool any = false;
	int r = pgofs_edges_fold(&c->edges, &c->p, &plan, &none, NULL, err);
	if (r < 0)
		return r;
	pgofs_edges_commit(&c->edges, &plan);
	for (size_t i = 0; i < c->edges.n; i++)
		any |= c->edges.value[i * c->edges.n_types + c->chosen] != 0;
	return any ? 0 : pgofs_error_set(err, -EINVAL, "no calls: no sample has one function called by another");
}

static void fill_info(struct check *c)
{
	c->info.time_ns = c->p.time_ns;
	c->info.duration_ns = c->p.duration_ns;
	c->info.start_line_share = c->weight ? c->with_start / c->weight : 0;
	if (!c->p.had_mappings)
		return;
	size_t len;
	const uint8_t *id = pgofs_profile_string(&c->p, c->p.mapping[0].build_id, &len);
	if (len < sizeof c->info.build_id)
		memcpy(c->info.build_id, id, len);
}

/* `cat a b > c`: the list of sample types comes twice. */
static bool is_two_profiles(const struct pgofs_profile *p)
{
	bool two = p->n_types && p->n_types % 2 == 0 && p->n_strings;
	for (size_t i = 0; two && i < p->n_types / 2; i++)
		two = p->type[i].type == p->type[i + p->n_types / 2].type;
	return two;
}

static int explain(const struct check *c, const struct pgofs_buf *raw, int code, struct pgofs_error *err)
{
	char guess[PGOFS_GUESS_SIZE];
	if (code != -EINVAL || raw->len == 0)
		return code;
	if (pgofs_guess(raw->data, raw->len, guess))
		return pgofs_error_set(err, code, "%s", guess);
	if (is_two_profiles(&c->p))
		return pgofs_error_set(err, code, "these are two profiles in one file");
	return pgofs_error_wrap(err, code, "broken profile");
}

static int check_raw(struct check *c, const struct pgofs_buf *raw, struct pgofs_profile_info *ret_info,
		     struct pgofs_error *err)
{
	int r = pgofs_profile_decode(&c->p, raw->data, raw->len, err);
	if (r < 0)
		return explain(c, raw, r, err);
	if (c->p.n_types == 0)
		return pgofs_error_set(err, -EINVAL, "not a CPU profile: it has no sample types");
	r = choose_types(c, err);
	if (r == 0)
		r = read_samples(c, err);
	if (r < 0)
		return r;
	fill_info(c);
	if (ret_info)
		*ret_info = c->info;
	r = judge(c, err);
	return r < 0 ? r : judge_calls(c, err);
}

int pgofs_pprof_check(const void *stored, size_t len, size_t max_raw, struct pgofs_profile_info *ret_info,
		      struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(max_raw);
	_cleanup_(check_done) struct check c = { 0 };
	pgofs_profile_init(&c.p);
	int r = pgofs_edges_init(&c.edges);
	if (r < 0)
		return pgofs_error_errno(err, r, "checking");
	r = pgofs_pprof_inflate(stored, len, &raw, err);
	return r < 0 ? r : check_raw(&c, &raw, ret_info, err);
}
