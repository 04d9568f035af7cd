/* The kernel's requests: listing a directory.
 *
 * Which names there are is settled when a directory is opened or rewound, so that a reader sees each once whatever happens meanwhile. A
 * day, which may hold 100,000, is not copied for that: the listing that the catalog keeps is shared, and never changes while it is held.
 *
 * With the names the kernel is told attributes (readdirplus), so that `ls -l` and find need no lookup a file. What must stay true of them:
 * - They are as fresh as a lookup's would be: of a day, they are taken from the listing that is believed when a page is made, which
 *   may be newer than the one that gave the names. The kernel may believe them for as long as a lookup's.
 * - A change made here while a page is made shows: the page then goes without attributes, and each name is looked up.
 * - Merged files have none: they would have to be computed.
 * - `ls` alone pays for names alone: sizes of a large day are asked for when the kernel comes back for more pages with attributes, which it
 *   does once somebody wanted those of the first. */
#include "fuse-internal.h"
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	enum pgofs_node_kind kind;
	bool spooled;
	int64_t mtime_ns;
	size_t name; /* into `text` */
};

/* Entries are numbered: "." and "..", then the day's, then the others. */
struct pgofs_reading {
	char path[PGOFS_PATH_SIZE];
	struct pgofs_listing *day; /* one reference; NULL: the directory is no day */
	struct pgofs_buf text;	   /* names, each with its NUL */
	struct pgofs_buf entries;  /* struct entry: all but the day's */
	uint64_t n_changes;	   /* of the mount, when it was listed */
	int64_t listed_ns;
	bool begun;
};

#define TEXT_MAX ((size_t)1 << 30)
#define N_DOTS	 2

static size_t n_in_day(const struct pgofs_reading *d)
{
	return d->day ? d->day->n : 0;
}

static size_t n_entries(const struct pgofs_reading *d)
{
	return n_in_day(d) + d->entries.len / sizeof(struct entry);
}

/* The day's item, where number k is one; else NULL. */
static const struct pgofs_item *item_at(const struct pgofs_reading *d, size_t k)
{
	return k >= N_DOTS && k - N_DOTS < n_in_day(d) ? &d->day->items[k - N_DOTS] : NULL;
}

/* For a number that is none of the day's. */
static const struct entry *entry_at(const struct pgofs_reading *d, size_t k)
{
	if (k >= N_DOTS)
		k -= n_in_day(d);
	return (const struct entry *)(const void *)d->entries.data + k;
}

static const char *name_at(const struct pgofs_reading *d, size_t k)
{
	const struct pgofs_item *item = item_at(d, k);
	return item ? item->name : (const char *)d->text.data + entry_at(d, k)->name;
}

void pgofs_reading_free(struct pgofs_reading *d)
{
	if (!d)
		return;
	pgofs_listing_unref(d->day);
	pgofs_buf_done(&d->text);
	pgofs_buf_done(&d->entries);
	free(d);
}

static int add(struct pgofs_reading *d, struct entry e, const char *name)
{
	e.name = d->text.len;
	int r = pgofs_buf_append(&d->text, name, strlen(name) + 1);
	return r < 0 ? r : pgofs_buf_append(&d->entries, &e, sizeof e);
}

static int add_stored(void *context, const struct pgofs_tree_entry *entry)
{
	return add(context, (struct entry){ .kind = entry->kind, .mtime_ns = entry->mtime_ns }, entry->name);
}

static int add_spooled(void *context, const char *name)
{
	return add(context, (struct entry){ .kind = PGOFS_NODE_PROFILE, .spooled = true }, name);
}

static int fill(struct pgofs_call *c, struct pgofs_reading *d)
{
	d->n_changes = atomic_load(&c->fuse->n_changes);
	d->listed_ns = pgofs_monotonic_ns();
	d->text.len = d->entries.len = 0;
	pgofs_listing_unref(STEAL(d->day));
	int r = add_stored(d, &(struct pgofs_tree_entry){ .name = ".", .kind = PGOFS_NODE_DIR });
	if (r == 0)
		r = add_stored(d, &(struct pgofs_tree_entry){ .name = "..", .kind = PGOFS_NODE_DIR });
	if (r == 0 && pgofs_fuse_is_own(c->fuse, d->path))
		return pgofs_fuse_list_own(c->fuse, d->path, add_stored, d);
	if (r == 0)
		r = pgofs_tree_day(c->fuse->tree, d->path, true, &d->day, &c->err);
	if (r == 0 && !d->day)
		r = pgofs_tree_list(c->fuse->tree, d->path, add_stored, d, &c->err);
	if (r == 0)
		r = pgofs_spool_list(c->fuse->spool, d->path, add_spooled, d);
	return r;
}

static int open_dir(struct pgofs_call *c, struct pgofs_handle *h)
{
	struct pgofs_reading *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	h->reading = d;
	d->text = d->entries = PGOFS_BUF(TEXT_MAX);
	pgofs_inodes_path(c->fuse->inodes, h->inode, d->path);
	return fill(c, d);
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

/* ---- A page ---- */

struct page {
	struct pgofs_call *call;
	const struct pgofs_reading *dir;
	struct pgofs_listing *day; /* where attributes of the day's profiles come from: one reference; or NULL */
	bool plus;		   /* in the form that has room for attributes */
	bool has_attributes;
	char *data;
	size_t len, size;
	uint64_t *looked; /* nodeids the page counts a lookup for */
	size_t n_looked;
};

static bool is_dir(enum pgofs_node_kind kind)
{
	return kind == PGOFS_NODE_DIR || kind == PGOFS_NODE_MERGED_DIR;
}

/* What a lookup of entry k would find now. False: only a lookup can tell. */
static bool know(const struct page *p, size_t k, struct pgofs_node *ret)
{
	const struct pgofs_reading *d = p->dir;
	const struct pgofs_item *item = item_at(d, k);
	struct pgofs_fuse *f = p->call->fuse;
	if (item) {
		if (p->day && p->day != d->day)
			item = pgofs_listing_find(p->day, item->name);
		if (!p->day || !item)
			return false;
		ret->kind = PGOFS_NODE_PROFILE;
		ret->size_bytes = item->size_bytes;
		ret->mtime_ns = item->mtime_ns;
		strcpy(ret->version, item->version); /* it came from a pgofs_stored, so it fits */
		return true;
	}
	const struct entry *e = entry_at(d, k);
	if (k < N_DOTS || !is_dir(e->kind))
		return false;
	ret->kind = e->kind;
	ret->mtime_ns = e->mtime_ns;
	return d->n_changes == atomic_load(&f->n_changes) && pgofs_monotonic_ns() - d->listed_ns < f->config.name_ns;
}

/* Fills `ret` for entry k; the inode, with a reference and one lookup counted, where attributes go with it. */
static struct pgofs_inode *describe(const struct page *p, size_t k, const char *name, struct fuse_entry_param *ret)
{
	struct pgofs_fuse *f = p->call->fuse;
	const struct pgofs_reading *d = p->dir;
	struct pgofs_node node;
	char path[PGOFS_PATH_SIZE];
	node.size_bytes = 0;
	node.snapshot = NULL;
	node.version[0] = 0;
	strcpy(path, d->path);
	if (pgofs_append_name(path, name) == 0 && p->has_attributes && know(p, k, &node)) {
		struct pgofs_inode *i = pgofs_inodes_look(f->inodes, path, &node);
		if (i) {
			pgofs_fuse_entry(f, i, ret);
			return i;
		}
	}
	*ret = (struct fuse_entry_param){ 0 };
	ret->attr.st_ino = pgofs_inodes_st_ino(path);
	ret->attr.st_mode = !item_at(d, k) && is_dir(entry_at(d, k)->kind) ? S_IFDIR : S_IFREG;
	return NULL;
}

/* Puts entry k; false where the page is full. */
static bool put(struct page *p, size_t k)
{
	struct fuse_entry_param e;
	const char *name = name_at(p->dir, k);
	struct pgofs_inodes *inodes = p->call->fuse->inodes;
	struct pgofs_inode *i = describe(p, k, name, &e);
	char *at = p->data + p->len;
	size_t left = p->size - p->len, size;
	size = p->plus ? fuse_add_direntry_plus(p->call->req, at, left, name, &e, (off_t)k + 1)
		       : fuse_add_direntry(p->call->req, at, left, name, &e.attr, (off_t)k + 1);
	bool fits = size <= left;
	if (fits)
		p->len += size;
	if (fits && i)
		p->looked[p->n_looked++] = i->nodeid;
	if (!fits && i)
		pgofs_inodes_forget(inodes, i->nodeid, 1);
	pgofs_inodes_put(inodes, i);
	return fits;
}

static void take_back(struct page *p)
{
	for (size_t k = 0; k < p->n_looked; k++)
		pgofs_inodes_forget(p->call->fuse->inodes, p->looked[k], 1);
	p->n_looked = 0;
	p->len = 0;
}

static void put_from(struct page *p, size_t first)
{
	for (size_t k = first; k < n_entries(p->dir) && put(p, k); k++)
		;
}

/* The listing that is believed now, where it is worth its price: at first, only one that is had for nothing. */
static struct pgofs_listing *believed(struct pgofs_call *c, const struct pgofs_reading *d, bool at_first)
{
	struct pgofs_listing *day = NULL;
	struct pgofs_error err = { "" }; /* a lookup will find the same, and say so */
	if (!d->day || (at_first && d->day->is_bare))
		return NULL;
	return pgofs_tree_day(c->fuse->tree, d->path, false, &day, &err) == 0 ? day : NULL;
}

#define PAGE_MAX       ((size_t)1 << 20)
#define ENTRY_SIZE_MIN 24

static void read_dir(struct pgofs_call *c, struct pgofs_reading *d, size_t size, off_t off, bool plus)
{
	if (size > PAGE_MAX)
		size = PAGE_MAX;
	_cleanup_(pgofs_freep) char *data = malloc(size);
	_cleanup_(pgofs_freep) uint64_t *looked = malloc((size / ENTRY_SIZE_MIN + 1) * sizeof *looked);
	struct page p = { .call = c, .dir = d, .plus = plus, .has_attributes = plus };
	p.data = data;
	p.size = size;
	p.looked = looked;
	strcpy(c->path, d->path);
	/* Rewound: POSIX wants the directory as it is now. */
	int r = data && looked ? 0 : -ENOMEM;
	if (r == 0 && off == 0 && d->begun)
		r = fill(c, d);
	if (r < 0) {
		pgofs_call_fail(c, r);
		return;
	}
	d->begun = true;
	uint64_t n_changes = pgofs_tree_n_changes(c->fuse->tree);
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *day = plus ? believed(c, d, off == 0) : NULL;
	p.day = day;
	put_from(&p, (size_t)off);
	if (p.n_looked && pgofs_tree_n_changes(c->fuse->tree) != n_changes) {
		take_back(&p);
		p.has_attributes = false;
		put_from(&p, (size_t)off);
	}
	if (fuse_reply_buf(c->req, p.data, p.len) != 0)
		take_back(&p);
}

void pgofs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_READDIR);
	read_dir(&c, pgofs_handle_of(fi)->reading, size, off, false);
}

void pgofs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct pgofs_call c;
	pgofs_call_init(&c, req, PGOFS_OP_READDIR);
	read_dir(&c, pgofs_handle_of(fi)->reading, size, off, true);
}

void pgofs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	pgofs_handle_free(fuse_req_userdata(req), pgofs_handle_of(fi));
	fuse_reply_err(req, 0);
}
