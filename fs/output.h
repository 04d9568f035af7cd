/* Where a command's bytes go: to stdout, or to a file that is never seen half written.
 *
 * For one thread. */
#pragma once

#include <pgofs/error.h>

#include <stddef.h>

/* All of it, whatever write(2) takes at a time. -EPIPE: whoever read it has closed it. */
int pgofs_output_stdout(const void *data, size_t len, struct pgofs_error *err);

/* Whole or not at all, where `path` is a regular file or nothing yet; straight into it where it is something else (a pipe, a terminal, /dev/null). */
int pgofs_output_file(const char *path, const void *data, size_t len, struct pgofs_error *err);
