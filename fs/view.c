/* A merged file is asked for at every lookup of its name, by many builds at once, and must cost a merge only when its inputs
 * changed. So what is made is kept under the fingerprint of its inputs, and who asks while it is being made waits for that.
 *
 * What must stay true:
 *
 *   - A snapshot never changes, and is complete: a merge that could not fetch an input it should have is a failure, not a smaller merge.
 *   - The same selection and view give the same snapshot while it is kept, and equal bytes always.
 *   - What is kept is bounded in bytes; merges under way at the same time are few, so that their memory is bounded too.
 *   - That no input was usable, or that the merge is too large, is kept like a snapshot, or every lookup would fetch them all again. */
#include "view.h"

#include "flight.h"
#include "merging-parts.h"
#include "merging-standing.h"
#include "patience.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define N_BUCKETS  256
#define MAKING_MAX 2

/* Fewer inputs are merged at once. */
#define IN_PARTS_MIN 32

/* What is kept under a fingerprint: a snapshot, or that there can be none. */
struct kept {
	struct kept *next_in_bucket;
	struct kept *newer, *older; /* by use; none while it is being made */
	uint8_t key[PGOFS_FINGERPRINT_SIZE];
	struct pgofs_flight *flight;     /* being made */
	struct pgofs_snapshot *snapshot; /* NULL: `result` and `why` */
	int result;                      /* 0; -ENOENT no input is usable; -EFBIG */
	char why[256];
};

struct pgofs_views {
	struct pgofs_views_config config;
	pthread_mutex_t mutex;
	pthread_cond_t landed;
	unsigned n_making;
	struct pgofs_parts_kept *parts;
	struct pgofs_standings *standings;
	struct kept *buckets[N_BUCKETS];
	struct kept *newest, *oldest;
	struct pgofs_views_stats stats; /* but for what is in `stages` */
	struct pgofs_stages stages;
};

struct pgofs_snapshot *pgofs_snapshot_ref(struct pgofs_snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void pgofs_snapshot_unref(struct pgofs_snapshot *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	pgofs_bytes_unref(s->bytes);
	free(s);
}

static void unref_snapshot(void *snapshot)
{
	pgofs_snapshot_unref(snapshot);
}

int pgofs_views_new(const struct pgofs_views_config *config, struct pgofs_views **ret, struct pgofs_error *err)
{
	struct pgofs_views *v = calloc(1, sizeof *v);
	if (!v)
		return pgofs_error_errno(err, -ENOMEM, "views");
	pthread_condattr_t monotonic;
	v->config = *config;
	v->parts = pgofs_parts_kept_new(config->parts_bytes);
	v->standings = pgofs_standings_new(config->standings_bytes);
	if (!v->parts || !v->standings) {
		pgofs_parts_kept_free(v->parts);
		pgofs_standings_free(v->standings);
		free(v);
		return pgofs_error_errno(err, -ENOMEM, "views");
	}
	pthread_mutex_init(&v->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&v->landed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret = v;
	return 0;
}

/* ---- what is kept; the mutex is held ---- */

static struct kept **bucket_of(struct pgofs_views *v, const uint8_t *key)
{
	return &v->buckets[key[0] % N_BUCKETS];
}

static struct kept *find(struct pgofs_views *v, const uint8_t *key)
{
	struct kept *k = *bucket_of(v, key);
	while (k && memcmp(k->key, key, sizeof k->key) != 0)
		k = k->next_in_bucket;
	return k;
}

static void unlink_use(struct pgofs_views *v, struct kept *k)
{
	*(k->newer ? &k->newer->older : &v->newest) = k->older;
	*(k->older ? &k->older->newer : &v->oldest) = k->newer;
}

static void link_newest(struct pgofs_views *v, struct kept *k)
{
	k->newer = NULL;
	k->older = v->newest;
	*(v->newest ? &v->newest->newer : &v->oldest) = k;
	v->newest = k;
}

static uint64_t bytes_of(const struct kept *k)
{
	return sizeof *k + (k->snapshot ? sizeof *k->snapshot + k->snapshot->bytes->len : 0);
}

static struct kept *add(struct pgofs_views *v, const uint8_t *key, struct pgofs_flight *f)
{
	struct kept *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	memcpy(k->key, key, sizeof k->key);
	k->flight = f;
	struct kept **bucket = bucket_of(v, key);
	k->next_in_bucket = *bucket;
	*bucket = k;
	return k;
}

static void unlink_bucket(struct pgofs_views *v, struct kept *k)
{
	struct kept **at = bucket_of(v, k->key);
	while (*at != k)
		at = &(*at)->next_in_bucket;
	*at = k->next_in_bucket;
}

static void drop(struct pgofs_views *v, struct kept *k)
{
	v->stats.memory_bytes -= bytes_of(k);
	v->stats.n_kept--;
	unlink_use(v, k);
	unlink_bucket(v, k);
	pgofs_snapshot_unref(k->snapshot);
	free(k);
}

/* The newest stays, however large: a snapshot that alone is beyond the bound would be made for every read. */
static void keep(struct pgofs_views *v, struct kept *k)
{
	link_newest(v, k);
	v->stats.n_kept++;
	v->stats.memory_bytes += bytes_of(k);
	while (v->oldest != k && v->stats.memory_bytes > v->config.memory_bytes)
		drop(v, v->oldest);
}

void pgofs_views_free(struct pgofs_views *v)
{
	if (!v)
		return;
	while (v->newest)
		drop(v, v->newest);
	pgofs_parts_kept_free(v->parts);
	pgofs_standings_free(v->standings);
	pthread_cond_destroy(&v->landed);
	pthread_mutex_destroy(&v->mutex);
	free(v);
}

/* ---- making one; no lock is held ---- */

struct making {
	struct pgofs_views *v;
	const struct pgofs_selection *s;
	const struct pgofs_views_wanted *wanted;
	atomic_bool some_gone;
	uint64_t n_skipped, n_parts_made, n_parts_used, n_runs_made, n_runs_used;
	struct pgofs_error first_skipped;
	char path[PGOFS_PATH_SIZE], source[PGOFS_NAME_MAX + 1]; /* of the input being described */
};

static int fetch(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	struct making *m = context;
	const struct pgofs_input *input = &m->s->inputs[i];
	char path[PGOFS_PATH_SIZE];
	int r = pgofs_backend_get(m->v->config.backend, pgofs_input_path(path, input), input->item->version,
				  m->v->config.stored_max_bytes, ret, NULL, err);
	if (r == -EFBIG)
		return pgofs_error_set(err, r, "larger than the %zu bytes a stored profile may have (max-profile)",
				       m->v->config.stored_max_bytes);
	if (r != -ENOENT && r != -ESTALE)
		return r;
	if (!m->wanted->without_gone)
		return pgofs_error_wrap(err, -ESTALE, "%s changed while it was being merged", path);
	m->some_gone = true;
	return pgofs_error_set(err, -ENODATA, "removed or replaced while it was being merged");
}

static uint64_t size_of(void *context, size_t i)
{
	return ((struct making *)context)->s->inputs[i].item->size_bytes;
}

static void describe(void *context, size_t i, struct pgofs_merge_input *ret)
{
	struct making *m = context;
	const struct pgofs_input *input = &m->s->inputs[i];
	size_t len;
	const char *source = pgofs_source_of(input->item->name, &len);
	memcpy(m->source, source, len);
	m->source[len] = '\0';
	*ret = (struct pgofs_merge_input){ .path = pgofs_input_path(m->path, input),
					   .source = len ? m->source : NULL,
					   .taken_ns = input->taken_ns,
					   .stored_bytes = input->item->size_bytes };
}

static int skipped(void *context, size_t i, const char *why, struct pgofs_error *err)
{
	struct making *m = context;
	char path[PGOFS_PATH_SIZE];
	pgofs_input_path(path, &m->s->inputs[i]);
	pgofs_log(PGOFS_LOG_DEBUG, "profile skipped in a merge", "path", path, "why", why);
	if (m->n_skipped++ == 0)
		pgofs_error_set(&m->first_skipped, 0, "%s: %s", path, why);
	return 0;
}

/* What is the same for all parts and runs of this process goes into their fingerprints: the limits decide which inputs are left out. The number
 * is to be raised when the same inputs make another part: stored ones outlive the program. */
#define SALT_SIZE 128

static size_t make_salt(const struct pgofs_views_config *c, char ret[static SALT_SIZE])
{
	return (size_t)snprintf(ret, SALT_SIZE, "pgofs parts 1 %zu %zu", c->stored_max_bytes, c->raw_max_bytes) + 1;
}

static int merge_in_parts(struct making *m, const struct pgofs_merging *merging, struct pgofs_bytes **ret,
			  struct pgofs_error *err)
{
	_cleanup_(pgofs_parts_freep) struct pgofs_parts *parts = NULL;
	const struct pgofs_views_config *c = &m->v->config;
	char salt[SALT_SIZE];
	int r = pgofs_parts_new(m->s->inputs, m->s->n, salt, make_salt(c, salt), &parts, err);
	if (r < 0)
		return r;
	struct pgofs_merging_parts x = { .merging = merging,
					 .selection = m->s,
					 .parts = parts,
					 .kept = m->v->parts,
					 .rollups = c->rollups,
					 .now_ns = c->now_ns() };
	r = pgofs_merging_parts_run(&x, ret, err);
	m->n_parts_made = x.n_made;
	m->n_parts_used = x.n_used;
	return r;
}

/* Where another thread has the standing merge, this one does without. */
static int merge_standing(struct making *m, const struct pgofs_merging *merging, struct pgofs_bytes **ret,
			  struct pgofs_error *err)
{
	char salt[SALT_SIZE];
	struct pgofs_merging_standing x = { .merging = merging,
					    .selection = m->s,
					    .kept = pgofs_standings_take(m->v->standings, m->wanted->standing),
					    .salt = salt,
					    .salt_len = make_salt(&m->v->config, salt),
					    .max_bytes = m->v->config.standings_bytes };
	if (!x.kept)
		return -EDOM;
	int r = pgofs_merging_standing_run(&x, ret, err);
	pgofs_standings_give(m->v->standings, x.kept);
	m->n_runs_made = x.n_made;
	m->n_runs_used = x.n_used;
	return r;
}

static int merge_all(struct making *m, const struct pgofs_merging *merging, struct pgofs_bytes **ret,
		     struct pgofs_error *err)
{
	int r = -EDOM;
	bool may = m->s->n >= IN_PARTS_MIN && !m->wanted->without_gone;
	if (may && merging->view == PGOFS_VIEW_PGO)
		r = merge_in_parts(m, merging, ret, err);
	else if (may && merging->view == PGOFS_VIEW_PPROF && m->wanted->standing && m->v->config.standings_bytes)
		r = merge_standing(m, merging, ret, err);
	/* No parts; too large, which at once it might not be; nothing usable, which words are wanted for. */
	if (r != -EDOM && r != -EFBIG && r != -ENODATA)
		return r;
	m->n_skipped = 0;
	return pgofs_merging_run(merging, ret, err);
}

static int merge(struct making *m, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	const struct pgofs_views_config *c = &m->v->config;
	const struct pgofs_merging merging = {
		.view = m->wanted->view,
		.n = m->s->n,
		.context = m,
		.fetch = fetch,
		.size_of = size_of,
		.describe = describe,
		.skipped = skipped,
		.progress = c->progress,
		.progress_context = c->progress_context,
		.n_fetch = c->n_fetch,
		.raw_max_bytes = c->raw_max_bytes,
		.memory_bytes = c->gather_bytes,
		.patience = m->wanted->patience,
		.stages = &m->v->stages,
	};
	int r = merge_all(m, &merging, ret, err);
	if (m->n_skipped)
		pgofs_log(PGOFS_LOG_WARNING, "profiles skipped in a merge", "n", PGOFS_FMT("%" PRIu64, m->n_skipped),
			  "of", PGOFS_FMT("%zu", m->s->n), "first", m->first_skipped.text);
	if (r == -ENODATA && m->n_skipped == m->s->n)
		pgofs_error_set(err, r, "none of the %zu profiles in it can be used; the first: %s", m->s->n,
				m->first_skipped.text);
	return r == -ENODATA ? -ENOENT : r;
}

/* A key for a selection seen through a view. What left inputs out is nobody else's, so its key is made unlike any. */
static int make_key(const struct pgofs_selection *s, enum pgofs_view view, const void *salt, size_t salt_len,
		    uint8_t ret[static PGOFS_FINGERPRINT_SIZE])
{
	uint8_t text[PGOFS_FINGERPRINT_SIZE + 1 + sizeof(void *)];
	memcpy(text, s->fingerprint, PGOFS_FINGERPRINT_SIZE);
	text[PGOFS_FINGERPRINT_SIZE] = (uint8_t)view;
	if (salt_len)
		memcpy(text + PGOFS_FINGERPRINT_SIZE + 1, salt, salt_len);
	size_t len = PGOFS_FINGERPRINT_SIZE + 1 + salt_len;
	return EVP_Digest(text, len, ret, NULL, EVP_sha256(), NULL) ? 0 : -ENOMEM;
}

static int make(struct making *m, struct pgofs_snapshot **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *snapshot = calloc(1, sizeof *snapshot);
	if (!snapshot)
		return pgofs_error_errno(err, -ENOMEM, "merge");
	atomic_init(&snapshot->refs, 1);
	snapshot->mtime_ns = m->s->newest_mtime_ns;
	int r = merge(m, &snapshot->bytes, err);
	if (r < 0)
		return r;
	r = make_key(m->s, m->wanted->view, &snapshot, m->some_gone ? sizeof snapshot : 0, snapshot->fingerprint);
	if (r < 0)
		return pgofs_error_errno(err, r, "merge");
	*ret = STEAL(snapshot);
	return 0;
}

/* ---- for all who want it; the mutex is held before and after ---- */

/* Until fewer than MAKING_MAX are under way. Who ends one wakes all others, so those who are to end as well hear of it. */
static int await_turn(struct pgofs_views *v, const struct pgofs_patience *p, struct pgofs_error *err)
{
	int r;
	while ((r = pgofs_patience_left(p, err)) == 0 && v->n_making >= MAKING_MAX) {
		if (p && p->until_ns)
			pthread_cond_timedwait(&v->landed, &v->mutex,
					       &(struct timespec){ .tv_sec = p->until_ns / PGOFS_NS_PER_S,
								   .tv_nsec = p->until_ns % PGOFS_NS_PER_S });
		else
			pthread_cond_wait(&v->landed, &v->mutex);
	}
	return r < 0 ? pgofs_error_wrap(err, r, "wait for other merges") : 0;
}

static void count(struct pgofs_views *v, const struct making *m, int64_t took_ns)
{
	v->stats.n_made++;
	v->stats.made_ns += (uint64_t)took_ns;
	v->stats.n_inputs += m->s->n;
	v->stats.n_skipped += m->n_skipped;
	v->stats.n_parts_made += m->n_parts_made;
	v->stats.n_parts_used += m->n_parts_used;
	v->stats.n_runs_made += m->n_runs_made;
	v->stats.n_runs_used += m->n_runs_used;
}

/* The mutex is free while it is being made. */
static int make_in_turn(struct pgofs_views *v, struct making *m, struct pgofs_snapshot **ret, struct pgofs_error *err)
{
	int r = await_turn(v, m->wanted->patience, err);
	if (r < 0)
		return r;
	v->n_making++;
	pthread_mutex_unlock(&v->mutex);
	int64_t began_ns = pgofs_monotonic_ns();
	r = make(m, ret, err);
	int64_t took_ns = pgofs_monotonic_ns() - began_ns;
	pthread_mutex_lock(&v->mutex);
	v->n_making--;
	count(v, m, took_ns);
	return r;
}

static int make_for_all(struct pgofs_views *v, struct kept *k, struct making *m, struct pgofs_snapshot **ret,
			struct pgofs_error *err)
{
	struct pgofs_snapshot *snapshot = NULL;
	struct pgofs_error words = { "" };
	int r = make_in_turn(v, m, &snapshot, &words);
	struct pgofs_flight *f = STEAL(k->flight);
	if (m->some_gone || (r < 0 && r != -ENOENT && r != -EFBIG)) {
		unlink_bucket(v, k);
		free(k);
	} else {
		k->snapshot = snapshot ? pgofs_snapshot_ref(snapshot) : NULL;
		k->result = r;
		snprintf(k->why, sizeof k->why, "%s", words.text);
		keep(v, k);
	}
	if (r == 0)
		*ret = pgofs_snapshot_ref(snapshot);
	else if (err)
		*err = words;
	pgofs_flight_land(f, r, &words, snapshot, &v->landed);
	pgofs_flight_unref(f);
	return r;
}

static int join(struct pgofs_views *v, struct kept *k, struct pgofs_snapshot **ret, struct pgofs_error *err)
{
	struct pgofs_flight *f = pgofs_flight_ref(k->flight);
	v->stats.n_joined++;
	int r = pgofs_flight_wait(f, &v->mutex, &v->landed, err);
	if (r == 0)
		*ret = pgofs_snapshot_ref(f->value);
	pgofs_flight_unref(f);
	return r;
}

static int take_kept(struct pgofs_views *v, struct kept *k, struct pgofs_snapshot **ret, struct pgofs_error *err)
{
	v->stats.n_kept_hits++;
	unlink_use(v, k);
	link_newest(v, k);
	if (k->result < 0)
		return pgofs_error_set(err, k->result, "%s", k->why);
	*ret = pgofs_snapshot_ref(k->snapshot);
	return 0;
}

int pgofs_views_get(struct pgofs_views *v, const struct pgofs_views_wanted *wanted, struct pgofs_snapshot **ret,
		    struct pgofs_error *err)
{
	uint8_t key[PGOFS_FINGERPRINT_SIZE];
	int r = make_key(wanted->selection, wanted->view, NULL, 0, key);
	if (r < 0)
		return pgofs_error_errno(err, r, "merge");

	PGOFS_LOCKED(&v->mutex);
	struct kept *k = find(v, key);
	if (k)
		return k->flight ? join(v, k, ret, err) : take_kept(v, k, ret, err);
	struct pgofs_flight *f = pgofs_flight_new(unref_snapshot);
	k = f ? add(v, key, f) : NULL;
	if (!k) {
		pgofs_flight_unref(f);
		return pgofs_error_errno(err, -ENOMEM, "merge");
	}
	struct making m = { .v = v, .s = wanted->selection, .wanted = wanted };
	return make_for_all(v, k, &m, ret, err);
}

bool pgofs_views_known_unusable(struct pgofs_views *v, const struct pgofs_selection *s, enum pgofs_view view)
{
	uint8_t key[PGOFS_FINGERPRINT_SIZE];
	if (make_key(s, view, NULL, 0, key) < 0)
		return false;
	PGOFS_LOCKED(&v->mutex);
	const struct kept *k = find(v, key);
	return k && !k->flight && k->result == -ENOENT;
}

void pgofs_views_stats(struct pgofs_views *v, struct pgofs_views_stats *ret)
{
	uint64_t parts_bytes = pgofs_parts_kept_bytes(v->parts), standings_bytes = pgofs_standings_bytes(v->standings);
	PGOFS_LOCKED(&v->mutex);
	*ret = v->stats;
	ret->parts_bytes = parts_bytes;
	ret->standings_bytes = standings_bytes;
	ret->fetched_bytes = atomic_load(&v->stages.fetched_bytes);
	for (int i = 0; i < PGOFS_N_STAGES; i++)
		ret->stage_ns[i] = atomic_load(&v->stages.ns[i]);
}
