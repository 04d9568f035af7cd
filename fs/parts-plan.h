/* What becomes of each part of a merge: which are at hand, in memory or in storage; which are made, of what; which are stored.
 *
 * Threads: the caller's, and while it asks the storage some of its own. */
#pragma once

#include "parts-kept.h"
#include "parts.h"
#include "rollup.h"

struct pgofs_parts_entry {
	struct pgofs_bytes *bytes; /* at hand, one reference; else it is made */
	bool needed;               /* else it is in another that is at hand */
	bool in_full;              /* made of its minutes though it may be at hand, because those are to be stored */
	bool store_hour, store_day;
};

struct pgofs_parts_plan {
	const struct pgofs_parts *parts; /* borrowed, as what follows */
	const struct pgofs_selection *selection;
	struct pgofs_parts_kept *kept;
	struct pgofs_rollups *rollups;         /* nullable: none are used */
	const struct pgofs_patience *patience; /* nullable */
	int64_t now_ns;                        /* since 1970: what is over by then */

	struct pgofs_parts_entry *v; /* by part; filled in */
};

/* -EDOM: there are no such parts, merge all at once. Fails also when patience has come to an end. Free with _done, also on failure. */
int pgofs_parts_plan_make(struct pgofs_parts_plan *p, struct pgofs_error *err);
void pgofs_parts_plan_done(struct pgofs_parts_plan *p);

/* The hour or the day that a part is all of, as a rollup; *ret points into the parts. False where it is none: some of its inputs are not
 * selected, it is not over, or it is too small. */
bool pgofs_parts_plan_rollup(const struct pgofs_parts_plan *p, size_t part, bool day, struct pgofs_rollup *ret);

/* The hour whose minutes are to be stored, that this part is a minute of; PGOFS_PART_NONE. */
uint32_t pgofs_parts_plan_hour_of(const struct pgofs_parts_plan *p, size_t part);

/* The minute of its hour that a part begins in. */
unsigned pgofs_parts_plan_minute(const struct pgofs_parts_plan *p, size_t part);

/* What ought to be stored of the directory that a part is in, as far as these parts tell. */
void pgofs_parts_plan_day(const struct pgofs_parts_plan *p, size_t part, struct pgofs_rollups_of_day *ret);
