/* Storage that is gone when the process is: what most tests run on, and the plainest reading of backend.h.
 *
 * Keys lie in one sorted array, so that what is under a directory is one run of it. Each open is a storage of its own, and
 * holds at most `memory-size` bytes: beyond it a put gets -ENOSPC, as on a full disk.
 *
 * Lock: `lock` covers everything below it. It is held for searching and copying pointers, never while a callback runs: a
 * listing is gathered first and shown after. */
#include <pgofs/backend-impl.h>
#include <pgofs/units.h>

#include <errno.h>
#include <string.h>

struct object {
	struct pgofs_stored stored;
	struct pgofs_bytes *bytes;
	char key[];
};

struct memory {
	struct pgofs_backend backend;
	uint64_t max_bytes;
	pthread_mutex_t lock;
	struct object **objects; /* sorted by key */
	size_t n, cap;
	uint64_t used_bytes;
	uint64_t n_puts; /* the next version */
};

static struct memory *memory_of(struct pgofs_backend *b)
{
	return (struct memory *)b;
}

static void object_free(struct object *o)
{
	if (!o)
		return;
	pgofs_bytes_unref(o->bytes);
	free(o);
}
PGOFS_DEFINE_FREEP(struct object, object_free)

/* Where `key` is, or would be. */
static size_t position(const struct memory *m, const char *key, bool *ret_there)
{
	size_t low = 0, high = m->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(m->objects[mid]->key, key);
		if (order == 0) {
			*ret_there = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_there = false;
	return low;
}

static int make_room(struct memory *m)
{
	if (m->n < m->cap)
		return 0;
	size_t cap = m->cap ? m->cap * 2 : 64;
	struct object **objects = realloc(m->objects, cap * sizeof(struct object *));
	if (!objects)
		return -ENOMEM;
	m->objects = objects;
	m->cap = cap;
	return 0;
}

static void take_out(struct memory *m, size_t at)
{
	m->used_bytes -= m->objects[at]->stored.size_bytes;
	object_free(m->objects[at]);
	memmove(m->objects + at, m->objects + at + 1, (m->n - at - 1) * sizeof(struct object *));
	m->n--;
}

/* Puts `o` under its key and gives it its version. Takes it over, unless it fails. */
static int put_in(struct memory *m, struct object *o, unsigned flags)
{
	bool there;
	size_t at = position(m, o->key, &there);
	if (there && (flags & PGOFS_PUT_NEW))
		return -EEXIST;
	uint64_t freed_bytes = there ? m->objects[at]->stored.size_bytes : 0;
	if (o->stored.size_bytes > m->max_bytes - (m->used_bytes - freed_bytes))
		return -ENOSPC;
	if (!there) {
		int r = make_room(m);
		if (r < 0)
			return r;
		memmove(m->objects + at + 1, m->objects + at, (m->n - at) * sizeof(struct object *));
		m->n++;
	} else {
		object_free(m->objects[at]);
	}
	m->objects[at] = o;
	m->used_bytes += o->stored.size_bytes - freed_bytes;
	snprintf(o->stored.version, sizeof o->stored.version, "%llu", (unsigned long long)++m->n_puts);
	return 0;
}

static int object_new(const char *key, struct pgofs_bytes *bytes, struct object **ret)
{
	size_t len = strlen(key) + 1;
	struct object *o = calloc(1, sizeof *o + len);
	if (!o)
		return -ENOMEM;
	memcpy(o->key, key, len);
	o->bytes = pgofs_bytes_ref(bytes);
	o->stored.size_bytes = bytes->len;
	o->stored.mtime_ns = pgofs_now_ns();
	*ret = o;
	return 0;
}

static int memory_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		      struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct memory *m = memory_of(b);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = pgofs_bytes_dup(data, len);
	_cleanup_(object_freep) struct object *o = NULL;
	int r = bytes ? object_new(key, bytes, &o) : -ENOMEM;
	if (r < 0)
		return r;
	PGOFS_LOCKED(&m->lock);
	r = put_in(m, o, flags);
	if (r == 0)
		*ret_stored = STEAL(o)->stored;
	return r;
}

static int memory_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		      struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct memory *m = memory_of(b);
	bool there;
	PGOFS_LOCKED(&m->lock);
	size_t at = position(m, key, &there);
	if (!there)
		return -ENOENT;
	const struct object *o = m->objects[at];
	if (version && strcmp(version, o->stored.version) != 0)
		return -ESTALE;
	if (o->bytes->len > max_bytes)
		return -EFBIG;
	*ret = pgofs_bytes_ref(o->bytes);
	*ret_stored = o->stored;
	return 0;
}

static int memory_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	struct memory *m = memory_of(b);
	bool there;
	PGOFS_LOCKED(&m->lock);
	size_t at = position(m, key, &there);
	if (!there)
		return -ENOENT;
	take_out(m, at);
	return 0;
}

static int memory_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			 struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct memory *m = memory_of(b);
	_cleanup_(object_freep) struct object *o = NULL;
	bool there;
	PGOFS_LOCKED(&m->lock);
	size_t at = position(m, from, &there);
	if (!there)
		return -ENOENT;
	position(m, to, &there);
	if (there && (flags & PGOFS_PUT_NEW))
		return -EEXIST;
	int r = object_new(to, m->objects[at]->bytes, &o);
	if (r == 0)
		r = make_room(m);
	if (r < 0)
		return r;
	o->stored.mtime_ns = m->objects[at]->stored.mtime_ns;
	take_out(m, at);
	r = put_in(m, o, 0);
	*ret_stored = STEAL(o)->stored;
	return r;
}

/* ---- Listing ---- */

struct found {
	struct pgofs_entry *entries;
	size_t n, cap;
};

static void found_done(struct found *f)
{
	for (size_t i = 0; i < f->n; i++)
		free((char *)f->entries[i].name);
	free(f->entries);
}

static int found_add(struct found *f, const char *name, size_t len, const struct pgofs_stored *stored)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 64;
		struct pgofs_entry *entries = realloc(f->entries, cap * sizeof *entries);
		if (!entries)
			return -ENOMEM;
		f->entries = entries;
		f->cap = cap;
	}
	struct pgofs_entry entry = { .name = strndup(name, len), .is_dir = !stored };
	if (!entry.name)
		return -ENOMEM;
	if (stored)
		entry.stored = *stored;
	f->entries[f->n++] = entry;
	return 0;
}

/* Keys come sorted, so those of one directory come together: it is added with the first of them. */
static int gather(struct memory *m, const char *dir, bool recursive, struct found *f)
{
	char prefix[PGOFS_KEY_MAX + 2] = "";
	bool there;
	if (dir[0])
		snprintf(prefix, sizeof prefix, "%s/", dir);
	size_t prefix_len = strlen(prefix), last_len = 0;
	const char *last = "";

	PGOFS_LOCKED(&m->lock);
	for (size_t i = position(m, prefix, &there); i < m->n; i++) {
		const struct object *o = m->objects[i];
		if (strncmp(o->key, prefix, prefix_len) != 0)
			break;
		const char *name = o->key + prefix_len;
		size_t len = recursive ? strlen(name) : strcspn(name, "/");
		if (name[len] && len == last_len && !memcmp(name, last, len))
			continue;
		if (name[len]) {
			last = name;
			last_len = len;
		}
		int r = found_add(f, name, len, name[len] ? NULL : &o->stored);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "a-b" sorts before "a/c" as a key and after "a" as a name. */
static int by_name(const void *a, const void *b)
{
	const struct pgofs_entry *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static int memory_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		       struct pgofs_error *err)
{
	_cleanup_(found_done) struct found f = { 0 };
	int r = gather(memory_of(b), dir, flags & PGOFS_LIST_RECURSIVE, &f);
	if (r == 0 && f.n > 1)
		qsort(f.entries, f.n, sizeof f.entries[0], by_name);
	for (size_t i = 0; i < f.n && r == 0; i++)
		r = each(context, &f.entries[i]);
	return r;
}

/* ---- The rest ---- */

static int memory_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	return 0;
}

static int memory_usage(struct pgofs_backend *b, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	struct memory *m = memory_of(b);
	PGOFS_LOCKED(&m->lock);
	*ret_total_bytes = m->max_bytes;
	*ret_free_bytes = m->max_bytes - m->used_bytes;
	return 0;
}

static void memory_destroy(struct pgofs_backend *b)
{
	struct memory *m = memory_of(b);
	for (size_t i = 0; i < m->n; i++)
		object_free(m->objects[i]);
	free(m->objects);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct pgofs_backend_ops memory_ops = {
	.destroy = memory_destroy,
	.probe = memory_probe,
	.list = memory_list,
	.get = memory_get,
	.put = memory_put,
	.remove = memory_remove,
	.rename = memory_rename,
	.usage = memory_usage,
};

struct memory_options {
	uint64_t max_bytes;
};

static const struct pgofs_option memory_options[] = {
	{ "memory-size", 0, PGOFS_OPTION_SIZE, offsetof(struct memory_options, max_bytes), "1GiB", "SIZE",
	  "how much a storage in memory holds" },
	{ NULL },
};

static bool memory_matches(const char *source)
{
	return !strcmp(source, "memory:");
}

static int memory_open(const char *source, const char *const *options, struct pgofs_backend **ret,
		       struct pgofs_error *err)
{
	struct memory_options o = { 0 };
	int r = pgofs_backend_parse_options(memory_options, options, &o, err);
	if (r < 0)
		return r;
	struct memory *m = calloc(1, sizeof *m);
	char *name = strdup(source);
	if (!m || !name) {
		free(m);
		free(name);
		return -ENOMEM;
	}
	m->backend = (struct pgofs_backend){ &memory_ops, name };
	m->max_bytes = o.max_bytes;
	pthread_mutex_init(&m->lock, NULL);
	*ret = &m->backend;
	return 0;
}

const struct pgofs_backend_kind pgofs_backend_memory = {
	.name = "memory",
	.options = memory_options,
	.matches = memory_matches,
	.open = memory_open,
};
