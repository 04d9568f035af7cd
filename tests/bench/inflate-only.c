/* Reads and inflates files, and nothing else: what any merge of them must cost at least.
 *
 *	inflate-only FILE...
 *
 * With libdeflate, one file after another, into one buffer that only grows. Prints how many bytes came out. */
#include <pgofs/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct room {
	uint8_t *data;
	size_t size;
};

static int make_room(struct room *r, size_t size)
{
	if (size <= r->size)
		return 0;
	free(r->data);
	r->data = malloc(size);
	r->size = r->data ? size : 0;
	return r->data ? 0 : -ENOMEM;
}

static int read_file(const char *path, struct room *into, size_t *ret_len)
{
	_cleanup_(pgofs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (make_room(into, (size_t)st.st_size + 1) < 0)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, into->data + len, (size_t)st.st_size - len);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

/* The last four bytes of a gzip of one member say how long it was. */
static int inflate_whole(struct libdeflate_decompressor *gzip, const struct room *stored, size_t len, struct room *raw,
			 size_t *ret_len)
{
	uint32_t size;

	if (len < 18)
		return -EINVAL;
	memcpy(&size, stored->data + len - 4, 4);
	if (make_room(raw, size) < 0)
		return -ENOMEM;
	if (libdeflate_gzip_decompress(gzip, stored->data, len, raw->data, raw->size, ret_len))
		return -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	struct libdeflate_decompressor *gzip = libdeflate_alloc_decompressor();
	struct room stored = { 0 }, raw = { 0 };
	unsigned long long total = 0;
	int r = gzip ? 0 : -ENOMEM;

	for (int i = 1; i < argc && r == 0; i++) {
		size_t len = 0, raw_len = 0;

		r = read_file(argv[i], &stored, &len);
		if (r == 0)
			r = inflate_whole(gzip, &stored, len, &raw, &raw_len);
		if (r < 0)
			fprintf(stderr, "inflate-only: %s: %s\n", argv[i], strerror(-r));
		total += raw_len;
	}
	printf("%llu\n", total);
	free(stored.data);
	free(raw.data);
	libdeflate_free_decompressor(gzip);
	return r < 0;
}
