/* The disk half of the cache: one file a key, in a directory that several mounts may share, and that a crash, a full disk
 * or a bad one may have left in any state.
 *
 * Nothing read from it is believed without its checksum: that is why no file is synced, and why no index is kept. A file
 * says itself of which storage, key and version it is; what does not match is a miss. SHA-256 and not a CRC, because a
 * cache that is wrong once in 2^32 is wrong in a fleet, and because it is cheap: 1.4 GB/s a core where the processor has
 * instructions for it, against 2.0 GB/s for reading the file from the page cache.
 *
 * Files come and go by the `local` storage, without its syncs: whole or not at all, and temporaries of dead writers are
 * swept when the cache is opened.
 *
 * The bound is held by scans: before a write that would pass it, and after each eighth of it was written (others write
 * too), the directory is walked twice, once to sum sizes by age, once to remove what is old until a tenth is free. A file's time is
 * that of its last use, so what goes is what nobody, in any process, used lately. A scan holds a table of ages, no names.
 *
 * A write that fails is one line in the log, and for a minute nothing more is written. No lock: a scan under way is a flag,
 * and who finds it set goes on without. */
#include "cache.h"
#include "local.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>

#define OBJECTS     "objects" /* below it only our own names are counted and removed: the directory may be anybody's */
#define NAME_LEN    40        /* of hex digits */
#define KEY_SIZE    (sizeof OBJECTS + NAME_LEN + 3)
#define N_AGES      1024
#define PAUSE_NS    PGOFS_NS_PER_MIN
#define TOUCH_NS    (10 * PGOFS_NS_PER_S) /* a use is written down no more often */
#define UNKNOWN     (UINT64_MAX / 2)
#define DIGEST_SIZE 32

static const char magic[8] = "pgofsC1\n";

struct pgofs_cache_disk {
	struct pgofs_backend *files;
	char *source;
	uint64_t max_bytes;
	atomic_uint_fast64_t known_bytes; /* at the last scan, and what was written since; UNKNOWN before the first */
	atomic_uint_fast64_t unscanned_bytes; /* written since the last scan */
	atomic_bool scanning;
	atomic_int_fast64_t paused_until_ns;
	atomic_bool said_so;
	atomic_uint_fast64_t n_damaged;
};

/* ---- Files ---- */

/* "objects/ab/cdef…" */
static void name_file(const struct pgofs_cache_disk *d, const char *key, char ret[static KEY_SIZE])
{
	uint8_t digest[DIGEST_SIZE];
	char text[PGOFS_KEY_MAX + 1024];
	int len = snprintf(text, sizeof text, "%s\n%s", d->source, key);
	EVP_Digest(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1, digest, NULL, EVP_sha256(), NULL);
	int at = sprintf(ret, OBJECTS "/%02x/", digest[0]);
	for (int i = 1; i < NAME_LEN / 2; i++)
		at += sprintf(ret + at, "%02x", digest[i]);
}

static void digest_of(const uint8_t *data, size_t len, uint8_t ret[static DIGEST_SIZE])
{
	EVP_Digest(data, len, ret, NULL, EVP_sha256(), NULL);
}

/* Whose bytes follow: what a reader compares before it believes. */
static int append_label(struct pgofs_buf *b, const struct pgofs_cache_disk *d, const char *key, const char *version)
{
	int r = pgofs_buf_append(b, d->source, strlen(d->source) + 1);
	if (r == 0)
		r = pgofs_buf_append(b, key, strlen(key) + 1);
	if (r == 0)
		r = pgofs_buf_append(b, version, strlen(version) + 1);
	return r;
}

/* magic, digest of all that follows, label, time, bytes */
static int encode(const struct pgofs_cache_disk *d, const char *key, const struct pgofs_stored *stored,
		  const struct pgofs_bytes *bytes, struct pgofs_buf *b)
{
	uint8_t nothing[DIGEST_SIZE] = { 0 };
	int r = pgofs_buf_append(b, magic, sizeof magic);
	if (r == 0)
		r = pgofs_buf_append(b, nothing, sizeof nothing);
	if (r == 0)
		r = append_label(b, d, key, stored->version);
	if (r == 0)
		r = pgofs_buf_append(b, &stored->mtime_ns, sizeof stored->mtime_ns);
	if (r == 0)
		r = pgofs_buf_append(b, bytes->data, bytes->len);
	if (r < 0)
		return r;
	size_t start = sizeof magic + DIGEST_SIZE;
	digest_of(b->data + start, b->len - start, b->data + sizeof magic);
	return 0;
}

/* Where the label ends in a file that is whole, or 0. */
static size_t check_whole(const struct pgofs_bytes *file)
{
	uint8_t digest[DIGEST_SIZE];
	size_t start = sizeof magic + DIGEST_SIZE;
	if (file->len < start || memcmp(file->data, magic, sizeof magic) != 0)
		return 0;
	digest_of(file->data + start, file->len - start, digest);
	return memcmp(digest, file->data + sizeof magic, DIGEST_SIZE) == 0 ? start : 0;
}

/* Turns a file into the bytes it carries. False: they are of another key or version. */
static bool decode(const struct pgofs_cache_disk *d, const char *key, const char *version, struct pgofs_bytes *file,
		   struct pgofs_stored *ret_stored)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf label = PGOFS_BUF(1 << 16);
	size_t start = sizeof magic + DIGEST_SIZE;
	if (append_label(&label, d, key, version) < 0)
		return false;
	if (file->len < start + label.len + sizeof(int64_t) || memcmp(file->data + start, label.data, label.len) != 0)
		return false;

	struct pgofs_stored stored = { 0 };
	size_t at = start + label.len;
	memcpy(&stored.mtime_ns, file->data + at, sizeof stored.mtime_ns);
	at += sizeof stored.mtime_ns;
	stored.size_bytes = file->len - at;
	memcpy(stored.version, version, strlen(version) + 1);
	/* Nobody else has it yet. */
	memmove(file->data, file->data + at, file->len - at);
	file->len -= at;
	*ret_stored = stored;
	return true;
}

static void touch(struct pgofs_cache_disk *d, const char *name, const struct pgofs_stored *file)
{
	int root = pgofs_local_root(pgofs_local_of(d->files));
	if (root >= 0 && pgofs_now_ns() - file->mtime_ns > TOUCH_NS)
		utimensat(root, name, NULL, AT_SYMLINK_NOFOLLOW);
}

struct pgofs_bytes *pgofs_cache_disk_find(struct pgofs_cache_disk *d, const char *key, const char *version,
					  struct pgofs_stored *ret_stored)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *file = NULL;
	struct pgofs_stored stored;
	char name[KEY_SIZE];
	if (strlen(version) >= PGOFS_VERSION_SIZE)
		return NULL;
	name_file(d, key, name);
	if (pgofs_backend_get(d->files, name, NULL, d->max_bytes, &file, &stored, NULL) < 0)
		return NULL;
	if (!check_whole(file)) {
		atomic_fetch_add(&d->n_damaged, 1);
		pgofs_backend_remove(d->files, name, NULL);
		return NULL;
	}
	if (!decode(d, key, version, file, ret_stored))
		return NULL;
	touch(d, name, &stored);
	return STEAL(file);
}

void pgofs_cache_disk_forget(struct pgofs_cache_disk *d, const char *key)
{
	char name[KEY_SIZE];
	name_file(d, key, name);
	pgofs_backend_remove(d->files, name, NULL);
}

/* ---- The bound ---- */

struct scan {
	struct pgofs_cache_disk *disk;
	int64_t now_ns;
	uint64_t total_bytes;
	uint64_t by_age_bytes[N_AGES]; /* 0 is the youngest */
	unsigned oldest_kept;          /* second pass: what is older goes, while there is too much */
	uint64_t excess_bytes;
};

/* What a file takes on the disk, roughly. */
static uint64_t on_disk(uint64_t bytes)
{
	return (bytes + 4095) / 4096 * 4096 + 512;
}

/* Ages grow by an eighth from step to step: fine where it matters, and 1,024 of them reach back for ever. */
static unsigned age_of(const struct scan *s, const struct pgofs_stored *file)
{
	unsigned age = 0;
	uint64_t ms = s->now_ns > file->mtime_ns ? (uint64_t)(s->now_ns - file->mtime_ns) / 1000000 : 0;
	while (ms >= 16) {
		ms >>= 1;
		age += 8;
	}
	age += (unsigned)ms;
	return age < N_AGES ? age : N_AGES - 1;
}

/* "ab/" and the rest in hex. */
static bool is_ours(const char *name)
{
	return strlen(name) == NAME_LEN + 1 && name[2] == '/' && strspn(name, "0123456789abcdef") == 2 &&
	       strspn(name + 3, "0123456789abcdef") == NAME_LEN - 2;
}

static int sum_one(void *context, const struct pgofs_entry *e)
{
	struct scan *s = context;
	if (!is_ours(e->name))
		return 0;
	uint64_t bytes = on_disk(e->stored.size_bytes);
	s->total_bytes += bytes;
	s->by_age_bytes[age_of(s, &e->stored)] += bytes;
	return 0;
}

static int remove_old(void *context, const struct pgofs_entry *e)
{
	struct scan *s = context;
	char name[KEY_SIZE];
	if (!is_ours(e->name) || age_of(s, &e->stored) < s->oldest_kept)
		return 0;
	snprintf(name, sizeof name, OBJECTS "/%s", e->name);
	if (pgofs_backend_remove(s->disk->files, name, NULL) < 0)
		return 0;
	uint64_t bytes = on_disk(e->stored.size_bytes);
	s->total_bytes -= bytes;
	s->excess_bytes -= bytes < s->excess_bytes ? bytes : s->excess_bytes;
	return s->excess_bytes == 0;
}

static void remove_oldest(struct scan *s, uint64_t target_bytes)
{
	uint64_t older_bytes = 0;
	s->excess_bytes = s->total_bytes - target_bytes;
	s->oldest_kept = N_AGES;
	while (s->oldest_kept > 0 && older_bytes < s->excess_bytes)
		older_bytes += s->by_age_bytes[--s->oldest_kept];
	pgofs_backend_list(s->disk->files, OBJECTS, PGOFS_LIST_RECURSIVE, remove_old, s, NULL);
}

static void scan(struct pgofs_cache_disk *d, uint64_t needed_bytes)
{
	_cleanup_(pgofs_freep) struct scan *s = calloc(1, sizeof *s);
	if (!s || atomic_exchange(&d->scanning, true))
		return;
	atomic_store(&d->unscanned_bytes, 0);
	s->disk = d;
	s->now_ns = pgofs_now_ns();
	pgofs_backend_list(d->files, OBJECTS, PGOFS_LIST_RECURSIVE, sum_one, s, NULL);
	if (s->total_bytes + needed_bytes > d->max_bytes) {
		uint64_t target_bytes = d->max_bytes - d->max_bytes / 10;
		remove_oldest(s, target_bytes > needed_bytes ? target_bytes - needed_bytes : 0);
	}
	atomic_store(&d->known_bytes, s->total_bytes);
	atomic_store(&d->scanning, false);
}

static void make_room(struct pgofs_cache_disk *d, uint64_t bytes)
{
	if (atomic_load(&d->known_bytes) + bytes > d->max_bytes || atomic_load(&d->unscanned_bytes) > d->max_bytes / 8)
		scan(d, bytes);
	atomic_fetch_add(&d->known_bytes, bytes);
	atomic_fetch_add(&d->unscanned_bytes, bytes);
}

/* ---- Keeping ---- */

static void give_up_for_now(struct pgofs_cache_disk *d, const struct pgofs_error *err)
{
	atomic_store(&d->paused_until_ns, pgofs_monotonic_ns() + PAUSE_NS);
	if (!atomic_exchange(&d->said_so, true))
		pgofs_log(PGOFS_LOG_WARNING, "cannot write to the cache: going on without", "why", err->text);
}

void pgofs_cache_disk_keep(struct pgofs_cache_disk *d, const char *key, const struct pgofs_stored *stored,
			   const struct pgofs_bytes *bytes)
{
	uint64_t takes_bytes = on_disk(bytes->len + strlen(d->source) + strlen(key) + PGOFS_VERSION_SIZE + 64);
	if (takes_bytes > d->max_bytes / 4 || pgofs_monotonic_ns() < atomic_load(&d->paused_until_ns))
		return;

	_cleanup_(pgofs_buf_done) struct pgofs_buf file = PGOFS_BUF(takes_bytes);
	struct pgofs_error err = { "" };
	char name[KEY_SIZE];
	if (encode(d, key, stored, bytes, &file) < 0)
		return;
	make_room(d, takes_bytes);
	name_file(d, key, name);
	if (pgofs_backend_put(d->files, name, file.data, file.len, 0, NULL, &err) < 0)
		give_up_for_now(d, &err);
}

bool pgofs_cache_disk_used(const struct pgofs_cache_disk *d, uint64_t *ret_bytes)
{
	uint64_t bytes = atomic_load(&d->known_bytes);
	if (bytes >= UNKNOWN)
		return false;
	*ret_bytes = bytes;
	return true;
}

uint64_t pgofs_cache_disk_damaged(const struct pgofs_cache_disk *d)
{
	return atomic_load(&d->n_damaged);
}

/* ---- Life ---- */

static int open_files(const char *dir, struct pgofs_backend **ret, struct pgofs_error *err)
{
	/* What is in it may be secret where it comes from. */
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return pgofs_error_errno(err, -errno, "make directory %s", dir);
	int r = pgofs_local_open(dir, true, ret, err);
	return r < 0 ? r : pgofs_backend_probe(*ret, err);
}

int pgofs_cache_disk_new(const char *dir, uint64_t max_bytes, const char *source, struct pgofs_cache_disk **ret,
			 struct pgofs_error *err)
{
	struct pgofs_cache_disk *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->max_bytes = max_bytes;
	d->source = strdup(source);
	atomic_init(&d->known_bytes, UNKNOWN);
	int r = d->source ? open_files(dir, &d->files, err) : -ENOMEM;
	if (r < 0) {
		pgofs_cache_disk_free(d);
		return pgofs_error_wrap(err, r, "cache");
	}
	*ret = d;
	return 0;
}

void pgofs_cache_disk_free(struct pgofs_cache_disk *d)
{
	if (!d)
		return;
	pgofs_backend_free(d->files);
	free(d->source);
	free(d);
}
