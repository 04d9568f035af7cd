#include "inode.h"
#include "spool.h"

#include <pgofs/name.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct pgofs_snapshot *snapshot_of(size_t len)
{
	struct pgofs_snapshot *s = calloc(1, sizeof *s);
	atomic_init(&s->refs, 1);
	s->bytes = pgofs_bytes_dup("", 0);
	s->bytes->len = len;
	return s;
}

static struct pgofs_node profile_node(const char *version)
{
	struct pgofs_node node = { .kind = PGOFS_NODE_PROFILE, .size_bytes = 7 };
	strcpy(node.version, version);
	return node;
}

static uint64_t look(struct pgofs_inodes *t, const char *path, const struct pgofs_node *node)
{
	struct pgofs_inode *i = pgofs_inodes_look(t, path, node);
	uint64_t nodeid = i->nodeid;
	pgofs_inodes_put(t, i);
	return nodeid;
}

static uint64_t st_ino(struct pgofs_inodes *t, uint64_t nodeid)
{
	struct pgofs_inode *i = pgofs_inodes_get(t, nodeid);
	uint64_t ino = pgofs_inodes_st_ino_of(t, i);
	pgofs_inodes_put(t, i);
	return ino;
}

static struct pgofs_inodes_stats stats_of(struct pgofs_inodes *t)
{
	struct pgofs_inodes_stats s;
	pgofs_inodes_stats(t, &s);
	return s;
}

Test(inode, another_content_is_another_inode_under_one_st_ino)
{
	_cleanup_(pgofs_inodes_freep) struct pgofs_inodes *t = pgofs_inodes_new(1000, 1000);
	struct pgofs_node one = profile_node("1"), two = profile_node("2");
	uint64_t a = look(t, "a/x.pprof", &one), b = look(t, "a/x.pprof", &two);
	cr_assert_neq(a, b);
	cr_assert_eq(st_ino(t, a), st_ino(t, b));
	cr_assert_eq(look(t, "a/x.pprof", &two), b);
	cr_assert_neq(look(t, "a/y.pprof", &two), b);
	cr_assert_neq(look(t, "a/x.pprof", &one), a, "a content that was replaced and came back");
}

Test(inode, counts_every_lookup_and_frees_at_the_last_forget)
{
	_cleanup_(pgofs_inodes_freep) struct pgofs_inodes *t = pgofs_inodes_new(1000, 1000);
	struct pgofs_node node = profile_node("1");
	uint64_t a = 0;
	char path[32];
	for (int k = 0; k < 5; k++)
		a = look(t, "a", &node);
	for (int k = 0; k < 1000; k++) {
		snprintf(path, sizeof path, "b/%d", k);
		look(t, path, &node);
	}
	cr_assert_eq(stats_of(t).n_inodes, 1002);
	cr_assert_eq(stats_of(t).n_lookups, 1005);
	pgofs_inodes_forget(t, a, 4);
	cr_assert_eq(stats_of(t).n_inodes, 1002);

	struct pgofs_inode *held = pgofs_inodes_get(t, a);
	pgofs_inodes_forget(t, a, 1);
	cr_assert_eq(stats_of(t).n_inodes, 1002, "a request holds it");
	pgofs_inodes_put(t, held);
	cr_assert_eq(stats_of(t).n_inodes, 1001);
	cr_assert_null(pgofs_inodes_get(t, a));
	pgofs_inodes_forget(t, a, 1);
	pgofs_inodes_forget(t, PGOFS_INODE_ROOT, 100);
	cr_assert_not_null(held = pgofs_inodes_get(t, PGOFS_INODE_ROOT));
	pgofs_inodes_put(t, held);
}

Test(inode, drops_the_oldest_snapshots_for_room_and_keeps_the_newest)
{
	_cleanup_(pgofs_inodes_freep) struct pgofs_inodes *t = pgofs_inodes_new(1000, 1000);
	uint64_t ids[100];
	char path[32];
	for (int k = 0; k < 100; k++) {
		_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = snapshot_of(100);
		struct pgofs_node node = { .kind = PGOFS_NODE_MERGED, .size_bytes = 100, .snapshot = s };
		snprintf(path, sizeof path, "merged/%d", k);
		ids[k] = look(t, path, &node);
	}
	cr_assert_eq(stats_of(t).n_snapshots, 32, "a few are kept whatever their size");
	for (int k = 0; k < 100; k++) {
		struct pgofs_inode *i = pgofs_inodes_get(t, ids[k]);
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *b = NULL;
		cr_assert_eq(pgofs_inodes_pin(t, i, NULL, &b, NULL), k >= 68 ? 0 : -ESTALE, "%d", k);
		if (b)
			pgofs_inodes_unpin(t, i);
		pgofs_inodes_put(t, i);
	}
}

Test(inode, merged_files_held_open_are_bounded)
{
	_cleanup_(pgofs_inodes_freep) struct pgofs_inodes *t = pgofs_inodes_new(1000, 250);
	struct pgofs_inode *i[3];
	struct pgofs_bytes *b[4] = { NULL };
	char path[32];
	for (int k = 0; k < 3; k++) {
		_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = snapshot_of(100);
		struct pgofs_node node = { .kind = PGOFS_NODE_MERGED, .size_bytes = 100, .snapshot = s };
		snprintf(path, sizeof path, "merged/%d", k);
		i[k] = pgofs_inodes_look(t, path, &node);
		cr_assert_eq(pgofs_inodes_pin(t, i[k], NULL, &b[k], NULL), k < 2 ? 0 : -ENFILE);
	}
	cr_assert_eq(pgofs_inodes_pin(t, i[0], NULL, &b[3], NULL), 0, "what is open already costs no more");
	cr_assert_eq(stats_of(t).pinned_bytes, 200);
	pgofs_inodes_unpin(t, i[0]);
	cr_assert_eq(stats_of(t).pinned_bytes, 200);
	pgofs_inodes_unpin(t, i[0]);
	cr_assert_eq(pgofs_inodes_pin(t, i[2], NULL, &b[2], NULL), 0);
	pgofs_inodes_unpin(t, i[1]);
	pgofs_inodes_unpin(t, i[2]);
	cr_assert_eq(stats_of(t).pinned_bytes, 0);
	for (int k = 0; k < 3; k++)
		pgofs_inodes_put(t, i[k]);
	for (int k = 0; k < 4; k++)
		pgofs_bytes_unref(b[k]);
}

Test(inode, a_name_moved_or_removed_leads_elsewhere)
{
	_cleanup_(pgofs_inodes_freep) struct pgofs_inodes *t = pgofs_inodes_new(1000, 1000);
	char path[PGOFS_PATH_SIZE];
	struct pgofs_node node = profile_node("1");
	uint64_t a = look(t, "a", &node), b = look(t, "b", &node);
	pgofs_inodes_rename(t, "a", "b");
	cr_assert_eq(look(t, "b", &node), a);
	cr_assert_neq(look(t, "a", &node), a);
	struct pgofs_inode *i = pgofs_inodes_get(t, a);
	cr_assert_str_eq(pgofs_inodes_path(t, i, path), "b");
	pgofs_inodes_put(t, i);
	pgofs_inodes_unname(t, "b");
	cr_assert_neq(look(t, "b", &node), a);
	cr_assert_neq(look(t, "b", &node), b);
}
