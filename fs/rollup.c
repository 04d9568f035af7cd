/* A machine that has merged nothing yet reads what others merged.
 *
 * Two mounts that store the same rollup store equal bytes under one key. One that stored another fingerprint saw other inputs: the next to
 * make that hour sweeps it, and a listing some seconds old can at worst sweep a rollup that will be made again.
 *
 * What must stay true: bytes from storage are trusted for nothing. A part is decoded whole before it is used, so half of one, or anything
 * else under its key, is no part; it is made again and stored over it. */
#include "rollup.h"

#include "parallel.h"
#include "path.h"

#include <pgofs/log.h>
#include <pgofs/pprof.h>
#include <pgofs/units.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACE         ".pgofs/rollup/"
#define MINUTES_MAGIC "pgofs-minutes\1"
#define MAGIC_BYTES   (sizeof MINUTES_MAGIC - 1)
#define INDEX_BYTES   (MAGIC_BYTES + 60 * 4)
#define LEVEL         6
#define QUEUE_BYTES   (4 * PGOFS_MIB)
#define REFUSED_NS    (10 * PGOFS_NS_PER_MIN)
#define HEX_SIZE      (2 * 16 + 1) /* half a fingerprint is more than enough to tell */
#define MERGE_FACTOR  16           /* a merge of short names is a dozen times as large as its part */
#define KEY_SIZE      (PGOFS_PATH_SIZE + 128)

struct pgofs_rollups {
	struct pgofs_rollups_config config;
	_Atomic int64_t refused_until_ns; /* of the monotonic clock */
	atomic_uint_fast64_t n_used, n_absent, n_stored;
};

struct pgofs_rollups *pgofs_rollups_new(const struct pgofs_rollups_config *config)
{
	struct pgofs_rollups *r = calloc(1, sizeof *r);
	if (r)
		r->config = *config;
	return r;
}

void pgofs_rollups_free(struct pgofs_rollups *r)
{
	free(r);
}

void pgofs_rollups_stats(const struct pgofs_rollups *r, struct pgofs_rollups_stats *ret)
{
	*ret = (struct pgofs_rollups_stats){ r->n_used, r->n_absent, r->n_stored };
}

bool pgofs_rollups_may_store(const struct pgofs_rollups *r)
{
	return r->config.writable && (!r->refused_until_ns || pgofs_monotonic_ns() >= r->refused_until_ns);
}

/* ---- names ---- */

/* "07-" or "day-", and the fingerprint. */
static void name_of(char name[static 64], int of, const uint8_t *fingerprint)
{
	char hex[HEX_SIZE];
	for (size_t i = 0; i < HEX_SIZE / 2; i++)
		snprintf(hex + 2 * i, 3, "%02x", fingerprint[i]);
	if (of == PGOFS_ROLLUP_DAY)
		snprintf(name, 64, "day-%s", hex);
	else
		snprintf(name, 64, "%02d-%s", of, hex);
}

static const char *key_of(char key[static KEY_SIZE], const struct pgofs_rollup *which, const char *suffix)
{
	char name[64];
	name_of(name, which->of, which->fingerprint);
	snprintf(key, KEY_SIZE, PLACE "%s/%s%s", which->dir, name, suffix);
	return key;
}

/* Which of a directory's rollups has this name; -1 none. */
static int of_name(const char *name)
{
	if (!strncmp(name, "day-", 4))
		return PGOFS_ROLLUP_DAY;
	if (name[0] < '0' || name[0] > '2' || name[1] < '0' || name[1] > '9' || name[2] != '-')
		return -1;
	int hour = (name[0] - '0') * 10 + name[1] - '0';
	return hour < 24 ? hour : -1;
}

/* ---- getting ---- */

/* A part in gzip, added to a merge of parts: it is checked on the way. */
static int add_gzip(struct pgofs_merge *m, const uint8_t *gzip, size_t len, size_t max_bytes, struct pgofs_buf *raw)
{
	raw->len = 0;
	raw->max = max_bytes;
	int r = pgofs_pprof_inflate(gzip, len, raw, NULL);
	if (r == 0)
		r = pgofs_merge_add_part(m, raw->data, raw->len, NULL);
	return r == 0 && pgofs_merge_memory_bytes(m) / MERGE_FACTOR > max_bytes ? -EFBIG : r;
}

static int fetch(struct pgofs_rollups *r, const char *key, struct pgofs_bytes **ret)
{
	struct pgofs_error err = { "" };
	int result = pgofs_backend_get(r->config.backend, key, NULL, r->config.max_bytes, ret, NULL, &err);
	if (result < 0 && result != -ENOENT)
		pgofs_log(PGOFS_LOG_DEBUG, "rollup not read", "key", key, "why", err.text);
	if (result < 0)
		r->n_absent++;
	return result;
}

static int unusable(struct pgofs_rollups *r, const char *key)
{
	r->n_absent++;
	pgofs_log(PGOFS_LOG_INFO, "rollup is broken, and is made again", "key", key);
	return -ENOENT;
}

int pgofs_rollups_get(struct pgofs_rollups *r, const struct pgofs_rollup *which, struct pgofs_bytes **ret)
{
	char key[KEY_SIZE];
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *stored = NULL;
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = { 0 };
	if (fetch(r, key_of(key, which, ".edges"), &stored) < 0 || pgofs_merge_new(PGOFS_VIEW_PGO, &m, NULL) < 0)
		return -ENOENT;
	if (add_gzip(m, stored->data, stored->len, r->config.max_bytes, &raw) < 0)
		return unusable(r, key);
	*ret = pgofs_bytes_consume_buf(&raw);
	r->n_used += *ret != NULL;
	return *ret ? 0 : -ENOENT;
}

static size_t get_u32(const uint8_t *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

static int merge_minutes(const struct pgofs_rollups *r, const struct pgofs_bytes *b, unsigned first, unsigned end,
			 struct pgofs_buf *out)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = { 0 };
	size_t at = INDEX_BYTES;
	int result = pgofs_merge_new(PGOFS_VIEW_PGO, &m, NULL);
	if (b->len < INDEX_BYTES || memcmp(b->data, MINUTES_MAGIC, MAGIC_BYTES) != 0)
		return -EINVAL;
	for (unsigned minute = 0; result == 0 && minute < end; minute++) {
		size_t len = get_u32(b->data + MAGIC_BYTES + (size_t)4 * minute);
		if (len > b->len - at)
			return -EINVAL;
		if (len && minute >= first)
			result = add_gzip(m, b->data + at, len, r->config.max_bytes, &raw);
		at += len;
	}
	return result < 0 ? result : pgofs_merge_encode_part(m, out, NULL);
}

int pgofs_rollups_get_minutes(struct pgofs_rollups *r, const struct pgofs_rollup *which, unsigned first, unsigned end,
			      struct pgofs_bytes **ret)
{
	char key[KEY_SIZE];
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *stored = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf part = PGOFS_BUF(r->config.max_bytes);
	if (fetch(r, key_of(key, which, ".minutes"), &stored) < 0)
		return -ENOENT;
	if (merge_minutes(r, stored, first, end, &part) < 0)
		return unusable(r, key);
	*ret = pgofs_bytes_consume_buf(&part);
	r->n_used += *ret != NULL;
	return *ret ? 0 : -ENOENT;
}

/* ---- storing ---- */

struct pgofs_rollup_object {
	char *key;
	struct pgofs_buf bytes;
};

void pgofs_rollup_minutes_add(struct pgofs_rollup_minutes *m, unsigned minute, const struct pgofs_bytes *part)
{
	size_t before = m->gzip.len;
	m->gzip.max = UINT32_MAX;
	if (m->result == 0)
		m->result = pgofs_pprof_deflate(part->data, part->len, LEVEL, &m->gzip, NULL);
	m->bytes[minute] += (uint32_t)(m->gzip.len - before);
}

void pgofs_rollup_minutes_done(struct pgofs_rollup_minutes *m)
{
	pgofs_buf_done(&m->gzip);
	*m = (struct pgofs_rollup_minutes){ 0 };
}

static int encode_minutes(const struct pgofs_rollup_minutes *m, struct pgofs_buf *out)
{
	int r = m->result < 0 ? m->result : pgofs_buf_append(out, MINUTES_MAGIC, MAGIC_BYTES);
	for (size_t i = 0; r == 0 && i < 60; i++) {
		uint32_t n = m->bytes[i];
		const uint8_t bytes[4] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24) };
		r = pgofs_buf_append(out, bytes, sizeof bytes);
	}
	return r < 0 ? r : pgofs_buf_append(out, m->gzip.data, m->gzip.len);
}

static int enqueue(struct pgofs_rollups_queue *q, const char *key, struct pgofs_buf *bytes)
{
	if (q->n == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 16;
		struct pgofs_rollup_object *objects = reallocarray(q->objects, cap, sizeof *objects);
		if (!objects)
			return -ENOMEM;
		q->objects = objects;
		q->cap = cap;
	}
	char *copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	q->bytes += bytes->len;
	q->objects[q->n++] = (struct pgofs_rollup_object){ copy, *bytes };
	*bytes = (struct pgofs_buf){ 0 };
	return 0;
}

void pgofs_rollups_put(struct pgofs_rollups_queue *q, const struct pgofs_rollup *which, const struct pgofs_bytes *part,
		       const struct pgofs_rollup_minutes *minutes)
{
	char key[KEY_SIZE];
	size_t max = q->rollups->config.max_bytes;
	_cleanup_(pgofs_buf_done) struct pgofs_buf edges = PGOFS_BUF(max), index = PGOFS_BUF(max);
	if (part->len > max)
		return;
	int r = minutes ? encode_minutes(minutes, &index) : 0;
	if (r == 0 && minutes)
		r = enqueue(q, key_of(key, which, ".minutes"), &index);
	if (r == 0)
		r = pgofs_pprof_deflate(part->data, part->len, LEVEL, &edges, NULL);
	if (r == 0)
		enqueue(q, key_of(key, which, ".edges"), &edges);
	if (q->bytes > QUEUE_BYTES)
		pgofs_rollups_flush(q);
}

/* Said once, and then not tried for a while: a mount that may not write is no reason to fill a log. */
static void refused(struct pgofs_rollups *r, const char *what, const char *key, const char *why)
{
	int64_t was = atomic_exchange(&r->refused_until_ns, pgofs_monotonic_ns() + REFUSED_NS);
	if (!was)
		pgofs_log(PGOFS_LOG_INFO, what, "key", key, "why", why);
}

static int put_one(void *context, size_t i, struct pgofs_error *unused)
{
	struct pgofs_rollups_queue *q = context;
	struct pgofs_rollups *r = q->rollups;
	const struct pgofs_rollup_object *o = &q->objects[i];
	struct pgofs_error err = { "" };
	if (!pgofs_rollups_may_store(r))
		return 0;
	if (pgofs_backend_put(r->config.backend, o->key, o->bytes.data, o->bytes.len, 0, NULL, &err) < 0)
		refused(r, "rollup not stored", o->key, err.text);
	else
		r->n_stored++;
	return 0;
}

void pgofs_rollups_flush(struct pgofs_rollups_queue *q)
{
	if (q->n)
		pgofs_parallel(q->n, q->rollups->config.n_parallel, q->patience, put_one, q, NULL);
	while (q->n) {
		q->n--;
		pgofs_buf_done(&q->objects[q->n].bytes);
		free(q->objects[q->n].key);
	}
	q->bytes = 0;
}

void pgofs_rollups_queue_done(struct pgofs_rollups_queue *q)
{
	while (q->n) {
		q->n--;
		pgofs_buf_done(&q->objects[q->n].bytes);
		free(q->objects[q->n].key);
	}
	free(q->objects);
	*q = (struct pgofs_rollups_queue){ 0 };
}

/* ---- sweeping ---- */

#define SWEPT_MAX 1000

struct sweep {
	const struct pgofs_rollups_of_day *day;
	char *keys[SWEPT_MAX];
	size_t n;
};

static bool is_stale(const struct pgofs_rollups_of_day *day, const char *name)
{
	char ours[64];
	int of = of_name(name);
	if (of < 0 || !day->known[of])
		return false;
	if (!day->fingerprint[of])
		return true;
	name_of(ours, of, day->fingerprint[of]);
	size_t len = strlen(ours);
	return strncmp(name, ours, len) != 0 || name[len] != '.';
}

static int note_stale(void *context, const struct pgofs_entry *entry)
{
	struct sweep *s = context;
	if (entry->is_dir || s->n == SWEPT_MAX || !is_stale(s->day, entry->name))
		return 0;
	if (asprintf(&s->keys[s->n], PLACE "%s/%s", s->day->dir, entry->name) < 0)
		return -ENOMEM;
	s->n++;
	return 0;
}

int pgofs_rollups_sweep(struct pgofs_rollups *r, const struct pgofs_rollups_of_day *day)
{
	char dir[KEY_SIZE];
	struct pgofs_error err = { "" };
	_cleanup_(pgofs_freep) struct sweep *s = calloc(1, sizeof *s);
	_cleanup_(pgofs_freep) int *results = calloc(SWEPT_MAX, sizeof *results);
	if (!pgofs_rollups_may_store(r))
		return 0;
	if (!s || !results)
		return -ENOMEM;
	s->day = day;
	snprintf(dir, sizeof dir, PLACE "%s", day->dir);
	int result = pgofs_backend_list(r->config.backend, dir, 0, note_stale, s, &err);
	if (s->n)
		result = pgofs_backend_remove_many(r->config.backend, (const char *const *)s->keys, s->n, results, &err);
	if (result < 0)
		refused(r, "rollups not swept", dir, err.text);
	while (s->n)
		free(s->keys[--s->n]);
	return result;
}

void pgofs_rollups_forget(struct pgofs_rollups *r, const char *dir)
{
	struct pgofs_rollups_of_day none = { .dir = dir };
	for (int i = 0; i < PGOFS_ROLLUPS; i++)
		none.known[i] = true;
	if (r)
		pgofs_rollups_sweep(r, &none);
}
