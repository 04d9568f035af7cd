/* When to try again: how long to wait, and how often all requests together may. Any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A server in trouble is not helped by every request being sent five times. Each retry takes from this, each success
 * gives a little back; when it is empty, failures are final. */
struct s3_retry_budget {
	atomic_int tokens;
};

void s3_retry_budget_init(struct s3_retry_budget *b);
bool s3_retry_budget_take(struct s3_retry_budget *b);
void s3_retry_budget_give(struct s3_retry_budget *b);

/* A pause before try n + 1 (n from 1): anything from 0 to 100 ms doubled n - 1 times, at most 5 s. Full jitter keeps clients that
 * failed together from coming back together. */
int64_t s3_retry_pause_ns(unsigned n);

/* Makes such a pause; false, at once, where it would outlast the deadline (by pgofs_monotonic_ns). */
bool s3_retry_pause(unsigned n, int64_t deadline_ns);
