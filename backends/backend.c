/* The one door to every storage.
 *
 * Callers' mistakes stop here, so that each storage may trust its arguments: a key is a key, a listing shows only names
 * that could be keys, an unknown option is refused, an empty slot does what backend-impl.h says. Words for a failure start
 * here with what was being done and to what; at debug level each call is one line in the log.
 *
 * What must stay true: nothing in this file knows one storage from another, but for the table of kinds. It holds no lock
 * and keeps no state but the tables of options. */
#include "cache.h"

#include <pgofs/backend-impl.h>
#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <string.h>

/* ---- Which storage ---- */

/* The first that matches is taken; `local` last, since almost anything can be a path. */
static const struct pgofs_backend_kind *const kinds[] = {
	&pgofs_backend_memory,
	&pgofs_backend_s3,
	&pgofs_backend_local,
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

/* What a SOURCE understands: its kind's rows and the cache's, in one table. Made once; lives as long as the process. */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static struct pgofs_option *tables[N_KINDS];

static const struct pgofs_option none[] = { { NULL } };

static const struct pgofs_option *cache_options(const struct pgofs_backend_kind *kind)
{
	return kind->is_far ? pgofs_cache_options_far : pgofs_cache_options_near;
}

static size_t count_rows(const struct pgofs_option *table)
{
	size_t n = 0;
	while (table[n].name)
		n++;
	return n;
}

static void make_tables(void)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct pgofs_option *own = kinds[i]->options ? kinds[i]->options : none;
		const struct pgofs_option *cache = cache_options(kinds[i]);
		size_t n_own = count_rows(own), n_cache = count_rows(cache);
		tables[i] = calloc(n_own + n_cache + 1, sizeof *tables[i]);
		if (!tables[i])
			continue;
		memcpy(tables[i], own, n_own * sizeof *own);
		memcpy(tables[i] + n_own, cache, n_cache * sizeof *cache);
	}
}

static const struct pgofs_backend_kind *kind_of(const char *source)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i]->matches(source))
			return kinds[i];
	return NULL;
}

const struct pgofs_option *pgofs_backend_options(const char *source)
{
	const struct pgofs_backend_kind *kind = kind_of(source);
	pthread_once(&tables_once, make_tables);
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i] == kind && tables[i])
			return tables[i];
	return none;
}

int pgofs_backend_parse_options(const struct pgofs_option *table, const char *const *options, void *into,
				struct pgofs_error *err)
{
	int r = pgofs_options_init(table, into, err);
	for (; r == 0 && options && *options; options++) {
		size_t len = strcspn(*options, "=");
		const struct pgofs_option *o = pgofs_options_find(table, *options, len);
		if (!o)
			r = pgofs_error_set(err, -EINVAL, "unknown option %.*s", (int)len, *options);
		else
			r = pgofs_option_set(o, into, (*options)[len] ? *options + len + 1 : NULL, err);
	}
	return r;
}

/* "name=value" strings, told apart: the cache's, and the kind's own. */
struct told_apart {
	const char **cache, **own; /* each NULL-terminated */
};

static void told_apart_done(struct told_apart *t)
{
	free(t->cache);
	free(t->own);
}

static int tell_apart(const char *const *options, struct told_apart *t)
{
	size_t n = 0, n_cache = 0, n_own = 0;
	while (options && options[n])
		n++;
	t->cache = calloc(n + 1, sizeof *t->cache);
	t->own = calloc(n + 1, sizeof *t->own);
	if (!t->cache || !t->own)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (pgofs_options_find(pgofs_cache_options_near, options[i], strcspn(options[i], "=")))
			t->cache[n_cache++] = options[i];
		else
			t->own[n_own++] = options[i];
	}
	return 0;
}

/* The storage itself, and a cache before it where one is wanted. */
static int open_kind(const struct pgofs_backend_kind *kind, const char *source, const struct told_apart *options,
		     const struct pgofs_cache_config *cache, struct pgofs_backend **ret, struct pgofs_error *err)
{
	struct pgofs_backend *b;
	int r = kind->open(source, options->own, &b, err);
	if (r == 0 && (cache->memory_bytes || cache->dir))
		r = pgofs_cache_new(b, cache, &b, err);
	if (r == 0)
		*ret = b;
	return r;
}

int pgofs_backend_open(const char *source, const char *const *options, struct pgofs_backend **ret,
		       struct pgofs_error *err)
{
	const struct pgofs_backend_kind *kind = kind_of(source);
	struct pgofs_cache_config cache = { 0 };
	_cleanup_(told_apart_done) struct told_apart apart = { NULL, NULL };
	if (!kind)
		return pgofs_error_set(err, -EINVAL, "\"%s\" is no storage: a directory or s3://BUCKET[/PREFIX]",
				       source);
	int r = tell_apart(options, &apart);
	if (r == 0)
		r = pgofs_backend_parse_options(cache_options(kind), apart.cache, &cache, err);
	if (r == 0)
		r = open_kind(kind, source, &apart, &cache, ret, err);
	pgofs_options_done(pgofs_cache_options_near, &cache);
	/* What stands before an '@' may be a password; it is refused, and not repeated. */
	return r < 0 ? pgofs_error_wrap(err, r, "open %s", strchr(source, '@') ? kind->name : source) : 0;
}

void pgofs_backend_free(struct pgofs_backend *b)
{
	if (!b)
		return;
	char *name = b->name, *place = b->place;
	b->ops->destroy(b);
	free(name);
	free(place);
}

const char *pgofs_backend_name(const struct pgofs_backend *b)
{
	return b->name;
}

/* ---- What every call has: a check before, a word after ---- */

static bool segment_valid(const char *s, size_t len)
{
	return len > 0 && !(len == 1 && s[0] == '.') && !(len == 2 && s[0] == '.' && s[1] == '.');
}

static bool key_valid(const char *key)
{
	size_t total = strnlen(key, PGOFS_KEY_MAX + 1);
	if (total > PGOFS_KEY_MAX)
		return false;
	for (const char *s = key;; s++) {
		size_t len = strcspn(s, "/");
		if (!segment_valid(s, len))
			return false;
		s += len;
		if (!*s)
			return true;
	}
}

static int check_key(const char *key, struct pgofs_error *err)
{
	if (key_valid(key))
		return 0;
	return pgofs_error_set(err, -EINVAL,
			       "\"%.64s\" is not a key: segments between single slashes, at most %d bytes", key,
			       PGOFS_KEY_MAX);
}

/* One call under way. */
struct call {
	struct pgofs_backend *b;
	const char *verb;
	const char *key; /* "" where the call is about the whole storage */
	int64_t began_ns;
	struct pgofs_error *err;
};

static struct call begin(struct pgofs_backend *b, const char *verb, const char *key, struct pgofs_error *err)
{
	/* Old words in it would be taken for the storage's. */
	if (err)
		err->text[0] = '\0';
	int64_t now_ns = pgofs_log_enabled(PGOFS_LOG_DEBUG) ? pgofs_monotonic_ns() : 0;
	return (struct call){ b, verb, key, now_ns, err };
}

/* A storage that stands in front of another has its name, and hears its words with the same beginning. */
static void say_what(const struct call *c, int r)
{
	char what[PGOFS_ERROR_TEXT_SIZE];
	int len = snprintf(what, sizeof what, "%s %s%s%s", c->verb, c->b->name, c->key[0] ? "/" : "", c->key);
	if (c->err && (len >= (int)sizeof what || strncmp(c->err->text, what, (size_t)len) != 0))
		pgofs_error_wrap(c->err, r, "%s", what);
}

static int end(const struct call *c, int r)
{
	if (pgofs_log_enabled(PGOFS_LOG_DEBUG))
		pgofs_log(PGOFS_LOG_DEBUG, "storage call", "verb", c->verb, "storage", c->b->name, "key",
			  c->key[0] ? c->key : NULL, "result", PGOFS_FMT("%d", r), "us",
			  PGOFS_FMT("%lld", (long long)((pgofs_monotonic_ns() - c->began_ns) / PGOFS_NS_PER_US)));
	if (r < 0)
		say_what(c, r);
	return r;
}

/* ---- The operations ---- */

int pgofs_backend_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	struct call c = begin(b, "reach", "", err);
	return end(&c, b->ops->probe(b, err));
}

struct shown {
	pgofs_entry_fn each;
	void *context;
	size_t room; /* for a name, under the listed directory */
	bool recursive;
};

static int show(void *context, const struct pgofs_entry *entry)
{
	struct shown *s = context;
	if (strlen(entry->name) > s->room || !key_valid(entry->name))
		return 0;
	if (!s->recursive && strchr(entry->name, '/'))
		return 0;
	return s->each(s->context, entry);
}

int pgofs_backend_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		       struct pgofs_error *err)
{
	struct call c = begin(b, "list", dir, err);
	int r = dir[0] ? check_key(dir, err) : 0;
	if (r == 0) {
		size_t taken = dir[0] ? strlen(dir) + 1 : 0;
		struct shown s = { each, context, taken < PGOFS_KEY_MAX ? PGOFS_KEY_MAX - taken : 0,
				   flags & PGOFS_LIST_RECURSIVE };
		r = b->ops->list(b, dir, flags, show, &s, err);
	}
	return end(&c, r);
}

int pgofs_backend_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		      struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct pgofs_stored ignored;
	struct call c = begin(b, "get", key, err);
	int r = check_key(key, err);
	if (r == 0)
		r = b->ops->get(b, key, version, max_bytes, ret, ret_stored ? ret_stored : &ignored, err);
	return end(&c, r);
}

int pgofs_backend_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		      struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct pgofs_stored ignored;
	struct call c = begin(b, "put", key, err);
	int r = check_key(key, err);
	if (r == 0)
		r = b->ops->put ? b->ops->put(b, key, data, len, flags, ret_stored ? ret_stored : &ignored, err)
				: -EROFS;
	return end(&c, r);
}

int pgofs_backend_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	struct call c = begin(b, "remove", key, err);
	int r = check_key(key, err);
	if (r == 0)
		r = b->ops->remove ? b->ops->remove(b, key, err) : -EROFS;
	return end(&c, r);
}

static int remove_one_by_one(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			     struct pgofs_error *err)
{
	bool failed = false;
	if (!b->ops->remove)
		return -EROFS;
	for (size_t i = 0; i < n; i++) {
		int r = b->ops->remove(b, keys[i], failed ? NULL : err);
		ret_results[i] = r == -ENOENT ? 0 : r;
		if (ret_results[i] < 0 && !failed) {
			failed = true;
			pgofs_error_wrap(err, r, "remove %s/%s", b->name, keys[i]);
		}
	}
	return 0;
}

int pgofs_backend_remove_many(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			      struct pgofs_error *err)
{
	struct call c = begin(b, "remove many", "", err);
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = check_key(keys[i], err);
	if (r == 0 && n > 0)
		r = b->ops->remove_many ? b->ops->remove_many(b, keys, n, ret_results, err)
					: remove_one_by_one(b, keys, n, ret_results, err);
	return end(&c, r);
}

int pgofs_backend_remove_dir(struct pgofs_backend *b, const char *dir, struct pgofs_error *err)
{
	struct call c = begin(b, "remove directory", dir, err);
	int r = check_key(dir, err);
	if (r == 0 && b->ops->remove_dir)
		r = b->ops->remove_dir(b, dir, err);
	return end(&c, r);
}

/* For a storage that cannot move: the copy is whole before the old name goes. */
static int move_by_copy(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct pgofs_stored was;
	if (!b->ops->put || !b->ops->remove)
		return -EROFS;
	int r = b->ops->get(b, from, NULL, PGOFS_CARRIED_MAX_BYTES, &bytes, &was, err);
	if (r == 0)
		r = b->ops->put(b, to, bytes->data, bytes->len, flags, ret_stored, err);
	if (r < 0)
		return r;
	r = b->ops->remove(b, from, err);
	return r == -ENOENT ? 0 : r;
}

int pgofs_backend_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			 struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct pgofs_stored ignored;
	struct call c = begin(b, "rename", from, err);
	int r = check_key(from, err);
	if (r == 0)
		r = check_key(to, err);
	if (r == 0 && !strcmp(from, to))
		r = pgofs_error_set(err, -EINVAL, "it has that name already");
	if (r == 0)
		r = (b->ops->rename ? b->ops->rename : move_by_copy)(b, from, to, flags,
								     ret_stored ? ret_stored : &ignored, err);
	return end(&c, r);
}

int pgofs_backend_usage(struct pgofs_backend *b, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	return b->ops->usage ? b->ops->usage(b, ret_total_bytes, ret_free_bytes) : -EOPNOTSUPP;
}

int pgofs_backend_stats(struct pgofs_backend *b, struct pgofs_buf *append_to)
{
	return b->ops->stats ? b->ops->stats(b, append_to) : 0;
}
