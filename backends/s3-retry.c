#include "s3-retry.h"

#include <pgofs/units.h>

#include <sys/random.h>
#include <time.h>

#define TOKENS_MAX    500
#define TOKENS_TAKEN  5
#define PAUSE_BASE_NS (100 * PGOFS_NS_PER_MS)
#define PAUSE_MAX_NS  (5 * PGOFS_NS_PER_S)

void s3_retry_budget_init(struct s3_retry_budget *b)
{
	atomic_init(&b->tokens, TOKENS_MAX);
}

bool s3_retry_budget_take(struct s3_retry_budget *b)
{
	int have = atomic_load(&b->tokens);
	do {
		if (have < TOKENS_TAKEN)
			return false;
	} while (!atomic_compare_exchange_weak(&b->tokens, &have, have - TOKENS_TAKEN));
	return true;
}

void s3_retry_budget_give(struct s3_retry_budget *b)
{
	int have = atomic_load(&b->tokens);
	do {
		if (have >= TOKENS_MAX)
			return;
	} while (!atomic_compare_exchange_weak(&b->tokens, &have, have + 1));
}

int64_t s3_retry_pause_ns(unsigned n)
{
	int64_t most = n > 6 ? PAUSE_MAX_NS : PAUSE_BASE_NS << (n - 1);
	uint64_t random = 0;
	if (most > PAUSE_MAX_NS)
		most = PAUSE_MAX_NS;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		return most;
	return (int64_t)(random % (uint64_t)most);
}

bool s3_retry_pause(unsigned n, int64_t deadline_ns)
{
	int64_t pause_ns = s3_retry_pause_ns(n);
	if (pgofs_monotonic_ns() + pause_ns >= deadline_ns)
		return false;
	struct timespec pause = { pause_ns / PGOFS_NS_PER_S, pause_ns % PGOFS_NS_PER_S };
	nanosleep(&pause, NULL);
	return true;
}
