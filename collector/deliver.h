/* From the spool to where profiles belong: a mount, or any directory. A thread of its own, because a hung mount hangs whoever
 * writes to it.
 *
 * Threads: start and finish from one thread. */
#pragma once

#include "metrics.h"
#include "spool.h"

struct deliver_config {
	const char *into;
	bool require_mount; /* deliver only while `into` is in a mount of pgofs */
	struct spool *spool;
	struct metrics *metrics;
	void (*changed)(void *context); /* after each profile, from the thread */
	void *context;
};

struct deliver;

/* Could profiles be delivered there now, as far as a look can tell? Else what is missing, with words. Waits for a mount that hangs. */
int deliver_check(const char *into, bool require_mount, struct pgofs_error *err);

/* Starts the thread. The strings and what else `config` points to must outlive it. */
int deliver_start(const struct deliver_config *config, struct deliver **ret, struct pgofs_error *err);

/* Waits for it to end after spool_stop, at most until this instant of the monotonic clock, and frees it. -ETIMEDOUT: it hangs in
 * the mount, and nothing it uses may be freed. NULL is fine. */
int deliver_finish(struct deliver *d, int64_t until_ns);
