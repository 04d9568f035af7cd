#include "faulty.h"
#include "profiles.h"
#include "tree.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_NS (INT64_C(20779) * PGOFS_NS_PER_DAY) /* 2026-11-22 */
#define DAY    "app/2026/11/22"

static _Atomic int64_t clock_ns = DAY_NS + 12 * PGOFS_NS_PER_HOUR;

static int64_t read_clock(void)
{
	return clock_ns;
}

static struct pgofs_backend *storage;
static struct pgofs_tree *tree;
static struct pgofs_error err;

static void open_with(struct pgofs_tree_config config)
{
	struct pgofs_backend *memory = NULL;
	config.now_ns = read_clock;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, NULL), 0);
	storage = faulty_new(memory);
	cr_assert_eq(pgofs_tree_new(storage, &config, &tree, NULL), 0);
}

static void open_it(void)
{
	open_with((struct pgofs_tree_config)PGOFS_TREE_CONFIG_DEFAULTS);
}

static void close_it(void)
{
	pgofs_tree_free(tree);
}

TestSuite(tree, .init = open_it, .fini = close_it, .timeout = 120);

static int store(const char *path, const char *callee, unsigned flags)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new(callee, 5, DAY_NS);
	return pgofs_tree_store(tree, path, b->data, b->len, flags, &err);
}

static void put_elsewhere(const char *key, const char *data)
{
	cr_assert_eq(pgofs_backend_put(storage, key, data, strlen(data), 0, NULL, NULL), 0, "%s", key);
}

static void put_profile_elsewhere(const char *key, const char *callee)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = profile_new(callee, 5, DAY_NS);
	cr_assert_eq(pgofs_backend_put(storage, key, b->data, b->len, 0, NULL, NULL), 0, "%s", key);
}

static int append_name(void *context, const struct pgofs_tree_entry *e)
{
	strcat(strcat(context, e->name), " ");
	return 0;
}

static const char *names_in(const char *path)
{
	static char text[8192];
	text[0] = '\0';
	int r = pgofs_tree_list(tree, path, append_name, text, &err);
	return r < 0 ? strerror(-r) : text;
}

static int lookup(const char *path)
{
	struct pgofs_node node = { 0 };
	int r = pgofs_tree_lookup(tree, path, &node, &err);
	pgofs_node_done(&node);
	return r;
}

static struct pgofs_snapshot *snapshot_of(const char *path)
{
	struct pgofs_node node = { 0 };
	cr_assert_eq(pgofs_tree_lookup(tree, path, &node, &err), 0, "%s: %s", path, err.text);
	cr_assert_eq(node.kind, PGOFS_NODE_MERGED);
	cr_assert_eq(node.size_bytes, node.snapshot->bytes->len);
	cr_assert_eq(node.mtime_ns, node.snapshot->mtime_ns);
	return node.snapshot;
}

/* Is this name among the strings of a merged file? */
static bool mentions(const struct pgofs_snapshot *s, const char *text)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(1 << 20);
	cr_assert_eq(pgofs_pprof_inflate(s->bytes->data, s->bytes->len, &raw, &err), 0, "%s", err.text);
	return memmem(raw.data, raw.len, text, strlen(text)) != NULL;
}

/* ---- what is stored ---- */

Test(tree, shows_what_is_stored)
{
	cr_assert_eq(store(DAY "/101500Z-web-3.pprof", "hot", PGOFS_PUT_NEW), 0, "%s", err.text);
	cr_assert_str_eq(names_in(""), "app merged ");
	cr_assert_str_eq(names_in("app"), "2026 merged ");
	cr_assert_str_eq(names_in("app/2026"), "11 ");
	cr_assert_str_eq(names_in("app/2026/11"), "22 ");
	cr_assert_str_eq(names_in(DAY), "101500Z-web-3.pprof ");

	struct pgofs_node node = { 0 };
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = NULL, *wanted = profile_new("hot", 5, DAY_NS);
	cr_assert_eq(pgofs_tree_lookup(tree, DAY "/101500Z-web-3.pprof", &node, &err), 0);
	cr_assert_eq(node.kind, PGOFS_NODE_PROFILE);
	cr_assert_eq(node.size_bytes, wanted->len);
	cr_assert_eq(pgofs_tree_read(tree, DAY "/101500Z-web-3.pprof", &node, &b, &err), 0);
	cr_assert_eq(b->len, wanted->len);
	cr_assert_arr_eq(b->data, wanted->data, wanted->len);
}

Test(tree, has_nothing_where_nothing_is)
{
	static const char *const rows[] = { "app",         "app/merged", "app/2026", DAY,     DAY "/1.pprof",
					    ".pgofs",      "a b",        "..",       "app/x", "merged/last-1h.pgo",
					    "merged/today" };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cr_assert_eq(lookup(rows[i]), -ENOENT, "%s", rows[i]);
		cr_assert(strstr(err.text, rows[i]), "%s: %s", rows[i], err.text);
	}
	cr_assert_str_eq(names_in("app"), "No such file or directory");
	cr_assert_str_eq(names_in("app/merged"), "No such file or directory");
	cr_assert_str_eq(names_in(""), "merged ");
	cr_assert_str_eq(names_in("merged"), "");
	cr_assert_eq(lookup(DAY "/1.pprof/x"), -ENOTDIR);
}

Test(tree, shows_junk_only_where_it_has_a_profiles_name)
{
	put_elsewhere(DAY "/100000Z.pprof", "this is no profile");
	put_elsewhere(DAY "/notes.txt", "x");
	put_elsewhere("app/2026/11/31/100000Z.pprof", "x");
	put_elsewhere("app/readme", "x");
	put_elsewhere("lost+found/x", "x");
	put_elsewhere(".pgofs/x", "x");
	cr_assert_str_eq(names_in(""), "app merged ");
	cr_assert_str_eq(names_in("app"), "2026 merged ");
	cr_assert_str_eq(names_in("app/2026/11"), "22 ");
	cr_assert_str_eq(names_in(DAY), "100000Z.pprof ");
	cr_assert_eq(lookup(DAY "/notes.txt"), -ENOENT);
	cr_assert_eq(lookup(DAY "/100000Z.pprof"), 0);
}

Test(tree, tells_that_a_stored_profile_was_replaced_or_removed_since)
{
	struct pgofs_node node = { 0 };
	struct pgofs_bytes *b = NULL;
	put_profile_elsewhere(DAY "/1.pprof", "hot");
	cr_assert_eq(pgofs_tree_lookup(tree, DAY "/1.pprof", &node, &err), 0);
	put_profile_elsewhere(DAY "/1.pprof", "hotter");
	cr_assert_eq(pgofs_tree_read(tree, DAY "/1.pprof", &node, &b, &err), -ESTALE);
	cr_assert_eq(pgofs_tree_lookup(tree, DAY "/1.pprof", &node, &err), 0, "and knows the new one at once");
	cr_assert_eq(pgofs_tree_read(tree, DAY "/1.pprof", &node, &b, &err), 0);
	pgofs_bytes_unref(b);
	cr_assert_eq(pgofs_backend_remove(storage, DAY "/1.pprof", NULL), 0);
	cr_assert_eq(pgofs_tree_read(tree, DAY "/1.pprof", &node, &b, &err), -ENOENT);
	cr_assert_eq(lookup(DAY "/1.pprof"), -ENOENT);
}

Test(tree, shows_a_change_made_elsewhere_within_the_refresh_time)
{
	cr_assert_str_eq(names_in(""), "merged ");
	put_profile_elsewhere(DAY "/1.pprof", "hot");
	clock_ns += 5 * PGOFS_NS_PER_S;
	cr_assert_str_eq(names_in(""), "app merged ");
	cr_assert_eq(pgofs_backend_remove(storage, DAY "/1.pprof", NULL), 0);
	pgofs_tree_refresh(tree);
	cr_assert_str_eq(names_in(""), "merged ");
}

/* ---- storing ---- */

Test(tree, refuses_what_go_could_not_use)
{
	cr_assert_eq(pgofs_tree_store(tree, DAY "/1.pprof", "BAD words", 9, 0, &err), -EINVAL);
	cr_assert(strstr(err.text, DAY "/1.pprof"), "%s", err.text);
	cr_assert_eq(faulty_count(storage, FAULTY_PUT), 0);
	cr_assert_eq(lookup(DAY "/1.pprof"), -ENOENT);
}

Test(tree, refuses_places_outside_the_grammar)
{
	static const struct {
		const char *path;
		int result;
	} rows[] = {
		{ "app", -EINVAL },
		{ "app/x.pprof", -EINVAL },
		{ "app/2026/11/31/x.pprof", -EINVAL },
		{ "app/2026/11/22/x.tmp", -EINVAL },
		{ ".app/2026/11/22/x.pprof", -EINVAL },
		{ "app/2026/11/22/../22/x.pprof", -EINVAL },
		{ "app/2026/11/22/x/y.pprof", -EINVAL },
		{ "", -EINVAL },
		{ "app/merged/x.pprof", -EPERM },
		{ "merged/last-1h.pprof", -EPERM },
		{ "merged", -EPERM },
		{ DAY "/x.pprof", 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cr_assert_eq(pgofs_tree_may_store(tree, rows[i].path, &err), rows[i].result, "%s", rows[i].path);
		cr_assert_eq(store(rows[i].path, "hot", 0), rows[i].result, "%s", rows[i].path);
	}
}

Test(tree, does_not_replace_where_a_new_file_is_wanted)
{
	cr_assert_eq(store(DAY "/1.pprof", "hot", PGOFS_PUT_NEW), 0);
	cr_assert_eq(store(DAY "/1.pprof", "hotter", PGOFS_PUT_NEW), -EEXIST);
	cr_assert_eq(store(DAY "/1.pprof", "hotter", 0), 0);
}

Test(tree, believes_nothing_after_a_put_that_ended_in_doubt)
{
	cr_assert_str_eq(names_in(DAY), "No such file or directory");
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_PUT, .error = -ETIMEDOUT, .after_doing = true });
	cr_assert_eq(store(DAY "/1.pprof", "hot", PGOFS_PUT_NEW), -ETIMEDOUT);
	cr_assert_str_eq(names_in(DAY), "1.pprof ");
}

Test(tree, lists_a_day_once_for_many_files_copied_into_it)
{
	cr_assert_eq(pgofs_tree_mkdir(tree, "app", &err), 0);
	cr_assert_eq(pgofs_tree_mkdir(tree, "app/2026", &err), 0);
	cr_assert_eq(pgofs_tree_mkdir(tree, "app/2026/11", &err), 0);
	cr_assert_eq(pgofs_tree_mkdir(tree, DAY, &err), 0);
	faulty_reset_counts(storage);
	for (int i = 0; i < 1000; i++) {
		char path[64];
		snprintf(path, sizeof path, DAY "/%06d.pprof", i);
		cr_assert_eq(lookup(path), -ENOENT);
		cr_assert_eq(store(path, "hot", PGOFS_PUT_NEW), 0);
		cr_assert_eq(lookup(path), 0);
	}
	cr_assert_leq(faulty_count(storage, FAULTY_LIST), 1);
}

/* ---- merged files ---- */

Test(tree, lists_merged_files_only_where_their_window_is_not_empty)
{
	store(DAY "/113000Z.pprof", "hot", 0);
	store("old/2026/11/20/100000Z.pprof", "hot", 0);
	store("older/2026/10/20/100000Z.pprof", "hot", 0);
	static const char all[] = "last-1h.pgo last-1h.pprof last-1h.txt last-24h.pgo last-24h.pprof last-24h.txt "
				  "last-7d.pgo last-7d.pprof last-7d.txt ";
	faulty_reset_counts(storage);
	cr_assert_str_eq(names_in("app/merged"), all);
	cr_assert_str_eq(names_in("merged"), all);
	cr_assert_str_eq(names_in("old/merged"), "last-7d.pgo last-7d.pprof last-7d.txt ");
	cr_assert_str_eq(names_in("older/merged"), "");
	cr_assert_eq(faulty_count(storage, FAULTY_GET), 0, "plain ls computes nothing");
	cr_assert_eq(lookup("older/merged/last-7d.pgo"), -ENOENT);
	cr_assert_eq(lookup("older/merged/2026-10.pgo"), 0, "found by name, though not listed");
}

Test(tree, merges_an_app_and_all_apps)
{
	store(DAY "/100000Z.pprof", "one", 0);
	store(DAY "/110000Z.pprof", "two", 0);
	store("other/2026/11/22/110000Z.pprof", "three", 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *app = snapshot_of("app/merged/last-24h.pprof");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *all = snapshot_of("merged/last-24h.pprof");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *hour = snapshot_of("app/merged/last-1h.pgo");
	cr_assert(mentions(app, "main.one") && mentions(app, "main.two") && !mentions(app, "main.three"));
	cr_assert(mentions(all, "main.one") && mentions(all, "main.two") && mentions(all, "main.three"));
	cr_assert(!mentions(hour, "main.one") && mentions(hour, "main.two"));
}

Test(tree, gives_one_snapshot_for_one_set_of_inputs)
{
	store(DAY "/110000Z.pprof", "one", 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *a = snapshot_of("app/merged/last-24h.pprof");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *b = snapshot_of("app/merged/last-24h.pprof");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *day = snapshot_of("app/merged/2026-11-22.pprof");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *pgo = snapshot_of("app/merged/last-24h.pgo");
	cr_assert_eq(a, b);
	cr_assert_eq(a, day);
	cr_assert_neq(a, pgo);
	cr_assert_arr_neq(a->fingerprint, pgo->fingerprint, sizeof a->fingerprint);
	cr_assert_eq(faulty_count(storage, FAULTY_GET), 2, "one merge a view");
}

Test(tree, shows_an_own_write_and_removal_in_the_next_lookup_of_a_merged_file)
{
	store(DAY "/110000Z.pprof", "one", 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *before = snapshot_of("app/merged/last-24h.pprof");
	size_t len = before->bytes->len;
	_cleanup_(pgofs_freep) uint8_t *copy = malloc(len);
	memcpy(copy, before->bytes->data, len);
	store(DAY "/113000Z.pprof", "two", 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *with = snapshot_of("app/merged/last-24h.pprof");
	cr_assert(mentions(with, "main.two"));
	cr_assert_eq(pgofs_tree_remove(tree, DAY "/110000Z.pprof", &err), 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *without = snapshot_of("app/merged/last-24h.pprof");
	cr_assert_not(mentions(without, "main.one"));
	cr_assert_eq(pgofs_tree_remove(tree, DAY "/113000Z.pprof", &err), 0);
	cr_assert_eq(lookup("app/merged/last-24h.pprof"), -ENOENT);
	cr_assert_eq(before->bytes->len, len);
	cr_assert_arr_eq(before->bytes->data, copy, len, "what was open never changes");
}

Test(tree, gives_a_merged_file_the_time_of_its_newest_input)
{
	struct pgofs_node a = { 0 }, b = { 0 };
	store(DAY "/110000Z.pprof", "one", 0);
	usleep(2000);
	store(DAY "/100000Z.pprof", "two", 0);
	cr_assert_eq(pgofs_tree_lookup(tree, DAY "/100000Z.pprof", &a, &err), 0);
	cr_assert_eq(pgofs_tree_lookup(tree, "app/merged/last-24h.pprof", &b, &err), 0);
	cr_assert_eq(a.mtime_ns, b.mtime_ns);
	pgofs_node_done(&b);
}

Test(tree, leaves_broken_inputs_out_and_names_them)
{
	store(DAY "/100000Z.pprof", "one", 0);
	put_elsewhere(DAY "/103000Z-web-3.pprof", "BAD words");
	store(DAY "/110000Z.pprof", "two", 0);
	pgofs_tree_refresh(tree);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *all = snapshot_of("app/merged/last-24h.pprof");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *txt = snapshot_of("app/merged/last-24h.txt");
	cr_assert(mentions(all, "main.one") && mentions(all, "main.two"));
	cr_assert(memmem(txt->bytes->data, txt->bytes->len, "103000Z-web-3.pprof", 19));
}

Test(tree, has_no_profile_where_no_input_is_usable_but_says_why)
{
	put_elsewhere(DAY "/103000Z-web-3.pprof", "BAD words");
	cr_assert_eq(lookup("app/merged/last-24h.pprof"), -ENOENT);
	cr_assert(strstr(err.text, "103000Z-web-3.pprof"), "%s", err.text);
	cr_assert_eq(lookup("app/merged/last-24h.pgo"), -ENOENT);
	unsigned n = faulty_count(storage, FAULTY_GET);
	cr_assert_eq(lookup("app/merged/last-24h.pgo"), -ENOENT);
	cr_assert_eq(faulty_count(storage, FAULTY_GET), n, "and remembers it");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *txt = snapshot_of("app/merged/last-24h.txt");
	cr_assert(memmem(txt->bytes->data, txt->bytes->len, "103000Z-web-3.pprof", 19));
	cr_assert_not(strstr(names_in("app/merged"), "last-24h.pgo"), "what is known to be absent is not listed");
	cr_assert(strstr(names_in("app/merged"), "last-24h.txt"));
}

Test(tree, fails_a_merge_rather_than_making_a_smaller_one_when_storage_fails)
{
	store(DAY "/100000Z.pprof", "one", 0);
	store(DAY "/110000Z.pprof", "two", 0);
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_GET, .key = "110000Z", .error = -EIO, .times = 1 });
	cr_assert_eq(lookup("app/merged/last-24h.pprof"), -EIO);
	cr_assert(strstr(err.text, "app/merged/last-24h.pprof"), "%s", err.text);
	cr_assert(strstr(err.text, "110000Z.pprof"), "%s", err.text);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = snapshot_of("app/merged/last-24h.pprof");
	cr_assert(mentions(s, "main.two"), "and the next try may succeed");
}

Test(tree, selects_again_when_an_input_changed_elsewhere)
{
	store(DAY "/100000Z.pprof", "one", 0);
	store(DAY "/110000Z.pprof", "two", 0);
	names_in(DAY);
	cr_assert_eq(pgofs_backend_remove(storage, DAY "/100000Z.pprof", NULL), 0);
	put_profile_elsewhere(DAY "/110000Z.pprof", "three");
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = snapshot_of("app/merged/last-24h.pprof");
	cr_assert(mentions(s, "main.three") && !mentions(s, "main.one") && !mentions(s, "main.two"));
}

Test(tree, merges_the_rest_when_inputs_keep_vanishing)
{
	store(DAY "/100000Z.pprof", "one", 0);
	store(DAY "/110000Z.pprof", "two", 0);
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_GET, .key = "100000Z", .error = -ENOENT });
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = snapshot_of("app/merged/last-24h.pprof");
	cr_assert(mentions(s, "main.two") && !mentions(s, "main.one"));
	faulty_mend(storage);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *whole = snapshot_of("app/merged/last-24h.pprof");
	cr_assert(mentions(whole, "main.one"), "that was kept for nobody");
	cr_assert_arr_neq(s->fingerprint, whole->fingerprint, sizeof s->fingerprint);
}

Test(tree, makes_no_more_merges_when_it_is_to_end)
{
	store(DAY "/100000Z.pprof", "one", 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *made = snapshot_of("app/merged/last-24h.pprof");
	pgofs_tree_end(tree);
	faulty_reset_counts(storage);
	cr_assert_eq(lookup("app/merged/last-24h.pgo"), -ECANCELED);
	cr_assert(strstr(err.text, "app/merged/last-24h.pgo") && strstr(err.text, "ending"), "%s", err.text);
	cr_assert_eq(faulty_count(storage, FAULTY_GET), 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *kept = snapshot_of("app/merged/last-24h.pprof");
	cr_assert_eq(kept, made);
	cr_assert_eq(store(DAY "/110000Z.pprof", "two", 0), 0, "what is being stored is stored");
	cr_assert_eq(lookup("app/merged/2026-10-01..2026-11-22.pgo"), -ECANCELED, "nor lists what they need");
}

TestSuite(tree_limits, .fini = close_it, .timeout = 120);

Test(tree_limits, gives_up_on_a_merge_that_takes_too_long)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.merge_ns = 1;
	open_with(config);
	store(DAY "/100000Z.pprof", "one", 0);
	names_in(DAY);
	cr_assert_eq(lookup("app/merged/last-24h.pgo"), -ETIMEDOUT);
	cr_assert(strstr(err.text, "app/merged/last-24h.pgo") && strstr(err.text, "merge-timeout"), "%s", err.text);
	cr_assert_eq(faulty_count(storage, FAULTY_GET), 0);
	cr_assert_eq(lookup(DAY "/100000Z.pprof"), 0, "nothing else has that deadline");
}

Test(tree_limits, says_of_what_was_left_out_what_a_person_can_use)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.stored_max_bytes = 1000;
	open_with(config);
	char large[1002] = { 0 };
	memset(large, 'x', sizeof large - 1);
	put_profile_elsewhere(DAY "/100000Z.pprof", "hot");
	put_elsewhere(DAY "/100001Z.pprof", "<html><body>Bad Gateway</body></html>");
	put_elsewhere(DAY "/100002Z.pprof", large);
	cr_assert_eq(store(DAY "/100003Z.pprof", "hot", 0), 0);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = snapshot_of("app/merged/last-24h.txt");
	cr_assert(mentions(s, DAY "/100001Z.pprof: this is an HTML page"));
	cr_assert(mentions(s, DAY "/100002Z.pprof: larger than the 1000 bytes"));
}

Test(tree_limits, makes_a_merge_that_is_too_large_once)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.raw_max_bytes = 1000; /* enough for a profile, and not for a merge */
	open_with(config);
	store(DAY "/100000Z.pprof", "one", 0);
	cr_assert_eq(lookup("app/merged/last-24h.pprof"), -EFBIG);
	struct pgofs_error first = err;
	faulty_reset_counts(storage);
	cr_assert_eq(lookup("app/merged/last-24h.pprof"), -EFBIG);
	cr_assert_str_eq(err.text, first.text);
	cr_assert_eq(faulty_count(storage, FAULTY_GET), 0);
	cr_assert(strstr(names_in("app/merged"), "last-24h.pprof"), "it is there, only too large");
}

Test(tree, reads_a_merged_file_without_a_lookup_before)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = NULL, *c = NULL;
	struct pgofs_bytes *none = NULL;
	store(DAY "/100000Z.pprof", "one", 0);
	cr_assert_eq(pgofs_tree_read(tree, "app/merged/last-24h.pgo", NULL, &b, &err), 0);
	faulty_reset_counts(storage);
	cr_assert_eq(pgofs_tree_read(tree, DAY "/100000Z.pprof", NULL, &c, &err), 0);
	cr_assert_eq(faulty_count(storage, FAULTY_LIST), 0, "one request for a stored profile");
	cr_assert_eq(pgofs_tree_read(tree, "app", NULL, &none, &err), -EISDIR);
	cr_assert_eq(pgofs_tree_read(tree, "nobody", NULL, &none, &err), -ENOENT);
}

/* ---- directories ---- */

static void make_day(void)
{
	cr_assert_eq(pgofs_tree_mkdir(tree, "app", &err), 0);
	cr_assert_eq(pgofs_tree_mkdir(tree, "app/2026", &err), 0);
	cr_assert_eq(pgofs_tree_mkdir(tree, "app/2026/11", &err), 0);
	cr_assert_eq(pgofs_tree_mkdir(tree, DAY, &err), 0);
}

Test(tree, makes_and_removes_directories_as_a_disk_does)
{
	make_day();
	cr_assert_eq(pgofs_tree_mkdir(tree, DAY, &err), -EEXIST);
	cr_assert_str_eq(names_in("app"), "2026 merged ");
	cr_assert_str_eq(names_in(DAY), "");
	cr_assert_str_eq(names_in("app/merged"), "");
	cr_assert_eq(pgofs_tree_rmdir(tree, "app/2026", &err), -ENOTEMPTY);
	cr_assert_eq(store(DAY "/1.pprof", "hot", PGOFS_PUT_NEW), 0);
	cr_assert_eq(pgofs_tree_rmdir(tree, DAY, &err), -ENOTEMPTY);
	cr_assert_eq(pgofs_tree_remove(tree, DAY, &err), -EISDIR);

	cr_assert_eq(pgofs_tree_remove(tree, DAY "/1.pprof", &err), 0);
	cr_assert_str_eq(names_in(DAY), "", "emptied here, it stays");
	cr_assert_eq(pgofs_tree_rmdir(tree, DAY, &err), 0);
	cr_assert_eq(lookup(DAY), -ENOENT);
	cr_assert_str_eq(names_in("app/2026/11"), "");
	cr_assert_eq(pgofs_tree_rmdir(tree, "app/2026/11", &err), 0);
	cr_assert_eq(pgofs_tree_rmdir(tree, "app/2026", &err), 0);
	cr_assert_eq(pgofs_tree_rmdir(tree, "app", &err), 0, "its only entry is merged/");
	cr_assert_eq(lookup("app"), -ENOENT);
	cr_assert_str_eq(names_in(""), "merged ");
}

Test(tree, removes_a_stored_month_step_by_step_as_rm_does)
{
	put_profile_elsewhere(DAY "/1.pprof", "hot");
	put_profile_elsewhere(DAY "/2.pprof", "hot");
	put_profile_elsewhere("app/2026/11/23/1.pprof", "hot");
	put_profile_elsewhere("app/2026/12/01/1.pprof", "hot");
	cr_assert_str_eq(names_in("app/2026/11"), "22 23 ");
	cr_assert_eq(pgofs_tree_remove(tree, DAY "/1.pprof", &err), 0);
	cr_assert_eq(pgofs_tree_remove(tree, DAY "/2.pprof", &err), 0);
	cr_assert_eq(pgofs_tree_rmdir(tree, DAY, &err), 0);
	cr_assert_eq(pgofs_tree_remove(tree, "app/2026/11/23/1.pprof", &err), 0);
	cr_assert_eq(pgofs_tree_rmdir(tree, "app/2026/11/23", &err), 0);
	cr_assert_eq(pgofs_tree_rmdir(tree, "app/2026/11", &err), 0, "%s", err.text);
	cr_assert_str_eq(names_in("app/2026"), "12 ");
}

Test(tree, refuses_directories_outside_the_grammar)
{
	static const struct {
		const char *path;
		int result;
	} rows[] = {
		{ "", -EEXIST },        { "merged", -EEXIST },      { "a b", -EINVAL },
		{ ".x", -EINVAL },      { "app/x", -EINVAL },       { "app/2026", -ENOENT },
		{ "merged/x", -EPERM }, { "app/2026/13", -EINVAL }, { DAY "/x.pprof", -EINVAL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert_eq(pgofs_tree_mkdir(tree, rows[i].path, &err), rows[i].result, "%s", rows[i].path);
	cr_assert_eq(pgofs_tree_rmdir(tree, "merged", &err), -EPERM);
	cr_assert_eq(pgofs_tree_rmdir(tree, "", &err), -EBUSY);
	cr_assert_eq(pgofs_tree_rmdir(tree, "nobody", &err), -ENOENT);
	cr_assert_eq(pgofs_tree_remove(tree, "merged/last-1h.pgo", &err), -EPERM);
	cr_assert_eq(pgofs_tree_remove(tree, DAY "/1.pprof", &err), -ENOENT);
}

Test(tree, keeps_directories_that_others_still_fill)
{
	make_day();
	put_profile_elsewhere(DAY "/1.pprof", "hot");
	clock_ns += 5 * PGOFS_NS_PER_S;
	cr_assert_eq(pgofs_tree_rmdir(tree, DAY, &err), -ENOTEMPTY);
}

/* ---- moving and removing ---- */

Test(tree, renames_a_stored_profile)
{
	store(DAY "/1.pprof", "hot", 0);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/1.pprof", "other/2026/11/23/2.pprof", 0, &err), 0);
	cr_assert_eq(lookup(DAY "/1.pprof"), -ENOENT);
	cr_assert_eq(lookup("other/2026/11/23/2.pprof"), 0);
	cr_assert_str_eq(names_in(DAY), "", "emptied here, it stays");
	store(DAY "/1.pprof", "hot", 0);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/1.pprof", "other/2026/11/23/2.pprof", PGOFS_PUT_NEW, &err), -EEXIST);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/1.pprof", DAY "/1.pprof", 0, &err), 0);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/1.pprof", DAY "/1.tmp", 0, &err), -EINVAL);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/1.pprof", "app/merged/1.pprof", 0, &err), -EPERM);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/9.pprof", DAY "/2.pprof", 0, &err), -ENOENT);
	cr_assert_eq(pgofs_tree_rename(tree, DAY, "app/2026/11/24", 0, &err), -EXDEV);
	cr_assert_eq(pgofs_tree_rename(tree, "merged/last-1h.pgo", DAY "/2.pprof", 0, &err), -EPERM);
}

struct removals {
	char text[4096];
	unsigned n;
};

static void note(void *context, const char *path, uint64_t size_bytes, int outcome)
{
	struct removals *r = context;
	r->n++;
	snprintf(r->text + strlen(r->text), sizeof r->text - strlen(r->text), "%s%s ", path, outcome ? "!" : "");
	cr_assert_gt(size_bytes, 0);
}

Test(tree, believes_nothing_after_removals_that_ended_in_doubt)
{
	const struct pgofs_prune all = { .before_ns = INT64_MAX };
	store(DAY "/1.pprof", "hot", 0);
	store(DAY "/2.pprof", "hot", 0);
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_REMOVE_MANY, .error = -ETIMEDOUT, .after_doing = true });
	cr_assert_eq(pgofs_tree_prune(tree, &all, &err), -ETIMEDOUT);
	cr_assert_eq(lookup(DAY "/1.pprof"), -ENOENT);
	cr_assert_eq(lookup(DAY "/2.pprof"), -ENOENT);
}

Test(tree, prunes_what_was_taken_before_an_instant)
{
	store("app/2025/01/01/100000Z.pprof", "hot", 0);
	store("app/2026/11/21/100000Z.pprof", "hot", 0);
	store(DAY "/095959Z.pprof", "hot", 0);
	store(DAY "/100000Z.pprof", "hot", 0);
	store("other/2026/11/21/100000Z.pprof", "hot", 0);
	struct removals gone = { 0 };
	struct pgofs_prune what = { .app = "app",
				    .before_ns = DAY_NS + 10 * PGOFS_NS_PER_HOUR,
				    .dry_run = true,
				    .each = note,
				    .context = &gone };
	static const char three[] =
	    "app/2025/01/01/100000Z.pprof app/2026/11/21/100000Z.pprof app/2026/11/22/095959Z.pprof ";
	cr_assert_eq(pgofs_tree_prune(tree, &what, &err), 0);
	cr_assert_str_eq(gone.text, three);
	cr_assert_str_eq(names_in("app"), "2025 2026 merged ", "nothing was removed");

	gone = (struct removals){ 0 };
	what.dry_run = false;
	cr_assert_eq(pgofs_tree_prune(tree, &what, &err), 0);
	cr_assert_str_eq(gone.text, three);
	cr_assert_str_eq(names_in("app"), "2026 merged ");
	cr_assert_str_eq(names_in(DAY), "100000Z.pprof ");
	cr_assert_eq(faulty_count(storage, FAULTY_REMOVE), 0, "many a request");

	gone = (struct removals){ 0 };
	what.app = NULL;
	cr_assert_eq(pgofs_tree_prune(tree, &what, &err), 0);
	cr_assert_str_eq(gone.text, "other/2026/11/21/100000Z.pprof ");
	cr_assert_str_eq(names_in(""), "app merged ");
}

Test(tree, reports_what_would_not_go)
{
	store(DAY "/100000Z.pprof", "hot", 0);
	faulty_rule(storage, &(struct faulty_rule){ FAULTY_REMOVE_MANY, .error = -EACCES });
	struct removals gone = { 0 };
	const struct pgofs_prune what = { .before_ns = INT64_MAX, .each = note, .context = &gone };
	cr_assert_eq(pgofs_tree_prune(tree, &what, &err), -EACCES);
	cr_assert_str_eq(gone.text, DAY "/100000Z.pprof! ");
	cr_assert_eq(lookup(DAY "/100000Z.pprof"), 0);
}

Test(tree, removes_a_directory_with_all_under_it)
{
	for (int i = 0; i < 2500; i++) {
		char path[64];
		snprintf(path, sizeof path, "app/2026/11/%02d/%06d.pprof", 1 + i % 3, i);
		put_elsewhere(path, "x");
	}
	store("app/2026/12/01/1.pprof", "hot", 0);
	struct removals *gone = calloc(1, sizeof *gone);
	faulty_reset_counts(storage);
	cr_assert_eq(pgofs_tree_remove_under(tree, "app/2026/11", NULL, NULL, &err), 0, "%s", err.text);
	cr_assert_leq(faulty_count(storage, FAULTY_REMOVE_MANY), 3);
	cr_assert_str_eq(names_in("app/2026"), "12 ");
	cr_assert_eq(pgofs_tree_remove_under(tree, "app", note, gone, &err), 0);
	cr_assert_str_eq(gone->text, "app/2026/12/01/1.pprof ");
	free(gone);
	cr_assert_str_eq(names_in(""), "merged ");
	cr_assert_eq(pgofs_tree_remove_under(tree, "app", NULL, NULL, &err), -ENOENT);
	cr_assert_eq(pgofs_tree_remove_under(tree, "", NULL, NULL, &err), -EPERM);
	cr_assert_eq(pgofs_tree_remove_under(tree, "merged", NULL, NULL, &err), -EPERM);
}

TestSuite(tree_read_only, .fini = close_it, .timeout = 120);

Test(tree_read_only, refuses_every_change)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.read_only = true;
	open_with(config);
	put_profile_elsewhere(DAY "/1.pprof", "hot");
	const struct pgofs_prune what = { .before_ns = INT64_MAX };
	cr_assert_eq(pgofs_tree_may_store(tree, DAY "/2.pprof", &err), -EROFS);
	cr_assert_eq(store(DAY "/2.pprof", "hot", 0), -EROFS);
	cr_assert_eq(pgofs_tree_remove(tree, DAY "/1.pprof", &err), -EROFS);
	cr_assert_eq(pgofs_tree_mkdir(tree, "other", &err), -EROFS);
	cr_assert_eq(pgofs_tree_rmdir(tree, "app", &err), -EROFS);
	cr_assert_eq(pgofs_tree_rename(tree, DAY "/1.pprof", DAY "/2.pprof", 0, &err), -EROFS);
	cr_assert_eq(pgofs_tree_prune(tree, &what, &err), -EROFS);
	cr_assert_eq(pgofs_tree_remove_under(tree, "app", NULL, NULL, &err), -EROFS);
	cr_assert_eq(lookup(DAY "/1.pprof"), 0);
	cr_assert_eq(lookup("app/merged/2026-11.pgo"), 0);
}

Test(tree, tells_numbers)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(65536);
	store(DAY "/100000Z.pprof", "one", 0);
	lookup("app/merged/last-24h.pgo");
	lookup("app/merged/last-24h.pgo");
	cr_assert_eq(pgofs_tree_stats(tree, &b), 0);
	cr_assert_eq(pgofs_buf_append(&b, "", 1), 0);
	cr_assert(strstr((char *)b.data, "profiles_stored_total 1\n"), "%s", (char *)b.data);
	cr_assert(strstr((char *)b.data, "merges_made_total 1\n"), "%s", (char *)b.data);
	cr_assert(strstr((char *)b.data, "merges_kept_hits_total 1\n"), "%s", (char *)b.data);
}
