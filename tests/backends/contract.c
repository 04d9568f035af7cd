#include "contract.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#define DAY "app/2026/11/22"
#define MAX ((size_t)64 << 20)

static struct pgofs_backend *store;
static struct pgofs_error err;

static void open_store(void)
{
	int r = contract_store.open(&store);
	if (r > 0)
		cr_skip_test("this storage is not here");
	cr_assert_eq(r, 0, "opening gave %d", r);
}

static void close_store(void)
{
	if (store)
		contract_store.close(store);
}

TestSuite(contract, .init = open_store, .fini = close_store, .timeout = 120);

/* ---- Short words ---- */

static int put(const char *key, const char *text, unsigned flags)
{
	return pgofs_backend_put(store, key, text, strlen(text), flags, NULL, &err);
}

static void must_put(const char *key, const char *text)
{
	cr_assert_eq(put(key, text, 0), 0, "%s", err.text);
}

/* The bytes under a key are exactly these; NULL: nothing is there. */
static void must_hold(const char *key, const char *text)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int r = pgofs_backend_get(store, key, NULL, MAX, &bytes, NULL, &err);
	if (!text) {
		cr_assert_eq(r, -ENOENT, "%s: %d", key, r);
		return;
	}
	cr_assert_eq(r, 0, "%s", err.text);
	cr_assert_eq(bytes->len, strlen(text), "%s holds %zu bytes", key, bytes->len);
	cr_assert_arr_eq(bytes->data, text, strlen(text));
}

static int append_name(void *context, const struct pgofs_entry *e)
{
	struct pgofs_stored nothing = { 0 };
	if (e->is_dir)
		cr_assert_eq(memcmp(&e->stored, &nothing, sizeof nothing), 0, "%s: a directory says more than its name",
			     e->name);
	return pgofs_buf_printf(context, "%s%s\n", e->name, e->is_dir ? "/" : "");
}

/* The names of a listing, a line each, directories with a slash. The caller frees. */
static char *listed(const char *dir, unsigned flags)
{
	struct pgofs_buf names = PGOFS_BUF(MAX);
	int r = pgofs_backend_list(store, dir, flags, append_name, &names, &err);
	cr_assert_eq(r, 0, "%s", err.text);
	cr_assert_eq(pgofs_buf_append(&names, "", 1), 0);
	return (char *)names.data;
}

static void must_list(const char *dir, const char *names)
{
	_cleanup_(pgofs_freep) char *is = listed(dir, 0);
	cr_assert_str_eq(is, names);
}

struct seek {
	const char *name;
	struct pgofs_stored stored;
	int n;
};

static int find_name(void *context, const struct pgofs_entry *e)
{
	struct seek *s = context;
	if (!e->is_dir && !strcmp(e->name, s->name)) {
		s->stored = e->stored;
		s->n++;
	}
	return 0;
}

static struct pgofs_stored stored_in_list(const char *dir, const char *name)
{
	struct seek s = { .name = name };
	cr_assert_eq(pgofs_backend_list(store, dir, 0, find_name, &s, &err), 0, "%s", err.text);
	cr_assert_eq(s.n, 1, "%s is listed %d times", name, s.n);
	return s.stored;
}

/* ---- Reach ---- */

Test(contract, an_empty_storage_answers_and_lists_nothing)
{
	cr_assert_eq(pgofs_backend_probe(store, &err), 0, "%s", err.text);
	must_list("", "");
	must_list("app", "");
	must_list(DAY, "");
	_cleanup_(pgofs_freep) char *all = listed("", PGOFS_LIST_RECURSIVE);
	cr_assert_str_eq(all, "");
	cr_assert_gt(strlen(pgofs_backend_name(store)), 0);
}

/* ---- Put and get ---- */

Test(contract, what_was_put_is_what_is_got)
{
	uint8_t data[70000];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	static const size_t sizes[] = { 0, 1, 2, 255, 4096, 65536, sizeof data };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
		struct pgofs_stored put_says, get_says;
		cr_assert_eq(pgofs_backend_put(store, DAY "/a", data, sizes[i], 0, &put_says, &err), 0, "%s", err.text);
		cr_assert_eq(pgofs_backend_get(store, DAY "/a", NULL, sizes[i], &bytes, &get_says, &err), 0, "%s",
			     err.text);
		cr_assert_eq(bytes->len, sizes[i]);
		if (bytes->len)
			cr_assert_arr_eq(bytes->data, data, sizes[i]);
		cr_assert_eq(put_says.size_bytes, sizes[i]);
		cr_assert_eq(get_says.size_bytes, sizes[i]);
		cr_assert_str_eq(put_says.version, get_says.version);
	}
}

Test(contract, a_large_object_survives)
{
	size_t len = (size_t)20 << 20;
	_cleanup_(pgofs_freep) uint8_t *data = malloc(len);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	uint32_t x = 1;
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	cr_assert_eq(pgofs_backend_put(store, DAY "/big", data, len, 0, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_get(store, DAY "/big", NULL, MAX, &bytes, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(bytes->len, len);
	cr_assert_eq(memcmp(bytes->data, data, len), 0);
}

Test(contract, more_than_the_caller_wants_is_refused)
{
	struct pgofs_bytes *bytes = NULL;
	must_put(DAY "/a", "0123456789");
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", NULL, 9, &bytes, NULL, &err), -EFBIG);
	cr_assert_null(bytes);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", NULL, 10, &bytes, NULL, &err), 0, "%s", err.text);
	pgofs_bytes_unref(bytes);
}

Test(contract, what_was_got_outlives_its_object)
{
	struct pgofs_bytes *bytes = NULL;
	must_put(DAY "/a", "kept");
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", NULL, MAX, &bytes, NULL, &err), 0, "%s", err.text);
	must_put(DAY "/a", "other");
	cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), 0, "%s", err.text);
	cr_assert_arr_eq(bytes->data, "kept", 4);
	pgofs_bytes_unref(bytes);
}

Test(contract, an_absent_key_is_ENOENT_in_words)
{
	struct pgofs_bytes *bytes = NULL;
	must_put(DAY "/a", "x");
	static const char *const keys[] = { DAY "/b", "app/2026/11", DAY, "app", "b", DAY "/a/b", DAY "/a.", DAY "/A" };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		cr_assert_eq(pgofs_backend_get(store, keys[i], NULL, MAX, &bytes, NULL, &err), -ENOENT, "%s", keys[i]);
		cr_assert_null(bytes);
		cr_assert_not_null(strstr(err.text, keys[i]), "no key in \"%s\"", err.text);
		cr_assert_not_null(strstr(err.text, pgofs_backend_name(store)), "no storage in \"%s\"", err.text);
		cr_assert_eq(strncmp(err.text, "get ", 4), 0, "no doing in \"%s\"", err.text);
	}
	cr_assert_eq(pgofs_backend_get(store, DAY "/b", NULL, MAX, &bytes, NULL, NULL), -ENOENT, "without words");
}

Test(contract, a_put_replaces)
{
	must_put(DAY "/a", "old and long");
	must_put(DAY "/a", "new");
	must_hold(DAY "/a", "new");
	must_list(DAY, "a\n");
}

Test(contract, a_new_put_does_not_replace)
{
	cr_assert_eq(put(DAY "/a", "first", PGOFS_PUT_NEW), 0, "%s", err.text);
	struct pgofs_stored before = stored_in_list(DAY, "a");
	cr_assert_eq(put(DAY "/a", "second", PGOFS_PUT_NEW), -EEXIST);
	must_hold(DAY "/a", "first");
	struct pgofs_stored after = stored_in_list(DAY, "a");
	cr_assert_str_eq(before.version, after.version);
	must_list(DAY, "a\n");
	cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), 0, "%s", err.text);
	cr_assert_eq(put(DAY "/a", "third", PGOFS_PUT_NEW), 0, "%s", err.text);
	must_hold(DAY "/a", "third");
}

Test(contract, put_get_and_list_say_the_same)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct pgofs_stored put_says, get_says;
	int64_t before_ns = pgofs_now_ns();
	cr_assert_eq(pgofs_backend_put(store, DAY "/a", "abc", 3, PGOFS_PUT_NEW, &put_says, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", put_says.version, MAX, &bytes, &get_says, &err), 0, "%s",
		     err.text);
	struct pgofs_stored list_says = stored_in_list(DAY, "a");
	cr_assert_str_eq(put_says.version, list_says.version);
	cr_assert_str_eq(put_says.version, get_says.version);
	cr_assert_gt(strlen(list_says.version), 0);
	cr_assert_eq(list_says.size_bytes, 3);
	cr_assert_eq(get_says.size_bytes, 3);
	/* A server's clock may be in whole seconds, and not ours. */
	int64_t apart_ns = list_says.mtime_ns - before_ns;
	cr_assert(apart_ns > -60 * PGOFS_NS_PER_S && apart_ns < 60 * PGOFS_NS_PER_S, "%lld ns apart",
		  (long long)apart_ns);
}

Test(contract, a_version_that_is_gone_is_ESTALE)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	struct pgofs_stored first, second;
	struct pgofs_bytes *none = NULL;
	cr_assert_eq(pgofs_backend_put(store, DAY "/a", "one", 3, 0, &first, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", first.version, MAX, &bytes, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_put(store, DAY "/a", "two", 3, 0, &second, &err), 0, "%s", err.text);
	cr_assert_str_neq(first.version, second.version);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", first.version, MAX, &none, NULL, &err), -ESTALE);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", "\"nonsense\"", MAX, &none, NULL, &err), -ESTALE);
	cr_assert_null(none);
	must_hold(DAY "/a", "two");
	cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_backend_get(store, DAY "/a", second.version, MAX, &none, NULL, &err), -ENOENT);
}

Test(contract, every_other_content_has_another_version_however_fast_it_comes)
{
	struct pgofs_stored versions[60];
	for (int i = 0; i < 60; i++) {
		char text[8];
		snprintf(text, sizeof text, "%06d", i);
		cr_assert_eq(pgofs_backend_put(store, DAY "/a", text, 6, 0, &versions[i], &err), 0, "%s", err.text);
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(versions[i].version, versions[j].version);
	}
}

/* ---- List ---- */

Test(contract, a_listing_is_in_byte_order_with_directories_among_files)
{
	/* As keys "d-x" comes before "d/y"; as names "d" comes before "d-x". */
	static const char *const keys[] = { "d/y", "d-x", "d.z",      "d0",    "D",   "_",
					    "e",   "a b", "\xc3\xa9", "d/w/v", "Z/1", "~" };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		must_put(keys[i], "x");
	must_list("", "D\nZ/\n_\na b\nd/\nd-x\nd.z\nd0\ne\n~\n\xc3\xa9\n");
	must_list("d", "w/\ny\n");
}

Test(contract, a_listing_shows_one_level_only)
{
	must_put(DAY "/a", "x");
	must_put(DAY "/b", "xx");
	must_put("app/2026/11/23/c", "x");
	must_put("app2/2026/11/23/c", "x");
	must_put("ap", "x");
	must_list("", "ap\napp/\napp2/\n");
	must_list("app", "2026/\n");
	must_list("app/2026/11", "22/\n23/\n");
	must_list(DAY, "a\nb\n");
	must_list("app/2026/1", "");
	must_list(DAY "/a", "");
	must_list("ap", "");
	cr_assert_eq(stored_in_list(DAY, "b").size_bytes, 2);
}

static int count_mark(void *context, const struct pgofs_entry *e)
{
	unsigned n;
	unsigned char *seen = context;
	if (e->is_dir || sscanf(e->name, "%*2u/k%u", &n) != 1 || n >= 1200)
		return -EBADMSG;
	seen[n]++;
	return e->stored.size_bytes == 1 && e->stored.version[0] ? 0 : -EBADMSG;
}

static void *put_every_eighth(void *context)
{
	for (unsigned i = (unsigned)(uintptr_t)context; i < 1200; i += 8) {
		char key[64];
		snprintf(key, sizeof key, "app/2026/11/%02u/k%u", 1 + i % 3, i);
		if (pgofs_backend_put(store, key, "x", 1, PGOFS_PUT_NEW, NULL, NULL) < 0)
			return "put failed";
	}
	return NULL;
}

static void in_eight_threads(void *(*work)(void *))
{
	pthread_t threads[8];
	for (uintptr_t i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < 8; i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		cr_assert_null(wrong, "%s", (char *)wrong);
	}
}

/* More than a page of S3, so that pages meet. */
Test(contract, a_recursive_listing_shows_every_key_below_once)
{
	unsigned char seen[1200] = { 0 };
	in_eight_threads(put_every_eighth);
	must_put("app/2026/12/01/k0", "x");
	must_put("app/2026/11-1/k0", "x");
	cr_assert_eq(pgofs_backend_list(store, "app/2026/11", PGOFS_LIST_RECURSIVE, count_mark, seen, &err), 0, "%s",
		     err.text);
	for (int i = 0; i < 1200; i++)
		cr_assert_eq(seen[i], 1, "key %d is listed %d times", i, seen[i]);
}

Test(contract, a_listing_of_many_is_complete_and_in_order)
{
	struct pgofs_buf want = PGOFS_BUF(MAX);
	for (int i = 0; i < 1100; i++) {
		char key[64];
		snprintf(key, sizeof key, DAY "/%06d.pprof", i * 7);
		must_put(key, "x");
		cr_assert_eq(pgofs_buf_printf(&want, "%06d.pprof\n", i * 7), 0);
	}
	pgofs_buf_append(&want, "", 1);
	must_list(DAY, (const char *)want.data);
	pgofs_buf_done(&want);
}

static int stop_at_second(void *context, const struct pgofs_entry *e)
{
	int *n = context;
	return ++n[0] == 2 ? n[1] : 0;
}

Test(contract, a_listing_ends_when_its_reader_says_so)
{
	must_put(DAY "/a", "x");
	must_put(DAY "/b", "x");
	must_put(DAY "/c", "x");
	for (unsigned flags = 0; flags <= PGOFS_LIST_RECURSIVE; flags++) {
		int wants[] = { 7, -ECANCELED, -ENOENT, -EAGAIN };
		for (int i = 0; i < 4; i++) {
			int n[] = { 0, wants[i] };
			cr_assert_eq(pgofs_backend_list(store, DAY, flags, stop_at_second, n, &err), wants[i]);
			cr_assert_eq(n[0], 2);
		}
	}
}

static int remove_it(void *context, const struct pgofs_entry *e)
{
	char key[PGOFS_KEY_MAX + 1];
	snprintf(key, sizeof key, "%s/%s", (const char *)context, e->name);
	return e->is_dir ? 0 : pgofs_backend_remove(store, key, NULL);
}

Test(contract, a_listing_may_call_back_into_the_storage)
{
	must_put(DAY "/a", "x");
	must_put(DAY "/b", "x");
	cr_assert_eq(pgofs_backend_list(store, DAY, 0, remove_it, DAY, &err), 0, "%s", err.text);
	must_list("", "");
}

/* ---- Remove ---- */

Test(contract, what_was_removed_is_gone_and_its_empty_directories_too)
{
	must_put(DAY "/a", "x");
	must_put(DAY "/b", "x");
	must_put("app/2026/10/01/c", "x");
	cr_assert_eq(pgofs_backend_remove(store, DAY "/a", &err), 0, "%s", err.text);
	must_hold(DAY "/a", NULL);
	must_hold(DAY "/b", "x");
	must_list(DAY, "b\n");
	cr_assert_eq(pgofs_backend_remove(store, DAY "/b", &err), 0, "%s", err.text);
	must_list("app/2026", "10/\n");
	cr_assert_eq(pgofs_backend_remove(store, "app/2026/10/01/c", &err), 0, "%s", err.text);
	must_list("", "");
	must_put(DAY "/a", "again");
	must_hold(DAY "/a", "again");
}

Test(contract, removing_what_is_not_there_harms_nothing)
{
	must_put(DAY "/a", "x");
	int want = contract_store.remove_cannot_tell ? 0 : -ENOENT;
	static const char *const keys[] = { DAY "/b", DAY, "app", "nobody/2026/11/22/a", DAY "/a/b" };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		cr_assert_eq(pgofs_backend_remove(store, keys[i], &err), want, "%s", keys[i]);
	must_hold(DAY "/a", "x");
}

Test(contract, many_are_removed_each_with_its_own_outcome)
{
	static const char *const keys[] = { DAY "/a", DAY "/absent", "app/2026/10/01/b", "other/1" };
	int results[4] = { 7, 7, 7, 7 };
	must_put(DAY "/a", "x");
	must_put("app/2026/10/01/b", "x");
	must_put("other/1", "x");
	must_put(DAY "/stays", "x");
	cr_assert_eq(pgofs_backend_remove_many(store, keys, 4, results, &err), 0, "%s", err.text);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(results[i], 0, "%s: %d", keys[i], results[i]);
	_cleanup_(pgofs_freep) char *left = listed("", PGOFS_LIST_RECURSIVE);
	cr_assert_str_eq(left, DAY "/stays\n");
	cr_assert_eq(pgofs_backend_remove_many(store, keys, 0, results, &err), 0);
}

Test(contract, more_keys_than_a_request_holds_are_removed)
{
	char keys[1200][64];
	const char *pointers[1200];
	int results[1200];
	in_eight_threads(put_every_eighth);
	for (unsigned i = 0; i < 1200; i++) {
		snprintf(keys[i], sizeof keys[i], "app/2026/11/%02u/k%u", 1 + i % 3, i);
		pointers[i] = keys[i];
		results[i] = 7;
	}
	cr_assert_eq(pgofs_backend_remove_many(store, pointers, 1200, results, &err), 0, "%s", err.text);
	for (int i = 0; i < 1200; i++)
		cr_assert_eq(results[i], 0);
	must_list("", "");
}

Test(contract, a_directory_with_something_in_it_is_not_removed)
{
	must_put(DAY "/a", "x");
	int r = pgofs_backend_remove_dir(store, DAY, &err);
	cr_assert(r == 0 || r == -ENOTEMPTY, "%d", r);
	r = pgofs_backend_remove_dir(store, "app", &err);
	cr_assert(r == 0 || r == -ENOTEMPTY, "%d", r);
	must_hold(DAY "/a", "x");
	cr_assert_eq(pgofs_backend_remove_dir(store, DAY "/a", &err), 0, "a file is no directory");
	cr_assert_eq(pgofs_backend_remove_dir(store, "app/2026/12", &err), 0);
	must_hold(DAY "/a", "x");
}

/* ---- Rename ---- */

Test(contract, a_rename_moves_the_bytes)
{
	struct pgofs_stored stored;
	must_put(DAY "/a", "moved");
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", "other/2026/01/01/b", PGOFS_PUT_NEW, &stored, &err), 0, "%s",
		     err.text);
	must_hold("other/2026/01/01/b", "moved");
	must_hold(DAY "/a", NULL);
	must_list("", "other/\n");
	struct pgofs_stored is = stored_in_list("other/2026/01/01", "b");
	cr_assert_str_eq(stored.version, is.version);
	cr_assert_eq(stored.size_bytes, 5);
}

Test(contract, a_rename_replaces_only_when_it_may)
{
	must_put(DAY "/a", "new");
	must_put(DAY "/b", "old");
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", DAY "/b", PGOFS_PUT_NEW, NULL, &err), -EEXIST);
	must_hold(DAY "/a", "new");
	must_hold(DAY "/b", "old");
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", DAY "/b", 0, NULL, &err), 0, "%s", err.text);
	must_hold(DAY "/a", NULL);
	must_hold(DAY "/b", "new");
}

Test(contract, a_rename_of_nothing_is_ENOENT)
{
	must_put(DAY "/b", "stays");
	cr_assert_eq(pgofs_backend_rename(store, DAY "/a", DAY "/b", 0, NULL, &err), -ENOENT);
	cr_assert_eq(pgofs_backend_rename(store, DAY, DAY "/c", 0, NULL, &err), -ENOENT);
	cr_assert_eq(pgofs_backend_rename(store, "x/y", "new/place", 0, NULL, &err), -ENOENT);
	cr_assert_eq(pgofs_backend_rename(store, DAY "/b", DAY "/b", 0, NULL, &err), -EINVAL);
	_cleanup_(pgofs_freep) char *left = listed("", PGOFS_LIST_RECURSIVE);
	cr_assert_str_eq(left, DAY "/b\n");
	must_list("", "app/\n");
}

/* ---- Keys ---- */

Test(contract, what_is_no_key_is_refused_everywhere)
{
	char long_key[PGOFS_KEY_MAX + 2];
	memset(long_key, 'a', sizeof long_key - 1);
	for (size_t i = 200; i < sizeof long_key - 1; i += 200)
		long_key[i] = '/';
	long_key[sizeof long_key - 1] = '\0';
	const char *const keys[] = { "",     "/",      "/a",  "a/",  "a//b",  ".",         "..",     "../a",
				     "a/..", "a/../b", "./a", "a/.", "a/./b", "a/../../b", long_key, "a/b/c/.." };
	must_put("a/b", "x");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		struct pgofs_bytes *bytes = NULL;
		int result = 7;
		cr_assert_eq(pgofs_backend_get(store, keys[i], NULL, MAX, &bytes, NULL, &err), -EINVAL, "get %s",
			     keys[i]);
		cr_assert_eq(put(keys[i], "x", 0), -EINVAL, "put %s", keys[i]);
		cr_assert_eq(pgofs_backend_remove(store, keys[i], &err), -EINVAL, "remove %s", keys[i]);
		cr_assert_eq(pgofs_backend_remove_many(store, &keys[i], 1, &result, &err), -EINVAL, "remove many %s",
			     keys[i]);
		cr_assert_eq(pgofs_backend_remove_dir(store, keys[i], &err), -EINVAL, "remove dir %s", keys[i]);
		cr_assert_eq(pgofs_backend_rename(store, keys[i], "c", 0, NULL, &err), -EINVAL, "rename %s", keys[i]);
		cr_assert_eq(pgofs_backend_rename(store, "a/b", keys[i], 0, NULL, &err), -EINVAL, "rename to %s",
			     keys[i]);
		if (keys[i][0])
			cr_assert_eq(pgofs_backend_list(store, keys[i], 0, append_name, NULL, &err), -EINVAL, "list %s",
				     keys[i]);
		cr_assert_gt(strlen(err.text), 0);
	}
	must_list("", "a/\n");
	must_hold("a/b", "x");
}

Test(contract, every_key_is_a_key_however_odd)
{
	char segment[256], long_key[PGOFS_KEY_MAX + 1];
	memset(segment, 's', 255);
	segment[255] = '\0';
	memset(long_key, 'l', PGOFS_KEY_MAX);
	long_key[PGOFS_KEY_MAX] = '\0';
	for (size_t i = 200; i < PGOFS_KEY_MAX; i += 200)
		long_key[i] = '/';
	const char *const keys[] = { "a b",    "a+b",   "a%2Fb",  "a%",     "a&b=c",        "a<b>",
				     "a\"b'c", "a?b#c", "...",    "..a",    "a..",          ".a",
				     "~a",     "a\\b",  "a;b",    "a:b@c",  "a*b",          "a,b(c)!$",
				     "-a",     "a=b",   "[a]{b}", "a|b^c`", "\xe2\x82\xac", "\xf0\x9f\x92\xbe",
				     segment,  long_key };
	size_t n = sizeof keys / sizeof keys[0];
	for (size_t i = 0; i < n; i++)
		must_put(keys[i], keys[i]);
	for (size_t i = 0; i < n; i++)
		must_hold(keys[i], keys[i]);
	_cleanup_(pgofs_freep) char *all = listed("", PGOFS_LIST_RECURSIVE);
	for (size_t i = 0; i < n; i++)
		cr_assert_not_null(strstr(all, keys[i]), "%s is not listed", keys[i]);
	int results[26];
	cr_assert_eq(pgofs_backend_remove_many(store, keys, n, results, &err), 0, "%s", err.text);
	must_list("", "");
}

/* ---- Many at once ---- */

static atomic_int n_won;

static void *put_new_once(void *context)
{
	for (int i = 0; i < 20; i++) {
		char key[64], text[16];
		snprintf(key, sizeof key, "race/%d", i);
		snprintf(text, sizeof text, "%d", (int)(uintptr_t)context);
		int r = pgofs_backend_put(store, key, text, 1, PGOFS_PUT_NEW, NULL, NULL);
		if (r == 0)
			n_won++;
		else if (r != -EEXIST)
			return "neither won nor lost";
	}
	return NULL;
}

Test(contract, of_many_who_put_a_new_key_one_wins)
{
	in_eight_threads(put_new_once);
	cr_assert_eq(n_won, 20, "%d won", n_won);
}

static atomic_int n_moved;

static void *rename_to_one(void *context)
{
	for (int i = 0; i < 20; i++) {
		char from[64], to[64];
		snprintf(from, sizeof from, "from/%d/%d", (int)(uintptr_t)context, i);
		snprintf(to, sizeof to, "to/%d/x", i);
		if (pgofs_backend_put(store, from, "x", 1, 0, NULL, NULL) < 0)
			return "put failed";
		int r = pgofs_backend_rename(store, from, to, PGOFS_PUT_NEW, NULL, NULL);
		if (r == 0)
			n_moved++;
		else if (r != -EEXIST)
			return "rename neither won nor lost";
	}
	return NULL;
}

Test(contract, of_many_who_rename_to_a_new_key_one_wins)
{
	in_eight_threads(rename_to_one);
	cr_assert_eq(n_moved, 20, "%d moved", n_moved);
}

/* An object that can be told to be whole: a letter and how often it comes. */
static bool is_whole(const struct pgofs_bytes *b)
{
	if (b->len < 1000)
		return false;
	for (size_t i = 1; i < b->len; i++)
		if (b->data[i] != b->data[0])
			return false;
	return b->len == 1000 + (size_t)(b->data[0] - 'a') * 100;
}

static int must_be_file_or_dir(void *context, const struct pgofs_entry *e)
{
	return e->is_dir || (e->stored.size_bytes >= 1000 && e->stored.size_bytes <= 3500) ? 0 : -EBADMSG;
}

static const char *one_step(unsigned dice)
{
	char data[4000], key[64], other[64];
	struct pgofs_bytes *bytes = NULL;
	size_t len = 1000 + (dice >> 8) % 26 * 100;
	const char *wrong = NULL;
	int r;
	memset(data, 'a' + (int)((dice >> 8) % 26), sizeof data);
	/* Few keys, each alone in its directory: every removal empties one that a put may be entering. */
	snprintf(key, sizeof key, "app/2026/11/%u/x", (dice >> 4) % 3);
	snprintf(other, sizeof other, "app/2026/12/%u/x", (dice >> 6) % 3);
	switch (dice % 6) {
	case 0:
	case 1:
		r = pgofs_backend_put(store, key, data, len, dice & 16 ? PGOFS_PUT_NEW : 0, NULL,
				      &(struct pgofs_error){ "" });
		wrong = r == 0 || r == -EEXIST ? NULL : "put";
		break;
	case 2:
		r = pgofs_backend_get(store, dice & 16 ? key : other, NULL, MAX, &bytes, NULL, NULL);
		wrong = (r == 0 && is_whole(bytes)) || r == -ENOENT || r == -ESTALE ? NULL : "get";
		break;
	case 3:
		r = pgofs_backend_remove(store, dice & 16 ? key : other, NULL);
		wrong = r == 0 || r == -ENOENT ? NULL : "remove";
		break;
	case 4:
		r = pgofs_backend_rename(store, key, other, dice & 16 ? PGOFS_PUT_NEW : 0, NULL, NULL);
		wrong = r == 0 || r == -ENOENT || r == -EEXIST || r == -ESTALE ? NULL : "rename";
		break;
	default:
		r = pgofs_backend_list(store, dice & 16 ? "" : "app/2026/11/1", dice & 32 ? PGOFS_LIST_RECURSIVE : 0,
				       must_be_file_or_dir, NULL, NULL);
		wrong = r == 0 ? NULL : "list";
	}
	if (wrong)
		fprintf(stderr, "%s: %s\n", wrong, strerror(-r));
	pgofs_bytes_unref(bytes);
	return wrong;
}

static void *many_steps(void *context)
{
	uint32_t x = (uint32_t)(uintptr_t)context * 2654435761u + 1;
	for (int i = 0; i < 250; i++) {
		x = x * 1664525 + 1013904223;
		const char *wrong = one_step(x >> 8);
		if (wrong)
			return (void *)wrong;
	}
	return NULL;
}

Test(contract, many_at_once_see_whole_objects_only)
{
	in_eight_threads(many_steps);
	_cleanup_(pgofs_freep) char *all = listed("", PGOFS_LIST_RECURSIVE);
	for (char *key = strtok(all, "\n"); key; key = strtok(NULL, "\n"))
		cr_assert_eq(pgofs_backend_remove(store, key, &err), 0, "%s", err.text);
	must_list("", "");
}

/* ---- What it tells of itself ---- */

Test(contract, usage_is_sensible_or_absent)
{
	uint64_t total = 0, free = 1;
	int r = pgofs_backend_usage(store, &total, &free);
	cr_assert(r == -EOPNOTSUPP || (r == 0 && total > 0 && free <= total), "%d", r);
}

Test(contract, stats_are_lines_of_a_name_and_a_number)
{
	struct pgofs_buf stats = PGOFS_BUF(1 << 16);
	must_put(DAY "/a", "x");
	must_hold(DAY "/a", "x");
	cr_assert_eq(pgofs_backend_stats(store, &stats), 0);
	cr_assert_eq(pgofs_buf_append(&stats, "", 1), 0);
	for (char *line = strtok((char *)stats.data, "\n"); line; line = strtok(NULL, "\n")) {
		char name[64];
		unsigned long long number;
		int used = 0;
		cr_assert_eq(sscanf(line, "%63[a-z0-9_] %llu%n", name, &number, &used), 2, "%s", line);
		cr_assert_eq(line[used], '\0', "%s", line);
	}
	pgofs_buf_done(&stats);
}
