/* Small profiles for tests, made here: what is in each is known. */
#pragma once

#include <pgofs/buf.h>

#include <stdint.h>

/* A valid CPU profile in raw form: `weight` samples of main.CALLEE called by main.main. Taken at `time_ns` (0: does not say). */
struct pgofs_bytes *profile_new(const char *callee, int64_t weight, int64_t time_ns);
