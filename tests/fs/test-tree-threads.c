/* Readers, writers and removers on one tree at the same time. What is wrong here shows under the thread sanitizer as well. */
#include "faulty.h"
#include "profiles.h"
#include "tree.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_NS  (INT64_C(20779) * PGOFS_NS_PER_DAY) /* 2026-11-22 */
#define DAY     "app/2026/11/22"
#define RUN_NS  (2 * PGOFS_NS_PER_S)
#define N_SLOTS 40

static struct pgofs_backend *storage;
static struct pgofs_tree *tree;
static atomic_bool stop;
static atomic_uint n_merged, n_changed;

static int64_t read_clock(void)
{
	return DAY_NS + 12 * PGOFS_NS_PER_HOUR + pgofs_monotonic_ns() % PGOFS_NS_PER_HOUR;
}

static void open_with(uint64_t memory_bytes)
{
	struct pgofs_backend *memory = NULL;
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.now_ns = read_clock;
	config.refresh_ns = 20 * PGOFS_NS_PER_MS;
	config.memory_bytes = memory_bytes;
	config.n_fetch = 4;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, NULL), 0);
	storage = faulty_new(memory);
	cr_assert_eq(pgofs_tree_new(storage, &config, &tree, NULL), 0);
	stop = false;
}

static void open_it(void)
{
	open_with(256 * PGOFS_MIB);
}

static void close_it(void)
{
	pgofs_tree_free(tree);
}

TestSuite(tree_threads, .init = open_it, .fini = close_it, .timeout = 120);

static void slot_path(char buf[64], unsigned i)
{
	snprintf(buf, 64, DAY "/11%02u00Z.pprof", i % N_SLOTS);
}

/* The steady profile is always there; the others come and go. */
static void store_steady(void)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new("steady", 5, DAY_NS);
	cr_assert_eq(pgofs_tree_store(tree, DAY "/110000.5Z.pprof", b->data, b->len, 0, NULL), 0);
}

/* Each thread's own result: asserting is for the main thread. */
struct outcome {
	unsigned seed;
	const char *path;
	char why[PGOFS_ERROR_TEXT_SIZE];
};

static void *write_and_remove(void *context)
{
	struct outcome *o = context;
	struct pgofs_error err;
	while (!stop) {
		char path[64];
		unsigned i = (unsigned)rand_r(&o->seed);
		slot_path(path, i / 2);
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new(i % 3 ? "hot" : "hotter", 5, DAY_NS);
		int r = i % 2 ? pgofs_tree_store(tree, path, b->data, b->len, 0, &err)
			      : pgofs_tree_remove(tree, path, &err);
		if (r < 0 && r != -ENOENT)
			snprintf(o->why, sizeof o->why, "%s", err.text);
		n_changed++;
		usleep(500);
	}
	return NULL;
}

static void *change_elsewhere(void *context)
{
	struct outcome *o = context;
	while (!stop) {
		char path[64];
		unsigned i = (unsigned)rand_r(&o->seed);
		slot_path(path, i / 2);
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new("foreign", 5, DAY_NS);
		if (i % 2)
			pgofs_backend_put(storage, path, b->data, b->len, 0, NULL, NULL);
		else
			pgofs_backend_remove(storage, path, NULL);
		usleep(3000);
	}
	return NULL;
}

static uint32_t sum(const struct pgofs_bytes *b)
{
	uint32_t h = 2166136261U;
	for (size_t i = 0; i < b->len; i++)
		h = (h ^ b->data[i]) * 16777619U;
	return h;
}

static const char *check_merged(const struct pgofs_bytes *b)
{
	static _Thread_local struct pgofs_error err;
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(1 << 20);
	if (pgofs_pprof_check(b->data, b->len, 1 << 20, NULL, &err) < 0 ||
	    pgofs_pprof_inflate(b->data, b->len, &raw, &err) < 0)
		return err.text;
	return memmem(raw.data, raw.len, "main.steady", 11) ? NULL : "the steady profile is not in it";
}

static void *read_merged(void *context)
{
	struct outcome *o = context;
	struct pgofs_error err;
	while (!stop) {
		struct pgofs_node node = { 0 };
		if (pgofs_tree_lookup(tree, o->path, &node, &err) < 0) {
			snprintf(o->why, sizeof o->why, "%s", err.text);
			continue;
		}
		uint32_t before = sum(node.snapshot->bytes);
		const char *why = check_merged(node.snapshot->bytes);
		if (why)
			snprintf(o->why, sizeof o->why, "%s", why);
		usleep(2000);
		if (sum(node.snapshot->bytes) != before)
			snprintf(o->why, sizeof o->why, "a snapshot changed");
		pgofs_node_done(&node);
		n_merged++;
	}
	return NULL;
}

static int count_entry(void *context, const struct pgofs_tree_entry *e)
{
	++*(unsigned *)context;
	return 0;
}

static void *list_all(void *context)
{
	struct outcome *o = context;
	static const char *const dirs[] = { "", "app", "app/2026/11", DAY, "app/merged", "merged" };
	struct pgofs_error err;
	for (size_t i = 0; !stop; i++) {
		unsigned n = 0;
		if (pgofs_tree_list(tree, dirs[i % 6], count_entry, &n, &err) < 0)
			snprintf(o->why, sizeof o->why, "%s", err.text);
		if (!n)
			snprintf(o->why, sizeof o->why, "%s is empty", dirs[i % 6]);
		if (i % 50 == 0)
			pgofs_tree_refresh(tree);
	}
	return NULL;
}

static void run_all(void)
{
	static void *(*const roles[])(void *) = { write_and_remove, write_and_remove, change_elsewhere, read_merged,
						  read_merged,      read_merged,      list_all };
	enum { N = sizeof roles / sizeof roles[0] };
	static const char *const paths[N] = {
		[3] = "app/merged/last-24h.pprof", [4] = "app/merged/last-24h.pprof", [5] = "merged/2026-11-22.pgo"
	};
	struct outcome outcomes[N] = { 0 };
	pthread_t threads[N];
	store_steady();
	for (unsigned i = 0; i < N; i++) {
		outcomes[i] = (struct outcome){ .seed = i + 1, .path = paths[i] };
		pthread_create(&threads[i], NULL, roles[i], &outcomes[i]);
	}
	usleep(RUN_NS / 1000);
	stop = true;
	for (unsigned i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_str_eq(outcomes[i].why, "", "role %u: %s", i, outcomes[i].why);
	}
	cr_assert_gt(n_merged, 4);
	cr_assert_gt(n_changed, 100);
}

Test(tree_threads, readers_see_whole_true_merges_while_profiles_come_and_go)
{
	run_all();
}

TestSuite(tree_threads_small, .fini = close_it, .timeout = 120);

Test(tree_threads_small, the_same_holds_when_nothing_can_be_kept)
{
	open_with(256 * 1024);
	run_all();
}

Test(tree_threads, an_own_change_is_in_the_next_merge_while_others_read)
{
	struct outcome reader = { .path = "app/merged/last-24h.pprof" };
	pthread_t thread;
	store_steady();
	pthread_create(&thread, NULL, read_merged, &reader);
	for (int i = 0; i < 200; i++) {
		char name[32], path[64];
		snprintf(name, sizeof name, "own%d", i);
		slot_path(path, (unsigned)i);
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new(name, 5, DAY_NS), *merged = NULL;
		_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(1 << 20);
		struct pgofs_error err = { "" };
		cr_assert_eq(pgofs_tree_store(tree, path, b->data, b->len, 0, &err), 0, "%s", err.text);
		cr_assert_eq(pgofs_tree_read(tree, "app/merged/last-24h.pprof", NULL, &merged, &err), 0, "%s",
			     err.text);
		cr_assert_eq(pgofs_pprof_inflate(merged->data, merged->len, &raw, &err), 0);
		cr_assert(memmem(raw.data, raw.len, name, strlen(name)), "%s is not in the merge", name);
	}
	stop = true;
	pthread_join(thread, NULL);
	cr_assert_str_eq(reader.why, "");
}

static void *read_once(void *context)
{
	struct outcome *o = context;
	struct pgofs_node node = { 0 };
	struct pgofs_error err;
	if (pgofs_tree_lookup(tree, o->path, &node, &err) < 0)
		snprintf(o->why, sizeof o->why, "%s", err.text);
	pgofs_node_done(&node);
	return NULL;
}

Test(tree_threads, many_who_open_one_name_cost_one_merge)
{
	enum { N = 16 };
	pthread_t threads[N];
	struct outcome outcomes[N] = { 0 };
	store_steady();
	faulty_reset_counts(storage);
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_GET, .delay_ns = 200 * PGOFS_NS_PER_MS });
	for (int i = 0; i < N; i++) {
		outcomes[i].path = "app/merged/last-24h.pprof";
		pthread_create(&threads[i], NULL, read_once, &outcomes[i]);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_str_eq(outcomes[i].why, "");
	}
	cr_assert_eq(faulty_count(storage, FAULTY_GET), 1);
}
