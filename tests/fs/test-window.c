#include "window.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define DAY  (INT64_C(20779) * PGOFS_NS_PER_DAY) /* 2026-11-22 */
#define NOW  (DAY + 10 * PGOFS_NS_PER_HOUR + 15 * PGOFS_NS_PER_MIN + 30 * PGOFS_NS_PER_S + 7)
#define NOWM (DAY + 10 * PGOFS_NS_PER_HOUR + 15 * PGOFS_NS_PER_MIN)
#define SOON (NOW + 5 * PGOFS_NS_PER_MIN + 1)

static int parse(const char *text, int64_t now_ns, struct pgofs_window *w)
{
	return pgofs_window_parse(text, strlen(text), now_ns, w);
}

Test(window, knows_its_names)
{
	static const struct {
		const char *text;
		int64_t from_ns, to_ns;
	} rows[] = {
		{ "last-1m", NOWM - PGOFS_NS_PER_MIN, SOON },
		{ "last-90m", NOWM - 90 * PGOFS_NS_PER_MIN, SOON },
		{ "last-1h", NOWM - PGOFS_NS_PER_HOUR, SOON },
		{ "last-24h", NOWM - PGOFS_NS_PER_DAY, SOON },
		{ "last-1d", NOWM - PGOFS_NS_PER_DAY, SOON },
		{ "last-7d", NOWM - 7 * PGOFS_NS_PER_DAY, SOON },
		{ "last-2w", NOWM - 14 * PGOFS_NS_PER_DAY, SOON },
		{ "last-15000w", 0, SOON }, /* longer than there is time: from the start of it */
		{ "2026-11-22", DAY, DAY + PGOFS_NS_PER_DAY },
		{ "1970-01-01", 0, PGOFS_NS_PER_DAY },
		{ "2024-02-29", 19782 * PGOFS_NS_PER_DAY, 19783 * PGOFS_NS_PER_DAY },
		{ "2026-11", DAY - 21 * PGOFS_NS_PER_DAY, DAY + 9 * PGOFS_NS_PER_DAY },
		{ "2024-02", 19754 * PGOFS_NS_PER_DAY, 19783 * PGOFS_NS_PER_DAY },
		{ "2026-12", DAY + 9 * PGOFS_NS_PER_DAY, DAY + 40 * PGOFS_NS_PER_DAY },
		{ "2026-11-20..2026-11-22", DAY - 2 * PGOFS_NS_PER_DAY, DAY + PGOFS_NS_PER_DAY },
		{ "2026-11-22..2026-11-22", DAY, DAY + PGOFS_NS_PER_DAY },
		{ "20261122T100000Z..20261122T160000Z", DAY + 10 * PGOFS_NS_PER_HOUR, DAY + 16 * PGOFS_NS_PER_HOUR },
		{ "20261122T235959Z..20261123T000000Z", DAY + PGOFS_NS_PER_DAY - PGOFS_NS_PER_S,
		  DAY + PGOFS_NS_PER_DAY },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pgofs_window w = { 0 };
		cr_assert_eq(parse(rows[i].text, NOW, &w), 0, "%s", rows[i].text);
		cr_assert_eq(w.from_ns, rows[i].from_ns, "%s: from", rows[i].text);
		cr_assert_eq(w.to_ns, rows[i].to_ns, "%s: to", rows[i].text);
	}
}

Test(window, is_not_found_under_any_other_name)
{
	static const char *const rows[] = {
		"",
		"last",
		"last-",
		"last-h",
		"last-0h",
		"last-01h",
		"last-1",
		"last-1s",
		"last-1H",
		"last-1h ",
		" last-1h",
		"last--1h",
		"last-+1h",
		"last-1.5h",
		"last-1h30m",
		"last-1hh",
		"Last-1h",
		"last-99999999999999999999h",
		"last-9223372036854775807w",
		"last-1y",
		/* no such day */
		"2026-02-29",
		"2026-13-01",
		"2026-00-01",
		"2026-01-00",
		"2026-11-31",
		"1969-12-31",
		"2262-01-01",
		"0000-01-01",
		"2026-13",
		"2026-00",
		"2026",
		"2026-1",
		"2026-1-2",
		"2026-11-22x",
		"2026/11/22",
		"20261122",
		"+026-11-22",
		/* ranges */
		"2026-11-22..",
		"..2026-11-22",
		"2026-11-22..2026-11-21",
		"2026-11-22...2026-11-23",
		"2026-11..2026-12",
		"2026-11-22..2026-11",
		"2026-11-22..2026-11-23..2026-11-24",
		"2026-11-22..2026-11-31",
		/* instants */
		"20261122T100000Z",
		"20261122T100000Z..",
		"20261122T100000Z..20261122T100000Z",
		"20261122T160000Z..20261122T100000Z",
		"20261122T100000..20261122T160000",
		"20261122T100000Z..20261122T160000",
		"20261122T240000Z..20261123T000000Z",
		"20261122T106000Z..20261122T160000Z",
		"20261122T100060Z..20261122T160000Z",
		"20261122t100000z..20261122t160000z",
		"20260229T100000Z..20261122T160000Z",
		"2026112T100000Z..20261122T160000Z",
		"20261122T100000Z..20261122T160000Z.",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pgofs_window w = { -7, -7 };
		cr_assert_eq(parse(rows[i], NOW, &w), -ENOENT, "%s", rows[i]);
		cr_assert(w.from_ns == -7 && w.to_ns == -7, "%s: untouched", rows[i]);
	}
}

Test(window, never_reads_past_the_length_it_is_told)
{
	struct pgofs_window w;
	cr_assert_eq(pgofs_window_parse("2026-11-22", 7, NOW, &w), 0);
	cr_assert_eq(w.from_ns, DAY - 21 * PGOFS_NS_PER_DAY, "a month: the rest is not there");
	cr_assert_eq(pgofs_window_parse("last-1h", 6, NOW, &w), -ENOENT);
	cr_assert_eq(pgofs_window_parse("last-24h", 8, NOW, &w), 0);
}

Test(window, does_not_overflow_at_the_ends_of_time)
{
	struct pgofs_window w;
	cr_assert_eq(parse("last-1h", 0, &w), 0);
	cr_assert_eq(w.from_ns, 0);
	cr_assert_eq(parse("last-1h", INT64_MAX, &w), 0);
	cr_assert_eq(w.to_ns, INT64_MAX);
	cr_assert_eq(parse("2261-12-31", NOW, &w), 0);
	cr_assert_gt(w.to_ns, w.from_ns);
	cr_assert_eq(parse("1970-01-01..2261-12-31", NOW, &w), 0);
	cr_assert_eq(w.from_ns, 0);
}

Test(window, goes_with_a_view)
{
	struct pgofs_window w;
	enum pgofs_view view;
	cr_assert_eq(pgofs_merged_name_parse("last-24h.pgo", NOW, &w, &view), 0);
	cr_assert_eq(view, PGOFS_VIEW_PGO);
	cr_assert_eq(pgofs_merged_name_parse("2026-11-20..2026-11-22.txt", NOW, &w, &view), 0);
	cr_assert_eq(view, PGOFS_VIEW_TXT);
	cr_assert_eq(pgofs_merged_name_parse("20261122T100000Z..20261122T160000Z.pprof", NOW, &w, &view), 0);
	cr_assert_eq(view, PGOFS_VIEW_PPROF);

	static const char *const none[] = { "last-24h", "last-24h.", "last-24h.PGO",    "last-24h.pgo.pgo",
					    ".pgo",     "pgo",       "last-24h.pprof~", "last-24h.txt.gz",
					    ".." };
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		cr_assert_eq(pgofs_merged_name_parse(none[i], NOW, &w, &view), -ENOENT, "%s", none[i]);
}

Test(window, is_listed_in_byte_order)
{
	char before[64] = "", name[64];
	struct pgofs_window w;
	enum pgofs_view view;
	for (size_t i = 0; i < PGOFS_N_LISTED_WINDOWS; i++) {
		for (size_t j = 0; j < PGOFS_N_LISTED_VIEWS; j++) {
			snprintf(name, sizeof name, "%s.%s", pgofs_listed_windows[i],
				 pgofs_view_suffix(pgofs_listed_views[j]));
			cr_assert_lt(strcmp(before, name), 0, "%s", name);
			cr_assert_eq(pgofs_merged_name_parse(name, NOW, &w, &view), 0, "%s", name);
			strcpy(before, name);
		}
	}
}
