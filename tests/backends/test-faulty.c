#include "faulty.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

static struct pgofs_backend *b;

static void setup(void)
{
	struct pgofs_backend *memory;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, NULL), 0);
	b = faulty_new(memory);
}

static void teardown(void)
{
	pgofs_backend_free(b);
}

TestSuite(faulty, .init = setup, .fini = teardown, .timeout = 120);

static int put(const char *key)
{
	return pgofs_backend_put(b, key, "x", 1, PGOFS_PUT_NEW, NULL, NULL);
}

Test(faulty, a_rule_holds_for_its_calls_only)
{
	faulty_rule(b, &(struct faulty_rule){ FAULTY_PUT, .key = "bad", .after = 1, .times = 2, .error = -ENOSPC });
	cr_assert_eq(put("a/good1"), 0);
	cr_assert_eq(put("a/bad1"), 0);
	cr_assert_eq(put("a/bad2"), -ENOSPC);
	cr_assert_eq(put("a/good2"), 0);
	cr_assert_eq(put("a/bad3"), -ENOSPC);
	cr_assert_eq(put("a/bad4"), 0);
	cr_assert_eq(put("a/bad2"), 0, "nothing was stored by a call that failed");
	cr_assert_eq(faulty_count(b, FAULTY_PUT), 7);
	cr_assert_eq(faulty_count(b, FAULTY_GET), 0);
}

Test(faulty, an_answer_can_be_lost)
{
	faulty_rule(b, &(struct faulty_rule){ FAULTY_PUT, .error = -ETIMEDOUT, .times = 1, .after_doing = true });
	cr_assert_eq(put("a/x"), -ETIMEDOUT);
	cr_assert_eq(put("a/x"), -EEXIST);
}

static void *put_one(void *key)
{
	return (void *)(intptr_t)put(key);
}

Test(faulty, a_shut_gate_holds_every_call)
{
	pthread_t threads[2];
	faulty_gate(b, true);
	pthread_create(&threads[0], NULL, put_one, "a/1");
	pthread_create(&threads[1], NULL, put_one, "a/2");
	while (faulty_count(b, FAULTY_PUT) < 2)
		sched_yield();
	faulty_gate(b, false);
	for (int i = 0; i < 2; i++) {
		void *r;
		pthread_join(threads[i], &r);
		cr_assert_null(r);
	}
	cr_assert_eq(faulty_most_at_once(b, FAULTY_PUT), 2);
	faulty_reset_counts(b);
	cr_assert_eq(faulty_count(b, FAULTY_PUT), 0);
	cr_assert_eq(faulty_most_at_once(b, FAULTY_PUT), 0);
}

Test(faulty, a_delay_takes_its_time)
{
	int64_t began_ns = pgofs_monotonic_ns();
	faulty_rule(b, &(struct faulty_rule){ FAULTY_PUT, .delay_ns = 50 * PGOFS_NS_PER_MS });
	cr_assert_eq(put("a/x"), 0);
	cr_assert_geq(pgofs_monotonic_ns() - began_ns, 50 * PGOFS_NS_PER_MS);
	faulty_mend(b);
	cr_assert_eq(put("a/y"), 0);
}
