/* A file named on the command line, read whole; "-" is stdin. Any thread. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>

#include <stddef.h>
#include <stdint.h>

/* With one reference. `ret_mtime_ns` (nullable): now for what has none. -EFBIG more than `max_bytes`; -EISDIR, -ENOENT … */
int pgofs_input_read(const char *path, size_t max_bytes, struct pgofs_bytes **ret, int64_t *ret_mtime_ns,
		     struct pgofs_error *err);
