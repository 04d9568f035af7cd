/* Reading a profile's tables.
 *
 * One pass over the top-level fields, which may come in any order, notes where samples and strings are and reads the small
 * tables; a second one over the small tables turns ids into places and checks every number that points somewhere. Samples
 * are read later, one at a time (sample.c), because they are nine tenths of the bytes and need not be kept.
 *
 * What must stay true: after success every `place` and string number in every table is in range, so nobody checks again. */
#include "profile.h"

#include "array.h"
#include "usual.h"

#include <string.h>

void pgofs_profile_init(struct pgofs_profile *p)
{
	*p = (struct pgofs_profile){ 0 };
	struct pgofs_seed seed = pgofs_seed_new();
	p->locations.seed = p->functions.seed = p->mappings.seed = seed;
}

void pgofs_profile_done(struct pgofs_profile *p)
{
	free(p->string);
	free(p->sample);
	free(p->type);
	free(p->mapping);
	free(p->location);
	free(p->line);
	free(p->function);
	free(p->comment);
	pgofs_ids_done(&p->locations);
	pgofs_ids_done(&p->functions);
	pgofs_ids_done(&p->mappings);
	*p = (struct pgofs_profile){ 0 };
}

size_t pgofs_profile_memory_bytes(const struct pgofs_profile *p)
{
	return p->string_cap * sizeof *p->string + p->sample_cap * sizeof *p->sample +
	       p->location_cap * sizeof *p->location + p->line_cap * sizeof *p->line +
	       p->function_cap * sizeof *p->function + p->mapping_cap * sizeof *p->mapping +
	       (p->locations.place_cap + p->functions.place_cap + p->mappings.place_cap) * sizeof(uint32_t);
}

bool pgofs_profile_string_is(const struct pgofs_profile *p, uint32_t number, const char *text)
{
	size_t len;
	const uint8_t *s = pgofs_profile_string(p, number, &len);
	return len == strlen(text) && memcmp(s, text, len) == 0;
}

/* Room for one more element of a table, within its limit. */
static int room(void **data, size_t *cap, size_t n, size_t max, size_t element_bytes, struct pgofs_error *err)
{
	if (n >= max)
		return pgofs_error_set(err, -EFBIG, "more than %zu entries in one table", max);
	int r = pgofs_array_reserve(data, cap, n + 1, element_bytes);
	return r < 0 ? pgofs_error_errno(err, r, "reading a table") : 0;
}

#define ROOM(p, name, plural, max, err)                                                                                \
	((p)->n_##plural < (p)->name##_cap && (p)->n_##plural < (max)                                                  \
	     ? 0                                                                                                       \
	     : room((void **)&(p)->name, &(p)->name##_cap, (p)->n_##plural, (max), sizeof *(p)->name, (err)))

/* A string's number. What cannot be one becomes PGOFS_NONE, which the second pass refuses. */
static uint32_t string_number(uint64_t v)
{
	return v < PGOFS_NONE ? (uint32_t)v : PGOFS_NONE;
}

static int read_type(struct pgofs_wire w, struct pgofs_raw_type *ret, struct pgofs_error *err)
{
	uint64_t v[3] = { 0 };
	int r = pgofs_wire_numbers(&w, v, 1 << 1 | 1 << 2, 0, err);
	*ret = (struct pgofs_raw_type){ string_number(v[1]), string_number(v[2]) };
	return r;
}

static int read_mapping(struct pgofs_wire w, struct pgofs_raw_mapping *m, struct pgofs_error *err)
{
	uint64_t v[11] = { 0 };
	int r = pgofs_wire_numbers(&w, v, (1 << 11) - 2, 0, err);
	*m = (struct pgofs_raw_mapping){ .id = v[1],
					 .start = v[2],
					 .limit = v[3],
					 .offset = v[4],
					 .file = string_number(v[5]),
					 .build_id = string_number(v[6]),
					 .has_functions = v[7] != 0,
					 .has_filenames = v[8] != 0,
					 .has_line_numbers = v[9] != 0,
					 .has_inline_frames = v[10] != 0 };
	return r;
}

static int add_line(struct pgofs_profile *p, struct pgofs_wire *location, struct pgofs_error *err)
{
	uint64_t v[4] = { 0 };
	struct pgofs_field f = { 0 };
	struct pgofs_wire line = { 0 };
	int r = pgofs_wire_next(location, &f, err);
	if (r == 1)
		r = pgofs_field_bytes(&f, &line, err);
	if (r == 0)
		r = ROOM(p, line, lines, PGOFS_TABLE_MAX, err);
	if (r == 0)
		r = pgofs_wire_numbers(&line, v, 1 << 1 | 1 << 2 | 1 << 3, 0, err);
	if (r == 0)
		p->line[p->n_lines++] = (struct pgofs_raw_line){ v[1], (int64_t)v[2], (int64_t)v[3] };
	return r;
}

/* May the message be read as usual? */
static bool has_slack(const struct pgofs_profile *p, struct pgofs_wire w)
{
	return p->raw + p->len - w.end >= PGOFS_USUAL_SLACK;
}

/* Where the line that starts after `at` ends, or NULL. */
static const uint8_t *usual_line(const uint8_t *at, const uint8_t *end, struct pgofs_raw_line *ret)
{
	const uint8_t *line_end = at + 1 + *at;
	if (*at++ >= 0x80 || line_end > end)
		return NULL;
	ret->function = pgofs_usual_number(&at, 1 << 3);
	ret->line = (int64_t)pgofs_usual_number(&at, 2 << 3);
	ret->column = (int64_t)pgofs_usual_number(&at, 3 << 3);
	return at == line_end ? at : NULL;
}

/* False where it is spelled otherwise, or there is no room for its lines; then no line was added. */
static bool usual_location(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_raw_location *l)
{
	const uint8_t *at = w.p;
	size_t n = p->n_lines;
	l->id = pgofs_usual_number(&at, 1 << 3);
	l->mapping = pgofs_usual_number(&at, 2 << 3);
	l->address = pgofs_usual_number(&at, 3 << 3);
	while (at < w.end && *at == (4 << 3 | PGOFS_WIRE_BYTES)) {
		if (n >= p->line_cap || n >= PGOFS_TABLE_MAX)
			return false;
		at = usual_line(at + 1, w.end, &p->line[n++]);
		if (!at)
			return false;
	}
	l->folded = pgofs_usual_number(&at, 5 << 3) != 0;
	l->first_line = (uint32_t)p->n_lines;
	l->n_lines = (uint32_t)(n - p->n_lines);
	if (at != w.end)
		return false;
	p->n_lines = n;
	return true;
}

/* Fields 1, 2, 3 and 5 are numbers; field 4 is a line, which a number is not. */
static int read_location(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_raw_location *l,
			 struct pgofs_error *err)
{
	uint64_t v[6] = { 0 };
	uint32_t first_line = (uint32_t)p->n_lines;
	int r;
	while ((r = pgofs_wire_numbers(&w, v, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5, 1 << 4, err)) == 1) {
		r = add_line(p, &w, err);
		if (r < 0)
			return r;
	}
	*l = (struct pgofs_raw_location){ .id = v[1],
					  .mapping = v[2],
					  .address = v[3],
					  .folded = v[5] != 0,
					  .first_line = first_line,
					  .n_lines = (uint32_t)p->n_lines - first_line };
	return r;
}

static bool usual_function(struct pgofs_wire w, struct pgofs_raw_function *fn)
{
	const uint8_t *at = w.p;
	fn->id = pgofs_usual_number(&at, 1 << 3);
	fn->name = string_number(pgofs_usual_number(&at, 2 << 3));
	fn->system_name = string_number(pgofs_usual_number(&at, 3 << 3));
	fn->filename = string_number(pgofs_usual_number(&at, 4 << 3));
	fn->start_line = (int64_t)pgofs_usual_number(&at, 5 << 3);
	return at == w.end;
}

static int read_function(struct pgofs_wire w, struct pgofs_raw_function *fn, struct pgofs_error *err)
{
	uint64_t v[6] = { 0 };
	int r = pgofs_wire_numbers(&w, v, (1 << 6) - 2, 0, err);
	*fn = (struct pgofs_raw_function){ .id = v[1],
					   .start_line = (int64_t)v[5],
					   .name = string_number(v[2]),
					   .system_name = string_number(v[3]),
					   .filename = string_number(v[4]) };
	return r;
}

static int add_type(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_error *err)
{
	int r = ROOM(p, type, types, PGOFS_SAMPLE_TYPES_MAX, err);
	return r < 0 ? r : read_type(w, &p->type[p->n_types++], err);
}

static int add_sample(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_error *err)
{
	int r = ROOM(p, sample, samples, PGOFS_SAMPLES_MAX, err);
	if (r == 0)
		p->sample[p->n_samples++] = (struct pgofs_span){ (uint32_t)(w.p - p->raw), (uint32_t)(w.end - w.p) };
	return r;
}

static int add_mapping(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_error *err)
{
	int r = ROOM(p, mapping, mappings, PGOFS_TABLE_MAX, err);
	if (r < 0)
		return r;
	return read_mapping(w, &p->mapping[p->n_mappings++], err);
}

static int add_location(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_error *err)
{
	int r = ROOM(p, location, locations, PGOFS_TABLE_MAX, err);
	if (r < 0)
		return r;
	struct pgofs_raw_location *l = &p->location[p->n_locations++];
	return has_slack(p, w) && usual_location(p, w, l) ? 0 : read_location(p, w, l, err);
}

static int add_function(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_error *err)
{
	int r = ROOM(p, function, functions, PGOFS_TABLE_MAX, err);
	if (r < 0)
		return r;
	struct pgofs_raw_function *fn = &p->function[p->n_functions++];
	return has_slack(p, w) && usual_function(w, fn) ? 0 : read_function(w, fn, err);
}

static int add_string(struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_error *err)
{
	int r = ROOM(p, string, strings, PGOFS_STRINGS_MAX, err);
	if (r < 0)
		return r;
	if (p->n_strings == 0 && w.p != w.end)
		return pgofs_error_set(err, -EINVAL, "the first string is not empty");
	p->string[p->n_strings++] = (struct pgofs_span){ (uint32_t)(w.p - p->raw), (uint32_t)(w.end - w.p) };
	return 0;
}

static int field_string(const struct pgofs_field *f, uint32_t *ret, struct pgofs_error *err)
{
	uint64_t v = 0;
	int r = pgofs_field_u64(f, &v, err);
	*ret = string_number(v);
	return r;
}

static int add_comment(struct pgofs_profile *p, const struct pgofs_field *f, struct pgofs_error *err)
{
	struct pgofs_wire w = { 0 };
	uint64_t v = 0;
	if (f->type == PGOFS_WIRE_VARINT) {
		int r = ROOM(p, comment, comments, PGOFS_TABLE_MAX, err);
		return r < 0 ? r : field_string(f, &p->comment[p->n_comments++], err);
	}
	int r = pgofs_field_bytes(f, &w, err);
	while (r == 0 && w.p < w.end) {
		r = ROOM(p, comment, comments, PGOFS_TABLE_MAX, err);
		if (r == 0 && pgofs_wire_varint(&w, &v) < 0)
			r = pgofs_error_set(err, -EINVAL, "a varint is cut off or too long");
		if (r == 0)
			p->comment[p->n_comments++] = v < PGOFS_NONE ? (uint32_t)v : PGOFS_NONE;
	}
	return r;
}

static int read_time(struct pgofs_profile *p, const struct pgofs_field *f, struct pgofs_error *err)
{
	if (p->time_ns != 0)
		return pgofs_error_set(err, -EINVAL, "these are two profiles in one file");
	return pgofs_field_i64(f, &p->time_ns, err);
}

static int read_message(struct pgofs_profile *p, const struct pgofs_field *f, struct pgofs_error *err)
{
	struct pgofs_wire w = { 0 };
	int r = pgofs_field_bytes(f, &w, err);
	if (r < 0)
		return r;
	switch (f->number) {
	case 1:
		return add_type(p, w, err);
	case 2:
		return add_sample(p, w, err);
	case 3:
		return add_mapping(p, w, err);
	case 4:
		return add_location(p, w, err);
	case 5:
		return add_function(p, w, err);
	case 6:
		return add_string(p, w, err);
	default:
		return read_type(w, &p->period_type, err);
	}
}

static int read_field(struct pgofs_profile *p, const struct pgofs_field *f, struct pgofs_error *err)
{
	switch (f->number) {
	case 1 ... 6:
	case 11:
		return read_message(p, f, err);
	case 7:
		return field_string(f, &p->drop_frames, err);
	case 8:
		return field_string(f, &p->keep_frames, err);
	case 9:
		return read_time(p, f, err);
	case 10:
		return pgofs_field_i64(f, &p->duration_ns, err);
	case 12:
		return pgofs_field_i64(f, &p->period, err);
	case 13:
		return add_comment(p, f, err);
	case 14:
		return field_string(f, &p->default_type, err);
	case 15:
		return field_string(f, &p->doc_url, err);
	}
	return 0;
}

static int add_usual(struct pgofs_profile *p, unsigned number, struct pgofs_wire w, struct pgofs_error *err)
{
	switch (number) {
	case 2:
		return add_sample(p, w, err);
	case 4:
		return add_location(p, w, err);
	case 5:
		return add_function(p, w, err);
	default:
		return add_string(p, w, err);
	}
}

/* The four messages that a profile has thousands of, one after the other; stops before any other field, one that is longer than
 * two bytes can say, and the last few. */
static int scan_usual(struct pgofs_profile *p, struct pgofs_wire *all, struct pgofs_error *err)
{
	const unsigned usual = 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6;
	const uint8_t *at = all->p;
	int r = 0;
	while (r == 0 && all->end - at > PGOFS_USUAL_SLACK) {
		unsigned number = at[0] >> 3;
		struct pgofs_wire w = { at + 2, all->end };
		size_t len = at[1];
		if ((at[0] & 0x87) != PGOFS_WIRE_BYTES || !(usual >> number & 1) || (len >= 0x80 && at[2] >= 0x80))
			break;
		if (len >= 0x80)
			len = (len & 0x7f) | (size_t)*w.p++ << 7;
		if (len > (size_t)(w.end - w.p))
			break;
		at = w.end = w.p + len;
		r = add_usual(p, number, w, err);
	}
	all->p = at;
	return r;
}

static int scan(struct pgofs_profile *p, struct pgofs_error *err)
{
	struct pgofs_wire w = { p->raw, p->raw + p->len };
	struct pgofs_field f = { 0 };
	int r;
	while ((r = scan_usual(p, &w, err)) == 0 && (r = pgofs_wire_next(&w, &f, err)) > 0) {
		r = read_field(p, &f, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int check_string(const struct pgofs_profile *p, uint32_t number, struct pgofs_error *err)
{
	if (number < p->n_strings)
		return 0;
	return pgofs_error_set(err, -EINVAL, "a string is named that is not in the table of %zu", p->n_strings);
}

static int check_header(const struct pgofs_profile *p, struct pgofs_error *err)
{
	const uint32_t one[] = { p->drop_frames, p->keep_frames,      p->default_type,
				 p->doc_url,     p->period_type.type, p->period_type.unit };
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof one / sizeof *one; i++)
		r = check_string(p, one[i], err);
	for (size_t i = 0; r == 0 && i < p->n_types; i++) {
		r = check_string(p, p->type[i].type, err);
		if (r == 0)
			r = check_string(p, p->type[i].unit, err);
	}
	for (size_t i = 0; r == 0 && i < p->n_comments; i++)
		r = check_string(p, p->comment[i], err);
	return r;
}

static int settle_mappings(struct pgofs_profile *p, struct pgofs_error *err)
{
	for (size_t i = 0; i < p->n_mappings; i++) {
		const struct pgofs_raw_mapping *m = &p->mapping[i];
		if (m->file >= p->n_strings || m->build_id >= p->n_strings)
			return check_string(p, PGOFS_NONE, err);
	}
	return pgofs_ids_build(&p->mappings, p->mapping, sizeof *p->mapping, (uint32_t)p->n_mappings, "mapping", err);
}

static int settle_functions(struct pgofs_profile *p, struct pgofs_error *err)
{
	for (size_t i = 0; i < p->n_functions; i++) {
		const struct pgofs_raw_function *f = &p->function[i];
		if (f->name >= p->n_strings || f->system_name >= p->n_strings || f->filename >= p->n_strings)
			return check_string(p, PGOFS_NONE, err);
	}
	return pgofs_ids_build(&p->functions, p->function, sizeof *p->function, (uint32_t)p->n_functions, "function",
			       err);
}

static int no_function(const struct pgofs_profile *p, size_t line, struct pgofs_error *err)
{
	size_t at = 0;
	while (line - p->location[at].first_line >= p->location[at].n_lines)
		at++;
	uint64_t id = p->line[line].function;
	if (id == 0)
		return pgofs_error_set(err, -EINVAL, "location %llu has a line without a function",
				       (unsigned long long)p->location[at].id);
	return pgofs_error_set(err, -EINVAL, "location %llu names function %llu, which is not there",
			       (unsigned long long)p->location[at].id, (unsigned long long)id);
}

static int settle_locations(struct pgofs_profile *p, struct pgofs_error *err)
{
	for (size_t i = 0; i < p->n_locations; i++) {
		struct pgofs_raw_location *l = &p->location[i];
		l->mapping = p->had_mappings ? pgofs_ids_find(&p->mappings, l->mapping) : 0;
	}
	for (size_t i = 0; i < p->n_lines; i++) {
		uint32_t place = pgofs_ids_find(&p->functions, p->line[i].function);
		if (place == PGOFS_NONE)
			return no_function(p, i, err);
		p->line[i].function = place;
	}
	return pgofs_ids_build(&p->locations, p->location, sizeof *p->location, (uint32_t)p->n_locations, "location",
			       err);
}

/* internal/driver/fetch.go locateBinaries: a profile without mappings gets one, and every location is in it. */
static int make_up_mapping(struct pgofs_profile *p, struct pgofs_error *err)
{
	p->had_mappings = p->n_mappings != 0;
	if (p->had_mappings)
		return 0;
	int r = ROOM(p, mapping, mappings, PGOFS_TABLE_MAX, err);
	if (r == 0)
		p->mapping[p->n_mappings++] = (struct pgofs_raw_mapping){ .id = 1 };
	return r;
}

static void start(struct pgofs_profile *p, const void *raw, size_t len)
{
	p->raw = raw;
	p->len = len;
	p->n_strings = p->n_samples = p->n_types = p->n_mappings = 0;
	p->n_locations = p->n_lines = p->n_functions = p->n_comments = 0;
	p->period_type = (struct pgofs_raw_type){ 0 };
	p->time_ns = p->duration_ns = p->period = 0;
	p->drop_frames = p->keep_frames = p->default_type = p->doc_url = 0;
}

int pgofs_profile_decode(struct pgofs_profile *p, const void *raw, size_t len, struct pgofs_error *err)
{
	start(p, raw, len);
	if (len == 0)
		return pgofs_error_set(err, -EINVAL, "it is empty");
	if (len >= UINT32_MAX)
		return pgofs_error_set(err, -EFBIG, "more than 4 GiB");

	int r = scan(p, err);
	if (r == 0)
		r = check_header(p, err);
	if (r == 0)
		r = make_up_mapping(p, err);
	if (r == 0)
		r = settle_mappings(p, err);
	if (r == 0)
		r = settle_functions(p, err);
	if (r == 0)
		r = settle_locations(p, err);
	return r;
}
