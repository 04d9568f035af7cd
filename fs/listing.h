/* What a directory of the storage held when it was listed: sorted, shared, unchanging while anybody else looks at it.
 *
 * Threads: counting is atomic. The functions that change a listing want the only reference to it, or make a copy: the
 * caller serialises them (the catalog, under its lock). */
#pragma once

#include <pgofs/backend.h>
#include <pgofs/cleanup.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgofs_item {
	const char *name;    /* lives as long as the listing */
	const char *version; /* "" for a directory */
	uint64_t size_bytes;
	int64_t mtime_ns;
	bool is_dir;
};

struct pgofs_listing {
	atomic_uint refs;
	size_t n;
	size_t cap;
	struct pgofs_item *items; /* in byte order of their names, each name once */
	struct pgofs_text *texts; /* where names and versions live */
	bool is_bare;             /* sizes, times and versions of some items are not known */
	size_t memory_bytes;      /* about what all of it takes */
};

/* Empty, with one reference; NULL when memory is out. */
struct pgofs_listing *pgofs_listing_new(void);
struct pgofs_listing *pgofs_listing_ref(struct pgofs_listing *l);
void pgofs_listing_unref(struct pgofs_listing *l);
PGOFS_DEFINE_FREEP(struct pgofs_listing, pgofs_listing_unref)

/* Adds or replaces. Cheapest when names come in byte order. -ENOMEM, the listing unchanged. */
int pgofs_listing_set(struct pgofs_listing *l, const char *name, bool is_dir, const struct pgofs_stored *stored);

/* Nothing happens where the name is not there. */
void pgofs_listing_drop(struct pgofs_listing *l, const char *name);

/* The first item whose name is not before `name`; n where all are. */
size_t pgofs_listing_seek(const struct pgofs_listing *l, const char *name);

const struct pgofs_item *pgofs_listing_find(const struct pgofs_listing *l, const char *name);

/* Makes *l one that may be changed: itself where nobody else holds it, else a copy in its place. -ENOMEM. */
int pgofs_listing_own(struct pgofs_listing **l);
