/* By device and inode on the way up, as links and bind mounts make a comparison of names worthless. */
#include "overlap.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A mount that hangs is not asked: what the kernel knows of its root will do. */
static bool look(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, ret) == 0;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

/* Is `upper` the directory `fd`, or one above it? */
static bool is_above(const struct statx *upper, int fd)
{
	_cleanup_(pgofs_closep) int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct statx here, above;
	if (at < 0 || !look(at, &here))
		return false;
	while (!is_same(upper, &here)) {
		int parent = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0)
			return false;
		close(at);
		at = parent;
		if (!look(at, &above) || is_same(&above, &here)) /* the root is above itself */
			return false;
		here = above;
	}
	return true;
}

/* Opens `path`, or where it is not there, the nearest above it that is. */
static int open_nearest(const char *path, bool *ret_there)
{
	char name[PATH_MAX];
	if ((size_t)snprintf(name, sizeof name, "%s", path) >= sizeof name)
		return -1;
	int fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*ret_there = fd >= 0;
	while (fd < 0 && errno == ENOENT) {
		char *slash = strrchr(name, '/');
		if (slash)
			slash[slash == name] = '\0';
		fd = open(slash ? name : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

bool overlap_between(int dir_fd, const char *other)
{
	bool there;
	_cleanup_(pgofs_closep) int fd = open_nearest(other, &there);
	struct statx ours, its;
	if (fd < 0 || !look(dir_fd, &ours) || !look(fd, &its))
		return false;
	return is_above(&ours, fd) || (there && is_above(&its, dir_fd));
}
