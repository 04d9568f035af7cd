/* Removing many profiles: `prune` and `rm -r`. What is to go is found day by day and removed in batches, which is a request for
 * each thousand on a storage that can; each key's own outcome is reported, and what was removed is forgotten at once. A failure may have done
 * it all the same, so the next lookup asks. */
#include "tree-impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 1000

struct removing {
	struct pgofs_tree *t;
	pgofs_tree_removed_fn each;
	void *context;
	bool dry_run;
	struct pgofs_error *err;
	int result; /* the first failure */

	char *keys[BATCH_MAX];
	uint64_t sizes[BATCH_MAX];
	int outcomes[BATCH_MAX];
	size_t n;
};

static void report(struct removing *r, size_t i, int outcome)
{
	if (r->each)
		r->each(r->context, r->keys[i], r->sizes[i], outcome);
}

static void note(struct removing *r, const char *key, int outcome)
{
	char dir[PGOFS_PATH_SIZE];
	if (outcome < 0) {
		pgofs_catalog_forget(r->t->catalog, pgofs_path_parent(dir, key));
		return;
	}
	r->t->n_removed++;
	pgofs_catalog_note_remove(r->t->catalog, key);
}

static int remove_batch(struct removing *r)
{
	struct pgofs_error words = { "" };
	int result = 0;
	if (!r->dry_run && r->n)
		result =
		    pgofs_backend_remove_many(r->t->backend, (const char *const *)r->keys, r->n, r->outcomes, &words);
	for (size_t i = 0; i < r->n; i++) {
		int outcome = r->dry_run ? 0 : result < 0 ? result : r->outcomes[i];
		if (!r->dry_run)
			note(r, r->keys[i], outcome);
		if (outcome < 0 && r->result == 0) {
			r->result = outcome;
			pgofs_error_set(r->err, outcome, "%s", words.text);
		}
		report(r, i, outcome);
		free(r->keys[i]);
	}
	r->n = 0;
	return result;
}

static int add_key(struct removing *r, const char *dir, const struct pgofs_item *item)
{
	char path[PGOFS_PATH_SIZE];
	int result = pgofs_path_join(path, dir, item->name);
	if (result < 0)
		return result;
	r->keys[r->n] = strdup(path);
	if (!r->keys[r->n])
		return pgofs_error_errno(r->err, -ENOMEM, "remove %s", path);
	r->sizes[r->n++] = item->size_bytes;
	return r->n == BATCH_MAX ? remove_batch(r) : 0;
}

/* When nothing is left of the day. */
static void forget_rollups(const struct removing *r, const char *dir)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *left = pgofs_catalog_peek(r->t->catalog, dir);
	if (!r->dry_run && left && !left->n)
		pgofs_rollups_forget(r->t->rollups, dir);
}

static int remove_from_day(struct removing *r, const char *dir, const struct pgofs_window *w)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	struct pgofs_path p;
	int result = pgofs_path_parse(dir, &p);
	if (result == 0)
		result = pgofs_catalog_list(r->t->catalog, dir, &l, r->err);
	for (size_t i = 0; result == 0 && i < l->n; i++) {
		int64_t taken_ns = pgofs_taken_ns(p.days, l->items[i].name, l->items[i].mtime_ns);
		if (taken_ns >= w->from_ns && taken_ns < w->to_ns)
			result = add_key(r, dir, &l->items[i]);
	}
	int last = remove_batch(r);
	forget_rollups(r, dir);
	return result < 0 ? result : last;
}

static int remove_window(struct removing *r, const char *app, const struct pgofs_window *w, struct pgofs_dirs *ret_days)
{
	const struct pgofs_walk walk = {
		.catalog = r->t->catalog, .app = app, .window = w, .n_parallel = r->t->config.n_fetch
	};
	int result = pgofs_days_of(&walk, ret_days, r->err);
	for (size_t i = 0; result == 0 && i < ret_days->n; i++)
		result = remove_from_day(r, ret_days->paths[i], w);
	return result < 0 ? result : r->result;
}

static int remove_all(struct removing *r, const char *app, const struct pgofs_window *w, struct pgofs_dirs *ret_days)
{
	if (r->t->config.read_only && !r->dry_run)
		return pgofs_error_errno(r->err, -EROFS, "remove profiles");
	return remove_window(r, app, w, ret_days);
}

int pgofs_tree_prune(struct pgofs_tree *t, const struct pgofs_prune *what, struct pgofs_error *err)
{
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs days = { 0 };
	_cleanup_(pgofs_freep) struct removing *r = calloc(1, sizeof *r);
	if (!r)
		return pgofs_error_errno(err, -ENOMEM, "prune");
	if (what->app && !pgofs_app_valid(what->app, strlen(what->app)))
		return pgofs_error_set(err, -EINVAL, "%s: no app can be called this", what->app);
	if (what->before_ns <= 0)
		return 0;
	*r = (struct removing){
		.t = t, .each = what->each, .context = what->context, .dry_run = what->dry_run, .err = err
	};
	return remove_all(r, what->app, &(struct pgofs_window){ 0, what->before_ns }, &days);
}

/* The instants a directory's name stands for. */
static struct pgofs_window window_of(const struct pgofs_path *p)
{
	int64_t first = p->days, next = first + 1;
	if (p->place == PGOFS_PLACE_APP)
		return (struct pgofs_window){ 0, INT64_MAX };
	if (p->place == PGOFS_PLACE_YEAR) {
		pgofs_days_from_date(p->year, 12, 31, &next);
		next++;
	} else if (p->place == PGOFS_PLACE_MONTH) {
		while (pgofs_days_from_date(p->year, p->month, (int)(next - first) + 1, &(int64_t){ 0 }) == 0)
			next++;
	}
	return (struct pgofs_window){ first * PGOFS_NS_PER_DAY, next * PGOFS_NS_PER_DAY };
}

/* Where storage has directories of its own, empty ones may be left. No deeper than the tree is. */
static int remove_dirs(struct pgofs_tree *t, const char *dir, struct pgofs_error *err)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	int r = pgofs_catalog_list(t->catalog, dir, &l, err);
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		char child[PGOFS_PATH_SIZE];
		if (!l->items[i].is_dir)
			return pgofs_error_errno(err, -ENOTEMPTY, "remove %s", dir);
		r = pgofs_path_join(child, dir, l->items[i].name);
		if (r == 0)
			r = remove_dirs(t, child, err);
	}
	if (r < 0)
		return r;
	r = pgofs_backend_remove_dir(t->backend, dir, err);
	if (r < 0)
		pgofs_catalog_forget(t->catalog, dir);
	else
		pgofs_catalog_note_rmdir(t->catalog, dir);
	return r;
}

int pgofs_tree_remove_under(struct pgofs_tree *t, const char *path, pgofs_tree_removed_fn each, void *context,
			    struct pgofs_error *err)
{
	char app[PGOFS_APP_MAX + 1];
	_cleanup_(pgofs_dirs_done) struct pgofs_dirs days = { 0 };
	_cleanup_(pgofs_freep) struct removing *r = calloc(1, sizeof *r);
	struct pgofs_path p;
	int result = r ? pgofs_tree_parse(path, &p, err) : pgofs_error_errno(err, -ENOMEM, "remove %s", path);
	if (result < 0)
		return result;
	if (p.place == PGOFS_PLACE_ROOT || p.place == PGOFS_PLACE_MERGED_DIR || p.place == PGOFS_PLACE_MERGED)
		return pgofs_error_errno(err, -EPERM, "remove %s", *path ? path : "the root");
	if (p.place == PGOFS_PLACE_PROFILE)
		return pgofs_error_errno(err, -ENOTDIR, "remove %s", path);
	result = pgofs_tree_find_dir(t, &p, err);
	if (result < 0)
		return result;

	struct pgofs_window w = window_of(&p);
	*r = (struct removing){ .t = t, .each = each, .context = context, .err = err };
	result = remove_all(r, pgofs_tree_app_of(&p, app), &w, &days);
	if (result == 0)
		result = remove_dirs(t, path, err);
	if (result == 0)
		pgofs_made_remove_under(t->made, path);
	return result;
}
