/* The stored profiles of a window: which, in which order, and a fingerprint of exactly that set.
 *
 * Immutable once made, and shared; holds the listings it points into. Threads: counting is atomic. */
#pragma once

#include "catalog.h"
#include "patience.h"
#include "window.h"

#include <pgofs/name.h>

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PGOFS_FINGERPRINT_SIZE 32

struct pgofs_input {
	const char *dir; /* "APP/YYYY/MM/DD" */
	const struct pgofs_item *item;
	int64_t taken_ns;
};

struct pgofs_selection {
	atomic_uint refs;
	struct pgofs_input *inputs; /* in byte order of their paths */
	size_t n;
	uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE]; /* SHA-256 of every path, version and size */
	int64_t newest_mtime_ns;
	struct pgofs_days *days; /* what the inputs point into */

	/* A window of the same days that begins after the first of these, not after the second; and ends after the third, not after the
	 * fourth, has the same inputs. */
	int64_t before_ns, first_ns, last_ns, after_ns;
};

struct pgofs_selection *pgofs_selection_ref(struct pgofs_selection *s);
void pgofs_selection_unref(struct pgofs_selection *s);
PGOFS_DEFINE_FREEP(struct pgofs_selection, pgofs_selection_unref)

/* A part of the tree to be walked: what is not known of it is listed, n_parallel directories at a time. */
struct pgofs_walk {
	struct pgofs_catalog *catalog;     /* borrowed, as what follows */
	const char *app;                   /* NULL: all of them */
	const struct pgofs_window *window; /* may be the whole of time */
	unsigned n_parallel;
	const struct pgofs_patience *patience; /* nullable */
};

/* Selections made lately. Threads: any; one mutex, which is a leaf. `max_bytes` bounds what is held, listings included. */
struct pgofs_selections;
struct pgofs_selections *pgofs_selections_new(uint64_t max_bytes);
void pgofs_selections_free(struct pgofs_selections *m);
PGOFS_DEFINE_FREEP(struct pgofs_selections, pgofs_selections_free)

/* The profiles that were taken in the window. May be empty. Where the listings are the very ones that an earlier selection was made of, and the
 * window has the same inputs, it is that selection again, and what this costs does not depend on their number. */
int pgofs_selections_get(struct pgofs_selections *m, const struct pgofs_walk *walk, struct pgofs_selection **ret,
			 struct pgofs_error *err);

/* All that the listings of these days have in an hour of the directory `dir`, one of the inputs'; also what is outside the window. In byte
 * order; *ret is for the caller to free. -ENOMEM. */
int pgofs_selection_hour(const struct pgofs_selection *s, const char *dir, int64_t hour_ns, struct pgofs_input **ret,
			 size_t *ret_n);

/* The input's path. */
char *pgofs_input_path(char buf[static PGOFS_PATH_SIZE], const struct pgofs_input *input);

/* Of the input's name: the same on every machine, with all bits alike. */
uint64_t pgofs_input_hash(const struct pgofs_input *input);

/* Adds to a digest what tells an input from any other: "PATH NUL VERSION NUL SIZE NUL". -ENOMEM. */
int pgofs_input_digest(EVP_MD_CTX *digest, const struct pgofs_input *input);

/* The days that the window touches and that are in the storage: their paths, in byte order of "PATH/". */
struct pgofs_dirs {
	char **paths;
	size_t n, cap;
};
int pgofs_days_of(const struct pgofs_walk *walk, struct pgofs_dirs *ret, struct pgofs_error *err);
void pgofs_dirs_done(struct pgofs_dirs *d);
