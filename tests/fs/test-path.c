#include "path.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define DAY INT64_C(20779) /* 2026-11-22 */

Test(path, knows_every_place)
{
	static const struct {
		const char *text;
		enum pgofs_place place;
		const char *name;
		size_t app_len;
		int64_t days;
	} rows[] = {
		{ "", PGOFS_PLACE_ROOT, "", 0, 0 },
		{ "app", PGOFS_PLACE_APP, "app", 3, 0 },
		{ "app/2026", PGOFS_PLACE_YEAR, "2026", 3, DAY - 325 },
		{ "app/2026/11", PGOFS_PLACE_MONTH, "11", 3, DAY - 21 },
		{ "app/2026/11/22", PGOFS_PLACE_DAY, "22", 3, DAY },
		{ "app/2026/11/22/x.pprof", PGOFS_PLACE_PROFILE, "x.pprof", 3, DAY },
		{ "app/merged", PGOFS_PLACE_MERGED_DIR, "merged", 3, 0 },
		{ "app/merged/any thing", PGOFS_PLACE_MERGED, "any thing", 3, 0 },
		{ "merged", PGOFS_PLACE_MERGED_DIR, "merged", 0, 0 },
		{ "merged/last-1h.pgo", PGOFS_PLACE_MERGED, "last-1h.pgo", 0, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pgofs_path p;
		cr_assert_eq(pgofs_path_parse(rows[i].text, &p), 0, "%s", rows[i].text);
		cr_assert_eq(p.place, rows[i].place, "%s", rows[i].text);
		cr_assert_str_eq(p.name, rows[i].name);
		cr_assert_eq(p.app_len, rows[i].app_len, "%s", rows[i].text);
		cr_assert_eq(p.days, rows[i].days, "%s: %lld", rows[i].text, (long long)p.days);
	}
}

Test(path, refuses_what_is_no_place)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{ "/", -EINVAL },
		{ "/app", -EINVAL },
		{ "app/", -EINVAL },
		{ "app//2026", -EINVAL },
		{ ".", -EINVAL },
		{ "..", -EINVAL },
		{ "app/..", -EINVAL },
		{ "app/../app", -EINVAL },
		{ ".pgofs", -EINVAL },
		{ "app/x", -EINVAL },
		{ "app/26", -EINVAL },
		{ "app/1969", -EINVAL },
		{ "app/2026/13", -EINVAL },
		{ "app/2026/1", -EINVAL },
		{ "app/2026/02/29", -EINVAL },
		{ "app/2026/11/22/x", -EINVAL },
		{ "app/2026/11/22/.x.pprof", -EINVAL },
		{ "app/2026/11/22/x.pprof/y", -ENOTDIR },
		{ "app/merged/x/y", -ENOTDIR },
		{ "merged/merged/x", -ENOTDIR },
		{ "app/2026/merged", -EINVAL },
		{ "a b", -EINVAL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pgofs_path p;
		cr_assert_eq(pgofs_path_parse(rows[i].text, &p), rows[i].result, "%s", rows[i].text);
	}

	char longest[1024];
	struct pgofs_path p;
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "a/2026/11/22/", 13);
	strcpy(longest + 13 + 255 - 6, ".pprof");
	cr_assert_eq(pgofs_path_parse(longest, &p), 0);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "a/2026/11/22/", 13);
	strcpy(longest + 13 + 256 - 6, ".pprof");
	cr_assert_eq(pgofs_path_parse(longest, &p), -EINVAL);
}

Test(path, shows_of_storage_only_what_belongs_to_the_tree)
{
	static const struct {
		const char *dir, *name;
		bool is_dir, shows;
	} rows[] = {
		{ "", "app", true, true },
		{ "", "app", false, false },
		{ "", ".pgofs", true, false },
		{ "", "lost+found", true, false },
		{ "", "merged", true, false },
		{ "app", "2026", true, true },
		{ "app", "2026", false, false },
		{ "app", "merged", true, false },
		{ "app", "x.pprof", false, false },
		{ "app/2026", "11", true, true },
		{ "app/2026", "13", true, false },
		{ "app/2026/02", "29", true, false },
		{ "app/2024/02", "29", true, true },
		{ "app/2026/11/22", "x.pprof", false, true },
		{ "app/2026/11/22", "x.pprof", true, false },
		{ "app/2026/11/22", "x.tmp", false, false },
		{ "app/2026/11/22", "a/x.pprof", false, false },
		{ "app/merged", "last-1h.pprof", false, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pgofs_path dir;
		cr_assert_eq(pgofs_path_parse(rows[i].dir, &dir), 0);
		cr_assert_eq(pgofs_path_shows(&dir, rows[i].name, rows[i].is_dir), rows[i].shows, "%s/%s", rows[i].dir,
			     rows[i].name);
	}
}

Test(path, joins_and_parts)
{
	char buf[PGOFS_PATH_SIZE], longest[PGOFS_PATH_SIZE];
	cr_assert_str_eq(pgofs_path_parent(buf, "a/b/c"), "a/b");
	cr_assert_str_eq(pgofs_path_parent(buf, "a"), "");
	cr_assert_eq(pgofs_path_join(buf, "", "a"), 0);
	cr_assert_str_eq(buf, "a");
	cr_assert_eq(pgofs_path_join(buf, "a", "b"), 0);
	cr_assert_str_eq(buf, "a/b");
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	cr_assert_eq(pgofs_path_join(buf, longest, "b"), -ENAMETOOLONG);
}
