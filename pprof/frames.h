/* Frames a profile wants dropped: its drop_frames and keep_frames patterns, applied as google/pprof does (profile/prune.go). */
#pragma once

#include "tables.h"

struct pgofs_pattern {
	const uint8_t *text;
	size_t len;
};

enum pgofs_frame_flag {
	PGOFS_FRAME_DROP = 1 << 0,  /* the whole location matches */
	PGOFS_FRAME_UNDER = 1 << 1, /* it or a line within it does */
};

struct pgofs_frames_regex;

/* The two patterns, ready to match. */
struct pgofs_frames {
	struct pgofs_frames_regex *drop, *keep; /* NULL: none. Without `drop` nothing is dropped */
};

/* A pattern Go's regexp would refuse drops nothing at all, as in pprof; so does one of more than 32 KiB. -ENOMEM. */
int pgofs_frames_init(struct pgofs_frames *f, struct pgofs_pattern drop, struct pgofs_pattern keep);
void pgofs_frames_done(struct pgofs_frames *f);

/* Is a function of this name to be dropped? One that a pattern would take too long to tell of is not. */
bool pgofs_frames_match(const struct pgofs_frames *f, const uint8_t *name, size_t len);

/* Where a stack begins once frames are dropped. `flag` are those of its locations, leaf first. */
size_t pgofs_frames_leaf(const uint8_t *flag, size_t n);
