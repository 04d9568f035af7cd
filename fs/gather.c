/* A merge takes its inputs in the order of their paths, because that order is in the bytes that come out; a storage far away
 * answers in any order. So inputs are claimed in order, worked on side by side, and wait in a ring until it is their turn.
 *
 * Memory, whatever the inputs claim to be: an input is fetched when what is held ahead is within the bound, or when it is the very next. A worker
 * inflates into no more than the gzip's own size field announces, and only where that fits the bound; an input that announces too
 * much, or too little, is left as it is stored, and the consumer inflates it when its turn has come: one at a time. */
#include "gather.h"

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
	TAKEN,
	READY,
};

struct slot {
	enum slot_state state;
	struct pgofs_buf raw;
	struct pgofs_bytes *stored; /* left for the consumer to inflate; else NULL */
	size_t held_bytes;          /* counted in the ring's */
	int result;
	struct pgofs_error err;
	bool fatal;
};

struct ring {
	const struct pgofs_gather *g;
	pthread_mutex_t mutex;
	pthread_cond_t room;  /* an input may be claimed, or inflated */
	pthread_cond_t ready; /* one more is READY */
	struct slot *slots;
	size_t n_slots;
	size_t claimed, consumed; /* inputs so far */
	size_t held_bytes;
	unsigned n_inflating;
	bool stop;
};

static struct slot *slot_of(struct ring *r, size_t i)
{
	return &r->slots[i % r->n_slots];
}

/* ---- one input; no lock held but where said ---- */

/* What the gzip says it holds; for bytes that are no gzip, those. */
static size_t announced_bytes(const struct pgofs_bytes *stored)
{
	const uint8_t *d = stored->data, *end = d + stored->len;
	if (stored->len < 18 || d[0] != 0x1f || d[1] != 0x8b)
		return stored->len;
	return (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
}

static int inflate_into(const struct pgofs_gather *g, struct slot *s, const struct pgofs_bytes *stored, size_t max)
{
	s->raw.len = 0;
	s->raw.max = max;
	if (s->raw.cap > max) /* kept from a larger input */
		pgofs_buf_done(&s->raw);
	s->err.text[0] = '\0';
	int64_t began_ns = pgofs_monotonic_ns();
	int r = pgofs_pprof_inflate(stored->data, stored->len, &s->raw, &s->err);
	pgofs_stages_end(g->stages, PGOFS_STAGE_INFLATE, began_ns);
	return r;
}

/* Waits for one of the few places where inflating goes on, if there is memory for it. */
static bool may_inflate(struct ring *r, struct slot *s, size_t bytes)
{
	PGOFS_LOCKED(&r->mutex);
	if (r->held_bytes + bytes > r->g->memory_bytes)
		return false;
	r->held_bytes += bytes;
	s->held_bytes += bytes;
	while (r->n_inflating >= r->g->n_inflate)
		pthread_cond_wait(&r->room, &r->mutex);
	r->n_inflating++;
	return true;
}

static void end_inflating(struct ring *r, struct slot *s, size_t more_bytes)
{
	PGOFS_LOCKED(&r->mutex);
	r->held_bytes += more_bytes;
	s->held_bytes += more_bytes;
	r->n_inflating--;
	pthread_cond_broadcast(&r->room);
}

/* Many may have waited to inflate since there was memory for it. */
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

static void inflate_ahead(struct ring *r, size_t i, struct slot *s, struct pgofs_bytes *stored)
{
	const struct pgofs_gather *g = r->g;
	size_t bytes = announced_bytes(stored) + SLACK_BYTES, prepared_bytes = 0;
	int result = -EFBIG;
	if (bytes <= g->raw_max_bytes && may_inflate(r, s, bytes)) {
		result = inflate_into(g, s, stored, bytes);
		if (result == 0)
			prepared_bytes = prepare(r, i, s);
		end_inflating(r, s, prepared_bytes);
	}
	if (result == -EFBIG)
		s->stored = stored;
	else
		pgofs_bytes_unref(stored);
	s->result = result == -EFBIG ? 0 : result;
}

static void work_on(struct ring *r, size_t i, struct slot *s)
{
	struct pgofs_bytes *stored = NULL;
	s->err.text[0] = '\0';
	s->raw.len = 0;
	s->result = r->g->fetch(r->g->context, i, &stored, &s->err);
	s->fatal = s->result < 0 && s->result != -EFBIG && s->result != -ENODATA;
	if (s->result == 0)
		inflate_ahead(r, i, s, stored);
}

/* ---- the ring; the mutex is held ---- */

static bool may_claim(const struct ring *r)
{
	return r->claimed < r->g->n && r->claimed < r->consumed + r->n_slots &&
	       (r->held_bytes < r->g->memory_bytes || r->claimed == r->consumed);
}

/* The mutex is free while it works. */
static void claim_and_work(struct ring *r)
{
	size_t i = r->claimed++;
	struct slot *s = slot_of(r, i);
	s->state = TAKEN;
	s->held_bytes = (size_t)r->g->size_of(r->g->context, i);
	r->held_bytes += s->held_bytes;

	pthread_mutex_unlock(&r->mutex);
	work_on(r, i, s);
	pthread_mutex_lock(&r->mutex);

	s->state = READY;
	pthread_cond_signal(&r->ready);
}

static void *worker(void *context)
{
	struct ring *r = context;
	PGOFS_LOCKED(&r->mutex);
	while (!r->stop && r->claimed < r->g->n) {
		if (may_claim(r))
			claim_and_work(r);
		else
			pthread_cond_wait(&r->room, &r->mutex);
	}
	return NULL;
}

/* What the caller's thread waits for; it does the work itself when nobody has begun it. */
static struct slot *take_next(struct ring *r)
{
	PGOFS_LOCKED(&r->mutex);
	struct slot *s = slot_of(r, r->consumed);
	if (r->claimed == r->consumed)
		claim_and_work(r);
	while (s->state != READY)
		pthread_cond_wait(&r->ready, &r->mutex);
	return s;
}

static void give_back(struct ring *r, struct slot *s)
{
	pgofs_bytes_unref(STEAL(s->stored));
	if (s->raw.cap > r->g->memory_bytes / r->n_slots)
		pgofs_buf_done(&s->raw);
	PGOFS_LOCKED(&r->mutex);
	r->held_bytes -= s->held_bytes;
	s->held_bytes = 0;
	s->state = FREE;
	r->consumed++;
	pthread_cond_broadcast(&r->room);
}

static int hand_over(struct ring *r, size_t i, struct slot *s, struct pgofs_error *err)
{
	const struct pgofs_gather *g = r->g;
	if (s->result == 0 && s->stored)
		s->result = inflate_into(g, s, s->stored, g->raw_max_bytes);
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
	pthread_cond_broadcast(&r->room);
}

static void done(struct ring *r)
{
	for (size_t i = 0; i < r->n_slots; i++) {
		pgofs_bytes_unref(r->slots[i].stored);
		pgofs_buf_done(&r->slots[i].raw);
	}
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
			  .room = PTHREAD_COND_INITIALIZER,
			  .ready = PTHREAD_COND_INITIALIZER };
	size_t n_threads = n_threads_of(g);
	r.n_slots = pgofs_gather_n_ahead(g);
	r.slots = calloc(r.n_slots, sizeof *r.slots);
	if (!r.slots)
		return pgofs_error_errno(err, -ENOMEM, "fetch profiles");

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
