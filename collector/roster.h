/* Who is profiled when: the targets there are, and the state each is in. Knows no network: time goes in, names of who is due
 * come out.
 *
 * Threads: the caller serialises. */
#pragma once

#include "target.h"

#include <stdbool.h>

struct slot {
	struct target target;
	uint64_t hash;
	int64_t due_ns;   /* its next regular start */
	int64_t retry_ns; /* an extra start before that; 0: none */
	int64_t round;    /* of its last regular start */
	unsigned n_tries; /* in that round */
	bool chosen;      /* in the present round, one of K */
	bool in_flight;
	bool gone; /* no target any more, but in flight */
};

struct roster_config {
	int64_t interval_ns;
	int64_t duration_ns;
	uint64_t seed; /* of the choice of K among N, and of retries */
	bool once;     /* everybody is due at once, and once */
};

struct roster {
	struct roster_config config;
	struct slot **slots; /* in order of their targets */
	size_t n;
	size_t n_in_flight;
	int64_t round;
	uint64_t n_missed; /* starts that came a round late or more, so that there were fewer of them */
	uint64_t state;    /* of the random numbers */
};

void roster_init(struct roster *r, const struct roster_config *config, int64_t now_ns);

/* From now on this is the schedule. With another interval, nobody who has had a start in the last round gets one in the first of the new. */
void roster_configure(struct roster *r, const struct roster_config *config, int64_t now_ns);

/* Nothing may be in flight. */
void roster_done(struct roster *r);

/* From now on these are the targets (sorted and unique; emptied). Who was there keeps its place in the schedule; who goes while in
 * flight stays until roster_finished. -ENOMEM: as before. */
int roster_set(struct roster *r, struct targets *now_there, int64_t now_ns);

/* Who should start now, longest due first; NULL: nobody. The caller calls roster_started. */
struct slot *roster_due(struct roster *r, int64_t now_ns);
void roster_started(struct roster *r, struct slot *s);

/* `busy`: somebody else profiles it, so try again later in this round. The slot may be gone afterwards. */
void roster_finished(struct roster *r, struct slot *s, bool busy, int64_t now_ns);

/* How many targets have, or are to have, a start in this round; and for how many of them it is over. */
void roster_count(const struct roster *r, size_t *ret_n, size_t *ret_done);

/* When roster_due is worth a call again; INT64_MAX: not before something else happens. */
int64_t roster_wake_ns(const struct roster *r);
