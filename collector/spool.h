/* Profiles that were collected and not delivered yet: in order, bounded in bytes and in age, on disk where a directory was given.
 *
 * Every app is a lane of its own, delivered in the order the profiles were taken: trouble with one app's directory holds up no other's. On
 * disk the spool is the tree itself, APP/YYYY/MM/DD/NAME, so any tool can rescue what is in it.
 *
 * Threads: one thread adds, one takes (and ends what it took); the rest is for any. One lock, the spool's own, never held over
 * the disk. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>

#include <stdbool.h>
#include <stdint.h>

struct spool;

struct spool_config {
	const char *dir;  /* NULL: in memory only */
	const char *into; /* where its profiles go in the end: it may not lie in that, nor that in it */
	uint64_t max_bytes;
	uint64_t max_memory_bytes; /* of those that are in memory, be it that the disk refuses them */
	int64_t max_age_ns;        /* of one that cannot be delivered, since the time in its name; 0: no limit */
};

/* Opens, and finds what an earlier run left. -EBUSY another process has this directory; -EINVAL it is not ours to remove files from; else what
 * the disk said. */
int spool_open(const struct spool_config *config, struct spool **ret, struct pgofs_error *err);
void spool_free(struct spool *s);
PGOFS_DEFINE_FREEP(struct spool, spool_free)

/* Takes a profile in; drops the oldest ones where there is no room. `app` may be "". After 0 it survives kill -9, given a directory. 1: the disk
 * refused it, as the words say, and it is held in memory until the disk takes it. -EFBIG larger than the whole spool, -ENOMEM: not taken. */
int spool_add(struct spool *s, const char *app, const char *path, struct pgofs_bytes *bytes, struct pgofs_error *err);

/* Tries to write to disk what it refused. So does spool_add, once the disk takes something again. For the thread that adds. */
void spool_persist(struct spool *s);

/* One profile being delivered. Its fields do not change while it is taken. */
struct spool_entry {
	const char *app;
	const char *path; /* under --into */
	uint64_t size_bytes;
	int64_t taken_ns;
};

/* Waits for the oldest profile of a lane that is not waiting out a failure. NULL: spool_stop was called. */
const struct spool_entry *spool_take(struct spool *s);

/* Its bytes. -ENOENT, -EBADMSG: somebody removed or changed the file; else what the disk said. */
int spool_read(struct spool *s, const struct spool_entry *e, struct pgofs_bytes **ret, struct pgofs_error *err);

/* Ends what spool_take began: it is where it should be, or must be given up; or is left to the next start, with its file; or its lane is to be
 * tried again later (1 s, doubling to 60 s). */
void spool_done(struct spool *s, const struct spool_entry *e);
void spool_leave(struct spool *s, const struct spool_entry *e);
void spool_postpone(struct spool *s, const struct spool_entry *e);

/* From here on every lane is tried at once, and not again after a failure. */
void spool_drain(struct spool *s);

/* Nothing is taken, and nothing is left but lanes that wait out a failure. */
bool spool_settled(struct spool *s);

/* spool_take returns NULL from now on. */
void spool_stop(struct spool *s);

struct spool_stats {
	uint64_t n;
	uint64_t n_in_memory; /* of these, how many a kill would lose */
	uint64_t bytes;
	int64_t oldest_ns; /* when the oldest was taken; 0 when empty */
	uint64_t n_dropped_full;
	uint64_t n_dropped_old;
};
void spool_stats(struct spool *s, struct spool_stats *ret);
