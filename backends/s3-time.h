/* The two ways S3 writes an instant. Pure functions; any thread. -EINVAL for anything else. */
#pragma once

#include <stdint.h>

/* "2026-11-22T10:15:00Z", with or without decimals, which are dropped: HTTP's form of the same instant has none. */
int s3_time_parse_iso(const char *text, int64_t *ret_unix_s);

/* "Sun, 22 Nov 2026 10:15:00 GMT". */
int s3_time_parse_http(const char *text, int64_t *ret_unix_s);
