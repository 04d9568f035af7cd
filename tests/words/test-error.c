#include <pgofs/error.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, wraps_outermost_first)
{
	struct pgofs_error err = { "" };
	cr_assert_eq(pgofs_error_set(&err, -EIO, "connection refused by %s", "host"), -EIO);
	cr_assert_eq(pgofs_error_wrap(&err, -EIO, "list %s", "b/p"), -EIO);
	pgofs_error_wrap(&err, -EIO, "mount /mnt");
	cr_assert_str_eq(err.text, "mount /mnt: list b/p: connection refused by host");
}

Test(error, names_the_errno_where_nobody_said_more)
{
	struct pgofs_error err = { "" };
	cr_assert_eq(pgofs_error_wrap(&err, -ENOENT, "open x"), -ENOENT);
	cr_assert_str_eq(err.text, "open x: No such file or directory");
}

Test(error, stays_one_line_within_its_size)
{
	struct pgofs_error err;
	char big[5000];
	memset(big, 'a', sizeof big);
	big[sizeof big - 1] = '\0';
	big[3] = '\n';
	pgofs_error_set(&err, -EIO, "%s", big);
	cr_assert_eq(strlen(err.text), PGOFS_ERROR_TEXT_SIZE - 1);
	cr_assert_eq(err.text[3], '?');
	cr_assert_str_eq(err.text + PGOFS_ERROR_TEXT_SIZE - 4, "...");
}

Test(error, may_be_left_out)
{
	cr_assert_eq(pgofs_error_set(NULL, -EIO, "x"), -EIO);
	cr_assert_eq(pgofs_error_errno(NULL, -EIO, "x"), -EIO);
	cr_assert_eq(pgofs_error_wrap(NULL, -EIO, "x"), -EIO);
}
