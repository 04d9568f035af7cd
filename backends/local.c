/* A directory as storage: a key is a path below it, so that any other tool can read and write there too.
 *
 * What must stay true, whatever is killed and whenever the power fails: under a key are the whole bytes of one put, or
 * nothing. Therefore a put writes a file that has no key yet, syncs it, moves it to its key in one step, and syncs the
 * directory (local-temp.c). Others write in place if they like: a get that sees a file change under it reads again, and then says
 * -ESTALE.
 *
 * Nothing outside the directory is ever touched (local-path.c), and only regular files are objects: a symbolic link is not
 * followed, a FIFO not opened, neither is shown nor replaced.
 *
 * The version is inode, size, and the times of the last change of bytes and of the inode: the last is what no program can
 * set back, so that bytes changed in place under an old time are seen.
 *
 * No locks: the filesystem's own steps are atomic, and what races (a removal that takes an emptied directory, a put that
 * needs it) is tried again. The only state is the root's descriptor, opened once, so that a mount over the directory itself
 * does not shut it off. A disk that hangs, hangs the call: the kernel gives no deadline. */
#include "local.h"

#include <pgofs/units.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

const struct pgofs_local_sys pgofs_local_sys = { read, write, fsync, renameat2, linkat, mkdirat };

static int64_t as_ns(struct timespec t)
{
	return t.tv_sec * PGOFS_NS_PER_S + t.tv_nsec;
}

/* As printf's %x, but for a day of 100,000 files it is a tenth of the work. Returns the end. */
static char *put_hex(char *to, uint64_t n)
{
	int shift = 60;
	while (shift && !(n >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[n >> shift & 15];
	return to;
}

void pgofs_local_describe(const struct stat *st, struct pgofs_stored *ret)
{
	*ret = (struct pgofs_stored){ .size_bytes = (uint64_t)st->st_size, .mtime_ns = as_ns(st->st_mtim) };
	char *at = put_hex(ret->version, st->st_ino);
	*at++ = '-';
	at = put_hex(at, (uint64_t)st->st_size);
	*at++ = '-';
	at = put_hex(at, (uint64_t)as_ns(st->st_mtim));
	*at++ = '-';
	*put_hex(at, (uint64_t)as_ns(st->st_ctim)) = '\0';
}

/* ---- Get ---- */

/* Opens what is there if it is a regular file. It is asked before it is opened, since opening some devices does something;
 * O_NONBLOCK is for a FIFO that came in between. */
static int open_file(int dir_fd, const char *name, struct stat *ret_st)
{
	if (fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -ENOENT;
	_cleanup_(pgofs_closep) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -ENOENT : -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	return S_ISREG(ret_st->st_mode) ? STEAL_FD(fd) : -ENOENT;
}

/* Until `len` bytes or the end. */
static ssize_t read_full(const struct pgofs_local_sys *sys, int fd, uint8_t *into, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = sys->read(fd, into + done, len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Its last name going, as when another file takes its place, changes a file's ctime and not its bytes. */
static bool has_changed(const struct stat *after, const struct pgofs_stored *before)
{
	struct pgofs_stored then;
	pgofs_local_describe(after, &then);
	if (after->st_nlink == 0)
		return then.size_bytes != before->size_bytes || then.mtime_ns != before->mtime_ns;
	return strcmp(then.version, before->version) != 0;
}

/* -EAGAIN: it changed while it was read. */
static int read_whole(struct pgofs_local *l, int fd, const struct pgofs_stored *is, struct pgofs_bytes **ret)
{
	size_t len = (size_t)is->size_bytes;
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(len + 1);
	int r = pgofs_buf_reserve(&b, len + 1); /* the one byte more tells a file that grew */
	if (r < 0)
		return r;
	ssize_t n = read_full(l->sys, fd, b.data, len + 1);
	if (n < 0)
		return (int)n;
	b.len = (size_t)n;

	struct stat after;
	if (fstat(fd, &after) < 0)
		return -errno;
	if (b.len != len || has_changed(&after, is))
		return -EAGAIN;
	*ret = pgofs_bytes_consume_buf(&b);
	return *ret ? 0 : -ENOMEM;
}

static int get_once(struct pgofs_local *l, int dir_fd, const char *name, const char *version, size_t max_bytes,
		    struct pgofs_bytes **ret, struct pgofs_stored *ret_stored)
{
	struct stat st;
	struct pgofs_stored is;
	_cleanup_(pgofs_closep) int fd = open_file(dir_fd, name, &st);
	if (fd < 0)
		return fd;
	pgofs_local_describe(&st, &is);
	if (version && strcmp(version, is.version) != 0)
		return -ESTALE;
	if ((uint64_t)st.st_size > max_bytes || (uint64_t)st.st_size >= SSIZE_MAX)
		return -EFBIG;
	int r = read_whole(l, fd, &is, ret);
	if (r == 0)
		*ret_stored = is;
	return r;
}

static int local_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		     struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct pgofs_local *l = pgofs_local_of(b);
	const char *name;
	if (pgofs_local_reserved(key))
		return -ENOENT;
	_cleanup_(pgofs_closep) int dir_fd = pgofs_local_open_parent(l, key, &name);
	if (dir_fd < 0)
		return dir_fd;
	int r = get_once(l, dir_fd, name, version, max_bytes, ret, ret_stored);
	if (r == -EAGAIN)
		r = get_once(l, dir_fd, name, version, max_bytes, ret, ret_stored);
	return r == -EAGAIN ? pgofs_error_set(err, -ESTALE, "it changed while it was read") : r;
}

/* ---- Put, rename ---- */

/* Would a move to this name take away something that is no object? */
static int check_target(int dir_fd, const char *name, struct pgofs_error *err)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return pgofs_error_set(err, -EISDIR, "a directory has that name");
	if (!S_ISREG(st.st_mode))
		return pgofs_error_set(err, -EACCES, "what is there is neither a file nor a directory");
	return 0;
}

/* A file on its way to a key. */
struct move {
	struct pgofs_local *local;
	int fd; /* the file */
	int from_dir;
	const char *from;
	const char *key;
	unsigned flags;
	int to_dir; /* -1 until it arrived */
	const char *to;
};

static int try_move(struct move *m, struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int dir_fd = pgofs_local_make_parent(m->local, m->key, &m->to, err);
	if (dir_fd < 0)
		return dir_fd;
	int r = check_target(dir_fd, m->to, err);
	if (r == 0)
		r = pgofs_local_move(m->local, m->from_dir, m->from, dir_fd, m->to, m->flags);
	if (r == 0)
		m->to_dir = STEAL_FD(dir_fd);
	else
		pgofs_local_prune(m->local, m->key); /* of what was just made */
	return r;
}

/* However often directories are taken from under it. -ENOENT: the file itself is gone. */
static int move_to_key(struct move *m, struct pgofs_error *err)
{
	struct stat st;
	int r = -ENOENT;
	for (int tries = 0; tries < 1000 && r == -ENOENT; tries++) {
		if (err)
			err->text[0] = '\0'; /* of the try before */
		r = try_move(m, err);
		if (r == -ENOENT && fstatat(m->from_dir, m->from, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	return r;
}

static int describe_fd(int fd, struct pgofs_stored *ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	pgofs_local_describe(&st, ret);
	return 0;
}

/* Is it this file that has the name? */
static bool is_named(int fd, int dir_fd, const char *name)
{
	struct stat file, named;
	return fstat(fd, &file) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       file.st_dev == named.st_dev && file.st_ino == named.st_ino;
}

/* -EAGAIN: the file was taken away before it had its key. */
static int put_once(struct pgofs_local *l, const char *key, const void *data, size_t len, unsigned flags,
		    struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	_cleanup_(pgofs_local_temp_done) struct pgofs_local_temp t = PGOFS_LOCAL_TEMP;
	int r = pgofs_local_temp_new(l, &t, err);
	if (r == 0)
		r = pgofs_local_temp_fill(&t, data, len, err);
	if (r < 0)
		return r;

	struct move m = { l, t.fd, t.dir_fd, t.name, key, flags, -1, NULL };
	r = move_to_key(&m, err);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	t.name[0] = '\0';
	r = pgofs_local_sync_dir(l, m.to_dir);
	if (r < 0) {
		pgofs_error_errno(err, r, "sync the directory");
		/* Of a replaced object the old bytes are gone, and the new ones are whole: they stay. So does what somebody else
		 * has put there by now. */
		if ((flags & PGOFS_PUT_NEW) && is_named(t.fd, m.to_dir, m.to))
			unlinkat(m.to_dir, m.to, 0);
	} else {
		r = describe_fd(t.fd, ret_stored);
	}
	close(m.to_dir);
	return r;
}

static int local_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		     struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	int r = -EAGAIN;
	if (pgofs_local_reserved(key))
		return pgofs_error_set(err, -EINVAL, "names under %s are taken", LOCAL_TEMP_DIR);
	for (int tries = 0; tries < 10 && r == -EAGAIN; tries++)
		r = put_once(pgofs_local_of(b), key, data, len, flags, ret_stored, err);
	return r == -EAGAIN ? pgofs_error_set(err, -EIO, "%s is being emptied by somebody", LOCAL_TEMP_DIR) : r;
}

static int local_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	struct pgofs_local *l = pgofs_local_of(b);
	struct move m = { .local = l, .key = to, .flags = flags, .to_dir = -1 };
	struct stat st;
	if (pgofs_local_reserved(from))
		return -ENOENT;
	if (pgofs_local_reserved(to))
		return pgofs_error_set(err, -EINVAL, "names under %s are taken", LOCAL_TEMP_DIR);
	_cleanup_(pgofs_closep) int from_dir = pgofs_local_open_parent(l, from, &m.from);
	if (from_dir < 0)
		return from_dir;
	_cleanup_(pgofs_closep) int fd = openat(from_dir, m.from, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;

	m.fd = fd;
	m.from_dir = from_dir;
	int r = move_to_key(&m, err);
	if (r < 0)
		return r;
	/* rename(2) leaves two names of one file as they are. (The name of a file that has but one is still found where upper and
	 * lower case are the same.) */
	if (st.st_nlink > 1 && is_named(fd, from_dir, m.from))
		unlinkat(from_dir, m.from, 0);
	r = pgofs_local_sync_dir(l, m.to_dir);
	if (r == 0)
		r = pgofs_local_sync_dir(l, from_dir);
	if (r == 0)
		r = describe_fd(fd, ret_stored);
	close(m.to_dir);
	pgofs_local_prune(l, from);
	return r;
}

/* ---- Remove ---- */

static int local_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	struct pgofs_local *l = pgofs_local_of(b);
	struct stat st;
	const char *name;
	if (pgofs_local_reserved(key))
		return -ENOENT;
	_cleanup_(pgofs_closep) int dir_fd = pgofs_local_open_parent(l, key, &name);
	if (dir_fd < 0)
		return dir_fd;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	if (unlinkat(dir_fd, name, 0) < 0)
		return -errno;
	pgofs_local_prune(l, key);
	return 0;
}

static int local_remove_dir(struct pgofs_backend *b, const char *dir, struct pgofs_error *err)
{
	const char *name;
	_cleanup_(pgofs_closep) int fd = pgofs_local_open_parent(pgofs_local_of(b), dir, &name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (pgofs_local_reserved(dir) || unlinkat(fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* ---- The rest ---- */

static int try_reading(struct pgofs_local *l)
{
	int fd = pgofs_local_open_dir(l, "", O_RDONLY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		pgofs_closep(&fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	errno = 0;
	int r = readdir(d) ? 0 : -errno;
	closedir(d);
	return r;
}

static int local_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	struct pgofs_local *l = pgofs_local_of(b);
	int r = pgofs_local_root(l);
	if (r == -ENOENT)
		return pgofs_error_set(err, r, "no such directory");
	if (r >= 0)
		r = try_reading(l);
	if (r == 0)
		pgofs_local_temp_sweep(l);
	return r;
}

static int local_usage(struct pgofs_backend *b, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	struct statvfs v;
	int root = pgofs_local_root(pgofs_local_of(b));
	if (root < 0)
		return root;
	if (fstatvfs(root, &v) < 0)
		return -errno;
	*ret_total_bytes = (uint64_t)v.f_blocks * v.f_frsize;
	*ret_free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static void local_destroy(struct pgofs_backend *b)
{
	struct pgofs_local *l = pgofs_local_of(b);
	int fd = atomic_load(&l->root_fd);
	pgofs_closep(&fd);
	free(l);
}

static const struct pgofs_backend_ops local_ops = {
	.destroy = local_destroy,
	.probe = local_probe,
	.list = pgofs_local_list,
	.get = local_get,
	.put = local_put,
	.remove = local_remove,
	.remove_dir = local_remove_dir,
	.rename = local_rename,
	.usage = local_usage,
};

/* A daemon changes to "/": a relative path must not change its meaning with it. */
static char *absolute(const char *path)
{
	char *whole = NULL;
	_cleanup_(pgofs_freep) char *here = NULL;
	if (path[0] == '/')
		whole = strdup(path);
	else if ((here = getcwd(NULL, 0)) && asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	for (size_t len = whole ? strlen(whole) : 0; len > 1 && whole[len - 1] == '/';)
		whole[--len] = '\0';
	return whole;
}

int pgofs_local_open(const char *path, bool may_be_lost, struct pgofs_backend **ret, struct pgofs_error *err)
{
	char *name = absolute(path);
	struct pgofs_local *l = name ? calloc(1, sizeof *l) : NULL;
	if (!l) {
		free(name);
		return -ENOMEM;
	}
	l->backend = (struct pgofs_backend){ &local_ops, name };
	l->sys = &pgofs_local_sys;
	l->may_be_lost = may_be_lost;
	atomic_init(&l->root_fd, -1);
	pgofs_local_root(l); /* while the way there is what it is now; a failure is probe's to tell */
	*ret = &l->backend;
	return 0;
}

static const struct pgofs_option local_options[] = { { NULL } };

/* Whatever does not look like the address of something else. */
static bool local_matches(const char *source)
{
	return source[0] && !strstr(source, "://");
}

static int local_open(const char *source, const char *const *options, struct pgofs_backend **ret,
		      struct pgofs_error *err)
{
	int r = pgofs_backend_parse_options(local_options, options, NULL, err);
	return r < 0 ? r : pgofs_local_open(source, false, ret, err);
}

const struct pgofs_backend_kind pgofs_backend_local = {
	.name = "local",
	.options = local_options,
	.matches = local_matches,
	.open = local_open,
};
