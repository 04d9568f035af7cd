/* Carrying samples from one merge's tables into another's, with all they refer to. What is carried once is remembered, so
 * a sample costs its stack's length. */
#pragma once

#include "tables.h"

struct pgofs_transfer {
	struct pgofs_tables *into;
	const struct pgofs_tables *from;
	uint32_t *string, *function, *mapping, *location, *label_set; /* owned; number in `into`, or PGOFS_NONE */
	uint8_t *stack;                                               /* owned scratch */
	size_t stack_cap;
	struct pgofs_line *line; /* owned scratch */
	size_t line_cap;
	struct pgofs_label *label; /* owned scratch */
	size_t label_cap;
};

/* Both tables are borrowed. Takes over the first mapping at once where `into` has none: it stands for the main program. */
int pgofs_transfer_init(struct pgofs_transfer *x, struct pgofs_tables *into, const struct pgofs_tables *from);
void pgofs_transfer_done(struct pgofs_transfer *x);

int pgofs_transfer_string(struct pgofs_transfer *x, uint32_t number, uint32_t *ret);

/* The sample without its values: those of a new one are all 0. */
int pgofs_transfer_sample(struct pgofs_transfer *x, size_t number, uint32_t *ret);
