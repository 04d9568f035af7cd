/* Which targets are there now? Those that are named, those that files list, those that DNS knows.
 *
 * Every source keeps its last good answer: a file that was written badly, or a name server that is away, takes no target
 * away, not even where the configuration is read again meanwhile. Nothing here waits: files are small and local, and DNS is asked by a library that gives its sockets to the
 * caller's poll.
 *
 * Threads: the caller serialises. */
#pragma once

#include "config.h"

#include <curl/curl.h>
#include <stdbool.h>

struct discover;

/* Reads once whatever `config` says that is in files, and tells how many targets that gives; names are not resolved. -EINVAL with
 * words: one of the files is no good. */
int discover_check(const struct config *config, size_t *ret_n, struct pgofs_error *err);

/* Borrows `config`, which must outlive it. */
int discover_new(const struct config *config, struct discover **ret, struct pgofs_error *err);
void discover_free(struct discover *d);
PGOFS_DEFINE_FREEP(struct discover, discover_free)

/* Takes from `old`, which is at its end, the last good answers of sources that have none here. */
void discover_inherit(struct discover *d, struct discover *old);

/* Asks for all DNS names again. */
void discover_refresh(struct discover *d);

/* Looks at files that may have changed, and at what name servers said. True: the list is another now. */
bool discover_step(struct discover *d);

/* Has every name been answered, or failed, since it was last asked for? */
bool discover_settled(const struct discover *d);

/* Has every source said something good, be it that there is no target? */
bool discover_complete(const struct discover *d);

/* The present list, sorted and unique. -ENOMEM. */
int discover_list(const struct discover *d, struct targets *ret);

/* For the caller's poll: up to `max` sockets, and when to call discover_step at the latest, by the monotonic clock. */
size_t discover_fds(const struct discover *d, struct curl_waitfd *fds, size_t max);
int64_t discover_wake_ns(const struct discover *d);
