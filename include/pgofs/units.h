/* Numbers with units as people write them, and instants as the tree writes them. All times are UTC.
 *
 * Pure functions; any thread. Parsers take a whole string, refuse anything left over with -EINVAL and what does not fit
 * with -ERANGE, and leave *ret untouched on failure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PGOFS_NS_PER_US   INT64_C(1000)
#define PGOFS_NS_PER_MS   INT64_C(1000000)
#define PGOFS_NS_PER_S    INT64_C(1000000000)
#define PGOFS_NS_PER_MIN  (60 * PGOFS_NS_PER_S)
#define PGOFS_NS_PER_HOUR (3600 * PGOFS_NS_PER_S)
#define PGOFS_NS_PER_DAY  (86400 * PGOFS_NS_PER_S)

#define PGOFS_KIB (UINT64_C(1) << 10)
#define PGOFS_MIB (UINT64_C(1) << 20)
#define PGOFS_GIB (UINT64_C(1) << 30)

/* "500ms", "90s", "30m", "1h30m", "7d", "2w": numbers with ms, s, m, h, d or w, largest first, each at most once. A bare
 * number other than 0 is refused: seconds or minutes? Never negative. */
int pgofs_duration_parse(const char *text, int64_t *ret_ns);

/* "1048576", "64KiB", "64MiB", "1GiB", "2TiB"; "K", "M", "G", "T" and "64MB" mean the same powers of 1024. */
int pgofs_size_parse(const char *text, uint64_t *ret_bytes);

/* "1h30m", "250ms", "0s"; exact to the millisecond. Both return `buf`. */
#define PGOFS_UNIT_TEXT_SIZE 48
char *pgofs_duration_format(char buf[static PGOFS_UNIT_TEXT_SIZE], int64_t ns);

/* "1.4 MiB", "512 B". */
char *pgofs_size_format(char buf[static PGOFS_UNIT_TEXT_SIZE], uint64_t bytes);

/* "2026-11-22T10:00:00Z", with as many decimals as the time has (0, 3, 6 or 9). */
char *pgofs_instant_format(char buf[static PGOFS_UNIT_TEXT_SIZE], int64_t ns);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back; -EINVAL for a date no calendar has (2026-02-29), for a
 * year outside 1970..2261 (what nanoseconds in 64 bits can say). */
int pgofs_days_from_date(int year, int month, int day, int64_t *ret_days);
void pgofs_date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);

/* Nanoseconds since 1970 now, by CLOCK_REALTIME; and a clock that only moves forward, for deadlines. */
int64_t pgofs_now_ns(void);
int64_t pgofs_monotonic_ns(void);
