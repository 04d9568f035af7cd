/* A single profile is not merged: `go tool pprof` decodes it and writes it again, with its own ids, its own order, doubles, zero
 * samples and unused tables (internal/driver/fetch.go combineProfiles: "the common case of a single profile").
 *
 * So the tables are filled without looking for equals; their entries are at the same places as in the profile, which is
 * where the encoder finds their ids. Samples are in an index all the same, since their values are: under their numbers, as equal hashes
 * would make it slower and slower. */
#include "array.h"
#include "fold.h"

#include <string.h>

static int add_functions(struct pgofs_fold *f)
{
	struct pgofs_functions *to = &f->t->functions;
	if (ARRAY_RESERVE(to->v, to->cap, f->of.profile->n_functions) < 0)
		return -ENOMEM;
	int r = 0;
	for (size_t i = 0; r == 0 && i < f->of.profile->n_functions; i++) {
		const struct pgofs_raw_function *raw = &f->of.profile->function[i];
		struct pgofs_function fn = { .start_line = raw->start_line };
		r = pgofs_fold_string(f, raw->name, &fn.name);
		if (r == 0)
			r = pgofs_fold_string(f, raw->system_name, &fn.system_name);
		if (r == 0)
			r = pgofs_fold_string(f, raw->filename, &fn.filename);
		to->v[to->n++] = fn;
	}
	return r;
}

static int add_mappings(struct pgofs_fold *f)
{
	struct pgofs_mappings *to = &f->t->mappings;
	if (ARRAY_RESERVE(to->v, to->cap, f->of.profile->n_mappings) < 0)
		return -ENOMEM;
	int r = 0;
	for (size_t i = 0; r == 0 && i < f->of.profile->n_mappings; i++) {
		const struct pgofs_raw_mapping *raw = &f->of.profile->mapping[i];
		struct pgofs_mapping m = pgofs_fold_mapping(raw);
		r = pgofs_fold_string(f, raw->file, &m.file);
		if (r == 0)
			r = pgofs_fold_string(f, raw->build_id, &m.build_id);
		to->v[to->n++] = m;
	}
	return r;
}

static int add_locations(struct pgofs_fold *f)
{
	struct pgofs_locations *to = &f->t->locations;
	struct pgofs_line *line =
	    pgofs_arena_take(&f->t->arena, f->of.profile->n_lines * sizeof *line, _Alignof(struct pgofs_line));
	if (!line || ARRAY_RESERVE(to->v, to->cap, f->of.profile->n_locations) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < f->of.profile->n_lines; i++) {
		const struct pgofs_raw_line *raw = &f->of.profile->line[i];
		line[i] = (struct pgofs_line){ raw->line, raw->column, (uint32_t)raw->function };
	}
	for (size_t i = 0; i < f->of.profile->n_locations; i++) {
		const struct pgofs_raw_location *raw = &f->of.profile->location[i];
		struct pgofs_location *l = &to->v[to->n++];
		*l = (struct pgofs_location){ .address = raw->address,
					      .many = line + raw->first_line,
					      .n_lines = raw->n_lines,
					      .mapping = (uint32_t)raw->mapping,
					      .folded = raw->folded };
		if (raw->n_lines == 1)
			l->one = line[raw->first_line];
	}
	return 0;
}

static int add_stack(struct pgofs_fold *f, struct pgofs_stacked *s)
{
	if (ARRAY_RESERVE(f->bytes, f->bytes_cap, f->stack.n * 10) < 0)
		return -ENOMEM;
	uint8_t *out = f->bytes;
	for (size_t i = 0; i < f->stack.n; i++)
		out = pgofs_varint_put(out, f->of.profile->location[f->stack.place[i]].id);
	s->stack = f->bytes;
	s->stack_bytes = (uint32_t)(out - f->bytes);
	s->n_locations = (uint32_t)f->stack.n;
	return 0;
}

static int add_sample(struct pgofs_fold *f, size_t number)
{
	const struct pgofs_plan *plan = f->of.plan;
	int64_t value[PGOFS_SAMPLE_TYPES_MAX];
	struct pgofs_sample sample;
	struct pgofs_stacked s = { 0 };
	uint32_t at;
	int r = pgofs_sample_parse(f->of.profile, number, &sample, value, NULL);
	if (r == 0)
		r = pgofs_sample_stack(f->of.profile, &sample, &f->stack, NULL);
	if (r == 0)
		r = add_stack(f, &s);
	if (r == 0)
		r = pgofs_fold_labels(f, f->of.content->labels[number], &s.labels);
	if (r == 0)
		r = pgofs_samples_insert(f->t, (struct pgofs_hash){ number, 0 }, &s, &at);
	if (r < 0)
		return r;
	if (!plan->plain)
		pgofs_plan_apply(plan, value);
	memcpy(pgofs_samples_values(f->t, at), value, plan->n * sizeof *value);
	return 0;
}

int pgofs_fold_verbatim(struct pgofs_fold *f, struct pgofs_tables *t, struct pgofs_folding of)
{
	int r = pgofs_fold_begin(f, t, of);
	if (r == 0)
		r = add_functions(f);
	if (r == 0)
		r = add_mappings(f);
	if (r == 0)
		r = add_locations(f);
	for (size_t i = 0; r == 0 && i < of.profile->n_samples; i++)
		r = add_sample(f, i);
	return r < 0 ? pgofs_error_errno(of.err, r, "writing the profile") : 0;
}
