#include <pgofs/buf.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(buf, grows_up_to_its_maximum_and_no_further)
{
	struct pgofs_buf b = PGOFS_BUF(1000);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(pgofs_buf_append(&b, "0123456789", 10), 0);
	cr_assert_eq(pgofs_buf_append(&b, "x", 1), -EFBIG);
	cr_assert_eq(b.len, 1000);
	cr_assert_leq(b.cap, 1000);
	cr_assert_eq(pgofs_buf_append(&b, NULL, 0), 0);
	pgofs_buf_done(&b);
	cr_assert_null(b.data);
	cr_assert_eq(b.max, 1000);
}

Test(buf, refuses_sizes_that_would_wrap)
{
	struct pgofs_buf b = PGOFS_BUF(SIZE_MAX);
	cr_assert_eq(pgofs_buf_append(&b, "x", 1), 0);
	cr_assert_eq(pgofs_buf_reserve(&b, SIZE_MAX), -EFBIG);
	pgofs_buf_done(&b);
}

Test(buf, has_a_place_for_nothing)
{
	struct pgofs_buf b = PGOFS_BUF(0);
	cr_assert_eq(pgofs_buf_reserve(&b, 0), 0);
	cr_assert_not_null(b.data);
	cr_assert_eq(pgofs_buf_reserve(&b, 1), -EFBIG);
	pgofs_buf_done(&b);
}

Test(buf, prints)
{
	struct pgofs_buf b = PGOFS_BUF(64);
	cr_assert_eq(pgofs_buf_printf(&b, "%s=%d;", "a", 7), 0);
	cr_assert_eq(pgofs_buf_printf(&b, "%s=%d;", "b", 8), 0);
	cr_assert_eq(b.len, 8);
	cr_assert_arr_eq(b.data, "a=7;b=8;", 8);
	cr_assert_eq(pgofs_buf_printf(&b, "%080d", 1), -EFBIG);
	cr_assert_eq(b.len, 8);
	pgofs_buf_done(&b);
}

Test(bytes, are_taken_from_a_buf_and_shared)
{
	struct pgofs_buf b = PGOFS_BUF(1 << 20);
	cr_assert_eq(pgofs_buf_append(&b, "hello", 5), 0);
	struct pgofs_bytes *bytes = pgofs_bytes_consume_buf(&b);
	cr_assert_null(b.data);
	struct pgofs_bytes *other = pgofs_bytes_ref(bytes);
	pgofs_bytes_unref(bytes);
	cr_assert_eq(other->len, 5);
	cr_assert_arr_eq(other->data, "hello", 5);
	pgofs_bytes_unref(other);
	pgofs_bytes_unref(NULL);
}
