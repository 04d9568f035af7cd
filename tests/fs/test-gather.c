#include "ahead.h"
#include "gather.h"
#include "patience.h"

#include <pgofs/pprof.h>
#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Inputs of known content: input i is `lengths[i]` bytes of value i. */
struct world {
	size_t n, next;
	size_t length, giant_length; /* of the giant, if there is one */
	unsigned n_inflate;
	size_t giant, broken, absent, large, failing; /* which input; SIZE_MAX none */
	size_t stop_at;
	size_t end_at; /* the input with which patience ends */
	const struct pgofs_patience *patience;
	atomic_bool ending;
	atomic_uint n_under_way, most_under_way;
	atomic_uint n_fetched;
	unsigned n_refused;
	bool slow, gzip;
	size_t prepared_bytes; /* what preparing an input says it holds */
	atomic_uint n_prepared, n_held, most_held;
	atomic_bool prepared[128]; /* by input */
};

static struct world world_of(size_t n)
{
	return (struct world){ .n = n,
			       .length = 1000,
			       .n_inflate = 2,
			       .giant = SIZE_MAX,
			       .broken = SIZE_MAX,
			       .absent = SIZE_MAX,
			       .large = SIZE_MAX,
			       .failing = SIZE_MAX,
			       .stop_at = SIZE_MAX,
			       .end_at = SIZE_MAX };
}

static size_t length_of(const struct world *w, size_t i)
{
	return i == w->giant ? w->giant_length : w->length;
}

static struct pgofs_bytes *make_gzip(const void *raw, size_t len)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(len + 4096);
	cr_assert_eq(pgofs_pprof_deflate(raw, len, 1, &b, NULL), 0);
	return pgofs_bytes_consume_buf(&b);
}

static int fetch(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	struct world *w = context;
	unsigned now = ++w->n_under_way, most = w->most_under_way;
	while (now > most && !atomic_compare_exchange_weak(&w->most_under_way, &most, now))
		;
	w->n_fetched++;
	if (w->slow && !w->prepared_bytes)
		usleep((unsigned)(i * 7919 % 5) * 1000);
	w->n_under_way--;
	if (i == w->failing)
		return pgofs_error_set(err, -EIO, "input %zu: the storage is away", i);
	if (i == w->absent)
		return pgofs_error_set(err, -ENODATA, "gone");
	if (i == w->large)
		return pgofs_error_set(err, -EFBIG, "too large");
	size_t len = length_of(w, i);
	_cleanup_(pgofs_freep) uint8_t *bytes = malloc(len);
	memset(bytes, (int)(i & 0x7f), len);
	*ret = w->gzip ? make_gzip(bytes, len) : pgofs_bytes_dup(bytes, len);
	if (i == w->broken) {
		memset((*ret)->data, 0xff, (*ret)->len);
		memcpy((*ret)->data, "\x1f\x8b\x08", 3);
	}
	return *ret ? 0 : -ENOMEM;
}

static uint64_t size_of(void *context, size_t i)
{
	return length_of(context, i);
}

static size_t prepare(void *context, size_t i, const void *raw, size_t len)
{
	struct world *w = context;
	unsigned now = ++w->n_held, most = w->most_held;
	while (now > most && !atomic_compare_exchange_weak(&w->most_held, &most, now))
		;
	cr_assert(len == length_of(w, i) && *(const uint8_t *)raw == (i & 0x7f) && !w->prepared[i % 128]);
	if (w->slow)
		usleep(2000);
	w->prepared[i % 128] = true;
	w->n_prepared++;
	return w->prepared_bytes;
}

static int each(void *context, size_t i, const void *raw, size_t len, const char *why, struct pgofs_error *err)
{
	struct world *w = context;
	if (atomic_exchange(&w->prepared[i % 128], false))
		w->n_held--;
	cr_assert_eq(i, w->next, "in order");
	w->next++;
	if (i == w->end_at)
		w->ending = true;
	if (i == w->stop_at)
		return pgofs_error_set(err, -ECANCELED, "enough");
	if (why) {
		cr_assert(*why);
		w->n_refused++;
		cr_assert(i == w->broken || i == w->absent || i == w->large, "input %zu: %s", i, why);
		return 0;
	}
	cr_assert_eq(len, length_of(w, i));
	for (size_t k = 0; k < len; k++)
		cr_assert_eq(((const uint8_t *)raw)[k], i & 0x7f);
	return 0;
}

static int gather(struct world *w, unsigned n_fetch, size_t memory_bytes, size_t raw_max, struct pgofs_error *err)
{
	const struct pgofs_gather g = { .n = w->n,
					.context = w,
					.fetch = fetch,
					.size_of = size_of,
					.prepare = w->prepared_bytes ? prepare : NULL,
					.each = each,
					.n_fetch = n_fetch,
					.n_inflate = w->n_inflate,
					.raw_max_bytes = raw_max,
					.memory_bytes = memory_bytes,
					.patience = w->patience };
	return pgofs_gather_run(&g, err);
}

TestSuite(gather, .timeout = 120);

Test(gather, hands_over_all_in_order_whatever_the_number_of_threads)
{
	static const unsigned threads[] = { 0, 1, 2, 3, 16, 64, 1000 };
	static const size_t counts[] = { 0, 1, 2, 3, 100 };
	for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
		for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
			struct world w = world_of(counts[c]);
			w.slow = true;
			w.gzip = c % 2;
			cr_assert_eq(gather(&w, threads[t], PGOFS_MIB, PGOFS_MIB, NULL), 0);
			cr_assert_eq(w.next, w.n);
			cr_assert_eq(w.n_fetched, w.n, "each once");
			cr_assert_leq(w.most_under_way, threads[t] + 1);
		}
	}
}

Test(gather, tells_of_what_is_unusable_and_goes_on)
{
	struct world w = world_of(20);
	w.gzip = true;
	w.broken = 3;
	w.absent = 7;
	w.large = 19;
	cr_assert_eq(gather(&w, 4, PGOFS_MIB, PGOFS_MIB, NULL), 0);
	cr_assert_eq(w.next, 20);
	cr_assert_eq(w.n_refused, 3);
}

Test(gather, ends_with_the_words_of_a_failure)
{
	for (unsigned threads = 0; threads < 5; threads++) {
		struct world w = world_of(50);
		struct pgofs_error err = { "" };
		w.failing = 20;
		cr_assert_eq(gather(&w, threads, PGOFS_MIB, PGOFS_MIB, &err), -EIO);
		cr_assert_str_eq(err.text, "input 20: the storage is away");
		cr_assert_eq(w.next, 20, "all before it were handed over");
	}
}

Test(gather, ends_when_told_to)
{
	for (unsigned threads = 0; threads < 5; threads++) {
		struct world w = world_of(1000);
		struct pgofs_error err = { "" };
		w.stop_at = 10;
		cr_assert_eq(gather(&w, threads, PGOFS_MIB, PGOFS_MIB, &err), -ECANCELED);
		cr_assert_str_eq(err.text, "enough");
		cr_assert_lt(w.n_fetched, 100);
	}
}

Test(gather, ends_with_patience)
{
	for (unsigned threads = 0; threads < 5; threads++) {
		struct world w = world_of(1000);
		const struct pgofs_patience to_end = { .ending = &w.ending };
		const struct pgofs_patience late = { .ending = &w.ending, .until_ns = 1 };
		struct pgofs_error err = { "" };
		w.end_at = 10;
		w.patience = &to_end;
		cr_assert_eq(gather(&w, threads, PGOFS_MIB, PGOFS_MIB, &err), -ECANCELED);
		cr_assert(strstr(err.text, "11 of 1000"), "%s", err.text);
		cr_assert_lt(w.n_fetched, 100);
		w = world_of(1000);
		w.patience = &late;
		cr_assert_eq(gather(&w, threads, PGOFS_MIB, PGOFS_MIB, &err), -ETIMEDOUT);
		cr_assert(strstr(err.text, "0 of 1000"), "%s", err.text);
		cr_assert_eq(w.next, 0);
	}
}

Test(gather, holds_little_ahead_when_memory_is_little)
{
	struct world w = world_of(40);
	w.length = 100 * 1000;
	w.gzip = true;
	w.slow = true;
	cr_assert_eq(gather(&w, 16, 100 * 1000, PGOFS_MIB, NULL), 0);
	cr_assert_eq(w.next, 40);
	cr_assert_leq(w.most_under_way, 2, "%u at the same time", w.most_under_way);
}

Test(gather, inflates_what_fits_the_maximum_and_no_more)
{
	struct world w = world_of(4);
	w.length = 100 * 1000;
	w.gzip = true;
	cr_assert_eq(gather(&w, 2, 10, w.length, NULL), 0, "larger than the memory, but not than the maximum");
	cr_assert_eq(w.n_refused, 0);

	struct world bomb = world_of(1);
	bomb.length = 100 * 1000;
	bomb.gzip = true;
	bomb.large = 0;
	cr_assert_eq(gather(&bomb, 2, PGOFS_MIB, bomb.length - 1, NULL), 0);
	cr_assert_eq(bomb.n_refused, 1);
}

Test(gather, prepares_each_while_there_is_memory)
{
	for (unsigned threads = 0; threads < 5; threads++) {
		struct world w = world_of(100);
		w.gzip = true;
		w.broken = 10;
		w.prepared_bytes = 1;
		cr_assert_eq(gather(&w, threads, PGOFS_MIB, PGOFS_MIB, NULL), 0);
		cr_assert_eq(w.n_prepared, 99);
	}
}

Test(gather, prepares_no_more_than_are_inflated_at_once_when_each_takes_all_memory)
{
	struct world w = world_of(100);
	w.gzip = true;
	w.slow = true;
	w.prepared_bytes = PGOFS_MIB;
	cr_assert_eq(gather(&w, 16, PGOFS_MIB, PGOFS_MIB, NULL), 0);
	cr_assert(w.n_prepared && w.most_held <= 2, "%u of %u at the same time", w.most_held, w.n_prepared);
}

Test(gather, works_with_one_at_a_time_and_with_more_than_there_are)
{
	for (unsigned n_inflate = 1; n_inflate < 100; n_inflate += 33) {
		struct world w = world_of(100);
		w.gzip = w.slow = true;
		w.n_inflate = n_inflate;
		w.prepared_bytes = 1;
		cr_assert_eq(gather(&w, 16, PGOFS_MIB, PGOFS_MIB, NULL), 0);
		cr_assert_eq(w.next, 100);
		cr_assert_eq(w.n_prepared, 100);
	}
}

Test(gather, ends_with_a_failure_while_others_are_worked_on)
{
	for (unsigned n_inflate = 1; n_inflate < 20; n_inflate += 6) {
		struct world w = world_of(100);
		struct pgofs_error err = { "" };
		w.gzip = w.slow = true;
		w.n_inflate = n_inflate;
		w.prepared_bytes = 1;
		w.failing = 20;
		cr_assert_eq(gather(&w, 16, PGOFS_MIB, PGOFS_MIB, &err), -EIO);
		cr_assert_str_eq(err.text, "input 20: the storage is away");
		cr_assert_eq(w.next, 20);
	}
}

Test(gather, takes_an_input_larger_than_its_memory_among_others)
{
	for (size_t giant = 0; giant < 100; giant += 33) {
		struct world w = world_of(100);
		w.gzip = giant % 2;
		w.slow = true;
		w.prepared_bytes = 1000;
		w.giant = giant;
		w.giant_length = 2 * PGOFS_MIB;
		cr_assert_eq(gather(&w, 16, 64 << 10, 4 * PGOFS_MIB, NULL), 0);
		cr_assert_eq(w.next, 100);
		cr_assert_eq(w.n_refused, 0);
	}
}

/* A gzip whose size field says little, as one of several members or a lie would. */
static int fetch_liar(void *context, size_t i, struct pgofs_bytes **ret, struct pgofs_error *err)
{
	static const char part[] = "0123456789";
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(1 << 20);
	for (int k = 0; k < 1000; k++)
		if (pgofs_pprof_deflate(part, 10, 1, &b, err) < 0)
			return -ENOMEM;
	*ret = pgofs_bytes_consume_buf(&b);
	return *ret ? 0 : -ENOMEM;
}

static int each_liar(void *context, size_t i, const void *raw, size_t len, const char *why, struct pgofs_error *err)
{
	cr_assert_null(why, "%s", why);
	cr_assert_eq(len, 10000);
	++*(size_t *)context;
	return 0;
}

static uint64_t size_of_liar(void *context, size_t i)
{
	return 10;
}

Test(gather, reads_a_gzip_of_many_members_whole)
{
	size_t n = 0;
	const struct pgofs_gather g = { .n = 5,
					.context = &n,
					.fetch = fetch_liar,
					.size_of = size_of_liar,
					.each = each_liar,
					.n_fetch = 3,
					.n_inflate = 2,
					.raw_max_bytes = PGOFS_MIB,
					.memory_bytes = PGOFS_MIB };
	cr_assert_eq(pgofs_gather_run(&g, NULL), 0);
	cr_assert_eq(n, 5);
}

Test(gather, keeps_no_more_of_what_was_decoded_than_its_memory)
{
	for (size_t fit = 0; fit < 4; fit++) {
		struct pgofs_ahead a;
		struct pgofs_gather g = { .n = 8, .n_fetch = 8, .memory_bytes = PGOFS_MIB };
		_cleanup_(pgofs_decoded_freep) struct pgofs_decoded *one = pgofs_decoded_new();
		pgofs_decoded_read(one, PGOFS_VIEW_PPROF, "rubbish", 7);
		g.memory_bytes = fit * pgofs_decoded_memory_bytes(one);
		cr_assert_eq(pgofs_ahead_init(&a, PGOFS_VIEW_PPROF, &g), 0);
		for (int round = 0; round < 3; round++) {
			for (size_t i = 0; i < g.n; i++)
				pgofs_ahead_decode(&a, i, "rubbish", 7);
			for (size_t i = 0; i < g.n; i++)
				pgofs_ahead_passed(&a, i);
			cr_expect_eq(a.n_free, fit);
		}
		pgofs_ahead_done(&a);
	}
}
