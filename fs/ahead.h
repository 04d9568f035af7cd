/* Inputs decoded ahead of their turn, by the threads that inflate them.
 *
 * Threads: an input is one thread's until it is handed over to the one that merges (gather.h); one mutex for what is free. */
#pragma once

#include "gather.h"

#include <pgofs/pprof.h>

#include <pthread.h>

struct pgofs_ahead {
	enum pgofs_view view;
	struct pgofs_stages *stages; /* nullable */
	struct pgofs_decoded **of;   /* owned; of input i at i modulo n; NULL where it is not decoded */
	struct pgofs_decoded **free; /* owned; the last one is the warmest */
	size_t n, n_free;
	size_t free_bytes, free_bytes_max; /* of those that are free */
	pthread_mutex_t mutex;             /* guards what is free */
};

/* For what is gathered by `g`. -ENOMEM. */
int pgofs_ahead_init(struct pgofs_ahead *a, enum pgofs_view view, const struct pgofs_gather *g);
void pgofs_ahead_done(struct pgofs_ahead *a);

/* What pgofs_gather's `prepare` is to do. */
size_t pgofs_ahead_decode(struct pgofs_ahead *a, size_t i, const void *raw, size_t len);

/* Input `i`, decoded; NULL where it was not. Its turn is over with pgofs_ahead_passed, which is called for each input. */
const struct pgofs_decoded *pgofs_ahead_of(const struct pgofs_ahead *a, size_t i);
void pgofs_ahead_passed(struct pgofs_ahead *a, size_t i);
