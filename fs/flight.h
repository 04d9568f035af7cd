/* One does the work, all who want it wait: a call under way, and how it ended.
 *
 * Threads: a flight is protected by its owner's mutex, and waited for on its owner's condition variable. Who finds none
 * under way makes one, unlocks, works, locks, and lands it; others hold a reference and wait. Values are the owner's business. */
#pragma once

#include <pgofs/error.h>

#include <pthread.h>
#include <stdbool.h>

struct pgofs_flight {
	unsigned refs;
	bool landed;
	bool outdated; /* what it will bring must not be believed by those who come after the owner set this */
	int result;    /* once landed */
	struct pgofs_error err;
	void *value; /* once landed with 0; the flight holds one reference */
	void (*unref)(void *value);
};

struct pgofs_flight *pgofs_flight_new(void (*unref)(void *value));
struct pgofs_flight *pgofs_flight_ref(struct pgofs_flight *f);
void pgofs_flight_unref(struct pgofs_flight *f);

/* Ends it: takes over the reference in `value`, wakes all. */
void pgofs_flight_land(struct pgofs_flight *f, int result, const struct pgofs_error *err, void *value,
		       pthread_cond_t *cond);

/* Waits until it has landed; its result, and its words. The mutex is held before and after. */
int pgofs_flight_wait(struct pgofs_flight *f, pthread_mutex_t *mutex, pthread_cond_t *cond, struct pgofs_error *err);
