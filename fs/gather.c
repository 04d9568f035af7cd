/* A merge takes its inputs in the order of their paths, because that order is in the bytes that come out; a storage far away
 * answers in any order. So inputs are claimed in order, worked on side by side, and wait in a ring until it is their turn.
 *
 * Fetching and inflating an input are two pieces of work, done by whoever comes: a thread that has inflated one takes the next that was
 * fetched, and wakes nobody for it. So a storage at hand keeps as many threads busy as there are processors, while one far away has as many requests
 * under way as there are threads.
 *
 * Memory, whatever the inputs claim to be: an input is fetched when what is held ahead is within the bound, or when it is the very next. A worker
 * inflates into no more than the gzip's own size field announces, and only where that fits the bound; an input that announces too
 * much, or too little, is left as it is stored, and the consumer inflates it when its turn has come: one at a time. */
#include "gather.h"

#include "patience.h"
#include "stages.h"

#include <pgofs/cleanup.h>
#include <pgofs/pprof.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define SLACK_BYTES 4096

enum slot_state {
	FREE,
	TAKEN,   /* somebody works on it */
	FETCHED, /* is to be inflated */
	READY,
};

struct slot {
	enum slot_state state;
	struct pgofs_bytes *stored; /* fetched; once READY, left for the consumer to inflate; else NULL */
	struct pgofs_buf raw;
	size_t held_bytes; /* counted in the ring's */
	int result;
	struct pgofs_error err;
	bool fatal;
};

struct ring {
	const struct pgofs_gather *g;
	pthread_mutex_t mutex;
	pthread_cond_t work;  /* there is some: who takes it wakes the next, if there is more */
	pthread_cond_t ready; /* one more is READY, or FETCHED */
	struct slot *slots;
	size_t n_slots;
	struct pgofs_buf *spare; /* buffers that had an input; the last one is the warmest */
	size_t n_spare;
	size_t claimed, consumed; /* inputs so far */
	size_t held_bytes;
	unsigned n_fetched, n_inflating;
	bool stop;
};

static struct slot *slot_of(const struct ring *r, size_t i)
{
	return &r->slots[i % r->n_slots];
}

/* ---- the ring; the mutex is held ---- */

/* Enough is fetched when as many wait as can be inflated at a time: more would fill memory, and leave the caches before their turn. */
static bool may_claim(const struct ring *r)
{
	return !r->stop && r->claimed < r->g->n && r->claimed < r->consumed + r->n_slots &&
	       r->n_fetched < r->g->n_inflate && (r->held_bytes < r->g->memory_bytes || r->claimed == r->consumed);
}

static bool may_inflate(const struct ring *r)
{
	return !r->stop && r->n_fetched && r->n_inflating < r->g->n_inflate;
}

static void wake_worker(struct ring *r)
{
	if (may_inflate(r) || may_claim(r))
		pthread_cond_signal(&r->work);
}

static void hold(struct ring *r, struct slot *s, size_t bytes)
{
	r->held_bytes += bytes;
	s->held_bytes += bytes;
}

static void set_state(struct ring *r, struct slot *s, enum slot_state state)
{
	s->state = state;
	if (state != TAKEN)
		pthread_cond_signal(&r->ready);
}

/* There are never more buffers than slots: one is made for a slot only when none is to spare. */
static void take_spare(struct ring *r, struct slot *s)
{
	if (r->n_spare && !s->raw.data)
		s->raw = r->spare[--r->n_spare];
}

/* ---- fetching; the mutex is held, but free while the storage is asked ---- */

static void fetch_next(struct ring *r)
{
	const struct pgofs_gather *g = r->g;
	size_t i = r->claimed++;
	struct slot *s = slot_of(r, i);
	s->state = TAKEN;
	s->err.text[0] = '\0';
	hold(r, s, (size_t)g->size_of(g->context, i));
	wake_worker(r);

	pthread_mutex_unlock(&r->mutex);
	s->result = g->fetch(g->context, i, &s->stored, &s->err);
	pthread_mutex_lock(&r->mutex);

	s->fatal = s->result < 0 && s->result != -EFBIG && s->result != -ENODATA;
	r->n_fetched += s->result == 0;
	set_state(r, s, s->result == 0 ? FETCHED : READY);
}

/* ---- inflating; the mutex is held, but free while it works ---- */

/* What the gzip says it holds; for bytes that are no gzip, those. */
static size_t announced_bytes(const struct pgofs_bytes *stored)
{
	const uint8_t *d = stored->data, *end = d + stored->len;
	if (stored->len < 18 || d[0] != 0x1f || d[1] != 0x8b)
		return stored->len;
	return (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
}

static int inflate_into(const struct pgofs_gather *g, struct slot *s, size_t max)
{
	s->raw.len = 0;
	s->raw.max = max;
	if (s->raw.cap > max) /* kept from a larger input */
		pgofs_buf_done(&s->raw);
	s->err.text[0] = '\0';
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_pprof_inflate(s->stored->data, s->stored->len, &s->raw, &s->err);
	pgofs_stages_end(g->stages, PGOFS_STAGE_INFLATE, began_ns);
	return r;
}

/* Many may have been inflated since there was memory for it. */
static size_t prepare(struct ring *r, size_t i, const struct slot *s)
{
	const struct pgofs_gather *g = r->g;
	bool room;
	{
		PGOFS_LOCKED(&r->mutex);
		room = r->held_bytes < g->memory_bytes;
	}
	return room && g->prepare ? g->prepare(g->context, i, s->raw.data, s->raw.len) : 0;
}

/* Into so many bytes; what turns out to be more stays stored. */
static void inflate_ahead(struct ring *r, size_t i, struct slot *s, size_t bytes)
{
	size_t prepared_bytes = 0;
	hold(r, s, bytes);
	take_spare(r, s);
	r->n_inflating++;
	pthread_mutex_unlock(&r->mutex);

	int result = inflate_into(r->g, s, bytes);
	if (result == 0)
		prepared_bytes = prepare(r, i, s);
	if (result != -EFBIG) {
		s->result = result;
		pgofs_bytes_unref(STEAL(s->stored));
	}

	pthread_mutex_lock(&r->mutex);
	r->n_inflating--;
	hold(r, s, prepared_bytes);
}

static void inflate(struct ring *r, size_t i)
{
	struct slot *s = slot_of(r, i);
	size_t bytes = announced_bytes(s->stored) + SLACK_BYTES;
	s->state = TAKEN;
	r->n_fetched--;
	if (bytes <= r->g->raw_max_bytes && r->held_bytes + bytes <= r->g->memory_bytes)
		inflate_ahead(r, i, s, bytes);
	set_state(r, s, READY);
}

/* The one that the consumer needs first. */
static void inflate_first(struct ring *r)
{
	size_t i = r->consumed;
	while (slot_of(r, i)->state != FETCHED)
		i++;
	inflate(r, i);
}

/* ---- the threads ---- */

static void *worker(void *context)
{
	struct ring *r = context;
	PGOFS_LOCKED(&r->mutex);
	while (!r->stop && (r->claimed < r->g->n || r->n_fetched)) {
		if (may_inflate(r))
			inflate_first(r);
		else if (may_claim(r))
			fetch_next(r);
		else
			pthread_cond_wait(&r->work, &r->mutex);
	}
	return NULL;
}

/* Others may have waited for this one's place. */
static void inflate_for_consumer(struct ring *r)
{
	inflate(r, r->consumed);
	wake_worker(r);
}

/* What the caller's thread waits for; it does the work itself when nobody has begun it. */
static struct slot *take_next(struct ring *r)
{
	PGOFS_LOCKED(&r->mutex);
	struct slot *s = slot_of(r, r->consumed);
	while (s->state != READY) {
		if (r->claimed == r->consumed)
			fetch_next(r);
		else if (s->state == FETCHED && may_inflate(r))
			inflate_for_consumer(r);
		else
			pthread_cond_wait(&r->ready, &r->mutex);
	}
	return s;
}

static void give_back(struct ring *r, struct slot *s)
{
	pgofs_bytes_unref(STEAL(s->stored));
	if (s->raw.cap > r->g->memory_bytes / r->n_slots)
		pgofs_buf_done(&s->raw);
	PGOFS_LOCKED(&r->mutex);
	if (s->raw.data)
		r->spare[r->n_spare++] = s->raw;
	s->raw = PGOFS_BUF(0);
	r->held_bytes -= s->held_bytes;
	s->held_bytes = 0;
	s->state = FREE;
	r->consumed++;
	wake_worker(r);
}

static int inflate_now(struct ring *r, struct slot *s)
{
	{
		PGOFS_LOCKED(&r->mutex);
		take_spare(r, s);
	}
	return inflate_into(r->g, s, r->g->raw_max_bytes);
}

static int hand_over(struct ring *r, size_t i, struct slot *s, struct pgofs_error *err)
{
	const struct pgofs_gather *g = r->g;
	if (s->result == 0 && s->stored)
		s->result = inflate_now(r, s);
	if (s->fatal || s->result == -ENOMEM) {
		if (err)
			*err = s->err;
		return s->result;
	}
	if (s->result == 0)
		return g->each(g->context, i, s->raw.data, s->raw.len, NULL, err);
	if (!s->err.text[0])
		pgofs_error_errno(&s->err, s->result, "unusable");
	return g->each(g->context, i, NULL, 0, s->err.text, err);
}

static int consume(struct ring *r, struct pgofs_error *err)
{
	int result = 0;
	for (size_t i = 0; i < r->g->n && result >= 0; i++) {
		result = pgofs_patience_left(r->g->patience, err);
		if (result < 0)
			return pgofs_error_wrap(err, result, "%zu of %zu profiles were merged", i, r->g->n);
		struct slot *s = take_next(r);
		result = hand_over(r, i, s, err);
		give_back(r, s);
	}
	return result < 0 ? result : 0;
}

static void stop(struct ring *r)
{
	PGOFS_LOCKED(&r->mutex);
	r->stop = true;
	pthread_cond_broadcast(&r->work);
}

static void done(struct ring *r)
{
	for (size_t i = 0; i < r->n_slots; i++) {
		pgofs_bytes_unref(r->slots[i].stored);
		pgofs_buf_done(&r->slots[i].raw);
	}
	while (r->n_spare)
		pgofs_buf_done(&r->spare[--r->n_spare]);
	free(r->spare);
	free(r->slots);
}

static size_t n_threads_of(const struct pgofs_gather *g)
{
	size_t n = g->n_fetch < g->n ? g->n_fetch : g->n;
	return n < THREADS_MAX ? n : THREADS_MAX;
}

size_t pgofs_gather_n_ahead(const struct pgofs_gather *g)
{
	size_t n = n_threads_of(g);
	return 2 * (n ? n : 1);
}

int pgofs_gather_run(const struct pgofs_gather *g, struct pgofs_error *err)
{
	struct ring r = { .g = g,
			  .mutex = PTHREAD_MUTEX_INITIALIZER,
			  .work = PTHREAD_COND_INITIALIZER,
			  .ready = PTHREAD_COND_INITIALIZER };
	size_t n_threads = n_threads_of(g);
	r.n_slots = pgofs_gather_n_ahead(g);
	r.slots = calloc(r.n_slots, sizeof *r.slots);
	r.spare = calloc(r.n_slots, sizeof *r.spare);
	if (!r.slots || !r.spare) {
		free(r.slots);
		free(r.spare);
		return pgofs_error_errno(err, -ENOMEM, "fetch profiles");
	}

	pthread_t threads[THREADS_MAX];
	size_t started = 0;
	while (g->n > 1 && started < n_threads && pthread_create(&threads[started], NULL, worker, &r) == 0)
		started++;
	int result = consume(&r, err);
	stop(&r);
	while (started)
		pthread_join(threads[--started], NULL);
	done(&r);
	return result;
}
