/* The kernel's requests, answered from the tree (what is stored) and the spool (what is being written here).
 *
 * Of fs/, only fuse*.c and mount.c know libfuse. The table of operations comes from pgofs_fuse_ops(); its user data is a
 * struct pgofs_fuse. Requests are answered by libfuse's worker threads, many at a time, each within the storage's deadline;
 * interrupts are ignored (Go sends its own threads signals all the time). */
#pragma once

#include "inode.h"
#include "spool.h"
#include "tree.h"

#include <sys/types.h>

struct fuse_lowlevel_ops;
struct fuse_session;

/* The kernel's requests that are counted. Others (forget, statfs, releasedir) are no sign that anybody uses the mount. */
enum pgofs_op {
	PGOFS_OP_LOOKUP,
	PGOFS_OP_GETATTR,
	PGOFS_OP_SETATTR,
	PGOFS_OP_MKDIR,
	PGOFS_OP_RMDIR,
	PGOFS_OP_UNLINK,
	PGOFS_OP_RENAME,
	PGOFS_OP_CREATE,
	PGOFS_OP_OPEN,
	PGOFS_OP_READ,
	PGOFS_OP_WRITE,
	PGOFS_OP_FLUSH,
	PGOFS_OP_FSYNC,
	PGOFS_OP_RELEASE,
	PGOFS_OP_OPENDIR,
	PGOFS_OP_READDIR,
	PGOFS_N_OPS,
};

struct pgofs_fuse_config {
	uid_t uid;
	gid_t gid;
	mode_t file_mode, dir_mode; /* without the type */
	int64_t name_ns;            /* how long the kernel may believe a name of what is stored */
	int64_t mounted_ns;         /* the time of directories that have none */
	bool stats;                 /* .pgofs/stats can be read */
	uint64_t memory_bytes;      /* for snapshots the kernel knows, and as much for stored profiles held open */
	struct pgofs_spool_config spool;
	void (*ready)(void *context); /* the kernel's first request was answered */
	void *context;
};

struct pgofs_fuse {
	struct pgofs_fuse_config config;
	struct pgofs_tree *tree; /* borrowed */
	struct pgofs_spool *spool;
	struct pgofs_inodes *inodes;
	atomic_uint_fast64_t n_ops[PGOFS_N_OPS];
	atomic_uint_fast64_t n_changes;  /* made through this mount */

	pthread_mutex_t lock; /* leaf; of what follows */
	LIST_HEAD(, pgofs_handle) handles;
	uint64_t n_handles;
};

struct pgofs_fuse *pgofs_fuse_new(struct pgofs_tree *tree, const struct pgofs_fuse_config *config);
void pgofs_fuse_free(struct pgofs_fuse *f);
PGOFS_DEFINE_FREEP(struct pgofs_fuse, pgofs_fuse_free)

const struct fuse_lowlevel_ops *pgofs_fuse_ops(void);

/* Requests so far: grows while the mount is used. */
uint64_t pgofs_fuse_n_requests(const struct pgofs_fuse *f);

/* Files and directories open now. */
uint64_t pgofs_fuse_n_handles(struct pgofs_fuse *f);

/* One line in the log: inodes, lookups, handles, bytes held. */
void pgofs_fuse_log_stats(struct pgofs_fuse *f);
