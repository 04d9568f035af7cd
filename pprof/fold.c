/* Folding: from an input's numbers to the merge's.
 *
 * A sample whose stack and labels the merge has already, as most are, is found by its hash, and nothing else of it is looked at. Only a new
 * one is taken apart, and what it needs that is new is made in the order in which google/pprof makes it (profile/merge.go, mapSample):
 * samples in the order of the file, mapping before location, functions in the order of lines. A sample whose values are all 0 is left
 * out. What finding will read is asked for some samples before; adding the values comes last of all, when nothing can fail any more.
 *
 * A mapping is where the first input that uses it has it. But google/pprof merges 128 inputs at a time, and in each such chunk takes the very first
 * mapping for the main program's, used or not (profile/merge.go, Merge): what a later input of the chunk uses is then where that one was. So
 * the first input of a chunk leaves a promise.
 *
 * What must stay true: until pgofs_fold_commit nothing is changed that pgofs_tables_undo does not put back. */
#include "fold.h"

#include "array.h"
#include "stack-code.h"

#define AHEAD 16

void pgofs_fold_done(struct pgofs_fold *f)
{
	free(f->string);
	free(f->function);
	free(f->set);
	free(f->mapping);
	free(f->code);
	free(f->stack.place);
	free(f->line);
	free(f->label);
	free(f->bytes);
	free(f->target);
	free(f->value);
	pgofs_buf_done(&f->promise.file);
	pgofs_buf_done(&f->promise.build_id);
	*f = (struct pgofs_fold){ 0 };
}

int pgofs_fold_begin(struct pgofs_fold *f, struct pgofs_tables *t, struct pgofs_folding of)
{
	const struct pgofs_profile *p = of.profile;
	f->t = t;
	f->of = of;
	if (ARRAY_RESERVE(f->string, f->string_cap, p->n_strings) < 0 ||
	    ARRAY_RESERVE(f->function, f->function_cap, p->n_functions) < 0 ||
	    ARRAY_RESERVE(f->set, f->set_cap, of.content->n_sets) < 0 ||
	    ARRAY_RESERVE(f->mapping, f->mapping_cap, p->n_mappings) < 0 ||
	    ARRAY_RESERVE(f->code, f->code_cap, p->n_locations) < 0 ||
	    ARRAY_RESERVE(f->target, f->target_cap, p->n_samples) < 0)
		return -ENOMEM;
	memset(f->string, 0xff, p->n_strings * sizeof *f->string);
	memset(f->function, 0xff, p->n_functions * sizeof *f->function);
	memset(f->set, 0xff, of.content->n_sets * sizeof *f->set);
	memset(f->mapping, 0xff, p->n_mappings * sizeof *f->mapping);
	memset(f->code, 0, p->n_locations * sizeof *f->code);
	return 0;
}

int pgofs_fold_string(struct pgofs_fold *f, uint32_t number, uint32_t *ret)
{
	uint32_t *known = &f->string[number];
	struct pgofs_hash key = f->of.content->string[number];
	int r = 0;
	if (*known == PGOFS_NONE)
		*known = pgofs_index_find(&f->t->strings.index, key);
	if (*known == PGOFS_NONE) {
		size_t len;
		const uint8_t *s = pgofs_profile_string(f->of.profile, number, &len);
		r = pgofs_strings_insert(f->t, key, s, len, known);
	}
	*ret = *known;
	return r;
}

static int insert_function(struct pgofs_fold *f, size_t place, uint32_t *ret)
{
	const struct pgofs_raw_function *raw = &f->of.profile->function[place];
	struct pgofs_function fn = { .start_line = raw->start_line };
	int r = pgofs_fold_string(f, raw->name, &fn.name);
	if (r == 0)
		r = pgofs_fold_string(f, raw->system_name, &fn.system_name);
	if (r == 0)
		r = pgofs_fold_string(f, raw->filename, &fn.filename);
	return r < 0 ? r : pgofs_functions_insert(f->t, f->of.content->function[place], &fn, ret);
}

static int function(struct pgofs_fold *f, size_t place, uint32_t *ret)
{
	uint32_t *known = &f->function[place];
	int r = 0;
	if (*known == PGOFS_NONE)
		*known = pgofs_index_find(&f->t->functions.index, f->of.content->function[place]);
	if (*known == PGOFS_NONE)
		r = insert_function(f, place, known);
	*ret = *known;
	return r;
}

struct pgofs_mapping pgofs_fold_mapping(const struct pgofs_raw_mapping *raw)
{
	return (struct pgofs_mapping){ .start = raw->start,
				       .limit = raw->limit,
				       .offset = raw->offset,
				       .has = raw->has_functions * PGOFS_HAS_FUNCTIONS |
					      raw->has_filenames * PGOFS_HAS_FILENAMES |
					      raw->has_line_numbers * PGOFS_HAS_LINE_NUMBERS |
					      raw->has_inline_frames * PGOFS_HAS_INLINE_FRAMES };
}

static int keep_promise(struct pgofs_fold *f, uint32_t *ret)
{
	const struct pgofs_promise *p = &f->promise;
	struct pgofs_mapping m = p->as;
	int r = pgofs_string_add(f->t, p->file.data, p->file.len, &m.file);
	if (r == 0)
		r = pgofs_string_add(f->t, p->build_id.data, p->build_id.len, &m.build_id);
	return r < 0 ? r : pgofs_mappings_insert(f->t, p->key, &m, ret);
}

static int promise_string(struct pgofs_buf *b, const struct pgofs_profile *p, uint32_t number)
{
	size_t len;
	const uint8_t *text = pgofs_profile_string(p, number, &len);
	pgofs_buf_done(b);
	*b = PGOFS_BUF(SIZE_MAX);
	return pgofs_buf_append(b, text, len);
}

/* Nothing else can fail after it. */
static int promise(struct pgofs_fold *f)
{
	const struct pgofs_profile *p = f->of.profile;
	struct pgofs_promise *to = &f->promise;
	to->key = f->of.content->mapping[0];
	if (pgofs_index_find(&f->t->mappings.index, to->key) != PGOFS_NONE)
		return 0;
	to->as = pgofs_fold_mapping(&p->mapping[0]);
	int r = promise_string(&to->file, p, p->mapping[0].file);
	if (r == 0)
		r = promise_string(&to->build_id, p, p->mapping[0].build_id);
	to->on = r == 0;
	return r;
}

static int insert_mapping(struct pgofs_fold *f, size_t place, uint32_t *ret)
{
	const struct pgofs_raw_mapping *raw = &f->of.profile->mapping[place];
	struct pgofs_mapping m = pgofs_fold_mapping(raw);
	if (f->promise.on && pgofs_hash_same(&f->promise.key, &f->of.content->mapping[place]))
		return keep_promise(f, ret);
	int r = pgofs_fold_string(f, raw->file, &m.file);
	if (r == 0)
		r = pgofs_fold_string(f, raw->build_id, &m.build_id);
	return r < 0 ? r : pgofs_mappings_insert(f->t, f->of.content->mapping[place], &m, ret);
}

static int mapping(struct pgofs_fold *f, size_t place)
{
	struct pgofs_moved *known = &f->mapping[place];
	if (known->number != PGOFS_NONE)
		return 0;
	uint32_t number = pgofs_index_find(&f->t->mappings.index, f->of.content->mapping[place]);
	int r = number == PGOFS_NONE ? insert_mapping(f, place, &number) : 0;
	if (r < 0)
		return r;
	known->by = f->t->mappings.v[number].start - f->of.profile->mapping[place].start;
	known->number = number;
	return 0;
}

static int lines(struct pgofs_fold *f, const struct pgofs_raw_location *raw)
{
	int r = ARRAY_RESERVE(f->line, f->line_cap, raw->n_lines);
	for (uint32_t i = 0; r == 0 && i < raw->n_lines; i++) {
		const struct pgofs_raw_line *line = &f->of.profile->line[raw->first_line + i];
		f->line[i] = (struct pgofs_line){ line->line, line->column, 0 };
		r = function(f, line->function, &f->line[i].function);
	}
	return r;
}

static int insert_location(struct pgofs_fold *f, size_t place, uint32_t *ret)
{
	const struct pgofs_raw_location *raw = &f->of.profile->location[place];
	struct pgofs_location l = {
		.address = raw->address, .n_lines = raw->n_lines, .mapping = PGOFS_NONE, .folded = raw->folded
	};
	int r = raw->mapping == PGOFS_NONE ? 0 : mapping(f, raw->mapping);
	if (r == 0)
		r = lines(f, raw);
	if (r < 0)
		return r;
	if (raw->mapping != PGOFS_NONE) {
		l.mapping = f->mapping[raw->mapping].number;
		l.address += f->mapping[raw->mapping].by;
	}
	if (raw->n_lines == 1)
		l.one = f->line[0];
	else
		l.many = f->line;
	return pgofs_locations_insert(f->t, f->of.content->location[place], &l, ret);
}

static int location(struct pgofs_fold *f, size_t place)
{
	uint32_t number = pgofs_index_find(&f->t->locations.index, f->of.content->location[place]);
	int r = number == PGOFS_NONE ? insert_location(f, place, &number) : 0;
	if (r < 0)
		return r;
	f->code[place] = pgofs_stack_code(number + 1);
	return 0;
}

static int insert_labels(struct pgofs_fold *f, const struct pgofs_content_set *set, uint32_t *ret)
{
	int r = ARRAY_RESERVE(f->label, f->label_cap, set->n);
	for (uint32_t i = 0; r == 0 && i < set->n; i++) {
		struct pgofs_label *l = &f->label[i];
		*l = f->of.content->label[set->first + i];
		r = pgofs_fold_string(f, l->key, &l->key);
		if (r == 0)
			r = pgofs_fold_string(f, l->string, &l->string);
		if (r == 0)
			r = pgofs_fold_string(f, l->unit, &l->unit);
	}
	return r < 0 ? r : pgofs_label_sets_insert(f->t, set->key, f->label, set->n, ret);
}

int pgofs_fold_labels(struct pgofs_fold *f, uint32_t set, uint32_t *ret)
{
	const struct pgofs_content_set *of = &f->of.content->set[set];
	uint32_t *known = &f->set[set];
	int r = 0;
	if (*known == PGOFS_NONE)
		*known = pgofs_index_find(&f->t->label_sets.index, of->key);
	if (*known == PGOFS_NONE)
		r = insert_labels(f, of, known);
	*ret = *known;
	return r;
}

/* The stack in the merge's numbers. */
static int encode_stack(struct pgofs_fold *f, struct pgofs_stacked *s)
{
	if (ARRAY_RESERVE(f->bytes, f->bytes_cap, (f->stack.n + 1) * sizeof(uint32_t)) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < f->stack.n; i++) {
		uint32_t place = f->stack.place[i];
		int r = f->code[place] ? 0 : location(f, place);
		if (r < 0)
			return r;
	}
	uint8_t *end = pgofs_stack_write(f->bytes, f->code, f->stack.place, f->stack.n);
	s->stack = f->bytes;
	s->stack_bytes = (uint32_t)(end - f->bytes);
	s->n_locations = (uint32_t)f->stack.n;
	return 0;
}

/* One that the merge does not have. It was read before, so it can be read. */
static int insert_sample(struct pgofs_fold *f, size_t number, uint32_t *ret)
{
	const struct pgofs_content *c = f->of.content;
	int64_t value[PGOFS_SAMPLE_TYPES_MAX];
	struct pgofs_sample sample;
	struct pgofs_stacked s = { 0 };
	int r = pgofs_sample_parse(f->of.profile, number, &sample, value, NULL);
	if (r == 0)
		r = pgofs_sample_stack(f->of.profile, &sample, &f->stack, NULL);
	if (r == 0)
		r = encode_stack(f, &s);
	if (r == 0)
		r = pgofs_fold_labels(f, c->labels[number], &s.labels);
	return r < 0 ? r : pgofs_samples_insert(f->t, c->sample[number], &s, ret);
}

/* The input's values as the merge wants them; NULL where the sample does not count. */
static const int64_t *values_of(struct pgofs_fold *f, size_t number)
{
	const struct pgofs_plan *plan = f->of.plan;
	size_t n = f->of.profile->n_types;
	const int64_t *value = f->of.content->value + number * n;
	if (!plan->plain) {
		int64_t both[PGOFS_SAMPLE_TYPES_MAX];
		memcpy(both, value, n * sizeof *value);
		if (!pgofs_plan_apply(plan, both))
			return NULL;
		value = memcpy(f->value + number * plan->n, both, plan->n * sizeof *value);
	}
	int64_t any = 0;
	for (uint32_t i = 0; i < plan->n; i++)
		any |= value[i];
	return any ? value : NULL;
}

static int stage(struct pgofs_fold *f)
{
	const struct pgofs_index *samples = &f->t->samples.index;
	const struct pgofs_hash *key = f->of.content->sample;
	size_t n = f->of.profile->n_samples;
	/* The first mapping of all stands for the main program, so it is there even if no sample is in it. */
	int r = f->t->mappings.n == 0 ? mapping(f, 0) : 0;
	f->promise.on &= !f->of.opens_chunk;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i + 2 * AHEAD < n)
			pgofs_index_prefetch(samples, key[i + 2 * AHEAD]);
		if (i + AHEAD < n)
			pgofs_index_prefetch_record(samples, key[i + AHEAD]);
		f->target[i] = PGOFS_NONE;
		if (!values_of(f, i))
			continue;
		f->target[i] = pgofs_index_find(samples, key[i]);
		if (f->target[i] == PGOFS_NONE)
			r = insert_sample(f, i, &f->target[i]);
	}
	return r == 0 && f->of.opens_chunk ? promise(f) : r;
}

int pgofs_fold_stage(struct pgofs_fold *f, struct pgofs_tables *t, struct pgofs_folding of)
{
	struct pgofs_tables_mark mark = pgofs_tables_mark(t);
	int r = pgofs_fold_begin(f, t, of);
	if (r == 0 && !of.plan->plain)
		r = ARRAY_RESERVE(f->value, f->value_cap, of.profile->n_samples * of.plan->n);
	if (r == 0)
		r = stage(f);
	if (r == 0)
		return 0;
	pgofs_tables_undo(t, mark);
	return pgofs_error_errno(of.err, r, "folding a profile in");
}

/* Sums lie anywhere in memory; each is asked for some turns before it is its. */
void pgofs_fold_commit(struct pgofs_fold *f)
{
	size_t n = f->of.profile->n_samples, n_types = f->t->n_types;
	const int64_t *value = f->of.plan->plain ? f->of.content->value : f->value;
	for (size_t i = 0; i < n; i++, value += n_types) {
		if (i + AHEAD < n && f->target[i + AHEAD] != PGOFS_NONE)
			__builtin_prefetch(pgofs_samples_values(f->t, f->target[i + AHEAD]), 1);
		if (f->target[i] == PGOFS_NONE)
			continue;
		int64_t *sum = pgofs_samples_values(f->t, f->target[i]);
		for (size_t k = 0; k < n_types; k++)
			sum[k] = (int64_t)((uint64_t)sum[k] + (uint64_t)value[k]);
	}
}
