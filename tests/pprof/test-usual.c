/* A message means the same whether it is read as usual or carefully. Near the end of a profile every message is read carefully, so one that
 * stands before the strings and again after them is read in both ways; what they make of it, good or broken, must be the same. */
#include "../../pprof/packed.h"
#include "../../pprof/sample.h"

#include <criterion/criterion.h>
#include <string.h>

#define BYTES(text) (text), sizeof(text) - 1
#define ROUNDS      20000

/* Two types, a mapping, functions 1 and 2, locations 1 and 2. */
static const char tables[] = "\x0a\x04\x08\x01\x10\x01\x0a\x04\x08\x02\x10\x02\x1a\x02\x08\x01"
			     "\x2a\x04\x08\x01\x10\x01\x2a\x04\x08\x02\x10\x02"
			     "\x22\x08\x08\x01\x18\x01\x22\x02\x08\x01\x22\x08\x08\x02\x18\x02\x22\x02\x08\x02";

struct message {
	const char *bytes;
	size_t len;
};

static const struct message messages[] = {
	{ BYTES("\x22\x12\x08\x03\x10\x01\x18\x9f\xbe\x87\x02\x22\x07\x08\x01\x10\x83\x01\x18\x04") },
	{ BYTES("\x22\x19\x08\x03\x10\x01\x18\xa0\xc6\xd2\xdb\xd7\xaa\x15"
		"\x22\x02\x08\x01\x22\x05\x08\x02\x10\x91\x06\x28\x01") },
	{ BYTES("\x22\x04\x08\x03\x18\x05") },
	{ BYTES("\x2a\x0b\x08\x03\x10\x01\x18\x02\x20\x01\x28\xdc\x05") },
	{ BYTES("\x2a\x0f\x08\x03\x10\x01\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") },
	{ BYTES("\x12\x0b\x0a\x02\x02\x01\x10\x01\x10\x80\xad\xe2\x04") },
	{ BYTES("\x12\x14\x0a\x03\x01\x02\x01\x10\x01\x10\x05\x1a\x04\x08\x01\x10\x02\x1a\x03\x08\x02\x18") },
	{ BYTES("\x12\x08\x0a\x02\x02\x01\x12\x02\x07\x08") },
	{ BYTES("\x12\x08\x08\x02\x08\x01\x10\x07\x10\x08") },
	{ BYTES("\x12\x0d\x0a\x00\x10\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\x7f") },
};

/* The same numbers on every machine. */
static uint32_t draw(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33) % n;
}

/* One to three bytes changed, put in or taken out, mostly to such as mean something; half the time the length in front is made true again. */
static size_t spoil(uint64_t *state, uint8_t *m, size_t len)
{
	static const uint8_t telling[] = { 0x00, 0x01, 0x02, 0x03, 0x08, 0x0a, 0x10, 0x12, 0x18,
					   0x1a, 0x20, 0x22, 0x28, 0x7f, 0x80, 0x81, 0xff };
	for (uint32_t n = 1 + draw(state, 3); n--;) {
		uint32_t at = 2 + draw(state, (uint32_t)len - 2), way = draw(state, 4);
		uint8_t byte = draw(state, 5) ? telling[draw(state, sizeof telling)] : (uint8_t)draw(state, 256);
		if (way == 0 && len < 40) {
			memmove(m + at + 1, m + at, len++ - at);
			m[at] = byte;
		} else if (way == 1 && len > 4) {
			memmove(m + at, m + at + 1, --len - at);
		} else {
			m[at] = byte;
		}
	}
	if (draw(state, 2))
		m[1] = (uint8_t)(len - 2);
	return len;
}

static void append(struct pgofs_buf *b, const void *data, size_t len)
{
	cr_assert_eq(pgofs_buf_append(b, data, len), 0);
}

/* The profile with the message before its strings, or last. */
static void compose(struct pgofs_buf *b, const uint8_t *m, size_t len, bool last)
{
	static const char strings[] = "\x32\x00\x32\x01"
				      "a\x32\x60";
	char filler[0x60];
	memset(filler, 'b', sizeof filler);
	append(b, BYTES(tables));
	if (!last)
		append(b, m, len);
	append(b, BYTES(strings));
	append(b, filler, sizeof filler);
	if (last)
		append(b, m, len);
}

static void same_locations(const struct pgofs_profile *a, const struct pgofs_profile *b)
{
	cr_assert_eq(a->n_locations, b->n_locations);
	cr_assert_eq(a->n_lines, b->n_lines);
	for (size_t i = 0; i < a->n_locations; i++) {
		const struct pgofs_raw_location *x = &a->location[i], *y = &b->location[i];
		cr_assert(x->id == y->id && x->address == y->address && x->mapping == y->mapping);
		cr_assert(x->folded == y->folded && x->first_line == y->first_line && x->n_lines == y->n_lines);
	}
	for (size_t i = 0; i < a->n_lines; i++)
		cr_assert(a->line[i].function == b->line[i].function && a->line[i].line == b->line[i].line &&
			  a->line[i].column == b->line[i].column);
}

static void same_functions(const struct pgofs_profile *a, const struct pgofs_profile *b)
{
	cr_assert_eq(a->n_functions, b->n_functions);
	for (size_t i = 0; i < a->n_functions; i++) {
		const struct pgofs_raw_function *x = &a->function[i], *y = &b->function[i];
		cr_assert(x->id == y->id && x->start_line == y->start_line && x->name == y->name &&
			  x->system_name == y->system_name && x->filename == y->filename);
	}
}

/* What a sample says, or that it is broken. */
struct reading {
	int parsed, read, leaves;
	int64_t value[2];
	struct pgofs_stack stack, two;
	size_t label_bytes;
	bool scattered;
};

static struct reading reading(const struct pgofs_profile *p, size_t number)
{
	struct pgofs_sample s;
	struct reading r = { .two = { .place = malloc(64 * sizeof(uint32_t)), .cap = 64 } };
	r.parsed = pgofs_sample_parse(p, number, &s, r.value, NULL);
	if (r.parsed < 0)
		return r;
	r.label_bytes = (size_t)(s.labels.end - s.labels.p);
	r.scattered = s.scattered_labels;
	r.read = pgofs_sample_stack(p, &s, &r.stack, NULL);
	r.leaves = pgofs_sample_leaves(p, &s, &r.two, NULL);
	return r;
}

static void reading_done(struct reading *r)
{
	free(r->stack.place);
	free(r->two.place);
}

static void same_sample(const struct pgofs_profile *a, const struct pgofs_profile *b, size_t number)
{
	_cleanup_(reading_done) struct reading x = reading(a, number), y = reading(b, number);
	cr_assert_eq(x.parsed, y.parsed);
	if (x.parsed < 0)
		return;
	cr_assert(x.value[0] == y.value[0] && x.value[1] == y.value[1]);
	cr_assert(x.label_bytes == y.label_bytes && x.scattered == y.scattered);
	cr_assert(x.read == y.read && x.leaves == x.read && y.leaves == y.read);
	if (x.read < 0)
		return;
	cr_assert_eq(x.stack.n, y.stack.n);
	for (size_t i = 0; i < x.stack.n; i++)
		cr_assert(x.stack.place[i] == y.stack.place[i]);
	for (size_t i = 0; i < 2 && i < x.stack.n; i++)
		cr_assert(i < x.two.n && x.two.place[i] == x.stack.place[i] && y.two.place[i] == x.stack.place[i]);
}

/* 1 where it is a profile either way, 0 where it is none. */
static int same_either_way(const uint8_t *m, size_t len)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf first = PGOFS_BUF(4096), last = PGOFS_BUF(4096);
	_cleanup_(pgofs_profile_done) struct pgofs_profile a, b;
	compose(&first, m, len, false);
	compose(&last, m, len, true);
	pgofs_profile_init(&a);
	pgofs_profile_init(&b);
	int r = pgofs_profile_decode(&a, first.data, first.len, NULL);
	cr_assert_eq(r, pgofs_profile_decode(&b, last.data, last.len, NULL));
	if (r < 0)
		return 0;
	same_locations(&a, &b);
	same_functions(&a, &b);
	cr_assert_eq(a.n_samples, b.n_samples);
	for (size_t i = 0; i < a.n_samples; i++)
		same_sample(&a, &b, i);
	return 1;
}

Test(usual, messages_mean_the_same_wherever_they_stand)
{
	uint64_t state = 1;
	int n_good = 0;
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
		same_either_way((const uint8_t *)messages[i].bytes, messages[i].len);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t m[48];
		const struct message *from = &messages[draw(&state, sizeof messages / sizeof *messages)];
		memcpy(m, from->bytes, from->len);
		size_t len = spoil(&state, m, from->len);
		/* A length that reaches into what follows makes two different profiles of the two places. */
		if (m[1] == len - 2)
			n_good += same_either_way(m, len);
	}
	cr_expect(n_good > ROUNDS / 20, "only %d of the spoiled ones were good", n_good);
}

/* Ids in a run of random ones, as the careful reading of them finds. */
static bool all_within(const uint8_t *at, const uint8_t *end, uint32_t n)
{
	struct pgofs_wire w = { at, end };
	while (w.p < w.end) {
		uint64_t id = 0;
		if (pgofs_wire_varint(&w, &id) < 0 || id == 0 || id > n)
			return false;
	}
	return true;
}

Test(usual, ids_said_to_be_within_are_and_most_that_are_are_said_to_be)
{
	static const uint32_t sizes[] = { 1, 127, 128, 255, 256, 300, 3827, 16383, 16384, 20000, 1 << 22 };
	uint64_t state = 2;
	int n_within = 0, n_said = 0;
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t run[160] = { 0x50 };
		uint32_t n = sizes[draw(&state, sizeof sizes / sizeof *sizes)];
		uint8_t *end = run + 1;
		for (uint32_t left = draw(&state, 60); left; left--)
			end = pgofs_varint_put(end, 1 + draw(&state, n < 16384 ? n : 16383));
		if (draw(&state, 2) && end > run + 1)
			run[1 + draw(&state, (uint32_t)(end - run) - 1)] = (uint8_t)draw(&state, 256);
		bool within = all_within(run + 1, end, n), said = pgofs_packed_surely_within(run + 1, end, end + 16, n);
		cr_assert(within || !said, "round %d, n %u", i, n);
		n_within += within && n >= 3827 && end > run + 1;
		n_said += said && n >= 3827;
	}
#if defined(__x86_64__)
	cr_expect(n_said > n_within / 2, "%d of %d", n_said, n_within);
#endif
}

/* Ids are spelled in one to four bytes; at the end one may be cut off. An id 0, which no location has, is more than any. */
Test(usual, ids_read_many_at_a_time_are_those_read_one_by_one)
{
	static const uint32_t sizes[] = { 100, 5000, 5000, 16383, 40000, 1 << 25 };
	uint64_t state = 3;
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t bytes[300] = { 0x50 }, *run = bytes + 1, *end = run;
		uint32_t place[320], n = sizes[draw(&state, sizeof sizes / sizeof *sizes)], max, most = 0;
		for (uint32_t left = draw(&state, 60); left; left--)
			end = pgofs_varint_put(end, 1 + draw(&state, draw(&state, 9) ? n : 100));
		if (!draw(&state, 8))
			end = pgofs_varint_put(end, 0);
		bool cut = end > run && !draw(&state, 4);
		if (cut)
			end[-1] |= 0x80;
		size_t n_read, room = draw(&state, 20);
		const uint8_t *at = pgofs_packed_read(run, end, end + room, place, &n_read, &max);
		struct pgofs_wire w = { run, end };
		for (size_t k = 0; k < n_read && w.p < at; k++) {
			uint64_t id = 0;
			int r = pgofs_wire_varint(&w, &id);
			cr_assert(r == 0 || at > end, "round %d: an id was read that was cut off", i);
			if (r < 0)
				break;
			cr_assert(id == 0 || place[k] == id - 1);
			most = id == 0 ? UINT32_MAX : place[k] > most ? place[k] : most;
		}
		cr_assert(at > end || (w.p == at && max == most), "round %d: %u instead of %u", i, max, most);
		cr_assert(at >= end || room < 16 || cut, "round %d: stopped without need", i);
	}
}
