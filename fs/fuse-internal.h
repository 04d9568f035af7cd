/* What the files of the FUSE coat share. */
#pragma once

#define FUSE_USE_VERSION 312

#include "fuse.h"

#include <pgofs/log.h>
#include <pgofs/name.h>

#include <fuse_lowlevel.h>

/* Attributes of an inode never change, but for those of a file being written. */
#define FOREVER_S 1e6

struct pgofs_reading;

/* An open file or directory. Exactly one of the three is what it reads. */
struct pgofs_handle {
	LIST_ENTRY(pgofs_handle) all;
	struct pgofs_inode *inode; /* one reference */
	struct pgofs_bytes *bytes;
	struct pgofs_spooled *spooled; /* the inode's */
	struct pgofs_reading *reading;
	atomic_bool wrote;
	bool writes; /* opened to be written to */
	pid_t owner; /* the process that opened it; 0 unknown */
};

/* A request under way: scratch space for its path and its error. */
struct pgofs_call {
	struct pgofs_fuse *fuse;
	fuse_req_t req;
	enum pgofs_op op;
	char path[PGOFS_PATH_SIZE];
	struct pgofs_error err;
};

/* Counts the request. */
void pgofs_call_init(struct pgofs_call *c, fuse_req_t req, enum pgofs_op op);

/* The path of a nodeid, or of a name in it, to c->path. -ESTALE for a nodeid unknown, -ENAMETOOLONG. */
int pgofs_call_path(struct pgofs_call *c, fuse_ino_t ino);
int pgofs_call_child(struct pgofs_call *c, fuse_ino_t parent, const char *name);

/* The same for a name that is to be made, moved or removed. Also -EPERM: it is pgofs's own. */
int pgofs_call_change(struct pgofs_call *c, fuse_ino_t parent, const char *name);

/* "dir" and "name" to "dir/name", in place. -ENAMETOOLONG. */
int pgofs_append_name(char path[static PGOFS_PATH_SIZE], const char *name);

/* Answers with an error, and logs what a person should know of. */
void pgofs_call_fail(struct pgofs_call *c, int code);

static inline struct pgofs_handle *pgofs_handle_of(const struct fuse_file_info *fi)
{
	return (struct pgofs_handle *)(uintptr_t)fi->fh;
}

struct pgofs_inode *pgofs_inode_of(fuse_req_t req, fuse_ino_t ino);

void pgofs_fuse_stat(struct pgofs_fuse *f, struct pgofs_inode *i, struct stat *ret);
void pgofs_fuse_entry(struct pgofs_fuse *f, struct pgofs_inode *i, struct fuse_entry_param *ret);

/* Takes the reference to `i` over, unless it returns NULL. */
struct pgofs_handle *pgofs_handle_new(struct pgofs_fuse *f, struct pgofs_inode *i);
void pgofs_handle_free(struct pgofs_fuse *f, struct pgofs_handle *h);

/* "x.pprof" but no ".x.pprof": a name under which only profiles are kept. */
bool pgofs_is_profile_name(const char *name);
const char *pgofs_name_of(const char *path);

/* Something stored was changed through this mount. */
void pgofs_fuse_changed(struct pgofs_fuse *f);

/* fuse-stats.c */
/* "lookup", and what the log says when one fails: "name not looked up". */
const char *pgofs_op_name(enum pgofs_op op);
const char *pgofs_op_failed(enum pgofs_op op);
void pgofs_fuse_count(struct pgofs_fuse *f, enum pgofs_op op);

/* Is this path one of those that the mount itself has, with -o stats: ".pgofs" and what is under it? The tree is then not to be asked. */
bool pgofs_fuse_is_own(const struct pgofs_fuse *f, const char *path);
/* What is there; the file's snapshot is of this moment. -ENOENT. */
int pgofs_fuse_look_own(struct pgofs_fuse *f, const char *path, struct pgofs_node *ret);
int pgofs_fuse_list_own(struct pgofs_fuse *f, const char *path, pgofs_tree_entry_fn each, void *context);

/* fuse-dir.c */
/* A directory being read. NULL is fine. */
void pgofs_reading_free(struct pgofs_reading *d);
void pgofs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pgofs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void pgofs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void pgofs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* fuse-write.c */
int pgofs_open_for_writing(struct pgofs_call *c, struct pgofs_handle *h, int flags);
void pgofs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void pgofs_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
		    struct fuse_file_info *fi);
void pgofs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void pgofs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pgofs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void pgofs_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void pgofs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* fuse-names.c */
void pgofs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void pgofs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void pgofs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void pgofs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to_name,
		     unsigned flags);
void pgofs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void pgofs_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void pgofs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
