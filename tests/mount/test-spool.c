#include "spool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define DAY "app/2026/11/22/"

static struct pgofs_spool *new_spool(void)
{
	struct pgofs_spool_config config = { .file_bytes_max = 100000, .total_bytes_max = 200000, .n_files_max = 10 };
	return pgofs_spool_new(&config);
}

static struct pgofs_tree *new_tree(void)
{
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	struct pgofs_backend *backend = NULL;
	struct pgofs_tree *tree = NULL;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &backend, NULL), 0);
	cr_assert_eq(pgofs_tree_new(backend, &config, &tree, NULL), 0);
	return tree;
}

static struct pgofs_spooled *create(struct pgofs_spool *s, const char *path, bool stores)
{
	struct pgofs_spooled *f = NULL;
	cr_assert_eq(pgofs_spool_create(s, path, stores, &f, NULL), 0);
	return f;
}

static uint64_t size_of(struct pgofs_spooled *f)
{
	uint64_t size;
	int64_t mtime;
	pgofs_spooled_stat(f, &size, &mtime);
	return size;
}

static int count_entry(void *context, const char *name)
{
	++*(int *)context;
	return 0;
}

static int listed(struct pgofs_spool *s, const char *dir)
{
	int n = 0;
	pgofs_spool_list(s, dir, count_entry, &n);
	return n;
}

Test(spool, pieces_may_come_in_any_order)
{
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = create(s, DAY "x.tmp", false);
	char back[16];
	cr_assert_eq(pgofs_spooled_write(f, "def", 3, 10000, NULL), 0);
	cr_assert_eq(pgofs_spooled_write(f, "abc", 3, 0, NULL), 0);
	cr_assert_eq(size_of(f), 10003);
	cr_assert_eq(pgofs_spooled_read(f, back, 4, 0), 4);
	cr_assert_arr_eq(back, "abc", 4);
	cr_assert_eq(pgofs_spooled_read(f, back, 16, 9999), 4);
	cr_assert_arr_eq(back, "\0def", 4);
	cr_assert_eq(pgofs_spooled_truncate(f, 1, NULL), 0);
	cr_assert_eq(pgofs_spooled_truncate(f, 3, NULL), 0);
	cr_assert_eq(pgofs_spooled_read(f, back, 16, 0), 3);
	cr_assert_arr_eq(back, "a\0\0", 3, "what was cut off does not come back");
	pgofs_spooled_close(f);
}

Test(spool, bounds_hold)
{
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	struct pgofs_spooled *f[10], *more;
	char path[64];
	uint64_t bytes, n;
	for (int k = 0; k < 10; k++) {
		snprintf(path, sizeof path, DAY "%d.tmp", k);
		f[k] = create(s, path, false);
	}
	cr_assert_eq(pgofs_spool_create(s, DAY "more.tmp", false, &more, NULL), -ENOSPC);
	cr_assert_eq(pgofs_spooled_truncate(f[0], 100001, NULL), -EFBIG);
	cr_assert_eq(pgofs_spooled_write(f[0], "x", 1, UINT64_MAX, NULL), -EFBIG);
	cr_assert_eq(pgofs_spooled_write(f[0], "x", 1, 100000, NULL), -EFBIG);
	cr_assert_eq(pgofs_spooled_truncate(f[0], 100000, NULL), 0);
	cr_assert_eq(pgofs_spooled_truncate(f[1], 100000, NULL), 0);
	cr_assert_eq(pgofs_spooled_truncate(f[2], 1, NULL), -ENOSPC);
	pgofs_spool_stats(s, &bytes, &n);
	cr_assert_eq(bytes, 200000);
	for (int k = 0; k < 10; k++) {
		pgofs_spooled_unlink(f[k]);
		pgofs_spooled_close(f[k]);
		pgofs_spooled_unref(f[k]);
	}
	pgofs_spool_stats(s, &bytes, &n);
	cr_assert_eq(bytes, 0);
	cr_assert_eq(n, 0);
}

Test(spool, what_storage_refused_is_kept_until_the_last_close_then_dropped)
{
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *tree = new_tree();
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = create(s, DAY "1.pprof", true);
	struct pgofs_error err = { "" };
	pgofs_spooled_open(f);
	cr_assert_eq(pgofs_spooled_store(f, tree, &err), 0, "nothing to store is no failure");
	cr_assert_eq(pgofs_spooled_write(f, "no profile", 10, 0, NULL), 0);
	cr_assert_eq(pgofs_spooled_store(f, tree, &err), -EINVAL);
	cr_assert_neq(err.text[0], 0);
	cr_assert_not(pgofs_spooled_is_dirty(f), "it was refused already");
	cr_assert_eq(pgofs_spooled_store(f, tree, &err), -EINVAL);
	cr_assert(pgofs_spooled_close(f));
	cr_assert(pgofs_spooled_close(f), "lost, and told");
	cr_assert_null(pgofs_spool_find(s, DAY "1.pprof"));
}

Test(spool, a_replacement_is_found_by_the_thread_that_asked_for_it)
{
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	cr_assert_eq(pgofs_spool_reserve(s, DAY "1.pprof", 42, NULL), 0);
	cr_assert_null(pgofs_spool_find(s, DAY "1.pprof"));
	cr_assert_null(pgofs_spool_find_reserved(s, DAY "1.pprof", 43));
	struct pgofs_spooled *f = pgofs_spool_find_reserved(s, DAY "1.pprof", 42);
	cr_assert_not_null(f);
	cr_assert(pgofs_spool_is_replacing(s, DAY "1.pprof"),
		  "what others look up before it is opened is outdated soon");
	cr_assert_eq(pgofs_spooled_open_empty(f), 0);
	cr_assert(pgofs_spool_is_replacing(s, DAY "1.pprof"));
	cr_assert_null(pgofs_spool_find_reserved(s, DAY "1.pprof", 42), "once");
	cr_assert_eq(pgofs_spooled_open_empty(f), -EBUSY);
	cr_assert_not(pgofs_spooled_close(f), "opened to be emptied, and given nothing");
	cr_assert_not(pgofs_spool_is_replacing(s, DAY "1.pprof"));
	pgofs_spooled_unref(f);
}

Test(spool, a_profile_is_listed_once_it_is_closed_other_names_at_once)
{
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = create(s, DAY "1.pprof", true);
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *g = create(s, DAY "1.tmp", false);
	cr_assert_eq(listed(s, "app/2026/11/22"), 1);
	pgofs_spooled_close(f);
	cr_assert_eq(listed(s, "app/2026/11/22"), 2);
	cr_assert_eq(listed(s, "app/2026/11"), 0);
	cr_assert_eq(listed(s, "app/2026/11/2"), 0);
	pgofs_spooled_unlink(f);
	pgofs_spooled_unlink(g);
	pgofs_spooled_close(g);
	cr_assert_eq(listed(s, "app/2026/11/22"), 0);
}

Test(spool, a_writer_that_closed_is_not_waited_for)
{
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *tree = new_tree();
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = create(s, DAY "1.pprof", true);
	cr_assert_eq(listed(s, "app/2026/11/22"), 0);
	pgofs_spooled_settle(f);
	cr_assert_eq(listed(s, "app/2026/11/22"), 1);

	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *g = create(s, DAY "1.tmp", false);
	struct pgofs_spool_move move = { .to = DAY "2.pprof", .stores = true };
	struct pgofs_error err = { "" };
	cr_assert_eq(pgofs_spooled_write(g, "no profile", 10, 0, NULL), 0);
	pgofs_spooled_settle(g);
	cr_assert_eq(pgofs_spooled_rename(g, &move, tree, &err), -EINVAL,
		     "stored by the rename, which hears what came of it");
	cr_assert_eq(pgofs_spooled_write(g, "more", 4, 0, NULL), 0);
	cr_assert_eq(pgofs_spooled_rename(g, &move, tree, &err), 0, "somebody goes on writing: stored when he closes");
	cr_assert_not(pgofs_spooled_close(g));
	pgofs_spooled_unlink(f);
	pgofs_spooled_close(f);
}

Test(spool, a_name_goes_to_who_takes_it_last)
{
	_cleanup_(pgofs_spool_freep) struct pgofs_spool *s = new_spool();
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = create(s, DAY "1.tmp", false);
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *g = create(s, DAY "2.tmp", false);
	struct pgofs_spooled *none = NULL;
	cr_assert_eq(pgofs_spool_create(s, DAY "2.tmp", false, &none, NULL), -EEXIST);
	struct pgofs_spool_move move = { .to = DAY "2.tmp" };
	cr_assert_eq(pgofs_spooled_rename(f, &move, NULL, NULL), 0);
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *found = pgofs_spool_find(s, DAY "2.tmp");
	cr_assert_eq(found, f);
	cr_assert_eq(pgofs_spooled_rename(g, &move, NULL, NULL), 1, "it has no name any more");
	cr_assert_not(pgofs_spooled_unlink(g));
	pgofs_spooled_close(f);
	pgofs_spooled_close(g);
}
