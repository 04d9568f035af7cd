/* The kernel's requests: writing.
 *
 * What must stay true:
 * - Bytes reach storage when close() or fsync() is called by the program that opened the file, so that it gets the answer. A descriptor
 *   that a child inherited is closed when the child exits, maybe in the middle ("{ a; b; } > x.pprof"): that stores nothing.
 * - What is left unstored at the last close is tried once more; nobody waits for that answer, so the log gets it.
 * - A stored profile is replaced as a whole or not at all. Opening one without O_TRUNC is fine (touch does), writing to it is not. */
#include "fuse-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* The process a thread belongs to; 0 where that cannot be told: another pid namespace, or gone. */
static pid_t process_of(pid_t thread)
{
	char name[64], text[1024];
	snprintf(name, sizeof name, "/proc/%d/status", (int)thread);
	_cleanup_(pgofs_closep) int fd = thread > 0 ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (len <= 0)
		return 0;
	text[len] = 0;
	const char *at = strstr(text, "\nTgid:");
	return at ? (pid_t)strtol(at + 6, NULL, 10) : 0;
}

/* The kernel will look the name up again, and find a new file there. */
static int open_replacement(struct pgofs_call *c)
{
	int r = pgofs_tree_may_store(c->fuse->tree, c->path, &c->err);
	if (r == 0)
		r = pgofs_spool_reserve(c->fuse->spool, c->path, fuse_req_ctx(c->req)->pid, &c->err);
	return r < 0 ? r : -ESTALE;
}

static int open_spooled(struct pgofs_call *c, struct pgofs_handle *h, int flags)
{
	struct pgofs_spooled *f = h->inode->spooled;
	h->spooled = f;
	if (!(flags & O_TRUNC))
		return pgofs_spooled_open(f);
	int r = pgofs_spooled_open_empty(f);
	return r == -EBUSY ? open_replacement(c) : r;
}

int pgofs_open_for_writing(struct pgofs_call *c, struct pgofs_handle *h, int flags)
{
	h->writes = true;
	h->owner = process_of(fuse_req_ctx(c->req)->pid);
	if (h->inode->spooled)
		return open_spooled(c, h, flags);
	if (h->inode->kind != PGOFS_NODE_PROFILE)
		return -EPERM;
	if (flags & O_TRUNC)
		return open_replacement(c);
	return pgofs_inodes_pin(c->fuse->inodes, h->inode, c->fuse->tree, &h->bytes, &c->err);
}

/* May a file that is no profile be at c->path? Where a profile could be, it may. */
static int may_spool(struct pgofs_call *c)
{
	char beside[PGOFS_PATH_SIZE + 16];
	size_t dir = (size_t)(pgofs_name_of(c->path) - c->path);
	snprintf(beside, sizeof beside, "%.*s000000.pprof", (int)dir, c->path);
	return pgofs_tree_may_store(c->fuse->tree, beside, &c->err);
}

static int create(struct pgofs_call *c, int flags, struct pgofs_inode **ret)
{
	bool stores = pgofs_is_profile_name(pgofs_name_of(c->path));
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *f = NULL;
	int r = stores ? pgofs_tree_may_store(c->fuse->tree, c->path, &c->err) : may_spool(c);
	if (r < 0)
		return r;
	r = pgofs_spool_create(c->fuse->spool, c->path, stores, &f, &c->err);
	if (r == -EEXIST && !(flags & O_EXCL))
		return -ESTALE; /* it came to be since the kernel looked */
	if (r < 0)
		return r;
	*ret = pgofs_inodes_look_spooled(c->fuse->inodes, c->path, f);
	if (*ret)
		return 0;
	pgofs_spooled_unlink(f);
	pgofs_spooled_close(f);
	return -ENOMEM;
}

void pgofs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct pgofs_inode *i = NULL;
	struct fuse_entry_param e;
	pgofs_call_init(&c, req, PGOFS_OP_CREATE);
	int r = pgofs_call_change(&c, parent, name);
	if (r == 0)
		r = create(&c, fi->flags, &i);
	if (r < 0) {
		pgofs_call_fail(&c, r);
		return;
	}
	struct pgofs_inodes *inodes = c.fuse->inodes;
	struct pgofs_handle *h = pgofs_handle_new(c.fuse, i);
	if (!h) {
		pgofs_spooled_close(i->spooled);
		pgofs_inodes_forget(inodes, i->nodeid, 1);
		pgofs_inodes_put(inodes, i);
		pgofs_call_fail(&c, -ENOMEM);
		return;
	}
	h->spooled = i->spooled;
	h->writes = true;
	h->owner = process_of(fuse_req_ctx(req)->pid);
	fi->fh = (uintptr_t)h;
	fi->keep_cache = 1;
	pgofs_fuse_entry(c.fuse, i, &e);
	if (fuse_reply_create(req, &e, fi) < 0) {
		pgofs_spooled_close(i->spooled);
		pgofs_inodes_forget(inodes, i->nodeid, 1);
		pgofs_handle_free(c.fuse, h);
	}
}

static int refuse_in_place(struct pgofs_call *c)
{
	return pgofs_error_set(&c->err, -EPERM,
			       "a stored profile cannot be changed in place, only replaced as a whole");
}

void pgofs_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct pgofs_handle *h = pgofs_handle_of(fi);
	pgofs_call_init(&c, req, PGOFS_OP_WRITE);
	pgofs_inodes_path(c.fuse->inodes, h->inode, c.path);
	int r = h->spooled ? pgofs_spooled_write(h->spooled, data, size, (uint64_t)off, &c.err) : refuse_in_place(&c);
	if (r < 0) {
		pgofs_call_fail(&c, r);
		return;
	}
	atomic_store(&h->wrote, true);
	fuse_reply_write(req, size);
}

static int resize(struct pgofs_call *c, struct pgofs_inode *i, uint64_t size, struct pgofs_handle *h)
{
	if (h && h->spooled) {
		atomic_store(&h->wrote, true);
		return pgofs_spooled_truncate(h->spooled, size, &c->err);
	}
	/* By name, a profile that is nowhere open would grow and never be closed. */
	if (i->spooled && (!size || !pgofs_is_profile_name(pgofs_name_of(c->path))))
		return pgofs_spooled_truncate(i->spooled, size, &c->err);
	if (i->kind == PGOFS_NODE_PROFILE && !i->spooled && size == i->size_bytes)
		return 0;
	return refuse_in_place(c);
}

void pgofs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct stat st;
	int r = 0;
	pgofs_call_init(&c, req, PGOFS_OP_SETATTR);
	struct pgofs_inode *i = pgofs_inode_of(req, ino);
	if (!i) {
		pgofs_call_fail(&c, -ESTALE);
		return;
	}
	pgofs_inodes_path(c.fuse->inodes, i, c.path);
	if (to_set & FUSE_SET_ATTR_SIZE)
		r = resize(&c, i, (uint64_t)attr->st_size, fi ? pgofs_handle_of(fi) : NULL);
	pgofs_fuse_stat(c.fuse, i, &st);
	if (r < 0)
		pgofs_call_fail(&c, r);
	else /* mode, owner and times: accepted, so that cp -p works, and not kept */
		fuse_reply_attr(req, &st, i->spooled ? 0 : FOREVER_S);
	pgofs_inodes_put(c.fuse->inodes, i);
}

static int store(struct pgofs_call *c, struct pgofs_handle *h)
{
	bool dirty = pgofs_spooled_is_dirty(h->spooled);
	pgofs_inodes_path(c->fuse->inodes, h->inode, c->path);
	int r = pgofs_spooled_store(h->spooled, c->fuse->tree, &c->err);
	if (r == 0 && dirty) {
		pgofs_fuse_changed(c->fuse);
		pgofs_log(PGOFS_LOG_DEBUG, "profile stored", "path", c->path);
	}
	return r;
}

static bool is_inherited(const struct pgofs_handle *h, fuse_req_t req)
{
	pid_t process = process_of(fuse_req_ctx(req)->pid);
	return process && h->owner && process != h->owner;
}

void pgofs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct pgofs_handle *h = pgofs_handle_of(fi);
	pgofs_call_init(&c, req, PGOFS_OP_FLUSH);
	int r = 0;
	bool closes = h->spooled && h->writes && !is_inherited(h, req);
	if (closes)
		pgofs_spooled_settle(h->spooled);
	if (closes && atomic_load(&h->wrote))
		r = store(&c, h);
	if (r < 0)
		pgofs_call_fail(&c, r);
	else
		fuse_reply_err(req, 0);
}

void pgofs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct pgofs_handle *h = pgofs_handle_of(fi);
	pgofs_call_init(&c, req, PGOFS_OP_FSYNC);
	int r = h->spooled && atomic_load(&h->wrote) ? store(&c, h) : 0;
	if (r < 0)
		pgofs_call_fail(&c, r);
	else
		fuse_reply_err(req, 0);
}

void pgofs_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

static void close_spooled(struct pgofs_call *c, struct pgofs_handle *h)
{
	int r = pgofs_spooled_is_dirty(h->spooled) && atomic_load(&h->wrote) ? store(c, h) : 0;
	if (r < 0)
		pgofs_log(PGOFS_LOG_ERROR, pgofs_op_failed(c->op), "path", c->path, "why", c->err.text);
	if (pgofs_spooled_close(h->spooled))
		return;
	pgofs_inodes_path(c->fuse->inodes, h->inode, c->path);
	pgofs_log(PGOFS_LOG_WARNING, "what was written is dropped", "path", c->path);
}

void pgofs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct pgofs_handle *h = pgofs_handle_of(fi);
	pgofs_call_init(&c, req, PGOFS_OP_RELEASE);
	if (h->spooled)
		close_spooled(&c, h);
	pgofs_handle_free(c.fuse, h);
	fuse_reply_err(req, 0);
}
