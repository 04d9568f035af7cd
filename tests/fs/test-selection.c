#include "faulty.h"
#include "selection.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <string.h>

#define DAY_NS (INT64_C(20779) * PGOFS_NS_PER_DAY) /* 2026-11-22 */

static struct pgofs_backend *storage;
static struct pgofs_catalog *catalog;

static void open_it(void)
{
	struct pgofs_backend *memory = NULL;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, NULL), 0);
	storage = faulty_new(memory);
	const struct pgofs_catalog_config config = { .backend = storage,
						     .refresh_ns = 3600 * PGOFS_NS_PER_S,
						     .memory_bytes = 64 * PGOFS_MIB,
						     .now_ns = pgofs_monotonic_ns };
	cr_assert_eq(pgofs_catalog_new(&config, &catalog, NULL), 0);
}

static void close_it(void)
{
	pgofs_catalog_free(catalog);
	pgofs_backend_free(storage);
}

TestSuite(selection, .init = open_it, .fini = close_it, .timeout = 120);

static void put(const char *key)
{
	struct pgofs_stored stored;
	cr_assert_eq(pgofs_backend_put(storage, key, key, strlen(key), 0, &stored, NULL), 0, "%s", key);
	pgofs_catalog_note_put(catalog, key, &stored);
}

/* A selection; where `kept` is NULL it is made anew. */
static struct pgofs_selection *select_from(struct pgofs_selections *kept, const char *app, const struct pgofs_window *w)
{
	_cleanup_(pgofs_selections_freep) struct pgofs_selections *none = pgofs_selections_new(0);
	const struct pgofs_walk walk = { .catalog = catalog, .app = app, .window = w, .n_parallel = 4 };
	struct pgofs_selection *s = NULL;
	cr_assert_eq(pgofs_selections_get(kept ? kept : none, &walk, &s, NULL), 0);
	return s;
}

static struct pgofs_selection *select_named(const char *app, const char *window)
{
	struct pgofs_window w;
	cr_assert_eq(pgofs_window_parse(window, strlen(window), DAY_NS + 12 * PGOFS_NS_PER_HOUR, &w), 0);
	return select_from(NULL, app, &w);
}

/* The paths, one a line. */
static const char *select_paths(const char *app, const char *window)
{
	static char text[8192];
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s = select_named(app, window);
	text[0] = '\0';
	for (size_t i = 0; i < s->n; i++) {
		char path[PGOFS_PATH_SIZE];
		strcat(strcat(text, pgofs_input_path(path, &s->inputs[i])), "\n");
	}
	return text;
}

Test(selection, takes_what_was_taken_in_the_window_and_nothing_else)
{
	put("app/2026/11/22/095959Z.pprof");
	put("app/2026/11/22/100000Z.pprof");
	put("app/2026/11/22/115959.999Z.pprof");
	put("app/2026/11/22/120000Z.pprof");
	put("app/2026/11/21/110000Z.pprof");
	put("other/2026/11/22/110000Z.pprof");
	cr_assert_str_eq(select_paths("app", "20261122T100000Z..20261122T120000Z"),
			 "app/2026/11/22/100000Z.pprof\napp/2026/11/22/115959.999Z.pprof\n");
	cr_assert_str_eq(select_paths("app", "last-2h"), "app/2026/11/22/100000Z.pprof\n"
							 "app/2026/11/22/115959.999Z.pprof\n"
							 "app/2026/11/22/120000Z.pprof\n");
	cr_assert_str_eq(select_paths("app", "2026-11-20"), "");
	cr_assert_str_eq(select_paths("nobody", "2026-11-22"), "");
}

Test(selection, allows_a_clock_that_is_fast_by_five_minutes)
{
	put("app/2026/11/22/120500Z.pprof");
	put("app/2026/11/22/120500.001Z.pprof");
	cr_assert_str_eq(select_paths("app", "last-1h"), "app/2026/11/22/120500Z.pprof\n");
}

Test(selection, takes_the_folders_word_over_the_storages_time)
{
	put("app/2026/11/20/no-stamp.pprof"); /* stored now, which is far after that day: its last instant */
	cr_assert_str_eq(select_paths("app", "2026-11-20"), "app/2026/11/20/no-stamp.pprof\n");
	cr_assert_str_eq(select_paths("app", "20261120T235959Z..20261121T000000Z"), "app/2026/11/20/no-stamp.pprof\n");
	cr_assert_str_eq(select_paths("app", "20261120T000000Z..20261120T235959Z"), "");
}

Test(selection, is_in_the_order_of_whole_paths_over_all_apps)
{
	put("a/2026/11/22/100000Z.pprof");
	put("a-b/2026/11/22/100000Z.pprof");
	put("a.b/2026/11/22/100000Z.pprof");
	put("a0/2026/11/21/100000Z.pprof");
	put("a0/2026/11/22/100000Z-x.pprof");
	put("a0/2026/11/22/100000Z.pprof");
	static const char in_order[] = "a-b/2026/11/22/100000Z.pprof\n"
				       "a.b/2026/11/22/100000Z.pprof\n"
				       "a/2026/11/22/100000Z.pprof\n"
				       "a0/2026/11/21/100000Z.pprof\n"
				       "a0/2026/11/22/100000Z-x.pprof\n"
				       "a0/2026/11/22/100000Z.pprof\n";
	cr_assert_str_eq(select_paths(NULL, "last-7d"), in_order, "walked");
	cr_assert_str_eq(select_paths(NULL, "2026-11-21..2026-11-22"), in_order, "named");
}

Test(selection, walks_only_what_the_window_touches)
{
	put("app/2025/11/22/100000Z.pprof");
	put("app/2026/10/31/100000Z.pprof");
	put("app/2026/11/01/100000Z.pprof");
	put("app/2026/11/30/100000Z.pprof");
	put("app/2026/12/01/100000Z.pprof");
	faulty_reset_counts(storage);
	cr_assert_str_eq(select_paths("app", "2026-11"),
			 "app/2026/11/01/100000Z.pprof\napp/2026/11/30/100000Z.pprof\n");
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 5, "app, year, month, two days; not %u",
		     faulty_count(storage, FAULTY_LIST));
	cr_assert_str_eq(select_paths("app", "2026-11-01..2026-11-30"),
			 "app/2026/11/01/100000Z.pprof\napp/2026/11/30/100000Z.pprof\n");
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 5);
	cr_assert_eq(strlen(select_paths("app", "1970-01-01..2261-12-31")),
		     5 * strlen("app/2026/11/01/100000Z.pprof\n"));
}

Test(selection, of_a_day_asks_for_that_day_alone)
{
	put("app/2026/11/22/100000Z.pprof");
	faulty_reset_counts(storage);
	select_paths("app", "2026-11-22");
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 1);
}

Test(selection, asks_for_many_days_side_by_side)
{
	char key[64];
	for (int day = 1; day <= 28; day++) {
		snprintf(key, sizeof key, "app/2026/11/%02d/100000Z.pprof", day);
		put(key);
	}
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_LIST, .delay_ns = 20 * PGOFS_NS_PER_MS });
	faulty_reset_counts(storage);
	cr_assert_eq(strlen(select_paths("app", "2026-11")), 28 * strlen("app/2026/11/01/100000Z.pprof\n"));
	cr_assert_eq(faulty_most_at_once(storage, FAULTY_LIST), 4);
}

static void fingerprint(const char *app, const char *window, uint8_t ret[static PGOFS_FINGERPRINT_SIZE])
{
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s = select_named(app, window);
	memcpy(ret, s->fingerprint, PGOFS_FINGERPRINT_SIZE);
}

Test(selection, has_one_fingerprint_for_one_set)
{
	uint8_t one[PGOFS_FINGERPRINT_SIZE], other[PGOFS_FINGERPRINT_SIZE];
	put("app/2026/11/22/100000Z.pprof");
	put("app/2026/11/22/110000Z.pprof");
	fingerprint("app", "last-24h", one);
	fingerprint("app", "2026-11-22", other);
	cr_assert_arr_eq(one, other, sizeof one, "the same set, whatever the window");

	put("app/2026/11/22/110000Z.pprof"); /* replaced: another version */
	fingerprint("app", "2026-11-22", other);
	cr_assert_arr_neq(one, other, sizeof one);

	fingerprint("app", "20261122T100000Z..20261122T110000Z", one);
	cr_assert_arr_neq(one, other, sizeof one, "fewer");
}

static struct pgofs_selection *lately(struct pgofs_selections *m, const char *app, int64_t from_s, int64_t to_s)
{
	const struct pgofs_window w = { DAY_NS + from_s * PGOFS_NS_PER_S, DAY_NS + to_s * PGOFS_NS_PER_S };
	return select_from(m, app, &w);
}

/* Are the inputs of the two windows one selection? */
static bool shares(struct pgofs_selections *m, struct pgofs_selection *one, int64_t from_s, int64_t to_s)
{
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s = lately(m, "app", from_s, to_s);
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *anew = lately(NULL, "app", from_s, to_s);
	cr_assert_arr_eq(s->fingerprint, anew->fingerprint, sizeof s->fingerprint);
	return s == one;
}

Test(selection, is_the_same_one_while_nothing_has_changed)
{
	_cleanup_(pgofs_selections_freep) struct pgofs_selections *m = pgofs_selections_new(PGOFS_MIB);
	put("app/2026/11/22/095900Z.pprof");
	put("app/2026/11/22/100000Z.pprof");
	put("app/2026/11/22/103000Z.pprof");
	put("app/2026/11/22/110000Z.pprof");
	put("more/2026/11/22/103000Z.pprof");
	const int64_t first = 36000, last = 37800, after = 39600; /* 10:00, 10:30, 11:00 */
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *one = lately(m, "app", first, after);
	cr_expect_eq(one->n, 2);
	cr_expect(shares(m, one, first, after));
	cr_expect(shares(m, one, first - 59, last + 1), "moved, with the same inputs");
	cr_expect_not(shares(m, one, first - 60, after), "one more before");
	cr_expect_not(shares(m, one, first + 1, after), "one fewer");
	cr_expect_not(shares(m, one, first, after + 1), "one more behind");
	cr_expect_not(shares(m, one, first, last), "one fewer behind");
	cr_expect(shares(m, one, first, after));
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *other = lately(m, "more", first, after);
	cr_expect_neq(other, one);

	put("app/2026/11/22/101500Z.pprof");
	cr_expect_not(shares(m, one, first, after), "something has changed");
	cr_expect_eq(one->n, 2, "what is held stays as it was");
	cr_expect_str_eq(one->inputs[1].item->name, "103000Z.pprof");
}

Test(selection, is_forgotten_where_memory_is_bounded)
{
	_cleanup_(pgofs_selections_freep) struct pgofs_selections *none = pgofs_selections_new(0);
	_cleanup_(pgofs_selections_freep) struct pgofs_selections *few = pgofs_selections_new(PGOFS_MIB);
	for (int hour = 0; hour < 24; hour++) {
		char key[64];
		snprintf(key, sizeof key, "app/2026/11/22/%02d0000Z.pprof", hour);
		put(key);
	}
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *one = lately(few, "app", 0, 3600);
	_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *not_kept = lately(none, "app", 0, 3600);
	cr_expect_not(shares(none, not_kept, 0, 3600));
	for (int hour = 1; hour < 24; hour++) {
		_cleanup_(pgofs_selection_unrefp) struct pgofs_selection *s =
		    lately(few, "app", (int64_t)hour * 3600, (int64_t)hour * 3600 + 3600);
		cr_expect(shares(few, s, (int64_t)hour * 3600, (int64_t)hour * 3600 + 3600));
	}
	cr_expect_not(shares(few, one, 0, 3600), "too many since");
}
