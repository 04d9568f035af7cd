/* The answer to the kernel's first question, INIT, is the only one that has this length and comes before any other: it gets the flag on its way
 * out. All else passes as it is. */
#define FUSE_USE_VERSION 312

#include "fuse-parallel.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_bool answered;

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *userdata)
{
	if (!atomic_exchange_explicit(&answered, true, memory_order_relaxed) && count == 2 &&
	    iov[1].iov_len == sizeof(struct fuse_init_out))
		((struct fuse_init_out *)iov[1].iov_base)->flags |= FUSE_PARALLEL_DIROPS;
	return writev(fd, iov, count);
}

static ssize_t read_request(int fd, void *buf, size_t len, void *userdata)
{
	return read(fd, buf, len);
}

int pgofs_let_lookups_be_parallel(struct fuse_session *session)
{
	static const struct fuse_custom_io io = { .writev = write_answer, .read = read_request };
	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
