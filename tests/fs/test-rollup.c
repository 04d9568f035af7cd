/* Rollups: a machine that begins with nothing reads what another merged, and the same bytes as if there were none. */
#include "../backends/scratch.h"
#include "faulty.h"
#include "profiles.h"
#include "rollup.h"
#include "tree.h"

#include <pgofs/name.h>
#include <pgofs/pprof.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_NS    (INT64_C(20779) * PGOFS_NS_PER_DAY) /* 2026-11-22 */
#define YESTERDAY "app/2026/11/21"
#define TODAY     "app/2026/11/22"
#define ROLLUPS   ".pgofs/rollup/"

static char dir[SCRATCH_SIZE];
static _Atomic int64_t clock_ns;
static uint32_t state;

static int64_t read_clock(void)
{
	return clock_ns;
}

static uint32_t dice(uint32_t sides)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % sides;
}

static void open_it(void)
{
	scratch_make(dir);
	clock_ns = DAY_NS + 12 * PGOFS_NS_PER_HOUR + 30 * PGOFS_NS_PER_MIN + 20 * PGOFS_NS_PER_S;
	state = 4711;
}

static void close_it(void)
{
	scratch_remove(dir);
}

TestSuite(rollup, .init = open_it, .fini = close_it, .timeout = 300);

/* ---- a mount: a tree that knows nothing yet ---- */

struct mount {
	struct pgofs_backend *storage; /* of the tree */
	struct pgofs_tree *tree;
};

enum { WITH_ROLLUPS, READ_ONLY, WITHOUT };

static struct mount mount_it(int how)
{
	struct mount m = { 0 };
	struct pgofs_backend *local = NULL;
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.now_ns = read_clock;
	config.n_fetch = 4;
	config.read_only = how == READ_ONLY;
	config.no_rollups = how == WITHOUT;
	cr_assert_eq(pgofs_backend_open(dir, NULL, &local, NULL), 0);
	m.storage = faulty_new(local);
	cr_assert_eq(pgofs_tree_new(m.storage, &config, &m.tree, NULL), 0);
	return m;
}

static void unmount(struct mount *m)
{
	pgofs_tree_free(m->tree);
}

#define MOUNT(name, how) _cleanup_(unmount) struct mount name = mount_it(how)

static struct pgofs_bytes *read_it(const struct mount *m, const char *window)
{
	char path[128];
	struct pgofs_bytes *b = NULL;
	struct pgofs_error err = { "" };
	snprintf(path, sizeof path, "app/merged/%s.pgo", window);
	pgofs_tree_refresh(m->tree);
	cr_assert_eq(pgofs_tree_read(m->tree, path, NULL, &b, &err), 0, "%s", err.text);
	return b;
}

/* Reads, and compares with what a mount without rollups makes. Returns how many objects it took. */
static unsigned fetched_for(const struct mount *m, const char *window)
{
	MOUNT(plain, WITHOUT);
	faulty_reset_counts(m->storage);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *got = read_it(m, window), *want = read_it(&plain, window);
	cr_assert(got->len == want->len && !memcmp(got->data, want->data, want->len), "%s", window);
	return faulty_count(m->storage, FAULTY_GET);
}

/* ---- what is stored ---- */

static void write_file(const char *path, const void *data, size_t len)
{
	char full[SCRATCH_SIZE + 512];
	snprintf(full, sizeof full, "%s/%s", dir, path);
	for (char *at = full + strlen(dir) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(full, 0777);
		*at = '/';
	}
	_cleanup_(pgofs_fclosep) FILE *f = fopen(full, "we");
	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, len, f), len);
}

static void add(const char *day, int64_t s, const char *source)
{
	char path[128], callee[16];
	snprintf(path, sizeof path, "%s/%02d%02d%02dZ-%s.pprof", day, (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60),
		 source);
	snprintf(callee, sizeof callee, "f%u", dice(30));
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new(callee, 1 + dice(9), 0);
	write_file(path, b->data, b->len);
}

/* `n` of them, spread evenly over the hour. */
static void fill_hour(const char *day, int hour, int n)
{
	for (int i = 0; i < n; i++) {
		char source[16];
		snprintf(source, sizeof source, "w%d", i);
		add(day, hour * 3600 + i * 3600 / n, source);
	}
}

/* Yesterday from 12:00 and today until now: 25 hours, of which the one before 13:00 yesterday is cut and the last is not over. */
static void fill_a_day(void)
{
	for (int hour = 12; hour < 24; hour++)
		fill_hour(YESTERDAY, hour, hour == 12 ? 130 : 20);
	for (int hour = 0; hour < 12; hour++)
		fill_hour(TODAY, hour, 20);
	fill_hour(TODAY, 12, 40);
}

struct names {
	char text[16384];
	unsigned n;
};

static int note_name(void *context, const struct pgofs_entry *entry)
{
	struct names *names = context;
	if (names->n++ < 100)
		strcat(strcat(names->text, entry->name), " ");
	return 0;
}

/* The names of the rollups of a day. */
static struct names rollups_of(const char *day)
{
	char path[256];
	struct names names = { "" };
	struct pgofs_backend *local = NULL;
	snprintf(path, sizeof path, ROLLUPS "%s", day);
	cr_assert_eq(pgofs_backend_open(dir, NULL, &local, NULL), 0);
	cr_assert_eq(pgofs_backend_list(local, path, 0, note_name, &names, NULL), 0);
	pgofs_backend_free(local);
	return names;
}

/* ---- used ---- */

Test(rollup, of_another_mount_is_all_that_a_fresh_one_reads)
{
	fill_a_day();
	MOUNT(first, WITH_ROLLUPS);
	unsigned cold = fetched_for(&first, "2026-11-21..2026-11-22");
	cr_expect_geq(cold, 130 + 11 * 20 + 12 * 20 + 20);
	cr_expect_eq(rollups_of(YESTERDAY).n, 12 + 1 + 1, "12 hours, the minutes of one, and the day: %s",
		     rollups_of(YESTERDAY).text);
	cr_expect_eq(rollups_of(TODAY).n, 12, "%s", rollups_of(TODAY).text);

	MOUNT(fresh, WITH_ROLLUPS);
	unsigned open_hour = 31 + 4; /* of 40 an hour, those until 12:35:20 in the window, and some room */
	unsigned n = fetched_for(&fresh, "last-24h");
	cr_expect_leq(n, 24 + open_hour, "%u", n);
	cr_expect_eq(faulty_count(fresh.storage, FAULTY_PUT), 0, "nothing is made anew");

	MOUNT(again, WITH_ROLLUPS);
	cr_expect_eq(fetched_for(&again, "2026-11-21"), 1, "one for a day that is over");
	cr_expect_eq(fetched_for(&again, "2026-11-21"), 0);
}

Test(rollup, is_made_again_for_the_hour_that_changed_and_no_other)
{
	fill_a_day();
	MOUNT(first, WITH_ROLLUPS);
	fetched_for(&first, "last-7d");
	struct names before = rollups_of(TODAY);
	for (int gone = 0; gone < 2; gone++) {
		if (gone) {
			char path[SCRATCH_SIZE + 128];
			snprintf(path, sizeof path, "%s/" TODAY "/030500Z-late.pprof", dir);
			cr_assert_eq(remove(path), 0);
		} else {
			add(TODAY, 3 * 3600 + 300, "late");
		}
		MOUNT(fresh, WITH_ROLLUPS);
		unsigned n = fetched_for(&fresh, "last-7d");
		cr_expect_leq(n, 1 + 12 + 21 + 40, "%u", n);
		cr_expect_eq(faulty_count(fresh.storage, FAULTY_PUT), 1, "that hour");
		struct names after = rollups_of(TODAY);
		cr_expect_eq(after.n, 12, "the old one is swept: %s", after.text);
		cr_expect_eq(!strcmp(before.text, after.text), gone, "with the same profiles it is the same again");
	}
}

Test(rollup, of_hours_that_are_gone_are_swept)
{
	char path[SCRATCH_SIZE + 128];
	fill_a_day();
	MOUNT(first, WITH_ROLLUPS);
	fetched_for(&first, "last-7d");
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof path, "%s/" TODAY "/05%02d00Z-w%d.pprof", dir, i * 3, i);
		cr_assert_eq(remove(path), 0);
	}
	add(TODAY, 7 * 3600, "late");
	fetched_for(&first, "last-7d");
	struct names left = rollups_of(TODAY);
	cr_expect_eq(left.n, 11, "%s", left.text);
	cr_expect_null(strstr(left.text, " 05-"), "%s", left.text);
}

Test(rollup, is_read_but_not_made_by_who_may_not_write)
{
	fill_a_day();
	MOUNT(reader, READ_ONLY);
	fetched_for(&reader, "last-24h");
	cr_expect_eq(faulty_count(reader.storage, FAULTY_PUT), 0);
	cr_expect_eq(rollups_of(YESTERDAY).n + rollups_of(TODAY).n, 0);

	MOUNT(writer, WITH_ROLLUPS);
	fetched_for(&writer, "last-7d");
	MOUNT(other, READ_ONLY);
	unsigned n = fetched_for(&other, "last-7d");
	cr_expect_leq(n, 1 + 12 + 40, "%u", n);
}

Test(rollup, is_neither_used_nor_made_when_switched_off)
{
	fill_a_day();
	MOUNT(writer, WITH_ROLLUPS);
	fetched_for(&writer, "last-7d");
	struct names before = rollups_of(TODAY);
	MOUNT(without, WITHOUT);
	faulty_rule(without.storage, &(struct faulty_rule){ FAULTY_GET, .key = ROLLUPS, .error = -EIO });
	unsigned n = fetched_for(&without, "2026-11-22");
	cr_expect_eq(n, 12 * 20 + 40, "%u", n);
	cr_expect_str_eq(rollups_of(TODAY).text, before.text);
	cr_expect_eq(faulty_count(without.storage, FAULTY_PUT), 0);
}

Test(rollup, waits_until_the_hour_is_over)
{
	MOUNT(watcher, WITH_ROLLUPS);
	for (int i = 0; i < 40; i++) /* the last five minutes of 11:00, and the first ones of 12:00 */
		add(TODAY, 11 * 3600 + 55 * 60 + i * 10, i % 2 ? "a" : "b");
	clock_ns = DAY_NS + 12 * PGOFS_NS_PER_HOUR + 9 * PGOFS_NS_PER_MIN;
	fetched_for(&watcher, "last-7d");
	cr_expect_eq(rollups_of(TODAY).n, 0, "%s", rollups_of(TODAY).text);

	clock_ns = DAY_NS + 12 * PGOFS_NS_PER_HOUR + 10 * PGOFS_NS_PER_MIN;
	add(TODAY, 12 * 3600 + 540, "new");
	unsigned n = fetched_for(&watcher, "last-7d");
	cr_expect_leq(n, 16, "what it has in memory it does not fetch: %u", n);
	cr_expect_eq(rollups_of(TODAY).n, 1, "%s", rollups_of(TODAY).text);
	add(TODAY, 12 * 3600 + 541, "new");
	fetched_for(&watcher, "last-7d");
	cr_expect_eq(faulty_count(watcher.storage, FAULTY_PUT), 0, "once is enough");
}

Test(rollup, of_a_few_profiles_is_not_made)
{
	fill_hour(TODAY, 3, 7);
	fill_hour(TODAY, 4, 8);
	fill_hour(TODAY, 5, 63);
	fill_hour(TODAY, 6, 64);
	MOUNT(m, WITH_ROLLUPS);
	fetched_for(&m, "2026-11-22");
	struct names names = rollups_of(TODAY);
	cr_expect(!strncmp(names.text, "04-", 3) && strstr(names.text, " 05-") && strstr(names.text, " 06-"));
	cr_expect_eq(names.n, 4, "and the minutes of 06: %s", names.text);
}

/* ---- minutes ---- */

Test(rollup, of_minutes_serves_windows_that_cut_an_hour)
{
	static const char *const windows[] = { "20261122T031700Z..20261122T080000Z", "20261122T010000Z..20261122T034300Z",
					       "20261122T031700Z..20261122T034300Z" };
	fill_hour(TODAY, 2, 64);
	fill_hour(TODAY, 3, 300);
	fill_hour(TODAY, 7, 40);
	MOUNT(first, WITH_ROLLUPS);
	fetched_for(&first, "2026-11-22");
	for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
		MOUNT(fresh, WITH_ROLLUPS);
		unsigned n = fetched_for(&fresh, windows[i]);
		cr_expect_leq(n, 2, "%s: %u", windows[i], n);
	}
	MOUNT(fresh, WITH_ROLLUPS);
	cr_expect_geq(fetched_for(&fresh, "20261122T031705Z..20261122T080000Z"), 100, "not at a minute");
}

Test(rollup, of_minutes_is_of_the_hour_as_it_is_now)
{
	fill_hour(TODAY, 3, 300);
	MOUNT(first, WITH_ROLLUPS);
	fetched_for(&first, "2026-11-22");
	add(TODAY, 3 * 3600 + 59, "late"); /* outside the window, and in the hour */
	MOUNT(fresh, WITH_ROLLUPS);
	cr_expect_geq(fetched_for(&fresh, "20261122T031700Z..20261122T080000Z"), 200);
	add(TODAY, 3 * 3600 + 1800, "late"); /* inside */
	MOUNT(another, WITH_ROLLUPS);
	cr_expect_geq(fetched_for(&another, "20261122T031700Z..20261122T080000Z"), 200);
}

/* ---- in trouble ---- */

static void spoil(const char *suffix, const char *data, size_t len)
{
	struct names names = rollups_of(TODAY);
	char *save = NULL;
	for (char *name = strtok_r(names.text, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		char path[256];
		snprintf(path, sizeof path, ROLLUPS TODAY "/%s", name);
		if (strstr(name, suffix))
			write_file(path, data, len);
	}
}

Test(rollup, that_is_broken_is_made_again)
{
	static const char *const rubbish[] = { "", "rubbish", "\x1f\x8b\x08", "pgofs-part\1", "pgofs-minutes\1" };
	fill_hour(TODAY, 3, 200);
	fill_hour(TODAY, 4, 20);
	MOUNT(first, WITH_ROLLUPS);
	fetched_for(&first, "2026-11-22");
	for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
		spoil("", rubbish[i], strlen(rubbish[i]));
		MOUNT(cut, READ_ONLY);
		fetched_for(&cut, "20261122T031700Z..20261122T080000Z");
		MOUNT(fresh, WITH_ROLLUPS);
		cr_expect_geq(fetched_for(&fresh, "2026-11-22"), 220);
		cr_expect_eq(rollups_of(TODAY).n, 3);
		MOUNT(another, WITH_ROLLUPS);
		cr_expect_eq(fetched_for(&another, "2026-11-22"), 2, "all is well again");
		MOUNT(third, WITH_ROLLUPS);
		cr_expect_eq(fetched_for(&third, "20261122T031700Z..20261122T080000Z"), 2);
	}
}

Test(rollup, that_storage_refuses_is_nobodys_failure)
{
	fill_a_day();
	MOUNT(m, WITH_ROLLUPS);
	faulty_rule(m.storage, &(struct faulty_rule){ FAULTY_PUT, .error = -EACCES });
	fetched_for(&m, "last-7d");
	cr_expect_leq(faulty_count(m.storage, FAULTY_PUT), 4, "as many as are tried at once");
	cr_expect_eq(rollups_of(TODAY).n, 0);
	add(TODAY, 3 * 3600, "late");
	fetched_for(&m, "last-7d");
	cr_expect_eq(faulty_count(m.storage, FAULTY_PUT), 0, "for some minutes nothing is tried");
}

/* A part of so many edges, as bytes. */
static struct pgofs_bytes *part_of(int n)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(PGOFS_MIB);
	cr_assert_eq(pgofs_merge_new(PGOFS_VIEW_PGO, &m, NULL), 0);
	for (int i = 0; i < n; i++) {
		char callee[16];
		const struct pgofs_merge_input input = { .path = "x" };
		snprintf(callee, sizeof callee, "f%d", i);
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *profile = profile_new(callee, 1, 0);
		cr_assert_eq(pgofs_merge_add(m, profile->data, profile->len, &input, NULL), 0);
	}
	cr_assert_eq(pgofs_merge_encode_part(m, &b, NULL), 0);
	return pgofs_bytes_consume_buf(&b);
}

Test(rollup, that_is_too_large_is_neither_stored_nor_read)
{
	static const uint8_t fingerprint[PGOFS_FINGERPRINT_SIZE];
	const struct pgofs_rollup which = { .dir = TODAY, .of = 3, .fingerprint = fingerprint };
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *part = part_of(1000);
	struct pgofs_backend *local = NULL;
	cr_assert_eq(pgofs_backend_open(dir, NULL, &local, NULL), 0);
	for (int spare = -1; spare <= 0; spare++) {
		struct pgofs_rollups_config config = { local, .writable = true, .n_parallel = 1 };
		config.max_bytes = part->len + (size_t)spare;
		struct pgofs_rollups *r = pgofs_rollups_new(&config);
		struct pgofs_rollups_queue q = { .rollups = r };
		pgofs_rollups_put(&q, &which, part, NULL);
		pgofs_rollups_flush(&q);
		pgofs_rollups_queue_done(&q);
		cr_expect_eq(rollups_of(TODAY).n, spare == 0, "%d", spare);
		pgofs_rollups_free(r);
	}
	for (int spare = -1; spare <= 0; spare++) {
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *got = NULL;
		const struct pgofs_rollups_config config = { local, .max_bytes = part->len + (size_t)spare };
		struct pgofs_rollups *r = pgofs_rollups_new(&config);
		cr_expect_eq(pgofs_rollups_get(r, &which, &got), spare ? -ENOENT : 0, "%d", spare);
		pgofs_rollups_free(r);
	}
	pgofs_backend_free(local);
}

static void fill_twelve_days(void)
{
	for (int day = 1; day <= 12; day++) {
		char path[64];
		snprintf(path, sizeof path, "app/2026/11/%02d", day);
		fill_hour(path, 3, 8);
	}
}

/* Lists what is in twelve days, and then counts what the merge of them asks for. */
static void merge_twelve_days(const struct mount *m)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *listed = NULL, *merged = NULL;
	cr_assert_eq(pgofs_tree_read(m->tree, "app/merged/2026-11-01..2026-11-12.txt", NULL, &listed, NULL), 0);
	faulty_reset_counts(m->storage);
	cr_assert_eq(pgofs_tree_read(m->tree, "app/merged/2026-11-01..2026-11-12.pgo", NULL, &merged, NULL), 0);
}

Test(rollup, of_many_days_are_swept_side_by_side)
{
	fill_twelve_days();
	MOUNT(m, WITH_ROLLUPS);
	faulty_rule(m.storage, &(struct faulty_rule){ FAULTY_LIST, .key = ROLLUPS, .delay_ns = 20 * PGOFS_NS_PER_MS });
	merge_twelve_days(&m);
	cr_expect_eq(faulty_count(m.storage, FAULTY_LIST), 12);
	cr_expect_gt(faulty_most_at_once(m.storage, FAULTY_LIST), 1);
}

Test(rollup, that_cannot_be_swept_is_left_at_once)
{
	fill_twelve_days();
	MOUNT(m, WITH_ROLLUPS);
	faulty_rule(m.storage, &(struct faulty_rule){ FAULTY_LIST, .key = ROLLUPS, .error = -ETIMEDOUT });
	merge_twelve_days(&m);
	cr_expect_leq(faulty_count(m.storage, FAULTY_LIST), 4, "as many as are tried at once");
}

Test(rollup, that_cannot_be_read_is_nobodys_failure)
{
	fill_a_day();
	MOUNT(first, WITH_ROLLUPS);
	fetched_for(&first, "last-7d");
	MOUNT(m, WITH_ROLLUPS);
	faulty_rule(m.storage, &(struct faulty_rule){ FAULTY_GET, .key = ROLLUPS, .error = -EIO });
	faulty_rule(m.storage, &(struct faulty_rule){ FAULTY_LIST, .key = ROLLUPS, .error = -EIO });
	fetched_for(&m, "last-24h");
	fetched_for(&m, "last-7d");
}

Test(rollup, of_profiles_of_several_kinds_is_not_made)
{
	fill_hour(TODAY, 3, 40);
	fill_hour(TODAY, 4, 40);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new("odd", 5, 0);
	memcpy(memmem(b->data, b->len, "nanoseconds", 11), "millisecond", 11);
	write_file(TODAY "/033000Z-odd.pprof", b->data, b->len);
	MOUNT(m, WITH_ROLLUPS);
	fetched_for(&m, "2026-11-22");
	cr_expect_null(strstr(rollups_of(TODAY).text, "03-"), "%s", rollups_of(TODAY).text);
	fetched_for(&m, "20261122T030000Z..20261122T040000Z");
	cr_expect_null(strstr(rollups_of(TODAY).text, "03-"), "%s", rollups_of(TODAY).text);
}

static void *read_in_thread(void *context)
{
	return read_it(context, "last-7d");
}

Test(rollup, that_two_make_at_once_is_one)
{
	fill_a_day();
	MOUNT(a, WITH_ROLLUPS);
	MOUNT(b, WITH_ROLLUPS);
	pthread_t thread;
	void *there = NULL;
	cr_assert_eq(pthread_create(&thread, NULL, read_in_thread, &a), 0);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *here = read_it(&b, "last-7d");
	pthread_join(thread, &there);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *other = there;
	cr_expect(other->len == here->len && !memcmp(other->data, here->data, here->len));
	cr_expect_eq(rollups_of(YESTERDAY).n, 14, "%s", rollups_of(YESTERDAY).text);
	MOUNT(fresh, WITH_ROLLUPS);
	fetched_for(&fresh, "last-7d");
	cr_expect_eq(faulty_count(fresh.storage, FAULTY_PUT), 0);
}

/* ---- out of sight, and gone with their profiles ---- */

static int note_tree_entry(void *context, const struct pgofs_tree_entry *entry)
{
	strcat(strcat(context, entry->name), " ");
	return 0;
}

static const char *root_of(const struct mount *m)
{
	static char text[256];
	text[0] = '\0';
	pgofs_tree_refresh(m->tree);
	cr_assert_eq(pgofs_tree_list(m->tree, "", note_tree_entry, text, NULL), 0);
	return text;
}

Test(rollup, is_not_a_part_of_the_tree)
{
	struct pgofs_node node = { 0 };
	fill_a_day();
	MOUNT(m, WITH_ROLLUPS);
	fetched_for(&m, "last-7d");
	cr_expect_str_eq(root_of(&m), "app merged ");
	cr_expect_eq(pgofs_tree_lookup(m.tree, ".pgofs", &node, NULL), -ENOENT);
	cr_expect_eq(pgofs_tree_lookup(m.tree, ".pgofs/rollup", &node, NULL), -ENOENT);
}

Test(rollup, goes_when_its_day_is_removed)
{
	fill_a_day();
	MOUNT(m, WITH_ROLLUPS);
	fetched_for(&m, "last-7d");
	cr_assert_eq(pgofs_tree_remove_under(m.tree, YESTERDAY, NULL, NULL, NULL), 0);
	cr_expect_eq(rollups_of(YESTERDAY).n, 0, "%s", rollups_of(YESTERDAY).text);
	cr_expect_eq(rollups_of(TODAY).n, 12);

	struct pgofs_prune what = { .before_ns = DAY_NS + 6 * PGOFS_NS_PER_HOUR };
	cr_assert_eq(pgofs_tree_prune(m.tree, &what, NULL), 0);
	cr_expect_eq(rollups_of(TODAY).n, 12, "profiles of that day are left");
	fetched_for(&m, "last-7d");
	what = (struct pgofs_prune){ .before_ns = DAY_NS + PGOFS_NS_PER_DAY, .dry_run = true };
	cr_assert_eq(pgofs_tree_prune(m.tree, &what, NULL), 0);
	cr_expect_neq(rollups_of(TODAY).n, 0);
	what.dry_run = false;
	cr_assert_eq(pgofs_tree_prune(m.tree, &what, NULL), 0);
	cr_expect_eq(rollups_of(TODAY).n, 0, "%s", rollups_of(TODAY).text);
	cr_expect_str_eq(root_of(&m), "merged ");
}

Test(rollup, goes_when_its_day_is_emptied_and_its_directory_removed)
{
	fill_hour(TODAY, 3, 40);
	MOUNT(m, WITH_ROLLUPS);
	fetched_for(&m, "2026-11-22");
	cr_expect_eq(rollups_of(TODAY).n, 1);
	for (int i = 0; i < 40; i++) {
		char path[128];
		int s = 3 * 3600 + i * 90;
		snprintf(path, sizeof path, TODAY "/%02d%02d%02dZ-w%d.pprof", s / 3600, s / 60 % 60, s % 60, i);
		cr_assert_eq(pgofs_tree_remove(m.tree, path, NULL), 0);
	}
	cr_assert_eq(pgofs_tree_rmdir(m.tree, TODAY, NULL), 0);
	cr_expect_eq(rollups_of(TODAY).n, 0);
}

/* ---- anything ---- */

static void change_something(void)
{
	static unsigned serial;
	char source[16];
	snprintf(source, sizeof source, "x%u", serial++);
	add(dice(3) ? TODAY : YESTERDAY, dice(2) ? 9 * 3600 + dice(3600) : dice(12 * 3600), source);
}

Test(rollup, or_none_the_bytes_are_the_same)
{
	fill_a_day();
	fill_hour(TODAY, 9, 300);
	for (int round = 0; round < 8; round++) {
		MOUNT(m, WITH_ROLLUPS);
		for (int i = 0; i < 6; i++) {
			char window[64];
			unsigned from = dice(24 * 60), to = from + 1 + dice(24 * 60);
			snprintf(window, sizeof window, "202611%02uT%02u%02u%02uZ..202611%02uT%02u%02u%02uZ",
				 21 + from / 1440, from / 60 % 24, from % 60, dice(4) ? 0 : dice(60), 21 + to / 1440,
				 to / 60 % 24, to % 60, dice(4) ? 0 : dice(60));
			char path[128];
			struct pgofs_bytes *got = NULL, *want = NULL;
			MOUNT(plain, WITHOUT);
			snprintf(path, sizeof path, "app/merged/%s.pgo", window);
			pgofs_tree_refresh(m.tree);
			int r = pgofs_tree_read(m.tree, path, NULL, &got, NULL);
			cr_assert_eq(r, pgofs_tree_read(plain.tree, path, NULL, &want, NULL), "%s", window);
			cr_assert(r < 0 || (got->len == want->len && !memcmp(got->data, want->data, want->len)), "%s", window);
			pgofs_bytes_unref(got);
			pgofs_bytes_unref(want);
			if (dice(2))
				change_something();
		}
	}
}
