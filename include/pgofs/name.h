/* The grammar of the tree: what an app, a day and a stored profile are called.
 *
 *	APP/YYYY/MM/DD/HHMMSS[.fff][Z][-SOURCE].pprof
 *
 * Shared by the mount and the commands (who read names) and the collector (who makes them). Pure functions; any thread.
 * Paths have no leading or trailing slash. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGOFS_APP_MAX   128 /* bytes */
#define PGOFS_NAME_MAX  255 /* bytes, of a file name */
#define PGOFS_PATH_SIZE 512 /* enough for APP/YYYY/MM/DD/NAME and its NUL */

/* [A-Za-z0-9_][A-Za-z0-9._-]*, at most 128 bytes, never "merged". */
bool pgofs_app_valid(const char *name, size_t len);

/* A file name that may be a stored profile: [A-Za-z0-9_][A-Za-z0-9._+=,@-]*, ends in ".pprof", at most 255 bytes. */
bool pgofs_profile_name_valid(const char *name);

/* "YYYY/MM/DD" at the start of `text`, exactly ten bytes of it: days since 1970. -EINVAL where that is no date. */
int pgofs_day_parse(const char *text, int64_t *ret_days);

/* Writes "YYYY/MM/DD" and returns `buf`. */
#define PGOFS_DAY_SIZE 16
char *pgofs_day_format(char buf[static PGOFS_DAY_SIZE], int64_t days);

/* The stamp a profile's name starts with, as nanoseconds into its day. A stamp is HHMMSS, then optionally a point and one to nine
 * decimals, then optionally Z; what follows must be the end, '-', or the '.' of a suffix. -ENOENT where there is none. */
int pgofs_stamp_parse(const char *name, int64_t *ret_ns);

/* When a profile was taken: day and stamp; without a stamp `mtime_ns` clamped into the day. */
int64_t pgofs_taken_ns(int64_t days, const char *name, int64_t mtime_ns);

/* The SOURCE of a name ("101500.250Z-web-3.pprof" -> "web-3"), borrowed from `name`; length 0 where it has none. */
const char *pgofs_source_of(const char *name, size_t *ret_len);

/* Makes "YYYY/MM/DD/HHMMSS.fffZ-SOURCE.pprof" for an instant. Bytes of `source` outside the grammar become '_'; NULL or ""
 * leaves it out; a too long one is cut. Returns `buf`. */
char *pgofs_profile_path_format(char buf[static PGOFS_PATH_SIZE], int64_t taken_ns, const char *source);
