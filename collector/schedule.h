/* When each target is profiled. Pure functions of their arguments; any thread.
 *
 * Time is cut into rounds of one interval. Within a round every target has its own place, a hash of its name: so starts
 * are spread evenly, a target keeps its place over restarts and on every machine, and neighbours in a list are no neighbours in time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t schedule_hash(const char *app, const char *source);

/* A stream of numbers from a seed: good enough to spread and to choose by. */
uint64_t schedule_random(uint64_t *state);

/* Which round an instant is in. */
int64_t schedule_round(int64_t interval_ns, int64_t now_ns);

/* The first start at or after `now_ns` of the target with this hash. */
int64_t schedule_next(uint64_t hash, int64_t interval_ns, int64_t now_ns);

/* When to try again a target that somebody else was profiling: later in the same round, such that it ends before the
 * target's next start; each try waits longer; `random` shakes two collectors apart. -1: not in this round any more. */
struct schedule_retry {
	int64_t now_ns;
	int64_t next_ns; /* its next regular start */
	int64_t duration_ns;
	unsigned n_tries; /* so far in this round, from 1 */
	uint64_t random;
};
int64_t schedule_retry(const struct schedule_retry *r);

/* Chooses `k` of `n` at random: those with the lowest scores. What has already started in this round counts among them first, so that a
 * change of membership in mid-round starts no more than `k`. k 0 chooses all. */
struct candidate {
	uint64_t hash;
	int started;    /* in this round */
	int chosen;     /* result */
	uint64_t score; /* scratch */
	size_t at;      /* scratch */
};
void schedule_choose(struct candidate *candidates, size_t n, size_t k, uint64_t seed);
