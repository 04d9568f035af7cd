/* What is stored, as far as it is known here: a cache of the storage's directories.
 *
 * A listing is believed for refresh_ns from the moment it was asked for. A change made here is patched into what is known, also
 * into a listing that is just under way, so that it shows in the next lookup and nothing is listed again because of it.
 *
 * Threads: every function may be called from any thread. One mutex, never held across storage; it is the innermost lock. */
#pragma once

#include "listing.h"

#include <pgofs/backend.h>
#include <pgofs/cleanup.h>
#include <pgofs/error.h>

#include <stdint.h>

struct pgofs_catalog;

struct pgofs_catalog_config {
	struct pgofs_backend *backend; /* borrowed */
	int64_t refresh_ns;
	uint64_t memory_bytes;   /* listings beyond it are forgotten, least recently used first */
	int64_t (*now_ns)(void); /* the clock that refresh_ns is measured on */
};

int pgofs_catalog_new(const struct pgofs_catalog_config *config, struct pgofs_catalog **ret, struct pgofs_error *err);
void pgofs_catalog_free(struct pgofs_catalog *c);
PGOFS_DEFINE_FREEP(struct pgofs_catalog, pgofs_catalog_free)

/* The entries of `dir` that belong to the tree (pgofs_path_shows), with one reference; empty where nothing is. `dir` is one of the places
 * ROOT to DAY. One call to the storage for all who ask at the same time. -EFBIG a directory too large for the memory bound. */
int pgofs_catalog_list(struct pgofs_catalog *c, const char *dir, struct pgofs_listing **ret, struct pgofs_error *err);

/* The same for who wants names alone: what comes may be bare (listing.h), and then cost the storage half. */
int pgofs_catalog_names(struct pgofs_catalog *c, const char *dir, struct pgofs_listing **ret, struct pgofs_error *err);

/* As pgofs_catalog_list, without going to the storage: NULL where that would be needed. */
struct pgofs_listing *pgofs_catalog_peek(struct pgofs_catalog *c, const char *dir);

/* A profile was stored, or removed, here. */
void pgofs_catalog_note_put(struct pgofs_catalog *c, const char *path, const struct pgofs_stored *stored);
void pgofs_catalog_note_remove(struct pgofs_catalog *c, const char *path);

/* An empty directory was removed here. */
void pgofs_catalog_note_rmdir(struct pgofs_catalog *c, const char *dir);

/* Nothing is known of this directory any more: a change to it ended in doubt. NULL: of any. */
void pgofs_catalog_forget(struct pgofs_catalog *c, const char *dir);

/* How many of the above there were so far: while it stays the same, nothing was changed here. Takes no lock. */
uint64_t pgofs_catalog_n_noted(const struct pgofs_catalog *c);

struct pgofs_catalog_stats {
	uint64_t n_listed; /* asked of the storage */
	uint64_t n_known;  /* answered from here */
	uint64_t asked_ns; /* wall time the storage took, added up over those who asked side by side */
	uint64_t n_dirs;
	uint64_t memory_bytes;
};
void pgofs_catalog_stats(struct pgofs_catalog *c, struct pgofs_catalog_stats *ret);
