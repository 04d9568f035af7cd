/* Makes profiles of a fleet: many processes of one made-up program, each profiled for a while.
 *
 *	make-fleet --kind plain|labels|pie --profiles N [--seed S] DIR
 *
 * Benches need a thousand profiles that look like those of a large Go service, and tests need the same ones on every
 * machine: the same seed gives the same bytes. A program is a graph of functions; a stack is a walk from its root; the
 * n-th stack is seen about 1/n as often as the first (Zipf's law). So profiles share their hot stacks, and each has a
 * long tail of its own. One profile has 2,000 to 5,000 samples, stacks 10 to 60 deep, about 450 kB raw, and is spelled as
 * Go's runtime spells it: locations and functions between the samples that need them first, strings last.
 *
 * kinds: plain; labels (as plain, and most samples carry one label or two); pie (as plain, at another address in each
 * process). */
#include "../fields.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	N_FUNCTIONS = 2500,
	N_FILES = 211 * 5,
	N_STACKS = 400000,
	N_VALUES = 200,  /* of each label */
	N_SITES = 12,    /* places in a function that call */
	MAX_INLINED = 3, /* lines of one location */
	MAX_DEPTH = 60,
	N_LOCATIONS = N_FUNCTIONS * N_SITES,
	BUFFER_MAX = 64 << 20,
};

enum kind { PLAIN, LABELS, PIE };

/* splitmix64: small, and the same everywhere. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return next(state) % n;
}

static uint64_t hash(uint64_t a, uint64_t b)
{
	uint64_t state = a * 0x100000001b3 ^ b;

	return next(&state);
}

/* Low numbers much more often than high ones; each next is about `percent` as likely as the one before. */
static unsigned skewed(uint64_t *state, unsigned n, unsigned percent)
{
	unsigned i = 0;

	while (i + 1 < n && below(state, 100) < percent)
		i++;
	return i;
}

/* One profile on its way. `seen` tables hold the round in which a location or a function was written, so nothing needs clearing. */
struct writer {
	struct pgofs_buf raw;
	struct pgofs_buf strings; /* string_table, written at the end */
	struct pgofs_buf part;    /* one message */
	uint64_t n_strings;
	uint64_t n_locations;
	uint64_t location_id[N_LOCATIONS];
	uint64_t function_seen[N_FUNCTIONS];
	uint64_t file_index[N_FILES];  /* round and index, as location_id */
	uint64_t stack_seen[N_STACKS]; /* round and count */
	uint64_t address_shift;
};

static void give_up(const char *what)
{
	fprintf(stderr, "make-fleet: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void add_scalar(struct pgofs_buf *b, unsigned tag, uint64_t value)
{
	if (value == 0)
		return;
	put_number(b, tag, value);
}

static uint64_t add_string(struct writer *w, const char *text)
{
	put_bytes(&w->strings, 6, text, strlen(text));
	return w->n_strings++;
}

static void add_value_type(struct writer *w, unsigned tag, const char *type, const char *unit)
{
	add_scalar(&w->part, 1, add_string(w, type));
	add_scalar(&w->part, 2, add_string(w, unit));
	put_message(&w->raw, tag, &w->part);
}

/* The program. Everything about a function follows from its number. */

static void function_name(unsigned f, char *ret, size_t size)
{
	static const char *const verbs[] = { "Get", "serve", "Marshal", "decode", "run", "handle", "lookup", "flush" };
	uint64_t h = hash(f, 1);

	if (f % 9 == 0)
		snprintf(ret, size, "runtime.%s%u", verbs[h % 8], f);
	else if (f % 3)
		snprintf(ret, size, "example.org/fleet/internal/package%u.(*type%u).%s%u", (unsigned)(h % 211), f % 17,
			 verbs[h >> 8 & 7], f);
	else
		snprintf(ret, size, "example.org/fleet/internal/package%u.%s%u.func1", (unsigned)(h % 211),
			 verbs[h >> 8 & 7], f);
}

static uint64_t start_line(unsigned f)
{
	return 10 + hash(f, 2) % 900;
}

/* Whom `function` calls from its place `site`. Few functions are called from everywhere: the runtime, the encoders. */
static unsigned callee(unsigned function, unsigned site)
{
	uint64_t h = hash(function, 100 + site);

	return (unsigned)(h % 4 == 0 ? (h >> 8) % 200 : (h >> 8) % N_FUNCTIONS);
}

static unsigned n_inlined(unsigned location)
{
	uint64_t h = hash(location, 3) % 16;

	return h < 3 ? (unsigned)h : 0;
}

/* Writing it down. */

static uint64_t file_of(struct writer *w, unsigned f, uint64_t round)
{
	unsigned package = (unsigned)(hash(f, 1) % 211);
	uint64_t *index = &w->file_index[package * 5 + f % 5];
	char text[80];

	if (*index >> 32 != round) {
		snprintf(text, sizeof(text), "/home/build/fleet/internal/package%u/file%u.go", package, f % 5);
		*index = round << 32 | add_string(w, text);
	}
	return *index & UINT32_MAX;
}

static void write_function(struct writer *w, unsigned f, uint64_t round)
{
	char text[160];

	if (w->function_seen[f] == round)
		return;
	w->function_seen[f] = round;
	function_name(f, text, sizeof(text));
	uint64_t name = add_string(w, text);
	add_scalar(&w->part, 1, f + 1);
	add_scalar(&w->part, 2, name);
	add_scalar(&w->part, 3, name);
	add_scalar(&w->part, 4, file_of(w, f, round));
	add_scalar(&w->part, 5, start_line(f));
	put_message(&w->raw, 5, &w->part);
}

static void write_line(struct writer *w, unsigned function, unsigned site)
{
	struct pgofs_buf line = PGOFS_BUF(64);

	add_scalar(&line, 1, function + 1);
	add_scalar(&line, 2, start_line(function) + 1 + site * 3);
	put_message(&w->part, 4, &line);
	pgofs_buf_done(&line);
}

/* Location ids count up through the profile, as Go's do; what a location is follows from its number in the program. */
static uint64_t write_location(struct writer *w, unsigned location, uint64_t round)
{
	uint64_t *id = &w->location_id[location];
	unsigned functions[MAX_INLINED] = { 0 };
	unsigned n = n_inlined(location);

	if (*id >> 32 == round)
		return *id & UINT32_MAX;
	*id = round << 32 | ++w->n_locations;
	add_scalar(&w->part, 1, w->n_locations);
	add_scalar(&w->part, 2, 1);
	add_scalar(&w->part, 3, 0x401000 + w->address_shift + (uint64_t)location * 48 + hash(location, 4) % 40);
	functions[n] = location / N_SITES;
	for (unsigned i = n; i > 0; i--)
		functions[i - 1] = callee(functions[i], (location + i) % N_SITES);
	for (unsigned i = 0; i <= n; i++)
		write_line(w, functions[i], i == n ? location % N_SITES : (location + i) % N_SITES);
	put_message(&w->raw, 4, &w->part);
	for (unsigned i = 0; i <= n; i++)
		write_function(w, functions[i], round);
	return w->n_locations;
}

/* The n-th stack of the program, leaf first; returns how deep it is. */
static unsigned walk(uint64_t number, unsigned stack[MAX_DEPTH])
{
	uint64_t state = hash(number, 5);
	unsigned depth = 10 + (unsigned)below(&state, MAX_DEPTH - 9);
	unsigned function = (unsigned)below(&state, 4);

	for (unsigned i = 0; i < depth; i++) {
		unsigned site = skewed(&state, N_SITES, i < 6 ? 40 : 6);

		stack[depth - 1 - i] = function * N_SITES + site;
		function = callee(function, site);
	}
	return depth;
}

/* Each number is drawn about in inverse proportion to itself: first its size, evenly, then a number of that size. */
static unsigned draw_stack(uint64_t *state)
{
	unsigned bits = (unsigned)below(state, 19);
	unsigned number = (1u << bits) + (unsigned)below(state, 1u << bits);

	return number < N_STACKS ? number : N_STACKS - 1;
}

static void write_label(struct writer *w, uint64_t key, uint64_t value)
{
	struct pgofs_buf label = PGOFS_BUF(64);

	add_scalar(&label, 1, key);
	add_scalar(&label, 2, value);
	put_message(&w->part, 3, &label);
	pgofs_buf_done(&label);
}

/* A stack belongs to one endpoint, and serves many customers. `strings` is where their names begin. */
static void write_labels(struct writer *w, uint64_t *state, unsigned stack, uint64_t strings)
{
	uint64_t of_stack = hash(stack, 6);
	unsigned dice = (unsigned)below(state, 10);

	if (dice >= 4)
		write_label(w, strings, strings + 2 + skewed(&of_stack, N_VALUES, 90));
	if (dice >= 8)
		write_label(w, strings + 1, strings + 2 + N_VALUES + skewed(state, N_VALUES, 70));
}

static void write_sample(struct writer *w, uint64_t *state, unsigned number, uint64_t round, uint64_t label_strings)
{
	struct pgofs_buf numbers = PGOFS_BUF(4096);
	unsigned stack[MAX_DEPTH];
	unsigned depth = walk(number, stack);
	uint64_t count = w->stack_seen[number] & UINT32_MAX;

	for (unsigned i = 0; i < depth; i++)
		put_varint(&numbers, write_location(w, stack[i], round));
	put_message(&w->part, 1, &numbers);
	add_scalar(&w->part, 2, count);
	add_scalar(&w->part, 2, count * 10000000);
	if (label_strings)
		write_labels(w, state, number, label_strings);
	put_message(&w->raw, 2, &w->part);
	pgofs_buf_done(&numbers);
}

/* Draws stacks until `n` different ones were seen, then writes each once, as the runtime does. */
static void write_samples(struct writer *w, uint64_t *state, unsigned n, uint64_t round, uint64_t label_strings)
{
	static unsigned order[5000];

	for (unsigned seen = 0; seen < n;) {
		unsigned number = draw_stack(state);
		uint64_t *count = &w->stack_seen[number];

		if (*count >> 32 != round) {
			*count = round << 32;
			order[seen++] = number;
		}
		++*count;
	}
	for (unsigned i = 0; i < n; i++)
		write_sample(w, state, order[i], round, label_strings);
}

static uint64_t write_label_strings(struct writer *w)
{
	uint64_t first = add_string(w, "endpoint");
	char text[64];

	add_string(w, "customer");
	for (unsigned i = 0; i < 2 * N_VALUES; i++) {
		snprintf(text, sizeof(text), i < N_VALUES ? "/api/v1/resource/%u" : "customer-%u", i);
		add_string(w, text);
	}
	return first;
}

static void write_mapping(struct writer *w)
{
	add_scalar(&w->part, 1, 1);
	add_scalar(&w->part, 2, 0x400000 + w->address_shift);
	add_scalar(&w->part, 3, 0x400000 + w->address_shift + N_LOCATIONS * 48 + 0x2000);
	add_scalar(&w->part, 5, add_string(w, "/usr/bin/fleet"));
	add_scalar(&w->part, 6, add_string(w, "5f0c1a7e93b24d6688aa77bb55cc33dd"));
	add_scalar(&w->part, 7, 1);
	put_message(&w->raw, 3, &w->part);
}

static void write_profile(struct writer *w, enum kind kind, uint64_t seed, uint64_t number)
{
	uint64_t state = hash(seed, number), round = number + 1;
	unsigned n_samples = 2000 + (unsigned)below(&state, 3000);

	w->raw.len = w->strings.len = 0;
	w->n_strings = w->n_locations = 0;
	w->address_shift = kind == PIE ? 0x555555000000 + (below(&state, 1 << 20) << 12) : 0;
	add_string(w, "");
	add_value_type(w, 1, "samples", "count");
	add_value_type(w, 1, "cpu", "nanoseconds");
	add_value_type(w, 11, "cpu", "nanoseconds");
	add_scalar(&w->raw, 12, 10000000);
	add_scalar(&w->raw, 9, UINT64_C(1764000000000000000) + number * UINT64_C(30000000000));
	add_scalar(&w->raw, 10, UINT64_C(30000000000));
	uint64_t label_strings = kind == LABELS ? write_label_strings(w) : 0;
	write_samples(w, &state, n_samples, round, label_strings);
	write_mapping(w);
	put_raw(&w->raw, w->strings.data, w->strings.len);
}

static void save(struct libdeflate_compressor *gzip, const struct pgofs_buf *raw, const char *dir, uint64_t number)
{
	size_t bound = libdeflate_gzip_compress_bound(gzip, raw->len);
	_cleanup_(pgofs_freep) uint8_t *stored = malloc(bound);
	char path[4096];
	snprintf(path, sizeof(path), "%s/%06llu.pprof", dir, (unsigned long long)number);
	_cleanup_(pgofs_fclosep) FILE *file = fopen(path, "wb");

	if (!file || !stored)
		give_up(path);
	size_t len = libdeflate_gzip_compress(gzip, raw->data, raw->len, stored, bound);
	if (fwrite(stored, 1, len, file) != len || fflush(file))
		give_up(path);
}

static int usage(void)
{
	fprintf(stderr, "usage: make-fleet --kind plain|labels|pie --profiles N [--seed S] DIR\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "plain", "labels", "pie" };
	uint64_t n = 0, seed = 1;
	int kind = -1, i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--profiles"))
			n = strtoull(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 10);
		for (int k = 0; k < 3 && !strcmp(argv[i], "--kind"); k++)
			kind = strcmp(argv[i + 1], kinds[k]) ? kind : k;
	}
	if (i + 1 != argc || kind < 0 || n == 0)
		return usage();
	if (mkdir(argv[i], 0777) < 0 && errno != EEXIST)
		give_up(argv[i]);
	struct writer *w = calloc(1, sizeof(*w));
	struct libdeflate_compressor *gzip = libdeflate_alloc_compressor(6);
	if (!w || !gzip)
		give_up("memory");
	w->raw = w->strings = w->part = PGOFS_BUF(BUFFER_MAX);
	for (uint64_t number = 0; number < n; number++) {
		write_profile(w, (enum kind)kind, seed, number);
		save(gzip, &w->raw, argv[i], number);
	}
	libdeflate_free_compressor(gzip);
	pgofs_buf_done(&w->raw);
	pgofs_buf_done(&w->strings);
	pgofs_buf_done(&w->part);
	free(w);
	return 0;
}
