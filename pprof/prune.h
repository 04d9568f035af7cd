/* Which frames of one decoded profile are dropped, for the views that never build whole tables. */
#pragma once

#include "frames.h"
#include "sample.h"

struct pgofs_prune {
	uint8_t *flag;        /* owned; by place of a location: enum pgofs_frame_flag */
	uint32_t *first_line; /* owned; lines before it are dropped */
	size_t flag_cap, line_cap;
	bool on; /* any frame at all */
};

/* Matches the profile's names. -ENOMEM. A pattern that is too costly drops nothing. */
int pgofs_prune_prepare(struct pgofs_prune *x, const struct pgofs_frames *frames, const struct pgofs_profile *p);
void pgofs_prune_done(struct pgofs_prune *x);

/* Takes the dropped frames off the stack's leaf end. */
void pgofs_prune_stack(const struct pgofs_prune *x, struct pgofs_stack *stack);

static inline uint32_t pgofs_prune_first_line(const struct pgofs_prune *x, uint32_t place)
{
	return x->on ? x->first_line[place] : 0;
}
