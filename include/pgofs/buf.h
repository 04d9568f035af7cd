/* Bytes in memory: one kind that grows, one that is shared and never changes.
 *
 * A pgofs_buf is told its maximum at birth, so nothing read from outside grows without a bound. A pgofs_bytes is what a
 * storage or a merge hands out: immutable, reference-counted, free to share between threads.
 *
 * Threads: a pgofs_buf belongs to one thread. pgofs_bytes' counting is atomic. */
#pragma once

#include <pgofs/cleanup.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct pgofs_buf {
	uint8_t *data; /* owned; NULL while nothing was reserved */
	size_t len;
	size_t cap;
	size_t max; /* len never passes it */
};

#define PGOFS_BUF(max_bytes) ((struct pgofs_buf){ .max = (max_bytes) })

void pgofs_buf_done(struct pgofs_buf *b);

/* Room for `extra` more bytes at data + len, which is no NULL afterwards, not even for none. -EFBIG past the maximum, -ENOMEM; the content is
 * untouched. */
int pgofs_buf_reserve(struct pgofs_buf *b, size_t extra);

int pgofs_buf_append(struct pgofs_buf *b, const void *data, size_t len);

int pgofs_buf_printf(struct pgofs_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct pgofs_bytes {
	atomic_uint refs;
	size_t len;
	uint8_t *data; /* owned, from malloc; may be NULL when len is 0 */
};

/* Takes what `b` holds (b is empty after) and returns it with one reference; NULL when memory is out, b unchanged. */
struct pgofs_bytes *pgofs_bytes_consume_buf(struct pgofs_buf *b);

struct pgofs_bytes *pgofs_bytes_dup(const void *data, size_t len);
struct pgofs_bytes *pgofs_bytes_ref(struct pgofs_bytes *b);
void pgofs_bytes_unref(struct pgofs_bytes *b);
PGOFS_DEFINE_FREEP(struct pgofs_bytes, pgofs_bytes_unref)
