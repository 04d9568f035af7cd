/* Writing tables as a profile, in the very bytes google/pprof writes (profile/encode.go, proto.go). */
#pragma once

#include "header.h"
#include "tables.h"

#include <pgofs/buf.h>

/* What is to be written. Strings of the header are numbers in `names`, all else is in `tables`. */
struct pgofs_output {
	struct pgofs_tables *tables; /* gains strings */
	const struct pgofs_tables *names;
	const struct pgofs_header *header;
	const uint32_t *comment; /* in `names` */
	size_t n_comments;
	const struct pgofs_profile *verbatim; /* whose ids to write, place for place; NULL: 1, 2, 3, … */
};

/* Appends the profile. -EFBIG past the buffer's maximum, -ENOMEM. */
int pgofs_encode(const struct pgofs_output *o, struct pgofs_buf *out, struct pgofs_error *err);
