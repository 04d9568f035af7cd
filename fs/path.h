/* Where in the tree is this path? By its words alone: whether anything is there is the catalog's to say.
 *
 * Pure functions; any thread. Paths are as in tree.h: relative, no slash at either end, "" is the root. */
#pragma once

#include <pgofs/backend.h>
#include <pgofs/name.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pgofs_place {
	PGOFS_PLACE_ROOT,
	PGOFS_PLACE_APP,
	PGOFS_PLACE_YEAR,
	PGOFS_PLACE_MONTH,
	PGOFS_PLACE_DAY,
	PGOFS_PLACE_PROFILE,
	PGOFS_PLACE_MERGED_DIR, /* "merged" of the root (app_len 0) or of an app */
	PGOFS_PLACE_MERGED,
};

struct pgofs_path {
	enum pgofs_place place;
	const char *text; /* the whole path, borrowed */
	const char *name; /* its last segment, within `text` */
	size_t app_len;   /* bytes of `text` that are the app; 0 in the root and in the root's merged/ */
	int year, month;
	int64_t days; /* first day the place names, since 1970; 0 where it names none */
};

/* -EINVAL outside the grammar; -ENOTDIR beneath what can only be a file. */
int pgofs_path_parse(const char *text, struct pgofs_path *ret);

/* Can this place hold others? */
bool pgofs_place_is_dir(enum pgofs_place place);

/* Would an entry of this name, found in storage in directory `dir`, be a part of the tree? */
bool pgofs_path_shows(const struct pgofs_path *dir, const char *name, bool is_dir);

/* "a/b/c" -> "a/b", "a" -> "". Returns `buf`; `path` fits PGOFS_PATH_SIZE, as every path that parsed does. */
char *pgofs_path_parent(char buf[static PGOFS_PATH_SIZE], const char *path);

/* "" and "a" -> "a"; "a" and "b" -> "a/b". -ENAMETOOLONG. */
int pgofs_path_join(char buf[static PGOFS_PATH_SIZE], const char *dir, const char *name);
