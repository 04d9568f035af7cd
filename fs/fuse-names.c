/* The kernel's requests: making, removing and moving names.
 *
 * A name means the visible spooled file, where there is one, else what is stored. Between the two it changes when somebody's close() has
 * stored the file: who found it in the spool, and then does not find it there, looks for it in storage. */
#include "fuse-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void reply(struct pgofs_call *c, int r)
{
	if (r < 0) {
		pgofs_call_fail(c, r);
		return;
	}
	pgofs_fuse_changed(c->fuse);
	fuse_reply_err(c->req, 0);
}

static int unlink_path(struct pgofs_call *c)
{
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = pgofs_spool_find(c->fuse->spool, c->path);
	return f && pgofs_spooled_unlink(f) ? 0 : pgofs_tree_remove(c->fuse->tree, c->path, &c->err);
}

void pgofs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_UNLINK);
	int r = pgofs_call_change(&c, parent, name);
	if (r == 0)
		r = unlink_path(&c);
	if (r == 0)
		pgofs_inodes_unname(c.fuse->inodes, c.path);
	reply(&c, r);
}

void pgofs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct pgofs_call c;
	struct pgofs_inode *i = NULL;
	struct fuse_entry_param e;
	_cleanup_(pgofs_node_done) struct pgofs_node node = { 0 };
	pgofs_call_init(&c, req, PGOFS_OP_MKDIR);
	int r = pgofs_call_change(&c, parent, name);
	if (r == 0)
		r = pgofs_tree_mkdir(c.fuse->tree, c.path, &c.err);
	if (r == 0)
		r = pgofs_tree_lookup(c.fuse->tree, c.path, &node, &c.err);
	if (r == 0)
		i = pgofs_inodes_look(c.fuse->inodes, c.path, &node);
	if (r == 0 && !i)
		r = -ENOMEM;
	if (r < 0) {
		pgofs_call_fail(&c, r);
		return;
	}
	struct pgofs_inodes *inodes = c.fuse->inodes;
	pgofs_fuse_changed(c.fuse);
	pgofs_fuse_entry(c.fuse, i, &e);
	if (fuse_reply_entry(req, &e) < 0)
		pgofs_inodes_forget(inodes, i->nodeid, 1);
	pgofs_inodes_put(inodes, i);
}

static int any_entry(void *context, const char *name)
{
	return -ENOTEMPTY;
}

void pgofs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_RMDIR);
	int r = pgofs_call_change(&c, parent, name);
	if (r == 0)
		r = pgofs_spool_list(c.fuse->spool, c.path, any_entry, NULL);
	if (r == 0)
		r = pgofs_tree_rmdir(c.fuse->tree, c.path, &c.err);
	if (r == 0)
		pgofs_inodes_unname(c.fuse->inodes, c.path);
	reply(&c, r);
}

/* Of a path that a profile can have: 1 one is stored there, 0 none is, else a failure. */
static int is_stored(struct pgofs_call *c, const char *path)
{
	_cleanup_(pgofs_node_done) struct pgofs_node node = { 0 };
	int r = pgofs_tree_lookup(c->fuse->tree, path, &node, &c->err);
	if (r == -ENOENT) {
		c->err.text[0] = 0;
		return 0;
	}
	return r < 0 ? r : 1;
}

/* 1: it is in the spool no longer. */
static int rename_spooled(struct pgofs_call *c, struct pgofs_spooled *f, const char *to, bool keep)
{
	struct pgofs_spool_move move = {
		.to = to,
		.stores = pgofs_is_profile_name(pgofs_name_of(to)),
		.flags = keep ? PGOFS_PUT_NEW : 0,
	};
	char beside[PGOFS_PATH_SIZE + 16];
	snprintf(beside, sizeof beside, "%.*s000000.pprof", (int)(pgofs_name_of(to) - to), to);
	int r = pgofs_tree_may_store(c->fuse->tree, move.stores ? to : beside, &c->err);
	if (r == 0 && move.stores)
		r = is_stored(c, to);
	if (r < 0)
		return r;
	if (r && keep)
		return -EEXIST;
	move.exists = r;
	return pgofs_spooled_rename(f, &move, c->fuse->tree, &c->err);
}

static int rename_stored(struct pgofs_call *c, const char *to, bool keep)
{
	int r = pgofs_tree_rename(c->fuse->tree, c->path, to, keep ? PGOFS_PUT_NEW : 0, &c->err);
	if (r < 0)
		return r;
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *over = pgofs_spool_find(c->fuse->spool, to);
	if (over)
		pgofs_spooled_unlink(over);
	return 0;
}

static int rename_path(struct pgofs_call *c, const char *to, unsigned flags)
{
	bool keep = flags & RENAME_NOREPLACE;
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *over = pgofs_spool_find(c->fuse->spool, to);
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = pgofs_spool_find(c->fuse->spool, c->path);
	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	if (over && keep)
		return -EEXIST;
	int r = f ? rename_spooled(c, f, to, keep) : 1;
	if (r > 0)
		r = rename_stored(c, to, keep);
	if (r == 0)
		pgofs_inodes_rename(c->fuse->inodes, c->path, to);
	return r;
}

void pgofs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to_name,
		     unsigned flags)
{
	struct pgofs_call c, to;
	pgofs_call_init(&c, req, PGOFS_OP_RENAME);
	to = c;
	int r = pgofs_call_change(&to, to_parent, to_name);
	if (r == 0)
		r = pgofs_call_change(&c, parent, name);
	if (r == 0)
		r = rename_path(&c, to.path, flags);
	reply(&c, r);
}

void pgofs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	fuse_reply_err(req, EPERM);
}

void pgofs_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

void pgofs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}
