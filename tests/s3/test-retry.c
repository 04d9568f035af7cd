/* When something is tried again, and how often. */
#include "../../backends/s3-retry.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>

Test(retry, a_pause_is_anything_up_to_its_most)
{
	static const struct {
		unsigned n;
		int64_t most_ns;
	} pauses[] = {
		{ 1, 100 * PGOFS_NS_PER_MS },  { 2, 200 * PGOFS_NS_PER_MS }, { 3, 400 * PGOFS_NS_PER_MS },
		{ 6, 3200 * PGOFS_NS_PER_MS }, { 7, 5 * PGOFS_NS_PER_S },    { 100, 5 * PGOFS_NS_PER_S },
	};
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		int64_t shortest = INT64_MAX, longest = 0;
		for (int draw = 0; draw < 1000; draw++) {
			int64_t pause_ns = s3_retry_pause_ns(pauses[i].n);
			shortest = pause_ns < shortest ? pause_ns : shortest;
			longest = pause_ns > longest ? pause_ns : longest;
		}
		/* That none of 1,000 is in a tenth of the range is as likely as 0.9 to the 1,000th. */
		cr_expect(shortest >= 0 && shortest < pauses[i].most_ns / 10, "%u: %lld", pauses[i].n,
			  (long long)shortest);
		cr_expect(longest < pauses[i].most_ns && longest > pauses[i].most_ns / 10 * 9, "%u: %lld", pauses[i].n,
			  (long long)longest);
	}
}

Test(retry, a_pause_that_would_outlast_the_deadline_is_not_made)
{
	int64_t now_ns = pgofs_monotonic_ns();
	cr_assert_not(s3_retry_pause(1, now_ns));
	cr_assert_not(s3_retry_pause(100, now_ns - 1));
	cr_assert(s3_retry_pause(1, now_ns + 3600 * PGOFS_NS_PER_S));
}

Test(retry, failures_of_all_take_from_one_budget_and_successes_give_back)
{
	struct s3_retry_budget budget;
	s3_retry_budget_init(&budget);
	for (int i = 0; i < 10; i++)
		s3_retry_budget_give(&budget); /* it is full */
	for (int i = 0; i < 100; i++)
		cr_assert(s3_retry_budget_take(&budget), "%d", i);
	cr_assert_not(s3_retry_budget_take(&budget));
	for (int i = 0; i < 5; i++) {
		cr_assert_not(s3_retry_budget_take(&budget));
		s3_retry_budget_give(&budget);
	}
	cr_assert(s3_retry_budget_take(&budget));
	cr_assert_not(s3_retry_budget_take(&budget));
}
