/* Units of measurement as google/pprof knows them (internal/measurement/measurement.go): which of them can be converted into
 * each other, and by what factor. Pure functions; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgofs_unit {
	const uint8_t *name;
	size_t len;
};

/* The same name, or two units of one kind. */
bool pgofs_units_compatible(struct pgofs_unit a, struct pgofs_unit b);

/* `value` in another unit. Compatible units only; unknown ones convert by 1. */
double pgofs_units_scale(int64_t value, struct pgofs_unit from, struct pgofs_unit to);

/* To an integer as Go does on amd64: cut, and the smallest number for what does not fit. */
int64_t pgofs_units_int64(double v);
