/* Making profiles. Arrays grow by one: these are profiles of three samples. */
#include "made.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <string.h>

static void *must(void *p)
{
	if (!p)
		cr_assert_fail("out of memory");
	return p;
}

static void *taken(size_t bytes)
{
	return must(calloc(1, bytes));
}

#define PUSH(list, n, element)                                                                                         \
	do {                                                                                                           \
		(list) = must(realloc((list), ((n) + 1) * sizeof *(list)));                                            \
		(list)[(n)++] = (element);                                                                             \
	} while (0)

#define NEW(type, init)                                                                                                \
	({                                                                                                             \
		type *_new = taken(sizeof(type));                                                                      \
		init(_new);                                                                                            \
		_new;                                                                                                  \
	})

int64_t made_string(struct made *m, const char *text)
{
	for (size_t i = 0; i < m->p->n_string_table; i++) {
		const ProtobufCBinaryData *s = &m->p->string_table[i];
		if (s->len == strlen(text) && memcmp(s->data, text, s->len) == 0)
			return (int64_t)i;
	}
	ProtobufCBinaryData s = { .len = strlen(text), .data = must(strdup(text)) };
	PUSH(m->p->string_table, m->p->n_string_table, s);
	return (int64_t)m->p->n_string_table - 1;
}

static Pprof__ValueType *value_type(struct made *m, const char *type, const char *unit)
{
	Pprof__ValueType *t = NEW(Pprof__ValueType, pprof__value_type__init);
	t->type = made_string(m, type);
	t->unit = made_string(m, unit);
	return t;
}

void made_type(struct made *m, const char *type, const char *unit)
{
	PUSH(m->p->sample_type, m->p->n_sample_type, value_type(m, type, unit));
	for (size_t i = 0; i < m->p->n_sample; i++)
		PUSH(m->p->sample[i]->value, m->p->sample[i]->n_value, 0);
}

struct made *made_new(void)
{
	struct made *m = taken(sizeof *m);
	m->p = NEW(Pprof__Profile, pprof__profile__init);
	made_string(m, "");
	made_type(m, "samples", "count");
	made_type(m, "cpu", "nanoseconds");
	m->p->period_type = value_type(m, "cpu", "nanoseconds");
	m->p->period = 10 * PGOFS_NS_PER_MS;
	m->p->time_nanos = 1790000000 * PGOFS_NS_PER_S;
	m->p->duration_nanos = 10 * PGOFS_NS_PER_S;
	made_mapping(m, 0x400000, 0x500000, "build1")->has_functions = true;
	return m;
}

void made_free(struct made *m)
{
	if (!m)
		return;
	pprof__profile__free_unpacked(m->p, NULL);
	free(m);
}

uint64_t made_function(struct made *m, const char *name, int64_t start_line)
{
	Pprof__Function *f = NEW(Pprof__Function, pprof__function__init);
	PUSH(m->p->function, m->p->n_function, f);
	f->id = m->p->n_function;
	f->name = f->system_name = made_string(m, name);
	f->filename = made_string(m, "main.go");
	f->start_line = start_line;
	return f->id;
}

Pprof__Location *made_location_at(struct made *m, uint64_t id)
{
	return m->p->location[id - 1];
}

Pprof__Line *made_inline(struct made *m, uint64_t location, uint64_t function, int64_t line)
{
	Pprof__Location *l = made_location_at(m, location);
	Pprof__Line *in = NEW(Pprof__Line, pprof__line__init);
	PUSH(l->line, l->n_line, in);
	in->function_id = function;
	in->line = line;
	return in;
}

uint64_t made_location(struct made *m, uint64_t address, uint64_t function, int64_t line)
{
	Pprof__Location *l = NEW(Pprof__Location, pprof__location__init);
	PUSH(m->p->location, m->p->n_location, l);
	l->id = m->p->n_location;
	l->address = address;
	l->mapping_id = 1;
	if (function)
		made_inline(m, l->id, function, line);
	return l->id;
}

Pprof__Mapping *made_mapping(struct made *m, uint64_t start, uint64_t limit, const char *build_id)
{
	Pprof__Mapping *map = NEW(Pprof__Mapping, pprof__mapping__init);
	PUSH(m->p->mapping, m->p->n_mapping, map);
	map->id = m->p->n_mapping;
	map->memory_start = start;
	map->memory_limit = limit;
	map->filename = made_string(m, "/usr/bin/service");
	map->build_id = made_string(m, build_id);
	return map;
}

Pprof__Sample *made_sample(struct made *m, int64_t count, int64_t cpu_ns, size_t n, const uint64_t *locations)
{
	Pprof__Sample *s = NEW(Pprof__Sample, pprof__sample__init);
	for (size_t i = 0; i < n; i++)
		PUSH(s->location_id, s->n_location_id, locations[i]);
	PUSH(s->value, s->n_value, count);
	PUSH(s->value, s->n_value, cpu_ns);
	PUSH(m->p->sample, m->p->n_sample, s);
	return s;
}

static Pprof__Label *label(struct made *m, Pprof__Sample *s, const char *key)
{
	Pprof__Label *l = NEW(Pprof__Label, pprof__label__init);
	PUSH(s->label, s->n_label, l);
	l->key = made_string(m, key);
	return l;
}

Pprof__Label *made_label(struct made *m, Pprof__Sample *s, const char *key, const char *text)
{
	Pprof__Label *l = label(m, s, key);
	l->str = made_string(m, text);
	return l;
}

Pprof__Label *made_number(struct made *m, Pprof__Sample *s, const char *key, int64_t number, const char *unit)
{
	Pprof__Label *l = label(m, s, key);
	l->num = number;
	l->num_unit = made_string(m, unit);
	return l;
}

struct made *made_usable(void)
{
	struct made *m = made_new();
	uint64_t main_at = made_location(m, 0x401000, made_function(m, "main.main", 10), 15);
	uint64_t work_at = made_location(m, 0x402000, made_function(m, "main.work", 20), 27);
	uint64_t leaf_at = made_location(m, 0x403000, made_function(m, "main.leaf", 40), 41);
	MADE_SAMPLE(m, 3, 30000000, leaf_at, work_at, main_at);
	return m;
}

void made_pack(const struct made *m, struct pgofs_buf *raw)
{
	size_t len = pprof__profile__get_packed_size(m->p);
	cr_assert_eq(pgofs_buf_reserve(raw, len), 0);
	raw->len += pprof__profile__pack(m->p, raw->data + raw->len);
}

Pprof__Profile *read_raw(const struct pgofs_buf *raw)
{
	return pprof__profile__unpack(NULL, raw->len, raw->data);
}

void read_free(Pprof__Profile *p)
{
	if (p)
		pprof__profile__free_unpacked(p, NULL);
}

const char *read_string(const Pprof__Profile *p, int64_t number)
{
	static char text[4096];
	if (number < 0 || (size_t)number >= p->n_string_table || p->string_table[number].len >= sizeof text)
		return "?";
	const ProtobufCBinaryData *s = &p->string_table[number];
	for (size_t i = 0; i < s->len; i++)
		text[i] = s->data[i] ? (char)s->data[i] : '.';
	text[s->len] = 0;
	return text;
}

int add_made(struct pgofs_merge *merge, const struct made *m, struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(PGOFS_RAW_MAX);
	made_pack(m, &raw);
	return pgofs_merge_add(merge, raw.data, raw.len, NULL, err);
}

void merge_made(enum pgofs_view view, struct made *const *m, size_t n, struct pgofs_buf *out)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *merge = NULL;
	struct pgofs_error err = { "" };
	cr_assert_eq(pgofs_merge_new(view, &merge, &err), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(add_made(merge, m[i], &err), 0, "input %zu: %s", i, err.text);
	cr_assert_eq(pgofs_merge_encode(merge, out, &err), 0, "%s", err.text);
}
