/* The rare half of reading the wire format: long varints, numbers of fixed width, and words for every fault.
 *
 * What must stay true: no path reads past `end`, and every path either moves forward or fails. */
#include "wire.h"

#include "usual.h"

struct pgofs_varint pgofs_varint_get_long(const uint8_t *p, const uint8_t *end)
{
	uint64_t v = 0;
	if (end - p >= 8) {
		unsigned bytes = pgofs_varint_eight(p, &v);
		if (bytes)
			return (struct pgofs_varint){ p + bytes, v };
	}
	for (unsigned i = 0; i < 10 && p < end; i++, p++) {
		v |= (uint64_t)(*p & 0x7f) << (7 * i);
		if (*p < 0x80)
			return (struct pgofs_varint){ p + 1, v };
	}
	return (struct pgofs_varint){ NULL, 0 };
}

static int fixed(struct pgofs_wire *w, size_t bytes, struct pgofs_error *err)
{
	if ((size_t)(w->end - w->p) < bytes)
		return pgofs_error_set(err, -EINVAL, "a number is cut off");
	w->p += bytes;
	return 1;
}

static int bytes(struct pgofs_wire *w, struct pgofs_field *f, struct pgofs_error *err)
{
	uint64_t len;
	if (pgofs_wire_varint(w, &len) < 0)
		return pgofs_error_set(err, -EINVAL, "a length is cut off or too long");
	if (len > (size_t)(w->end - w->p))
		return pgofs_error_set(err, -EINVAL, "a field of %llu bytes, where only %zu are left",
				       (unsigned long long)len, (size_t)(w->end - w->p));
	f->data = w->p;
	f->len = len;
	w->p += len;
	return 1;
}

int pgofs_wire_next_rare(struct pgofs_wire *w, struct pgofs_field *f, struct pgofs_error *err)
{
	uint64_t tag;
	if (pgofs_wire_varint(w, &tag) < 0)
		return pgofs_error_set(err, -EINVAL, "a varint is cut off or too long");
	f->number = tag >> 3;
	f->type = tag & 7;
	switch (f->type) {
	case PGOFS_WIRE_VARINT:
		if (pgofs_wire_varint(w, &f->value) < 0)
			return pgofs_error_set(err, -EINVAL, "a varint is cut off or too long");
		return 1;
	case PGOFS_WIRE_FIXED64:
		return fixed(w, 8, err);
	case PGOFS_WIRE_FIXED32:
		return fixed(w, 4, err);
	case PGOFS_WIRE_BYTES:
		return bytes(w, f, err);
	}
	return pgofs_error_set(err, -EINVAL, "unknown wire type %d", (int)f->type);
}

static int number_rare(struct pgofs_wire *w, uint64_t *slot, uint32_t numbers, uint32_t others, struct pgofs_error *err)
{
	struct pgofs_wire before = *w;
	struct pgofs_field f = { 0 };
	int r = pgofs_wire_next(w, &f, err);
	if (r < 0 || f.number >= 32)
		return r < 0 ? r : 0;
	if (numbers >> f.number & 1)
		return pgofs_field_u64(&f, &slot[f.number], err);
	if (others >> f.number & 1) {
		*w = before;
		return 1;
	}
	return 0;
}

int pgofs_wire_numbers(struct pgofs_wire *w, uint64_t *slot, uint32_t numbers, uint32_t others, struct pgofs_error *err)
{
	const uint8_t *p = w->p, *end = w->end;
	while (p < end) {
		unsigned number = *p >> 3;
		if ((*p & 0x87) == PGOFS_WIRE_VARINT && numbers >> number & 1) {
			struct pgofs_varint v = pgofs_varint_get(p + 1, end);
			if (v.next) {
				slot[number] = v.value;
				p = v.next;
				continue;
			}
		}
		w->p = p;
		if ((*p & 0x87) == PGOFS_WIRE_BYTES && others >> number & 1)
			return 1;
		int r = number_rare(w, slot, numbers, others, err);
		if (r != 0)
			return r;
		p = w->p;
	}
	w->p = p;
	return 0;
}

int pgofs_field_mismatch(const struct pgofs_field *f, struct pgofs_error *err)
{
	return pgofs_error_set(err, -EINVAL, "field %llu has wire type %d, which it cannot have",
			       (unsigned long long)f->number, (int)f->type);
}
