/* Joining a thread that may hang. */
#pragma once

#include <pgofs/units.h>

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* 0, or ETIMEDOUT when it has not ended by this instant of the monotonic clock. */
static inline int join_until(pthread_t thread, int64_t until_ns)
{
	/* pthread_clockjoin_np would do without this sum, but the thread sanitizer does not know it */
	int64_t at_ns = pgofs_now_ns() + until_ns - pgofs_monotonic_ns();
	struct timespec at = { at_ns / PGOFS_NS_PER_S, at_ns % PGOFS_NS_PER_S };
	return pthread_timedjoin_np(thread, NULL, &at);
}
