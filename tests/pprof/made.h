/* Profiles for tests, made and read by protobuf-c's generated code: the judge of pgofs' own decoder and encoder.
 *
 * A made profile starts as a usable Go CPU profile without samples: two sample types, one mapping. Everything of it may be changed through
 * `p` before it is packed. Nothing here is freed before made_free. Out of memory ends the test. */
#pragma once

#include "profile.pb-c.h"

#include <pgofs/buf.h>
#include <pgofs/pprof.h>

struct made {
	Pprof__Profile *p;
};

struct made *made_new(void);
void made_free(struct made *m);
PGOFS_DEFINE_FREEP(struct made, made_free)

/* The number of a string, which is added when new. */
int64_t made_string(struct made *m, const char *text);

/* Each returns the new thing's id, or the thing. Ids count from 1. */
uint64_t made_function(struct made *m, const char *name, int64_t start_line);
uint64_t made_location(struct made *m, uint64_t address, uint64_t function, int64_t line);
Pprof__Location *made_location_at(struct made *m, uint64_t id);
Pprof__Line *made_inline(struct made *m, uint64_t location, uint64_t function,
			 int64_t line); /* one more line, outside */
Pprof__Mapping *made_mapping(struct made *m, uint64_t start, uint64_t limit, const char *build_id);
Pprof__Sample *made_sample(struct made *m, int64_t count, int64_t cpu_ns, size_t n, const uint64_t *locations);
Pprof__Label *made_label(struct made *m, Pprof__Sample *s, const char *key, const char *text);
Pprof__Label *made_number(struct made *m, Pprof__Sample *s, const char *key, int64_t number, const char *unit);
void made_type(struct made *m, const char *type, const char *unit); /* and one more value 0 in every sample */

#define MADE_SAMPLE(m, count, cpu, ...)                                                                                \
	made_sample((m), (count), (cpu), sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t),                       \
		    (uint64_t[]){ __VA_ARGS__ })

/* main.main calls main.work calls main.leaf, one sample of it: what check accepts. */
struct made *made_usable(void);

/* The raw form, appended. */
void made_pack(const struct made *m, struct pgofs_buf *raw);

/* What generated code reads of a raw form; NULL where it finds none. Free with read_free. */
Pprof__Profile *read_raw(const struct pgofs_buf *raw);
void read_free(Pprof__Profile *p);
PGOFS_DEFINE_FREEP(Pprof__Profile, read_free)

/* A string of it, or "?" out of range; "." instead of bytes 0. */
const char *read_string(const Pprof__Profile *p, int64_t number);

/* Adds each profile to a merge of this view and encodes it into `out`; ends the test where anything fails. */
void merge_made(enum pgofs_view view, struct made *const *m, size_t n, struct pgofs_buf *out);
#define MERGE_MADE(view, out, ...)                                                                                     \
	merge_made((view), (struct made *const[]){ __VA_ARGS__ },                                                      \
		   sizeof((struct made *const[]){ __VA_ARGS__ }) / sizeof(struct made *), (out))

/* What adding one profile to `merge` returns, and its words. */
int add_made(struct pgofs_merge *merge, const struct made *m, struct pgofs_error *err);
