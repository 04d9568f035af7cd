#include "catalog.h"
#include "faulty.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define DAY "app/2026/11/22"

static _Atomic int64_t clock_ns = 1000 * PGOFS_NS_PER_S;

static int64_t read_clock(void)
{
	return clock_ns;
}

static struct pgofs_backend *storage;
static struct pgofs_catalog *catalog;

static void open_with(uint64_t memory_bytes)
{
	struct pgofs_backend *memory = NULL;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, NULL), 0);
	storage = faulty_new(memory);
	const struct pgofs_catalog_config config = {
		.backend = storage, .refresh_ns = 5 * PGOFS_NS_PER_S, .memory_bytes = memory_bytes, .now_ns = read_clock
	};
	cr_assert_eq(pgofs_catalog_new(&config, &catalog, NULL), 0);
}

static void open_it(void)
{
	open_with(64 * PGOFS_MIB);
}

static void close_it(void)
{
	pgofs_catalog_free(catalog);
	pgofs_backend_free(storage);
}

TestSuite(catalog, .init = open_it, .fini = close_it, .timeout = 120);

static struct pgofs_stored put_elsewhere(const char *key)
{
	struct pgofs_stored stored;
	cr_assert_eq(pgofs_backend_put(storage, key, "x", 1, 0, &stored, NULL), 0);
	return stored;
}

static void put_here(const char *key)
{
	struct pgofs_stored stored = put_elsewhere(key);
	pgofs_catalog_note_put(catalog, key, &stored);
}

static bool shows(const char *dir, const char *name)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	cr_assert_eq(pgofs_catalog_list(catalog, dir, &l, NULL), 0);
	return pgofs_listing_find(l, name) != NULL;
}

static size_t count(const char *dir)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *l = NULL;
	cr_assert_eq(pgofs_catalog_list(catalog, dir, &l, NULL), 0);
	return l->n;
}

Test(catalog, believes_a_listing_for_its_time_and_no_longer)
{
	put_elsewhere(DAY "/1.pprof");
	cr_assert(shows(DAY, "1.pprof"));
	put_elsewhere(DAY "/2.pprof");
	clock_ns += 5 * PGOFS_NS_PER_S - 1;
	cr_assert_not(shows(DAY, "2.pprof"));
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 1);
	clock_ns += 1;
	cr_assert(shows(DAY, "2.pprof"));
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 2);
}

Test(catalog, does_not_believe_a_listing_from_the_future)
{
	put_elsewhere(DAY "/1.pprof");
	cr_assert(shows(DAY, "1.pprof"));
	put_elsewhere(DAY "/2.pprof");
	clock_ns -= 3600 * PGOFS_NS_PER_S;
	cr_assert(shows(DAY, "2.pprof"));
}

Test(catalog, keeps_only_what_belongs_to_the_tree)
{
	put_elsewhere(DAY "/1.pprof");
	put_elsewhere(DAY "/notes.txt");
	put_elsewhere("app/readme.pprof");
	put_elsewhere("app/2026/13/01/1.pprof");
	put_elsewhere(".pgofs/rollup/x");
	cr_assert_eq(count(DAY), 1);
	cr_assert_eq(count("app"), 1);
	cr_assert_eq(count("app/2026"), 1);
	cr_assert_eq(count(""), 1);
}

Test(catalog, shows_1000_own_writes_with_one_listing)
{
	put_elsewhere(DAY "/old.pprof");
	cr_assert_eq(count(DAY), 1);
	for (int i = 0; i < 1000; i++) {
		char name[32], key[64];
		snprintf(name, sizeof name, "%06d.pprof", (i * 7919) % 1000);
		snprintf(key, sizeof key, DAY "/%s", name);
		cr_assert_not(shows(DAY, name));
		put_here(key);
		cr_assert(shows(DAY, name));
	}
	cr_assert_eq(count(DAY), 1001);
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 1);
}

Test(catalog, shows_the_directories_above_an_own_write)
{
	cr_assert_eq(count(""), 0);
	cr_assert_eq(count("app"), 0);
	cr_assert_eq(count("app/2026"), 0);
	put_here(DAY "/1.pprof");
	cr_assert(shows("", "app"));
	cr_assert(shows("app", "2026"));
	cr_assert(shows("app/2026", "11"));
	cr_assert(shows("app/2026/11", "22"));
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 4, "only the month was not known");
}

Test(catalog, hides_the_directories_above_the_last_own_removal)
{
	put_elsewhere(DAY "/1.pprof");
	put_elsewhere("app/2026/10/01/1.pprof");
	cr_assert_eq(count(DAY) + count("app/2026/11") + count("app/2026") + count("app"), 5);
	cr_assert_eq(pgofs_backend_remove(storage, DAY "/1.pprof", NULL), 0);
	pgofs_catalog_note_remove(catalog, DAY "/1.pprof");
	cr_assert_eq(count(DAY), 0);
	cr_assert_eq(count("app/2026/11"), 0);
	cr_assert_not(shows("app/2026", "11"));
	cr_assert(shows("app/2026", "10"));
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 4);
}

Test(catalog, leaves_a_listing_that_somebody_holds_as_it_was)
{
	put_elsewhere(DAY "/1.pprof");
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *held = NULL;
	cr_assert_eq(pgofs_catalog_list(catalog, DAY, &held, NULL), 0);
	put_here(DAY "/2.pprof");
	pgofs_catalog_note_remove(catalog, DAY "/1.pprof");
	cr_assert_eq(held->n, 1);
	cr_assert(pgofs_listing_find(held, "1.pprof"));
	cr_assert_eq(count(DAY), 1);
	cr_assert(shows(DAY, "2.pprof"));
}

Test(catalog, forgets_what_ended_in_doubt)
{
	put_elsewhere(DAY "/1.pprof");
	cr_assert_eq(count(DAY), 1);
	put_elsewhere(DAY "/2.pprof");
	pgofs_catalog_forget(catalog, DAY);
	cr_assert_eq(count(DAY), 2);
	put_elsewhere(DAY "/3.pprof");
	pgofs_catalog_forget(catalog, NULL);
	cr_assert_eq(count(DAY), 3);
}

Test(catalog, reports_a_failure_and_asks_again)
{
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_LIST, .error = -ETIMEDOUT, .times = 1 });
	struct pgofs_error err = { "" };
	struct pgofs_listing *l = NULL;
	cr_assert_eq(pgofs_catalog_list(catalog, DAY, &l, &err), -ETIMEDOUT);
	cr_assert(strstr(err.text, DAY), "%s", err.text);
	cr_assert_null(l);
	cr_assert_eq(count(DAY), 0);
}

/* ---- several at once ---- */

static void *list_day(void *result)
{
	struct pgofs_listing *l = NULL;
	int r = pgofs_catalog_list(catalog, DAY, &l, NULL);
	*(int *)result = r < 0 ? r : (int)l->n;
	pgofs_listing_unref(l);
	return NULL;
}

static void wait_for_lists(unsigned n)
{
	while (faulty_count(storage, FAULTY_LIST) < n)
		usleep(1000);
}

Test(catalog, asks_once_for_all_who_ask_at_the_same_time)
{
	enum { N = 8 };
	pthread_t threads[N];
	int results[N];
	put_elsewhere(DAY "/1.pprof");
	faulty_gate(storage, true);
	for (int i = 0; i < N; i++)
		pthread_create(&threads[i], NULL, list_day, &results[i]);
	wait_for_lists(1);
	usleep(50000);
	faulty_gate(storage, false);
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_eq(results[i], 1);
	}
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 1);
}

Test(catalog, shows_an_own_write_though_an_older_listing_arrives_after_it)
{
	pthread_t thread;
	int result;
	struct pgofs_stored stored = put_elsewhere(DAY "/2.pprof"), old = put_elsewhere(DAY "/1.pprof");
	(void)old;
	cr_assert_eq(pgofs_backend_remove(storage, DAY "/2.pprof", NULL), 0);
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_LIST, .delay_ns = 300 * PGOFS_NS_PER_MS });
	pthread_create(&thread, NULL, list_day, &result);
	wait_for_lists(1);
	/* The storage will answer with 1 alone: as if it had looked before these two changes. */
	pgofs_catalog_note_put(catalog, DAY "/2.pprof", &stored);
	pgofs_catalog_note_remove(catalog, DAY "/1.pprof");
	pthread_join(thread, NULL);
	cr_assert_eq(result, 1);
	cr_assert(shows(DAY, "2.pprof"));
	cr_assert_not(shows(DAY, "1.pprof"));
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 1);
}

Test(catalog, does_not_give_who_comes_after_doubt_a_listing_from_before_it)
{
	pthread_t thread;
	int result;
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_LIST, .delay_ns = 300 * PGOFS_NS_PER_MS, .times = 1 });
	pthread_create(&thread, NULL, list_day, &result);
	wait_for_lists(1);
	pgofs_catalog_forget(catalog, DAY);
	count(DAY);
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 2, "it waited for the first, and asked again");
	pthread_join(thread, NULL);
}

/* ---- bounds ---- */

TestSuite(catalog_bounds, .fini = close_it, .timeout = 120);

Test(catalog_bounds, stays_within_its_bytes)
{
	open_with(256 * 1024);
	for (int day = 1; day <= 28; day++) {
		char dir[64], key[128];
		snprintf(dir, sizeof dir, "app/2026/11/%02d", day);
		for (int i = 0; i < 500; i++) {
			snprintf(key, sizeof key, "%s/%06d-a-pod-with-a-long-name.pprof", dir, i);
			put_elsewhere(key);
		}
		cr_assert_eq(count(dir), 500);
		struct pgofs_catalog_stats stats;
		pgofs_catalog_stats(catalog, &stats);
		cr_assert_leq(stats.memory_bytes, 256 * 1024);
		cr_assert_leq(stats.n_dirs, 8);
	}
}

Test(catalog_bounds, refuses_a_directory_beyond_its_bytes)
{
	open_with(16 * 1024);
	struct pgofs_error err = { "" };
	struct pgofs_listing *l = NULL;
	char key[128];
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, DAY "/%06d-a-pod-with-a-long-name.pprof", i);
		put_elsewhere(key);
	}
	cr_assert_eq(pgofs_catalog_list(catalog, DAY, &l, &err), -EFBIG);
	cr_assert(strstr(err.text, "memory"), "%s", err.text);
}
