/* Reading a sample.
 *
 * What must stay true: whatever is wrong with a sample is found here, by whoever asks for its values, its stack and its labels; a stack read
 * quickly (packed.c) is good only if every id in it counts, and otherwise read again carefully, for the words. */
#include "sample.h"

#include "array.h"
#include "packed.h"
#include "usual.h"

static int wrong_count(size_t have, const struct pgofs_profile *p, struct pgofs_error *err)
{
	return pgofs_error_set(err, -EINVAL, "a sample has %zu values where the profile has %zu sample types", have,
			       p->n_types);
}

/* More values than types is an error all the same, so those beyond are only counted. */
static void take_value(const struct pgofs_profile *p, uint64_t v, int64_t *value, size_t *n)
{
	if (*n < p->n_types)
		value[*n] = (int64_t)v;
	(*n)++;
}

static int take_values(const struct pgofs_profile *p, const struct pgofs_field *f, int64_t *value, size_t *n,
		       struct pgofs_error *err)
{
	if (f->type == PGOFS_WIRE_VARINT) {
		take_value(p, f->value, value, n);
		return 0;
	}
	struct pgofs_wire w = { 0 };
	int r = pgofs_field_bytes(f, &w, err);
	while (r == 0 && w.p < w.end) {
		uint64_t v = 0;
		if (pgofs_wire_varint(&w, &v) < 0)
			r = pgofs_error_set(err, -EINVAL, "a sample's value is cut off or too long");
		take_value(p, v, value, n);
	}
	return r;
}

static int take_locations(struct pgofs_sample *s, const struct pgofs_field *f, struct pgofs_error *err)
{
	if (f->type == PGOFS_WIRE_VARINT || s->locations.p) {
		s->scattered_locations = true;
		return f->type == PGOFS_WIRE_FIXED64 || f->type == PGOFS_WIRE_FIXED32 ? pgofs_field_mismatch(f, err)
										      : 0;
	}
	return pgofs_field_bytes(f, &s->locations, err);
}

static int take_label(struct pgofs_sample *s, const struct pgofs_field *f, const uint8_t *start,
		      struct pgofs_error *err)
{
	struct pgofs_wire w = { 0 };
	int r = pgofs_field_bytes(f, &w, err);
	if (!s->labels.p)
		s->labels.p = start;
	else if (s->labels.end != start)
		s->scattered_labels = true;
	s->labels.end = w.end;
	return r;
}

/* Locations packed in one field, as many values one by one as there are types, and labels up to the end; false where it is spelled
 * otherwise. */
static bool usual_sample(const struct pgofs_profile *p, struct pgofs_sample *s, int64_t *value)
{
	const uint8_t *at = s->all.p, *end = s->all.end;
	size_t len = at[1], n = 0;
	if (at[0] != (1 << 3 | PGOFS_WIRE_BYTES) || (len >= 0x80 && at[2] >= 0x80))
		return false;
	at += 2;
	if (len >= 0x80)
		len = (len & 0x7f) | (size_t)*at++ << 7;
	if (end - at < (ptrdiff_t)len)
		return false;
	s->locations = (struct pgofs_wire){ at, at + len };
	at += len;
	for (; n < p->n_types && at < end && *at == 2 << 3; n++)
		value[n] = (int64_t)pgofs_usual_number(&at, 2 << 3);
	if (at < end)
		s->labels = (struct pgofs_wire){ at, end };
	while (at < end && *at == (3 << 3 | PGOFS_WIRE_BYTES) && at[1] < 0x80)
		at += 2 + at[1];
	return n == p->n_types && at == end;
}

int pgofs_sample_parse(const struct pgofs_profile *p, size_t number, struct pgofs_sample *s, int64_t *value,
		       struct pgofs_error *err)
{
	const uint8_t *at = p->raw + p->sample[number].at;
	struct pgofs_wire w = { at, at + p->sample[number].len };
	struct pgofs_field f = { 0 };
	size_t n = 0;
	int r;

	*s = (struct pgofs_sample){ .all = w };
	if (p->raw + p->len - w.end >= PGOFS_USUAL_SLACK && usual_sample(p, s, value))
		return 0;
	*s = (struct pgofs_sample){ .all = w };
	while ((r = pgofs_wire_next(&w, &f, err)) > 0) {
		if (f.number == 1)
			r = take_locations(s, &f, err);
		else if (f.number == 2)
			r = take_values(p, &f, value, &n, err);
		else if (f.number == 3)
			r = take_label(s, &f, at, err);
		if (r < 0)
			return r;
		at = w.p;
	}
	if (r == 0 && n != p->n_types)
		r = wrong_count(n, p, err);
	return r;
}

static int no_location(uint64_t id, struct pgofs_error *err)
{
	return pgofs_error_set(err, -EINVAL, "a sample names location %llu, which is not there",
			       (unsigned long long)id);
}

static int push(const struct pgofs_profile *p, struct pgofs_stack *stack, uint64_t id, struct pgofs_error *err)
{
	uint32_t place = pgofs_ids_find(&p->locations, id);
	if (place == PGOFS_NONE)
		return no_location(id, err);
	if (ARRAY_RESERVE(stack->place, stack->cap, stack->n + 1) < 0)
		return pgofs_error_errno(err, -ENOMEM, "reading a stack");
	stack->place[stack->n++] = place;
	return 0;
}

/* Any packed ids, one at a time. */
static int push_packed(const struct pgofs_profile *p, struct pgofs_stack *stack, struct pgofs_wire w,
		       struct pgofs_error *err)
{
	int r = 0;
	while (r == 0 && w.p < w.end) {
		uint64_t id = 0;
		if (pgofs_wire_varint(&w, &id) < 0)
			return pgofs_error_set(err, -EINVAL, "a sample's location is cut off or too long");
		r = push(p, stack, id, err);
	}
	return r;
}

/* The ids of one packed field that count 1, 2, 3, …; -EAGAIN where the careful way has to say. */
static int stack_counted(const struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_stack *stack,
			 struct pgofs_error *err)
{
	uint32_t max;
	if (ARRAY_RESERVE(stack->place, stack->cap, (size_t)(w.end - w.p) + 16) < 0)
		return pgofs_error_errno(err, -ENOMEM, "reading a stack");
	w.p = pgofs_packed_read(w.p, w.end, p->raw + p->len, stack->place, &stack->n, &max);
	if (w.p > w.end || (stack->n && max >= p->n_locations))
		return -EAGAIN;
	return w.p == w.end ? 0 : push_packed(p, stack, w, err);
}

static int stack_scattered(const struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_stack *stack,
			   struct pgofs_error *err)
{
	struct pgofs_field f = { 0 };
	int r;
	while ((r = pgofs_wire_next(&w, &f, err)) > 0) {
		if (f.number != 1)
			continue;
		if (f.type == PGOFS_WIRE_VARINT)
			r = push(p, stack, f.value, err);
		else
			r = push_packed(p, stack, (struct pgofs_wire){ f.data, f.data + f.len }, err);
		if (r < 0)
			return r;
	}
	return r;
}

int pgofs_sample_stack(const struct pgofs_profile *p, const struct pgofs_sample *s, struct pgofs_stack *stack,
		       struct pgofs_error *err)
{
	stack->n = 0;
	if (s->scattered_locations)
		return stack_scattered(p, s->all, stack, err);
	if (p->locations.counted) {
		int r = stack_counted(p, s->locations, stack, err);
		if (r != -EAGAIN)
			return r;
		stack->n = 0;
	}
	return push_packed(p, stack, s->locations, err);
}

int pgofs_sample_leaves(const struct pgofs_profile *p, const struct pgofs_sample *s, struct pgofs_stack *stack,
			struct pgofs_error *err)
{
	struct pgofs_wire w = s->locations;
	if (s->scattered_locations || !p->locations.counted || stack->cap < 2 ||
	    !pgofs_packed_surely_within(w.p, w.end, p->raw + p->len, p->locations.n))
		return pgofs_sample_stack(p, s, stack, err);
	for (stack->n = 0; stack->n < 2 && w.p < w.end; stack->n++) {
		struct pgofs_varint id = pgofs_varint_get(w.p, w.end);
		stack->place[stack->n] = (uint32_t)id.value - 1;
		w.p = id.next;
	}
	return 0;
}

static int label_string(const struct pgofs_profile *p, uint64_t number, uint32_t *ret, struct pgofs_error *err)
{
	if (number >= p->n_strings)
		return pgofs_error_set(err, -EINVAL, "a label names a string that is not in the table of %zu",
				       p->n_strings);
	*ret = (uint32_t)number;
	return 0;
}

static int read_label(const struct pgofs_profile *p, struct pgofs_wire w, struct pgofs_raw_label *ret,
		      struct pgofs_error *err)
{
	uint64_t part[4] = { 0 }; /* key, string, number, unit */
	struct pgofs_field f = { 0 };
	int r;
	while ((r = pgofs_wire_next(&w, &f, err)) > 0) {
		if (f.number >= 1 && f.number <= 4)
			r = pgofs_field_u64(&f, &part[f.number - 1], err);
		if (r < 0)
			return r;
	}
	*ret = (struct pgofs_raw_label){ .number = (int64_t)part[2] };
	if (r == 0)
		r = label_string(p, part[0], &ret->key, err);
	if (r == 0 && part[1])
		return label_string(p, part[1], &ret->string, err);
	return r < 0 ? r : label_string(p, part[3], &ret->unit, err);
}

int pgofs_sample_label(const struct pgofs_profile *p, struct pgofs_wire *w, struct pgofs_raw_label *ret,
		       struct pgofs_error *err)
{
	struct pgofs_field f = { 0 };
	int r;
	while ((r = pgofs_wire_next(w, &f, err)) > 0) {
		if (f.number != 3)
			continue;
		r = read_label(p, (struct pgofs_wire){ f.data, f.data + f.len }, ret, err);
		return r < 0 ? r : 1;
	}
	return r;
}

int pgofs_sample_check_labels(const struct pgofs_profile *p, const struct pgofs_sample *s, struct pgofs_error *err)
{
	struct pgofs_wire w = s->all;
	struct pgofs_raw_label raw;
	int r;
	do
		r = pgofs_sample_label(p, &w, &raw, err);
	while (r > 0);
	return r;
}
