/* Hashing a profile from its strings up.
 *
 * A function is its strings and its start line, so in another build of the program it is another function. A location is what its lines are and
 * where it is in its mapping: the address counts from where that starts. Of the lines, function and number count, and of the columns only the
 * last line's: google/pprof writes its key into overlapping places (profile/merge.go, Location.key), and its output is the law here.
 * docs/profiles.md has the table of such cases. */
#include "content.h"

#include "array.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PAGE UINT64_C(0x1000)

void pgofs_content_done(struct pgofs_content *c)
{
	free(c->string);
	free(c->function);
	free(c->mapping);
	free(c->location);
	free(c->sample);
	free(c->value);
	free(c->labels);
	free(c->set);
	free(c->label);
	pgofs_index_done(&c->spelled);
	free(c->stack.place);
	*c = (struct pgofs_content){ 0 };
}

size_t pgofs_content_memory_bytes(const struct pgofs_content *c)
{
	size_t n = c->string_cap + c->function_cap + c->mapping_cap + c->location_cap + c->sample_cap;
	return n * sizeof *c->string + c->value_cap * sizeof *c->value + c->labels_cap * sizeof *c->labels +
	       c->set_cap * sizeof *c->set + c->label_cap * sizeof *c->label + pgofs_index_bytes(&c->spelled) +
	       c->stack.cap * sizeof *c->stack.place;
}

/* pgofs_hash_bytes of no more than is hashed at once, without a call; best where the compiler knows the length. */
static inline __attribute__((always_inline)) struct pgofs_hash hash(const struct pgofs_secret *s, const void *p,
								    size_t len)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(p, len, s->bytes, sizeof s->bytes);
	return (struct pgofs_hash){ h.low64, h.high64 };
}

static int room(struct pgofs_content *c, const struct pgofs_profile *p)
{
	return ARRAY_RESERVE(c->string, c->string_cap, p->n_strings) < 0 ||
		       ARRAY_RESERVE(c->function, c->function_cap, p->n_functions) < 0 ||
		       ARRAY_RESERVE(c->mapping, c->mapping_cap, p->n_mappings) < 0 ||
		       ARRAY_RESERVE(c->location, c->location_cap, p->n_locations) < 0 ||
		       ARRAY_RESERVE(c->sample, c->sample_cap, p->n_samples) < 0 ||
		       ARRAY_RESERVE(c->value, c->value_cap, p->n_samples * p->n_types) < 0 ||
		       ARRAY_RESERVE(c->labels, c->labels_cap, p->n_samples) < 0
		   ? -ENOMEM
		   : 0;
}

static void hash_strings(struct pgofs_content *c, const struct pgofs_profile *p, const struct pgofs_secret *s)
{
	for (uint32_t i = 0; i < p->n_strings; i++) {
		size_t len;
		const uint8_t *text = pgofs_profile_string(p, i, &len);
		c->string[i] = len <= PGOFS_HASH_AT_ONCE ? hash(s, text, len) : pgofs_hash_bytes(text, len);
	}
}

static void hash_functions(struct pgofs_content *c, const struct pgofs_profile *p, const struct pgofs_secret *s)
{
	for (size_t i = 0; i < p->n_functions; i++) {
		const struct pgofs_raw_function *f = &p->function[i];
		struct {
			struct pgofs_hash name, system_name, filename;
			int64_t start_line;
		} key = { c->string[f->name], c->string[f->system_name], c->string[f->filename], f->start_line };
		c->function[i] = hash(s, &key, sizeof key);
	}
}

struct pgofs_hash pgofs_content_mapping(const struct pgofs_raw_mapping *m, struct pgofs_hash identity)
{
	uint64_t size = m->limit - m->start + PAGE - 1; /* wraps as Go's does */
	struct {
		uint64_t size, offset;
		struct pgofs_hash identity;
	} key = { size - size % PAGE, m->offset, identity };
	return pgofs_hash_bytes(&key, sizeof key);
}

static void hash_mappings(struct pgofs_content *c, const struct pgofs_profile *p)
{
	for (size_t i = 0; i < p->n_mappings; i++) {
		const struct pgofs_raw_mapping *m = &p->mapping[i];
		uint32_t identity = p->string[m->build_id].len ? m->build_id : m->file;
		c->mapping[i] = pgofs_content_mapping(m, c->string[identity]);
	}
}

struct where {
	uint64_t address; /* in the mapping */
	struct pgofs_hash mapping;
	uint64_t folded;
};

static struct pgofs_hash hash_one_line(const struct pgofs_content *c, const struct pgofs_secret *s,
				       const struct where *where, const struct pgofs_raw_line *line)
{
	struct {
		struct where where;
		struct pgofs_hash function;
		int64_t line, column;
	} key = { *where, c->function[line->function], line->line, line->column };
	return hash(s, &key, sizeof key);
}

static struct pgofs_hash hash_lines(struct pgofs_content *c, const struct pgofs_secret *s, const struct where *where,
				    const struct pgofs_raw_line *line, uint32_t n)
{
	struct {
		struct pgofs_hash before, function;
		int64_t line, column;
		uint64_t left;
	} key = { .before = hash(s, where, sizeof *where) };
	for (uint32_t i = 0; i < n; i++) {
		key.function = c->function[line[i].function];
		key.line = line[i].line;
		key.left = n - 1 - i;
		key.column = key.left ? 0 : line[i].column;
		c->inlined_columns |= key.left && line[i].column;
		key.before = hash(s, &key, sizeof key);
	}
	return key.before;
}

static void hash_locations(struct pgofs_content *c, const struct pgofs_profile *p, const struct pgofs_secret *s)
{
	for (size_t i = 0; i < p->n_locations; i++) {
		const struct pgofs_raw_location *l = &p->location[i];
		const struct pgofs_raw_line *line = &p->line[l->first_line];
		struct where where = { .address = l->address, .folded = l->folded };
		if (l->mapping != PGOFS_NONE) {
			where.address -= p->mapping[l->mapping].start;
			where.mapping = c->mapping[l->mapping];
		}
		c->location[i] =
		    l->n_lines == 1 ? hash_one_line(c, s, &where, line) : hash_lines(c, s, &where, line, l->n_lines);
	}
}

static int hash_samples(struct pgofs_content *c, const struct pgofs_profile *p, const struct pgofs_secret *secret,
			struct pgofs_error *err)
{
	int64_t *value = c->value;
	for (size_t i = 0; i < p->n_samples; i++, value += p->n_types) {
		struct pgofs_sample s;
		int r = pgofs_sample_parse(p, i, &s, value, err);
		c->labels[i] = 0;
		if (r == 0)
			r = pgofs_sample_stack(p, &s, &c->stack, err);
		if (r == 0 && s.labels.p)
			r = pgofs_content_labels(c, p, &s, &c->labels[i], err);
		if (r < 0)
			return r;
		c->sample[i] =
		    pgofs_hash_sample(secret, c->location, c->stack.place, c->stack.n, c->set[c->labels[i]].key);
	}
	return 0;
}

static int begin_sets(struct pgofs_content *c)
{
	c->n_labels = 0;
	c->n_sets = 1;
	pgofs_index_clear(&c->spelled);
	if (ARRAY_RESERVE(c->set, c->set_cap, 1) < 0 || pgofs_index_reserve(&c->spelled) < 0)
		return -ENOMEM;
	c->set[0] = (struct pgofs_content_set){ 0 };
	pgofs_index_insert(&c->spelled, pgofs_hash_bytes("", 0));
	return 0;
}

int pgofs_content_read(struct pgofs_content *c, const struct pgofs_profile *p, struct pgofs_error *err)
{
	const struct pgofs_secret *s = pgofs_secret();
	if (p->n_types &&
	    p->n_samples > p->len / p->n_types) /* each takes a byte; or room for them would be out of all proportion */
		return pgofs_error_set(err, -EINVAL, "it has more sample types than its samples have values");
	if (room(c, p) < 0 || begin_sets(c) < 0)
		return pgofs_error_errno(err, -ENOMEM, "reading a profile");
	c->inlined_columns = false;
	hash_strings(c, p, s);
	hash_functions(c, p, s);
	hash_mappings(c, p);
	hash_locations(c, p, s);
	return hash_samples(c, p, s, err);
}
