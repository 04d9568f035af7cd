#include "fakesys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fakesys fake;
static atomic_int n_calls[FAKESYS_N];
static atomic_uint n_slow;

static bool fails(enum fakesys_call call, int fd)
{
	if (fake.before)
		fake.before(call, fd);
	int n = ++n_calls[call];
	if (fake.call != call || !fake.nth || n < fake.nth || (fake.times && n >= fake.nth + fake.times))
		return false;
	errno = fake.error;
	return true;
}

static bool interrupted(size_t *len)
{
	if (!fake.slow)
		return false;
	if (*len > 20000)
		*len = 20000;
	errno = EINTR;
	return n_slow++ % 3 == 0;
}

static ssize_t fake_read(int fd, void *into, size_t len)
{
	return fails(FAKESYS_READ, fd) || interrupted(&len) ? -1 : read(fd, into, len);
}

static ssize_t fake_write(int fd, const void *data, size_t len)
{
	return fails(FAKESYS_WRITE, fd) || interrupted(&len) ? -1 : write(fd, data, len);
}

static int fake_fsync(int fd)
{
	return fails(FAKESYS_FSYNC, fd) ? -1 : fsync(fd);
}

static int fake_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (fails(FAKESYS_RENAME, to_dir))
		return -1;
	errno = EINVAL;
	return fake.old && flags ? -1 : renameat2(from_dir, from, to_dir, to, flags);
}

static int fake_link(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return fails(FAKESYS_LINK, to_dir) ? -1 : linkat(from_dir, from, to_dir, to, flags);
}

static int fake_mkdir(int dir, const char *name, mode_t mode)
{
	return fails(FAKESYS_MKDIR, dir) ? -1 : mkdirat(dir, name, mode);
}

void fakesys_use(struct pgofs_backend *b, const struct fakesys *f)
{
	static const struct pgofs_local_sys sys = { fake_read,   fake_write, fake_fsync,
						    fake_rename, fake_link,  fake_mkdir };
	fake = *f;
	for (int i = 0; i < FAKESYS_N; i++)
		n_calls[i] = 0;
	pgofs_local_of(b)->sys = &sys;
}
