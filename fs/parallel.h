/* The same thing done for many, a few at a time.
 *
 * Threads: `fn` is called from up to n_threads threads, the caller's among them; all have ended on return. */
#pragma once

#include "patience.h"

#include <stddef.h>

typedef int (*pgofs_parallel_fn)(void *context, size_t i, struct pgofs_error *err);

/* Calls fn for 0..n-1, begun in that order. The first failure ends it, and is returned with its words; that patience (nullable) has come to an end
 * is one. Where threads cannot be had, fewer do the work. */
int pgofs_parallel(size_t n, unsigned n_threads, const struct pgofs_patience *patience, pgofs_parallel_fn fn,
		   void *context, struct pgofs_error *err);
