/* The two pages by which the collector is watched: /metrics and /healthz.
 *
 * Answered from the collector's own loop, so an answer also says that the loop turns. Threads: the caller serialises. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>

#include <stdint.h>

struct watch;

/* Is this "[ADDRESS:]PORT"? Else -EINVAL with words. */
int watch_check(const char *where, struct pgofs_error *err);

/* `where` is "[ADDRESS:]PORT"; without an address it is loopback. `render` makes the page of /metrics. */
struct watch_config {
	const char *where;
	int (*render)(void *context, struct pgofs_buf *append_to);
	void *context;
};
int watch_start(const struct watch_config *config, struct watch **ret, struct pgofs_error *err);
void watch_free(struct watch *w);

int watch_fd(const struct watch *w);          /* readable: there is something to do */
int64_t watch_wake_ns(const struct watch *w); /* when there is something to do at the latest, by the monotonic clock */
void watch_step(struct watch *w);
