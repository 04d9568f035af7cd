/* What a directory promises when the disk fails, is full or is read-only, and when writers are killed: nothing half, nothing left behind. */
#include "fakesys.h"
#include "local-words.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

TestSuite(local_disk, .init = setup, .fini = teardown, .timeout = 120);

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

Test(local_disk, a_failure_is_told_and_leaves_what_was_there)
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

Test(local_disk, a_directory_that_cannot_be_made_leaves_none_half_way)
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

Test(local_disk, a_failing_link_on_an_old_filesystem_is_told)
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

Test(local_disk, a_put_that_fails_late_takes_only_its_own_away)
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
Test(local_disk, nothing_gets_its_key_before_it_is_on_the_disk)
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

Test(local_disk, a_sweep_takes_what_is_dead_and_nothing_alive)
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

Test(local_disk, its_own_directory_may_be_deleted_at_any_time)
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

Test(local_disk, directories_taken_from_under_a_put_are_made_again)
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

Test(local_disk, a_writer_killed_at_any_instant_leaves_whole_objects_only)
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

Test(local_disk, a_full_disk_is_told_and_holds_what_it_held)
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

Test(local_disk, a_disk_without_inodes_is_told)
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

Test(local_disk, a_read_only_disk_is_EROFS_and_can_be_read)
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

Test(local_disk, a_mount_over_the_directory_itself_does_not_shut_it_off)
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

Test(local_disk, a_directory_of_somebody_else_is_EACCES_in_words)
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
