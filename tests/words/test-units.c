#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>

#define S PGOFS_NS_PER_S

Test(units, reads_durations)
{
	static const struct {
		const char *text;
		int64_t ns; /* or a -errno */
	} rows[] = {
		{ "0", 0 },
		{ "500ms", S / 2 },
		{ "90s", 90 * S },
		{ "30m", 1800 * S },
		{ "1h30m", 5400 * S },
		{ "7d", 7 * PGOFS_NS_PER_DAY },
		{ "2w", 14 * PGOFS_NS_PER_DAY },
		{ "", -EINVAL },
		{ "5", -EINVAL },
		{ "-5s", -EINVAL },
		{ "5 s", -EINVAL },
		{ "5s5s", -EINVAL },
		{ "5s1h", -EINVAL },
		{ "1.5h", -EINVAL },
		{ "5parsecs", -EINVAL },
		{ "99999999999w", -ERANGE },
		{ "99999999999999999999s", -ERANGE },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ns = 0;
		int r = pgofs_duration_parse(rows[i].text, &ns);
		cr_assert_eq(r < 0 ? r : ns, rows[i].ns, "%s", rows[i].text);
	}
}

Test(units, reads_sizes)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = {
		{ "0", 0 },        { "1048576", 1 << 20 },     { "64MiB", 64 << 20 }, { "64MB", 64 << 20 },
		{ "1g", 1 << 30 }, { "2T", INT64_C(2) << 40 }, { "1KiBs", -EINVAL },  { "MiB", -EINVAL },
		{ "1X", -EINVAL }, { "99999999T", -ERANGE },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t bytes = 0;
		int r = pgofs_size_parse(rows[i].text, &bytes);
		cr_assert_eq(r < 0 ? r : (int64_t)bytes, rows[i].bytes, "%s", rows[i].text);
	}
}

Test(units, writes_what_people_read)
{
	char buf[PGOFS_UNIT_TEXT_SIZE];
	cr_assert_str_eq(pgofs_duration_format(buf, 5400 * S), "1h30m");
	cr_assert_str_eq(pgofs_duration_format(buf, 0), "0s");
	cr_assert_str_eq(pgofs_duration_format(buf, 1500 * PGOFS_NS_PER_MS), "1s500ms");
	cr_assert_str_eq(pgofs_size_format(buf, 512), "512 B");
	cr_assert_str_eq(pgofs_size_format(buf, 1536 * 1024), "1.5 MiB");
	cr_assert_str_eq(pgofs_instant_format(buf, 0), "1970-01-01T00:00:00Z");
	cr_assert_str_eq(pgofs_instant_format(buf, 20779 * PGOFS_NS_PER_DAY + 250 * PGOFS_NS_PER_MS),
			 "2026-11-22T00:00:00.250Z");
	cr_assert_str_eq(pgofs_instant_format(buf, 1001), "1970-01-01T00:00:00.000001001Z");
}

Test(units, days_and_dates_are_inverse)
{
	for (int64_t days = 0; days < 106000; days++) {
		int64_t back = -1;
		int y, m, d;
		pgofs_date_from_days(days, &y, &m, &d);
		cr_assert_eq(pgofs_days_from_date(y, m, d, &back), 0);
		cr_assert_eq(back, days);
	}
}
