/* Writing tables as a profile, in the very bytes google/pprof writes (profile/encode.go, proto.go). */
#pragma once

#include "header.h"
#include "tables.h"

#include <pgofs/buf.h>

/* Which samples of the tables are to be written, in which order; all they refer to is numbered in the order in which they
 * reach it, and what they do not reach is left out. */
struct pgofs_arrangement {
	const uint32_t *sample; /* n numbers */
	const struct pgofs_mapping
	    *mapping;           /* by number: to write instead of the tables'; addresses follow its start */
	uint32_t first_mapping; /* written first, used or not */
	size_t n;
};

/* What is to be written. Strings of the header are numbers in `names`, all else is in `tables`. */
struct pgofs_output {
	struct pgofs_tables *tables; /* gains strings */
	const struct pgofs_tables *names;
	const struct pgofs_header *header;
	const uint32_t *comment; /* in `names` */
	size_t n_comments;
	const struct pgofs_profile *verbatim;     /* whose ids to write, place for place; NULL: 1, 2, 3, … */
	const struct pgofs_arrangement *arranged; /* NULL: all there is, as it is */
};

/* Appends the profile. -EFBIG past the buffer's maximum, -ENOMEM. */
int pgofs_encode(const struct pgofs_output *o, struct pgofs_buf *out, struct pgofs_error *err);
