/* The daemon: one loop that waits for targets, timers and signals, and two threads behind it that keep and deliver.
 *
 *	roster (who is due) -> scrape (one request each) -> keep (checked, into the spool) -> deliver (to its place)
 *
 * Threads: collector_run is called once, by a process that has no other thread yet: it blocks signals for all to come. */
#pragma once

#include "config.h"

/* Takes `config` over. Runs until SIGTERM or SIGINT, or with --once until all is done; SIGHUP reads argv and the file it names
 * again. 0; 1 something failed that a person who ran it once should know of, or collected profiles were lost in stopping; -errno
 * with words: it could not start. */
int collector_run(struct config *config, int argc, char *const *argv, struct pgofs_error *err);
