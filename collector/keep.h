/* From bodies to the spool: checks what targets gave, and keeps what Go can use. A thread of its own, because inflating and an fsync take
 * time that the other targets should not wait.
 *
 * Threads: start, give and finish from one thread; pending from any. */
#pragma once

#include "metrics.h"
#include "scrape.h"
#include "spool.h"

struct keep_config {
	struct spool *spool;
	struct metrics *metrics;
	struct budget *budget;
	size_t max_inflated_bytes;
	void (*changed)(void *context); /* after each body, from the thread */
	void *context;
};

struct keep;

int keep_start(const struct keep_config *config, struct keep **ret, struct pgofs_error *err);

/* One body, and where it came from; the strings are copied. */
struct keep_item {
	const char *app;
	const char *source;
	int64_t taken_ns; /* when the request began, by the wall clock: what the name will say */
	int64_t spent_ns;
	struct pgofs_bytes *body; /* taken over, with its share of the budget */
};

/* -ENOMEM: the body is released. */
int keep_give(struct keep *k, const struct keep_item *item);

/* How many bodies were given and are not in the spool, or refused, yet. */
size_t keep_pending(struct keep *k);

/* Ends the thread once all is done and on disk, if the disk takes it, at the latest at this instant of the monotonic clock, and frees it. -ETIMEDOUT: it hangs, and nothing it
 * uses may be freed. NULL is fine. */
int keep_finish(struct keep *k, int64_t until_ns);
