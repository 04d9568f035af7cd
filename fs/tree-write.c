/* Changing the tree, one thing at a time.
 *
 * Storage first, then what is known here: on return the next lookup sees the change. A change that ended in doubt (a deadline,
 * an answer that was lost) leaves its directory unknown, so that the next lookup asks. */
#include "tree-impl.h"

#include <pgofs/log.h>

#include <errno.h>
#include <string.h>

static int read_only(const char *path, struct pgofs_error *err)
{
	return pgofs_error_errno(err, -EROFS, "%s", path);
}

static int in_merged(const char *path, struct pgofs_error *err)
{
	return pgofs_error_set(err, -EPERM, "%s: merged files are computed, and cannot be changed", path);
}

static bool is_merged(const struct pgofs_path *p)
{
	return p->place == PGOFS_PLACE_MERGED || p->place == PGOFS_PLACE_MERGED_DIR;
}

int pgofs_tree_may_store(struct pgofs_tree *t, const char *path, struct pgofs_error *err)
{
	struct pgofs_path p;
	int r = pgofs_path_parse(path, &p);
	if (t->config.read_only)
		return read_only(path, err);
	if (r == 0 && is_merged(&p))
		return in_merged(path, err);
	if (r < 0 || p.place != PGOFS_PLACE_PROFILE)
		return pgofs_error_set(err, -EINVAL, "%s: a profile's place is APP/YYYY/MM/DD/NAME.pprof", path);
	return 0;
}

static int check(struct pgofs_tree *t, const char *path, const void *data, size_t len, struct pgofs_error *err)
{
	if (len > t->config.stored_max_bytes)
		return pgofs_error_set(err, -EFBIG, "%s: larger than the %zu bytes a stored profile may have", path,
				       t->config.stored_max_bytes);
	int r = pgofs_pprof_check(data, len, t->config.raw_max_bytes, NULL, err);
	return r < 0 ? pgofs_error_wrap(err, r, "%s", path) : 0;
}

int pgofs_tree_store(struct pgofs_tree *t, const char *path, const void *data, size_t len, unsigned flags,
		     struct pgofs_error *err)
{
	char dir[PGOFS_PATH_SIZE];
	struct pgofs_stored stored;
	int r = pgofs_tree_may_store(t, path, err);
	if (r == 0)
		r = check(t, path, data, len, err);
	if (r < 0) {
		t->n_refused++;
		return r;
	}
	r = pgofs_backend_put(t->backend, path, data, len, flags, &stored, err);
	if (r < 0) {
		pgofs_catalog_forget(t->catalog, pgofs_path_parent(dir, path));
		return r;
	}
	t->n_stored++;
	pgofs_catalog_note_put(t->catalog, path, &stored);
	return 0;
}

/* A directory that was emptied here stays until it is removed here: who empties a directory goes on to remove it, or to fill it. */
static int stay_if_empty(struct pgofs_tree *t, const char *dir)
{
	if (!*dir)
		return 0;
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = pgofs_catalog_peek(t->catalog, dir);
	return l && l->n ? 0 : pgofs_made_add(t->made, dir);
}

int pgofs_tree_remove(struct pgofs_tree *t, const char *path, struct pgofs_error *err)
{
	char dir[PGOFS_PATH_SIZE];
	struct pgofs_node node = { 0 };
	struct pgofs_path p;
	int r = pgofs_tree_parse(path, &p, err);
	if (r < 0)
		return r;
	if (t->config.read_only)
		return read_only(path, err);
	if (p.place == PGOFS_PLACE_MERGED)
		return in_merged(path, err);
	r = pgofs_tree_lookup(t, path, &node, err);
	if (r < 0)
		return r;
	if (node.kind != PGOFS_NODE_PROFILE)
		return pgofs_error_errno(err, -EISDIR, "%s", *path ? path : "the root");

	r = pgofs_backend_remove(t->backend, path, err);
	pgofs_path_parent(dir, path);
	if (r < 0 && r != -ENOENT) {
		pgofs_catalog_forget(t->catalog, dir);
		return r;
	}
	t->n_removed += r == 0;
	pgofs_catalog_note_remove(t->catalog, path);
	stay_if_empty(t, dir); /* where it fails, the directory goes with its last file */
	return r;
}

/* The directory above must be there. */
static int find_parent(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_error *err)
{
	char above[PGOFS_PATH_SIZE];
	struct pgofs_path parent;
	int r = pgofs_tree_parse(pgofs_path_parent(above, p->text), &parent, err);
	return r < 0 ? r : pgofs_tree_find_dir(t, &parent, err);
}

int pgofs_tree_mkdir(struct pgofs_tree *t, const char *path, struct pgofs_error *err)
{
	struct pgofs_path p;
	int r = pgofs_path_parse(path, &p);
	if (t->config.read_only)
		return read_only(path, err);
	if (r == 0 && p.place == PGOFS_PLACE_MERGED)
		return in_merged(path, err);
	if (r < 0 || !pgofs_place_is_dir(p.place))
		return pgofs_error_set(
		    err, -EINVAL, "%s: the tree's directories are APP, APP/YYYY, APP/YYYY/MM and APP/YYYY/MM/DD", path);
	r = pgofs_tree_find_dir(t, &p, err);
	if (r == 0)
		return pgofs_error_errno(err, -EEXIST, "%s", path);
	if (r != -ENOENT)
		return r;
	r = find_parent(t, &p, err);
	if (r == 0 && p.place != PGOFS_PLACE_MERGED_DIR)
		r = pgofs_made_add(t->made, path);
	return r < 0 ? pgofs_error_wrap(err, r, "make directory %s", path) : 0;
}

static int is_empty(struct pgofs_tree *t, const char *path, struct pgofs_error *err)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	int r = pgofs_catalog_list(t->catalog, path, &l, err);
	if (r < 0)
		return r;
	return l->n || pgofs_made_has_under(t->made, path) ? pgofs_error_errno(err, -ENOTEMPTY, "%s", path) : 0;
}

int pgofs_tree_rmdir(struct pgofs_tree *t, const char *path, struct pgofs_error *err)
{
	char above[PGOFS_PATH_SIZE];
	struct pgofs_path p;
	int r = pgofs_tree_parse(path, &p, err);
	if (r < 0)
		return r;
	if (t->config.read_only)
		return read_only(path, err);
	if (is_merged(&p))
		return in_merged(path, err);
	if (p.place == PGOFS_PLACE_ROOT)
		return pgofs_error_errno(err, -EBUSY, "the root");
	if (p.place == PGOFS_PLACE_PROFILE)
		return pgofs_error_errno(err, -ENOTDIR, "%s", path);
	r = pgofs_tree_find_dir(t, &p, err);
	if (r == 0)
		r = is_empty(t, path, err);
	if (r < 0)
		return r;

	r = pgofs_backend_remove_dir(t->backend, path, err);
	pgofs_path_parent(above, path);
	if (r < 0) {
		pgofs_catalog_forget(t->catalog, path);
		return r;
	}
	pgofs_made_remove(t->made, path);
	pgofs_catalog_note_rmdir(t->catalog, path);
	if (p.place == PGOFS_PLACE_DAY)
		pgofs_rollups_forget(t->rollups, path);
	if (!pgofs_made_has_under(t->made, above))
		stay_if_empty(t, above);
	return 0;
}

static int may_rename(struct pgofs_tree *t, const char *from, const char *to, struct pgofs_error *err)
{
	struct pgofs_path p;
	int r = pgofs_tree_parse(from, &p, err);
	if (r < 0)
		return r;
	if (t->config.read_only)
		return read_only(from, err);
	if (is_merged(&p))
		return in_merged(from, err);
	if (p.place != PGOFS_PLACE_PROFILE)
		return pgofs_error_set(err, -EXDEV, "%s: directories are not renamed; copy and remove", from);
	return pgofs_tree_may_store(t, to, err);
}

int pgofs_tree_rename(struct pgofs_tree *t, const char *from, const char *to, unsigned flags, struct pgofs_error *err)
{
	char from_dir[PGOFS_PATH_SIZE], to_dir[PGOFS_PATH_SIZE];
	struct pgofs_stored stored;
	struct pgofs_node node = { 0 };
	int r = may_rename(t, from, to, err);
	if (r == 0)
		r = pgofs_tree_lookup(t, from, &node, err);
	if (r < 0)
		return r;
	if (!strcmp(from, to))
		return flags & PGOFS_PUT_NEW ? pgofs_error_errno(err, -EEXIST, "%s", to) : 0;

	r = pgofs_backend_rename(t->backend, from, to, flags, &stored, err);
	pgofs_path_parent(from_dir, from);
	pgofs_path_parent(to_dir, to);
	if (r < 0) {
		pgofs_catalog_forget(t->catalog, from_dir);
		pgofs_catalog_forget(t->catalog, to_dir);
		return r;
	}
	pgofs_catalog_note_put(t->catalog, to, &stored);
	pgofs_catalog_note_remove(t->catalog, from);
	stay_if_empty(t, from_dir);
	return 0;
}
