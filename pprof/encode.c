/* Encoding.
 *
 * The string table is numbered in order of first use while the messages before it are written: sample types, labels sample by sample, mappings,
 * functions, then the header's. So one pass over the tables writes everything; each message's length is computed, not patched.
 * Label sets are encoded once each and copied from then on, stacks are kept as they are written.
 *
 * What must stay true: what is always written and what only when not 0 (default_sample_type is, all other numbers are not); repeated numbers are
 * packed only when there are more than two. */
#include "encode.h"

#include "arrange.h"
#include "array.h"
#include "frames.h"
#include "url.h"
#include "wire.h"

#include <pgofs/cleanup.h>

#include <string.h>

#define AHEAD 16

struct label_bytes {
	size_t at, len;
	bool known;
};

struct encoder {
	const struct pgofs_output *o;
	struct pgofs_tables *t;
	struct pgofs_buf *out;

	uint32_t *string; /* owned; by string of the tables: its number in the output, or PGOFS_NONE */
	uint32_t *order;  /* owned; and back */
	uint32_t n_strings;
	uint32_t *name; /* owned; by string of `names`: its number in the tables */

	struct label_bytes *set; /* owned; by label set */
	struct pgofs_buf labels; /* their bytes */

	uint8_t *flag;        /* owned; by location: enum pgofs_frame_flag. NULL: no frames are dropped */
	uint32_t *first_line; /* owned; by location: lines before it are dropped */
	uint8_t *stack_flag;  /* owned scratch */
	size_t stack_flag_cap;

	struct pgofs_arranging arranging; /* where the output is arranged */
};

static void encoder_done(struct encoder *e)
{
	free(e->string);
	free(e->order);
	free(e->name);
	free(e->set);
	pgofs_buf_done(&e->labels);
	free(e->flag);
	free(e->first_line);
	free(e->stack_flag);
	pgofs_arranging_done(&e->arranging);
}

static uint64_t location_id(const struct encoder *e, size_t i)
{
	if (e->o->arranged)
		return e->arranging.location.id[i];
	return e->o->verbatim ? e->o->verbatim->location[i].id : i + 1;
}

static uint64_t function_id(const struct encoder *e, size_t i)
{
	if (e->o->arranged)
		return e->arranging.function.id[i];
	return e->o->verbatim ? e->o->verbatim->function[i].id : i + 1;
}

static uint64_t mapping_id(const struct encoder *e, size_t i)
{
	if (e->o->arranged)
		return e->arranging.mapping.id[i];
	return e->o->verbatim ? e->o->verbatim->mapping[i].id : i + 1;
}

/* How many entries of a table of `n` are written, and which is the i-th. */
static size_t n_written(const struct encoder *e, const struct pgofs_numbering *x, size_t n)
{
	return e->o->arranged ? x->n : n;
}

static size_t nth(const struct encoder *e, const struct pgofs_numbering *x, size_t i)
{
	return e->o->arranged ? x->entry[i] : i;
}

static const struct pgofs_mapping *mapping_of(const struct encoder *e, size_t i)
{
	return e->o->arranged ? &e->o->arranged->mapping[i] : &e->t->mappings.v[i];
}

static uint32_t use_string(struct encoder *e, uint32_t number)
{
	if (e->string[number] == PGOFS_NONE) {
		e->order[e->n_strings] = number;
		e->string[number] = e->n_strings++;
	}
	return e->string[number];
}

static uint32_t use_name(struct encoder *e, uint32_t number)
{
	return use_string(e, e->name[number]);
}

/* Fields below 16: one byte of tag. */
static size_t opt_bytes(uint64_t v)
{
	return v ? 1 + pgofs_varint_bytes(v) : 0;
}

static uint8_t *put_varint(uint8_t *p, unsigned field, uint64_t v)
{
	*p++ = (uint8_t)(field << 3 | PGOFS_WIRE_VARINT);
	return pgofs_varint_put(p, v);
}

static uint8_t *put_opt(uint8_t *p, unsigned field, uint64_t v)
{
	return v ? put_varint(p, field, v) : p;
}

static uint8_t *put_length(uint8_t *p, unsigned field, size_t len)
{
	*p++ = (uint8_t)(field << 3 | PGOFS_WIRE_BYTES);
	return pgofs_varint_put(p, len);
}

/* Opens a message of `len` bytes at the end of the output, all of which must then be put at *ret. */
static int open_message(struct pgofs_buf *out, unsigned field, size_t len, uint8_t **ret)
{
	size_t all = 1 + pgofs_varint_bytes(len) + len;
	int r = pgofs_buf_reserve(out, all);
	if (r < 0)
		return r;
	*ret = put_length(out->data + out->len, field, len);
	out->len += all;
	return 0;
}

/* A message of numbers in fields 1, 2, 3, …, each left out when 0. */
static int put_numbers(struct pgofs_buf *out, unsigned field, const uint64_t *v, size_t n)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += opt_bytes(v[i]);
	uint8_t *p;
	int r = open_message(out, field, len, &p);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		p = put_opt(p, (unsigned)i + 1, v[i]);
	return 0;
}

static int put_types(struct encoder *e)
{
	const struct pgofs_types *types = &e->o->header->types;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < types->n; i++) {
		uint64_t v[2] = { use_name(e, types->v[i].type) };
		v[1] = use_name(e, types->v[i].unit);
		r = put_numbers(e->out, 1, v, 2);
	}
	return r;
}

/* The bytes of a set's labels, and its strings in use from now on. */
static int encode_set(struct encoder *e, uint32_t number)
{
	const struct pgofs_label_set *set = &e->t->label_sets.v[number];
	struct label_bytes *bytes = &e->set[number];
	bytes->at = e->labels.len;
	for (uint32_t i = 0; i < set->n; i++) {
		const struct pgofs_label *l = &set->label[i];
		uint64_t v[4] = { use_string(e, l->key), 0, 0, 0 };
		if (!l->numeric)
			v[1] = use_string(e, l->string);
		v[2] = (uint64_t)l->number;
		if (l->with_units)
			v[3] = use_string(e, l->unit);
		int r = put_numbers(&e->labels, 3, v, 4);
		if (r < 0)
			return r;
	}
	bytes->len = e->labels.len - bytes->at;
	bytes->known = true;
	return 0;
}

/* The part of a stack that is left when frames are dropped. */
static int drop_frames(struct encoder *e, struct pgofs_stack_part *s)
{
	struct pgofs_wire w = { s->bytes, s->bytes + s->len };
	if (ARRAY_RESERVE(e->stack_flag, e->stack_flag_cap, s->n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		uint64_t id = 0;
		pgofs_wire_varint(&w, &id);
		e->stack_flag[i] = e->flag[e->o->verbatim ? pgofs_ids_find(&e->o->verbatim->locations, id) : id - 1];
	}
	size_t leaf = pgofs_frames_leaf(e->stack_flag, s->n);
	const uint8_t *p = s->bytes;
	for (size_t i = 0; i < leaf; p++)
		i += *p < 0x80;
	s->len -= (size_t)(p - s->bytes);
	s->bytes = p;
	s->n -= leaf;
	return 0;
}

static size_t stack_bytes(const struct pgofs_stack_part *s)
{
	return s->n > 2 ? 1 + pgofs_varint_bytes(s->len) + s->len : s->n + s->len;
}

static uint8_t *put_stack(uint8_t *p, const struct pgofs_stack_part *s)
{
	if (s->n > 2) {
		p = put_length(p, 1, s->len);
		memcpy(p, s->bytes, s->len);
		return p + s->len;
	}
	bool starts = true;
	for (size_t i = 0; i < s->len; i++) {
		if (starts)
			*p++ = 1 << 3 | PGOFS_WIRE_VARINT;
		*p++ = s->bytes[i];
		starts = s->bytes[i] < 0x80;
	}
	return p;
}

static size_t numbers_bytes(const int64_t *v, size_t n)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += pgofs_varint_bytes((uint64_t)v[i]);
	return len;
}

static uint8_t *put_values(uint8_t *p, const int64_t *v, size_t n, size_t bytes)
{
	if (n > 2) {
		p = put_length(p, 2, bytes);
		for (size_t i = 0; i < n; i++)
			p = pgofs_varint_put(p, (uint64_t)v[i]);
		return p;
	}
	for (size_t i = 0; i < n; i++)
		p = put_varint(p, 2, (uint64_t)v[i]);
	return p;
}

static int put_sample(struct encoder *e, size_t i)
{
	const struct pgofs_arrangement *a = e->o->arranged;
	size_t number = a ? a->sample[i] : i;
	const struct pgofs_stacked *s = &e->t->samples.v[number];
	const int64_t *value = pgofs_samples_values(e->t, number);
	struct pgofs_stack_part stack = { s->stack, s->stack_bytes, s->n_locations };
	int r = a ? pgofs_arranging_stack(&e->arranging, &stack, e->flag) : e->flag ? drop_frames(e, &stack) : 0;
	if (r == 0 && !e->set[s->labels].known)
		r = encode_set(e, s->labels);
	if (r < 0)
		return r;

	const struct label_bytes *labels = &e->set[s->labels];
	size_t n = e->t->n_types, values = numbers_bytes(value, n);
	size_t values_all = n > 2 ? 1 + pgofs_varint_bytes(values) + values : n + values;
	uint8_t *p;
	r = open_message(e->out, 2, stack_bytes(&stack) + values_all + labels->len, &p);
	if (r < 0)
		return r;
	p = put_stack(p, &stack);
	p = put_values(p, value, n, values);
	if (labels->len)
		memcpy(p, e->labels.data + labels->at, labels->len);
	return 0;
}

/* What an arrangement jumps to. */
static void prefetch_sample(const struct encoder *e, size_t i)
{
	const struct pgofs_arrangement *a = e->o->arranged;
	if (!a || i + 2 * AHEAD >= a->n)
		return;
	__builtin_prefetch(&e->t->samples.v[a->sample[i + 2 * AHEAD]]);
	__builtin_prefetch(pgofs_samples_values(e->t, a->sample[i + AHEAD]));
	__builtin_prefetch(e->t->samples.v[a->sample[i + AHEAD]].stack);
}

/* internal/driver/fetch.go unsourceMappings: a file that is a URL stands for where the profile was fetched from. */
static uint32_t mapping_file(const struct encoder *e, const struct pgofs_mapping *m)
{
	const struct pgofs_string *file = &e->t->strings.v[m->file];
	return !m->build_id && pgofs_url_is_absolute(file->data, file->len) ? 0 : m->file;
}

static int put_mappings(struct encoder *e)
{
	size_t n = n_written(e, &e->arranging.mapping, e->t->mappings.n);
	int r = 0;
	for (size_t k = 0; r == 0 && k < n; k++) {
		size_t i = nth(e, &e->arranging.mapping, k);
		const struct pgofs_mapping *m = mapping_of(e, i);
		uint64_t v[10] = { mapping_id(e, i), m->start, m->limit, m->offset, use_string(e, mapping_file(e, m)) };
		v[5] = use_string(e, m->build_id);
		v[6] = !!(m->has & PGOFS_HAS_FUNCTIONS);
		v[7] = !!(m->has & PGOFS_HAS_FILENAMES);
		v[8] = !!(m->has & PGOFS_HAS_LINE_NUMBERS);
		v[9] = !!(m->has & PGOFS_HAS_INLINE_FRAMES);
		r = put_numbers(e->out, 3, v, 10);
	}
	return r;
}

static size_t line_bytes(const struct encoder *e, const struct pgofs_line *l)
{
	return opt_bytes(function_id(e, l->function)) + opt_bytes((uint64_t)l->line) + opt_bytes((uint64_t)l->column);
}

static int put_location(struct encoder *e, size_t i)
{
	const struct pgofs_location *l = &e->t->locations.v[i];
	const struct pgofs_line *line = pgofs_location_lines(l);
	uint64_t mapping = 0, address = l->address;
	if (l->mapping != PGOFS_NONE) {
		mapping = mapping_id(e, l->mapping);
		address += mapping_of(e, l->mapping)->start - e->t->mappings.v[l->mapping].start;
	}
	uint32_t first = e->flag ? e->first_line[i] : 0;
	size_t len = opt_bytes(location_id(e, i)) + opt_bytes(mapping) + opt_bytes(address) + opt_bytes(l->folded);
	for (uint32_t k = first; k < l->n_lines; k++) {
		size_t bytes = line_bytes(e, &line[k]);
		len += 1 + pgofs_varint_bytes(bytes) + bytes;
	}
	uint8_t *p;
	int r = open_message(e->out, 4, len, &p);
	if (r < 0)
		return r;
	p = put_opt(p, 1, location_id(e, i));
	p = put_opt(p, 2, mapping);
	p = put_opt(p, 3, address);
	for (uint32_t k = first; k < l->n_lines; k++) {
		p = put_length(p, 4, line_bytes(e, &line[k]));
		p = put_opt(p, 1, function_id(e, line[k].function));
		p = put_opt(p, 2, (uint64_t)line[k].line);
		p = put_opt(p, 3, (uint64_t)line[k].column);
	}
	put_opt(p, 5, l->folded);
	return 0;
}

static int put_functions(struct encoder *e)
{
	size_t n = n_written(e, &e->arranging.function, e->t->functions.n);
	int r = 0;
	for (size_t k = 0; r == 0 && k < n; k++) {
		size_t i = nth(e, &e->arranging.function, k);
		const struct pgofs_function *f = &e->t->functions.v[i];
		uint64_t v[5] = { function_id(e, i), use_string(e, f->name) };
		v[2] = use_string(e, f->system_name);
		v[3] = use_string(e, f->filename);
		v[4] = (uint64_t)f->start_line;
		r = put_numbers(e->out, 5, v, 5);
	}
	return r;
}

static int put_strings(struct encoder *e)
{
	for (uint32_t i = 0; i < e->n_strings; i++) {
		const struct pgofs_string *s = &e->t->strings.v[e->order[i]];
		uint8_t *p;
		int r = open_message(e->out, 6, s->len, &p);
		if (r < 0)
			return r;
		if (s->len)
			memcpy(p, s->data, s->len);
	}
	return 0;
}

static int put_field(struct encoder *e, unsigned field, uint64_t v)
{
	int r = pgofs_buf_reserve(e->out, 1 + 10);
	if (r < 0)
		return r;
	e->out->len = (size_t)(put_varint(e->out->data + e->out->len, field, v) - e->out->data);
	return 0;
}

static int put_field_opt(struct encoder *e, unsigned field, uint64_t v)
{
	return v ? put_field(e, field, v) : 0;
}

static int put_comments(struct encoder *e)
{
	size_t n = e->o->n_comments, len = 0;
	int r = 0;
	if (n <= 2) {
		for (size_t i = 0; r == 0 && i < n; i++)
			r = put_field(e, 13, use_name(e, e->o->comment[i]));
		return r;
	}
	for (size_t i = 0; i < n; i++)
		len += pgofs_varint_bytes(use_name(e, e->o->comment[i]));
	uint8_t *p;
	r = open_message(e->out, 13, len, &p);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		p = pgofs_varint_put(p, use_name(e, e->o->comment[i]));
	return 0;
}

/* Everything after the string table uses strings, too: those come into use here, before it is written. */
static int put_tail(struct encoder *e)
{
	const struct pgofs_header *h = e->o->header;
	struct pgofs_header_part total = pgofs_header_total(h);
	uint32_t drop = use_name(e, h->drop_frames), keep = use_name(e, h->keep_frames);
	uint64_t period_type[2] = { use_name(e, h->period_type.type) };
	period_type[1] = use_name(e, h->period_type.unit);
	for (size_t i = 0; i < e->o->n_comments; i++)
		use_name(e, e->o->comment[i]);
	uint32_t default_type = use_name(e, total.first_default), doc_url = use_name(e, total.doc_url);

	int r = put_strings(e);
	r = r < 0 ? r : put_field_opt(e, 7, drop);
	r = r < 0 ? r : put_field_opt(e, 8, keep);
	r = r < 0 ? r : put_field_opt(e, 9, (uint64_t)total.time_ns);
	r = r < 0 ? r : put_field_opt(e, 10, (uint64_t)total.duration_ns);
	if (r == 0 && (period_type[0] || period_type[1]))
		r = put_numbers(e->out, 11, period_type, 2);
	r = r < 0 ? r : put_field_opt(e, 12, (uint64_t)total.period);
	r = r < 0 ? r : put_comments(e);
	r = r < 0 ? r : put_field(e, 14, default_type);
	return r < 0 ? r : put_field_opt(e, 15, doc_url);
}

static bool matches(const struct encoder *e, const struct pgofs_frames *frames, const struct pgofs_line *l,
		    int8_t *verdict)
{
	uint32_t name = e->t->functions.v[l->function].name;
	const struct pgofs_string *s = &e->t->strings.v[name];
	if (!verdict[name])
		verdict[name] = pgofs_frames_match(frames, s->data, s->len) ? 1 : -1;
	return verdict[name] > 0;
}

/* Which lines match the patterns; a name is matched once. */
static int mark_frames(struct encoder *e, const struct pgofs_frames *frames)
{
	_cleanup_(pgofs_freep) int8_t *verdict =
	    calloc(e->t->strings.n, 1); /* by name: 0 unknown, -1 kept, 1 dropped */
	e->flag = calloc(e->t->locations.n + 1, sizeof *e->flag);
	e->first_line = calloc(e->t->locations.n + 1, sizeof *e->first_line);
	if (!verdict || !e->flag || !e->first_line)
		return -ENOMEM;
	for (size_t i = 0; i < e->t->locations.n; i++) {
		const struct pgofs_location *l = &e->t->locations.v[i];
		uint32_t k = l->n_lines;
		while (k && !matches(e, frames, &pgofs_location_lines(l)[k - 1], verdict))
			k--;
		if (k) {
			bool whole = k == l->n_lines;
			e->flag[i] = whole ? PGOFS_FRAME_UNDER | PGOFS_FRAME_DROP : PGOFS_FRAME_UNDER;
			e->first_line[i] = whole ? 0 : k;
		}
	}
	return 0;
}

static struct pgofs_pattern pattern(const struct encoder *e, uint32_t name)
{
	const struct pgofs_string *s = &e->o->names->strings.v[name];
	return (struct pgofs_pattern){ s->data, s->len };
}

static int find_frames(struct encoder *e)
{
	_cleanup_(pgofs_frames_done) struct pgofs_frames frames;
	int r =
	    pgofs_frames_init(&frames, pattern(e, e->o->header->drop_frames), pattern(e, e->o->header->keep_frames));
	return r < 0 || !frames.drop ? r : mark_frames(e, &frames);
}

static int prepare(struct encoder *e)
{
	const struct pgofs_strings *names = &e->o->names->strings;
	e->name = malloc((names->n + 1) * sizeof *e->name);
	if (!e->name)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		int r = pgofs_string_add(e->t, names->v[i].data, names->v[i].len, &e->name[i]);
		if (r < 0)
			return r;
	}
	e->string = malloc((e->t->strings.n + 1) * sizeof *e->string);
	e->order = malloc((e->t->strings.n + 1) * sizeof *e->order);
	e->set = calloc(e->t->label_sets.n + 1, sizeof *e->set);
	if (!e->string || !e->order || !e->set)
		return -ENOMEM;
	memset(e->string, 0xff, e->t->strings.n * sizeof *e->string);
	use_string(e, 0);
	int r = e->o->arranged ? pgofs_arranging_init(&e->arranging, e->t, e->o->arranged->first_mapping) : 0;
	return r < 0 ? r : find_frames(e);
}

static size_t n_samples(const struct encoder *e)
{
	return e->o->arranged ? e->o->arranged->n : e->t->samples.n;
}

/* About what the output takes, so that it seldom grows by copying. */
static void make_room(struct encoder *e)
{
	size_t want = n_samples(e) * (12 + 6 * e->t->n_types) + e->t->arena.bytes;
	size_t room = e->out->max - e->out->len;
	(void)pgofs_buf_reserve(e->out, want < room ? want : room);
}

static int encode(struct encoder *e)
{
	int r = prepare(e);
	if (r < 0)
		return r;
	make_room(e);
	r = put_types(e);
	for (size_t i = 0; r == 0 && i < n_samples(e); i++) {
		prefetch_sample(e, i);
		r = put_sample(e, i);
	}
	if (r == 0)
		r = put_mappings(e);
	size_t n_locations = n_written(e, &e->arranging.location, e->t->locations.n);
	for (size_t i = 0; r == 0 && i < n_locations; i++)
		r = put_location(e, nth(e, &e->arranging.location, i));
	if (r == 0)
		r = put_functions(e);
	return r < 0 ? r : put_tail(e);
}

int pgofs_encode(const struct pgofs_output *o, struct pgofs_buf *out, struct pgofs_error *err)
{
	_cleanup_(
	    encoder_done) struct encoder e = { .o = o, .t = o->tables, .out = out, .labels = PGOFS_BUF(SIZE_MAX) };
	size_t before = out->len;
	int r = encode(&e);
	if (r == 0)
		return 0;
	out->len = before;
	return pgofs_error_errno(err, r, "writing the profile");
}
