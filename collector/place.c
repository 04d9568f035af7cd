/* A temporary name beside the final one, fsync, rename, fsync of the directory.
 *
 * The temporary name is made of the final name and a checksum of the content, with no random part: when we were killed in the middle,
 * the next try finds what was left and replaces it, so nothing piles up; and of two who write the same bytes at once, one takes the
 * other's file away, who tries again and finds the profile there. It starts with a dot and does not end in .pprof: a mount keeps such names to itself until they are renamed.
 *
 * The rename never replaces: a profile that has been delivered is found there, compared, and not delivered again. */
#include "place.h"

#include <pgofs/cleanup.h>
#include <pgofs/name.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char *place_path(char buf[static PLACE_PATH_SIZE], const char *app, int64_t taken_ns, const char *source)
{
	char name[PGOFS_PATH_SIZE];
	snprintf(buf, PLACE_PATH_SIZE, "%s%s%s", app, *app ? "/" : "",
		 pgofs_profile_path_format(name, taken_ns, source));
	return buf;
}

/* FNV-1a: tells contents of one name apart, no more. */
static uint32_t checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0x811c9dc5;
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ data[i]) * 0x01000193;
	return sum;
}

static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* Opens `name` in `at`, making it first where it is not there. A new directory lasts once its parent is synced. */
static int make_dir(int at, const char *name)
{
	int fd = open_dir(at, name);
	if (fd != -ENOENT)
		return fd;
	if (mkdirat(at, name, 0777) < 0 && errno != EEXIST)
		return -errno;
	if (fsync(at) < 0 && errno != EINVAL)
		return -errno;
	return open_dir(at, name);
}

/* Walks to the directory that `path` lies in, making what is missing. Returns a descriptor; *ret_name is the last part. */
static int walk(int root_fd, const char *path, const char **ret_name)
{
	_cleanup_(pgofs_closep) int at = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	const char *slash;
	if (at < 0)
		return -errno;
	for (; (slash = strchr(path, '/')); path = slash + 1) {
		char name[NAME_MAX + 1];
		if ((size_t)(slash - path) >= sizeof name)
			return -ENAMETOOLONG;
		memcpy(name, path, (size_t)(slash - path));
		name[slash - path] = '\0';
		int next = make_dir(at, name);
		if (next < 0)
			return next;
		close(at);
		at = next;
	}
	*ret_name = path;
	return STEAL_FD(at);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_temporary(int dir, const char *name, const void *data, size_t len)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	_cleanup_(pgofs_closep) int fd = openat(dir, name, flags, 0666);
	if (fd < 0 && errno == EEXIST) { /* never into a file that another is about to rename */
		unlinkat(dir, name, 0);
		fd = openat(dir, name, flags, 0666);
	}
	if (fd < 0)
		return -errno;
	int r = write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(STEAL_FD(fd)) < 0 && r == 0) /* where a full or remote disk may say so at last */
		r = -errno;
	return r;
}

/* 0 when the file holds exactly these bytes, -EEXIST when it holds others. */
static int compare(int dir, const char *name, const uint8_t *data, size_t len)
{
	_cleanup_(pgofs_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t part[16384];
	size_t at = 0;
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, part, sizeof part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return at == len ? 0 : -EEXIST;
		if ((size_t)n > len - at || memcmp(part, data + at, (size_t)n) != 0)
			return -EEXIST;
		at += (size_t)n;
	}
}

/* Not every file system has a rename that refuses to replace; where it lacks, a look before must do. */
static int rename_new(int dir, const char *from, const char *to)
{
	struct stat st;
	if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -errno;
	if (fstatat(dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(dir, from, dir, to) < 0 ? -errno : 0;
}

bool place_is_unfinished(const char *name)
{
	char final[NAME_MAX + 1];
	size_t len = strlen(name), n_end = sizeof ".00000000.tmp" - 1;
	if (name[0] != '.' || len <= n_end + 1 || len - n_end > sizeof final)
		return false;
	snprintf(final, sizeof final, "%.*s", (int)(len - n_end - 1), name + 1);
	const char *end = name + len - n_end;
	return pgofs_profile_name_valid(final) && end[0] == '.' && strspn(end + 1, "0123456789abcdef") == 8 &&
	       !strcmp(end + 9, ".tmp");
}

static int write_in(int dir, const char *name, const void *data, size_t len)
{
	char temporary[NAME_MAX + 16];
	snprintf(temporary, sizeof temporary, ".%s.%08x.tmp", name, checksum(data, len));
	int r = write_temporary(dir, temporary, data, len);
	if (r == 0)
		r = rename_new(dir, temporary, name);
	if (r < 0)
		unlinkat(dir, temporary, 0);
	return r;
}

static int write_once(int root_fd, const char *path, const void *data, size_t len)
{
	const char *name;
	_cleanup_(pgofs_closep) int dir = walk(root_fd, path, &name);
	if (dir < 0)
		return dir;
	int r = compare(dir, name, data, len);
	if (r == -ENOENT) {
		r = write_in(dir, name, data, len);
		if (r == -EEXIST) /* since we looked */
			r = compare(dir, name, data, len);
	}
	if (r == 0 && fsync(dir) < 0 &&
	    errno != EINVAL) /* also where it was there: who renamed it may have been killed before this */
		r = -errno;
	return r;
}

int place_write(int root_fd, const char *path, const void *data, size_t len, struct pgofs_error *err)
{
	int r = -ENOENT;
	for (int i = 0; i < 3 && r == -ENOENT; i++) /* somebody may remove a directory that is empty for an instant */
		r = write_once(root_fd, path, data, len);
	return r < 0 ? pgofs_error_errno(err, r, "write %s", path) : 0;
}

int place_remove(int root_fd, const char *path)
{
	char parent[PLACE_PATH_SIZE];
	if (unlinkat(root_fd, path, 0) < 0 && errno != ENOENT)
		return -errno;
	snprintf(parent, sizeof parent, "%s", path);
	for (char *slash; (slash = strrchr(parent, '/'));) {
		*slash = '\0';
		if (unlinkat(root_fd, parent, AT_REMOVEDIR) < 0)
			break; /* not empty: that is where we stop */
	}
	return 0;
}
