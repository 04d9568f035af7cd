/* A merged file's name says everything about it, so a window is a pure function of the name and of now.
 *
 * Names reach this file from any program that can open a path, so each form is read strictly: what is not exactly of one of the forms
 * names nothing, and no arithmetic can overflow. Dates are checked by the calendar. */
#include "window.h"

#include <pgofs/name.h>
#include <pgofs/units.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* How far ahead of this clock a profile's may be and still count as "now". */
#define SLACK_NS (5 * PGOFS_NS_PER_MIN)

const char *const pgofs_listed_windows[PGOFS_N_LISTED_WINDOWS] = { "last-1h", "last-24h", "last-7d" };
const enum pgofs_view pgofs_listed_views[PGOFS_N_LISTED_VIEWS] = { PGOFS_VIEW_PGO, PGOFS_VIEW_PPROF, PGOFS_VIEW_TXT };

/* Reads from `at` to `end`, never beyond; each step says whether it found what it wants. */
struct reader {
	const char *at, *end;
};

static bool take_char(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool take_text(struct reader *r, const char *text)
{
	size_t len = strlen(text);
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
		return false;
	r->at += len;
	return true;
}

static bool take_digits(struct reader *r, int n, int *ret)
{
	int value = 0;
	if (r->end - r->at < n)
		return false;
	for (; n > 0; n--, r->at++) {
		if (*r->at < '0' || *r->at > '9')
			return false;
		value = value * 10 + (*r->at - '0');
	}
	*ret = value;
	return true;
}

/* A number from 1 up without leading zeros. */
static bool take_number(struct reader *r, int64_t *ret)
{
	int64_t value = 0;
	if (r->at == r->end || *r->at < '1' || *r->at > '9')
		return false;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *r->at - '0', &value))
			return false;
	*ret = value;
	return true;
}

static bool take_unit(struct reader *r, int64_t *ret_ns)
{
	static const struct {
		char letter;
		int64_t ns;
	} units[] = {
		{ 'm', PGOFS_NS_PER_MIN },
		{ 'h', PGOFS_NS_PER_HOUR },
		{ 'd', PGOFS_NS_PER_DAY },
		{ 'w', 7 * PGOFS_NS_PER_DAY },
	};
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (take_char(r, units[i].letter)) {
			*ret_ns = units[i].ns;
			return true;
		}
	}
	return false;
}

/* "2026-11-22" */
static bool take_day(struct reader *r, int64_t *ret_days)
{
	int year, month, day;
	return take_digits(r, 4, &year) && take_char(r, '-') && take_digits(r, 2, &month) && take_char(r, '-') &&
	       take_digits(r, 2, &day) && pgofs_days_from_date(year, month, day, ret_days) == 0;
}

/* "20261122T100000Z" */
static bool take_instant(struct reader *r, int64_t *ret_ns)
{
	int year, month, day, hour, minute, second;
	int64_t days;
	if (!take_digits(r, 4, &year) || !take_digits(r, 2, &month) || !take_digits(r, 2, &day) || !take_char(r, 'T') ||
	    !take_digits(r, 2, &hour) || !take_digits(r, 2, &minute) || !take_digits(r, 2, &second) ||
	    !take_char(r, 'Z') || hour > 23 || minute > 59 || second > 59 ||
	    pgofs_days_from_date(year, month, day, &days) < 0)
		return false;
	*ret_ns = days * PGOFS_NS_PER_DAY + ((hour * 60 + minute) * INT64_C(60) + second) * PGOFS_NS_PER_S;
	return true;
}

static bool parse_last(struct reader r, int64_t now_ns, struct pgofs_window *ret)
{
	int64_t n, unit_ns, length_ns;
	if (!take_text(&r, "last-") || !take_number(&r, &n) || !take_unit(&r, &unit_ns) || r.at != r.end ||
	    __builtin_mul_overflow(n, unit_ns, &length_ns))
		return false;
	int64_t from = now_ns > length_ns ? now_ns - length_ns : 0;
	ret->from_ns = from - from % PGOFS_NS_PER_MIN;
	if (__builtin_add_overflow(now_ns, SLACK_NS + 1, &ret->to_ns)) /* + 1: the last instant is included */
		ret->to_ns = INT64_MAX;
	return true;
}

static bool parse_days(struct reader r, struct pgofs_window *ret)
{
	int64_t first, last;
	if (!take_day(&r, &first))
		return false;
	last = first;
	if (r.at != r.end && (!take_text(&r, "..") || !take_day(&r, &last)))
		return false;
	ret->from_ns = first * PGOFS_NS_PER_DAY;
	ret->to_ns = (last + 1) * PGOFS_NS_PER_DAY;
	return r.at == r.end;
}

static bool parse_month(struct reader r, struct pgofs_window *ret)
{
	int year, month;
	int64_t first, next;
	if (!take_digits(&r, 4, &year) || !take_char(&r, '-') || !take_digits(&r, 2, &month) || r.at != r.end ||
	    pgofs_days_from_date(year, month, 1, &first) < 0)
		return false;
	for (next = first + 28; pgofs_days_from_date(year, month, (int)(next - first) + 1, &(int64_t){ 0 }) == 0;)
		next++;
	ret->from_ns = first * PGOFS_NS_PER_DAY;
	ret->to_ns = next * PGOFS_NS_PER_DAY;
	return true;
}

static bool parse_instants(struct reader r, struct pgofs_window *ret)
{
	return take_instant(&r, &ret->from_ns) && take_text(&r, "..") && take_instant(&r, &ret->to_ns) && r.at == r.end;
}

int pgofs_window_parse(const char *text, size_t len, int64_t now_ns, struct pgofs_window *ret)
{
	struct reader r = { text, text + len };
	struct pgofs_window w = { 0 };
	if (!parse_last(r, now_ns, &w) && !parse_days(r, &w) && !parse_month(r, &w) && !parse_instants(r, &w))
		return -ENOENT;
	if (w.to_ns <= w.from_ns)
		return -ENOENT;
	*ret = w;
	return 0;
}

int pgofs_merged_name_parse(const char *name, int64_t now_ns, struct pgofs_window *ret, enum pgofs_view *ret_view)
{
	const char *dot = strrchr(name, '.');
	enum pgofs_view view;
	if (!dot || pgofs_view_parse(dot + 1, &view) < 0)
		return -ENOENT;
	int r = pgofs_window_parse(name, (size_t)(dot - name), now_ns, ret);
	if (r == 0)
		*ret_view = view;
	return r;
}
