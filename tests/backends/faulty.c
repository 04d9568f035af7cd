#include "faulty.h"

#include <pgofs/backend-impl.h>
#include <pgofs/units.h>

#include <string.h>
#include <time.h>

struct faulty {
	struct pgofs_backend backend;
	struct pgofs_backend *next;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t gate_opened;
	bool shut;
	struct faulty_rule rules[FAULTY_MAX_RULES];
	unsigned n_matched[FAULTY_MAX_RULES];
	unsigned n_rules;
	unsigned n_calls[FAULTY_N_OPS], n_now[FAULTY_N_OPS], n_most[FAULTY_N_OPS];
};

static struct faulty *faulty_of(struct pgofs_backend *b)
{
	return (struct faulty *)b;
}

/* What to do with the call that comes now; zero: nothing. */
static struct faulty_rule find_rule(struct faulty *f, enum faulty_op op, const char *key)
{
	for (unsigned i = 0; i < f->n_rules; i++) {
		const struct faulty_rule *r = &f->rules[i];
		if (r->op != op || (r->key && !strstr(key, r->key)))
			continue;
		unsigned n = f->n_matched[i]++;
		if (n >= r->after && (!r->times || n < r->after + r->times))
			return *r;
	}
	return (struct faulty_rule){ 0 };
}

static struct faulty_rule enter(struct faulty *f, enum faulty_op op, const char *key)
{
	struct faulty_rule rule;
	{
		PGOFS_LOCKED(&f->lock);
		f->n_calls[op]++;
		if (++f->n_now[op] > f->n_most[op])
			f->n_most[op] = f->n_now[op];
		while (f->shut)
			pthread_cond_wait(&f->gate_opened, &f->lock);
		rule = find_rule(f, op, key);
	}
	if (rule.delay_ns)
		nanosleep(&(struct timespec){ rule.delay_ns / PGOFS_NS_PER_S, rule.delay_ns % PGOFS_NS_PER_S }, NULL);
	return rule;
}

static int leave(struct faulty *f, enum faulty_op op, int r)
{
	PGOFS_LOCKED(&f->lock);
	f->n_now[op]--;
	return r;
}

/* Runs `call` as the rule for it says. */
#define FAULTY_CALL(f, op, key, call)                                                                                  \
	do {                                                                                                           \
		struct faulty_rule rule = enter((f), (op), (key));                                                     \
		int r = rule.error && !rule.after_doing ? rule.error : (call);                                         \
		return leave((f), (op), rule.error ? rule.error : r);                                                  \
	} while (0)

static int faulty_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_PROBE, "", pgofs_backend_probe(f->next, err));
}

static int faulty_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		       struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_LIST, dir, pgofs_backend_list(f->next, dir, flags, each, context, err));
}

static int faulty_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		      struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	struct faulty_rule rule = enter(f, FAULTY_GET, key);
	int r = rule.error;
	if (!r)
		r = pgofs_backend_get(f->next, key, version, max_bytes, ret, ret_stored, err);
	return leave(f, FAULTY_GET, r);
}

static int faulty_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		      struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_PUT, key, pgofs_backend_put(f->next, key, data, len, flags, ret_stored, err));
}

static int faulty_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_REMOVE, key, pgofs_backend_remove(f->next, key, err));
}

static int faulty_remove_many(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			      struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_REMOVE_MANY, keys[0], pgofs_backend_remove_many(f->next, keys, n, ret_results, err));
}

static int faulty_remove_dir(struct pgofs_backend *b, const char *dir, struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_REMOVE_DIR, dir, pgofs_backend_remove_dir(f->next, dir, err));
}

static int faulty_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			 struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct faulty *f = faulty_of(b);
	FAULTY_CALL(f, FAULTY_RENAME, from, pgofs_backend_rename(f->next, from, to, flags, ret_stored, err));
}

static int faulty_usage(struct pgofs_backend *b, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	return pgofs_backend_usage(faulty_of(b)->next, ret_total_bytes, ret_free_bytes);
}

static int faulty_stats(struct pgofs_backend *b, struct pgofs_buf *append_to)
{
	return pgofs_backend_stats(faulty_of(b)->next, append_to);
}

static void faulty_destroy(struct pgofs_backend *b)
{
	struct faulty *f = faulty_of(b);
	pgofs_backend_free(f->next);
	pthread_cond_destroy(&f->gate_opened);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct pgofs_backend_ops faulty_ops = {
	.destroy = faulty_destroy,
	.probe = faulty_probe,
	.list = faulty_list,
	.get = faulty_get,
	.put = faulty_put,
	.remove = faulty_remove,
	.remove_many = faulty_remove_many,
	.remove_dir = faulty_remove_dir,
	.rename = faulty_rename,
	.usage = faulty_usage,
	.stats = faulty_stats,
};

struct pgofs_backend *faulty_new(struct pgofs_backend *next)
{
	struct faulty *f = calloc(1, sizeof *f);
	char *name = strdup(pgofs_backend_name(next));
	if (!f || !name) {
		free(f);
		free(name);
		pgofs_backend_free(next);
		return NULL;
	}
	f->backend = (struct pgofs_backend){ &faulty_ops, name };
	f->next = next;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->gate_opened, NULL);
	return &f->backend;
}

void faulty_rule(struct pgofs_backend *b, const struct faulty_rule *rule)
{
	struct faulty *f = faulty_of(b);
	PGOFS_LOCKED(&f->lock);
	if (f->n_rules == FAULTY_MAX_RULES)
		abort();
	f->n_matched[f->n_rules] = 0;
	f->rules[f->n_rules++] = *rule;
}

void faulty_mend(struct pgofs_backend *b)
{
	struct faulty *f = faulty_of(b);
	PGOFS_LOCKED(&f->lock);
	f->n_rules = 0;
}

void faulty_gate(struct pgofs_backend *b, bool shut)
{
	struct faulty *f = faulty_of(b);
	PGOFS_LOCKED(&f->lock);
	f->shut = shut;
	if (!shut)
		pthread_cond_broadcast(&f->gate_opened);
}

unsigned faulty_count(struct pgofs_backend *b, enum faulty_op op)
{
	struct faulty *f = faulty_of(b);
	PGOFS_LOCKED(&f->lock);
	return f->n_calls[op];
}

unsigned faulty_most_at_once(struct pgofs_backend *b, enum faulty_op op)
{
	struct faulty *f = faulty_of(b);
	PGOFS_LOCKED(&f->lock);
	return f->n_most[op];
}

void faulty_reset_counts(struct pgofs_backend *b)
{
	struct faulty *f = faulty_of(b);
	PGOFS_LOCKED(&f->lock);
	memset(f->n_calls, 0, sizeof f->n_calls);
	memcpy(f->n_most, f->n_now, sizeof f->n_most);
}
