/* What the wrapper does for every storage, seen with one that does nothing well. */
#include <pgofs/backend-impl.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const char *const names[] = { "good", "", ".", "..", "/x", "x/", "a/b", "a//b", "a/../b", NULL };

static int odd_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		    struct pgofs_error *err)
{
	static char long_name[PGOFS_KEY_MAX + 2];
	memset(long_name, 'x', PGOFS_KEY_MAX + 1);
	int r = each(context, &(struct pgofs_entry){ .name = long_name });
	for (int i = 0; names[i] && r == 0; i++)
		r = each(context, &(struct pgofs_entry){ .name = names[i] });
	return r;
}

static int odd_probe(struct pgofs_backend *b, struct pgofs_error *err)
{
	return -ETIMEDOUT;
}

static size_t asked_max_bytes;

static int odd_get(struct pgofs_backend *b, const char *key, const char *version, size_t max_bytes,
		   struct pgofs_bytes **ret, struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	asked_max_bytes = max_bytes;
	return pgofs_error_set(err, -EIO, "it said \"no\"");
}

static int odd_put(struct pgofs_backend *b, const char *key, const void *data, size_t len, unsigned flags,
		   struct pgofs_stored *ret_stored, struct pgofs_error *err)
{
	return 0;
}

static int odd_remove(struct pgofs_backend *b, const char *key, struct pgofs_error *err)
{
	return 0;
}

static void odd_destroy(struct pgofs_backend *b)
{
	free(b);
}

static const struct pgofs_backend_ops reads = {
	.destroy = odd_destroy, .probe = odd_probe, .list = odd_list, .get = odd_get
};
static const struct pgofs_backend_ops writes = { .destroy = odd_destroy,
						 .probe = odd_probe,
						 .list = odd_list,
						 .get = odd_get,
						 .put = odd_put,
						 .remove = odd_remove };

static struct pgofs_backend *odd_new(const struct pgofs_backend_ops *ops)
{
	struct pgofs_backend *b = calloc(1, sizeof *b);
	*b = (struct pgofs_backend){ ops, strdup("odd:") };
	return b;
}

static int append_name(void *context, const struct pgofs_entry *e)
{
	return pgofs_buf_printf(context, "%s ", e->name);
}

Test(backend, names_that_are_no_keys_are_not_shown)
{
	struct pgofs_backend *b = odd_new(&reads);
	struct pgofs_buf shown = PGOFS_BUF(1 << 16);
	cr_assert_eq(pgofs_backend_list(b, "dir", 0, append_name, &shown, NULL), 0);
	cr_assert_eq(pgofs_backend_list(b, "dir", PGOFS_LIST_RECURSIVE, append_name, &shown, NULL), 0);
	pgofs_buf_append(&shown, "", 1);
	cr_assert_str_eq((char *)shown.data, "good good a/b ");
	pgofs_buf_done(&shown);
	pgofs_backend_free(b);
}

Test(backend, a_storage_that_cannot_write_is_read_only)
{
	struct pgofs_backend *b = odd_new(&reads);
	const char *key = "a";
	uint64_t total, free_bytes;
	int result;
	cr_assert_eq(pgofs_backend_put(b, "a", "x", 1, 0, NULL, NULL), -EROFS);
	cr_assert_eq(pgofs_backend_remove(b, "a", NULL), -EROFS);
	cr_assert_eq(pgofs_backend_remove_many(b, &key, 1, &result, NULL), -EROFS);
	cr_assert_eq(pgofs_backend_rename(b, "a", "b", 0, NULL, NULL), -EROFS);
	cr_assert_eq(pgofs_backend_remove_dir(b, "a", NULL), 0);
	cr_assert_eq(pgofs_backend_usage(b, &total, &free_bytes), -EOPNOTSUPP);
	pgofs_backend_free(b);
	pgofs_backend_free(NULL);
}

Test(backend, a_rename_carries_no_more_than_it_says)
{
	struct pgofs_backend *b = odd_new(&writes);
	cr_assert_eq(pgofs_backend_rename(b, "a", "b", 0, NULL, NULL), -EIO);
	cr_assert_eq(asked_max_bytes, PGOFS_CARRIED_MAX_BYTES);
	pgofs_backend_free(b);
}

Test(backend, words_say_what_was_being_done_and_to_what)
{
	struct pgofs_backend *b = odd_new(&reads);
	struct pgofs_error err = { "words of an earlier call" };
	struct pgofs_bytes *bytes;
	cr_assert_eq(pgofs_backend_probe(b, &err), -ETIMEDOUT);
	cr_assert_str_eq(err.text, "reach odd:: Connection timed out");
	cr_assert_eq(pgofs_backend_get(b, "a/b", NULL, 1, &bytes, NULL, &err), -EIO);
	cr_assert_str_eq(err.text, "get odd:/a/b: it said \"no\"");
	pgofs_backend_free(b);
}
