/* The tables of a merge: what the output is made of, each thing once.
 *
 * Six tables: strings, functions, mappings, locations, label sets, samples. An entry is known by its number, in order of first insertion;
 * entries refer to each other by number, so tables move and grow freely. What is the same is known by one key, the hash of its content
 * (content.h); the first seen wins for whatever is not part of that.
 *
 * Every insertion can be undone back to a mark, so that an input that turns out broken leaves nothing behind. Values are added last,
 * when nothing can fail any more.
 *
 * Threads: the caller serialises. */
#pragma once

#include "arena.h"
#include "index.h"

#include <pgofs/error.h>

#include <stdbool.h>

/* Strings: any bytes. Number 0 is "". */
struct pgofs_string {
	const uint8_t *data; /* in the arena */
	uint32_t len;
};

struct pgofs_strings {
	struct pgofs_string *v;
	size_t n, cap;
	struct pgofs_index index;
};

struct pgofs_function {
	uint32_t name, system_name, filename;
	int64_t start_line;
};

struct pgofs_functions {
	struct pgofs_function *v;
	size_t n, cap;
	struct pgofs_index index;
};

enum pgofs_mapping_has {
	PGOFS_HAS_FUNCTIONS = 1 << 0,
	PGOFS_HAS_FILENAMES = 1 << 1,
	PGOFS_HAS_LINE_NUMBERS = 1 << 2,
	PGOFS_HAS_INLINE_FRAMES = 1 << 3,
};

struct pgofs_mapping {
	uint64_t start, limit, offset;
	uint32_t file, build_id;
	uint32_t has; /* enum pgofs_mapping_has */
};

struct pgofs_mappings {
	struct pgofs_mapping *v;
	size_t n, cap;
	struct pgofs_index index;
};

struct pgofs_line {
	int64_t line, column;
	uint32_t function;
};

/* Nearly all have one line. */
struct pgofs_location {
	uint64_t address;
	union {
		struct pgofs_line one;
		const struct pgofs_line *many; /* in the arena; where n_lines is not 1 */
	};
	uint32_t n_lines;
	uint32_t mapping; /* PGOFS_NONE where it has none */
	bool folded;
};

static inline const struct pgofs_line *pgofs_location_lines(const struct pgofs_location *l)
{
	return l->n_lines == 1 ? &l->one : l->many;
}

struct pgofs_locations {
	struct pgofs_location *v;
	size_t n, cap;
	struct pgofs_index index;
};

/* One label of a set. Sets are sorted as google/pprof writes them: text before numbers, then by key; values of one key in the
 * order they came. `with_units` tells a number whose unit is "" from one in a set where nobody gave units. */
struct pgofs_label {
	int64_t number;
	uint32_t key, string, unit;
	bool numeric, with_units;
};

struct pgofs_label_set {
	const struct pgofs_label *label; /* in the arena */
	uint32_t n;
};

/* Number 0 is the empty set. */
struct pgofs_label_sets {
	struct pgofs_label_set *v;
	size_t n, cap;
	struct pgofs_index index;
};

/* A stack is kept as it will be written: the location ids (numbers + 1), leaf first, as varints. Nine tenths of a merge's memory is in
 * samples, so an entry is 24 bytes, and its stack one or two bytes a frame. Values lie beside the key, as many as there are types: adding an
 * input's touches nothing else. */
struct pgofs_stacked {
	const uint8_t *stack; /* in the arena */
	uint32_t stack_bytes, n_locations;
	uint32_t labels;
};

struct pgofs_samples {
	struct pgofs_stacked *v;
	size_t n, cap;
	struct pgofs_index index;
};

/* Location ids stay below it, so that one is at most four bytes in a stack. */
#define PGOFS_LOCATIONS_MAX ((size_t)1 << 28)

struct pgofs_tables {
	struct pgofs_arena arena;
	struct pgofs_strings strings;
	struct pgofs_functions functions;
	struct pgofs_mappings mappings;
	struct pgofs_locations locations;
	struct pgofs_label_sets label_sets;
	struct pgofs_samples samples;
	size_t n_types;      /* values of a sample */
	size_t values_begin; /* where they are in what is beside it: something else may stand before */
};

struct pgofs_tables_mark {
	struct pgofs_arena_mark arena;
	size_t n_strings, n_functions, n_mappings, n_locations, n_label_sets, n_samples;
};

/* `values_begin` bytes, a multiple of 8, are beside each sample before its values: 0 but for a standing merge. */
int pgofs_tables_init(struct pgofs_tables *t, size_t n_types, size_t values_begin);
void pgofs_tables_done(struct pgofs_tables *t);
struct pgofs_tables_mark pgofs_tables_mark(const struct pgofs_tables *t);
void pgofs_tables_undo(struct pgofs_tables *t, struct pgofs_tables_mark mark);
size_t pgofs_tables_memory_bytes(const struct pgofs_tables *t);

/* Each table: what the index does not find under its key is inserted. The entry, and what it points to, is borrowed for the call. 0 with the
 * number; -ENOMEM or -EFBIG with everything as it was. */
int pgofs_strings_insert(struct pgofs_tables *t, struct pgofs_hash key, const uint8_t *data, size_t len, uint32_t *ret);
int pgofs_functions_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_function *f,
			   uint32_t *ret);
int pgofs_mappings_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_mapping *m, uint32_t *ret);
int pgofs_locations_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_location *l,
			   uint32_t *ret);
int pgofs_label_sets_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_label *label, size_t n,
			    uint32_t *ret);

/* A new sample's values are all 0. */
int pgofs_samples_insert(struct pgofs_tables *t, struct pgofs_hash key, const struct pgofs_stacked *s, uint32_t *ret);

/* Finds or inserts a string by its bytes. */
int pgofs_string_add(struct pgofs_tables *t, const uint8_t *data, size_t len, uint32_t *ret);
bool pgofs_string_is(const struct pgofs_tables *t, uint32_t number, const char *text);

static inline int64_t *pgofs_samples_values(const struct pgofs_tables *t, size_t number)
{
	return (int64_t *)((char *)pgofs_index_beside(&t->samples.index, number) + t->values_begin);
}

bool pgofs_samples_all_zero(const struct pgofs_tables *t, size_t number);

/* Fills `into`, which is empty, with n samples of `from`, in this order, and what they need, numbered in the order they need it; what is beside
 * the samples is all 0. google/pprof does the same by merging a profile with nothing. -ENOMEM. */
int pgofs_tables_compact(struct pgofs_tables *into, const struct pgofs_tables *from, const uint32_t *sample, size_t n);
