/* The kernel's requests: names, attributes, and reading.
 *
 * What must stay true (docs/ARCHITECTURE.md tells why):
 * - A nodeid is one content. Attributes therefore never expire, names do; a merged file's at once.
 * - A handle holds all it will ever read, so no read goes to storage, and nothing that happens to the name reaches it.
 * - Each successful lookup, create and mkdir, and each listed inode, counts once in the kernel's count, and only if the
 *   kernel got the answer.
 * - No handler calls back into the kernel's caches: that deadlocks. */
#include "fuse-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

void pgofs_call_init(struct pgofs_call *c, fuse_req_t req, enum pgofs_op op)
{
	c->fuse = fuse_req_userdata(req);
	c->req = req;
	c->op = op;
	c->path[0] = 0;
	c->err.text[0] = 0;
	pgofs_fuse_count(c->fuse, op);
}

int pgofs_call_path(struct pgofs_call *c, fuse_ino_t ino)
{
	struct pgofs_inode *i = pgofs_inodes_get(c->fuse->inodes, ino);
	if (!i)
		return -ESTALE;
	pgofs_inodes_path(c->fuse->inodes, i, c->path);
	pgofs_inodes_put(c->fuse->inodes, i);
	return 0;
}

int pgofs_append_name(char path[static PGOFS_PATH_SIZE], const char *name)
{
	size_t dir = strlen(path), len = strlen(name);
	if (len > PGOFS_NAME_MAX || dir + len + 2 > PGOFS_PATH_SIZE)
		return -ENAMETOOLONG;
	if (dir)
		path[dir++] = '/';
	memcpy(path + dir, name, len + 1);
	return 0;
}

int pgofs_call_child(struct pgofs_call *c, fuse_ino_t parent, const char *name)
{
	int r = pgofs_call_path(c, parent);
	return r < 0 ? r : pgofs_append_name(c->path, name);
}

int pgofs_call_change(struct pgofs_call *c, fuse_ino_t parent, const char *name)
{
	int r = pgofs_call_child(c, parent, name);
	return r == 0 && pgofs_fuse_is_own(c->fuse, c->path) ? -EPERM : r;
}

/* What a program asks for and cannot have is its own business, unless only the log can say why. */
static enum pgofs_log_level level_of(int code, bool has_words)
{
	switch (-code) {
	case EINVAL:
	case EPERM:
	case EFBIG:
	case ENOSPC:
	case ENFILE:
		return has_words ? PGOFS_LOG_WARNING : PGOFS_LOG_DEBUG;
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EEXIST:
	case ENOTEMPTY:
	case EXDEV:
	case ESTALE:
	case EROFS:
	case EBUSY:
	case ENAMETOOLONG:
		return PGOFS_LOG_DEBUG;
	default:
		return PGOFS_LOG_ERROR;
	}
}

void pgofs_call_fail(struct pgofs_call *c, int code)
{
	const char *why = c->err.text[0] ? c->err.text : strerror(-code);
	pgofs_log(level_of(code, c->err.text[0]), pgofs_op_failed(c->op), "path", c->path, "why", why);
	fuse_reply_err(c->req, -code);
}

struct pgofs_inode *pgofs_inode_of(fuse_req_t req, fuse_ino_t ino)
{
	struct pgofs_fuse *f = fuse_req_userdata(req);
	return pgofs_inodes_get(f->inodes, ino);
}

bool pgofs_is_profile_name(const char *name)
{
	size_t len = strlen(name);
	return name[0] != '.' && len >= 6 && !strcmp(name + len - 6, ".pprof");
}

const char *pgofs_name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

void pgofs_fuse_changed(struct pgofs_fuse *f)
{
	atomic_fetch_add(&f->n_changes, 1);
}

static struct timespec as_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / PGOFS_NS_PER_S, .tv_nsec = ns % PGOFS_NS_PER_S };
}

static mode_t mode_of(const struct pgofs_fuse *f, enum pgofs_node_kind kind)
{
	static const mode_t all_write = 0222;
	switch (kind) {
	case PGOFS_NODE_DIR:
		return S_IFDIR | f->config.dir_mode;
	case PGOFS_NODE_MERGED_DIR:
		return S_IFDIR | (f->config.dir_mode & ~all_write);
	case PGOFS_NODE_MERGED:
		return S_IFREG | (f->config.file_mode & ~all_write);
	case PGOFS_NODE_PROFILE:
		break;
	}
	return S_IFREG | f->config.file_mode;
}

void pgofs_fuse_stat(struct pgofs_fuse *f, struct pgofs_inode *i, struct stat *ret)
{
	uint64_t size = i->size_bytes;
	int64_t mtime = i->mtime_ns ? i->mtime_ns : f->config.mounted_ns;
	if (i->spooled)
		pgofs_spooled_stat(i->spooled, &size, &mtime);
	*ret = (struct stat){
		.st_ino = pgofs_inodes_st_ino_of(f->inodes, i),
		.st_mode = mode_of(f, i->kind),
		.st_nlink = 1, /* for a directory too: find(1) then counts no subdirectories by it */
		.st_uid = f->config.uid,
		.st_gid = f->config.gid,
		.st_size = (off_t)size,
		.st_blocks = (blkcnt_t)((size + 511) / 512),
		.st_blksize = 128 << 10,
	};
	ret->st_mtim = ret->st_ctim = ret->st_atim = as_timespec(mtime);
}

static double attr_timeout_s(const struct pgofs_inode *i)
{
	return i->spooled ? 0 : FOREVER_S;
}

static bool may_believe_name(struct pgofs_fuse *f, struct pgofs_inode *i)
{
	char path[PGOFS_PATH_SIZE];
	if (i->spooled || i->kind == PGOFS_NODE_MERGED)
		return false;
	/* When it is closed, the name must mean the new file at once, and nobody could tell the kernel. */
	return i->kind != PGOFS_NODE_PROFILE || pgofs_spool_is_empty(f->spool) ||
	       !pgofs_spool_is_replacing(f->spool, pgofs_inodes_path(f->inodes, i, path));
}

void pgofs_fuse_entry(struct pgofs_fuse *f, struct pgofs_inode *i, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = i->nodeid,
		.attr_timeout = attr_timeout_s(i),
		.entry_timeout = may_believe_name(f, i) ? (double)f->config.name_ns / PGOFS_NS_PER_S : 0,
	};
	pgofs_fuse_stat(f, i, &ret->attr);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct pgofs_fuse *f = userdata;
	conn->want &= ~(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_POSIX_ACL);
	conn->want |= conn->capable & FUSE_CAP_PARALLEL_DIROPS;
	f->config.ready(f->config.context);
}

static int look_up(struct pgofs_call *c, struct pgofs_inode **ret)
{
	struct pgofs_fuse *f = c->fuse;
	_cleanup_(pgofs_spooled_unrefp) struct pgofs_spooled *spooled = NULL;
	spooled = pgofs_spool_find_reserved(f->spool, c->path, fuse_req_ctx(c->req)->pid);
	if (!spooled)
		spooled = pgofs_spool_find(f->spool, c->path);
	if (spooled) {
		*ret = pgofs_inodes_look_spooled(f->inodes, c->path, spooled);
		return *ret ? 0 : -ENOMEM;
	}
	_cleanup_(pgofs_node_done) struct pgofs_node node = { 0 };
	int r = pgofs_fuse_is_own(f, c->path) ? pgofs_fuse_look_own(f, c->path, &node)
					      : pgofs_tree_lookup(f->tree, c->path, &node, &c->err);
	if (r < 0)
		return r;
	*ret = pgofs_inodes_look(f->inodes, c->path, &node);
	return *ret ? 0 : -ENOMEM;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct pgofs_call c;
	struct pgofs_inode *i = NULL;
	struct fuse_entry_param e;
	pgofs_call_init(&c, req, PGOFS_OP_LOOKUP);
	int r = pgofs_call_child(&c, parent, name);
	if (r == 0)
		r = look_up(&c, &i);
	if (r < 0) {
		pgofs_call_fail(&c, r);
		return;
	}
	struct pgofs_inodes *inodes = c.fuse->inodes;
	pgofs_fuse_entry(c.fuse, i, &e);
	if (fuse_reply_entry(req, &e) < 0)
		pgofs_inodes_forget(inodes, i->nodeid, 1);
	pgofs_inodes_put(inodes, i);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	struct pgofs_fuse *f = fuse_req_userdata(req);
	pgofs_inodes_forget(f->inodes, ino, n);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct pgofs_fuse *f = fuse_req_userdata(req);
	for (size_t k = 0; k < count; k++)
		pgofs_inodes_forget(f->inodes, forgets[k].ino, forgets[k].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	struct stat st;
	pgofs_call_init(&c, req, PGOFS_OP_GETATTR);
	struct pgofs_inode *i = pgofs_inode_of(req, ino);
	if (!i) {
		pgofs_call_fail(&c, -ESTALE);
		return;
	}
	pgofs_fuse_stat(c.fuse, i, &st);
	fuse_reply_attr(req, &st, attr_timeout_s(i));
	pgofs_inodes_put(c.fuse->inodes, i);
}

struct pgofs_handle *pgofs_handle_new(struct pgofs_fuse *f, struct pgofs_inode *i)
{
	struct pgofs_handle *h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	h->inode = i;
	PGOFS_LOCKED(&f->lock);
	LIST_INSERT_HEAD(&f->handles, h, all);
	f->n_handles++;
	return h;
}

void pgofs_handle_free(struct pgofs_fuse *f, struct pgofs_handle *h)
{
	{
		PGOFS_LOCKED(&f->lock);
		LIST_REMOVE(h, all);
		f->n_handles--;
	}
	if (h->bytes)
		pgofs_inodes_unpin(f->inodes, h->inode);
	pgofs_bytes_unref(h->bytes);
	pgofs_reading_free(h->reading);
	pgofs_inodes_put(f->inodes, h->inode);
	free(h);
}

uint64_t pgofs_fuse_n_handles(struct pgofs_fuse *f)
{
	PGOFS_LOCKED(&f->lock);
	return f->n_handles;
}

static int open_for_reading(struct pgofs_call *c, struct pgofs_handle *h)
{
	struct pgofs_inode *i = h->inode;
	if (i->spooled) {
		if (!pgofs_spooled_readable(i->spooled))
			return -EBUSY;
		h->spooled = i->spooled;
		return pgofs_spooled_open(i->spooled);
	}
	return pgofs_inodes_pin(c->fuse->inodes, i, c->fuse->tree, &h->bytes, &c->err);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_OPEN);
	struct pgofs_inode *i = pgofs_inode_of(req, ino);
	if (!i) {
		pgofs_call_fail(&c, -ESTALE);
		return;
	}
	pgofs_inodes_path(c.fuse->inodes, i, c.path);
	struct pgofs_handle *h = pgofs_handle_new(c.fuse, i);
	if (!h) {
		pgofs_inodes_put(c.fuse->inodes, i);
		pgofs_call_fail(&c, -ENOMEM);
		return;
	}
	bool writes = (fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC;
	int r = writes ? pgofs_open_for_writing(&c, h, fi->flags) : open_for_reading(&c, h);
	if (r < 0) {
		pgofs_handle_free(c.fuse, h);
		pgofs_call_fail(&c, r);
		return;
	}
	fi->fh = (uintptr_t)h;
	fi->keep_cache = 1;
	fi->noflush = !writes;
	if (fuse_reply_open(req, fi) < 0) {
		if (h->spooled)
			pgofs_spooled_close(h->spooled);
		pgofs_handle_free(c.fuse, h);
	}
}

static void read_spooled(fuse_req_t req, struct pgofs_spooled *f, size_t size, off_t off)
{
	_cleanup_(pgofs_freep) char *data = malloc(size);
	if (!data) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	size = pgofs_spooled_read(f, data, size, (uint64_t)off);
	fuse_reply_buf(req, data, size);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct pgofs_handle *h = pgofs_handle_of(fi);
	pgofs_fuse_count(fuse_req_userdata(req), PGOFS_OP_READ);
	if (h->spooled) {
		read_spooled(req, h->spooled, size, off);
		return;
	}
	/* Of its own: the handle may be released as soon as the kernel has the answer, before the reply returns. */
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = pgofs_bytes_ref(h->bytes);
	size_t at = (uint64_t)off < bytes->len ? (size_t)off : bytes->len;
	if (size > bytes->len - at)
		size = bytes->len - at;
	fuse_reply_buf(req, (const char *)bytes->data + at, size);
}

/* Never goes to the network: df must not hang. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct pgofs_fuse *f = fuse_req_userdata(req);
	uint64_t total = UINT64_C(1) << 50, left = total;
	pgofs_backend_usage(pgofs_tree_backend(f->tree), &total, &left);
	struct statvfs st = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = total / 4096,
		.f_bfree = left / 4096,
		.f_bavail = left / 4096,
		.f_files = 1 << 30,
		.f_ffree = 1 << 30,
		.f_favail = 1 << 30,
		.f_namemax = PGOFS_NAME_MAX,
	};
	fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops *pgofs_fuse_ops(void)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init,
		.lookup = op_lookup,
		.forget = op_forget,
		.forget_multi = op_forget_multi,
		.getattr = op_getattr,
		.setattr = pgofs_op_setattr,
		.mknod = pgofs_op_mknod,
		.mkdir = pgofs_op_mkdir,
		.unlink = pgofs_op_unlink,
		.rmdir = pgofs_op_rmdir,
		.symlink = pgofs_op_symlink,
		.rename = pgofs_op_rename,
		.link = pgofs_op_link,
		.open = op_open,
		.read = op_read,
		.write = pgofs_op_write,
		.flush = pgofs_op_flush,
		.release = pgofs_op_release,
		.fsync = pgofs_op_fsync,
		.opendir = pgofs_op_opendir,
		.readdir = pgofs_op_readdir,
		.readdirplus = pgofs_op_readdirplus,
		.releasedir = pgofs_op_releasedir,
		.fsyncdir = pgofs_op_fsyncdir,
		.statfs = op_statfs,
		.create = pgofs_op_create,
	};
	return &ops;
}

struct pgofs_fuse *pgofs_fuse_new(struct pgofs_tree *tree, const struct pgofs_fuse_config *config)
{
	_cleanup_(pgofs_fuse_freep) struct pgofs_fuse *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	pthread_mutex_init(&f->lock, NULL);
	f->config = *config;
	f->tree = tree;
	f->spool = pgofs_spool_new(&config->spool);
	f->inodes = pgofs_inodes_new(config->memory_bytes, config->memory_bytes);
	return f->spool && f->inodes ? STEAL(f) : NULL;
}

void pgofs_fuse_free(struct pgofs_fuse *f)
{
	if (!f)
		return;
	while (!LIST_EMPTY(&f->handles)) /* open when the mount ended */
		pgofs_handle_free(f, LIST_FIRST(&f->handles));
	pgofs_inodes_free(f->inodes);
	pgofs_spool_free(f->spool);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void pgofs_fuse_log_stats(struct pgofs_fuse *f)
{
	struct pgofs_inodes_stats s;
	uint64_t bytes, n_files;
	pgofs_inodes_stats(f->inodes, &s);
	pgofs_spool_stats(f->spool, &bytes, &n_files);
	pgofs_log(PGOFS_LOG_INFO, "mount statistics", "requests",
		  PGOFS_FMT("%lu", (unsigned long)pgofs_fuse_n_requests(f)), "inodes",
		  PGOFS_FMT("%lu", (unsigned long)s.n_inodes), "lookups",
		  PGOFS_FMT("%lu", (unsigned long)s.n_lookups), "handles",
		  PGOFS_FMT("%lu", (unsigned long)pgofs_fuse_n_handles(f)), "snapshots",
		  PGOFS_FMT("%lu", (unsigned long)s.n_snapshots), "snapshot_bytes",
		  PGOFS_FMT("%lu", (unsigned long)s.snapshots_bytes), "pinned_bytes",
		  PGOFS_FMT("%lu", (unsigned long)s.pinned_bytes), "spool_files",
		  PGOFS_FMT("%lu", (unsigned long)n_files), "spool_bytes", PGOFS_FMT("%lu", (unsigned long)bytes));
}
