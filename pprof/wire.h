/* The protobuf wire format, read in place.
 *
 * A cursor walks bytes it does not own; a field points into them. Nothing is copied and nothing recurses: a message within a
 * message is another cursor, opened by whoever knows its type, so nesting is as deep as the code, never as the input.
 *
 * Same strictness as google/pprof profile/proto.go: a varint has at most ten bytes, of the tenth one bit counts; groups and wire
 * types 6 and 7 are errors; a field number nobody knows is skipped. */
#pragma once

#include <pgofs/error.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pgofs_wire {
	const uint8_t *p, *end;
};

enum pgofs_wire_type {
	PGOFS_WIRE_VARINT = 0,
	PGOFS_WIRE_FIXED64 = 1,
	PGOFS_WIRE_BYTES = 2,
	PGOFS_WIRE_FIXED32 = 5,
};

struct pgofs_field {
	uint64_t number;
	enum pgofs_wire_type type;
	uint64_t value;      /* of a varint */
	const uint8_t *data; /* of bytes */
	size_t len;
};

/* A varint read, and where the next byte is: NULL where it is cut off or longer than ten bytes. By value, so that a cursor can live in
 * registers. */
struct pgofs_varint {
	const uint8_t *next;
	uint64_t value;
};

/* Of any length, at any position. */
struct pgofs_varint pgofs_varint_get_long(const uint8_t *p, const uint8_t *end);

static inline __attribute__((always_inline)) struct pgofs_varint pgofs_varint_get(const uint8_t *p, const uint8_t *end)
{
	if (p < end && *p < 0x80)
		return (struct pgofs_varint){ p + 1, *p };
	if (end - p >= 2 && p[1] < 0x80)
		return (struct pgofs_varint){ p + 2, (p[0] & 0x7fu) | (uint64_t)p[1] << 7 };
	return pgofs_varint_get_long(p, end);
}

/* 0, or -EINVAL. */
static inline __attribute__((always_inline)) int pgofs_wire_varint(struct pgofs_wire *w, uint64_t *ret)
{
	struct pgofs_varint v = pgofs_varint_get(w->p, w->end);
	if (!v.next)
		return -EINVAL;
	w->p = v.next;
	*ret = v.value;
	return 0;
}

/* pgofs_wire_next for what is seldom: long tags, numbers of fixed width, every fault. */
int pgofs_wire_next_rare(struct pgofs_wire *w, struct pgofs_field *f, struct pgofs_error *err);

/* The next field: 1 and *f is filled, 0 at the end, -EINVAL and words. Inlined with copies around the call for what is seldom, or the cursor
 * of every reader would live in memory. */
static inline __attribute__((always_inline)) int pgofs_wire_next(struct pgofs_wire *w, struct pgofs_field *f,
								 struct pgofs_error *err)
{
	if (w->p == w->end)
		return 0;
	uint8_t tag = *w->p;
	f->number = tag >> 3;
	f->type = tag & 7;
	if (tag < 0x80 && (f->type == PGOFS_WIRE_VARINT || f->type == PGOFS_WIRE_BYTES)) {
		struct pgofs_varint v = pgofs_varint_get(w->p + 1, w->end);
		if (v.next && f->type == PGOFS_WIRE_VARINT) {
			f->value = v.value;
			w->p = v.next;
			return 1;
		}
		if (v.next && v.value <= (size_t)(w->end - v.next)) {
			f->data = v.next;
			f->len = v.value;
			w->p = v.next + v.value;
			return 1;
		}
	}
	struct pgofs_wire rest = *w;
	struct pgofs_field found = { 0 };
	int r = pgofs_wire_next_rare(&rest, &found, err);
	*w = rest;
	*f = found;
	return r;
}

/* Most messages are a few numbers: reads each field whose bit is in `numbers` into slot[its number]; of several the last wins.
 * Stops before a field whose bit is in `others` and returns 1; skips any other field; 0 at the end; -EINVAL and words. */
int pgofs_wire_numbers(struct pgofs_wire *w, uint64_t *slot, uint32_t numbers, uint32_t others,
		       struct pgofs_error *err);

/* A field that must be a number, or bytes: 0, or -EINVAL and words. */
int pgofs_field_mismatch(const struct pgofs_field *f, struct pgofs_error *err);

static inline int pgofs_field_u64(const struct pgofs_field *f, uint64_t *ret, struct pgofs_error *err)
{
	if (f->type != PGOFS_WIRE_VARINT)
		return pgofs_field_mismatch(f, err);
	*ret = f->value;
	return 0;
}

static inline int pgofs_field_i64(const struct pgofs_field *f, int64_t *ret, struct pgofs_error *err)
{
	if (f->type != PGOFS_WIRE_VARINT)
		return pgofs_field_mismatch(f, err);
	*ret = (int64_t)f->value;
	return 0;
}

static inline int pgofs_field_bytes(const struct pgofs_field *f, struct pgofs_wire *ret, struct pgofs_error *err)
{
	if (f->type != PGOFS_WIRE_BYTES)
		return pgofs_field_mismatch(f, err);
	*ret = (struct pgofs_wire){ f->data, f->data + f->len };
	return 0;
}

/* Writing: how many bytes a varint takes, and the varint itself; returns where the next byte goes. */
static inline size_t pgofs_varint_bytes(uint64_t v)
{
	return (size_t)(70 - __builtin_clzll(v | 1)) / 7;
}

static inline uint8_t *pgofs_varint_put(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}
