/* The inputs of a merge as a tree of parts, cut so that adding or removing one input changes only the parts it is in.
 *
 * Immutable once made; borrows the inputs. Belongs to one thread at a time. */
#pragma once

#include "selection.h"

#define PGOFS_PART_NONE UINT32_MAX

/* An hour with as many inputs is cut by minutes too: they are what a window that begins within it is made of. */
#define PGOFS_PARTS_MINUTES_MIN 64

struct pgofs_part {
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE]; /* of exactly its inputs: path, version, size; and of the salt */
	uint32_t first, n;                           /* its inputs: order[first] … */
	uint32_t parent;                             /* PGOFS_PART_NONE: it is all of them */
	bool is_leaf;                                /* made of inputs; else of the parts whose parent it is */
	bool is_day, is_hour, is_minute;             /* all inputs there are of one directory; of an hour, a minute of it */
};

struct pgofs_parts {
	const struct pgofs_input *inputs; /* borrowed */
	const void *salt;                 /* borrowed */
	size_t salt_len;
	uint32_t *order;                  /* inputs, by number, as the parts have them */
	struct pgofs_part *v;             /* children before their parent, in the order of their inputs; the last is all */
	size_t n, cap;
};

/* Of at least one input, in byte order of their paths, as a selection has them. `salt` goes into every fingerprint. */
int pgofs_parts_new(const struct pgofs_input *inputs, size_t n, const void *salt, size_t salt_len,
		    struct pgofs_parts **ret, struct pgofs_error *err);
void pgofs_parts_free(struct pgofs_parts *p);
PGOFS_DEFINE_FREEP(struct pgofs_parts, pgofs_parts_free)
