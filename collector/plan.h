/* A configuration, and what the names in it stand for. A new one is got ready beside the old, which works on meanwhile.
 *
 * Threads: the caller serialises. */
#pragma once

#include "discover.h"

struct plan {
	struct config *config; /* NULL: none */
	struct discover *discover;
};

/* Gets a plan ready, in the place of one that was being got ready; discover_settled tells when it is. Takes `config` over. On failure there is
 * none. */
int plan_begin(struct plan *p, struct config *config, struct pgofs_error *err);
void plan_done(struct plan *p);

/* Puts `next` in the place of `now`, which is handed back in `ret_old` for plan_done, once nobody uses its targets. What threads and sockets
 * were built on stays as it was, and the log says so; what sources of targets last said stays where they say nothing now. */
void plan_replace(struct plan *now, struct plan *next, struct plan *ret_old);
