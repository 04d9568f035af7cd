#include <pgofs/name.h>
#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define DAY INT64_C(20779) /* 2026-11-22 */

Test(name, knows_an_app)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{ "sample", true }, { "_x", true },   { "9.a-b_C", true },   { "", false },
		{ ".x", false },    { "-x", false },  { "merged", false },   { "merged2", true },
		{ "a/b", false },   { "a b", false }, { "\xc3\xa4", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert_eq(pgofs_app_valid(rows[i].name, strlen(rows[i].name)), rows[i].valid, "%s", rows[i].name);

	char longest[PGOFS_APP_MAX + 2];
	memset(longest, 'a', sizeof longest);
	cr_assert(pgofs_app_valid(longest, PGOFS_APP_MAX));
	cr_assert_not(pgofs_app_valid(longest, PGOFS_APP_MAX + 1));
}

Test(name, knows_a_profile)
{
	cr_assert(pgofs_profile_name_valid("101500.250Z-web-3.pprof"));
	cr_assert(pgofs_profile_name_valid("x.pprof"));
	cr_assert_not(pgofs_profile_name_valid(".pprof"));
	cr_assert_not(pgofs_profile_name_valid(".x.pprof"));
	cr_assert_not(pgofs_profile_name_valid("x.pprof.tmp"));
	cr_assert_not(pgofs_profile_name_valid("a\nb.pprof"));
	cr_assert_not(pgofs_profile_name_valid("..pprof"));
}

Test(name, reads_and_writes_a_day)
{
	int64_t days;
	char text[PGOFS_DAY_SIZE];
	cr_assert_eq(pgofs_day_parse("2026/11/22", &days), 0);
	cr_assert_eq(days, DAY);
	cr_assert_str_eq(pgofs_day_format(text, days), "2026/11/22");
	cr_assert_eq(pgofs_day_parse("2026/02/29", &days), -EINVAL);
	cr_assert_eq(pgofs_day_parse("2024/02/29", &days), 0);
	cr_assert_eq(pgofs_day_parse("2026/1/22x", &days), -EINVAL);
	cr_assert_eq(pgofs_day_parse("2026-11-22", &days), -EINVAL);
	cr_assert_eq(pgofs_day_parse("2026/11", &days), -EINVAL);
}

Test(name, reads_a_stamp)
{
	static const struct {
		const char *name;
		int64_t ns; /* or a -errno */
	} rows[] = {
		{ "000000.pprof", 0 },
		{ "101500Z-web-3.pprof", 36900 * PGOFS_NS_PER_S },
		{ "235959.999Z.pprof", 86399 * PGOFS_NS_PER_S + 999 * PGOFS_NS_PER_MS },
		{ "000001.123456789-x.pprof", PGOFS_NS_PER_S + 123456789 },
		{ "000001.1234567890-x.pprof", -ENOENT },
		{ "240000.pprof", -ENOENT },
		{ "106000.pprof", -ENOENT },
		{ "10150.pprof", -ENOENT },
		{ "1015001.pprof", -ENOENT },
		{ "101500x.pprof", -ENOENT },
		{ "x.pprof", -ENOENT },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ns = -1;
		int r = pgofs_stamp_parse(rows[i].name, &ns);
		cr_assert_eq(r < 0 ? r : ns, rows[i].ns, "%s", rows[i].name);
	}
}

Test(name, counts_a_profile_without_stamp_at_its_mtime_within_its_day)
{
	int64_t start = DAY * PGOFS_NS_PER_DAY;
	cr_assert_eq(pgofs_taken_ns(DAY, "x.pprof", start + 5), start + 5);
	cr_assert_eq(pgofs_taken_ns(DAY, "x.pprof", 0), start);
	cr_assert_eq(pgofs_taken_ns(DAY, "x.pprof", INT64_MAX), start + PGOFS_NS_PER_DAY - 1);
	cr_assert_eq(pgofs_taken_ns(DAY, "000002.pprof", start + 5), start + 2 * PGOFS_NS_PER_S);
}

Test(name, finds_the_source)
{
	static const char *const rows[][2] = {
		{ "101500Z-web-3.pprof", "web-3" },
		{ "101500.250Z-a.pprof", "a" },
		{ "101500.pprof", "" },
		{ "x-y.pprof", "" },
		{ "101500-.pprof", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len;
		const char *source = pgofs_source_of(rows[i][0], &len);
		cr_assert_eq(len, strlen(rows[i][1]), "%s", rows[i][0]);
		cr_assert_arr_eq(source, rows[i][1], len);
	}
}

Test(name, makes_paths_it_can_read)
{
	char path[PGOFS_PATH_SIZE], source[400];
	int64_t taken = DAY * PGOFS_NS_PER_DAY + 36900 * PGOFS_NS_PER_S + 250 * PGOFS_NS_PER_MS;
	cr_assert_str_eq(pgofs_profile_path_format(path, taken, "10.0.0.1:80/x"),
			 "2026/11/22/101500.250Z-10.0.0.1_80_x.pprof");
	cr_assert_str_eq(pgofs_profile_path_format(path, taken, NULL), "2026/11/22/101500.250Z.pprof");
	memset(source, 'a', sizeof source);
	source[sizeof source - 1] = '\0';
	pgofs_profile_path_format(path, taken, source);
	cr_assert(pgofs_profile_name_valid(path + 11));
}
