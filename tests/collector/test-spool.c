/* The spool and what it writes with: bounds, order, and what a kill leaves. */
#include "place.h"
#include "spool.h"

#include <pgofs/log.h>
#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char top[] = "/tmp/pgofs-test-spool-XXXXXX";

static void setup(void)
{
	struct pgofs_log_config quiet = { .program = "test", .level = PGOFS_LOG_ERROR };
	pgofs_log_setup(&quiet);
	cr_assert(mkdtemp(top));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(spool, .init = setup, .fini = teardown);
TestSuite(place, .init = setup, .fini = teardown);

static struct spool *open_spool(bool on_disk, uint64_t max_bytes, int64_t max_age_ns)
{
	struct spool *s = NULL;
	struct pgofs_error err = { "" };
	struct spool_config config = { on_disk ? top : NULL, "/nowhere", max_bytes, on_disk ? 10 : max_bytes,
				       max_age_ns };
	cr_assert_eq(spool_open(&config, &s, &err), 0, "%s", err.text);
	return s;
}

static int add(struct spool *s, const char *app, const char *path, const char *text)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = pgofs_bytes_dup(text, strlen(text));
	return spool_add(s, app, path, bytes, NULL);
}

/* Takes one entry, demands that it is this path with these bytes, and ends it. */
static void expect(struct spool *s, const char *path, const char *text)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	const struct spool_entry *e = spool_take(s);
	cr_assert_not_null(e);
	cr_assert_str_eq(e->path, path);
	cr_assert_eq(spool_read(s, e, &bytes, NULL), 0);
	cr_assert_eq(bytes->len, strlen(text));
	cr_assert_arr_eq(bytes->data, text, bytes->len);
	spool_done(s, e);
}

static uint64_t count(struct spool *s)
{
	struct spool_stats stats;
	spool_stats(s, &stats);
	return stats.n;
}

static void in_order(bool on_disk)
{
	struct spool *s = open_spool(on_disk, 1000, 0);
	cr_assert_eq(add(s, "b", "b/2026/11/22/100000.000Z-x.pprof", "three"), 0);
	cr_assert_eq(add(s, "a", "a/2026/11/22/090000.000Z-x.pprof", "two"), 0);
	cr_assert_eq(add(s, "a", "a/2026/11/21/100000.000Z-x.pprof", "one"), 0);
	cr_assert_eq(add(s, "", "2027/01/01/000000.000Z-x.pprof", "four"), 0);
	expect(s, "a/2026/11/21/100000.000Z-x.pprof", "one");
	expect(s, "a/2026/11/22/090000.000Z-x.pprof", "two");
	expect(s, "b/2026/11/22/100000.000Z-x.pprof", "three");
	expect(s, "2027/01/01/000000.000Z-x.pprof", "four");
	cr_assert(spool_settled(s));
	spool_free(s);
}

Test(spool, delivers_in_the_order_of_time_from_memory)
{
	in_order(false);
}

Test(spool, delivers_in_the_order_of_time_from_disk_and_leaves_it_empty)
{
	in_order(true);
	cr_assert_eq(place_remove(AT_FDCWD, "/nonexistent/x"), 0);
	char path[64];
	snprintf(path, sizeof path, "%s/.lock", top);
	unlink(path);
	cr_assert_eq(rmdir(top), 0);
	cr_assert_eq(mkdir(top, 0700), 0);
}

Test(spool, finds_what_was_left_behind)
{
	struct spool *s = open_spool(true, 1000, 0);
	add(s, "a", "a/2026/11/22/100000.000Z-x.pprof", "one");
	add(s, "", "2026/11/22/110000.000Z-y.pprof", "two");
	const struct spool_entry *e = spool_take(s); /* killed while it is delivered */
	cr_assert_not_null(e);
	spool_free(s);

	char junk[128];
	snprintf(junk, sizeof junk, "%s/a/2026/11/22/.x.pprof.0123abcd.tmp", top); /* killed while it was written */
	cr_assert_geq(creat(junk, 0600), 0);
	s = open_spool(true, 1000, 0);
	cr_assert_eq(count(s), 2);
	cr_assert_eq(access(junk, F_OK), -1);
	expect(s, "a/2026/11/22/100000.000Z-x.pprof", "one");
	expect(s, "2026/11/22/110000.000Z-y.pprof", "two");
	spool_free(s);
}

/* Makes a file in the spool's directory, and the directories above it. */
static const char *make(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", top, name);
	for (char *slash = path + strlen(top) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	int fd = creat(path, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
	return path;
}

Test(spool, leaves_alone_what_is_not_its_own)
{
	const char *const names[] = { "notes/x.pprof",
				      ".x.pprof.0123abcd.tmp",
				      "notes/.x.pprof.0123abcd.tmp",
				      "a/2026/11/22/x.tmp",
				      "a/2026/11/22/.x.0123abcd.tmp",
				      "a/2026/11/22/.x.pprof.0123abc.tmp",
				      "a/2026/11/22/.x.pprof.0123abcg.tmp",
				      "a/2026/11/22/b/.x.pprof.0123abcd.tmp" };
	spool_free(open_spool(true, 1000, 0));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		make(names[i]);
	struct spool *s = open_spool(true, 1000, 0);
	cr_assert_eq(count(s), 0);
	spool_free(s);
	_cleanup_(pgofs_closep) int dir = open(top, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		cr_assert_eq(faccessat(dir, names[i], F_OK, 0), 0, "%s is gone", names[i]);
}

static void expect_refused(const char *into, const char *words)
{
	struct spool *s = NULL;
	struct pgofs_error err = { "" };
	struct spool_config config = { top, into, 100, 10, 0 };
	cr_assert_eq(spool_open(&config, &s, &err), -EINVAL, "into %s", into);
	cr_assert(strstr(err.text, words), "%s", err.text);
}

Test(spool, refuses_a_directory_of_somebody_elses)
{
	make("a/2026/11/22/100000.000Z-x.pprof");
	expect_refused("/nowhere", "files that no collector put there");
}

Test(spool, lies_neither_in_nor_around_where_profiles_go)
{
	char link[64], away[80], within[80], around[64];
	snprintf(link, sizeof link, "%s.link", top);
	snprintf(away, sizeof away, "%s/not/there", link);
	snprintf(within, sizeof within, "%s/app", top);
	snprintf(around, sizeof around, "%s/../../tmp", top);
	cr_assert_eq(symlink(top, link), 0);
	cr_assert_eq(mkdir(within, 0700), 0);
	const char *const places[] = { top, link, away, within, around };
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		expect_refused(places[i], "or one lies in the other");
	cr_assert_eq(unlink(link), 0);
	cr_assert_eq(rmdir(within), 0);
	struct spool_config beside = { top, strcat(around, "/not-there/app"), 100, 10, 0 };
	struct spool *s = NULL;
	cr_assert_eq(spool_open(&beside, &s, NULL), 0);
	spool_free(s);
}

Test(spool, drops_the_oldest_when_full)
{
	struct spool *s = open_spool(true, 10, 0);
	struct spool_stats stats;
	cr_assert_eq(add(s, "b", "b/2026/11/22/100000.000Z-x.pprof", "bbbb"), 0);
	cr_assert_eq(add(s, "a", "a/2026/11/22/110000.000Z-x.pprof", "aaaa"), 0);
	cr_assert_eq(add(s, "a", "a/2026/11/22/120000.000Z-x.pprof", "cccc"), 0);
	spool_stats(s, &stats);
	cr_assert_eq(stats.n, 2);
	cr_assert_eq(stats.bytes, 8);
	cr_assert_eq(stats.n_dropped_full, 1);
	cr_assert_eq(add(s, "a", "a/2026/11/22/130000.000Z-x.pprof", "12345678901"), -EFBIG);
	expect(s, "a/2026/11/22/110000.000Z-x.pprof", "aaaa");
	expect(s, "a/2026/11/22/120000.000Z-x.pprof", "cccc");
	spool_free(s);
}

Test(spool, holds_in_memory_what_the_disk_refuses)
{
	struct spool *s = open_spool(true, 1000, 0);
	struct spool_stats stats;
	const char *in_the_way = make("a"); /* a file where a directory should be */
	cr_assert_eq(add(s, "a", "a/2026/11/22/110000.000Z-x.pprof", "aaaa"), 1);
	const struct spool_entry *e = spool_take(s);
	cr_assert_eq(add(s, "a", "a/2026/11/22/120000.000Z-x.pprof", "bbbb"), 1);
	cr_assert_eq(add(s, "a", "a/2026/11/22/130000.000Z-x.pprof", "cccc"), 1);
	spool_stats(s, &stats);
	cr_assert_eq(stats.n_in_memory, 2, "%d are: ten bytes may be", (int)stats.n_in_memory);
	cr_assert_eq(stats.n_dropped_full, 1);
	spool_persist(s);
	spool_stats(s, &stats);
	cr_assert_eq(stats.n_in_memory, 2);

	cr_assert_eq(unlink(in_the_way), 0);
	cr_assert_eq(add(s, "b", "b/2026/11/22/140000.000Z-x.pprof", "dddd"), 0);
	spool_stats(s, &stats);
	cr_assert_eq(stats.n_in_memory, 1, "all but the one that is taken");
	spool_postpone(s, e);
	spool_persist(s);
	spool_stats(s, &stats);
	cr_assert_eq(stats.n_in_memory, 0);
	spool_free(s);
	s = open_spool(true, 1000, 0);
	expect(s, "a/2026/11/22/110000.000Z-x.pprof", "aaaa");
	expect(s, "a/2026/11/22/130000.000Z-x.pprof", "cccc");
	expect(s, "b/2026/11/22/140000.000Z-x.pprof", "dddd");
	spool_free(s);
}

Test(spool, does_not_drop_what_is_being_delivered)
{
	struct spool *s = open_spool(true, 10, 0);
	add(s, "a", "a/2026/11/22/110000.000Z-x.pprof", "aaaa");
	const struct spool_entry *e = spool_take(s);
	add(s, "a", "a/2026/11/22/120000.000Z-x.pprof", "bbbb");
	add(s, "a", "a/2026/11/22/130000.000Z-x.pprof", "cccc");
	cr_assert_eq(count(s), 2);
	cr_assert_str_eq(e->path, "a/2026/11/22/110000.000Z-x.pprof");
	spool_done(s, e);
	expect(s, "a/2026/11/22/130000.000Z-x.pprof", "cccc");
	spool_free(s);
}

Test(spool, drops_what_is_too_old_once_it_cannot_be_delivered)
{
	struct spool *s = open_spool(true, 100, PGOFS_NS_PER_DAY);
	struct spool_stats stats;
	add(s, "a", "a/2001/01/01/000000.000Z-x.pprof", "was");
	add(s, "a", "a/2001/01/02/000000.000Z-x.pprof", "old");
	add(s, "a", "a/2250/01/01/000000.000Z-x.pprof", "new");
	expect(s, "a/2001/01/01/000000.000Z-x.pprof", "was"); /* or the clock has jumped */
	spool_postpone(s, spool_take(s));
	expect(s, "a/2250/01/01/000000.000Z-x.pprof", "new");
	spool_stats(s, &stats);
	cr_assert_eq(stats.n_dropped_old, 1);
	spool_free(s);
}

Test(spool, holds_up_only_the_lane_that_failed)
{
	struct spool *s = open_spool(false, 100, 0);
	add(s, "a", "a/2026/11/22/110000.000Z-x.pprof", "one");
	add(s, "b", "b/2026/11/22/120000.000Z-x.pprof", "two");
	const struct spool_entry *e = spool_take(s);
	cr_assert_str_eq(e->path, "a/2026/11/22/110000.000Z-x.pprof");
	spool_postpone(s, e);
	expect(s, "b/2026/11/22/120000.000Z-x.pprof", "two");
	int64_t before = pgofs_monotonic_ns();
	expect(s, "a/2026/11/22/110000.000Z-x.pprof", "one");
	cr_assert(pgofs_monotonic_ns() - before > PGOFS_NS_PER_S / 2, "the lane was tried again at once");
	spool_free(s);
}

Test(spool, tries_each_lane_once_more_when_draining)
{
	struct spool *s = open_spool(false, 100, 0);
	add(s, "a", "a/2026/11/22/110000.000Z-x.pprof", "one");
	spool_postpone(s, spool_take(s));
	cr_assert_not(spool_settled(s));
	spool_drain(s);
	const struct spool_entry *e = spool_take(s);
	cr_assert_not(spool_settled(s));
	spool_postpone(s, e);
	cr_assert(spool_settled(s));
	spool_stop(s);
	cr_assert_null(spool_take(s));
	cr_assert_eq(count(s), 1);
	spool_free(s);
}

Test(spool, says_what_it_cannot_remove)
{
	cr_redirect_stderr();
	struct pgofs_log_config loud = { .program = "test", .level = PGOFS_LOG_WARNING };
	pgofs_log_setup(&loud);
	struct spool *s = open_spool(true, 100, 0);
	add(s, "", "2026/11/22/110000.000Z-x.pprof", "one");
	const struct spool_entry *e = spool_take(s);
	cr_assert_eq(unlink(make(e->path)), 0);
	make("2026/11/22/110000.000Z-x.pprof/file");
	spool_done(s, e);
	spool_free(s);
	fflush(stderr);
	char text[512] = "";
	cr_assert_gt(fread(text, 1, sizeof text - 1, cr_get_redirected_stderr()), 0);
	cr_assert(strstr(text, "profile not removed from the spool"), "%s", text);
}

Test(spool, belongs_to_one_process)
{
	struct spool *s = open_spool(true, 100, 0), *other = NULL;
	struct spool_config config = { top, "/nowhere", 100, 10, 0 };
	struct pgofs_error err = { "" };
	cr_assert_eq(spool_open(&config, &other, &err), -EBUSY);
	cr_assert(strstr(err.text, "another collector uses it"));
	spool_free(s);
}

Test(place, writes_once_and_never_replaces)
{
	_cleanup_(pgofs_closep) int root = open(top, O_RDONLY | O_DIRECTORY);
	struct pgofs_error err = { "" };
	cr_assert_eq(place_write(root, "a/b/x.pprof", "one", 3, &err), 0, "%s", err.text);
	cr_assert_eq(place_write(root, "a/b/x.pprof", "one", 3, &err), 0);
	cr_assert_eq(place_write(root, "a/b/x.pprof", "two", 3, &err), -EEXIST);
	cr_assert_eq(place_write(root, "a/b/x.pprof", "on", 2, &err), -EEXIST);
	cr_assert_eq(place_write(root, "a/b/x.pprof", "ones", 4, &err), -EEXIST);
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s/a/b/x.pprof", top);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_size, 3);
	cr_assert_eq(place_remove(root, "a/b/x.pprof"), 0);
	cr_assert_eq(faccessat(root, "a", F_OK, 0), -1);
}

/* The name of the only file in the directory a/b. */
static void only_name(int root, char ret[static NAME_MAX + 1])
{
	DIR *dir = fdopendir(openat(root, "a/b", O_RDONLY | O_DIRECTORY));
	for (const struct dirent *d; (d = readdir(dir));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			strcpy(ret, d->d_name);
	closedir(dir);
}

Test(place, touches_no_file_that_somebody_else_is_writing)
{
	_cleanup_(pgofs_closep) int root = open(top, O_RDONLY | O_DIRECTORY);
	struct rlimit little = { 1, RLIM_INFINITY };
	char name[NAME_MAX + 1], path[NAME_MAX + 8];
	pid_t killed = fork();
	if (killed == 0) { /* by SIGXFSZ, in the middle of a write */
		setrlimit(RLIMIT_FSIZE, &little);
		place_write(root, "a/b/x.pprof", "one", 3, NULL);
		_exit(1);
	}
	int status;
	cr_assert_eq(waitpid(killed, &status, 0), killed);
	cr_assert(WIFSIGNALED(status));
	only_name(root, name);
	cr_assert(place_is_unfinished(name), "%s", name);
	snprintf(path, sizeof path, "a/b/%s", name);
	_cleanup_(pgofs_closep) int other = openat(root, path, O_RDWR);
	cr_assert_eq(ftruncate(other, 0), 0);
	cr_assert_eq(write(other, "one", 3), 3);

	cr_assert_eq(place_write(root, "a/b/x.pprof", "one", 3, NULL), 0);
	struct stat st, now;
	cr_assert_eq(fstat(other, &st), 0);
	cr_assert_eq(fstatat(root, "a/b/x.pprof", &now, 0), 0);
	cr_assert_neq(st.st_ino, now.st_ino);
	only_name(root, name);
	cr_assert_str_eq(name, "x.pprof");
}

Test(place, leaves_nothing_behind_where_it_cannot_write)
{
	_cleanup_(pgofs_closep) int root = open(top, O_RDONLY | O_DIRECTORY);
	struct pgofs_error err = { "" };
	cr_assert_geq(openat(root, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), 0);
	cr_assert_eq(place_write(root, "file/x.pprof", "one", 3, &err), -ENOTDIR);
	cr_assert_eq(symlinkat("/tmp", root, "link"), 0);
	cr_assert_eq(place_write(root, "link/x.pprof", "one", 3, &err), -ENOTDIR);
	cr_assert_eq(access("/tmp/x.pprof", F_OK), -1);
}
