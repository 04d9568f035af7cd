/* Folding: from an input's numbers to the merge's.
 *
 * Reading a sample and finding it in the merge are kept a block of samples apart, so that the memory the look-up needs is on its way
 * meanwhile; adding the values comes last of all, when the whole input has proved good. Strings, functions and locations that the merge
 * knows already are looked up in one go at the start, for the same reason. New ones are made when the first sample needs them, because
 * that gives them the numbers google/pprof gives (profile/merge.go, mapSample): samples in the order of the file, mapping before location,
 * functions in the order of lines. A sample whose values are all 0 is checked and left out.
 *
 * What must stay true: until pgofs_fold_commit nothing is changed that pgofs_tables_undo does not put back. */
#include "fold.h"

#include "array.h"

#include <string.h>

#define BLOCK 64
#define AHEAD 16

void pgofs_fold_done(struct pgofs_fold *f)
{
	free(f->string);
	free(f->function);
	free(f->mapping);
	free(f->code);
	free(f->known);
	pgofs_slots_done(&f->known_slots);
	free(f->stack.place);
	free(f->line);
	free(f->label);
	free(f->waiting);
	free(f->bytes);
	free(f->target);
	free(f->value);
	*f = (struct pgofs_fold){ 0 };
}

static int no_memory(struct pgofs_fold *f, int code)
{
	return pgofs_error_errno(f->err, code, "folding a profile in");
}

int pgofs_fold_begin(struct pgofs_fold *f, struct pgofs_tables *t, const struct pgofs_profile *p,
		     const struct pgofs_plan *plan, struct pgofs_error *err)
{
	f->t = t;
	f->p = p;
	f->plan = plan;
	f->err = err;
	if (ARRAY_RESERVE(f->string, f->string_cap, p->n_strings) < 0 ||
	    ARRAY_RESERVE(f->function, f->function_cap, p->n_functions) < 0 ||
	    ARRAY_RESERVE(f->mapping, f->mapping_cap, p->n_mappings) < 0 ||
	    ARRAY_RESERVE(f->code, f->code_cap, p->n_locations) < 0 ||
	    ARRAY_RESERVE(f->target, f->target_cap, p->n_samples) < 0 ||
	    ARRAY_RESERVE(f->value, f->value_cap, p->n_samples * f->plan->n + p->n_types) < 0)
		return no_memory(f, -ENOMEM);
	if (!f->waiting && !(f->waiting = malloc(BLOCK * sizeof *f->waiting)))
		return no_memory(f, -ENOMEM);
	memset(f->string, 0xff, p->n_strings * sizeof *f->string);
	memset(f->function, 0xff, p->n_functions * sizeof *f->function);
	memset(f->mapping, 0xff, p->n_mappings * sizeof *f->mapping);
	memset(f->code, 0, p->n_locations * sizeof *f->code);
	f->n_known = f->n_targets = f->n_waiting = f->n_bytes = 0;
	pgofs_slots_clear(&f->known_slots);
	return 0;
}

/* Nearly all strings are names of functions and files, so all are looked up. */
static void find_strings(struct pgofs_fold *f)
{
	struct pgofs_wanted wanted[PGOFS_AT_ONCE];
	for (size_t i = 0, n; i < f->p->n_strings; i += n) {
		for (n = 0; n < PGOFS_AT_ONCE && i + n < f->p->n_strings; n++)
			wanted[n].data = pgofs_profile_string(f->p, (uint32_t)(i + n), &wanted[n].len);
		pgofs_strings_find(f->t, wanted, n, f->string + i);
	}
}

int pgofs_fold_string(struct pgofs_fold *f, uint32_t number, uint32_t *ret)
{
	uint32_t *known = &f->string[number];
	if (*known == PGOFS_NONE) {
		size_t len;
		const uint8_t *s = pgofs_profile_string(f->p, number, &len);
		int r = pgofs_string_add(f->t, s, len, known);
		if (r < 0)
			return r;
	}
	*ret = *known;
	return 0;
}

/* Those whose strings are all known. */
static void find_functions(struct pgofs_fold *f)
{
	struct pgofs_function key[PGOFS_AT_ONCE];
	uint32_t place[PGOFS_AT_ONCE], found[PGOFS_AT_ONCE];
	size_t n = 0;
	for (uint32_t i = 0; i < f->p->n_functions; i++) {
		const struct pgofs_raw_function *raw = &f->p->function[i];
		uint32_t name = f->string[raw->name], system_name = f->string[raw->system_name];
		uint32_t filename = f->string[raw->filename];
		key[n] = (struct pgofs_function){ name, system_name, filename, .start_line = raw->start_line };
		place[n] = i;
		if (name != PGOFS_NONE && system_name != PGOFS_NONE && filename != PGOFS_NONE)
			n++;
		if (n < PGOFS_AT_ONCE && i + 1 < f->p->n_functions)
			continue;
		pgofs_functions_find(f->t, key, n, found);
		while (n--)
			f->function[place[n]] = found[n];
		n = 0;
	}
}

static int add_function(struct pgofs_fold *f, size_t place, uint32_t *ret)
{
	if (f->function[place] == PGOFS_NONE) {
		const struct pgofs_raw_function *raw = &f->p->function[place];
		struct pgofs_function fn = { .start_line = raw->start_line };
		int r = pgofs_fold_string(f, raw->name, &fn.name);
		if (r == 0)
			r = pgofs_fold_string(f, raw->system_name, &fn.system_name);
		if (r == 0)
			r = pgofs_fold_string(f, raw->filename, &fn.filename);
		if (r == 0)
			r = pgofs_functions_add(f->t, &fn, &f->function[place]);
		if (r < 0)
			return r;
	}
	*ret = f->function[place];
	return 0;
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

static void found_mapping(struct pgofs_fold *f, size_t place, uint32_t number)
{
	f->mapping[place].number = number;
	f->mapping[place].by = f->t->mappings.v[number].start - f->p->mapping[place].start;
}

static int add_mapping(struct pgofs_fold *f, size_t place)
{
	const struct pgofs_raw_mapping *raw = &f->p->mapping[place];
	struct pgofs_mapping m = pgofs_fold_mapping(raw);
	uint32_t number;
	if (f->mapping[place].number != PGOFS_NONE)
		return 0;
	int r = pgofs_fold_string(f, raw->file, &m.file);
	if (r == 0)
		r = pgofs_fold_string(f, raw->build_id, &m.build_id);
	if (r == 0)
		r = pgofs_mappings_add(f->t, &m, &number);
	if (r == 0)
		found_mapping(f, place, number);
	return r;
}

static void find_mapping(struct pgofs_fold *f, size_t place)
{
	const struct pgofs_raw_mapping *raw = &f->p->mapping[place];
	struct pgofs_mapping m = pgofs_fold_mapping(raw);
	m.file = f->string[raw->file];
	m.build_id = f->string[raw->build_id];
	if (m.file == PGOFS_NONE || m.build_id == PGOFS_NONE)
		return;
	uint32_t number = pgofs_mappings_find(f->t, &m);
	if (number != PGOFS_NONE)
		found_mapping(f, place, number);
}

/* The location in the merge's numbers, its lines taken from `line`. */
static struct pgofs_location moved_location(const struct pgofs_fold *f, const struct pgofs_raw_location *raw,
					    const struct pgofs_line *line)
{
	struct pgofs_location l = {
		.address = raw->address, .n_lines = raw->n_lines, .mapping = PGOFS_NONE, .folded = raw->folded
	};
	if (raw->n_lines == 1)
		l.one = *line;
	else
		l.many = line;
	if (raw->mapping != PGOFS_NONE) {
		l.mapping = f->mapping[raw->mapping].number;
		l.address += f->mapping[raw->mapping].by;
	}
	return l;
}

static uint64_t code_of(uint32_t number)
{
	uint8_t bytes[8] = { 0 };
	uint64_t len = (uint64_t)(pgofs_varint_put(bytes, (uint64_t)number + 1) - bytes);
	return pgofs_load32(bytes) | PGOFS_CODE_KNOWN | len << PGOFS_CODE_LEN;
}

/* Locations being looked up together, with their lines. */
struct batch {
	struct pgofs_location location[PGOFS_AT_ONCE];
	uint32_t place[PGOFS_AT_ONCE];
	size_t n, n_lines;
};

/* Gives those a code that the merge has already. */
static void settle_batch(struct pgofs_fold *f, struct batch *b)
{
	uint32_t number[PGOFS_AT_ONCE];
	pgofs_locations_find(f->t, b->location, b->n, number);
	for (size_t i = 0; i < b->n; i++) {
		if (number[i] != PGOFS_NONE)
			f->code[b->place[i]] = code_of(number[i]);
	}
	b->n = b->n_lines = 0;
}

/* Puts a location in the batch, unless its mapping or a function is new: then it is new, too. */
static void find_location(struct pgofs_fold *f, uint32_t place, struct batch *b)
{
	const struct pgofs_raw_location *raw = &f->p->location[place];
	const struct pgofs_raw_line *from = f->p->line + raw->first_line;
	if (raw->mapping != PGOFS_NONE && f->mapping[raw->mapping].number == PGOFS_NONE)
		return;
	if (raw->n_lines > f->line_cap - b->n_lines)
		settle_batch(f, b);
	struct pgofs_line *line = f->line + b->n_lines;
	for (uint32_t i = 0; i < raw->n_lines; i++) {
		uint32_t function = f->function[from[i].function];
		if (function == PGOFS_NONE)
			return;
		line[i] = (struct pgofs_line){ from[i].line, from[i].column, function };
	}
	b->location[b->n] = moved_location(f, raw, line);
	b->place[b->n++] = place;
	b->n_lines += raw->n_lines;
	if (b->n == PGOFS_AT_ONCE)
		settle_batch(f, b);
}

static int add_location(struct pgofs_fold *f, size_t place)
{
	const struct pgofs_raw_location *raw = &f->p->location[place];
	int r = raw->mapping == PGOFS_NONE ? 0 : add_mapping(f, raw->mapping);
	for (uint32_t i = 0; r == 0 && i < raw->n_lines; i++) {
		const struct pgofs_raw_line *line = &f->p->line[raw->first_line + i];
		f->line[i] = (struct pgofs_line){ line->line, line->column, 0 };
		r = add_function(f, line->function, &f->line[i].function);
	}
	if (r < 0)
		return r;
	struct pgofs_location l = moved_location(f, raw, f->line);
	uint32_t number;
	r = pgofs_locations_add(f->t, &l, &number);
	if (r == 0)
		f->code[place] = code_of(number);
	return r;
}

/* Room for the lines of the longest location, and of an ordinary batch, once: they must not move. */
static int room_for_lines(struct pgofs_fold *f)
{
	size_t longest = 4 * PGOFS_AT_ONCE;
	for (size_t i = 0; i < f->p->n_locations; i++) {
		if (f->p->location[i].n_lines > longest)
			longest = f->p->location[i].n_lines;
	}
	return ARRAY_RESERVE(f->line, f->line_cap, longest);
}

/* The first mapping of all stands for the main program, so it is there even if no sample is in it. */
static int find_known(struct pgofs_fold *f)
{
	int r = room_for_lines(f);
	if (r == 0 && f->t->mappings.n == 0)
		r = add_mapping(f, 0);
	if (r < 0 || f->t->locations.n == 0)
		return r;
	find_strings(f);
	for (size_t i = 0; i < f->p->n_mappings; i++)
		find_mapping(f, i);
	find_functions(f);
	struct batch b = { .n = 0 };
	for (uint32_t i = 0; i < f->p->n_locations; i++)
		find_location(f, i, &b);
	settle_batch(f, &b);
	return 0;
}

static int add_label(struct pgofs_fold *f, const struct pgofs_raw_label *raw, size_t *n)
{
	if (!raw->string && !raw->number && !raw->unit)
		return 0; /* profile/encode.go postDecode: as if it were not there */
	if (ARRAY_RESERVE(f->label, f->label_cap, *n + 1) < 0)
		return -ENOMEM;
	struct pgofs_label *l = &f->label[*n];
	*l = (struct pgofs_label){ .numeric = !raw->string };
	int r = pgofs_fold_string(f, raw->key, &l->key);
	if (r == 0 && raw->string)
		r = pgofs_fold_string(f, raw->string, &l->string);
	if (r == 0 && l->numeric) {
		l->number = raw->number;
		l->with_units = raw->unit != 0;
		r = pgofs_fold_string(f, raw->unit, &l->unit);
	}
	if (r == 0)
		(*n)++;
	return r;
}

static int read_labels(struct pgofs_fold *f, struct pgofs_wire w, uint32_t *ret_set)
{
	struct pgofs_raw_label raw;
	size_t n = 0;
	int r;
	while ((r = pgofs_sample_label(f->p, &w, &raw, f->err)) > 0) {
		r = add_label(f, &raw, &n);
		if (r < 0)
			return no_memory(f, r);
	}
	if (r == 0 && (r = pgofs_label_sets_add(f->t, f->label, n, ret_set)) < 0)
		return no_memory(f, r);
	return r;
}

static bool same_known(const void *table, uint32_t number, const void *key)
{
	const struct pgofs_known_labels *a = &((const struct pgofs_known_labels *)table)[number], *b = key;
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Sets repeat within an input, byte for byte. */
int pgofs_fold_labels(struct pgofs_fold *f, const struct pgofs_sample *s, uint32_t *ret_set)
{
	if (s->scattered_labels)
		return read_labels(f, s->all, ret_set);
	struct pgofs_known_labels key = { s->labels.p, (uint32_t)(s->labels.end - s->labels.p), 0 };
	uint32_t hash = pgofs_hash_short(pgofs_hash_bytes(f->t->seed, key.bytes, key.len));
	uint32_t at = pgofs_slots_find(&f->known_slots, hash, same_known, f->known, &key);
	if (at != PGOFS_NONE) {
		*ret_set = f->known[at].set;
		return 0;
	}
	int r = read_labels(f, s->labels, &key.set);
	if (r < 0)
		return r;
	if (pgofs_slots_reserve(&f->known_slots) < 0 || ARRAY_RESERVE(f->known, f->known_cap, f->n_known + 1) < 0)
		return no_memory(f, -ENOMEM);
	f->known[f->n_known] = key;
	pgofs_slots_insert(&f->known_slots, hash, (uint32_t)f->n_known++);
	*ret_set = key.set;
	return 0;
}

/* Looks the waiting samples up, in their order. What the look-up will read, the slot's entry and its stack, is asked for beforehand. */
static int settle(struct pgofs_fold *f)
{
	uint32_t likely[BLOCK];
	for (size_t i = 0; i < f->n_waiting; i++)
		likely[i] = pgofs_samples_prefetch(f->t, f->waiting[i].hash);
	for (size_t i = 0; i < f->n_waiting; i++)
		pgofs_samples_prefetch_stack(f->t, likely[i]);
	for (size_t i = 0; i < f->n_waiting; i++) {
		struct pgofs_stacked *s = &f->waiting[i];
		int r = pgofs_samples_add(f->t, s, &f->target[f->n_targets]);
		if (r < 0)
			return no_memory(f, r);
		f->n_targets++;
	}
	f->n_waiting = f->n_bytes = 0;
	return 0;
}

/* Room for a stack in `bytes`, which never moves while samples wait. */
static int room_for_stack(struct pgofs_fold *f)
{
	size_t need = f->stack.n * sizeof(uint32_t) + sizeof(uint32_t);
	if (f->n_waiting == BLOCK || f->n_bytes + need > f->bytes_cap) {
		int r = settle(f);
		if (r < 0)
			return r;
	}
	if (need > f->bytes_cap && ARRAY_RESERVE(f->bytes, f->bytes_cap, need < 32768 ? 32768 : need) < 0)
		return no_memory(f, -ENOMEM);
	return 0;
}

/* Copies codes; NULL where one was not known yet, which is asked once for all. Four bytes are stored for each frame, and the next one goes
 * over those it did not use. All in locals: stores through `out` might change anything else. */
static uint8_t *copy_codes(uint8_t *out, const uint64_t *code, const uint32_t *place, size_t n)
{
	uint64_t all = PGOFS_CODE_KNOWN;
#pragma GCC unroll 4
	for (size_t i = 0; i < n; i++) {
		uint64_t c = code[place[i]];
		uint32_t bytes = (uint32_t)c;
		memcpy(out, &bytes, sizeof bytes);
		out += c >> PGOFS_CODE_LEN;
		all &= c;
	}
	return all ? out : NULL;
}

/* Gives the stack's new locations their numbers. */
static int add_locations(struct pgofs_fold *f)
{
	for (size_t i = 0; i < f->stack.n; i++) {
		uint32_t place = f->stack.place[i];
		int r = f->code[place] ? 0 : add_location(f, place);
		if (r < 0)
			return no_memory(f, r);
	}
	return 0;
}

/* The stack in the merge's numbers. */
static int encode_stack(struct pgofs_fold *f, struct pgofs_stacked *s)
{
	uint8_t *start = f->bytes + f->n_bytes;
	uint8_t *end = copy_codes(start, f->code, f->stack.place, f->stack.n);
	if (!end) {
		int r = add_locations(f);
		if (r < 0)
			return r;
		end = copy_codes(start, f->code, f->stack.place, f->stack.n);
	}
	s->stack = start;
	s->stack_bytes = (uint32_t)(end - start);
	s->n_locations = (uint32_t)f->stack.n;
	return 0;
}

static int stage_sample(struct pgofs_fold *f, const struct pgofs_sample *sample)
{
	struct pgofs_stacked s = { 0 };
	int r = room_for_stack(f);
	if (r == 0)
		r = encode_stack(f, &s);
	if (r == 0 && sample->labels.p)
		r = pgofs_fold_labels(f, sample, &s.labels);
	if (r < 0)
		return r;
	s.hash = pgofs_samples_hash(f->t, &s);
	pgofs_slots_prefetch(&f->t->samples.slots, s.hash);
	f->n_bytes += s.stack_bytes;
	f->waiting[f->n_waiting++] = s;
	return 0;
}

static bool counts(const struct pgofs_plan *plan, int64_t *value)
{
	if (!plan->plain && !pgofs_plan_apply(plan, value))
		return false;
	int64_t any = 0;
	for (uint32_t i = 0; i < plan->n; i++)
		any |= value[i];
	return any != 0;
}

static int stage_samples(struct pgofs_fold *f)
{
	int64_t *value = f->value;
	int r = 0;
	for (size_t i = 0; r == 0 && i < f->p->n_samples; i++) {
		struct pgofs_sample s;
		r = pgofs_sample_parse(f->p, i, &s, value, f->err);
		if (r == 0)
			r = pgofs_sample_stack(f->p, &s, &f->stack, f->err);
		if (r < 0)
			return r;
		if (counts(f->plan, value)) {
			r = stage_sample(f, &s);
			value += f->plan->n;
		} else if (s.labels.p) {
			r = pgofs_sample_check_labels(f->p, &s, f->err);
		}
	}
	return r < 0 ? r : settle(f);
}

int pgofs_fold_stage(struct pgofs_fold *f, struct pgofs_tables *t, const struct pgofs_profile *p,
		     const struct pgofs_plan *plan, struct pgofs_error *err)
{
	struct pgofs_tables_mark mark = pgofs_tables_mark(t);
	int r = pgofs_fold_begin(f, t, p, plan, err);
	if (r < 0)
		return r;
	r = find_known(f);
	r = r < 0 ? no_memory(f, r) : stage_samples(f);
	if (r < 0)
		pgofs_tables_undo(t, mark);
	return r;
}

/* Sums lie anywhere in memory; each is asked for some turns before it is its. */
void pgofs_fold_commit(struct pgofs_fold *f)
{
	const int64_t *value = f->value;
	for (size_t i = 0; i < f->n_targets; i++) {
		if (i + AHEAD < f->n_targets)
			__builtin_prefetch(pgofs_samples_values(f->t, f->target[i + AHEAD]), 1);
		int64_t *sum = pgofs_samples_values(f->t, f->target[i]);
		for (size_t k = 0; k < f->t->n_types; k++)
			sum[k] = (int64_t)((uint64_t)sum[k] + (uint64_t)*value++);
	}
}
