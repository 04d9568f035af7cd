#include "keep.h"

#include "join.h"
#include "place.h"

#include <pgofs/log.h>
#include <pgofs/pprof.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct item {
	struct item *next;
	struct pgofs_bytes *body;
	int64_t taken_ns;
	int64_t spent_ns;
	char *app;
	char *source;
};

struct keep {
	struct keep_config config;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct item *first, **last;
	size_t n_pending; /* the one being worked on included */
	bool stopped;
};

static void item_free(struct item *i, struct budget *budget)
{
	budget_release(budget, i->body->len);
	pgofs_bytes_unref(i->body);
	free(i->app);
	free(i->source);
	free(i);
}

/* OUTCOME_GOOD, OUTCOME_IDLE, or with words OUTCOME_UNUSABLE, OUTCOME_TOO_LARGE or OUTCOME_LOCAL. */
static enum outcome judge(const struct keep *k, const struct item *i, struct pgofs_error *err)
{
	struct pgofs_profile_info info = { .n_samples = UINT64_MAX };
	int r = pgofs_pprof_check(i->body->data, i->body->len, k->config.max_inflated_bytes, &info, err);
	switch (r) {
	case 0:
		return OUTCOME_GOOD;
	case -EFBIG:
		return OUTCOME_TOO_LARGE;
	case -ENOMEM:
		return OUTCOME_LOCAL;
	default:
		return info.n_samples ? OUTCOME_UNUSABLE : OUTCOME_IDLE;
	}
}

/* Judges a body, and spools a good one. */
static enum outcome spool_item(const struct keep *k, const struct item *i, struct pgofs_error *err)
{
	char path[PLACE_PATH_SIZE];
	enum outcome outcome = judge(k, i, err);
	if (outcome != OUTCOME_GOOD)
		return outcome;
	place_path(path, i->app, i->taken_ns, i->source);
	int r = spool_add(k->config.spool, i->app, path, i->body, err);
	if (r > 0)
		pgofs_log(PGOFS_LOG_ERROR, "profile not on disk yet", "path", path, "why", err->text);
	return r < 0 ? OUTCOME_LOCAL : OUTCOME_GOOD;
}

static void keep_item(const struct keep *k, const struct item *i)
{
	struct pgofs_error err = { "" };
	enum outcome outcome = spool_item(k, i, &err);
	const char *app = *i->app ? i->app : NULL;
	if (outcome == OUTCOME_IDLE)
		pgofs_log(PGOFS_LOG_INFO, "target idle", "app", app, "target", i->source);
	else if (outcome != OUTCOME_GOOD)
		pgofs_log(PGOFS_LOG_WARNING, "target failed", "app", app, "target", i->source, "reason",
			  outcome_word(outcome), "why", err.text);
	metrics_attempt(k->config.metrics, &(struct attempt){ i->app, outcome, i->body->len, i->spent_ns });
}

static struct item *next_item(struct keep *k)
{
	PGOFS_LOCKED(&k->lock);
	while (!k->first && !k->stopped)
		pthread_cond_wait(&k->changed, &k->lock);
	struct item *i = k->first;
	if (i && !(k->first = i->next))
		k->last = &k->first;
	return i;
}

static void *run(void *context)
{
	struct keep *k = context;
	struct item *i;
	while ((i = next_item(k))) {
		keep_item(k, i);
		item_free(i, k->config.budget);
		{
			PGOFS_LOCKED(&k->lock);
			k->n_pending--;
		}
		k->config.changed(k->config.context);
	}
	spool_persist(k->config.spool);
	return NULL;
}

int keep_start(const struct keep_config *config, struct keep **ret, struct pgofs_error *err)
{
	struct keep *k = calloc(1, sizeof *k);
	if (!k)
		return pgofs_error_errno(err, -ENOMEM, "keeper");
	k->config = *config;
	k->last = &k->first;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, NULL);
	int r = -pthread_create(&k->thread, NULL, run, k);
	if (r < 0) {
		free(k);
		return pgofs_error_errno(err, r, "keeper: thread");
	}
	*ret = k;
	return 0;
}

int keep_give(struct keep *k, const struct keep_item *given)
{
	struct item *i = calloc(1, sizeof *i);
	if (!i) {
		budget_release(k->config.budget, given->body->len);
		pgofs_bytes_unref(given->body);
		return -ENOMEM;
	}
	*i = (struct item){ .body = given->body, .taken_ns = given->taken_ns, .spent_ns = given->spent_ns };
	i->app = strdup(given->app);
	i->source = strdup(given->source);
	if (!i->app || !i->source) {
		item_free(i, k->config.budget);
		return -ENOMEM;
	}
	PGOFS_LOCKED(&k->lock);
	*k->last = i;
	k->last = &i->next;
	k->n_pending++;
	pthread_cond_signal(&k->changed);
	return 0;
}

size_t keep_pending(struct keep *k)
{
	PGOFS_LOCKED(&k->lock);
	return k->n_pending;
}

int keep_finish(struct keep *k, int64_t until_ns)
{
	if (!k)
		return 0;
	{
		PGOFS_LOCKED(&k->lock);
		k->stopped = true;
		pthread_cond_signal(&k->changed);
	}
	if (join_until(k->thread, until_ns))
		return -ETIMEDOUT;
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return 0;
}
