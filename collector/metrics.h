/* What the collector counts.
 *
 * Threads: any; one lock inside. */
#pragma once

#include "outcome.h"
#include "spool.h"

#include <pgofs/buf.h>

#include <stdint.h>

struct metrics;

/* Profiles of no app are counted under `default_app`, copied. NULL: no memory. */
struct metrics *metrics_new(const char *default_app);
void metrics_free(struct metrics *m);
PGOFS_DEFINE_FREEP(struct metrics, metrics_free)

/* One attempt at a target has ended, its profile checked if it gave one. */
struct attempt {
	const char *app;
	enum outcome outcome;
	uint64_t bytes;
	int64_t spent_ns;
};
void metrics_attempt(struct metrics *m, const struct attempt *a);

/* A profile is where it should be; or the place refused it for good; or could not be written to, and it waits. */
void metrics_delivered(struct metrics *m, const char *app);
void metrics_refused(struct metrics *m, const char *app);
void metrics_postponed(struct metrics *m, const char *app);

/* How many things went wrong that a person who ran it once wants to know of: failed attempts, refused profiles. */
uint64_t metrics_failures(struct metrics *m);

/* How many targets there are now, told anew whenever that changes: forget, then one by one. */
void metrics_forget_targets(struct metrics *m);
void metrics_add_target(struct metrics *m, const char *app);

/* What others know at this moment. */
struct gauges {
	size_t n_in_flight;
	uint64_t n_missed; /* see struct roster */
	struct spool_stats spool;
};

/* Everything, in Prometheus' text format. */
int metrics_render(struct metrics *m, const struct gauges *g, struct pgofs_buf *append_to);
