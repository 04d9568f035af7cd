/* Protocol buffers by hand, for tests and benches that make profiles no encoder of ours would, or more than generated code could in time.
 *
 * Appended to a buffer. Who has no memory for that cannot go on: it aborts. */
#pragma once

#include <pgofs/buf.h>

#include <stdint.h>
#include <stdlib.h>

static inline void put_raw(struct pgofs_buf *b, const void *data, size_t len)
{
	if (pgofs_buf_append(b, data, len) < 0)
		abort();
}

static inline void put_varint(struct pgofs_buf *b, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	put_raw(b, bytes, n);
}

static inline void put_number(struct pgofs_buf *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static inline void put_bytes(struct pgofs_buf *b, unsigned field, const void *data, size_t len)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, len);
	put_raw(b, data, len);
}

/* A finished message, which is empty afterwards. */
static inline void put_message(struct pgofs_buf *b, unsigned field, struct pgofs_buf *inner)
{
	put_bytes(b, field, inner->data, inner->len);
	inner->len = 0;
}
