/* Numbering what is written of tables in an order that is not theirs.
 *
 * Samples come in whatever order; locations, functions and mappings are numbered as stacks reach them: mapping before location, functions in
 * the order of lines (google/pprof profile/merge.go, mapSample). Threads: the caller serialises. */
#pragma once

#include "tables.h"

/* Entries of a table in the order they are written in, and back. */
struct pgofs_numbering {
	uint32_t *entry; /* owned; n */
	uint32_t *id;    /* owned; by entry; 0: none yet */
	size_t n;
};

struct pgofs_arranging {
	const struct pgofs_tables *t; /* borrowed */
	struct pgofs_numbering location, function, mapping;
	uint64_t *code;  /* owned; by location, once it has an id */
	uint32_t *place; /* owned scratch: a stack's locations, as what follows */
	uint8_t *flag, *stack;
	size_t place_cap, flag_cap, stack_cap;
};

/* The first mapping has number 1, reached or not. -ENOMEM; free with _done, also on failure. */
int pgofs_arranging_init(struct pgofs_arranging *x, const struct pgofs_tables *t, uint32_t first_mapping);
void pgofs_arranging_done(struct pgofs_arranging *x);

/* A stack as it is written, or what is left of it when frames are dropped. */
struct pgofs_stack_part {
	const uint8_t *bytes;
	size_t len, n;
};

/* One of the tables' stacks in the new numbers, without the frames that are dropped; what it reaches is numbered as if none were. `flag`, where
 * not NULL, is by location (frames.h). Good until the next call. -ENOMEM. */
int pgofs_arranging_stack(struct pgofs_arranging *x, struct pgofs_stack_part *s, const uint8_t *flag);
