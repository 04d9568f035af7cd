/* The kernel's inodes.
 *
 * What must stay true:
 * - The kernel holds n_lookup on an inode, requests and handles hold n_refs; at none of both it is freed, at once.
 * - A nodeid is never used again, so a late request can at worst find nothing.
 * - `named` inodes, and only these, are found by path; at most one a path. A name that got another content takes the path over; the old
 *   inode lives on for those who have it open, with its old bytes.
 * - Memory does not follow the kernel's cache of names: it may remember a thousand merged files nobody has open. Past the bound the
 *   snapshots looked up longest ago are dropped; opening such a file says ESTALE, upon which the kernel looks the name up
 *   again and gets a new inode. The newest few are kept whatever their size, so that this comes to an end.
 * - A listing of 100,000 files with attributes makes as many inodes at once: one allocation each, and no path is hashed twice. They go
 *   when the kernel forgets, which holds four times as much of memory for each. */
#include "inode.h"

#include "spool.h"

#include <pgofs/name.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOTS_MIN 32
#define BUCKETS_MIN   256

LIST_HEAD(bucket, pgofs_inode);
TAILQ_HEAD(ages, pgofs_inode);

struct pgofs_inodes {
	pthread_mutex_t lock;
	uint64_t next_nodeid;
	struct bucket *by_id, *by_path; /* n_buckets each, a power of two */
	size_t n_buckets;
	struct ages ages;
	uint64_t snapshots_bytes_max, pinned_bytes_max;
	struct pgofs_inodes_stats stats;
};

/* FNV-1a: names are short, and whoever can choose them can write anyway. */
uint64_t pgofs_inodes_st_ino(const char *path)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	if (!*path)
		return PGOFS_INODE_ROOT;
	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * UINT64_C(0x100000001b3);
	return h > PGOFS_INODE_ROOT ? h : h + 2;
}

static struct bucket *id_bucket(struct pgofs_inodes *t, uint64_t nodeid)
{
	return &t->by_id[nodeid & (t->n_buckets - 1)];
}

static struct bucket *path_bucket(struct pgofs_inodes *t, uint64_t st_ino)
{
	return &t->by_path[st_ino & (t->n_buckets - 1)];
}

/* Doubles the buckets; without memory the chains just grow longer. */
static void grow(struct pgofs_inodes *t)
{
	struct bucket *old = t->by_id, *old_paths = t->by_path;
	size_t n = t->n_buckets;
	struct bucket *ids = calloc(n * 2, sizeof *ids), *paths = calloc(n * 2, sizeof *paths);
	if (!ids || !paths) {
		free(ids);
		free(paths);
		return;
	}
	t->by_id = ids;
	t->by_path = paths;
	t->n_buckets = n * 2;
	for (size_t b = 0; b < n; b++) {
		struct pgofs_inode *i;
		while ((i = LIST_FIRST(&old[b]))) {
			LIST_REMOVE(i, by_id);
			LIST_INSERT_HEAD(id_bucket(t, i->nodeid), i, by_id);
		}
		while ((i = LIST_FIRST(&old_paths[b]))) {
			LIST_REMOVE(i, by_path);
			LIST_INSERT_HEAD(path_bucket(t, i->st_ino), i, by_path);
		}
	}
	free(old);
	free(old_paths);
}

static struct pgofs_inode *find_hashed(struct pgofs_inodes *t, const char *path, uint64_t st_ino)
{
	struct pgofs_inode *i;
	LIST_FOREACH(i, path_bucket(t, st_ino), by_path)
	if (i->st_ino == st_ino && !strcmp(i->path, path))
		return i;
	return NULL;
}

static struct pgofs_inode *find_path(struct pgofs_inodes *t, const char *path)
{
	return find_hashed(t, path, pgofs_inodes_st_ino(path));
}

static struct pgofs_inode *find_id(struct pgofs_inodes *t, uint64_t nodeid)
{
	struct pgofs_inode *i;
	LIST_FOREACH(i, id_bucket(t, nodeid), by_id)
	if (i->nodeid == nodeid)
		return i;
	return NULL;
}

static void drop_name(struct pgofs_inode *i)
{
	if (i->named)
		LIST_REMOVE(i, by_path);
	i->named = false;
}

static void drop_snapshot(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	if (!i->snapshot)
		return;
	TAILQ_REMOVE(&t->ages, i, by_age);
	t->stats.n_snapshots--;
	t->stats.snapshots_bytes -= i->snapshot->bytes->len;
	pgofs_snapshot_unref(STEAL(i->snapshot));
}

static void free_inode(struct pgofs_inode *i)
{
	if (!i)
		return;
	pgofs_spooled_unref(i->spooled);
	pgofs_snapshot_unref(i->snapshot);
	pgofs_bytes_unref(i->bytes);
	if (i->path != i->text)
		free(i->path);
	free(i);
}

static void free_if_unused(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	if (i->n_lookup || i->n_refs)
		return;
	drop_name(i);
	drop_snapshot(t, i);
	LIST_REMOVE(i, by_id);
	t->stats.n_inodes--;
	t->stats.inodes_bytes -= i->memory_bytes;
	free_inode(i);
}

static struct pgofs_inode *new_inode(const char *path, uint64_t st_ino, const struct pgofs_node *node,
				     struct pgofs_spooled *spooled)
{
	bool has_version = node->kind == PGOFS_NODE_PROFILE && !spooled;
	size_t path_size = strlen(path) + 1, version_size = has_version ? strlen(node->version) + 1 : 0;
	struct pgofs_inode *i = calloc(1, sizeof *i + path_size + version_size);
	if (!i)
		return NULL;
	i->memory_bytes = sizeof *i + path_size + version_size;
	i->kind = node->kind;
	i->size_bytes = node->size_bytes;
	i->mtime_ns = node->mtime_ns;
	i->st_ino = st_ino;
	i->path = memcpy(i->text, path, path_size);
	if (has_version)
		i->version = memcpy(i->text + path_size, node->version, version_size);
	if (spooled)
		i->spooled = pgofs_spooled_ref(spooled);
	if (node->snapshot)
		i->snapshot = pgofs_snapshot_ref(node->snapshot);
	return i;
}

static void trim_snapshots(struct pgofs_inodes *t)
{
	while (t->stats.n_snapshots > SNAPSHOTS_MIN && t->stats.snapshots_bytes > t->snapshots_bytes_max)
		drop_snapshot(t, TAILQ_FIRST(&t->ages));
}

static void insert(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	if (t->stats.n_inodes >= t->n_buckets)
		grow(t);
	i->nodeid = t->next_nodeid++;
	i->named = true;
	LIST_INSERT_HEAD(id_bucket(t, i->nodeid), i, by_id);
	LIST_INSERT_HEAD(path_bucket(t, i->st_ino), i, by_path);
	t->stats.n_inodes++;
	t->stats.inodes_bytes += i->memory_bytes;
	if (i->snapshot) {
		TAILQ_INSERT_TAIL(&t->ages, i, by_age);
		t->stats.n_snapshots++;
		t->stats.snapshots_bytes += i->snapshot->bytes->len;
	}
}

static bool same(const struct pgofs_inode *i, const struct pgofs_node *node, const struct pgofs_spooled *spooled)
{
	if (i->kind != node->kind || i->spooled != spooled)
		return false;
	if (spooled)
		return true;
	if (i->kind == PGOFS_NODE_PROFILE)
		return i->size_bytes == node->size_bytes && !strcmp(i->version, node->version);
	return i->snapshot == node->snapshot;
}

static struct pgofs_inode *look(struct pgofs_inodes *t, const char *path, const struct pgofs_node *node,
				struct pgofs_spooled *spooled)
{
	uint64_t st_ino = pgofs_inodes_st_ino(path);
	PGOFS_LOCKED(&t->lock);
	struct pgofs_inode *i = find_hashed(t, path, st_ino);
	if (!i || !same(i, node, spooled)) {
		struct pgofs_inode *fresh = new_inode(path, st_ino, node, spooled);
		if (!fresh)
			return NULL;
		if (i)
			drop_name(i);
		i = fresh;
		insert(t, i);
	} else if (i->snapshot) {
		TAILQ_REMOVE(&t->ages, i, by_age);
		TAILQ_INSERT_TAIL(&t->ages, i, by_age);
	}
	i->n_lookup++;
	i->n_refs++;
	t->stats.n_lookups++;
	trim_snapshots(t);
	return i;
}

struct pgofs_inode *pgofs_inodes_look(struct pgofs_inodes *t, const char *path, const struct pgofs_node *node)
{
	return look(t, path, node, NULL);
}

struct pgofs_inode *pgofs_inodes_look_spooled(struct pgofs_inodes *t, const char *path, struct pgofs_spooled *f)
{
	struct pgofs_node node = { .kind = PGOFS_NODE_PROFILE };
	return look(t, path, &node, f);
}

struct pgofs_inode *pgofs_inodes_get(struct pgofs_inodes *t, uint64_t nodeid)
{
	PGOFS_LOCKED(&t->lock);
	struct pgofs_inode *i = find_id(t, nodeid);
	if (i)
		i->n_refs++;
	return i;
}

void pgofs_inodes_put(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	if (!i)
		return;
	PGOFS_LOCKED(&t->lock);
	i->n_refs--;
	free_if_unused(t, i);
}

void pgofs_inodes_forget(struct pgofs_inodes *t, uint64_t nodeid, uint64_t n)
{
	PGOFS_LOCKED(&t->lock);
	struct pgofs_inode *i = find_id(t, nodeid);
	if (!i || nodeid == PGOFS_INODE_ROOT)
		return;
	if (n > i->n_lookup)
		n = i->n_lookup;
	i->n_lookup -= n;
	t->stats.n_lookups -= n;
	free_if_unused(t, i);
}

char *pgofs_inodes_path(struct pgofs_inodes *t, struct pgofs_inode *i, char *path)
{
	PGOFS_LOCKED(&t->lock);
	strcpy(path, i->path); /* was made from a PGOFS_PATH_SIZE */
	return path;
}

uint64_t pgofs_inodes_st_ino_of(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	PGOFS_LOCKED(&t->lock);
	return i->st_ino;
}

void pgofs_inodes_unname(struct pgofs_inodes *t, const char *path)
{
	PGOFS_LOCKED(&t->lock);
	struct pgofs_inode *i = find_path(t, path);
	if (i)
		drop_name(i);
}

void pgofs_inodes_rename(struct pgofs_inodes *t, const char *from, const char *to)
{
	char *copy = strdup(to);
	PGOFS_LOCKED(&t->lock);
	struct pgofs_inode *i = find_path(t, from), *over = find_path(t, to);
	if (over && over != i)
		drop_name(over);
	if (!i || !copy) {
		if (i)
			drop_name(i);
		free(copy);
		return;
	}
	drop_name(i);
	if (i->path != i->text)
		free(i->path);
	i->path = copy;
	i->st_ino = pgofs_inodes_st_ino(copy);
	i->named = true;
	LIST_INSERT_HEAD(path_bucket(t, i->st_ino), i, by_path);
}

static struct pgofs_bytes *pin_again(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	PGOFS_LOCKED(&t->lock);
	if (!i->bytes)
		return NULL;
	i->n_open++;
	return pgofs_bytes_ref(i->bytes);
}

static int take_snapshot(struct pgofs_inodes *t, struct pgofs_inode *i, struct pgofs_bytes **ret)
{
	PGOFS_LOCKED(&t->lock);
	if (!i->snapshot)
		return -ESTALE;
	*ret = pgofs_bytes_ref(i->snapshot->bytes);
	return 0;
}

static int read_stored(struct pgofs_inodes *t, struct pgofs_inode *i, struct pgofs_tree *tree, struct pgofs_bytes **ret,
		       struct pgofs_error *err)
{
	char path[PGOFS_PATH_SIZE];
	struct pgofs_node node = { .kind = i->kind, .size_bytes = i->size_bytes, .mtime_ns = i->mtime_ns };
	strcpy(node.version, i->version);
	return pgofs_tree_read(tree, pgofs_inodes_path(t, i, path), &node, ret, err);
}

int pgofs_inodes_pin(struct pgofs_inodes *t, struct pgofs_inode *i, struct pgofs_tree *tree, struct pgofs_bytes **ret,
		     struct pgofs_error *err)
{
	if ((*ret = pin_again(t, i)))
		return 0;
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int r = i->kind == PGOFS_NODE_MERGED ? take_snapshot(t, i, &bytes) : read_stored(t, i, tree, &bytes, err);
	if (r < 0)
		return r;
	if (bytes->len != i->size_bytes)
		return -ESTALE;

	PGOFS_LOCKED(&t->lock);
	if (!i->bytes) {
		if (t->stats.pinned_bytes && t->stats.pinned_bytes + bytes->len > t->pinned_bytes_max)
			return pgofs_error_set(err, -ENFILE, "too many bytes are held open (memory)");
		i->bytes = pgofs_bytes_ref(bytes);
		t->stats.pinned_bytes += bytes->len;
	}
	i->n_open++;
	*ret = pgofs_bytes_ref(i->bytes);
	return 0;
}

void pgofs_inodes_unpin(struct pgofs_inodes *t, struct pgofs_inode *i)
{
	PGOFS_LOCKED(&t->lock);
	if (--i->n_open)
		return;
	t->stats.pinned_bytes -= i->bytes->len;
	pgofs_bytes_unref(STEAL(i->bytes));
}

void pgofs_inodes_stats(struct pgofs_inodes *t, struct pgofs_inodes_stats *ret)
{
	PGOFS_LOCKED(&t->lock);
	*ret = t->stats;
}

struct pgofs_inodes *pgofs_inodes_new(uint64_t snapshots_bytes_max, uint64_t pinned_bytes_max)
{
	_cleanup_(pgofs_inodes_freep) struct pgofs_inodes *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	TAILQ_INIT(&t->ages);
	t->snapshots_bytes_max = snapshots_bytes_max;
	t->pinned_bytes_max = pinned_bytes_max;
	t->next_nodeid = PGOFS_INODE_ROOT;
	t->by_id = calloc(BUCKETS_MIN, sizeof *t->by_id);
	t->by_path = calloc(BUCKETS_MIN, sizeof *t->by_path);
	struct pgofs_node root_node = { .kind = PGOFS_NODE_DIR };
	if (!t->by_id || !t->by_path)
		return NULL;
	t->n_buckets = BUCKETS_MIN;
	struct pgofs_inode *root = new_inode("", PGOFS_INODE_ROOT, &root_node, NULL);
	if (!root)
		return NULL;
	root->n_refs = 1;
	insert(t, root);
	return STEAL(t);
}

void pgofs_inodes_free(struct pgofs_inodes *t)
{
	if (!t)
		return;
	for (size_t b = 0; b < t->n_buckets; b++) {
		struct pgofs_inode *i;
		while ((i = LIST_FIRST(&t->by_id[b]))) {
			LIST_REMOVE(i, by_id);
			free_inode(i);
		}
	}
	free(t->by_id);
	free(t->by_path);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
