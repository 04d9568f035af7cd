/* The kernel's inodes: nodeid <-> what it stands for, with the kernel's lookup counts.
 *
 * One inode is one content for ever: a name whose content changed gets a new inode, under the same st_ino. So attributes never
 * expire, an open file never changes, and only names are looked up again.
 *
 * Locks: one mutex in the table; nothing is called with it held but malloc, ref and unref (of which the spool's take the spool's
 * lock). A pgofs_inode's fields never change while it lives, but for those marked; read these through the functions below. */
#pragma once

#include "tree.h"

#include <sys/queue.h>

#define PGOFS_INODE_ROOT 1

struct pgofs_spooled;
struct pgofs_inodes;

struct pgofs_inode {
	uint64_t nodeid; /* never used twice */
	enum pgofs_node_kind kind;
	uint64_t size_bytes;
	int64_t mtime_ns;
	const char *version;           /* of a stored profile, else NULL; in `text` */
	struct pgofs_spooled *spooled; /* a file being written here: its size and time are the spooled file's */

	/* The table's own, under its lock. */
	char *path; /* in `text`, or, once renamed, from malloc */
	uint64_t st_ino; /* the path's hash: it leads to the bucket too */
	uint64_t n_lookup;
	unsigned n_refs;
	bool named;                      /* its path leads to it */
	struct pgofs_snapshot *snapshot; /* of a merged file, until dropped for room */
	struct pgofs_bytes *bytes;       /* while n_open */
	unsigned n_open;
	LIST_ENTRY(pgofs_inode) by_id, by_path;
	TAILQ_ENTRY(pgofs_inode) by_age; /* merged files with a snapshot, oldest first */
	size_t memory_bytes;
	char text[];
};

/* `snapshots_bytes_max`: of snapshots held for merged files that the kernel knows. `pinned_bytes_max`: of files held open. */
struct pgofs_inodes *pgofs_inodes_new(uint64_t snapshots_bytes_max, uint64_t pinned_bytes_max);
void pgofs_inodes_free(struct pgofs_inodes *t);
PGOFS_DEFINE_FREEP(struct pgofs_inodes, pgofs_inodes_free)

/* What the kernel means by a nodeid, with one reference; NULL where it was forgotten. */
struct pgofs_inode *pgofs_inodes_get(struct pgofs_inodes *t, uint64_t nodeid);
void pgofs_inodes_put(struct pgofs_inodes *t, struct pgofs_inode *i);

/* Copies the path to `path`, which has PGOFS_PATH_SIZE bytes, and returns it. */
char *pgofs_inodes_path(struct pgofs_inodes *t, struct pgofs_inode *i, char *path);

/* The inode for what was found at `path`, with one reference, and one more in the kernel's count: the one that is there
 * while its content is the same, else a new one. `node` is not consumed. NULL when memory is out. */
struct pgofs_inode *pgofs_inodes_look(struct pgofs_inodes *t, const char *path, const struct pgofs_node *node);
struct pgofs_inode *pgofs_inodes_look_spooled(struct pgofs_inodes *t, const char *path, struct pgofs_spooled *f);

void pgofs_inodes_forget(struct pgofs_inodes *t, uint64_t nodeid, uint64_t n);

/* The name was removed: what comes there next is another inode. */
void pgofs_inodes_unname(struct pgofs_inodes *t, const char *path);
/* What was at `from` is at `to`. */
void pgofs_inodes_rename(struct pgofs_inodes *t, const char *from, const char *to);

uint64_t pgofs_inodes_st_ino(const char *path);
uint64_t pgofs_inodes_st_ino_of(struct pgofs_inodes *t, struct pgofs_inode *i);

/* The bytes of a stored profile or a merged file, whole, with one reference; each success is ended by _unpin. -ENFILE where too much is held open
 * already; -ESTALE a merged file's were dropped for room: look the name up again; else what pgofs_tree_read says. Blocks on storage, without
 * the lock. */
int pgofs_inodes_pin(struct pgofs_inodes *t, struct pgofs_inode *i, struct pgofs_tree *tree, struct pgofs_bytes **ret,
		     struct pgofs_error *err);
void pgofs_inodes_unpin(struct pgofs_inodes *t, struct pgofs_inode *i);

struct pgofs_inodes_stats {
	uint64_t n_inodes, inodes_bytes, n_lookups, n_snapshots, snapshots_bytes, pinned_bytes;
};
void pgofs_inodes_stats(struct pgofs_inodes *t, struct pgofs_inodes_stats *ret);
