/* The table of units, and Go's arithmetic on it. Conversions go through the kind's base unit, in doubles, in the same order of operations as
 * google/pprof's, so that the last bit agrees. */
#include "measure.h"

#include <ctype.h>
#include <string.h>

struct known {
	const char *name;
	int kind;
	double factor;
};

static const struct known units[] = {
	{ "b", 1, 1 },           { "byte", 1, 1 },          { "kb", 1, 0x1p10 },
	{ "kbyte", 1, 0x1p10 },  { "kilobyte", 1, 0x1p10 }, { "mb", 1, 0x1p20 },
	{ "mbyte", 1, 0x1p20 },  { "megabyte", 1, 0x1p20 }, { "gb", 1, 0x1p30 },
	{ "gbyte", 1, 0x1p30 },  { "gigabyte", 1, 0x1p30 }, { "tb", 1, 0x1p40 },
	{ "tbyte", 1, 0x1p40 },  { "terabyte", 1, 0x1p40 }, { "pb", 1, 0x1p50 },
	{ "pbyte", 1, 0x1p50 },  { "petabyte", 1, 0x1p50 }, { "ns", 2, 1 },
	{ "nanosecond", 2, 1 },  { "us", 2, 1e3 },          { "microsecond", 2, 1e3 },
	{ "ms", 2, 1e6 },        { "millisecond", 2, 1e6 }, { "s", 2, 1e9 },
	{ "sec", 2, 1e9 },       { "second", 2, 1e9 },      { "hour", 2, 3600e9 },
	{ "hr", 2, 3600e9 },     { "nanogcu", 3, 1e-9 },    { "microgcu", 3, 1e-6 },
	{ "milligcu", 3, 1e-3 }, { "gcu", 3, 1 },           { "kilogcu", 3, 1e3 },
	{ "megagcu", 3, 1e6 },   { "gigagcu", 3, 1e9 },     { "teragcu", 3, 1e12 },
	{ "petagcu", 3, 1e15 },
};

static bool is(struct pgofs_unit u, const char *name)
{
	if (u.len != strlen(name))
		return false;
	for (size_t i = 0; i < u.len; i++) {
		if (tolower(u.name[i]) != name[i])
			return false;
	}
	return true;
}

/* "Nanoseconds" is "nanosecond", but "s" and "ms" keep their s. */
static const struct known *sniff(struct pgofs_unit u)
{
	if (u.len > 2 && (u.name[u.len - 1] | 0x20) == 's')
		u.len--;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (is(u, units[i].name))
			return &units[i];
	}
	return NULL;
}

bool pgofs_units_compatible(struct pgofs_unit a, struct pgofs_unit b)
{
	if (a.len == b.len && memcmp(a.name, b.name, a.len) == 0)
		return true;
	const struct known *x = sniff(a), *y = sniff(b);
	return x && y && x->kind == y->kind;
}

double pgofs_units_scale(int64_t value, struct pgofs_unit from, struct pgofs_unit to)
{
	const struct known *x = sniff(from), *y = sniff(to);
	double v = (double)value;
	return x && y ? v * x->factor / y->factor : v;
}

int64_t pgofs_units_int64(double v)
{
	return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
}
