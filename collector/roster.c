/* What must stay true:
 * - a target is never in flight twice, whatever discovery and the clock do;
 * - it has at most one regular start a round, and of the targets an app has now, at most K have one;
 * - `slots` is in the order of target_compare, so an app's slots are neighbours. */
#include "roster.h"

#include "config.h"
#include "schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void roster_init(struct roster *r, const struct roster_config *config, int64_t now_ns)
{
	*r = (struct roster){ .config = *config, .state = config->seed };
	r->round = schedule_round(config->interval_ns, now_ns);
}

static void slot_free(struct slot *s)
{
	target_done(&s->target);
	free(s);
}

void roster_done(struct roster *r)
{
	for (size_t i = 0; i < r->n; i++)
		slot_free(r->slots[i]);
	free(r->slots);
	r->slots = NULL;
	r->n = 0;
}

/* Chooses among one app's slots who is profiled in this round. Those that are gone are not asked. */
static void choose_app(struct roster *r, size_t first, size_t n, uint64_t seed)
{
	struct candidate *candidates = calloc(n, sizeof *candidates);
	size_t n_candidates = 0, k = 0;
	for (size_t i = first; i < first + n; i++) {
		struct slot *s = r->slots[i];
		s->chosen = true; /* without memory to choose by, everybody */
		if (s->gone || !candidates)
			continue;
		k = (size_t)s->target.job->replicas;
		candidates[n_candidates++] = (struct candidate){ .hash = s->hash, .started = s->round == r->round };
	}
	if (candidates)
		schedule_choose(candidates, n_candidates, k, seed);
	for (size_t i = first, j = 0; j < n_candidates; i++)
		if (!r->slots[i]->gone)
			r->slots[i]->chosen = candidates[j++].chosen;
	free(candidates);
}

static void choose(struct roster *r)
{
	uint64_t state = r->config.seed ^ (uint64_t)r->round;
	uint64_t seed = schedule_random(&state);
	for (size_t i = 0, n; i < r->n; i += n) {
		const char *app = r->slots[i]->target.app;
		for (n = 1; i + n < r->n && !strcmp(r->slots[i + n]->target.app, app);)
			n++;
		choose_app(r, i, n, seed);
	}
}

static struct slot *slot_consume(struct roster *r, struct target *t, int64_t now_ns)
{
	struct slot *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->target = *t;
	*t = (struct target){ 0 };
	s->hash = schedule_hash(s->target.app, s->target.source);
	s->round = r->round - 1;
	s->due_ns = r->config.once ? now_ns : schedule_next(s->hash, r->config.interval_ns, now_ns);
	return s;
}

/* The slot that was there takes the target's new words. */
static struct slot *slot_renew(struct slot *s, struct target *t)
{
	target_done(&s->target);
	s->target = *t;
	*t = (struct target){ 0 };
	s->gone = false;
	return s;
}

/* What becomes of a slot whose target is no more: kept, as gone, while in flight. */
static struct slot *slot_retire(struct slot *s)
{
	if (s->in_flight) {
		s->gone = true;
		s->target.job = NULL; /* whose configuration may go, too */
		return s;
	}
	slot_free(s);
	return NULL;
}

int roster_set(struct roster *r, struct targets *now_there, int64_t now_ns)
{
	struct slot **slots = calloc(r->n + now_there->n + 1, sizeof *slots);
	size_t n = 0, i = 0, j = 0;
	if (!slots)
		return -ENOMEM;
	while (i < r->n || j < now_there->n) {
		int order = i == r->n           ? 1
			    : j == now_there->n ? -1
						: target_compare(&r->slots[i]->target, &now_there->items[j]);
		struct slot *s;
		if (order < 0)
			s = slot_retire(r->slots[i++]);
		else if (order > 0)
			s = slot_consume(r, &now_there->items[j++], now_ns);
		else
			s = slot_renew(r->slots[i++], &now_there->items[j++]);
		if (s)
			slots[n++] = s;
	}
	free(r->slots);
	r->slots = slots;
	r->n = n;
	targets_done(now_there);
	choose(r);
	return 0;
}

void roster_configure(struct roster *r, const struct roster_config *config, int64_t now_ns)
{
	int64_t old = r->round;
	bool same = r->config.interval_ns == config->interval_ns;
	r->config = *config;
	if (same) /* everybody keeps his place, and what is due is due */
		return;
	r->round = schedule_round(config->interval_ns, now_ns);
	for (size_t i = 0; i < r->n; i++) {
		struct slot *s = r->slots[i];
		s->round = s->round == old ? r->round : r->round - 1;
		s->due_ns = schedule_next(s->hash, config->interval_ns, now_ns);
	}
	choose(r);
}

static int64_t start_of(const struct slot *s)
{
	return s->retry_ns ? s->retry_ns : s->due_ns;
}

static void put_off(const struct roster *r, struct slot *s)
{
	s->due_ns = r->config.once
			? INT64_MAX
			: schedule_next(s->hash, r->config.interval_ns, (r->round + 1) * r->config.interval_ns);
}

/* May it start now? One that may not is put off to the next round. */
static bool is_due(const struct roster *r, struct slot *s, int64_t now_ns)
{
	if (s->in_flight || s->gone || start_of(s) > now_ns)
		return false;
	if (s->retry_ns || (s->chosen && s->round != r->round))
		return true;
	put_off(r, s);
	return false;
}

struct slot *roster_due(struct roster *r, int64_t now_ns)
{
	struct slot *found = NULL;
	int64_t round = schedule_round(r->config.interval_ns, now_ns);
	if (round != r->round && !r->config.once) {
		r->round = round;
		choose(r);
	}
	for (size_t i = 0; i < r->n; i++)
		if (is_due(r, r->slots[i], now_ns) && (!found || start_of(r->slots[i]) < start_of(found)))
			found = r->slots[i];
	return found;
}

void roster_started(struct roster *r, struct slot *s)
{
	if (!s->retry_ns) {
		if (!r->config.once)
			r->n_missed += (uint64_t)(r->round - schedule_round(r->config.interval_ns, s->due_ns));
		s->round = r->round;
		s->n_tries = 0;
		put_off(r, s);
	}
	s->retry_ns = 0;
	s->n_tries++;
	s->in_flight = true;
	r->n_in_flight++;
}

void roster_finished(struct roster *r, struct slot *s, bool busy, int64_t now_ns)
{
	s->in_flight = false;
	r->n_in_flight--;
	if (busy && !r->config.once) {
		struct schedule_retry again = { now_ns, s->due_ns, r->config.duration_ns, s->n_tries,
						schedule_random(&r->state) };
		int64_t at = schedule_retry(&again);
		s->retry_ns = at < 0 ? 0 : at;
	}
	if (!s->gone)
		return;
	for (size_t i = 0; i < r->n; i++) {
		if (r->slots[i] != s)
			continue;
		memmove(&r->slots[i], &r->slots[i + 1], (--r->n - i) * sizeof(struct slot *));
		slot_free(s);
		return;
	}
}

void roster_count(const struct roster *r, size_t *ret_n, size_t *ret_done)
{
	*ret_n = *ret_done = 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct slot *s = r->slots[i];
		bool started = s->round == r->round;
		*ret_n += started || (s->chosen && !s->gone);
		*ret_done += started && !s->in_flight;
	}
}

int64_t roster_wake_ns(const struct roster *r)
{
	int64_t wake_ns = INT64_MAX;
	for (size_t i = 0; i < r->n; i++) {
		const struct slot *s = r->slots[i];
		if (!s->in_flight && !s->gone && start_of(s) < wake_ns)
			wake_ns = start_of(s);
	}
	return wake_ns;
}
