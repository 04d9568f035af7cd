/* What the files that make up the tree share: tree.c (reading), tree-write.c (one change), tree-remove.c (many removals). */
#pragma once

#include "catalog.h"
#include "made.h"
#include "path.h"
#include "rollup.h"
#include "selection.h"
#include "tree.h"
#include "view.h"

struct pgofs_tree {
	struct pgofs_tree_config config;
	struct pgofs_backend *backend;
	struct pgofs_catalog *catalog;
	struct pgofs_selections *selections;
	struct pgofs_rollups *rollups; /* NULL: none are used */
	struct pgofs_views *views;
	struct pgofs_made *made;
	atomic_bool ending;
	atomic_uint_fast64_t n_stored, n_refused, n_removed;
};

/* pgofs_path_parse in the words of a lookup: what is outside the grammar is not there (-ENOENT). */
int pgofs_tree_parse(const char *path, struct pgofs_path *ret, struct pgofs_error *err);

/* Is this directory there? 0, -ENOENT, or what storage says. */
int pgofs_tree_find_dir(struct pgofs_tree *t, const struct pgofs_path *p, struct pgofs_error *err);

/* The app of a path, or NULL for all. Writes to `buf`. */
const char *pgofs_tree_app_of(const struct pgofs_path *p, char buf[static PGOFS_APP_MAX + 1]);
