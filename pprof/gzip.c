/* gzip, in and out, by libdeflate: whole buffers at 2.1 times zlib's speed.
 *
 * libdeflate wants to be told how large the output is. A gzip member ends with its size modulo 2^32, which a liar may set to
 * anything: it is believed only as far as deflate can expand at all (1032 times), and as the limit allows. When it turns out too small the
 * buffer doubles, up to the limit and one byte past it, which tells a bomb from a file of exactly that size.
 *
 * What must stay true: no allocation beyond the buffer's maximum plus one; bytes after the last member are an error, as in Go's
 * compress/gzip. */
#include <pgofs/pprof.h>

#include <errno.h>
#include <libdeflate.h>
#include <string.h>

#define EXPANSION_MAX  1032
#define FIRST_GUESS    ((size_t)64 << 10)
#define GZIP_BYTES_MIN 18 /* header, empty block, trailer */

PGOFS_DEFINE_FREEP(struct libdeflate_decompressor, libdeflate_free_decompressor)
PGOFS_DEFINE_FREEP(struct libdeflate_compressor, libdeflate_free_compressor)

/* How much to make room for at first, for a member that starts a file of `len` bytes and may be its only one. */
static size_t first_guess(const uint8_t *stored, size_t len)
{
	size_t said = FIRST_GUESS;
	if (len >= GZIP_BYTES_MIN) {
		const uint8_t *end = stored + len;
		said = end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
	}
	size_t possible = len > SIZE_MAX / EXPANSION_MAX ? SIZE_MAX : len * EXPANSION_MAX;
	return said < possible ? said : possible;
}

static int inflate_error(enum libdeflate_result result, const uint8_t *stored, size_t len, struct pgofs_error *err)
{
	if (result == LIBDEFLATE_BAD_DATA && len < GZIP_BYTES_MIN)
		return pgofs_error_set(err, -EINVAL, "the gzip is cut off");
	return pgofs_error_set(err, -EINVAL, "the gzip is broken or cut off");
}

/* One member; *ret_used is how much of the input it took. */
static int inflate_member(struct libdeflate_decompressor *d, const uint8_t *stored, size_t len, struct pgofs_buf *raw,
			  size_t *ret_used, struct pgofs_error *err)
{
	size_t room = raw->max - raw->len;
	size_t guess = first_guess(stored, len);
	for (;; guess = guess < FIRST_GUESS ? FIRST_GUESS : guess * 2) {
		if (guess > room)
			guess = room;
		int r = pgofs_buf_reserve(raw, guess);
		if (r < 0)
			return pgofs_error_errno(err, r, "inflating");
		size_t fits = raw->cap - raw->len, made;
		enum libdeflate_result result =
		    libdeflate_gzip_decompress_ex(d, stored, len, raw->data + raw->len, fits, ret_used, &made);
		if (result == LIBDEFLATE_SUCCESS) {
			raw->len += made;
			return 0;
		}
		if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
			return inflate_error(result, stored, len, err);
		if (fits >= room)
			return pgofs_error_set(err, -EFBIG, "inflates to more than %zu bytes", raw->max);
		if (guess < fits)
			guess = fits;
	}
}

static bool is_gzip(const uint8_t *stored, size_t len)
{
	return len >= 2 && stored[0] == 0x1f && stored[1] == 0x8b;
}

int pgofs_pprof_inflate(const void *stored, size_t len, struct pgofs_buf *raw, struct pgofs_error *err)
{
	const uint8_t *at = stored;
	if (!is_gzip(at, len)) {
		int r = pgofs_buf_append(raw, stored, len);
		return r < 0 ? pgofs_error_errno(err, r, "more than %zu bytes", raw->max) : 0;
	}

	_cleanup_(libdeflate_free_decompressorp) struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	if (!d)
		return pgofs_error_errno(err, -ENOMEM, "inflating");
	size_t before = raw->len;
	while (len) {
		size_t used;
		if (!is_gzip(at, len)) {
			raw->len = before;
			return pgofs_error_set(err, -EINVAL, "%zu bytes follow the gzip", len);
		}
		int r = inflate_member(d, at, len, raw, &used, err);
		if (r < 0) {
			raw->len = before;
			return r;
		}
		at += used;
		len -= used;
	}
	return 0;
}

int pgofs_pprof_deflate(const void *raw, size_t len, int level, struct pgofs_buf *stored, struct pgofs_error *err)
{
	_cleanup_(libdeflate_free_compressorp) struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	if (!c)
		return pgofs_error_errno(err, level < 1 || level > 12 ? -EINVAL : -ENOMEM, "gzip level %d", level);
	size_t bound = libdeflate_gzip_compress_bound(c, len), room = stored->max - stored->len;
	int r = pgofs_buf_reserve(stored, bound < room ? bound : room);
	if (r < 0)
		return pgofs_error_errno(err, r, "deflating");
	size_t made = libdeflate_gzip_compress(c, raw, len, stored->data + stored->len, stored->cap - stored->len);
	if (made == 0)
		return pgofs_error_set(err, -EFBIG, "deflates to more than %zu bytes", stored->max);
	stored->len += made;
	return 0;
}
