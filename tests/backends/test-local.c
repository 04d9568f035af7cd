/* What a directory promises beyond the contract: nothing outside it, and no byte of another version. */
#include "fakesys.h"
#include "local-words.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

TestSuite(local, .init = setup, .fini = teardown, .timeout = 120);

/* ---- The place ---- */

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
