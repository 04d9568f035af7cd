/* Parts that are stored: of an hour, or a day, that is over.
 *
 *	.pgofs/rollup/APP/YYYY/MM/DD/HH-FINGERPRINT.edges       the part of an hour
 *	.pgofs/rollup/APP/YYYY/MM/DD/HH-FINGERPRINT.minutes     the parts of its minutes, in one
 *	.pgofs/rollup/APP/YYYY/MM/DD/day-FINGERPRINT.edges      the part of a day
 *
 * The fingerprint is of exactly the inputs (parts.h), so using one takes one get and no listing: it is there, or there is none of these
 * inputs. All of it may be deleted at any time. Nothing here fails a reader: what cannot be read is not there, what cannot be stored is
 * not stored.
 *
 * Threads: any; a queue belongs to one thread at a time. */
#pragma once

#include "patience.h"
#include "selection.h"

#include <pgofs/backend.h>
#include <pgofs/buf.h>

struct pgofs_rollups;

struct pgofs_rollups_config {
	struct pgofs_backend *backend; /* borrowed */
	bool writable;
	unsigned n_parallel;
	size_t max_bytes; /* of one part, inflated, and of what is stored: what is larger is not there */
};

struct pgofs_rollups *pgofs_rollups_new(const struct pgofs_rollups_config *config);
void pgofs_rollups_free(struct pgofs_rollups *r);

/* May anything be stored now? Not for some minutes after the storage refused it. */
bool pgofs_rollups_may_store(const struct pgofs_rollups *r);

#define PGOFS_ROLLUP_DAY 24
#define PGOFS_ROLLUPS    25 /* of a directory: 24 hours and the day */

struct pgofs_rollup {
	const char *dir; /* "APP/YYYY/MM/DD" */
	int of;          /* an hour, or PGOFS_ROLLUP_DAY */
	const uint8_t *fingerprint;
};

/* The part, checked, with one reference. -ENOENT. */
int pgofs_rollups_get(struct pgofs_rollups *r, const struct pgofs_rollup *which, struct pgofs_bytes **ret);

/* The part of some minutes of an hour, from `first` up to but not including `end`. -ENOENT. */
int pgofs_rollups_get_minutes(struct pgofs_rollups *r, const struct pgofs_rollup *which, unsigned first, unsigned end,
			      struct pgofs_bytes **ret);

/* ---- storing ---- */

/* The parts of an hour's minutes, gathered in ascending order. Starts as zeros. */
struct pgofs_rollup_minutes {
	uint32_t bytes[60];
	struct pgofs_buf gzip;
	int result; /* the first failure */
};
void pgofs_rollup_minutes_add(struct pgofs_rollup_minutes *m, unsigned minute, const struct pgofs_bytes *part);
void pgofs_rollup_minutes_done(struct pgofs_rollup_minutes *m);

/* What waits to be stored: a few at a time, side by side. */
struct pgofs_rollups_queue {
	struct pgofs_rollups *rollups;
	const struct pgofs_patience *patience; /* nullable */
	struct pgofs_rollup_object *objects;   /* owned */
	size_t n, cap, bytes;
};

/* `minutes` may be NULL. */
void pgofs_rollups_put(struct pgofs_rollups_queue *q, const struct pgofs_rollup *which, const struct pgofs_bytes *part,
		       const struct pgofs_rollup_minutes *minutes);
void pgofs_rollups_flush(struct pgofs_rollups_queue *q);
void pgofs_rollups_queue_done(struct pgofs_rollups_queue *q);

/* What ought to be stored of a directory. */
struct pgofs_rollups_of_day {
	const char *dir;
	bool known[PGOFS_ROLLUPS];                 /* else it stays, whatever it is */
	const uint8_t *fingerprint[PGOFS_ROLLUPS]; /* NULL: none */
};

/* Removes what is stored and ought not to be. Below 0, after which nothing is stored for some minutes: what the storage says, and -ENOMEM. */
int pgofs_rollups_sweep(struct pgofs_rollups *r, const struct pgofs_rollups_of_day *day);

/* A directory is gone, with all its profiles. `r` may be NULL: none are kept. */
void pgofs_rollups_forget(struct pgofs_rollups *r, const char *dir);

struct pgofs_rollups_stats {
	uint64_t n_used, n_absent, n_stored;
};
void pgofs_rollups_stats(const struct pgofs_rollups *r, struct pgofs_rollups_stats *ret);
