#include "profiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields of profile.proto are written by hand, so that these tests judge the tree without the encoder it uses. */
static void varint(struct pgofs_buf *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		pgofs_buf_append(b, &(uint8_t){ (uint8_t)(n | 0x80) }, 1);
	pgofs_buf_append(b, &(uint8_t){ (uint8_t)n }, 1);
}

static void number(struct pgofs_buf *b, unsigned field, uint64_t n)
{
	varint(b, field << 3);
	varint(b, n);
}

static void bytes(struct pgofs_buf *b, unsigned field, const void *data, size_t len)
{
	varint(b, field << 3 | 2);
	varint(b, len);
	pgofs_buf_append(b, data, len);
}

static void message(struct pgofs_buf *b, unsigned field, struct pgofs_buf *inner)
{
	bytes(b, field, inner->data, inner->len);
	inner->len = 0;
}

static void value_type(struct pgofs_buf *b, unsigned field, uint64_t type, uint64_t unit)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf inner = PGOFS_BUF(64);
	number(&inner, 1, type);
	number(&inner, 2, unit);
	message(b, field, &inner);
}

static void function(struct pgofs_buf *b, uint64_t id, uint64_t name, uint64_t start_line)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf inner = PGOFS_BUF(64);
	number(&inner, 1, id);
	number(&inner, 2, name);
	number(&inner, 3, name);
	number(&inner, 5, start_line);
	message(b, 5, &inner);

	_cleanup_(pgofs_buf_done) struct pgofs_buf line = PGOFS_BUF(64);
	number(&line, 1, id);
	number(&line, 2, start_line + 3);
	number(&inner, 1, id);
	number(&inner, 3, 0x1000 * id);
	message(&inner, 4, &line);
	message(b, 4, &inner);
}

struct pgofs_bytes *profile_new(const char *callee, int64_t weight, int64_t time_ns)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(64 * 1024), sample = PGOFS_BUF(64),
						   ids = PGOFS_BUF(64);
	char name[256];
	snprintf(name, sizeof name, "main.%s", callee);
	const char *const strings[] = { "", "samples", "count", "cpu", "nanoseconds", "main.main", name };

	value_type(&b, 1, 1, 2);
	value_type(&b, 1, 3, 4);
	varint(&ids, 2);
	varint(&ids, 1);
	message(&sample, 1, &ids);
	varint(&ids, (uint64_t)weight);
	varint(&ids, (uint64_t)weight * 10000000);
	message(&sample, 2, &ids);
	message(&b, 2, &sample);
	function(&b, 1, 5, 10);
	function(&b, 2, 6, 30);
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		bytes(&b, 6, strings[i], strlen(strings[i]));
	if (time_ns)
		number(&b, 9, (uint64_t)time_ns);
	value_type(&b, 11, 3, 4);
	number(&b, 12, 10000000);
	return pgofs_bytes_consume_buf(&b);
}
