/* A directory as storage: what its files share among themselves. The essay is in local.c. */
#pragma once

#include <pgofs/backend-impl.h>

#include <stdatomic.h>
#include <sys/stat.h>

#define LOCAL_OWN_DIR  ".pgofs"     /* what pgofs itself keeps */
#define LOCAL_TEMP_DIR ".pgofs/tmp" /* files that are not whole yet: no key, in no listing */

/* The calls that a failing disk makes fail, so that tests can be one. Each returns as the system's own, errno set. */
struct pgofs_local_sys {
	ssize_t (*read)(int fd, void *into, size_t len);
	ssize_t (*write)(int fd, const void *data, size_t len);
	int (*fsync)(int fd);
	int (*renameat2)(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
	int (*linkat)(int from_dir, const char *from, int to_dir, const char *to, int flags);
	int (*mkdirat)(int dir, const char *name, mode_t mode);
};

extern const struct pgofs_local_sys pgofs_local_sys;

struct pgofs_local {
	struct pgofs_backend backend;
	const struct pgofs_local_sys *sys; /* set before threads start; &pgofs_local_sys outside tests */
	atomic_int root_fd;                /* -1 until the directory was there to be opened; then it stays */
	bool may_be_lost;                  /* no fsync: for what may be lost, such as a cache */
};

static inline struct pgofs_local *pgofs_local_of(struct pgofs_backend *b)
{
	return (struct pgofs_local *)b;
}

/* A directory that may be lost with the power, for a cache. Otherwise as opening `path` as a SOURCE. */
int pgofs_local_open(const char *path, bool may_be_lost, struct pgofs_backend **ret, struct pgofs_error *err);

void pgofs_local_describe(const struct stat *st, struct pgofs_stored *ret);

/* ---- Below the root (local-path.c) ---- */

/* Is this LOCAL_TEMP_DIR or under it? */
bool pgofs_local_reserved(const char *key);

/* The root's descriptor, owned by `l`, or -errno. */
int pgofs_local_root(struct pgofs_local *l);

/* Opens a directory ("" is the root). `flags` are O_PATH or O_RDONLY. The caller closes it. -ENOENT also where something on the way
 * is no directory: a symbolic link is none. */
int pgofs_local_open_dir(struct pgofs_local *l, const char *dir, int flags);

/* Opens the directory that holds `key`, for O_PATH, and says where its last segment starts. */
int pgofs_local_open_parent(struct pgofs_local *l, const char *key, const char **ret_name);

/* The same, and makes what is missing. -ENOTDIR something on the way is no directory; -ENOENT a removal took one that was just made,
 * or the root is gone: try again, not for ever. */
int pgofs_local_make_parent(struct pgofs_local *l, const char *key, const char **ret_name, struct pgofs_error *err);

/* The same for a directory itself. */
int pgofs_local_make_dir(struct pgofs_local *l, const char *dir, struct pgofs_error *err);

/* Removes the directories above `key` that are empty, up to the root. */
void pgofs_local_prune(struct pgofs_local *l, const char *key);

/* Makes durable which names a directory holds. */
int pgofs_local_sync_dir(struct pgofs_local *l, int dir_fd);

/* ---- Files that are not whole yet (local-temp.c) ---- */

struct pgofs_local_temp {
	struct pgofs_local *local;
	int dir_fd;
	int fd; /* locked (flock) while it is being written, which tells it from what a crash left */
	char name[32];
};

#define PGOFS_LOCAL_TEMP                                                                                               \
	{                                                                                                              \
		.dir_fd = -1, .fd = -1                                                                                 \
	}

int pgofs_local_temp_new(struct pgofs_local *l, struct pgofs_local_temp *ret, struct pgofs_error *err);
int pgofs_local_temp_fill(struct pgofs_local_temp *t, const void *data, size_t len, struct pgofs_error *err);

/* Removes it, unless it got its name. */
void pgofs_local_temp_done(struct pgofs_local_temp *t);

/* Removes what crashes left. */
void pgofs_local_temp_sweep(struct pgofs_local *l);

/* Renames; with PGOFS_PUT_NEW in `flags` never over something. 0 or -errno. */
int pgofs_local_move(struct pgofs_local *l, int from_dir, const char *from, int to_dir, const char *to, unsigned flags);

/* ---- Listing (local-list.c) ---- */

int pgofs_local_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		     struct pgofs_error *err);
