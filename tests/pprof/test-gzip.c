/* In and out of gzip, with inputs that lie about their size; zlib stands at the other end. */
#include <pgofs/pprof.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

#define BUF __attribute__((cleanup(pgofs_buf_done))) struct pgofs_buf

static void fill(struct pgofs_buf *b, size_t len, int byte)
{
	cr_assert_eq(pgofs_buf_reserve(b, len), 0);
	memset(b->data + b->len, byte, len);
	b->len += len;
}

static void store(const struct pgofs_buf *raw, struct pgofs_buf *stored)
{
	cr_assert_eq(pgofs_pprof_deflate(raw->data, raw->len, 6, stored, NULL), 0);
}

Test(gzip, gives_back_what_it_took)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 100000, 'a');
	store(&raw, &stored);
	cr_assert_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), 0);
	cr_assert_eq(back.len, raw.len);
	cr_expect_eq(memcmp(back.data, raw.data, raw.len), 0);
}

Test(gzip, writes_no_time_and_no_name)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20);
	fill(&raw, 100, 'a');
	store(&raw, &stored);
	cr_expect_eq(stored.data[3], 0);
	cr_expect_eq(memcmp(stored.data + 4, "\0\0\0", 4), 0);
}

Test(gzip, reads_members_one_after_the_other)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 300000, 'a');
	store(&raw, &stored);
	raw.len = 10;
	store(&raw, &stored);
	raw.len = 0;
	store(&raw, &stored);
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
	store(&raw, &stored);
	cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, &err), -EFBIG);
	cr_expect_str_eq(err.text, "inflates to more than 1048576 bytes");
	cr_expect_eq(back.len, 0);
	cr_expect_leq(back.cap, 1 << 20);
}

Test(gzip, allows_exactly_the_limit)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	fill(&raw, 1 << 20, 'x');
	store(&raw, &stored);
	cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), 0);
}

/* The size at the end of a member is part of its checksum's business only afterwards: before, it is a hint. */
Test(gzip, does_not_believe_the_size_it_is_told)
{
	BUF raw = PGOFS_BUF(8 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(8 << 20);
	fill(&raw, 1000, 'a');
	store(&raw, &stored);
	memset(stored.data + stored.len - 4, 0xff, 4);
	cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), -EINVAL);
	cr_expect_lt(back.cap, 1 << 20);
}

Test(gzip, refuses_what_is_cut_off_anywhere)
{
	BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
	for (int i = 0; i < 300; i++)
		fill(&raw, 3, i * 7);
	store(&raw, &stored);
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

/* Text that compresses somewhat, as profiles do. */
static void scribble(struct pgofs_buf *b, size_t len)
{
	unsigned state = 1;
	fill(b, len, 0);
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		b->data[b->len - len + i] = (uint8_t)"main.work net/http"[(state >> 24) % 18];
	}
}

#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for gzip */

Test(gzip, is_read_by_zlib)
{
	for (int level = 1; level <= 12; level++) {
		BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
		scribble(&raw, 70000);
		cr_assert_eq(pgofs_pprof_deflate(raw.data, raw.len, level, &stored, NULL), 0);
		fill(&back, raw.len, 0);
		z_stream z = { .next_in = stored.data,
			       .avail_in = (unsigned)stored.len,
			       .next_out = back.data,
			       .avail_out = (unsigned)back.len };
		cr_assert_eq(inflateInit2(&z, GZIP_WINDOW), Z_OK);
		cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END, "level %d", level);
		cr_expect_eq(z.total_out, raw.len);
		cr_expect_eq(z.avail_in, 0);
		inflateEnd(&z);
		cr_expect_eq(memcmp(back.data, raw.data, raw.len), 0);
	}
}

Test(gzip, reads_what_zlib_writes)
{
	for (int level = 0; level <= 9; level++) {
		for (int strategy = 0 /* Z_DEFAULT_STRATEGY */; strategy <= Z_FIXED; strategy++) {
			BUF raw = PGOFS_BUF(1 << 20), stored = PGOFS_BUF(1 << 20), back = PGOFS_BUF(1 << 20);
			scribble(&raw, 70000);
			fill(&stored, 100000, 0);
			z_stream z = { .next_in = raw.data,
				       .avail_in = (unsigned)raw.len,
				       .next_out = stored.data,
				       .avail_out = (unsigned)stored.len };
			cr_assert_eq(deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW, 8, strategy), Z_OK);
			cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
			stored.len = z.total_out;
			deflateEnd(&z);
			cr_expect_eq(pgofs_pprof_inflate(stored.data, stored.len, &back, NULL), 0);
			cr_expect_eq(back.len, raw.len);
			cr_expect_eq(memcmp(back.data, raw.data, back.len), 0, "level %d strategy %d", level, strategy);
		}
	}
}
