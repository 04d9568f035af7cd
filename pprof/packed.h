/* Packed ids, many at a time.
 *
 * A stack is a run of varints, and runs are most of what there is to read in a profile. Own code: one varint after the other
 * costs 24 instructions an id, with a branch nobody can foresee; this way it is five. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads ids from at..end as long as they are short and enough bytes may be loaded, up to `readable`. Writes id - 1 of each to `place`, which has
 * room for one an input byte and 16 more. Returns where it stopped, which may be just past `end` when the last id was cut off there;
 * *ret_n counts the ids, *ret_max is the greatest id - 1 (an id 0 makes it UINT32_MAX). */
const uint8_t *pgofs_packed_read(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t *place,
				 size_t *ret_n, uint32_t *ret_max);

/* Is each id of at..end surely one of 1..n? Says so of nearly all runs of which it is true, and never of another, in a third of the time
 * that reading takes. The byte before `at` is read, too; it ends something else. */
bool pgofs_packed_surely_within(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t n);
