/* Reads to the end whatever the file is, since pipes and files of /proc tell no size; bounded, since /dev/zero has no end. */
#include "input.h"

#include <pgofs/cleanup.h>
#include <pgofs/units.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE_BYTES ((size_t)64 * 1024)

static int read_to_end(int fd, struct pgofs_buf *b)
{
	for (;;) {
		/* One byte past the maximum tells too large from just fitting. */
		size_t room = b->cap > b->len ? b->cap - b->len : PIECE_BYTES;
		if (room > b->max - b->len)
			room = b->max - b->len;
		int r = room ? pgofs_buf_reserve(b, room) : -EFBIG;
		if (r < 0)
			return r;
		ssize_t n = read(fd, b->data + b->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		b->len += (size_t)n;
	}
}

static int read_file(int fd, size_t max_bytes, struct pgofs_bytes **ret, int64_t *ret_mtime_ns)
{
	struct stat st;
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(max_bytes + 1);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes)
		return -EFBIG;
	int r = S_ISREG(st.st_mode) ? pgofs_buf_reserve(&b, (size_t)st.st_size + 1) : 0;
	if (r == 0)
		r = read_to_end(fd, &b);
	if (r < 0)
		return r;
	*ret = pgofs_bytes_consume_buf(&b);
	if (!*ret)
		return -ENOMEM;
	if (ret_mtime_ns)
		*ret_mtime_ns =
		    S_ISREG(st.st_mode) ? st.st_mtim.tv_sec * PGOFS_NS_PER_S + st.st_mtim.tv_nsec : pgofs_now_ns();
	return 0;
}

int pgofs_input_read(const char *path, size_t max_bytes, struct pgofs_bytes **ret, int64_t *ret_mtime_ns,
		     struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int fd = !strcmp(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_file(fd, max_bytes, ret, ret_mtime_ns);
	if (r == -EFBIG)
		return pgofs_error_set(err, r, "read %s: larger than the %zu bytes it may have", path, max_bytes);
	return r < 0 ? pgofs_error_errno(err, r, "read %s", path) : 0;
}
