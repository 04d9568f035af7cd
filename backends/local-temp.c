/* Files that are not whole yet.
 *
 * A put writes into LOCAL_TEMP_DIR and moves the finished file to its key, so that what has a key is always whole. One
 * directory for all of them, since then what crashes left is found without walking millions of files; it is on the root's
 * filesystem, and hidden from every listing.
 *
 * Who is alive: a writer holds a flock on its file from its creation to its end, and the kernel drops the lock with the
 * process, however it ends. The sweep removes only what it can lock itself. Between a file's creation and its lock a sweep
 * elsewhere may take it; the writer sees that (no link left, or lock refused) and makes another. Where locks do not work
 * the sweep removes nothing.
 *
 * What must stay true: a file gets its key only after its bytes and then its size are on the disk (fsync), and the put
 * returns only after the directory that holds the key is (fsync again). Each directory is synced by whoever makes it. That one which
 * another writer has made, and not synced yet, is on the disk before what was put into it, is left to the filesystem's journal: to
 * sync each at every put would be four syncs more. */
#include "local.h"

#include <pgofs/units.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

static int create(struct pgofs_local_temp *t)
{
	uint64_t random;
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EAGAIN;
	snprintf(t->name, sizeof t->name, "%016llx", (unsigned long long)random);
	int fd = openat(t->dir_fd, t->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;

	struct stat st;
	bool refused = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (refused || fstat(fd, &st) < 0 || st.st_nlink == 0) {
		close(fd);
		return -EAGAIN;
	}
	t->fd = fd;
	return 0;
}

int pgofs_local_temp_new(struct pgofs_local *l, struct pgofs_local_temp *ret, struct pgofs_error *err)
{
	int r = -EAGAIN;
	*ret = (struct pgofs_local_temp)PGOFS_LOCAL_TEMP;
	ret->local = l;
	/* -EAGAIN: a sweep took the file; -ENOENT: somebody removed the directory. */
	for (int tries = 0; tries < 100 && (r == -EAGAIN || r == -ENOENT || r == -EEXIST); tries++) {
		pgofs_local_temp_done(ret);
		ret->dir_fd = pgofs_local_make_dir(l, LOCAL_TEMP_DIR, err);
		r = ret->dir_fd < 0 ? ret->dir_fd : create(ret);
	}
	if (err && r == 0)
		err->text[0] = '\0'; /* of the tries before */
	if (r < 0 && ret->dir_fd >= 0)
		pgofs_error_errno(err, r, "create a file in %s", LOCAL_TEMP_DIR);
	return r == -EAGAIN ? -EIO : r;
}

static int write_all(const struct pgofs_local_sys *sys, int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = sys->write(fd, data, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int pgofs_local_temp_fill(struct pgofs_local_temp *t, const void *data, size_t len, struct pgofs_error *err)
{
	const struct pgofs_local_sys *sys = t->local->sys;
	int r = write_all(sys, t->fd, data, len);
	if (r < 0)
		return pgofs_error_errno(err, r, "write");

	/* The kernel's own stamp is as coarse as its tick; a version needs one that two puts never share. */
	struct timespec now[2];
	clock_gettime(CLOCK_REALTIME, &now[0]);
	now[1] = now[0];
	if (futimens(t->fd, now) < 0)
		return pgofs_error_errno(err, -errno, "set the time");

	if (!t->local->may_be_lost && sys->fsync(t->fd) < 0)
		return pgofs_error_errno(err, -errno, "sync");
	return 0;
}

void pgofs_local_temp_done(struct pgofs_local_temp *t)
{
	if (t->fd >= 0 && t->name[0])
		unlinkat(t->dir_fd, t->name, 0);
	pgofs_closep(&t->fd);
	pgofs_closep(&t->dir_fd);
	t->fd = t->dir_fd = -1;
}

int pgofs_local_move(struct pgofs_local *l, int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	bool fresh = flags & PGOFS_PUT_NEW;
	if (l->sys->renameat2(from_dir, from, to_dir, to, fresh ? RENAME_NOREPLACE : 0) == 0)
		return 0;
	if (!fresh || (errno != EINVAL && errno != ENOSYS))
		return -errno;
	/* A filesystem without RENAME_NOREPLACE (NFS, some FUSE): a link never replaces either. */
	if (l->sys->linkat(from_dir, from, to_dir, to, 0) < 0)
		return -errno;
	unlinkat(from_dir, from, 0);
	return 0;
}

static void sweep_one(int dir_fd, const char *name)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	_cleanup_(pgofs_closep) int fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(dir_fd, name, 0);
}

void pgofs_local_temp_sweep(struct pgofs_local *l)
{
	int fd = pgofs_local_open_dir(l, LOCAL_TEMP_DIR, O_RDONLY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		pgofs_closep(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));)
		sweep_one(dirfd(dir), e->d_name);
	closedir(dir);
}
