/* In and out of gzip, with inputs that lie about their size. */
#include <pgofs/pprof.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define BUF __attribute__((cleanup(pgofs_buf_done))) struct pgofs_buf

static void fill(struct pgofs_buf *b, size_t len, int byte)
{
	cr_assert_eq(pgofs_buf_reserve(b, len), 0);
	memset(b->data + b->len, byte, len);
	b->len += len;
}

static void deflate(const struct pgofs_buf *raw, struct pgofs_buf *stored)
{
	cr_assert_eq(pgofs_pprof_deflate(raw->data, raw->len, 6, stored, NULL), 0);
}

Test(gzip, gives_back_what_it_took)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 100000, 'a');
	deflate(&raw, &stored);
	cr_assert_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), 0);
	cr_assert_eq(back.len, raw.len);
	cr_expect_eq(memcmp(back.data, raw.data, raw.len), 0);
}

Test(gzip, writes_no_time_and_no_name)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20);
	fill(&raw, 100, 'a');
	deflate(&raw, &stored);
	cr_expect_eq(stored.data[3], 0);
	cr_expect_eq(memcmp(stored.data + 4, "\0\0\0", 4), 0);
}

Test(gzip, reads_members_one_after_the_other)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 300000, 'a');
	deflate(&raw, &stored);
	raw.len = 10;
	deflate(&raw, &stored);
	raw.len = 0;
	deflate(&raw, &stored);
	cr_assert_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), 0);
	cr_expect_eq(back.len, 300010);
}

Test(gzip, takes_other_bytes_as_they_are)
{
	BUF back = PGOFS_BUF(10);
	cr_assert_eq(pgofs_pprof_inflate("abc", 3, &back, NULL), 0);
	cr_expect_eq(back.len, 3);
	cr_expect_eq(pgofs_pprof_inflate("0123456789", 10, &back, NULL), -EFBIG);
}

Test(gzip, stops_a_bomb_at_the_limit)
{
	struct pgofs_error err = { "" };
	BUF raw = PGOFS_BUF(64 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 50 << 20, 0);
	deflate(&raw, &stored);
	cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, &err), -EFBIG);
	cr_expect_str_eq(err.text, "inflates to more than 1048576 bytes");
	cr_expect_eq(back.len, 0);
	cr_expect_leq(back.cap, 1 << 20);
}

Test(gzip, allows_exactly_the_limit)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 1 << 20, 'x');
	deflate(&raw, &stored);
	cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), 0);
}

/* The size at the end of a member is part of its checksum's business only afterwards: before, it is a hint. */
Test(gzip, does_not_believe_the_size_it_is_told)
{
	BUF raw = PGOFS_BUF(8 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(8 << 20);
	fill(&raw, 1000, 'a');
	deflate(&raw, &stored);
	memset(stored.data + stored.len - 4, 0xff, 4);
	cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), -EINVAL);
	cr_expect_lt(back.cap, 1 << 20);
}

Test(gzip, refuses_what_is_cut_off_anywhere)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	for (int i = 0; i < 300; i++)
		fill(&raw, 3, i * 7);
	deflate(&raw, &stored);
	for (size_t len = 2; len < stored.len; len++) {
		cr_expect_eq(pgofs_pprof_inflate(stored.data, len, &back, NULL), -EINVAL, "%zu", len);
		cr_expect_eq(back.len, 0);
	}
}

Test(gzip, keeps_what_the_buffer_had)
{
	BUF back = PGOFS_BUF(1 << 20);
	fill(&back, 5, 'k');
	cr_expect_eq(pgofs_pprof_inflate("\x1f\x8b\x08", 3, &back, NULL), -EINVAL);
	cr_expect_eq(back.len, 5);
}

Test(gzip, refuses_levels_that_are_none)
{
	BUF stored = PGOFS_BUF(1 << 20);
	cr_expect_eq(pgofs_pprof_deflate("a", 1, 13, &stored, NULL), -EINVAL);
}

Test(gzip, respects_the_limit_on_what_it_writes)
{
	BUF stored = PGOFS_BUF(20);
	uint8_t noise[200];
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(i * i * 31 + i / 3);
	cr_expect_eq(pgofs_pprof_deflate(noise, sizeof noise, 6, &stored, NULL), -EFBIG);
	cr_expect_eq(stored.len, 0);
}
