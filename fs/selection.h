/* The stored profiles of a window: which, in which order, and a fingerprint of exactly that set.
 *
 * Immutable once made; holds the listings it points into. Belongs to one thread at a time. */
#pragma once

#include "catalog.h"
#include "window.h"

#include <pgofs/name.h>

#include <stddef.h>
#include <stdint.h>

#define PGOFS_FINGERPRINT_SIZE 32

struct pgofs_input {
	const char *dir; /* "APP/YYYY/MM/DD" */
	const struct pgofs_item *item;
	int64_t taken_ns;
};

struct pgofs_selection {
	struct pgofs_input *inputs; /* in byte order of their paths */
	size_t n;
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE]; /* SHA-256 of every path, version and size */
	int64_t newest_mtime_ns;
	struct pgofs_days *days; /* what the inputs point into */
};

/* The profiles of `app`, or of all where it is NULL, that were taken in the window. May be empty. Lists what is not known, n_parallel
 * directories at a time. */
int pgofs_selection_new(struct pgofs_catalog *c, const char *app, const struct pgofs_window *window,
			unsigned n_parallel, struct pgofs_selection **ret, struct pgofs_error *err);
void pgofs_selection_free(struct pgofs_selection *s);
PGOFS_DEFINE_FREEP(struct pgofs_selection, pgofs_selection_free)

/* The input's path. */
char *pgofs_input_path(char buf[static PGOFS_PATH_SIZE], const struct pgofs_input *input);

/* The directories, from `app` (or every app) down to days, that the window touches and that are in the storage: each level's paths, in byte
 * order of "PATH/". Used to walk a part of the tree; the window may be the whole of time. */
struct pgofs_dirs {
	char **paths;
	size_t n, cap;
};
int pgofs_days_of(struct pgofs_catalog *c, const char *app, const struct pgofs_window *window, unsigned n_parallel,
		  struct pgofs_dirs *ret, struct pgofs_error *err);
void pgofs_dirs_done(struct pgofs_dirs *d);
