/* Storage, for callers: a place that keeps bytes under keys.
 *
 * A key is a relative path, "APP/YYYY/MM/DD/NAME": segments joined by '/', no empty segment, no "." or "..", no leading or
 * trailing '/', at most 1,024 bytes. A directory exists while a key is under it; storages with real directories remove
 * those that a removal emptied, and may show empty ones that somebody else made.
 *
 * Threads: every function may be called from any thread at any time, and may block until the storage's deadline (option
 * "timeout"), never longer but where it says so. Hold no lock across a call.
 *
 * Errors: -errno and words. A caller may act on the codes a function names; any other goes up unchanged. Everywhere:
 * -EINVAL a key that is no key, -EACCES refused by the storage, -EROFS, -ETIMEDOUT the deadline passed, -EIO the rest. */
#pragma once

#include <pgofs/buf.h>
#include <pgofs/error.h>
#include <pgofs/options.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pgofs_backend;

#define PGOFS_KEY_MAX      1024
#define PGOFS_VERSION_SIZE 128

/* What storage knows of a stored object without reading it. */
struct pgofs_stored {
	uint64_t size_bytes;
	int64_t mtime_ns;                 /* since 1970, UTC */
	char version[PGOFS_VERSION_SIZE]; /* opaque; while it stays the same for a key, so do the bytes. An ETag, or
					     inode-size-mtime */
};

struct pgofs_entry {
	const char *name; /* relative to the listed directory */
	bool is_dir;      /* then `stored` is all zero */
	bool is_bare;     /* of the file only its name was asked for (PGOFS_LIST_BARE): `stored` is all zero */
	struct pgofs_stored stored;
};

/* Called once an entry; `entry` and what it points to live for the call. Not 0 ends the listing and is returned by it. */
typedef int (*pgofs_entry_fn)(void *context, const struct pgofs_entry *entry);

/* Opens SOURCE: a directory, "s3://BUCKET[/PREFIX]" or "memory:". `options` are "name=value" strings, NULL-terminated; an unknown one is
 * -EINVAL. Does not talk to the storage yet. Free with pgofs_backend_free. */
int pgofs_backend_open(const char *source, const char *const *options, struct pgofs_backend **ret,
		       struct pgofs_error *err);

/* The rows a SOURCE of this kind understands, for telling options apart and for --help. Never NULL; ends with name NULL. */
const struct pgofs_option *pgofs_backend_options(const char *source);

/* Waits for nothing: no call may be under way. NULL is fine. */
void pgofs_backend_free(struct pgofs_backend *b);
PGOFS_DEFINE_FREEP(struct pgofs_backend, pgofs_backend_free)

/* What to call this storage in a message: "s3://bucket/prefix", "/var/lib/pgofs". Lives as long as `b`. */
const char *pgofs_backend_name(const struct pgofs_backend *b);

/* Does the storage answer, and would it let us list? Words say what is wrong (no such bucket, bad credentials, not a
 * directory). -ENOENT where the place does not exist. */
int pgofs_backend_probe(struct pgofs_backend *b, struct pgofs_error *err);

enum pgofs_list_flags {
	PGOFS_LIST_RECURSIVE = 1 << 0, /* all keys under dir, no directories; names contain '/'; in no order */
	PGOFS_LIST_BARE = 1 << 1, /* where sizes and versions cost a call a file, and files are many: names will do */
};

/* Entries of `dir` ("" is the root), in byte order of their names unless recursive. A directory that is not there lists
 * as empty. Keys that break the rules above are not shown. */
int pgofs_backend_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		       struct pgofs_error *err);

/* The whole object, with one reference. `version`, where not NULL, is the version wanted. ret_stored may be NULL. -ENOENT; -ESTALE another
 * version is there now (a cache may still have the one wanted); -EFBIG more than `max_bytes`, nothing kept. */
int pgofs_backend_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		      struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err);

enum pgofs_put_flags {
	PGOFS_PUT_NEW = 1 << 0, /* only if nothing is under the key: else -EEXIST, and what is there stays */
};

/* Stores the bytes, whole or not at all: on success they are durable and seen by every later list and get. On failure what was
 * there before is still there. ret_stored may be NULL. -EEXIST, -ENOSPC, -EDQUOT, -EFBIG. */
int pgofs_backend_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		      struct pgofs_stored *ret_stored, struct pgofs_error *err);

/* -ENOENT where nothing was there; a storage that cannot tell returns 0. A directory is not synced after it: what was removed from one
 * may be back after a loss of power. */
int pgofs_backend_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err);

/* Removes `n` keys, many a request where the storage can; each request has the deadline, and the first that is not answered ends it.
 * Returns 0 when each key's own outcome is in ret_results[i] (0 or -errno; absent is 0), also where some are failures; `err` then
 * speaks of one of them. On failure ret_results means nothing, and some keys may be gone. */
int pgofs_backend_remove_many(struct pgofs_backend *b, const char *const *keys, size_t n, int *ret_results,
			      struct pgofs_error *err);

/* Removes an empty directory somebody made in a storage that has such; 0 also where there is none. -ENOTEMPTY. */
int pgofs_backend_remove_dir(struct pgofs_backend *b, const char *dir, struct pgofs_error *err);

/* The largest object that a rename carries through memory. */
#define PGOFS_CARRIED_MAX_BYTES ((size_t)256 << 20)

/* Moves an object; `flags` as for put speak of `to`. Atomic in a directory, copy and remove in S3: after a crash both names may be
 * there, never none. -ENOENT, -EEXIST; -EINVAL the same name twice; -EFBIG the storage cannot move it by itself (S3 with
 * PGOFS_PUT_NEW), and it is too large to be carried. */
int pgofs_backend_rename(struct pgofs_backend *b, const char *from, const char *to, unsigned flags,
			 struct pgofs_stored *ret_stored, struct pgofs_error *err);

/* Room on the storage, for statfs. -EOPNOTSUPP where it has no bound to tell. Never goes to the network. */
int pgofs_backend_usage(struct pgofs_backend *b, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes);

/* Numbers about what it did (requests, bytes, cache hits), one "name value" a line. A name is of
 * [a-z0-9_], and ends in _total where it only counts up. Appends nothing where it counts nothing. */
int pgofs_backend_stats(struct pgofs_backend *b, struct pgofs_buf *append_to);
