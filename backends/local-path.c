/* From a key to a descriptor, without ever leaving the storage's directory.
 *
 * Every path is walked one segment at a time from the root's descriptor with O_NOFOLLOW. Keys have no "..", so a walk can
 * only leave through a symbolic link, and there it stops: a link is treated as if nothing were there. openat2() with
 * RESOLVE_BENEATH would save four calls of about a microsecond, and would need this walk all the same, as a fallback under
 * old kernels and seccomp filters and to make directories; one way that is always tested is worth more.
 *
 * Directories come and go under a walk: a removal elsewhere may take the one that was just made here. Those who make
 * (put, rename) try again when the name they need is gone. */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

bool pgofs_local_reserved(const char *key)
{
	size_t len = strlen(LOCAL_TEMP_DIR);
	return !strncmp(key, LOCAL_TEMP_DIR, len) && (!key[len] || key[len] == '/');
}

int pgofs_local_root(struct pgofs_local *l)
{
	int fd = atomic_load(&l->root_fd), none = -1;
	if (fd >= 0)
		return fd;
	fd = open(l->backend.name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (atomic_compare_exchange_strong(&l->root_fd, &none, fd))
		return fd;
	close(fd);
	return none;
}

/* Takes the next segment off `*at`. */
static int next_segment(const char **at, const char *end, char segment[static NAME_MAX + 1])
{
	const char *slash = memchr(*at, '/', (size_t)(end - *at));
	size_t len = (size_t)((slash ? slash : end) - *at);
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(segment, *at, len);
	segment[len] = '\0';
	*at += len + (slash != NULL);
	return 0;
}

static int make_one(struct pgofs_local *l, int dir_fd, const char *name)
{
	if (l->sys->mkdirat(dir_fd, name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return pgofs_local_sync_dir(l, dir_fd);
}

static int walk(struct pgofs_local *l, const char *path, size_t len, int flags, bool make)
{
	const char *at = path, *end = path + len;
	_cleanup_(pgofs_closep) int fd = -1;
	int root = pgofs_local_root(l);
	if (root < 0)
		return root;
	fd = openat(root, ".", (len ? O_PATH : flags) | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && at < end) {
		char segment[NAME_MAX + 1];
		int r = next_segment(&at, end, segment);
		if (r == 0 && make)
			r = make_one(l, fd, segment);
		if (r < 0)
			return r;
		int down = openat(fd, segment, (at < end ? O_PATH : flags) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (down < 0)
			return -errno;
		close(fd);
		fd = down;
	}
	return fd < 0 ? -errno : STEAL_FD(fd);
}

/* For those who only look, whatever is no directory is as good as nothing. */
static int as_absent(int r)
{
	return r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG ? -ENOENT : r;
}

int pgofs_local_open_dir(struct pgofs_local *l, const char *dir, int flags)
{
	return as_absent(walk(l, dir, strlen(dir), flags, false));
}

static size_t parent_len(const char *key, const char **ret_name)
{
	const char *slash = strrchr(key, '/');
	*ret_name = slash ? slash + 1 : key;
	return slash ? (size_t)(slash - key) : 0;
}

int pgofs_local_open_parent(struct pgofs_local *l, const char *key, const char **ret_name)
{
	size_t len = parent_len(key, ret_name);
	if (strlen(*ret_name) > NAME_MAX)
		return -ENOENT;
	return as_absent(walk(l, key, len, O_PATH, false));
}

static int make(struct pgofs_local *l, const char *path, size_t len, struct pgofs_error *err)
{
	int fd = walk(l, path, len, O_PATH, true);
	if (fd < 0)
		pgofs_local_prune(l, path); /* of those that were made */
	if (fd == -ENOTDIR || fd == -ELOOP)
		return pgofs_error_set(err, -ENOTDIR, "something in \"%.*s\" is no directory", (int)len, path);
	return fd < 0 ? pgofs_error_errno(err, fd, "make directory %.*s", (int)len, path) : fd;
}

int pgofs_local_make_parent(struct pgofs_local *l, const char *key, const char **ret_name, struct pgofs_error *err)
{
	return make(l, key, parent_len(key, ret_name), err);
}

int pgofs_local_make_dir(struct pgofs_local *l, const char *dir, struct pgofs_error *err)
{
	return make(l, dir, strlen(dir), err);
}

void pgofs_local_prune(struct pgofs_local *l, const char *key)
{
	const char *name;
	char path[PGOFS_KEY_MAX + 1];
	for (size_t len = parent_len(key, &name); len > 0; len = parent_len(path, &name)) {
		memcpy(path, key, len);
		path[len] = '\0';
		_cleanup_(pgofs_closep) int fd = pgofs_local_open_parent(l, path, &name);
		/* What is gone already may have an empty one above it. */
		if (fd != -ENOENT && (fd < 0 || (unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)))
			return;
	}
}

int pgofs_local_sync_dir(struct pgofs_local *l, int dir_fd)
{
	if (l->may_be_lost)
		return 0;
	_cleanup_(pgofs_closep) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Some filesystems have nothing to sync in a directory and say EINVAL. */
	return l->sys->fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}
