#include "profiles.h"

#include "../fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields of profile.proto are written by hand, so that these tests judge the tree without the encoder it uses. */
static void value_type(struct pgofs_buf *b, unsigned field, uint64_t type, uint64_t unit)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf inner = PGOFS_BUF(64);
	put_number(&inner, 1, type);
	put_number(&inner, 2, unit);
	put_message(b, field, &inner);
}

static void function(struct pgofs_buf *b, uint64_t id, uint64_t name, uint64_t start_line)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf inner = PGOFS_BUF(64);
	put_number(&inner, 1, id);
	put_number(&inner, 2, name);
	put_number(&inner, 3, name);
	put_number(&inner, 5, start_line);
	put_message(b, 5, &inner);

	_cleanup_(pgofs_buf_done) struct pgofs_buf line = PGOFS_BUF(64);
	put_number(&line, 1, id);
	put_number(&line, 2, start_line + 3);
	put_number(&inner, 1, id);
	put_number(&inner, 3, 0x1000 * id);
	put_message(&inner, 4, &line);
	put_message(b, 4, &inner);
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
	put_varint(&ids, 2);
	put_varint(&ids, 1);
	put_message(&sample, 1, &ids);
	put_varint(&ids, (uint64_t)weight);
	put_varint(&ids, (uint64_t)weight * 10000000);
	put_message(&sample, 2, &ids);
	put_message(&b, 2, &sample);
	function(&b, 1, 5, 10);
	function(&b, 2, 6, 30);
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		put_bytes(&b, 6, strings[i], strlen(strings[i]));
	if (time_ns)
		put_number(&b, 9, (uint64_t)time_ns);
	value_type(&b, 11, 3, 4);
	put_number(&b, 12, 10000000);
	return pgofs_bytes_consume_buf(&b);
}
