/* Reading the tree: a path to a node, a directory to its entries, a node to its bytes.
 *
 * Nothing is kept here: what is stored the catalog knows, what was computed the views, what was made by hand `made`. A path's
 * words say which of them to ask. */
#include "stats.h"
#include "tree-impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a window is selected anew when its inputs change during the merge; after that what is gone is left out. */
#define SELECT_AGAIN_MAX 3
#define ATTEMPTS_MAX     8

/* Many are held at the same time. The edges of a large program in a day are a few MiB. */
#define ROLLUP_MAX (8 * PGOFS_MIB)

static int make_parts(struct pgofs_tree *t, struct pgofs_error *err)
{
	const struct pgofs_tree_config *c = &t->config;
	const struct pgofs_catalog_config catalog = {
		.backend = t->backend,
		.refresh_ns = c->refresh_ns,
		.memory_bytes = c->memory_bytes / 4,
		.now_ns = c->now_ns ? c->now_ns : pgofs_monotonic_ns,
	};
	const struct pgofs_rollups_config rollups = {
		.backend = t->backend,
		.writable = !c->read_only,
		.n_parallel = c->n_fetch,
		.max_bytes = ROLLUP_MAX,
	};
	if (!c->no_rollups && !(t->rollups = pgofs_rollups_new(&rollups)))
		return pgofs_error_errno(err, -ENOMEM, "tree");
	/* In 16ths of the memory: the listings of a day of half a million profiles take 60 MiB, a standing merge of a thousand profiles 80. */
	uint64_t share = c->memory_bytes / 16, merges = c->reads_again ? 2 : 4, others = c->reads_again ? 1 : 2;
	const struct pgofs_views_config views = {
		.backend = t->backend,
		.rollups = t->rollups,
		.now_ns = c->now_ns ? c->now_ns : pgofs_now_ns,
		.stored_max_bytes = c->stored_max_bytes,
		.raw_max_bytes = c->raw_max_bytes,
		.memory_bytes = merges * share,
		.parts_bytes = merges * share,
		.standings_bytes = c->reads_again ? 6 * share : 0,
		.gather_bytes = others * share,
		.n_fetch = c->n_fetch,
		.progress = c->progress,
		.progress_context = c->progress_context,
	};
	t->made = pgofs_made_new();
	t->selections = pgofs_selections_new(others * share);
	if (!t->made || !t->selections)
		return pgofs_error_errno(err, -ENOMEM, "tree");
	int r = pgofs_catalog_new(&catalog, &t->catalog, err);
	return r < 0 ? r : pgofs_views_new(&views, &t->views, err);
}

int pgofs_tree_new(struct pgofs_backend *backend, const struct pgofs_tree_config *config, struct pgofs_tree **ret,
		   struct pgofs_error *err)
{
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = calloc(1, sizeof *t);
	if (!t) {
		pgofs_backend_free(backend);
		return pgofs_error_errno(err, -ENOMEM, "tree");
	}
	t->backend = backend;
	t->config = *config;
	int r = make_parts(t, err);
	if (r == 0)
		*ret = STEAL(t);
	return r;
}

void pgofs_tree_free(struct pgofs_tree *t)
{
	if (!t)
		return;
	pgofs_views_free(t->views);
	pgofs_rollups_free(t->rollups);
	pgofs_selections_free(t->selections);
	pgofs_catalog_free(t->catalog);
	pgofs_made_free(t->made);
	pgofs_backend_free(t->backend);
	free(t);
}

struct pgofs_backend *pgofs_tree_backend(struct pgofs_tree *t)
{
	return t->backend;
}

const struct pgofs_tree_config *pgofs_tree_config(const struct pgofs_tree *t)
{
	return &t->config;
}

void pgofs_node_done(struct pgofs_node *n)
{
	pgofs_snapshot_unref(STEAL(n->snapshot));
}

int pgofs_tree_parse(const char *path, struct pgofs_path *ret, struct pgofs_error *err)
{
	int r = pgofs_path_parse(path, ret);
	if (r == -EINVAL)
		return pgofs_error_set(err, -ENOENT, "%s: no such file or directory", path);
	if (r < 0)
		return pgofs_error_errno(err, r, "%s", path);
	return 0;
}

const char *pgofs_tree_app_of(const struct pgofs_path *p, char buf[static PGOFS_APP_MAX + 1])
{
	if (!p->app_len)
		return NULL;
	memcpy(buf, p->text, p->app_len);
	buf[p->app_len] = '\0';
	return buf;
}

static int64_t now_ns(const struct pgofs_tree *t)
{
	return t->config.now_ns ? t->config.now_ns() : pgofs_now_ns();
}

/* ---- what is at a path ---- */

static int absent(const char *path, struct pgofs_error *err)
{
	return pgofs_error_errno(err, -ENOENT, "%s", *path ? path : "the root");
}

int pgofs_tree_find_dir(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_error *err)
{
	char path[PGOFS_PATH_SIZE], above[PGOFS_PATH_SIZE];
	strcpy(path, p->text);
	if (p->place == PGOFS_PLACE_MERGED_DIR) /* is there whenever what it merges is */
		pgofs_path_parent(path, p->text);
	if (!*path || pgofs_made_has(t->made, path))
		return 0;

	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	const char *slash = strrchr(path, '/');
	int r = pgofs_catalog_list(t->catalog, pgofs_path_parent(above, path), &l, err);
	if (r < 0)
		return r;
	return pgofs_listing_find(l, slash ? slash + 1 : path) ? 0 : absent(p->text, err);
}

static int lookup_dir(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_node *ret, struct pgofs_error *err)
{
	int r = pgofs_tree_find_dir(t, p, err);
	if (r < 0)
		return r;
	*ret = (struct pgofs_node){
		.kind = p->place == PGOFS_PLACE_MERGED_DIR ? PGOFS_NODE_MERGED_DIR : PGOFS_NODE_DIR,
		.mtime_ns = p->days * PGOFS_NS_PER_DAY,
	};
	return 0;
}

static int lookup_profile(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_node *ret,
			  struct pgofs_error *err)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	char dir[PGOFS_PATH_SIZE];
	int r = pgofs_catalog_list(t->catalog, pgofs_path_parent(dir, p->text), &l, err);
	if (r < 0)
		return r;
	const struct pgofs_item *item = pgofs_listing_find(l, p->name);
	if (!item)
		return absent(p->text, err);
	*ret = (struct pgofs_node){
		.kind = PGOFS_NODE_PROFILE,
		.size_bytes = item->size_bytes,
		.mtime_ns = item->mtime_ns,
	};
	strcpy(ret->version, item->version); /* it came from a pgofs_stored, so it fits */
	return 0;
}

static void forget_days(struct pgofs_tree *t, const struct pgofs_selection *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (i == 0 || s->inputs[i].dir != s->inputs[i - 1].dir)
			pgofs_catalog_forget(t->catalog, s->inputs[i].dir);
}

static struct pgofs_patience patience_of(const struct pgofs_tree *t)
{
	return (struct pgofs_patience){ .ending = &t->ending,
					.until_ns =
					    t->config.merge_ns ? pgofs_monotonic_ns() + t->config.merge_ns : 0 };
}

static int select_window(struct pgofs_tree *t, const struct pgofs_path *p, const struct pgofs_window *window,
			 const struct pgofs_patience *patience, struct pgofs_selection **ret, struct pgofs_error *err)
{
	char app[PGOFS_APP_MAX + 1];
	const struct pgofs_walk walk = { .catalog = t->catalog,
					 .app = pgofs_tree_app_of(p, app),
					 .window = window,
					 .n_parallel = t->config.n_fetch,
					 .patience = patience };
	return pgofs_selections_get(t->selections, &walk, ret, err);
}

static int take_snapshot(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_snapshot **ret,
			 struct pgofs_error *err)
{
	const struct pgofs_patience patience = patience_of(t);
	struct pgofs_window window;
	enum pgofs_view view;
	if (pgofs_merged_name_parse(p->name, now_ns(t), &window, &view) < 0)
		return pgofs_error_set(err, -ENOENT, "%s: no window and view have this name", p->text);

	int r = -ESTALE;
	for (int attempt = 0; r == -ESTALE && attempt < ATTEMPTS_MAX; attempt++) {
		_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s = NULL;
		r = select_window(t, p, &window, &patience, &s, err);
		if (r < 0)
			return pgofs_error_wrap(err, r, "%s", p->text);
		if (!s->n)
			return pgofs_error_set(err, -ENOENT, "%s: no profile was taken in this window", p->text);
		const struct pgofs_views_wanted wanted = { .selection = s,
							   .view = view,
							   .without_gone = attempt >= SELECT_AGAIN_MAX,
							   .patience = &patience,
							   .standing = window.to_ns > now_ns(t) ? p->text : NULL };
		r = pgofs_views_get(t->views, &wanted, ret, err);
		if (r == -ESTALE)
			forget_days(t, s);
	}
	if (r < 0)
		pgofs_error_wrap(err, r, "%s", p->text);
	return r == -ESTALE ? -EIO : r;
}

static int lookup_merged(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_node *ret,
			 struct pgofs_error *err)
{
	struct pgofs_snapshot *s = NULL;
	int r = take_snapshot(t, p, &s, err);
	if (r < 0)
		return r;
	*ret = (struct pgofs_node){
		.kind = PGOFS_NODE_MERGED,
		.size_bytes = s->bytes->len,
		.mtime_ns = s->mtime_ns,
		.snapshot = s,
	};
	return 0;
}

int pgofs_tree_lookup(struct pgofs_tree *t, const char *path, struct pgofs_node *ret, struct pgofs_error *err)
{
	struct pgofs_path p;
	int r = pgofs_tree_parse(path, &p, err);
	if (r < 0)
		return r;
	if (p.place == PGOFS_PLACE_PROFILE)
		return lookup_profile(t, &p, ret, err);
	if (p.place == PGOFS_PLACE_MERGED)
		return lookup_merged(t, &p, ret, err);
	return lookup_dir(t, &p, ret, err);
}

/* ---- what is in a directory ---- */

struct names {
	char (*items)[PGOFS_APP_MAX + 1]; /* an app's is the longest name a directory has */
	size_t n, cap;
};

static void names_done(struct names *names)
{
	free(names->items);
}

static int add_name(void *context, const char *name)
{
	struct names *names = context;
	if (strlen(name) > PGOFS_APP_MAX)
		return 0;
	if (names->n == names->cap) {
		size_t cap = names->cap ? names->cap * 2 : 32;
		void *items = reallocarray(names->items, cap, sizeof *names->items);
		if (!items)
			return -ENOMEM;
		names->items = items;
		names->cap = cap;
	}
	strcpy(names->items[names->n++], name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Directories: what is stored, what was made here, and merged/. */
static int list_dirs(struct pgofs_tree *t, const struct pgofs_path *p, const struct pgofs_listing *l,
		     pgofs_tree_entry_fn each, void *context, struct pgofs_error *err)
{
	_cleanup_(names_done) struct names names = { 0 };
	bool has_merged = p->place == PGOFS_PLACE_ROOT || p->place == PGOFS_PLACE_APP;
	int r = has_merged ? add_name(&names, "merged") : 0;
	for (size_t i = 0; i < l->n && r == 0; i++)
		r = add_name(&names, l->items[i].name);
	if (r == 0)
		r = pgofs_made_each_under(t->made, p->text, add_name, &names);
	if (r < 0)
		return pgofs_error_errno(err, r, "list %s", p->text);

	if (names.n)
		qsort(names.items, names.n, sizeof *names.items, compare_names);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		struct pgofs_path child;
		char path[PGOFS_PATH_SIZE];
		if (i && !strcmp(names.items[i], names.items[i - 1]))
			continue;
		if (pgofs_path_join(path, p->text, names.items[i]) < 0 || pgofs_path_parse(path, &child) < 0)
			continue;
		bool merged = child.place == PGOFS_PLACE_MERGED_DIR;
		r = each(context, &(struct pgofs_tree_entry){
				      .name = names.items[i],
				      .kind = merged ? PGOFS_NODE_MERGED_DIR : PGOFS_NODE_DIR,
				      .mtime_ns = child.days * PGOFS_NS_PER_DAY,
				  });
	}
	return r;
}

static int list_day(const struct pgofs_listing *l, pgofs_tree_entry_fn each, void *context)
{
	int r = 0;
	for (size_t i = 0; i < l->n && r == 0; i++) {
		const struct pgofs_item *item = &l->items[i];
		r = each(context, &(struct pgofs_tree_entry){
				      .name = item->name,
				      .kind = PGOFS_NODE_PROFILE,
				      .size_bytes = item->size_bytes,
				      .mtime_ns = item->mtime_ns,
				      .version = item->version,
				  });
	}
	return r;
}

static int list_window(struct pgofs_tree *t, const struct pgofs_path *p, const char *window_name,
		       pgofs_tree_entry_fn each, void *context, struct pgofs_error *err)
{
	const struct pgofs_patience patience = patience_of(t);
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s = NULL;
	struct pgofs_window window;
	int r = pgofs_window_parse(window_name, strlen(window_name), now_ns(t), &window);
	if (r == 0)
		r = select_window(t, p, &window, &patience, &s, err);
	if (r < 0 || !s->n)
		return r;
	for (size_t i = 0; i < PGOFS_N_LISTED_VIEWS && r == 0; i++) {
		char name[64];
		enum pgofs_view view = pgofs_listed_views[i];
		if (pgofs_views_known_unusable(t->views, s, view))
			continue;
		snprintf(name, sizeof name, "%s.%s", window_name, pgofs_view_suffix(view));
		r = each(context, &(struct pgofs_tree_entry){ .name = name, .kind = PGOFS_NODE_MERGED });
	}
	return r;
}

static int list_merged(struct pgofs_tree *t, const struct pgofs_path *p, pgofs_tree_entry_fn each, void *context,
		       struct pgofs_error *err)
{
	int r = pgofs_tree_find_dir(t, p, err);
	for (size_t i = 0; i < PGOFS_N_LISTED_WINDOWS && r == 0; i++)
		r = list_window(t, p, pgofs_listed_windows[i], each, context, err);
	return r;
}

int pgofs_tree_list(struct pgofs_tree *t, const char *path, pgofs_tree_entry_fn each, void *context,
		    struct pgofs_error *err)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	struct pgofs_path p;
	int r = pgofs_tree_parse(path, &p, err);
	if (r < 0)
		return r;
	if (p.place == PGOFS_PLACE_MERGED_DIR)
		return list_merged(t, &p, each, context, err);
	if (!pgofs_place_is_dir(p.place)) {
		struct pgofs_node node = { 0 };
		r = pgofs_tree_lookup(t, path, &node, err);
		pgofs_node_done(&node);
		return r < 0 ? r : pgofs_error_errno(err, -ENOTDIR, "%s", path);
	}

	r = pgofs_catalog_list(t->catalog, path, &l, err);
	if (r == 0 && !l->n)
		r = pgofs_tree_find_dir(t, &p, err);
	if (r < 0)
		return r;
	return p.place == PGOFS_PLACE_DAY ? list_day(l, each, context) : list_dirs(t, &p, l, each, context, err);
}

int pgofs_tree_day(struct pgofs_tree *t, const char *path, bool names_only, struct pgofs_listing **ret,
		   struct pgofs_error *err)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	struct pgofs_path p;
	*ret = NULL;
	int r = pgofs_tree_parse(path, &p, err);
	if (r < 0 || p.place != PGOFS_PLACE_DAY)
		return r;
	r = names_only ? pgofs_catalog_names(t->catalog, path, &l, err) : pgofs_catalog_list(t->catalog, path, &l, err);
	if (r == 0 && !l->n)
		r = pgofs_tree_find_dir(t, &p, err);
	if (r == 0)
		*ret = STEAL(l);
	return r;
}

uint64_t pgofs_tree_n_changes(const struct pgofs_tree *t)
{
	return pgofs_catalog_n_noted(t->catalog);
}

/* ---- what is in a file ---- */

static int read_profile(struct pgofs_tree *t, const char *path, const char *version, struct pgofs_bytes **ret,
			struct pgofs_error *err)
{
	char dir[PGOFS_PATH_SIZE];
	int r = pgofs_backend_get(t->backend, path, version, t->config.stored_max_bytes, ret, NULL, err);
	if (r == -ENOENT || r == -ESTALE)
		pgofs_catalog_forget(t->catalog, pgofs_path_parent(dir, path));
	return r;
}

static int read_now(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	if (p->place == PGOFS_PLACE_PROFILE)
		return read_profile(t, p->text, NULL, ret, err);
	if (p->place != PGOFS_PLACE_MERGED) {
		int r = pgofs_tree_find_dir(t, p, err);
		return r < 0 ? r : pgofs_error_errno(err, -EISDIR, "%s", *p->text ? p->text : "the root");
	}
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = NULL;
	int r = take_snapshot(t, p, &s, err);
	if (r == 0)
		*ret = pgofs_bytes_ref(s->bytes);
	return r;
}

int pgofs_tree_read(struct pgofs_tree *t, const char *path, const struct pgofs_node *node, struct pgofs_bytes **ret,
		    struct pgofs_error *err)
{
	struct pgofs_path p;
	if (node && node->snapshot) {
		*ret = pgofs_bytes_ref(node->snapshot->bytes);
		return 0;
	}
	int r = pgofs_tree_parse(path, &p, err);
	if (r < 0)
		return r;
	if (node && p.place == PGOFS_PLACE_PROFILE)
		return read_profile(t, path, node->version, ret, err);
	return read_now(t, &p, ret, err);
}

void pgofs_tree_refresh(struct pgofs_tree *t)
{
	pgofs_catalog_forget(t->catalog, NULL);
}

void pgofs_tree_end(struct pgofs_tree *t)
{
	atomic_store(&t->ending, true);
}

int pgofs_tree_stats(struct pgofs_tree *t, struct pgofs_buf *append_to)
{
	struct pgofs_catalog_stats c;
	struct pgofs_views_stats v;
	struct pgofs_rollups_stats rollups = { 0 };
	pgofs_catalog_stats(t->catalog, &c);
	pgofs_views_stats(t->views, &v);
	if (t->rollups)
		pgofs_rollups_stats(t->rollups, &rollups);
	const struct pgofs_stat rows[] = {
		{ "profiles_stored_total", t->n_stored },
		{ "profiles_refused_total", t->n_refused },
		{ "profiles_removed_total", t->n_removed },
		{ "listings_asked_total", c.n_listed },
		{ "listings_known_total", c.n_known },
		{ "listings_kept", c.n_dirs },
		{ "listings_bytes", c.memory_bytes },
		{ "merges_made_total", v.n_made },
		{ "merges_kept_hits_total", v.n_kept_hits },
		{ "merges_joined_total", v.n_joined },
		{ "merges_inputs_total", v.n_inputs },
		{ "merges_inputs_skipped_total", v.n_skipped },
		{ "merges_fetched_bytes_total", v.fetched_bytes },
		{ "merges_seconds_total", v.made_ns, .is_ns = true },
		{ "stage_list_seconds_total", c.asked_ns, .is_ns = true },
		{ "stage_fetch_seconds_total", v.stage_ns[PGOFS_STAGE_FETCH], .is_ns = true },
		{ "stage_inflate_seconds_total", v.stage_ns[PGOFS_STAGE_INFLATE], .is_ns = true },
		{ "stage_decode_and_merge_seconds_total", v.stage_ns[PGOFS_STAGE_FOLD], .is_ns = true },
		{ "stage_encode_seconds_total", v.stage_ns[PGOFS_STAGE_ENCODE], .is_ns = true },
		{ "stage_deflate_seconds_total", v.stage_ns[PGOFS_STAGE_DEFLATE], .is_ns = true },
		{ "merges_kept", v.n_kept },
		{ "merges_kept_bytes", v.memory_bytes },
		{ "parts_made_total", v.n_parts_made },
		{ "parts_used_total", v.n_parts_used },
		{ "parts_kept_bytes", v.parts_bytes },
		{ "runs_made_total", v.n_runs_made },
		{ "runs_used_total", v.n_runs_used },
		{ "standing_merges_bytes", v.standings_bytes },
		{ "rollups_used_total", rollups.n_used },
		{ "rollups_absent_total", rollups.n_absent },
		{ "rollups_stored_total", rollups.n_stored },
	};
	int r = pgofs_stats_print(rows, sizeof rows / sizeof rows[0], append_to);
	return r < 0 ? r : pgofs_backend_stats(t->backend, append_to);
}
