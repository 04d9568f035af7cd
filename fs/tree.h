/* The tree that users see: paths in, nodes and bytes out. One house with two front doors: the FUSE mount (fuse.c) and the commands (cat,
 * ls, put, rm, prune). It knows storage and profiles; it knows nothing of inodes, kernels or file handles.
 *
 * Paths are relative to the mount point, without leading or trailing slash; "" is the root.
 *
 * What is stored is the truth. A change made through this tree shows at once; one made elsewhere shows within
 * `refresh_ns`. Directories exist while a profile is under them, plus those made here by pgofs_tree_mkdir (or emptied here), which
 * live until removed here or until the tree is freed.
 *
 * Threads: every function may be called from any thread; may block on storage, within its deadlines. Locks: see
 * docs/ARCHITECTURE.md for the order; none is held across storage. */
#pragma once

#include <pgofs/backend.h>
#include <pgofs/buf.h>
#include <pgofs/error.h>
#include <pgofs/pprof.h>
#include <pgofs/units.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pgofs_tree;

struct pgofs_tree_config {
	bool read_only;
	bool no_rollups;    /* neither look for stored parts of merges, nor store any */
	bool reads_again;   /* merged files will be read again: keep what makes that cheap, of memory_bytes */
	int64_t merge_ns;   /* how long a merged file may take, until it is found or made; 0: as long as it takes */
	int64_t refresh_ns; /* how long a listing is believed: changes made elsewhere show within it */
	size_t stored_max_bytes; /* of one stored profile */
	size_t raw_max_bytes;    /* of one stored profile, inflated */
	uint64_t memory_bytes;   /* for what is kept between calls: listings, snapshots */
	unsigned n_fetch;        /* inputs fetched at the same time */
	int64_t (*now_ns)(void); /* for tests: the clock for windows and for refresh_ns; NULL is the system's */

	/* Called, where not NULL, while a merge is made: inputs done so far, and all. From whatever thread makes it. */
	void (*progress)(void *context, size_t n_done, size_t n);
	void *progress_context;
};

#define PGOFS_TREE_CONFIG_DEFAULTS                                                                                     \
	{                                                                                                              \
		.refresh_ns = 5 * PGOFS_NS_PER_S, .stored_max_bytes = PGOFS_STORED_MAX,                                \
		.raw_max_bytes = PGOFS_RAW_MAX, .memory_bytes = 256 * PGOFS_MIB, .n_fetch = 16,                        \
	}

/* Takes `backend` over, also on failure. */
int pgofs_tree_new(struct pgofs_backend *backend, const struct pgofs_tree_config *config, struct pgofs_tree **ret,
		   struct pgofs_error *err);
void pgofs_tree_free(struct pgofs_tree *t);
PGOFS_DEFINE_FREEP(struct pgofs_tree, pgofs_tree_free)

struct pgofs_backend *pgofs_tree_backend(struct pgofs_tree *t);
const struct pgofs_tree_config *pgofs_tree_config(const struct pgofs_tree *t);

enum pgofs_node_kind {
	PGOFS_NODE_DIR,     /* root, app, year, month, day: can be written under */
	PGOFS_NODE_PROFILE, /* one stored profile */
	PGOFS_NODE_MERGED_DIR,
	PGOFS_NODE_MERGED, /* one computed file: immutable snapshot */
};

/* One computed file's content. Immutable; shared by all who read the same inputs. Two lookups that return the same pointer return the same file;
 * different content is always a different snapshot. */
struct pgofs_snapshot {
	atomic_uint refs;
	struct pgofs_bytes *bytes;
	int64_t mtime_ns;        /* of the newest input */
	uint8_t fingerprint[32]; /* of the set of inputs and the view */
};

struct pgofs_snapshot *pgofs_snapshot_ref(struct pgofs_snapshot *s);
void pgofs_snapshot_unref(struct pgofs_snapshot *s);
PGOFS_DEFINE_FREEP(struct pgofs_snapshot, pgofs_snapshot_unref)

struct pgofs_node {
	enum pgofs_node_kind kind;
	uint64_t size_bytes;              /* files */
	int64_t mtime_ns;                 /* a directory: of the day it names, or 0 when the tree cannot tell cheaply */
	char version[PGOFS_VERSION_SIZE]; /* of a stored profile: changes when its bytes do */
	struct pgofs_snapshot *snapshot;  /* of a merged file; owned by the node */
};

void pgofs_node_done(struct pgofs_node *n);

/* What is at `path`? Computes a merged file, once for all who wait. -ENOENT nothing (also: an empty window), -ENOTDIR. */
int pgofs_tree_lookup(struct pgofs_tree *t, const char *path, struct pgofs_node *ret, struct pgofs_error *err);

/* An entry of a directory. A merged file's size and mtime are 0: listing computes nothing. */
struct pgofs_tree_entry {
	const char *name;
	enum pgofs_node_kind kind;
	uint64_t size_bytes;
	int64_t mtime_ns;
	const char *version; /* of a profile, else NULL */
};
typedef int (*pgofs_tree_entry_fn)(void *context, const struct pgofs_tree_entry *entry);

/* Entries of a directory in byte order, "." and ".." not among them. -ENOENT, -ENOTDIR. */
int pgofs_tree_list(struct pgofs_tree *t, const char *path, pgofs_tree_entry_fn each, void *context,
		    struct pgofs_error *err);

/* The profiles of a day as they are kept here, in byte order, with one reference; *ret is NULL where `path` is no day. For days of 100,000
 * profiles, that are not to be copied entry by entry. With `names_only`, listing.h's is_bare may be. Errors of pgofs_tree_list. */
struct pgofs_listing;
int pgofs_tree_day(struct pgofs_tree *t, const char *path, bool names_only, struct pgofs_listing **ret,
		   struct pgofs_error *err);

/* Grows with each change to what is stored that this tree makes, before the change's call returns. */
uint64_t pgofs_tree_n_changes(const struct pgofs_tree *t);

/* The bytes of a file found by lookup, with one reference. A stored profile replaced since: -ESTALE; removed: -ENOENT. Without `node`, what is
 * there now, with no lookup before: one request for a stored profile; -EISDIR for a directory. */
int pgofs_tree_read(struct pgofs_tree *t, const char *path, const struct pgofs_node *node, struct pgofs_bytes **ret,
		    struct pgofs_error *err);

/* May a profile be stored under this path? 0; -EINVAL the name or the place is outside the grammar; -EROFS; -EPERM under merged/. The
 * directory need not exist for this; pgofs_tree_lookup tells that. */
int pgofs_tree_may_store(struct pgofs_tree *t, const char *path, struct pgofs_error *err);

/* Checks and stores one profile, whole. `flags` of pgofs_backend_put. -EINVAL also for a profile that Go could not use (words), -EFBIG, -EEXIST,
 * -EROFS, and what storage says. On return the next lookup sees it. */
int pgofs_tree_store(struct pgofs_tree *t, const char *path, const void *data, size_t len, unsigned flags,
		     struct pgofs_error *err);

/* Files: -EISDIR for a directory, -EPERM for a merged file, -ENOENT. */
int pgofs_tree_remove(struct pgofs_tree *t, const char *path, struct pgofs_error *err);

/* -EEXIST, -ENOENT (parent), -EINVAL (outside the grammar), -EPERM under merged/. */
int pgofs_tree_mkdir(struct pgofs_tree *t, const char *path, struct pgofs_error *err);
/* -ENOTEMPTY; -EPERM for merged/. An app directory whose only entry is its merged/ is empty. */
int pgofs_tree_rmdir(struct pgofs_tree *t, const char *path, struct pgofs_error *err);

/* Removes every profile under a directory and then the directory, many a request; hears of each as pgofs_tree_prune does. Returns 0 when all
 * went, else the first failure. -ENOENT, -ENOTDIR; -EPERM for the root and merged/. */
typedef void (*pgofs_tree_removed_fn)(void *context, const char *path, uint64_t size_bytes, int outcome);
int pgofs_tree_remove_under(struct pgofs_tree *t, const char *path, pgofs_tree_removed_fn each, void *context,
			    struct pgofs_error *err);

/* Moves one stored profile to another valid path. `flags` as for store speak of `to`. Directories: -EXDEV, so that mv copies. */
int pgofs_tree_rename(struct pgofs_tree *t, const char *from, const char *to, unsigned flags, struct pgofs_error *err);

/* Removes every profile taken before `before_ns`, of one app or of all (NULL); `each` (nullable) hears of each key and its
 * outcome (0 or -errno). With dry_run nothing is removed. Returns 0 when all that was meant to go went, else the first failure. */
struct pgofs_prune {
	const char *app;
	int64_t before_ns;
	bool dry_run;
	pgofs_tree_removed_fn each;
	void *context;
};
int pgofs_tree_prune(struct pgofs_tree *t, const struct pgofs_prune *what, struct pgofs_error *err);

/* Forgets what was listed: the next call asks the storage. */
void pgofs_tree_refresh(struct pgofs_tree *t);

/* Merges under way, and all that are asked for from now on, fail with -ECANCELED once the storage operations under way are over. All else goes on.
 * May be called by a signal's handler. */
void pgofs_tree_end(struct pgofs_tree *t);

/* Numbers about what it did, "name value" a line (stats.h), those of the storage included. */
int pgofs_tree_stats(struct pgofs_tree *t, struct pgofs_buf *append_to);
