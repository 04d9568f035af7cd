/* What this mount did, to be seen in it: with -o stats, the file .pgofs/stats in its root.
 *
 * What must stay true:
 * - The directory is the mount's, and never the storage's own .pgofs/: requests for it are answered here, and reach neither tree nor
 *   spool. Nothing can be made, moved or removed in it.
 * - It is not listed in the root, so that cp -r, rsync and find take profiles with them and nothing else; like a window that is not
 *   listed, it is there for who knows its name.
 * - The file is like a merged one: each look at its name is a snapshot and an inode of its own, so its size is true, it can
 *   be mapped, and what is open does not change. What there is to count is counted elsewhere, where it happens. */
#include "fuse-internal.h"
#include "stats.h"

#include <pgofs/units.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define OWN_DIR	  ".pgofs"
#define OWN_FILE  "stats"
#define STATS_MAX ((size_t)1 << 20)

static const struct {
	const char *name, *failed;
} ops[PGOFS_N_OPS] = {
	[PGOFS_OP_LOOKUP] = { "lookup", "name not looked up" },
	[PGOFS_OP_GETATTR] = { "getattr", "no attributes" },
	[PGOFS_OP_SETATTR] = { "setattr", "attributes not set" },
	[PGOFS_OP_MKDIR] = { "mkdir", "directory not made" },
	[PGOFS_OP_RMDIR] = { "rmdir", "directory not removed" },
	[PGOFS_OP_UNLINK] = { "unlink", "file not removed" },
	[PGOFS_OP_RENAME] = { "rename", "file not renamed" },
	[PGOFS_OP_CREATE] = { "create", "file not created" },
	[PGOFS_OP_OPEN] = { "open", "file not opened" },
	[PGOFS_OP_READ] = { "read", "not read" },
	[PGOFS_OP_WRITE] = { "write", "not written" },
	[PGOFS_OP_FLUSH] = { "flush", "profile not stored" },
	[PGOFS_OP_FSYNC] = { "fsync", "profile not stored" },
	[PGOFS_OP_RELEASE] = { "release", "profile not stored" },
	[PGOFS_OP_OPENDIR] = { "opendir", "directory not listed" },
	[PGOFS_OP_READDIR] = { "readdir", "directory not listed" },
};

const char *pgofs_op_name(enum pgofs_op op)
{
	return ops[op].name;
}

const char *pgofs_op_failed(enum pgofs_op op)
{
	return ops[op].failed;
}

void pgofs_fuse_count(struct pgofs_fuse *f, enum pgofs_op op)
{
	atomic_fetch_add_explicit(&f->n_ops[op], 1, memory_order_relaxed);
}

uint64_t pgofs_fuse_n_requests(const struct pgofs_fuse *f)
{
	uint64_t n = 0;
	for (int op = 0; op < PGOFS_N_OPS; op++)
		n += atomic_load_explicit(&f->n_ops[op], memory_order_relaxed);
	return n;
}

/* ---- The text ---- */

static int print_ops(const struct pgofs_fuse *f, struct pgofs_buf *b)
{
	int r = 0;
	for (int op = 0; op < PGOFS_N_OPS && r == 0; op++) {
		uint64_t n = atomic_load_explicit(&f->n_ops[op], memory_order_relaxed);
		r = pgofs_buf_printf(b, "requests_%s_total %llu\n", pgofs_op_name((enum pgofs_op)op),
				     (unsigned long long)n);
	}
	return r;
}

static uint64_t cpu_ns(void)
{
	struct rusage u = { 0 };
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)((u.ru_utime.tv_sec + u.ru_stime.tv_sec) * PGOFS_NS_PER_S +
			  (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * PGOFS_NS_PER_US);
}

static int print_mount(struct pgofs_fuse *f, struct pgofs_buf *b)
{
	struct pgofs_inodes_stats s;
	uint64_t spool_bytes, n_spooled;
	pgofs_inodes_stats(f->inodes, &s);
	pgofs_spool_stats(f->spool, &spool_bytes, &n_spooled);
	const struct pgofs_stat rows[] = {
		{ "cpu_seconds_total", cpu_ns(), .is_ns = true },
		{ "mounted_timestamp_seconds", (uint64_t)f->config.mounted_ns, .is_ns = true },
		{ "inodes", s.n_inodes },
		{ "inodes_bytes", s.inodes_bytes },
		{ "open_handles", pgofs_fuse_n_handles(f) },
		{ "open_profiles_bytes", s.pinned_bytes },
		{ "snapshots", s.n_snapshots },
		{ "snapshots_bytes", s.snapshots_bytes },
		{ "spool_files", n_spooled },
		{ "spool_bytes", spool_bytes },
	};
	return pgofs_stats_print(rows, sizeof rows / sizeof rows[0], b);
}

/* Names as they are for everybody: "pgofs_" before each line's. */
static int prefix_lines(const struct pgofs_buf *lines, struct pgofs_buf *b)
{
	const char *at = (const char *)lines->data, *end = at + lines->len;
	int r = 0;
	while (at < end && r == 0) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);
		r = pgofs_buf_printf(b, "pgofs_%.*s", (int)len, at);
		at += len;
	}
	return r;
}

static int print(struct pgofs_fuse *f, struct pgofs_buf *b)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf lines = PGOFS_BUF(STATS_MAX);
	int r = print_ops(f, &lines);
	if (r == 0)
		r = print_mount(f, &lines);
	if (r == 0)
		r = pgofs_tree_stats(f->tree, &lines);
	return r < 0 ? r : prefix_lines(&lines, b);
}

/* ---- The file ---- */

bool pgofs_fuse_is_own(const struct pgofs_fuse *f, const char *path)
{
	size_t len = strlen(OWN_DIR);
	return f->config.stats && !strncmp(path, OWN_DIR, len) && (!path[len] || path[len] == '/');
}

static int take_snapshot(struct pgofs_fuse *f, struct pgofs_snapshot **ret)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf text = PGOFS_BUF(STATS_MAX);
	_cleanup_(pgofs_snapshot_unrefp) struct pgofs_snapshot *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	s->mtime_ns = pgofs_now_ns();
	int r = print(f, &text);
	if (r < 0)
		return r;
	s->bytes = pgofs_bytes_consume_buf(&text);
	if (!s->bytes)
		return -ENOMEM;
	*ret = STEAL(s);
	return 0;
}

int pgofs_fuse_look_own(struct pgofs_fuse *f, const char *path, struct pgofs_node *ret)
{
	struct pgofs_snapshot *s = NULL;
	if (!strcmp(path, OWN_DIR)) {
		*ret = (struct pgofs_node){ .kind = PGOFS_NODE_MERGED_DIR };
		return 0;
	}
	if (strcmp(path, OWN_DIR "/" OWN_FILE) != 0)
		return -ENOENT;
	int r = take_snapshot(f, &s);
	if (r < 0)
		return r;
	*ret = (struct pgofs_node){
		.kind = PGOFS_NODE_MERGED,
		.size_bytes = s->bytes->len,
		.mtime_ns = s->mtime_ns,
		.snapshot = s,
	};
	return 0;
}

int pgofs_fuse_list_own(struct pgofs_fuse *f, const char *path, pgofs_tree_entry_fn each, void *context)
{
	return each(context, &(struct pgofs_tree_entry){ .name = OWN_FILE, .kind = PGOFS_NODE_MERGED });
}
