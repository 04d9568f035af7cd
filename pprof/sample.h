/* One sample of a decoded profile.
 *
 * Parsing finds its values and where its locations and labels are; the stack is read only by whoever needs it. Both together
 * check everything a sample can have wrong, so a sample that parses and whose stack reads is good for check and merge alike. */
#pragma once

#include "profile.h"

struct pgofs_sample {
	struct pgofs_wire all;       /* the message */
	struct pgofs_wire locations; /* the packed ids, where they are in one field */
	struct pgofs_wire labels;    /* from the first label's tag to the end of the last label */
	bool scattered_locations;    /* in several fields: to be gathered from `all` */
	bool scattered_labels;       /* something else is between them */
};

/* Reads sample `number` into *s and its values, as many as the profile has types, into `value`. -EINVAL and words. */
int pgofs_sample_parse(const struct pgofs_profile *p, size_t number, struct pgofs_sample *s, int64_t *value,
		       struct pgofs_error *err);

/* A stack: places of locations in the profile's table, leaf first. Reused from sample to sample. */
struct pgofs_stack {
	uint32_t *place; /* owned */
	size_t n, cap;
};

/* Reads and checks the sample's stack. -EINVAL names a location that is not there. */
int pgofs_sample_stack(const struct pgofs_profile *p, const struct pgofs_sample *s, struct pgofs_stack *stack,
		       struct pgofs_error *err);

/* The same, but it may be that only the two leaf locations are put into `stack`: that is all the edges need. */
int pgofs_sample_leaves(const struct pgofs_profile *p, const struct pgofs_sample *s, struct pgofs_stack *stack,
			struct pgofs_error *err);

/* One label, by number in the profile's string table. A string beats a number. */
struct pgofs_raw_label {
	uint32_t key, string, unit;
	int64_t number;
};

/* The sample's next label: 1, 0 at the end, -EINVAL. `w` starts as s->labels (or s->all where they are scattered). */
int pgofs_sample_label(const struct pgofs_profile *p, struct pgofs_wire *w, struct pgofs_raw_label *ret,
		       struct pgofs_error *err);

/* Checks all labels without keeping them. */
int pgofs_sample_check_labels(const struct pgofs_profile *p, const struct pgofs_sample *s, struct pgofs_error *err);
