/* `pgofs merge -o default.pgo` runs in builds, and a build that is killed half way must not leave half a profile behind, nor take the good
 * one away: the bytes go to a temporary name beside the target, and take its name when they are all there. */
#include "output.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int pgofs_output_stdout(const void *data, size_t len, struct pgofs_error *err)
{
	int r = write_all(STDOUT_FILENO, data, len);
	return r < 0 ? pgofs_error_errno(err, r, "write to stdout") : 0;
}

static int write_into(const char *path, const void *data, size_t len)
{
	_cleanup_(pgofs_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : write_all(fd, data, len);
}

/* mkstemp makes files for the owner alone; this one is to look as if it had been made by open(2). */
static mode_t mode_for(const char *target)
{
	struct stat st;
	if (stat(target, &st) == 0)
		return st.st_mode & 07777;
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static int write_temporary(int fd, const char *target, const void *data, size_t len)
{
	int r = write_all(fd, data, len);
	if (r == 0 && (fchmod(fd, mode_for(target)) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

static int replace(const char *target, const void *data, size_t len)
{
	_cleanup_(pgofs_freep) char *temporary = NULL;
	const char *slash = strrchr(target, '/');
	int dir_len = slash ? (int)(slash - target) + 1 : 0;
	if (asprintf(&temporary, "%.*s.%s.XXXXXX", dir_len, target, target + dir_len) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	_cleanup_(pgofs_closep) int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = write_temporary(fd, target, data, len);
	if (r == 0 && rename(temporary, target) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int pgofs_output_file(const char *path, const void *data, size_t len, struct pgofs_error *err)
{
	struct stat st;
	_cleanup_(pgofs_freep) char *target = realpath(path, NULL); /* through a symlink, not over it */
	int r;
	if (target && stat(target, &st) == 0 && !S_ISREG(st.st_mode))
		r = S_ISDIR(st.st_mode) ? -EISDIR : write_into(target, data, len);
	else
		r = replace(target ? target : path, data, len);
	return r < 0 ? pgofs_error_errno(err, r, "write %s", path) : 0;
}
