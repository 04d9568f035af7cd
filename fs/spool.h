/* Files being written here, and files that live in this mount only.
 *
 * A spooled file is in memory. One whose path is a profile's is stored whole when it is closed or synced, and is gone from here then;
 * one with any other name ("x.tmp", ".x.pprof.AbCdEf") stays until it is renamed to a profile's, removed, or the mount ends.
 *
 * A file is `visible` while its name leads to it. A new file is visible from its creation until it is stored; one that
 * replaces a stored profile is not: until it is stored, the name means the profile that is there.
 *
 * Lock: one mutex for all of it, never held across storage: while a file is being stored, whoever would change it waits for
 * that storage operation's deadline at the longest. Any thread. */
#pragma once

#include "tree.h"

#include <sys/queue.h>
#include <sys/types.h>

struct pgofs_spool_config {
	size_t file_bytes_max;    /* beyond it: -EFBIG */
	uint64_t total_bytes_max; /* of all files: -ENOSPC */
	size_t n_files_max;       /* -ENOSPC */
};

struct pgofs_spool;
struct pgofs_spooled;

struct pgofs_spool *pgofs_spool_new(const struct pgofs_spool_config *config);
/* No file may be referenced any more. */
void pgofs_spool_free(struct pgofs_spool *s);
PGOFS_DEFINE_FREEP(struct pgofs_spool, pgofs_spool_free)

struct pgofs_spooled *pgofs_spooled_ref(struct pgofs_spooled *f);
void pgofs_spooled_unref(struct pgofs_spooled *f);
PGOFS_DEFINE_FREEP(struct pgofs_spooled, pgofs_spooled_unref)

/* A new empty file, visible, open once. `stores`: the path is a profile's. -EEXIST a visible one is there, -ENOSPC. */
int pgofs_spool_create(struct pgofs_spool *s, const char *path, bool stores, struct pgofs_spooled **ret,
		       struct pgofs_error *err);

/* What the name leads to, with one reference; else NULL. */
struct pgofs_spooled *pgofs_spool_find(struct pgofs_spool *s, const char *path);

/* Is there any file at all? Cheap: takes no lock. */
bool pgofs_spool_is_empty(struct pgofs_spool *s);

/* Is there a file, open or about to be opened, that will be stored at this path when closed? */
bool pgofs_spool_is_replacing(struct pgofs_spool *s, const char *path);

/* Replacing a file that others may have open must not change it under them, so it is replaced by a file of its own. Opening such a name with
 * O_TRUNC is answered ESTALE; the kernel then looks the name up once more, and for this thread of the caller's the name leads to a
 * new file, until it is opened. */
int pgofs_spool_reserve(struct pgofs_spool *s, const char *path, pid_t caller, struct pgofs_error *err);
struct pgofs_spooled *pgofs_spool_find_reserved(struct pgofs_spool *s, const char *path, pid_t caller);

/* Visible names directly in `dir`, in no order. A profile is not listed while it is being written. Not 0 ends the listing. */
typedef int (*pgofs_spool_entry_fn)(void *context, const char *name);
int pgofs_spool_list(struct pgofs_spool *s, const char *dir, pgofs_spool_entry_fn each, void *context);

/* -EFBIG, -ENOSPC: it outgrew a bound, which is put into words once a file. */
int pgofs_spooled_write(struct pgofs_spooled *f, const void *data, size_t len, uint64_t offset,
			struct pgofs_error *err);
int pgofs_spooled_truncate(struct pgofs_spooled *f, uint64_t len, struct pgofs_error *err);
/* Copies to `into` what there is of `len` bytes at `offset`, returns how many. */
size_t pgofs_spooled_read(struct pgofs_spooled *f, void *into, size_t len, uint64_t offset);
void pgofs_spooled_stat(struct pgofs_spooled *f, uint64_t *ret_size_bytes, int64_t *ret_mtime_ns);

/* One more open handle, as the file is; or empty, as O_TRUNC wants it: -EBUSY where it is a profile others are writing. -ESTALE: the
 * name means something else by now. */
int pgofs_spooled_open(struct pgofs_spooled *f);
int pgofs_spooled_open_empty(struct pgofs_spooled *f);

/* One less. At the last, what was to be stored is dropped: false where no store was tried since it was written, so that nobody was told. */
bool pgofs_spooled_close(struct pgofs_spooled *f);

/* A writer closed it, and waits no longer: until it is written to again it is as if it were open nowhere. */
void pgofs_spooled_settle(struct pgofs_spooled *f);

/* May it be opened for reading? Half a profile may not. */
bool pgofs_spooled_readable(struct pgofs_spooled *f);
/* Would a store now have something to do, that was not refused already? */
bool pgofs_spooled_is_dirty(struct pgofs_spooled *f);

/* Stores it, where it is one that stores, is not empty, and changed since. Errors of pgofs_tree_store; the bytes stay. */
int pgofs_spooled_store(struct pgofs_spooled *f, struct pgofs_tree *tree, struct pgofs_error *err);

/* The name goes; it will not be stored. False where the name means something else by now: what is stored there, most likely this. */
bool pgofs_spooled_unlink(struct pgofs_spooled *f);

/* To another path. A closed (settled) file with bytes whose new path is a profile's is stored there at once: on failure all is as before. `flags`
 * as for pgofs_tree_store; `exists`: a profile is stored there. 1, and nothing was done: as for _unlink, the name means something else by now. */
struct pgofs_spool_move {
	const char *to;
	bool stores;
	bool exists;
	unsigned flags;
};
int pgofs_spooled_rename(struct pgofs_spooled *f, const struct pgofs_spool_move *move, struct pgofs_tree *tree,
			 struct pgofs_error *err);

/* Bytes held, and files. */
void pgofs_spool_stats(struct pgofs_spool *s, uint64_t *ret_bytes, uint64_t *ret_n_files);
