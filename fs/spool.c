/* Files being written here.
 *
 * Programs write files in pieces, in any order, through several descriptors, and expect close() to tell them what became of it. Storage takes
 * profiles whole. Between the two stands this: bytes in memory, and a few words about what is to become of them.
 *
 * What must stay true:
 * - Bytes that storage took are the bytes that were there when it was asked: nothing changes a file while it is `storing`.
 * - A file refused keeps its bytes while it is open, so that a second close() of a duplicated descriptor fails too; its name goes at the first.
 * - The sum of all capacities never passes the bound. */
#include "spool.h"

#include <pgofs/name.h>
#include <pgofs/units.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS        256
#define RESERVED_NS    (5 * PGOFS_NS_PER_S)
#define RESERVED_MAX   256
#define CAPACITY_FIRST 4096

struct pgofs_spooled {
	struct pgofs_spool *spool;
	LIST_ENTRY(pgofs_spooled) by_path; /* all that live */
	unsigned n_refs;
	char *path;
	uint8_t *data;
	size_t len, cap;
	int64_t mtime_ns;
	unsigned n_open;
	unsigned put_flags;
	bool stores;  /* the path is a profile's */
	bool visible; /* the path leads to it; holds one reference */
	bool dirty;   /* changed since it was stored */
	bool refused; /* and since storage refused it, not */
	bool settled; /* nor since a writer closed it */
	bool unlinked;
	bool storing;
	bool outgrew; /* a bound, and said so */
	bool
	    over; /* closed, and nothing leads to it any more; the kernel may remember it for long, so it holds no bytes */
};

struct reservation {
	struct pgofs_spooled *file; /* owned */
	pid_t caller;
	int64_t until_ns;
};

LIST_HEAD(files, pgofs_spooled);

struct pgofs_spool {
	pthread_mutex_t lock;
	pthread_cond_t stored;
	struct pgofs_spool_config config;
	struct files by_path[BUCKETS];
	struct reservation reserved[RESERVED_MAX];
	uint64_t total_bytes;
	atomic_size_t n_files;
};

static struct files *bucket(struct pgofs_spool *s, const char *path)
{
	unsigned h = 5381;
	for (; *path; path++)
		h = h * 33 + (uint8_t)*path;
	return &s->by_path[h % BUCKETS];
}

/* Gives back what is not needed for `len` bytes. */
static void trim(struct pgofs_spooled *f, size_t len)
{
	uint8_t *data = len ? realloc(f->data, len) : NULL;
	if (len && !data)
		return;
	if (!len)
		free(f->data);
	f->spool->total_bytes -= f->cap - len;
	f->data = data;
	f->cap = len;
}

static void end(struct pgofs_spooled *f)
{
	if (f->over)
		return;
	f->over = true;
	f->spool->n_files--;
	trim(f, 0);
}

static void unref(struct pgofs_spooled *f)
{
	if (!f || --f->n_refs)
		return;
	end(f);
	LIST_REMOVE(f, by_path);
	free(f->path);
	free(f);
}

struct pgofs_spooled *pgofs_spooled_ref(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	f->n_refs++;
	return f;
}

void pgofs_spooled_unref(struct pgofs_spooled *f)
{
	if (!f)
		return;
	PGOFS_LOCKED(&f->spool->lock);
	unref(f);
}

static void hide(struct pgofs_spooled *f)
{
	if (!f->visible)
		return;
	f->visible = false;
	unref(f);
}

static struct pgofs_spooled *find_visible(struct pgofs_spool *s, const char *path)
{
	struct pgofs_spooled *f;
	LIST_FOREACH(f, bucket(s, path), by_path)
	if (f->visible && !strcmp(f->path, path))
		return f;
	return NULL;
}

/* With one reference, invisible. */
static int new_file(struct pgofs_spool *s, const char *path, struct pgofs_spooled **ret, struct pgofs_error *err)
{
	if (s->n_files >= s->config.n_files_max)
		return pgofs_error_set(err, -ENOSPC, "%zu files are being written, and no more may be",
				       s->config.n_files_max);
	struct pgofs_spooled *f = calloc(1, sizeof *f);
	char *copy = strdup(path);
	if (!f || !copy) {
		free(f);
		free(copy);
		return -ENOMEM;
	}
	*f = (struct pgofs_spooled){ .spool = s, .path = copy, .n_refs = 1, .mtime_ns = pgofs_now_ns() };
	s->n_files++;
	LIST_INSERT_HEAD(bucket(s, path), f, by_path);
	*ret = f;
	return 0;
}

/* The kernel tells of the last close some time after close() has returned; a writer that closed it is done before. */
static bool being_written(const struct pgofs_spooled *f)
{
	return f->n_open && !f->settled;
}

int pgofs_spool_create(struct pgofs_spool *s, const char *path, bool stores, struct pgofs_spooled **ret,
		       struct pgofs_error *err)
{
	PGOFS_LOCKED(&s->lock);
	if (find_visible(s, path))
		return -EEXIST;
	struct pgofs_spooled *f = NULL;
	int r = new_file(s, path, &f, err);
	if (r < 0)
		return r;
	f->stores = stores;
	f->put_flags = PGOFS_PUT_NEW;
	f->visible = true;
	f->n_refs++;
	f->n_open = 1;
	*ret = f;
	return 0;
}

struct pgofs_spooled *pgofs_spool_find(struct pgofs_spool *s, const char *path)
{
	PGOFS_LOCKED(&s->lock);
	struct pgofs_spooled *f = find_visible(s, path);
	if (f)
		f->n_refs++;
	return f;
}

bool pgofs_spool_is_empty(struct pgofs_spool *s)
{
	return !atomic_load(&s->n_files);
}

bool pgofs_spool_is_replacing(struct pgofs_spool *s, const char *path)
{
	PGOFS_LOCKED(&s->lock);
	struct pgofs_spooled *f;
	LIST_FOREACH(f, bucket(s, path), by_path)
	if (f->stores && !f->over && !strcmp(f->path, path))
		return true;
	return false;
}

static void expire_reservations(struct pgofs_spool *s)
{
	int64_t now = pgofs_monotonic_ns();
	for (size_t k = 0; k < RESERVED_MAX; k++)
		if (s->reserved[k].file && s->reserved[k].until_ns < now)
			unref(STEAL(s->reserved[k].file));
}

static struct reservation *find_reservation(struct pgofs_spool *s, const char *path, pid_t caller)
{
	for (struct reservation *k = s->reserved; k < s->reserved + RESERVED_MAX; k++)
		if (path ? k->file && k->caller == caller && !strcmp(k->file->path, path) : !k->file)
			return k;
	return NULL;
}

int pgofs_spool_reserve(struct pgofs_spool *s, const char *path, pid_t caller, struct pgofs_error *err)
{
	PGOFS_LOCKED(&s->lock);
	expire_reservations(s);
	if (find_reservation(s, path, caller))
		return 0;
	struct reservation *k = find_reservation(s, NULL, 0);
	if (!k)
		return -EBUSY;
	int r = new_file(s, path, &k->file, err);
	if (r < 0)
		return r;
	k->file->stores = true;
	k->caller = caller;
	k->until_ns = pgofs_monotonic_ns() + RESERVED_NS;
	return 0;
}

struct pgofs_spooled *pgofs_spool_find_reserved(struct pgofs_spool *s, const char *path, pid_t caller)
{
	PGOFS_LOCKED(&s->lock);
	struct reservation *k = find_reservation(s, path, caller);
	if (!k)
		return NULL;
	k->file->n_refs++;
	return k->file;
}

int pgofs_spool_list(struct pgofs_spool *s, const char *dir, pgofs_spool_entry_fn each, void *context)
{
	size_t len = strlen(dir);
	PGOFS_LOCKED(&s->lock);
	for (size_t b = 0; s->n_files && b < BUCKETS; b++) {
		struct pgofs_spooled *f;
		LIST_FOREACH(f, &s->by_path[b], by_path)
		{
			if (!f->visible || (f->stores && (f->len || being_written(f))))
				continue;
			if (strncmp(f->path, dir, len) || f->path[len] != '/' || strchr(f->path + len + 1, '/'))
				continue;
			int r = each(context, f->path + len + 1);
			if (r)
				return r;
		}
	}
	return 0;
}

static void wait_stored(struct pgofs_spooled *f)
{
	while (f->storing)
		pthread_cond_wait(&f->spool->stored, &f->spool->lock);
}

/* In words once: who does not mind that a write fails goes on to write. */
static int outgrow(struct pgofs_spooled *f, int code, const char *what, uint64_t max, struct pgofs_error *err)
{
	if (f->outgrew)
		return code;
	f->outgrew = true;
	return pgofs_error_set(err, code, "more than the %" PRIu64 " bytes that %s", max, what);
}

static int reserve(struct pgofs_spooled *f, uint64_t len, struct pgofs_error *err)
{
	struct pgofs_spool *s = f->spool;
	if (len > s->config.file_bytes_max)
		return outgrow(f, -EFBIG, "a profile may have (max-profile)", s->config.file_bytes_max, err);
	if (len <= f->cap)
		return 0;
	size_t cap = f->cap ? f->cap : CAPACITY_FIRST;
	while (cap < len)
		cap *= 2;
	if (cap > s->config.file_bytes_max)
		cap = s->config.file_bytes_max;
	if (s->total_bytes - f->cap + cap > s->config.total_bytes_max)
		return outgrow(f, -ENOSPC, "all files being written may have (spool)", s->config.total_bytes_max, err);
	uint8_t *data = realloc(f->data, cap);
	if (!data)
		return pgofs_error_errno(err, -ENOMEM, "write");
	s->total_bytes += cap - f->cap;
	f->data = data;
	f->cap = cap;
	return 0;
}

static void touch(struct pgofs_spooled *f)
{
	f->mtime_ns = pgofs_now_ns();
	f->dirty = true;
	f->refused = f->settled = false;
}

int pgofs_spooled_write(struct pgofs_spooled *f, const void *data, size_t len, uint64_t offset, struct pgofs_error *err)
{
	if (!len)
		return 0;
	if (offset > UINT64_MAX - len)
		return -EFBIG;
	PGOFS_LOCKED(&f->spool->lock);
	wait_stored(f);
	int r = reserve(f, offset + len, err);
	if (r < 0)
		return r;
	if (offset > f->len)
		memset(f->data + f->len, 0, offset - f->len);
	memcpy(f->data + offset, data, len);
	if (offset + len > f->len)
		f->len = offset + len;
	touch(f);
	return 0;
}

size_t pgofs_spooled_read(struct pgofs_spooled *f, void *into, size_t len, uint64_t offset)
{
	PGOFS_LOCKED(&f->spool->lock);
	if (offset >= f->len || f->over)
		return 0;
	if (len > f->len - offset)
		len = f->len - offset;
	memcpy(into, f->data + offset, len);
	return len;
}

int pgofs_spooled_truncate(struct pgofs_spooled *f, uint64_t len, struct pgofs_error *err)
{
	PGOFS_LOCKED(&f->spool->lock);
	wait_stored(f);
	if (f->over)
		return -ESTALE;
	if (len == f->len)
		return 0;
	int r = reserve(f, len, err);
	if (r < 0)
		return r;
	if (len > f->len)
		memset(f->data + f->len, 0, len - f->len);
	f->len = len;
	if (!len)
		trim(f, 0);
	touch(f);
	return 0;
}

void pgofs_spooled_stat(struct pgofs_spooled *f, uint64_t *ret_size_bytes, int64_t *ret_mtime_ns)
{
	PGOFS_LOCKED(&f->spool->lock);
	*ret_size_bytes = f->len;
	*ret_mtime_ns = f->mtime_ns;
}

int pgofs_spooled_open(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	if (f->over)
		return -ESTALE;
	f->n_open++;
	return 0;
}

/* The file that was made to replace another is being opened. */
static void claim(struct pgofs_spooled *f)
{
	struct pgofs_spool *s = f->spool;
	for (size_t k = 0; k < RESERVED_MAX; k++) {
		if (s->reserved[k].file != f)
			continue;
		unref(STEAL(s->reserved[k].file));
		f->dirty = true; /* it differs from what it replaces */
		/* Two write one new name: whoever closes last wins, as with a rename. */
		struct pgofs_spooled *other = find_visible(s, f->path);
		if (other)
			other->put_flags = 0;
		return;
	}
}

int pgofs_spooled_open_empty(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	if (f->over)
		return -ESTALE;
	if (f->stores && f->n_open)
		return -EBUSY;
	claim(f);
	f->n_open++;
	if (f->len)
		touch(f);
	f->len = 0;
	f->settled = false;
	return 0;
}

/* Nobody has it open any more: false where bytes are lost by that which nobody was told of. */
static bool closed(struct pgofs_spooled *f)
{
	/* An empty name, as touch makes it, stays to be written to; so does one that is no profile's. */
	if (f->visible && (!f->stores || !f->len)) {
		trim(f, f->len);
		return true;
	}
	bool lost = f->stores && f->dirty && !f->refused && !f->unlinked;
	hide(f);
	end(f);
	return !lost;
}

bool pgofs_spooled_close(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	wait_stored(f);
	return --f->n_open || closed(f);
}

void pgofs_spooled_settle(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	f->settled = true;
}

bool pgofs_spooled_readable(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	return !f->stores || !f->len;
}

static bool wants_store(const struct pgofs_spooled *f)
{
	return f->stores && f->dirty && f->len && !f->unlinked;
}

bool pgofs_spooled_is_dirty(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	return wants_store(f) && !f->refused;
}

/* Takes the lock off while storage works; the file is `storing` meanwhile. */
static int store_as(struct pgofs_spooled *f, const char *path, unsigned flags, struct pgofs_tree *tree,
		    struct pgofs_error *err)
{
	f->storing = true;
	pthread_mutex_unlock(&f->spool->lock);
	int r = pgofs_tree_store(tree, path, f->data, f->len, flags, err);
	pthread_mutex_lock(&f->spool->lock);
	f->storing = false;
	pthread_cond_broadcast(&f->spool->stored);
	return r;
}

int pgofs_spooled_store(struct pgofs_spooled *f, struct pgofs_tree *tree, struct pgofs_error *err)
{
	PGOFS_LOCKED(&f->spool->lock);
	wait_stored(f);
	if (!wants_store(f))
		return 0;
	int r = store_as(f, f->path, f->put_flags, tree, err); /* nobody renames what is storing */
	f->refused = r < 0;
	if (r < 0 && f->settled) /* the name need not wait for the last close either */
		hide(f);
	if (r < 0)
		return r;
	f->dirty = false;
	f->put_flags = 0;
	/* From now on the name means what is stored, also where somebody else is still writing it. */
	struct pgofs_spooled *there = find_visible(f->spool, f->path);
	if (there)
		hide(there);
	return 0;
}

bool pgofs_spooled_unlink(struct pgofs_spooled *f)
{
	PGOFS_LOCKED(&f->spool->lock);
	wait_stored(f);
	if (!f->visible)
		return false;
	f->unlinked = true;
	hide(f);
	if (!f->n_open)
		end(f);
	return true;
}

static void set_path(struct pgofs_spooled *f, char *path)
{
	struct pgofs_spooled *over = find_visible(f->spool, path);
	if (over && over != f) {
		over->unlinked = true;
		if (!over->n_open)
			end(over);
		hide(over);
	}
	LIST_REMOVE(f, by_path);
	free(f->path);
	f->path = path;
	LIST_INSERT_HEAD(bucket(f->spool, path), f, by_path);
}

int pgofs_spooled_rename(struct pgofs_spooled *f, const struct pgofs_spool_move *move, struct pgofs_tree *tree,
			 struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) char *path = strdup(move->to);
	if (!path)
		return -ENOMEM;
	PGOFS_LOCKED(&f->spool->lock);
	wait_stored(f);
	if (!f->visible)
		return 1;
	if (move->stores && f->len && !being_written(f)) {
		int r = store_as(f, path, move->flags, tree, err);
		if (r < 0)
			return r;
		set_path(f, STEAL(path));
		f->stores = true; /* who has it open still may write more */
		f->put_flags = 0;
		f->dirty = false;
		hide(f);
		if (!f->n_open)
			end(f);
		return 0;
	}
	if (move->stores && !being_written(f) && move->exists)
		return pgofs_error_set(err, -EINVAL, "an empty file is no profile");
	set_path(f, STEAL(path));
	f->stores = move->stores;
	f->put_flags = move->flags;
	f->dirty = true;
	if (move->exists)
		hide(f);
	return 0;
}

void pgofs_spool_stats(struct pgofs_spool *s, uint64_t *ret_bytes, uint64_t *ret_n_files)
{
	PGOFS_LOCKED(&s->lock);
	*ret_bytes = s->total_bytes;
	*ret_n_files = s->n_files;
}

struct pgofs_spool *pgofs_spool_new(const struct pgofs_spool_config *config)
{
	struct pgofs_spool *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->config = *config;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->stored, NULL);
	for (size_t b = 0; b < BUCKETS; b++)
		LIST_INIT(&s->by_path[b]);
	return s;
}

void pgofs_spool_free(struct pgofs_spool *s)
{
	if (!s)
		return;
	for (size_t k = 0; k < RESERVED_MAX; k++)
		unref(s->reserved[k].file);
	for (size_t b = 0; b < BUCKETS; b++) {
		struct pgofs_spooled *f;
		while ((f = LIST_FIRST(&s->by_path[b]))) {
			f->n_refs = 1;
			unref(f);
		}
	}
	pthread_cond_destroy(&s->stored);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
