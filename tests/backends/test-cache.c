/* What a cache promises: it is asked instead of the storage, it is bounded, and it is never wrong. */
#include "../../backends/cache.h"
#include "faulty.h"
#include "scratch.h"

#include <pgofs/log.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MAX ((size_t)64 << 20)

static char dir[SCRATCH_SIZE];
static struct pgofs_backend *next, *cache;
static struct pgofs_error err;

/* A cache of its own before a storage of its own. */
static void open_cache(uint64_t memory_bytes, uint64_t dir_bytes)
{
	struct pgofs_cache_config config = { memory_bytes, dir_bytes ? dir : NULL, dir_bytes };
	struct pgofs_backend *memory;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, &err), 0, "%s", err.text);
	next = faulty_new(memory);
	cr_assert_eq(pgofs_cache_new(next, &config, &cache, &err), 0, "%s", err.text);
}

static void setup(void)
{
	scratch_make(dir);
}

static void teardown(void)
{
	pgofs_backend_free(cache);
	scratch_remove(dir);
}

TestSuite(cache, .init = setup, .fini = teardown, .timeout = 120);

/* ---- Short words ---- */

/* Puts behind the cache's back, so that it has to fetch. */
static struct pgofs_stored put_behind(const char *key, size_t len)
{
	struct pgofs_stored stored;
	_cleanup_(pgofs_freep) char *data = malloc(len);
	memset(data, key[strlen(key) - 1], len);
	cr_assert_eq(pgofs_backend_put(next, key, data, len, 0, &stored, &err), 0, "%s", err.text);
	return stored;
}

static void must_get(const char *key, const char *version, size_t len)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct pgofs_stored stored;
	cr_assert_eq(pgofs_backend_get(cache, key, version, MAX, &bytes, &stored, &err), 0, "%s", err.text);
	cr_assert_eq(bytes->len, len);
	cr_assert_eq(stored.size_bytes, len);
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(bytes->data[i], key[strlen(key) - 1]);
	if (version)
		cr_assert_str_eq(stored.version, version);
}

static uint64_t stat_of(const char *name)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf stats = PGOFS_BUF(1 << 16);
	unsigned long long n = 0;
	cr_assert_eq(pgofs_backend_stats(cache, &stats), 0);
	cr_assert_eq(pgofs_buf_append(&stats, "", 1), 0);
	const char *at = strstr((char *)stats.data, name);
	cr_assert_not_null(at, "no %s", name);
	sscanf(at + strlen(name), " %llu", &n);
	return n;
}

static uint64_t files_bytes, n_files;
static void (*with_each)(const char *path);

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type == FTW_F) {
		n_files++;
		files_bytes += (uint64_t)st->st_size;
		if (with_each)
			with_each(path);
	}
	return 0;
}

/* Calls `each` (nullable) for every file of the cache, and counts. */
static void each_file(void (*each)(const char *path))
{
	files_bytes = n_files = 0;
	with_each = each;
	nftw(dir, visit, 16, FTW_PHYS);
}

/* ---- Instead of the storage ---- */

static void must_fetch_once(void)
{
	struct pgofs_stored a = put_behind("app/a", 1000);
	for (int i = 0; i < 5; i++)
		must_get("app/a", a.version, 1000);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 1);
	cr_assert_eq(stat_of("cache_misses_total"), 1);
	cr_assert_eq(stat_of("cache_hit_bytes_total"), 4000);
	struct pgofs_bytes *bytes = NULL;
	cr_assert_eq(pgofs_backend_get(cache, "app/a", a.version, 999, &bytes, NULL, &err), -EFBIG);
	cr_assert_null(bytes);
}

Test(cache, a_version_is_fetched_once_into_memory)
{
	open_cache(1 << 20, 0);
	must_fetch_once();
	cr_assert_eq(stat_of("cache_memory_hits_total"), 5);
}

Test(cache, a_version_is_fetched_once_onto_the_disk)
{
	open_cache(0, 1 << 20);
	must_fetch_once();
	cr_assert_eq(stat_of("cache_disk_hits_total"), 5);
}

Test(cache, what_is_found_on_the_disk_moves_into_memory)
{
	open_cache(3000, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 1000), b = put_behind("app/b", 1000), c = put_behind("app/c", 1000);
	must_get("app/a", a.version, 1000);
	must_get("app/b", b.version, 1000);
	must_get("app/c", c.version, 1000); /* which takes the room of a */
	must_get("app/a", a.version, 1000);
	must_get("app/a", a.version, 1000);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 3);
	cr_assert_eq(stat_of("cache_disk_hits_total"), 1);
	cr_assert_eq(stat_of("cache_memory_hits_total"), 1);
}

Test(cache, who_names_no_version_is_sent_on)
{
	open_cache(1 << 20, 1 << 20);
	put_behind("app/a", 1000);
	must_get("app/a", NULL, 1000);
	must_get("app/a", NULL, 1000);
	struct pgofs_stored new = put_behind("app/a", 2000);
	must_get("app/a", NULL, 2000);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 3);
	must_get("app/a", new.version, 2000);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 3, "what was fetched so is kept all the same");
}

Test(cache, a_new_version_takes_the_place_of_the_old)
{
	open_cache(1 << 20, 1 << 20);
	struct pgofs_stored old = put_behind("app/a", 1000);
	must_get("app/a", old.version, 1000);
	struct pgofs_stored new = put_behind("app/a", 2000);
	must_get("app/a", new.version, 2000);
	each_file(NULL);
	cr_assert_eq(n_files, 1);
	cr_assert_lt(stat_of("cache_memory_bytes"), 2600);
}

Test(cache, what_was_put_need_not_be_fetched)
{
	open_cache(1 << 20, 0);
	struct pgofs_stored stored;
	cr_assert_eq(pgofs_backend_put(cache, "app/x", "xxx", 3, 0, &stored, &err), 0, "%s", err.text);
	must_get("app/x", stored.version, 3);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 0);
}

static void must_be(const char *key, const char *version, int want)
{
	struct pgofs_bytes *bytes = NULL;
	cr_assert_eq(pgofs_backend_get(cache, key, version, MAX, &bytes, NULL, &err), want, "%s", err.text);
	pgofs_bytes_unref(bytes);
}

Test(cache, what_changes_through_it_is_forgotten_at_once)
{
	open_cache(1 << 20, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 1000), b = put_behind("app/b", 1000), c = put_behind("app/c", 1000);
	struct pgofs_stored d = put_behind("app/d", 1000);
	int result;
	must_get("app/a", a.version, 1000);
	must_get("app/b", b.version, 1000);
	must_get("app/c", c.version, 1000);
	must_get("app/d", d.version, 1000);
	cr_assert_eq(pgofs_backend_put(cache, "app/a", "new", 3, 0, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_remove(cache, "app/b", &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_rename(cache, "app/a", "app/c", 0, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_remove_many(cache, (const char *const[]){ "app/d" }, 1, &result, &err), 0);
	must_be("app/a", a.version, -ENOENT);
	must_be("app/b", b.version, -ENOENT);
	must_be("app/c", c.version, -ESTALE);
	must_be("app/d", d.version, -ENOENT);
	each_file(NULL);
	cr_assert_eq(n_files, 0);

	struct pgofs_stored e = put_behind("app/e", 1000);
	must_get("app/e", e.version, 1000);
	cr_assert_eq(pgofs_backend_put(cache, "app/e", "new", 3, 0, NULL, &err), 0, "%s", err.text);
	must_be("app/e", e.version, -ESTALE);
}

Test(cache, a_failure_of_the_storage_is_told_and_not_kept)
{
	open_cache(1 << 20, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 1000);
	struct pgofs_bytes *bytes = NULL;
	faulty_rule(next, &(struct faulty_rule){ FAULTY_GET, .times = 1, .error = -ETIMEDOUT });
	cr_assert_eq(pgofs_backend_get(cache, "app/a", a.version, MAX, &bytes, NULL, &err), -ETIMEDOUT);
	cr_assert_str_eq(err.text, "get memory:/app/a: Connection timed out", "said once");
	must_get("app/a", a.version, 1000);
}

Test(cache, it_outlives_its_process_and_knows_its_storage)
{
	open_cache(0, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 1000), ignored;
	must_get("app/a", a.version, 1000);
	struct pgofs_cache_disk *same, *other;
	cr_assert_eq(pgofs_cache_disk_new(dir, 1 << 20, "memory:", &same, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_cache_disk_new(dir, 1 << 20, "s3://other", &other, &err), 0, "%s", err.text);
	struct pgofs_bytes *bytes = pgofs_cache_disk_find(same, "app/a", a.version, &ignored);
	cr_assert_not_null(bytes);
	cr_assert_null(pgofs_cache_disk_find(same, "app/a", "another", &ignored));
	cr_assert_null(pgofs_cache_disk_find(same, "app/b", a.version, &ignored));
	cr_assert_null(pgofs_cache_disk_find(other, "app/a", a.version, &ignored));
	pgofs_bytes_unref(bytes);
	pgofs_cache_disk_free(same);
	pgofs_cache_disk_free(other);
}

Test(cache, a_near_storage_has_none_unless_asked_and_options_are_told_apart)
{
	static char big[2000];
	struct pgofs_buf stats = PGOFS_BUF(1 << 16);
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &cache, &err), 0);
	cr_assert_eq(pgofs_backend_stats(cache, &stats), 0);
	cr_assert_eq(stats.len, 0);
	pgofs_backend_free(cache);
	cr_assert_eq(
	    pgofs_backend_open("memory:", (const char *const[]){ "memory-size=1KiB", "cache-memory=1MiB", NULL },
			       &cache, &err),
	    0, "%s", err.text);
	cr_assert_eq(stat_of("cache_misses_total"), 0);
	cr_assert_eq(pgofs_backend_put(cache, "a/b", big, 2000, 0, NULL, &err), -ENOSPC);
	struct pgofs_backend *none = NULL;
	cr_assert_eq(pgofs_backend_open("memory:", (const char *const[]){ "cache-size=many", NULL }, &none, &err),
		     -EINVAL);
	cr_assert_eq(pgofs_backend_open("memory:", (const char *const[]){ "cachesize=1", NULL }, &none, &err), -EINVAL);
	cr_assert_eq(pgofs_backend_open("memory:", (const char *const[]){ "cache=/nowhere/at/all", NULL }, &none, &err),
		     -ENOENT);
	cr_assert_not_null(strstr(err.text, "/nowhere/at/all"), "%s", err.text);
	const struct pgofs_option *table = pgofs_backend_options("memory:");
	cr_assert_not_null(pgofs_options_find(table, "memory-size", 11));
	cr_assert_not_null(pgofs_options_find(table, "cache-size", 10));
	cr_assert_null(pgofs_options_find(pgofs_backend_options("ftp://x"), "cache", 5));
	cr_assert_str_eq(pgofs_options_find(pgofs_backend_options("s3://b"), "cache-memory", 12)->initial, "64MiB");
}

/* ---- Bounded ---- */

Test(cache, memory_keeps_within_its_bound_what_was_used_last)
{
	char key[32];
	open_cache(100000, 0);
	struct pgofs_stored first = put_behind("app/a", 9000), other;
	must_get("app/a", first.version, 9000);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "app/%d", i);
		other = put_behind(key, 9000);
		must_get(key, other.version, 9000);
		must_get("app/a", first.version, 9000);
		cr_assert_leq(stat_of("cache_memory_bytes"), 100000);
	}
	cr_assert_eq(faulty_count(next, FAULTY_GET), 101, "what is used stays");
	cr_assert_gt(stat_of("cache_memory_bytes"), 80000);
	other = put_behind("app/z", 98000);
	must_get("app/z", other.version, 98000);
	must_get("app/a", first.version, 9000);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 102, "one large object does not push out the rest");
}

static void make_older(const char *path)
{
	struct stat st;
	stat(path, &st);
	st.st_mtim.tv_sec -= 100;
	utimensat(AT_FDCWD, path, (struct timespec[]){ st.st_mtim, st.st_mtim }, 0);
}

Test(cache, the_disk_keeps_within_its_bound_what_was_used_last)
{
	char key[32];
	open_cache(0, 1 << 20);
	struct pgofs_stored first = put_behind("app/a", 20000), other;
	must_get("app/a", first.version, 20000);
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "app/%d", i);
		other = put_behind(key, 20000);
		must_get(key, other.version, 20000);
		each_file(make_older);
		cr_assert_leq(files_bytes, 1 << 20);
		must_get("app/a", first.version, 20000);
	}
	cr_assert_gt(files_bytes, 1 << 19);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 201, "what is used stays: %u", faulty_count(next, FAULTY_GET));
}

Test(cache, a_full_directory_is_trimmed_by_whoever_comes)
{
	char key[32];
	open_cache(0, 16 << 20);
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "app/%d", i);
		must_get(key, put_behind(key, 20000).version, 20000);
	}
	each_file(NULL);
	cr_assert_eq(n_files, 200);
	pgofs_backend_free(cache);
	open_cache(0, 1 << 20);
	must_get("app/a", put_behind("app/a", 10).version, 10);
	each_file(NULL);
	cr_assert_leq(files_bytes, 1 << 20);
	cr_assert_gt(n_files, 20);
}

Test(cache, files_of_others_in_its_directory_stay)
{
	char paths[2][SCRATCH_SIZE + 32], key[32];
	snprintf(paths[0], sizeof paths[0], "%s/objects", dir);
	cr_assert_eq(mkdir(paths[0], 0755), 0);
	snprintf(paths[0], sizeof paths[0], "%s/thesis.txt", dir);
	snprintf(paths[1], sizeof paths[1], "%s/objects/thesis.txt", dir);
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(paths[i], "w");
		fputs("years of work", f);
		fclose(f);
		make_older(paths[i]);
	}
	open_cache(0, 200000);
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof key, "app/%d", i);
		must_get(key, put_behind(key, 20000).version, 20000);
	}
	cr_assert_eq(access(paths[0], F_OK), 0);
	cr_assert_eq(access(paths[1], F_OK), 0);
}

/* ---- Never wrong ---- */

static long flip_at;

static void flip(const char *path)
{
	struct stat st;
	unsigned char byte;
	int fd = open(path, O_RDWR);
	fstat(fd, &st);
	long at = flip_at < st.st_size ? flip_at : st.st_size - 1;
	cr_assert_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 0x20;
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

Test(cache, a_damaged_file_is_fetched_again)
{
	open_cache(0, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 300);
	must_get("app/a", a.version, 300);
	for (flip_at = 0; flip_at < 400; flip_at++) {
		each_file(flip);
		cr_assert_eq(n_files, 1);
		must_get("app/a", a.version, 300);
		cr_assert_eq(faulty_count(next, FAULTY_GET), 2 + flip_at);
	}
	cr_assert_eq(stat_of("cache_disk_damaged_total"), 400);
}

static void cut(const char *path)
{
	cr_assert_eq(truncate(path, flip_at), 0);
}

static void fill_with_zeros(const char *path)
{
	struct stat st;
	stat(path, &st);
	cr_assert_eq(truncate(path, 0), 0);
	cr_assert_eq(truncate(path, st.st_size), 0);
}

/* What a power failure leaves of a file that was never synced. */
Test(cache, a_file_that_lost_its_bytes_is_fetched_again)
{
	open_cache(0, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 300);
	must_get("app/a", a.version, 300);
	for (flip_at = 0; flip_at < 360; flip_at += 7) {
		each_file(cut);
		must_get("app/a", a.version, 300);
	}
	each_file(fill_with_zeros);
	must_get("app/a", a.version, 300);
	cr_assert_eq(faulty_count(next, FAULTY_GET), 2 + 52);
}

static void get_until_killed(unsigned seed)
{
	struct pgofs_cache_disk *d;
	struct pgofs_error e;
	struct pgofs_stored stored = { .version = "v" };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pgofs_cache_disk_new(dir, 2 << 20, "s3://b", &d, &e) < 0)
		_exit(1);
	for (unsigned i = seed;; i++) {
		char key[32];
		size_t len = 50000 + i % 20 * 1000;
		snprintf(key, sizeof key, "app/%u", i % 64);
		struct pgofs_bytes *bytes = pgofs_cache_disk_find(d, key, "v", &stored);
		if (bytes && (bytes->data[0] != (uint8_t)(bytes->len / 1000) ||
			      memcmp(bytes->data, bytes->data + 1, bytes->len - 1) != 0))
			_exit(2);
		if (!bytes) {
			struct pgofs_buf b = PGOFS_BUF(len);
			pgofs_buf_reserve(&b, len);
			memset(b.data, (int)(len / 1000), len);
			b.len = len;
			bytes = pgofs_bytes_consume_buf(&b);
			stored.size_bytes = len;
			pgofs_cache_disk_keep(d, key, &stored, bytes);
		}
		pgofs_bytes_unref(bytes);
	}
}

Test(cache, mounts_that_share_a_directory_and_are_killed_harm_nobody)
{
	pid_t pids[3];
	int status;
	for (unsigned i = 0; i < 3; i++)
		if ((pids[i] = fork()) == 0)
			get_until_killed(i * 1000);
	for (unsigned round = 0; round < 30; round++) {
		usleep(20000);
		unsigned i = round % 3;
		kill(pids[i], SIGKILL);
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert(WIFSIGNALED(status), "wrong bytes: exit %d", WEXITSTATUS(status));
		if ((pids[i] = fork()) == 0)
			get_until_killed(round * 77);
	}
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	each_file(NULL);
	/* Each of three may be ahead of the others' scans by an eighth. */
	cr_assert_leq(files_bytes, (2 << 20) * 14 / 8, "%llu", (unsigned long long)files_bytes);
}

/* ---- A bad disk ---- */

Test(cache, a_full_disk_is_one_line_in_the_log_and_no_failure)
{
	char key[32], log[4096] = "";
	int pipes[2];
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=256k") < 0)
		cr_skip_test("mounting a tmpfs takes root");
	cr_assert_eq(pipe(pipes), 0);
	int err_fd = dup(2);
	dup2(pipes[1], 2);
	open_cache(0, 16 << 20);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 50; i++) {
			snprintf(key, sizeof key, "app/%d", i);
			must_get(key, put_behind(key, 20000).version, 20000);
		}
	dup2(err_fd, 2);
	ssize_t len = read(pipes[0], log, sizeof log - 1);
	cr_assert_gt(len, 0);
	cr_assert_not_null(strstr(log, "No space left"), "%s", log);
	cr_assert_eq(strchr(log, '\n') + 1 - log, len, "more than a line: %s", log);
	pgofs_backend_free(cache);
	cache = NULL;
	umount2(dir, MNT_DETACH);
}

Test(cache, a_directory_that_is_taken_away_is_no_failure)
{
	open_cache(0, 1 << 20);
	struct pgofs_stored a = put_behind("app/a", 300);
	must_get("app/a", a.version, 300);
	scratch_remove(dir);
	must_get("app/a", a.version, 300);
	must_get("app/a", a.version, 300);
}
