#include <pgofs/buf.h>

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void pgofs_buf_done(struct pgofs_buf *b)
{
	free(b->data);
	*b = PGOFS_BUF(b->max);
}

int pgofs_buf_reserve(struct pgofs_buf *b, size_t extra)
{
	if (extra > b->max - b->len)
		return -EFBIG;
	size_t want = b->len + extra;
	if (want <= b->cap && b->data)
		return 0;

	size_t cap = b->cap < 128 ? 128 : b->cap + b->cap / 2;
	if (cap < want)
		cap = want;
	if (cap > b->max)
		cap = b->max;
	uint8_t *data = realloc(b->data, cap ? cap : 1);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int pgofs_buf_append(struct pgofs_buf *b, const void *data, size_t len)
{
	int r = pgofs_buf_reserve(b, len);
	if (r < 0)
		return r;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

int pgofs_buf_printf(struct pgofs_buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);

	int r = n < 0 ? -EINVAL : pgofs_buf_reserve(b, (size_t)n + 1); /* +1: vsnprintf ends with a NUL */
	if (r == 0) {
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return r;
}

struct pgofs_bytes *pgofs_bytes_consume_buf(struct pgofs_buf *b)
{
	struct pgofs_bytes *bytes = malloc(sizeof *bytes);
	if (!bytes)
		return NULL;
	atomic_init(&bytes->refs, 1);
	bytes->len = b->len;
	bytes->data = STEAL(b->data);

	/* What will be kept should not keep the slack it grew with. */
	if (b->cap - bytes->len > bytes->len / 8 && bytes->len) {
		uint8_t *exact = realloc(bytes->data, bytes->len);
		if (exact)
			bytes->data = exact;
	}
	b->len = b->cap = 0;
	return bytes;
}

struct pgofs_bytes *pgofs_bytes_dup(const void *data, size_t len)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(len);
	if (pgofs_buf_append(&b, data, len) < 0)
		return NULL;
	return pgofs_bytes_consume_buf(&b);
}

struct pgofs_bytes *pgofs_bytes_ref(struct pgofs_bytes *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void pgofs_bytes_unref(struct pgofs_bytes *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(b->data);
	free(b);
}
