/* Words for a failure.
 *
 * What can fail returns 0 or -errno and takes a last, nullable `struct pgofs_error *`. The code is for programs, the
 * text for people: one line, outermost doing first, "mount /mnt: list s3://b/p: connection refused". Each layer that has
 * something to add wraps; nobody replaces. Libraries report, programs print or log, once.
 *
 * Threads: an error object belongs to one thread. */
#pragma once

#define PGOFS_ERROR_TEXT_SIZE 1024

struct pgofs_error {
	char text[PGOFS_ERROR_TEXT_SIZE]; /* always terminated; cut with "..." when too long; no control bytes */
};

/* Each of these returns `code` (a -errno) unchanged, so that a caller can `return pgofs_error_…(err, -EINVAL, …)`. */

/* Sets the text. */
int pgofs_error_set(struct pgofs_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Sets the text to "FORMATTED: strerror(-code)". */
int pgofs_error_errno(struct pgofs_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "FORMATTED: " before the text that is there; where none is, as pgofs_error_errno. */
int pgofs_error_wrap(struct pgofs_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
