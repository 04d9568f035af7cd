/* One profile, decoded: its tables, checked, pointing into the raw form they were read from.
 *
 * This is the validating decode that check and merge share: what decodes here and whose samples all parse (sample.h) is a
 * profile for both. It accepts what google/pprof accepts (profile/encode.go, proto.go, and CheckValid in profile.go), but for
 * the limits below.
 *
 * A structure is reused from one profile to the next and keeps its arrays. Threads: the caller serialises. */
#pragma once

#include "ids.h"
#include "wire.h"

#include <pgofs/buf.h>

/* Beyond these nothing is a profile any more; they keep tables within a few GiB at worst. */
#define PGOFS_SAMPLE_TYPES_MAX 64u
#define PGOFS_SAMPLES_MAX      (UINT32_C(1) << 26)
#define PGOFS_STRINGS_MAX      (UINT32_C(1) << 24)
#define PGOFS_TABLE_MAX        (UINT32_C(1) << 24) /* locations, lines, functions, mappings */

/* A place in the raw form. */
struct pgofs_span {
	uint32_t at, len;
};

/* Two strings, by number in this profile's string table. */
struct pgofs_raw_type {
	uint32_t type, unit;
};

struct pgofs_raw_mapping {
	uint64_t id, start, limit, offset;
	uint32_t file, build_id;
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct pgofs_raw_function {
	uint64_t id;
	int64_t start_line;
	uint32_t name, system_name, filename;
};

struct pgofs_raw_line {
	uint64_t function; /* while decoding its id, then its place */
	int64_t line, column;
};

struct pgofs_raw_location {
	uint64_t id, address;
	uint64_t mapping; /* while decoding its id, then its place, or PGOFS_NONE */
	uint32_t first_line, n_lines;
	bool folded;
};

struct pgofs_profile {
	const uint8_t *raw; /* borrowed */
	size_t len;

	struct pgofs_span *string;
	struct pgofs_span *sample;
	struct pgofs_raw_type *type;
	struct pgofs_raw_mapping *mapping;
	struct pgofs_raw_location *location;
	struct pgofs_raw_line *line;
	struct pgofs_raw_function *function;
	uint32_t *comment;
	size_t n_strings, n_samples, n_types, n_mappings, n_locations, n_lines, n_functions, n_comments;
	size_t string_cap, sample_cap, type_cap, mapping_cap, location_cap, line_cap, function_cap, comment_cap;

	struct pgofs_raw_type period_type;
	int64_t time_ns, duration_ns, period;
	uint32_t drop_frames, keep_frames, default_type, doc_url;

	struct pgofs_ids locations, functions, mappings; /* from ids to places */
	bool had_mappings;                               /* else the one there is was made up, as pprof does */
};

void pgofs_profile_init(struct pgofs_profile *p);
void pgofs_profile_done(struct pgofs_profile *p);

/* Reads the tables of a raw form, which is borrowed as long as they are used. -EINVAL and words, -EFBIG past a limit. */
int pgofs_profile_decode(struct pgofs_profile *p, const void *raw, size_t len, struct pgofs_error *err);

static inline const uint8_t *pgofs_profile_string(const struct pgofs_profile *p, uint32_t number, size_t *ret_len)
{
	*ret_len = p->string[number].len;
	return p->raw + p->string[number].at;
}

bool pgofs_profile_string_is(const struct pgofs_profile *p, uint32_t number, const char *text);

size_t pgofs_profile_memory_bytes(const struct pgofs_profile *p);
