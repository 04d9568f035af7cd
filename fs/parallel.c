/* For work that waits: listing the days of a window, where each is a question to a storage far away. */
#include "parallel.h"

#include <pgofs/cleanup.h>

#include <pthread.h>
#include <stdbool.h>

#define THREADS_MAX 64

struct crowd {
	pthread_mutex_t mutex;
	const struct pgofs_patience *patience;
	pgofs_parallel_fn fn;
	void *context;
	size_t next, n;
	int result;
	struct pgofs_error err;
};

static bool claim(struct crowd *c, size_t *ret)
{
	PGOFS_LOCKED(&c->mutex);
	if (c->result < 0 || c->next == c->n)
		return false;
	*ret = c->next++;
	return true;
}

static void fail(struct crowd *c, int result, const struct pgofs_error *err)
{
	PGOFS_LOCKED(&c->mutex);
	if (c->result < 0)
		return;
	c->result = result;
	c->err = *err;
}

static void *work(void *context)
{
	struct crowd *c = context;
	for (size_t i; claim(c, &i);) {
		struct pgofs_error err = { "" };
		int r = pgofs_patience_left(c->patience, &err);
		if (r == 0)
			r = c->fn(c->context, i, &err);
		if (r < 0)
			fail(c, r, &err);
	}
	return NULL;
}

int pgofs_parallel(size_t n, unsigned n_threads, const struct pgofs_patience *patience, pgofs_parallel_fn fn,
		   void *context, struct pgofs_error *err)
{
	struct crowd c = {
		.mutex = PTHREAD_MUTEX_INITIALIZER, .patience = patience, .fn = fn, .context = context, .n = n
	};
	pthread_t threads[THREADS_MAX];
	unsigned started = 0;
	while (started < THREADS_MAX && started + 1 < n_threads && started + 1 < n &&
	       pthread_create(&threads[started], NULL, work, &c) == 0)
		started++;
	work(&c);
	while (started)
		pthread_join(threads[--started], NULL);
	if (c.result < 0 && err)
		*err = c.err;
	return c.result;
}
