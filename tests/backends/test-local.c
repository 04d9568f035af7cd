/* What a directory promises beyond the contract: nothing outside it, nothing half, nothing left behind. */
#include "fakesys.h"
#include "scratch.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define DAY "app/2026/11/22"
#define MAX ((size_t)64 << 20)

static char root[SCRATCH_SIZE];
static struct pgofs_backend *store;
static struct pgofs_error err;

static void setup(void)
{
	scratch_make(root);
	cr_assert_eq(pgofs_backend_open(root, NULL, &store, &err), 0, "%s", err.text);
}

static void teardown(void)
{
	pgofs_backend_free(store);
	scratch_remove(root);
}

TestSuite(local, .init = setup, .fini = teardown, .timeout = 120);

/* ---- Short words ---- */

/* A path under the root, good until the fourth call after. */
static const char *at(const char *format, ...)
{
	static char paths[4][SCRATCH_SIZE * 2];
	static unsigned next;
	char below[SCRATCH_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(below, sizeof below, format, args);
	va_end(args);
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", root, below);
	return path;
}

static int put(const char *key, const char *text, unsigned flags)
{
	return pgofs_backend_put(store, key, text, strlen(text), flags, NULL, &err);
}

static void must_put(const char *key, const char *text)
{
	cr_assert_eq(put(key, text, 0), 0, "%s", err.text);
}

static int get(const char *key, char *text, size_t size)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int r = pgofs_backend_get(store, key, NULL, size - 1, &bytes, NULL, &err);
	if (r < 0)
		return r;
	if (bytes->len)
		memcpy(text, bytes->data, bytes->len);
	text[bytes->len] = '\0';
	return 0;
}

static void must_hold(const char *key, const char *text)
{
	char is[256];
	cr_assert_eq(get(key, is, sizeof is), 0, "%s", err.text);
	cr_assert_str_eq(is, text);
}

static int append_name(void *context, const struct pgofs_entry *e)
{
	return pgofs_buf_printf(context, "%s%s\n", e->name, e->is_dir ? "/" : "");
}

static void must_list(const char *dir, unsigned flags, const char *names)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf is = PGOFS_BUF(1 << 20);
	cr_assert_eq(pgofs_backend_list(store, dir, flags, append_name, &is, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_buf_append(&is, "", 1), 0);
	cr_assert_str_eq((char *)is.data, names);
}

static int n_temporaries(void)
{
	int n = 0;
	DIR *d = opendir(at(LOCAL_TEMP_DIR));
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	cr_assert_not_null(f, "%s", path);
	fputs(text, f);
	fclose(f);
}

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- The place ---- */

static struct pgofs_backend *open_at(const char *path)
{
	struct pgofs_backend *b = NULL;
	cr_assert_eq(pgofs_backend_open(path, NULL, &b, &err), 0, "%s", err.text);
	return b;
}

Test(local, a_missing_directory_is_said_and_not_made)
{
	struct pgofs_backend *b = open_at(at("absent"));
	cr_assert_eq(pgofs_backend_probe(b, &err), -ENOENT);
	cr_assert_not_null(strstr(err.text, "no such directory"), "%s", err.text);
	cr_assert_eq(pgofs_backend_put(b, "a/b", "x", 1, 0, NULL, &err), -ENOENT);
	cr_assert_eq(pgofs_backend_list(b, "", 0, append_name, NULL, &err), -ENOENT);
	cr_assert_not(exists(at("absent")));
	cr_assert_eq(mkdir(at("absent"), 0755), 0);
	cr_assert_eq(pgofs_backend_probe(b, &err), 0, "it may come later: %s", err.text);
	pgofs_backend_free(b);
}

Test(local, a_file_is_no_storage)
{
	write_file(at("file"), "x");
	struct pgofs_backend *b = open_at(at("file"));
	cr_assert_eq(pgofs_backend_probe(b, &err), -ENOTDIR);
	pgofs_backend_free(b);
}

Test(local, what_is_no_path_is_refused)
{
	struct pgofs_backend *b = NULL;
	cr_assert_eq(pgofs_backend_open("", NULL, &b, &err), -EINVAL);
	cr_assert_eq(pgofs_backend_open("ftp://host/x", NULL, &b, &err), -EINVAL);
	cr_assert_eq(pgofs_backend_open(root, (const char *const[]){ "color=red", NULL }, &b, &err), -EINVAL);
	cr_assert_not_null(strstr(err.text, "color"), "%s", err.text);
}

Test(local, a_relative_path_keeps_its_meaning)
{
	cr_assert_eq(mkdir(at("sub"), 0755), 0);
	cr_assert_eq(chdir(root), 0);
	struct pgofs_backend *b = open_at("sub//");
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(pgofs_backend_put(b, "a/b", "x", 1, 0, NULL, &err), 0, "%s", err.text);
	cr_assert(exists(at("sub/a/b")));
	cr_assert_str_eq(pgofs_backend_name(b), at("sub"));
	pgofs_backend_free(b);
}

Test(local, modes_follow_the_umask)
{
	struct stat st;
	umask(027);
	must_put(DAY "/a", "x");
	cr_assert_eq(stat(at(DAY "/a"), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(stat(at(DAY), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0750);
}

/* ---- What is not an object ---- */

Test(local, symbolic_links_are_neither_followed_nor_shown_nor_touched)
{
	char outside[SCRATCH_SIZE], path[SCRATCH_SIZE * 2], text[64];
	scratch_make(outside);
	snprintf(path, sizeof path, "%s/secret", outside);
	write_file(path, "secret");
	must_put("app/real", "x");
	cr_assert_eq(symlink(outside, at("app/out")), 0);
	cr_assert_eq(symlink(path, at("app/link")), 0);
	cr_assert_eq(symlink("real", at("app/inside")), 0);
	cr_assert_eq(symlink("nowhere", at("app/dangling")), 0);

	must_list("app", 0, "real\n");
	must_list("", PGOFS_LIST_RECURSIVE, "app/real\n");
	must_list("app/out", 0, "");
	must_list("app/out", PGOFS_LIST_RECURSIVE, "");
	static const char *const keys[] = { "app/out/secret", "app/link", "app/inside", "app/dangling", "app/out" };
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(get(keys[i], text, sizeof text), -ENOENT, "get %s", keys[i]);
		cr_assert_eq(pgofs_backend_remove(store, keys[i], &err), -ENOENT, "remove %s", keys[i]);
		cr_assert_eq(pgofs_backend_rename(store, keys[i], "app/x", 0, NULL, &err), -ENOENT, "rename %s",
			     keys[i]);
		cr_assert_eq(pgofs_backend_remove_dir(store, keys[i], &err), 0, "remove dir %s", keys[i]);
		int r = put(keys[i], "y", 0);
		cr_assert(r == -EACCES || r == -ENOTDIR, "put %s: %d", keys[i], r);
		r = put(keys[i], "y", PGOFS_PUT_NEW);
		cr_assert(r == -EACCES || r == -ENOTDIR, "put new %s: %d", keys[i], r);
		r = pgofs_backend_rename(store, "app/real", keys[i], 0, NULL, &err);
		cr_assert(r == -EACCES || r == -ENOTDIR, "rename to %s: %d", keys[i], r);
	}
	cr_assert(exists(path));
	cr_assert(exists(at("app/dangling")));
	must_hold("app/real", "x");
	cr_assert_eq(n_temporaries(), 0);
	unlink(path);
	cr_assert_eq(rmdir(outside), 0, "nothing was made outside");
}

Test(local, a_fifo_or_a_socket_hangs_nobody)
{
	char text[64];
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "app/socket" };
	must_put("app/real", "x");
	cr_assert_eq(mkfifo(at("app/fifo"), 0644), 0);
	cr_assert_eq(chdir(root), 0);
	_cleanup_(pgofs_closep) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	must_list("app", 0, "real\n");
	must_list("app", PGOFS_LIST_RECURSIVE, "real\n");
	static const char *const keys[] = { "app/fifo", "app/socket" };
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(get(keys[i], text, sizeof text), -ENOENT);
		cr_assert_eq(put(keys[i], "x", 0), -EACCES);
		cr_assert_eq(pgofs_backend_remove(store, keys[i], &err), -ENOENT);
	}
}

Test(local, a_key_through_a_file_or_onto_a_directory_is_refused)
{
	must_put("app/file", "x");
	must_put("app/dir/y", "x");
	cr_assert_eq(put("app/file/y", "x", 0), -ENOTDIR);
	cr_assert_eq(put("app/dir", "x", 0), -EISDIR);
	cr_assert_eq(put("app/dir", "x", PGOFS_PUT_NEW), -EISDIR);
	must_hold("app/file", "x");
	must_hold("app/dir/y", "x");
	cr_assert_eq(n_temporaries(), 0);
}

Test(local, its_own_directory_shows_only_what_callers_keep_there)
{
	must_put("app/a", "x");
	cr_assert(exists(at(LOCAL_TEMP_DIR)));
	cr_assert_eq(mkdir(at("lost+found"), 0700), 0);
	write_file(at(LOCAL_TEMP_DIR "/half"), "ha");
	must_list("", 0, "app/\n");
	must_put(".pgofs/rollup/1", "r");
	must_list("", 0, ".pgofs/\napp/\n");
	must_list(".pgofs", 0, "rollup/\n");
	must_list(".pgofs", PGOFS_LIST_RECURSIVE, "rollup/1\n");
	must_list(LOCAL_TEMP_DIR, 0, "");
	char text[64];
	cr_assert_eq(get(LOCAL_TEMP_DIR "/half", text, sizeof text), -ENOENT);
	cr_assert_eq(put(LOCAL_TEMP_DIR "/x", "x", 0), -EINVAL);
	cr_assert_eq(pgofs_backend_rename(store, "app/a", LOCAL_TEMP_DIR "/x", 0, NULL, &err), -EINVAL);
	cr_assert_eq(pgofs_backend_remove(store, LOCAL_TEMP_DIR "/half", &err), -ENOENT);
	cr_assert_eq(pgofs_backend_remove(store, ".pgofs/rollup/1", &err), 0);
	must_list("", 0, "app/\n");
}

Test(local, an_empty_directory_somebody_made_can_be_removed)
{
	must_put("app/a", "x");
	cr_assert_eq(mkdir(at("app/empty"), 0755), 0);
	cr_assert_eq(pgofs_backend_remove_dir(store, "app/empty", &err), 0);
	cr_assert_not(exists(at("app/empty")));
	cr_assert_eq(pgofs_backend_remove_dir(store, "app", &err), -ENOTEMPTY);
}

Test(local, two_names_of_one_file_are_one_after_a_rename)
{
	must_put(DAY "/a", "x");
	cr_assert_eq(link(at(DAY "/a"), at(DAY "/b")), 0);
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", DAY "/b", PGOFS_PUT_NEW, NULL, &err), -EEXIST);
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", DAY "/b", 0, NULL, &err), 0, "%s", err.text);
	must_list(DAY, 0, "b\n");
	must_hold(DAY "/b", "x");
}

Test(local, paths_too_long_for_a_key_are_not_shown)
{
	char segment[251], dir[1100] = "";
	memset(segment, 'd', 250);
	segment[250] = '\0';
	cr_assert_eq(chdir(root), 0);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(mkdir(segment, 0755), 0);
		cr_assert_eq(chdir(segment), 0);
		snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "%s%s", i ? "/" : "", segment);
	}
	write_file("12345678901234567890", "1,024 in all");
	write_file("123456789012345678901", "one more");
	must_list(dir, 0, "12345678901234567890\n");
	struct pgofs_buf all = PGOFS_BUF(1 << 16);
	cr_assert_eq(pgofs_backend_list(store, "", PGOFS_LIST_RECURSIVE, append_name, &all, &err), 0);
	cr_assert_eq(all.len, 1025);
	pgofs_buf_done(&all);
	cr_assert_eq(chdir("/"), 0);
}

/* ---- Changes by others ---- */

Test(local, bytes_changed_in_place_under_an_old_time_are_another_version)
{
	struct pgofs_stored before, after;
	struct pgofs_bytes *bytes = NULL;
	struct stat st;
	cr_assert_eq(pgofs_backend_put(store, DAY "/a", "one", 3, 0, &before, &err), 0, "%s", err.text);
	cr_assert_eq(stat(at(DAY "/a"), &st), 0);
	usleep(20000); /* the kernel's clock ticks every few milliseconds */
	write_file(at(DAY "/a"), "two");
	cr_assert_eq(utimensat(AT_FDCWD, at(DAY "/a"), (struct timespec[]){ st.st_atim, st.st_mtim }, 0), 0);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", before.version, MAX, &bytes, NULL, &err), -ESTALE);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", NULL, MAX, &bytes, &after, &err), 0, "%s", err.text);
	cr_assert_eq(before.mtime_ns, after.mtime_ns);
	pgofs_bytes_unref(bytes);
}

static int n_changes;
static const char *change_to;

static void change_while_read(enum fakesys_call call, int fd)
{
	if (call != FAKESYS_READ || n_changes == 0)
		return;
	n_changes--;
	write_file(at(DAY "/a"), change_to);
}

Test(local, a_file_that_changes_while_it_is_read_is_read_again_and_then_stale)
{
	static const char *const texts[] = { "same size", "short", "much longer than it was before", "" };
	for (int i = 0; i < 4; i++) {
		char text[64];
		change_to = texts[i];
		must_put(DAY "/a", "old bytes");
		fakesys_use(store, &(struct fakesys){ .before = change_while_read });
		n_changes = 1;
		cr_assert_eq(get(DAY "/a", text, sizeof text), 0, "%s", err.text);
		cr_assert_str_eq(text, texts[i]);
		must_put(DAY "/a", "old bytes, and more");
		n_changes = 1000000;
		int r = get(DAY "/a", text, sizeof text);
		/* The same text written again is seen only where the clock moved on. */
		cr_assert(r == -ESTALE || (r == 0 && !strcmp(text, texts[i])), "%d %s", r, text);
		n_changes = 0;
	}
}

static void replace_while_read(enum fakesys_call call, int fd)
{
	if (call == FAKESYS_READ)
		must_put(DAY "/a", "new");
}

Test(local, a_file_that_is_replaced_while_it_is_read_is_read_to_its_end)
{
	char text[64];
	must_put(DAY "/a", "old bytes");
	fakesys_use(store, &(struct fakesys){ .before = replace_while_read });
	usleep(20000); /* so that its ctime differs */
	cr_assert_eq(get(DAY "/a", text, sizeof text), 0, "%s", err.text);
	cr_assert_str_eq(text, "old bytes");
}

/* ---- Failing disks ---- */

struct fault {
	enum fakesys_call call;
	int nth;
	int error;
	bool replaced_may_be_new; /* it failed after the new bytes had taken their place */
};

static const struct fault faults[] = {
	{ FAKESYS_WRITE, 1, ENOSPC, false }, { FAKESYS_WRITE, 1, EDQUOT, false },  { FAKESYS_WRITE, 3, EIO, false },
	{ FAKESYS_FSYNC, 1, EIO, false },    { FAKESYS_FSYNC, 1, ENOSPC, false },  { FAKESYS_FSYNC, 2, EIO, true },
	{ FAKESYS_RENAME, 1, EIO, false },   { FAKESYS_RENAME, 1, ENOSPC, false }, { FAKESYS_RENAME, 1, EXDEV, false },
};

Test(local, a_failure_is_told_and_leaves_what_was_there)
{
	must_put(DAY "/old", "old");
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		const struct fault *f = &faults[i];
		struct fakesys fake = { .call = f->call, .nth = f->nth, .error = f->error, .slow = true };
		_cleanup_(pgofs_freep) char *big = calloc(1, 100000);
		char text[200000];

		memset(big, 'n', 99999);
		fakesys_use(store, &fake);
		cr_assert_eq(put(DAY "/new", big, PGOFS_PUT_NEW), -f->error, "fault %zu: %s", i, err.text);
		cr_assert_not_null(strstr(err.text, strerror(f->error)), "%s", err.text);
		fakesys_use(store, &(struct fakesys){ 0 });
		cr_assert_eq(get(DAY "/new", text, sizeof text), -ENOENT, "fault %zu", i);

		fakesys_use(store, &fake);
		cr_assert_eq(put(DAY "/old", big, 0), -f->error, "fault %zu: %s", i, err.text);
		fakesys_use(store, &(struct fakesys){ 0 });
		cr_assert_eq(get(DAY "/old", text, sizeof text), 0, "%s", err.text);
		cr_assert(!strcmp(text, "old") || (f->replaced_may_be_new && !strcmp(text, big)), "fault %zu", i);
		must_put(DAY "/old", "old");
		must_list("", PGOFS_LIST_RECURSIVE, DAY "/old\n");
		cr_assert_eq(n_temporaries(), 0, "fault %zu", i);
	}
}

Test(local, a_directory_that_cannot_be_made_leaves_none_half_way)
{
	must_put("other/x", "x");
	fakesys_use(store, &(struct fakesys){ .call = FAKESYS_RENAME, .nth = 1, .error = EDQUOT });
	cr_assert_eq(put(DAY "/a", "x", 0), -EDQUOT);
	must_list("", 0, "other/\n");
	/* Two for the temporary's directory, which are there; then app, 2026, 11, 22. */
	fakesys_use(store, &(struct fakesys){ .call = FAKESYS_MKDIR, .nth = 5, .error = ENOSPC });
	cr_assert_eq(put(DAY "/a", "x", 0), -ENOSPC);
	cr_assert_not_null(strstr(err.text, "make directory"), "%s", err.text);
	must_list("", 0, "other/\n");
	cr_assert_eq(n_temporaries(), 0);
}

Test(local, a_failing_link_on_an_old_filesystem_is_told)
{
	fakesys_use(store, &(struct fakesys){ .call = FAKESYS_LINK, .nth = 1, .error = EMLINK, .old = true });
	cr_assert_eq(put(DAY "/a", "x", PGOFS_PUT_NEW), -EMLINK);
	must_list("", 0, "");
	cr_assert_eq(n_temporaries(), 0);
}

static void put_by_another(enum fakesys_call call, int fd)
{
	struct stat st;
	if (call != FAKESYS_FSYNC || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || !exists(at(DAY "/new")))
		return;
	write_file(at("theirs"), "theirs");
	cr_assert_eq(rename(at("theirs"), at(DAY "/new")), 0);
}

Test(local, a_put_that_fails_late_takes_only_its_own_away)
{
	must_put(DAY "/old", "old");
	fakesys_use(store,
		    &(struct fakesys){ .call = FAKESYS_FSYNC, .nth = 2, .error = EIO, .before = put_by_another });
	cr_assert_eq(put(DAY "/new", "ours", PGOFS_PUT_NEW), -EIO);
	must_hold(DAY "/new", "theirs");
}

/* ---- The order of things on the disk ---- */

static char calls[256];

static void record(enum fakesys_call call, int fd)
{
	static const char letters[FAKESYS_N] = "rwsmlk";
	struct stat st;
	size_t len = strlen(calls);
	fstat(fd, &st);
	calls[len] = call == FAKESYS_FSYNC && S_ISDIR(st.st_mode) ? 'S' : letters[call];
	calls[len + 1] = '\0';
}

/* w write, s sync of the file, k make directory, S sync of a directory, m move. */
Test(local, nothing_gets_its_key_before_it_is_on_the_disk)
{
	must_put("other/x", "x");
	fakesys_use(store, &(struct fakesys){ .before = record });
	must_put(DAY "/a", "x");
	cr_assert_str_eq(calls,
			 "kk"
			 "ws"
			 "kSkSkSkS"
			 "mS",
			 "%s", calls);
	calls[0] = '\0';
	must_put(DAY "/b", "x");
	cr_assert_str_eq(calls,
			 "kk"
			 "ws"
			 "kkkk"
			 "mS",
			 "%s", calls);
	calls[0] = '\0';
	cr_assert_eq(pgofs_backend_rename(store, DAY "/b", DAY "/c", 0, NULL, &err), 0, "%s", err.text);
	cr_assert_str_eq(calls,
			 "kkkk"
			 "mSS",
			 "%s", calls);
}

/* ---- Crashes and neighbours ---- */

static struct pgofs_backend *neighbour;

static void sweep_by_neighbour(enum fakesys_call call, int fd)
{
	if (call == FAKESYS_WRITE || call == FAKESYS_FSYNC || call == FAKESYS_RENAME)
		cr_assert_eq(pgofs_backend_probe(neighbour, NULL), 0);
}

Test(local, a_sweep_takes_what_is_dead_and_nothing_alive)
{
	must_put("other/x", "x");
	write_file(at(LOCAL_TEMP_DIR "/dead"), "half a prof");
	cr_assert_eq(n_temporaries(), 1);
	neighbour = open_at(root);
	fakesys_use(store, &(struct fakesys){ .before = sweep_by_neighbour });
	must_put(DAY "/a", "alive");
	must_hold(DAY "/a", "alive");
	cr_assert_eq(n_temporaries(), 0);
	pgofs_backend_free(neighbour);
}

static int n_clears;

static void clear_own_dir(enum fakesys_call call, int fd)
{
	if (call == FAKESYS_FSYNC && n_clears-- > 0)
		scratch_remove(at(LOCAL_OWN_DIR));
}

Test(local, its_own_directory_may_be_deleted_at_any_time)
{
	must_put("other/x", "x");
	n_clears = 1;
	fakesys_use(store, &(struct fakesys){ .before = clear_own_dir });
	must_put(DAY "/a", "x");
	must_hold(DAY "/a", "x");
	n_clears = 1000;
	int r = put(DAY "/b", "x", 0);
	cr_assert(r == -EIO || r == -ENOENT, "somebody who never stops: %d", r);
}

static int n_takes;

/* As a removal elsewhere that emptied it. */
static void take_directories(enum fakesys_call call, int fd)
{
	if ((call != FAKESYS_RENAME && call != FAKESYS_MKDIR) || n_takes == 0)
		return;
	n_takes--;
	rmdir(at(DAY));
	rmdir(at("app/2026/11"));
	rmdir(at("app/2026"));
}

Test(local, directories_taken_from_under_a_put_are_made_again)
{
	struct pgofs_stored stored;
	must_put("other/x", "x");
	for (int n = 1; n < 40; n++) {
		fakesys_use(store, &(struct fakesys){ .before = take_directories });
		n_takes = n;
		cr_assert_eq(put(DAY "/a", "x", PGOFS_PUT_NEW), 0, "%d: %s", n, err.text);
		cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), 0, "%s", err.text);
		n_takes = n;
		cr_assert_eq(pgofs_backend_rename(store, "other/x", DAY "/x", 0, &stored, &err), 0, "%d: %s", n,
			     err.text);
		cr_assert_eq(pgofs_backend_rename(store, DAY "/x", "other/x", 0, &stored, &err), 0, "%s", err.text);
	}
	n_takes = 3;
	cr_assert_eq(put("other/x", "y", PGOFS_PUT_NEW), -EEXIST);
	cr_assert_not_null(strstr(err.text, "File exists"), "%s", err.text);
}

#define PUT_BYTES 300000

#define KILLS_MIN 60
#define KILLS_MAX 2000

static void write_until_killed(unsigned seed)
{
	static char data[PUT_BYTES];
	struct pgofs_backend *b;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pgofs_backend_open(root, NULL, &b, NULL) < 0)
		_exit(1);
	for (unsigned i = seed;; i++) {
		char key[64];
		size_t len = PUT_BYTES - i % 7 * 10000;
		memset(data, 'a' + (int)(i % 26), len);
		snprintf(key, sizeof key, "app/2026/11/%02u/%u", 1 + i % 5, i % 9);
		if (pgofs_backend_put(b, key, data, len, 0, NULL, NULL) < 0)
			_exit(1);
		if (i % 4 == 0)
			pgofs_backend_remove(b, key, NULL);
	}
}

static int must_be_whole(void *context, const struct pgofs_entry *e)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int *n = context;
	int r = pgofs_backend_get(store, e->name, NULL, MAX, &bytes, NULL, &err);
	if (r == -ENOENT)
		return 0;
	cr_assert_eq(r, 0, "%s", err.text);
	cr_assert_eq(bytes->len % 10000, 0, "%s has %zu bytes", e->name, bytes->len);
	cr_assert_geq(bytes->len, PUT_BYTES - 60000);
	cr_assert_eq(memcmp(bytes->data, bytes->data + 1, bytes->len - 1), 0, "%s is of two puts", e->name);
	++*n;
	return 0;
}

static pid_t start_writer(unsigned seed)
{
	pid_t pid = fork();
	if (pid == 0)
		write_until_killed(seed);
	cr_assert_gt(pid, 0);
	return pid;
}

static void stop_writer(pid_t pid)
{
	int status;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	cr_assert(WIFSIGNALED(status), "the writer failed by itself");
}

Test(local, a_writer_killed_at_any_instant_leaves_whole_objects_only)
{
	int n = 0, n_left = 0;
	pid_t survivor = start_writer(1000);
	srand(1);
	/* On a busy machine many die before they have begun. */
	for (unsigned i = 0; i < KILLS_MIN || (n_left <= KILLS_MIN / 4 && i < KILLS_MAX); i++) {
		pid_t pid = start_writer(i * 13);
		usleep(1000 + (useconds_t)(rand() % 12000));
		stop_writer(pid);
		n_left += n_temporaries();
		cr_assert_eq(pgofs_backend_probe(store, &err), 0, "%s", err.text);
		cr_assert_leq(n_temporaries(), 1, "only the survivor's");
		cr_assert_eq(pgofs_backend_list(store, "", PGOFS_LIST_RECURSIVE, must_be_whole, &n, &err), 0, "%s",
			     err.text);
	}
	stop_writer(survivor);
	cr_assert_eq(pgofs_backend_probe(store, &err), 0, "%s", err.text);
	cr_assert_eq(n_temporaries(), 0);
	cr_assert_gt(n, 0);
	cr_assert_gt(n_left, KILLS_MIN / 4, "the kills came at no interesting instant: %d", n_left);
}

/* ---- Full and read-only disks ---- */

static void on_tmpfs(const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", root, "tmpfs", 0, options) < 0)
		cr_skip_test("mounting a tmpfs takes root");
	pgofs_backend_free(store);
	store = open_at(root);
}

static void off_tmpfs(void)
{
	pgofs_backend_free(store);
	store = NULL;
	umount2(root, MNT_DETACH);
}

Test(local, a_full_disk_is_told_and_holds_what_it_held)
{
	static char big[2 << 20];
	uint64_t total, free_bytes;
	on_tmpfs("size=1m");
	memset(big, 'b', sizeof big - 1);
	must_put(DAY "/a", "old");
	cr_assert_eq(put("app/2026/12/01/new", big, PGOFS_PUT_NEW), -ENOSPC);
	cr_assert_not_null(strstr(err.text, "No space left"), "%s", err.text);
	cr_assert_eq(put(DAY "/a", big, 0), -ENOSPC);
	must_list("", PGOFS_LIST_RECURSIVE, DAY "/a\n");
	must_list("app/2026", 0, "11/\n");
	must_hold(DAY "/a", "old");
	cr_assert_eq(n_temporaries(), 0);
	cr_assert_eq(pgofs_backend_usage(store, &total, &free_bytes), 0);
	cr_assert_eq(total, 1 << 20);
	cr_assert_gt(free_bytes, (1 << 20) - 65536, "what the failed puts took was given back");
	off_tmpfs();
}

Test(local, a_disk_without_inodes_is_told)
{
	on_tmpfs("size=1m,nr_inodes=9");
	must_put(DAY "/a", "old"); /* root, .pgofs, tmp, app, 2026, 11, 22, a: one left */
	cr_assert_eq(put("app/2026/12/b", "x", PGOFS_PUT_NEW), -ENOSPC);
	must_list("", PGOFS_LIST_RECURSIVE, DAY "/a\n");
	must_list("app/2026", 0, "11/\n");
	cr_assert_eq(n_temporaries(), 0);
	must_put(DAY "/b", "fits");
	off_tmpfs();
}

Test(local, a_read_only_disk_is_EROFS_and_can_be_read)
{
	on_tmpfs("size=1m");
	must_put(DAY "/a", "x");
	cr_assert_eq(mount(NULL, root, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	cr_assert_eq(pgofs_backend_probe(store, &err), 0, "%s", err.text);
	cr_assert_eq(put(DAY "/b", "x", 0), -EROFS);
	cr_assert_not_null(strstr(err.text, "Read-only"), "%s", err.text);
	cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), -EROFS);
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", "x/y", 0, NULL, &err), -EROFS);
	must_hold(DAY "/a", "x");
	must_list("", PGOFS_LIST_RECURSIVE, DAY "/a\n");
	off_tmpfs();
}

Test(local, a_mount_over_the_directory_itself_does_not_shut_it_off)
{
	on_tmpfs("size=1m");
	must_put(DAY "/a", "below");
	cr_assert_eq(mount("tmpfs", root, "tmpfs", 0, "size=1m"), 0);
	cr_assert_not(exists(at(DAY "/a")));
	must_hold(DAY "/a", "below");
	must_put(DAY "/b", "below too");
	must_list(DAY, 0, "a\nb\n");
	umount2(root, MNT_DETACH);
	off_tmpfs();
}

Test(local, a_directory_of_somebody_else_is_EACCES_in_words)
{
	if (geteuid() != 0)
		cr_skip_test("becoming somebody else takes root");
	must_put(DAY "/a", "x");
	cr_assert_eq(chmod(root, 0755), 0);
	cr_assert_eq(seteuid(65534), 0);
	cr_assert_eq(pgofs_backend_probe(store, &err), 0, "%s", err.text);
	must_hold(DAY "/a", "x");
	cr_assert_eq(put(DAY "/b", "x", 0), -EACCES);
	cr_assert_not_null(strstr(err.text, "Permission denied"), "%s", err.text);
	cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), -EACCES);
	/* One that cannot be read, and one whose names can be read and nothing else: neither is empty. */
	for (mode_t mode = 0700; mode <= 0744; mode += 044) {
		cr_assert_eq(seteuid(0), 0);
		cr_assert_eq(chmod(at(DAY), mode), 0);
		cr_assert_eq(seteuid(65534), 0);
		cr_assert_eq(pgofs_backend_list(store, DAY, 0, append_name, NULL, &err), -EACCES, "%o", mode);
		cr_assert_not_null(strstr(err.text, "Permission denied"), "%s", err.text);
		cr_assert_eq(pgofs_backend_list(store, "", PGOFS_LIST_RECURSIVE, append_name, NULL, &err), -EACCES,
			     "%o", mode);
	}
	cr_assert_eq(seteuid(0), 0);
}

/* ---- Large days ---- */

struct seen {
	size_t n, n_bare;
	char last[64];
};

static int see(void *context, const struct pgofs_entry *entry)
{
	struct seen *s = context;
	cr_assert(strcmp(s->last, entry->name) < 0, "%s after %s", entry->name, s->last);
	snprintf(s->last, sizeof s->last, "%s", entry->name);
	s->n++;
	s->n_bare += entry->is_bare;
	cr_assert_eq(entry->stored.size_bytes, entry->is_bare ? 0 : 4);
	cr_assert_eq(!entry->stored.version[0], entry->is_bare);
	return 0;
}

static struct seen list_day(unsigned flags)
{
	struct seen s = { 0 };
	cr_assert_eq(pgofs_backend_list(store, DAY, flags, see, &s, &err), 0, "%s", err.text);
	return s;
}

Test(local, names_of_a_large_directory_can_be_had_without_asking_for_each)
{
	enum { MANY = 5000 };
	struct seen s;
	cr_assert_eq(put(DAY "/some", "four", 0), 0);
	s = list_day(PGOFS_LIST_BARE);
	cr_assert(s.n == 1 && s.n_bare == 0, "of few, all is told");
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(link(at(DAY "/some"), at(DAY "/%d", i * 7919 % MANY)), 0);
	s = list_day(PGOFS_LIST_BARE);
	cr_assert(s.n == MANY + 1 && s.n_bare == s.n, "%zu, %zu bare", s.n, s.n_bare);
	s = list_day(0);
	cr_assert(s.n == MANY + 1 && s.n_bare == 0, "%zu, %zu bare", s.n, s.n_bare);
}
