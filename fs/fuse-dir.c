/* The kernel's requests: listing a directory.
 *
 * A directory is listed once, when it is opened or rewound, so that a reader sees each name once whatever happens meanwhile. With
 * the names the kernel is told attributes (readdirplus), so that `ls -l` and find need no lookup a file; but not for merged files,
 * which would have to be computed, and no longer once something was changed here since the listing. */
#include "fuse-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	enum pgofs_node_kind kind;
	bool spooled;
	uint64_t size_bytes;
	int64_t mtime_ns;
	size_t name, version; /* into `text` */
};

struct pgofs_listing {
	char path[PGOFS_PATH_SIZE];
	struct pgofs_buf text;    /* names and versions, each with its NUL */
	struct pgofs_buf entries; /* struct entry, many */
	uint64_t n_changes;       /* of the mount, when it was listed */
	int64_t listed_ns;
	bool begun;
};

#define LISTING_MAX ((size_t)4 << 30)

static size_t n_entries(const struct pgofs_listing *l)
{
	return l->entries.len / sizeof(struct entry);
}

static const struct entry *entry_at(const struct pgofs_listing *l, size_t k)
{
	return (const struct entry *)(const void *)l->entries.data + k;
}

static const char *text_at(const struct pgofs_listing *l, size_t at)
{
	return (const char *)l->text.data + at;
}

void pgofs_listing_free(struct pgofs_listing *l)
{
	if (!l)
		return;
	pgofs_buf_done(&l->text);
	pgofs_buf_done(&l->entries);
	free(l);
}

static int add(struct pgofs_listing *l, struct entry e, const char *name, const char *version)
{
	e.name = l->text.len;
	int r = pgofs_buf_append(&l->text, name, strlen(name) + 1);
	if (r < 0)
		return r;
	e.version = l->text.len;
	if (version)
		r = pgofs_buf_append(&l->text, version, strlen(version) + 1);
	return r < 0 ? r : pgofs_buf_append(&l->entries, &e, sizeof e);
}

static int add_stored(void *context, const struct pgofs_tree_entry *entry)
{
	struct entry e = { .kind = entry->kind, .size_bytes = entry->size_bytes, .mtime_ns = entry->mtime_ns };
	return add(context, e, entry->name, entry->version);
}

static int add_spooled(void *context, const char *name)
{
	return add(context, (struct entry){ .kind = PGOFS_NODE_PROFILE, .spooled = true }, name, NULL);
}

static int fill(struct pgofs_call *c, struct pgofs_listing *l)
{
	l->n_changes = atomic_load(&c->fuse->n_changes);
	l->listed_ns = pgofs_monotonic_ns();
	l->text.len = l->entries.len = 0;
	int r = add_stored(l, &(struct pgofs_tree_entry){ .name = ".", .kind = PGOFS_NODE_DIR });
	if (r == 0)
		r = add_stored(l, &(struct pgofs_tree_entry){ .name = "..", .kind = PGOFS_NODE_DIR });
	if (r == 0 && pgofs_fuse_is_own(c->fuse, l->path))
		return pgofs_fuse_list_own(c->fuse, l->path, add_stored, l);
	if (r == 0)
		r = pgofs_tree_list(c->fuse->tree, l->path, add_stored, l, &c->err);
	if (r == 0)
		r = pgofs_spool_list(c->fuse->spool, l->path, add_spooled, l);
	return r;
}

static int open_dir(struct pgofs_call *c, struct pgofs_handle *h)
{
	struct pgofs_listing *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	h->listing = l;
	l->text = l->entries = PGOFS_BUF(LISTING_MAX);
	pgofs_inodes_path(c->fuse->inodes, h->inode, l->path);
	return fill(c, l);
}

void pgofs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_OPENDIR);
	struct pgofs_fuse *f = c.fuse;
	struct pgofs_inode *i = pgofs_inode_of(req, ino);
	struct pgofs_handle *h = i ? pgofs_handle_new(f, i) : NULL;
	int r = h ? open_dir(&c, h) : i ? -ENOMEM : -ESTALE;
	fi->fh = (uintptr_t)h;
	if (r < 0)
		pgofs_call_fail(&c, r);
	else
		r = fuse_reply_open(req, fi);
	if (r < 0 && h)
		pgofs_handle_free(f, h);
	else if (r < 0)
		pgofs_inodes_put(f->inodes, i);
}

static struct pgofs_listing *listing_of(const struct fuse_file_info *fi)
{
	return pgofs_handle_of(fi)->listing;
}

static bool is_dir(enum pgofs_node_kind kind)
{
	return kind == PGOFS_NODE_DIR || kind == PGOFS_NODE_MERGED_DIR;
}

static bool has_attributes(struct pgofs_fuse *f, const struct pgofs_listing *l, size_t k)
{
	const struct entry *e = entry_at(l, k);
	if (k < 2 || e->spooled || e->kind == PGOFS_NODE_MERGED)
		return false;
	return l->n_changes == atomic_load(&f->n_changes) && pgofs_monotonic_ns() - l->listed_ns < f->config.name_ns;
}

/* Fills `e` for entry k; the inode, with a reference and one lookup counted, where attributes go with it. */
static struct pgofs_inode *describe(struct pgofs_fuse *f, const struct pgofs_listing *l, size_t k, bool plus,
				    struct fuse_entry_param *ret)
{
	const struct entry *e = entry_at(l, k);
	char path[PGOFS_PATH_SIZE];
	strcpy(path, l->path);
	if (pgofs_append_name(path, text_at(l, e->name)) == 0 && plus && has_attributes(f, l, k)) {
		struct pgofs_node node = { .kind = e->kind, .size_bytes = e->size_bytes, .mtime_ns = e->mtime_ns };
		if (e->kind == PGOFS_NODE_PROFILE)
			snprintf(node.version, sizeof node.version, "%s", text_at(l, e->version));
		struct pgofs_inode *i = pgofs_inodes_look(f->inodes, path, &node);
		if (i) {
			pgofs_fuse_entry(f, i, ret);
			return i;
		}
	}
	*ret = (struct fuse_entry_param){ 0 };
	ret->attr.st_ino = pgofs_inodes_st_ino(path);
	ret->attr.st_mode = is_dir(e->kind) ? S_IFDIR : S_IFREG;
	return NULL;
}

struct page {
	char *data;
	size_t len, size;
	uint64_t *looked; /* nodeids the page counts a lookup for */
	size_t n_looked;
};

/* Puts entry k; false where the page is full. */
static bool put(struct pgofs_call *c, struct page *p, const struct pgofs_listing *l, size_t k, bool plus)
{
	struct fuse_entry_param e;
	const char *name = text_at(l, entry_at(l, k)->name);
	struct pgofs_inode *i = describe(c->fuse, l, k, plus, &e);
	char *at = p->data + p->len;
	size_t left = p->size - p->len, size;
	size = plus ? fuse_add_direntry_plus(c->req, at, left, name, &e, (off_t)k + 1)
		    : fuse_add_direntry(c->req, at, left, name, &e.attr, (off_t)k + 1);
	bool fits = size <= left;
	if (fits)
		p->len += size;
	if (fits && i)
		p->looked[p->n_looked++] = i->nodeid;
	if (!fits && i)
		pgofs_inodes_forget(c->fuse->inodes, i->nodeid, 1);
	pgofs_inodes_put(c->fuse->inodes, i);
	return fits;
}

#define PAGE_MAX       ((size_t)1 << 20)
#define ENTRY_SIZE_MIN 24

static void read_dir(struct pgofs_call *c, struct pgofs_listing *l, size_t size, off_t off, bool plus)
{
	if (size > PAGE_MAX)
		size = PAGE_MAX;
	_cleanup_(pgofs_freep) char *data = malloc(size);
	_cleanup_(pgofs_freep) uint64_t *looked = malloc((size / ENTRY_SIZE_MIN + 1) * sizeof *looked);
	struct page p = { .data = data, .size = size, .looked = looked };
	strcpy(c->path, l->path);
	/* Rewound: POSIX wants the directory as it is now. */
	int r = data && looked ? 0 : -ENOMEM;
	if (r == 0 && off == 0 && l->begun)
		r = fill(c, l);
	if (r < 0) {
		pgofs_call_fail(c, r);
		return;
	}
	l->begun = true;
	struct pgofs_fuse *f = c->fuse;
	for (size_t k = (size_t)off; k < n_entries(l) && put(c, &p, l, k, plus); k++)
		;
	if (fuse_reply_buf(c->req, p.data, p.len) == 0)
		return;
	for (size_t k = 0; k < p.n_looked; k++)
		pgofs_inodes_forget(f->inodes, p.looked[k], 1);
}

void pgofs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_READDIR);
	read_dir(&c, listing_of(fi), size, off, false);
}

void pgofs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_READDIR);
	read_dir(&c, listing_of(fi), size, off, true);
}

void pgofs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	pgofs_handle_free(fuse_req_userdata(req), pgofs_handle_of(fi));
	fuse_reply_err(req, 0);
}
